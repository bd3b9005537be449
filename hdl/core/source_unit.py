# SPDX-License-Identifier: BSD-2-Clause
"""What makes the spikes of all sources, one tick ahead of the populations."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.core.layouts import HostAccess, index, layout_of
from erbium.hdl.core.window_memory import WindowMemory
from erbium.hdl.fixed import reversed_bits
from erbium.hdl.marks import COLLISION_FREE
from erbium.hdl.rng import xorshift32
from erbium.sw_model.description.machine import (
    PIXEL_TOKEN,
    SOURCE,
    SPIKE_WIDTH,
    CoreHardware,
    SourceKind,
    TokenKind,
    Window,
    window_shapes,
)

PLACE = data.StructLayout({"address": 16, "value": 12, "stop": 1})


class SourceUnit(wiring.Component):
    """Writes the spikes of every source in a tick, as words of the spike memory.

    The pixels of a sample lie in a list, a mark after those of each source. What is not in the list does not spike. A
    Bernoulli source takes a number for each four of its places, a byte each; a phase source adds to its accumulator; a
    latency source compares with the tick in the sample. Sources of events take tokens up to ``STOP``; from ``END`` on
    they are silent.

    Parameters
    ----------
    hardware : CoreHardware

    Members
    -------
    n_sources : In
    begin : In(1)
        Forget the pixels.
    store : In(1), token : In(64)
        A token PIXEL or STOP of the list.
    reseed : In(1), seed : In(32)
        Let all random numbers begin anew.
    start : In(1), tick : In(12), slot : In
        Write a tick of the sample into the slot that begins at this word.
    label : In(12), has_label : In(1)
    busy : Out(1)
        From the clock after `start` or `reseed` until all is done.
    n_hits : Out(32)
        Pixels that have spiked so far.
    event_i : In(stream of 64 bits)
        Tokens EVENT and STOP; END is looked at and not taken.
    spikes_enable : Out(1), spikes_address : Out, spikes_data : Out(16), spikes_ready : In(1)
        A word to be written.
    host : In(HostAccess)
        The table of sources.

    Notes
    -----
    A clock for each place of the list, for each word of spikes, two for each event, and four for each source.
    """

    def __init__(self, hardware: CoreHardware) -> None:
        self.hardware = hardware
        address = index(hardware.spike_words)
        super().__init__(
            {
                "n_sources": In(7),
                "begin": In(1),
                "store": In(1),
                "token": In(64),
                "reseed": In(1),
                "seed": In(32),
                "start": In(1),
                "tick": In(12),
                "slot": In(address),
                "label": In(12),
                "has_label": In(1),
                "busy": Out(1),
                "n_hits": Out(32),
                "event_i": In(stream.Signature(64)),
                "spikes_enable": Out(1),
                "spikes_address": Out(address),
                "spikes_data": Out(SPIKE_WIDTH),
                "spikes_ready": In(1),
                "host": In(HostAccess()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        hw = self.hardware
        m.submodules.table = table = WindowMemory(*window_shapes(hw)[Window.SOURCES])
        wiring.connect(m, table.host, wiring.flipped(self.host))
        m.submodules.draws = draws = memory.Memory(shape=32, depth=hw.sources, init=[], attrs=COLLISION_FREE)
        read_draw, write_draw = draws.read_port(), draws.write_port()

        # --- the list of pixels --------------------------------------------------------------------------
        depth = hw.pixels + hw.sources
        m.submodules.places = places = memory.Memory(shape=PLACE, depth=depth, init=[], attrs=COLLISION_FREE)
        m.submodules.phases = phases = memory.Memory(shape=8, depth=depth, init=[], attrs=COLLISION_FREE)
        read, write = places.read_port(), places.write_port()
        read_phase, write_phase = phases.read_port(), phases.write_port()
        # The place that is looked at lies in registers, and the next one is at the memories' outputs. Before the first
        # one that is number -1.
        width = (depth - 1).bit_length()
        begins = (1 << width) - 1
        at, coming, following = Signal(width, init=begins), Signal(width), Signal(width, init=1)
        primed = Signal()
        filled = Signal(range(depth))
        pixel = layout_of(PIXEL_TOKEN)(self.token)
        low = pixel.address[:8]
        start_phase = (reversed_bits(low) ^ (pixel.address >> 3) ^ (low << 2))[:8]
        place, phase = Signal(PLACE, reset_less=True), Signal(8, reset_less=True)
        steps = Signal()
        m.d.comb += [read.addr.eq(Mux(steps, following, coming)), read_phase.addr.eq(read.addr)]
        with m.If(steps):
            m.d.sync += [at.eq(coming), coming.eq(following), following.eq(following + 1)]
            m.d.sync += [place.eq(read.data), phase.eq(read_phase.data)]
        m.d.comb += [
            write.en.eq(self.store),
            write.addr.eq(filled),
            write.data.eq(Cat(pixel.address, pixel.value, pixel.kind == TokenKind.STOP)),
        ]
        with m.If(self.begin):
            m.d.sync += filled.eq(0)
        with m.Elif(self.store):
            m.d.sync += filled.eq(filled + 1)

        # --- one source after the other ------------------------------------------------------------------
        number = Signal(range(hw.sources))
        last_source = (number + 1) == self.n_sources
        source = layout_of(SOURCE)(Cat(Const(0, 64), table.read_data))
        first = Signal(64)
        record = layout_of(SOURCE)(Cat(first, Const(0, 64)))
        kind = record.kind
        second, last_mask = Signal(), Signal(SPIKE_WIDTH)
        m.d.comb += [table.read_address.eq(Cat(second, number)), read_draw.addr.eq(number)]
        salt = source.salt
        total, salt_before = Signal(32), Signal(32)
        m.d.sync += [total.eq(self.seed + salt), salt_before.eq(salt)]
        draw, group = Signal(32), Signal(2)
        drawn = Mux(group == 0, xorshift32(draw), draw)
        byte = drawn.word_select(group, 8)
        word, bits = Signal(12), Signal(SPIKE_WIDTH)
        slot, tick = Signal.like(self.slot), Signal.like(self.tick)
        moved = Signal(9)
        m.d.comb += moved.eq(phase + place.value[:8])
        # A spike joins its word, and is counted, a clock after it is found.
        hit, hits, hit_place, joined_bits = Signal(), Signal(), Signal(4), Signal(SPIKE_WIDTH)
        m.d.comb += joined_bits.eq(bits | (hits << hit_place))
        m.d.sync += [hits.eq(0), self.n_hits.eq(self.n_hits + hits), bits.eq(joined_bits)]
        with m.Switch(kind):
            with m.Case(SourceKind.BERNOULLI):
                m.d.comb += hit.eq(byte < place.value)
            with m.Case(SourceKind.PHASE):
                m.d.comb += hit.eq(moved[8])
            with m.Default():
                m.d.comb += hit.eq(place.value == tick)
        event = layout_of(PIXEL_TOKEN)(self.event_i.payload)
        is_event, is_stop, in_word = Signal(), Signal(), Signal()

        filling = Signal(SPIKE_WIDTH)
        with m.Switch(kind):
            with m.Case(SourceKind.CONSTANT):
                m.d.comb += filling.eq(Mux(word == record.spike_last, last_mask, (1 << SPIKE_WIDTH) - 1))
            with m.Case(SourceKind.LABEL):
                with m.If(self.has_label & (self.label[4:] == word)):
                    m.d.comb += filling.eq(1 << self.label[:4])
            with m.Default():
                m.d.comb += filling.eq(joined_bits)
        m.d.comb += [
            self.spikes_address.eq(slot + record.spike_first + word),
            self.spikes_data.eq(filling),
            self.busy.eq(1),
            write_phase.addr.eq(Mux(self.store, filled, at)),
            write_phase.data.eq(Mux(self.store, start_phase, moved[:8])),
            write_phase.en.eq(self.store),
            write_draw.addr.eq(number),
        ]

        def write_word() -> None:
            """Write the present word; the next one begins empty."""
            m.d.comb += self.spikes_enable.eq(1)
            with m.If(self.spikes_ready):
                m.d.sync += [word.eq(word + 1), bits.eq(0)]

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.busy.eq(0)
                m.d.sync += [number.eq(0), primed.eq(0), word.eq(0), bits.eq(0), group.eq(0)]
                with m.If(self.reseed):
                    m.d.sync += second.eq(1)
                    m.next = "SALT"
                with m.Elif(self.start):
                    m.d.sync += [slot.eq(self.slot), tick.eq(self.tick)]
                    m.next = "FETCH"
            with m.State("SALT"):
                m.next = "SUM"
            with m.State("SUM"):
                m.next = "SEED"
            with m.State("SEED"):
                m.d.comb += [write_draw.en.eq(1), write_draw.data.eq(Mux(total == 0, salt_before, total))]
                m.d.sync += number.eq(number + 1)
                m.next = "SALT"
                with m.If(last_source):
                    m.d.sync += second.eq(0)
                    m.next = "IDLE"
            with m.State("FETCH"):
                m.d.comb += steps.eq(~primed)
                m.d.sync += primed.eq(1)
                m.next = "TAKE"
            with m.State("TAKE"):
                m.d.sync += [
                    first.eq(table.read_data),
                    draw.eq(read_draw.data),
                    word.eq(0),
                    bits.eq(0),
                    group.eq(0),
                ]
                taken = layout_of(SOURCE)(Cat(table.read_data, Const(0, 64)))
                m.d.sync += last_mask.eq((2 << taken.last_bits) - 1)
                with m.If(taken.kind <= SourceKind.LATENCY):
                    m.next = "PIXELS"
                with m.Elif(taken.kind == SourceKind.EVENTS):
                    m.next = "EVENTS"
                with m.Else():
                    m.next = "REST"
            with m.State("PIXELS"):
                with m.If(place.stop):
                    m.d.comb += steps.eq(1)
                    m.next = "REST"
                with m.Elif(place.address[4:] != word):
                    write_word()
                with m.Else():
                    m.d.comb += steps.eq(1)
                    m.d.sync += [
                        group.eq(group + 1),
                        hits.eq(hit),
                        hit_place.eq(place.address[:4]),
                    ]
                    with m.If(kind == SourceKind.BERNOULLI):
                        m.d.sync += draw.eq(drawn)
                    m.d.comb += write_phase.en.eq(kind == SourceKind.PHASE)
            with m.State("EVENTS"):
                # Tokens are looked at for a clock before they are taken.
                m.d.sync += [
                    is_event.eq(event.kind == TokenKind.EVENT),
                    is_stop.eq(event.kind == TokenKind.STOP),
                ]
                m.d.sync += in_word.eq(event.address[4:] == word)
                with m.If(self.event_i.valid):
                    m.next = "EVENT"
            with m.State("EVENT"):
                m.next = "EVENTS"
                with m.If(~is_event):
                    m.d.comb += self.event_i.ready.eq(is_stop)
                    m.next = "REST"
                with m.Elif(~in_word):
                    write_word()
                with m.Else():
                    m.d.comb += self.event_i.ready.eq(1)
                    m.d.sync += bits.eq(bits | (1 << event.address[:4]))
            with m.State("REST"):
                m.d.comb += [write_draw.en.eq(1), write_draw.data.eq(draw)]
                write_word()
                with m.If(self.spikes_ready & (word == record.spike_last)):
                    m.d.sync += number.eq(number + 1)
                    m.next = "FETCH"
                    with m.If(last_source):
                        m.d.sync += [at.eq(begins), coming.eq(0), following.eq(1)]
                        m.next = "IDLE"
        return m
