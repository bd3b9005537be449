# SPDX-License-Identifier: BSD-2-Clause
"""Which neuron spiked most often in a sample."""

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.core.layouts import index
from erbium.hdl.core.micro_unit import S16
from erbium.hdl.marks import COLLISION_FREE
from erbium.sw_model.description.machine import SPIKE_WIDTH, CoreHardware

COUNT_WIDTH = 13


class CoreReadout(wiring.Component):
    """Counts the spikes of the neurons that are read out, and finds the best one.

    Parameters
    ----------
    hardware : CoreHardware

    Members
    -------
    n_classes : In(13), first_class : In(16)
        How many, and the place of the first neuron.
    clear : In(1)
        Forget all counts: a clock for each class.
    count : In(1), spikes : In, spike_last : In(12)
        Count the spikes of a tick: where they begin, and their last word counted from there. Two clocks for each spike
        and two for each word.
    search : In(1)
        Look for the best: most spikes; of those with as many the one with the larger state 0, then the first one. Two
        clocks for each class and four more.
    busy : Out(1)
        From the clock after one of these until it is done.
    most : Out(13), best : Out(12)
    spike_address : Out, spike_data : In(16)
    state_word : Out, state_data : In
        State 0 of each neuron of a part, a clock later.
    """

    def __init__(self, hardware: CoreHardware) -> None:
        self.hardware = hardware
        address = index(hardware.spike_words)
        super().__init__(
            {
                "n_classes": In(13),
                "first_class": In(16),
                "clear": In(1),
                "count": In(1),
                "spikes": In(address),
                "spike_last": In(12),
                "search": In(1),
                "busy": Out(1),
                "most": Out(COUNT_WIDTH),
                "best": Out(12),
                "spike_address": Out(address),
                "spike_data": In(SPIKE_WIDTH),
                "state_word": Out(index(hardware.neuron_words * hardware.parts)),
                "state_data": In(data.ArrayLayout(S16, hardware.units)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        hw = self.hardware
        m.submodules.counts = counts = memory.Memory(
            shape=COUNT_WIDTH, depth=hw.classes, init=[], attrs=COLLISION_FREE
        )
        read, write = counts.read_port(), counts.write_port()
        at, looked = Signal(13), Signal(13)
        # The next population may begin meanwhile.
        spikes, n_words = Signal.like(self.spikes), Signal(13)
        last_class = Signal.like(self.n_classes)
        m.d.sync += last_class.eq(self.n_classes - 1)
        word, bits = Signal(12), Signal(SPIKE_WIDTH)
        chosen = Signal(4)
        for bit in reversed(range(SPIKE_WIDTH)):
            with m.If(bits[bit]):
                m.d.comb += chosen.eq(bit)
        unit_bits = (hw.units - 1).bit_length()
        place, looked_place = (self.first_class + at)[:16], Signal(16)
        best_state = Signal(S16)
        best_count = Signal(COUNT_WIDTH)
        state = Array(self.state_data[unit] for unit in range(hw.units))[looked_place[:unit_bits]]
        m.d.comb += [
            self.busy.eq(1),
            self.spike_address.eq(spikes + word),
            read.addr.eq(at),
            write.addr.eq(at),
            self.state_word.eq(place >> unit_bits),
        ]
        # What the memories say is compared a clock later.
        looking, seen, second, compared = Signal(), Signal(), Signal(), Signal(13)
        seen_count, seen_state = Signal(COUNT_WIDTH), Signal(S16)
        m.d.sync += [looked.eq(at), looked_place.eq(place)]
        m.d.sync += [compared.eq(looked), seen_count.eq(read.data), seen_state.eq(state)]
        more, had_more, counted = read.data + 1, Signal(COUNT_WIDTH), Signal()
        m.d.sync += [had_more.eq(more), counted.eq(0)]
        with m.If(counted & (had_more > self.most)):
            m.d.sync += self.most.eq(had_more)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.busy.eq(0)
                m.d.sync += [at.eq(0), word.eq(0), looking.eq(0), seen.eq(0), second.eq(0)]
                with m.If(self.clear):
                    m.d.sync += self.most.eq(0)
                    m.next = "CLEAR"
                with m.Elif(self.count):
                    m.d.sync += [spikes.eq(self.spikes), n_words.eq(self.spike_last + 1)]
                    m.next = "WORD"
                with m.Elif(self.search):
                    m.next = "SEARCH"
            with m.State("CLEAR"):
                m.d.comb += write.en.eq(1)
                m.d.sync += at.eq(at + 1)
                with m.If(at == last_class):
                    m.next = "IDLE"
            with m.State("WORD"):
                m.next = "TAKE"
            with m.State("TAKE"):
                m.d.sync += [bits.eq(self.spike_data), word.eq(word + 1)]
                m.next = "SPIKE"
            with m.State("SPIKE"):
                m.d.sync += at.eq(((word - 1) << 4) + chosen)
                m.d.comb += read.addr.eq(((word - 1) << 4) + chosen)
                m.d.sync += bits.eq(bits & (bits - 1))
                with m.If(bits.any()):
                    m.next = "ADD"
                with m.Elif(word == n_words):
                    m.next = "IDLE"
                with m.Else():
                    m.next = "TAKE"
            with m.State("ADD"):
                m.d.comb += [write.en.eq(1), write.data.eq(more)]
                m.d.sync += counted.eq(1)
                m.next = "SPIKE"
            with m.State("SEARCH"):
                # Two clocks for each class: what is ahead is known in the second one.
                m.d.sync += [at.eq(at + second), looking.eq(1), seen.eq(looking), second.eq(~second)]
                is_ahead = Signal()
                m.d.sync += is_ahead.eq(
                    (seen_count > best_count) | ((seen_count == best_count) & (seen_state > best_state))
                )
                with m.If(seen & second & ((compared == 0) | is_ahead)):
                    m.d.sync += [best_count.eq(seen_count), best_state.eq(seen_state), self.best.eq(compared)]
                with m.If(seen & second & (compared == last_class)):
                    m.next = "IDLE"
        return m
