# SPDX-License-Identifier: BSD-2-Clause
"""The input encoder: pixels in, spikes out, tick by tick."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, fifo, memory, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from erbium.hdl.feedback_gate import FeedbackGate
from erbium.hdl.fixed import delayed
from erbium.hdl.rng import Generator
from erbium.hdl.sample_buffer import GROUP, SampleBuffer
from erbium.hdl.tokens import EventToken, FeedbackToken, Kind, SampleToken, Spike
from erbium.sw_model.constants import STREAM_ENCODER, salt
from erbium.sw_model.network import Network
from erbium.sw_model.rules import LatencyEncoder

PREFETCH = 4
"""Groups of pixels fetched ahead; the memory takes three clocks to deliver one."""


def start_phase(address: Value) -> Value:
    """Return the phase at which the accumulator of a pixel starts; see the model for the formula."""
    low = Cat(address, 0, 0, 0, 0, 0, 0, 0, 0)[:8]
    reverse = Cat(*[low[7 - bit] for bit in range(8)])
    return (reverse ^ (address >> 3) ^ (low << 2))[:8]


class _Queue(NamedTuple):
    """The groups fetched ahead: the next one, whether it is there, whether none is on its way."""

    group: data.View
    there: Value
    empty: Value
    store: fifo.SyncFIFO
    fetch: Value


class Encoder(wiring.Component):
    """Presents one sample after the other, each for as many ticks as it takes.

    At each tick every nonzero pixel, in groups of four, gets a random byte (or adds to its phase
    accumulator) and spikes or not. With a latency encoder only the ticks of a level look at the pixels. After
    a tick the feedback of ``feedback_delay`` ticks before says whether the sample stops. A learned sample of a
    first-spike network is replayed behind its end if the feedback asks for it.

    Parameters
    ----------
    network : Network

    Members
    -------
    sample_i : In(stream of SampleToken)
        Samples; the next one is taken while the present one runs.
    feedback_i : In(stream of FeedbackToken)
        Only its ``TICK`` and ``END`` tokens matter here.
    event_o : Out(stream of EventToken)
    n_ticks : In(16)
        Longest presentation, at least 1. Changed only while the array is idle.
    input_spikes, ticks : Out(1)
        A spike that is not replayed leaves in this clock; a tick ends.

    Notes
    -----
    One clock per spike, or per group of four pixels that has none unless it is the last; 5 clocks more per
    tick, in which the reader still has spikes in its queue. A tick of a dark sample takes 2. Latency from the
    end of a sample to its ``BEGIN``: 2 clocks. A tick without a level takes 2, too, and spares the next one up to 2. A
    replay takes the clocks of its ticks with a level, and ``feedback_delay`` to drop what is left of the feedback.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        super().__init__(
            {
                "sample_i": In(stream.Signature(SampleToken())),
                "feedback_i": In(stream.Signature(FeedbackToken(network))),
                "event_o": Out(stream.Signature(EventToken())),
                "n_ticks": In(16),
                "input_spikes": Out(1),
                "ticks": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        network = self._network
        levels = network.encoder.levels if isinstance(network.encoder, LatencyEncoder) else ()
        m.submodules.buffer = buffer = SampleBuffer(network.n_inputs, levels)
        m.submodules.gate = gate = FeedbackGate(network)
        connect(m, flipped(self.sample_i), buffer.sample_i)
        connect(m, flipped(self.feedback_i), gate.feedback_i)
        m.d.comb += gate.spike_o.ready.eq(1)

        out = self.event_o.payload
        tick = Signal(16)
        done = Signal(range(buffer.max_groups + 1))
        begins, restart, halt, taken = Signal(), Signal(), Signal(), Signal()
        queue = self._fetch(m, buffer, restart, halt, taken)
        level = Signal(range(len(levels) + 1))
        replaying, n_scanned = Signal(), Signal.like(level)
        scans: Value = Const(1)
        if levels:
            # In a replay a level is due at once, not at its tick.
            tick_of_level = Array(at for _, at in (*levels, levels[-1]))[level]
            scans = (level != len(levels)) & ((tick == tick_of_level) | replaying)
            spikes = Cat(*[queue.group[place].value == level + 1 for place in range(GROUP)])
        elif network.encoder == "bernoulli":
            spikes = self._bernoulli(m, queue.group, buffer.begin.seed, begins, taken)
        else:
            spikes = self._phase(m, queue, buffer, done, taken, tick == 0)

        # The spikes of the group in hand leave one per clock; the next group follows without a bubble.
        pending = Signal(GROUP)
        event = data.View(Spike(), out.data[: Spike().size])
        addresses = Signal(data.ArrayLayout(buffer.entry["address"].shape, GROUP))
        lowest = pending & (~pending + 1)[:GROUP]
        moving = Signal()
        for place in reversed(range(GROUP)):
            with m.If(pending[place]):
                m.d.comb += event.address.eq(addresses[place])

        with m.FSM():
            with m.State("IDLE"), m.If(buffer.available & queue.empty):
                m.d.comb += [self.event_o.valid.eq(1), out.kind.eq(Kind.BEGIN), out.data.eq(buffer.begin)]
                with m.If(self.event_o.ready):
                    m.d.sync += [tick.eq(0), done.eq(0), level.eq(0), replaying.eq(0)]
                    m.d.comb += [begins.eq(1), restart.eq(1)]
                    m.next = "TICK"
            with m.State("TICK"):
                last_of_group = pending == lowest
                m.d.comb += moving.eq(self.event_o.ready & last_of_group | (pending == 0))
                with m.If(pending.any()):
                    m.d.comb += [self.event_o.valid.eq(1), out.kind.eq(Kind.SPIKE)]
                    if network.is_first_spike:
                        m.d.comb += event.tick.eq(tick_of_level)
                    with m.If(self.event_o.ready):
                        m.d.comb += self.input_spikes.eq(~replaying)
                        m.d.sync += pending.eq(pending & ~lowest)
                with m.If(moving & queue.there & scans & (done != buffer.groups)):
                    m.d.comb += taken.eq(1)
                    m.d.sync += [pending.eq(spikes), done.eq(done + 1)]
                    for place in range(GROUP):
                        m.d.sync += addresses[place].eq(queue.group[place].address)
                with m.Elif((pending == 0) & ((done == buffer.groups) | ~scans)):
                    ends = Signal()
                    with m.If(replaying):
                        m.d.comb += ends.eq(1)
                        m.next = "END" if len(levels) < 2 else "TICK"
                        with m.If(level + 1 == n_scanned):
                            m.next = "END"
                    with m.Else():
                        m.d.comb += [
                            self.event_o.valid.eq(1),
                            out.kind.eq(Kind.TICK),
                            ends.eq(self.event_o.ready),
                        ]
                        with m.If(self.event_o.ready):
                            m.d.comb += self.ticks.eq(1)
                            m.next = "DECIDE"
                    with m.If(ends & scans):
                        m.d.sync += [done.eq(0), level.eq(level + bool(levels))]
                        m.d.comb += restart.eq(1)
            with m.State("DECIDE"):
                heard = tick >= network.feedback_delay
                with m.If((tick == self.n_ticks - 1) | (heard & gate.complete & gate.stop)):
                    m.next = "END"
                with m.Elif(~heard | gate.complete):
                    m.d.comb += gate.release.eq(heard)
                    m.d.sync += tick.eq(tick + 1)
                    m.next = "TICK"
            with m.State("END"), m.If(~gate.draining):
                m.d.comb += [self.event_o.valid.eq(1), out.kind.eq(Kind.END)]
                with m.If(self.event_o.ready):
                    m.d.comb += gate.finish.eq(~replaying)
                    m.d.comb += [buffer.release.eq(1), halt.eq(1)]
                    m.next = "IDLE"
                    if network.is_first_spike:
                        with m.If(buffer.begin.learn & ~replaying):
                            m.d.comb += [buffer.release.eq(0), halt.eq(0)]
                            m.d.sync += n_scanned.eq(level)
                            m.next = "LISTEN"
            if network.is_first_spike:
                # The gate is draining, up to the END that says whether the sample is replayed.
                with m.State("LISTEN"), m.If(~gate.draining):
                    with m.If(gate.replay):
                        m.d.sync += [replaying.eq(1), level.eq(0)]
                        m.next = "TICK"
                        with m.If(n_scanned == 0):
                            m.next = "END"
                    with m.Else():
                        m.d.comb += [buffer.release.eq(1), halt.eq(1)]
                        m.next = "IDLE"
        return m

    def _fetch(self, m: Module, buffer: SampleBuffer, restart: Value, halt: Value, taken: Value) -> _Queue:
        """Fetch the groups of the sample in order, some ahead of the one that is taken.

        The next tick's groups are fetched while the present tick is decided; `halt` gives them up.
        """
        with_phase = self._network.encoder == "phase"
        width = len(buffer.read_data.as_value())
        store = fifo.SyncFIFO(width=width + (8 * GROUP if with_phase else 0), depth=PREFETCH)
        m.submodules.prefetch = store
        running, index = Signal(), Signal(range(buffer.max_groups + 1))
        free = Signal(range(PREFETCH + 1), init=PREFETCH)
        fetch, drop = Signal(), Signal()
        m.d.comb += [
            fetch.eq(running & (index != buffer.groups) & (free != 0)),
            drop.eq(~running & store.r_rdy),
            buffer.read_address.eq(index),
            buffer.read_enable.eq(fetch),
            store.w_en.eq(delayed(m, fetch, 2, "fetched")),
            store.w_data[:width].eq(buffer.read_data),
            store.r_en.eq(taken | drop),
        ]
        m.d.sync += free.eq(free - fetch + (taken | drop))
        with m.If(fetch):
            m.d.sync += index.eq(index + 1)
        with m.If(restart):
            m.d.sync += [running.eq(1), index.eq(0)]
        with m.If(halt):
            m.d.sync += running.eq(0)
        group = data.View(buffer.read_data.shape(), store.r_data[:width])
        return _Queue(group, store.r_rdy, free == PREFETCH, store, fetch)

    def _bernoulli(self, m: Module, group: Value, seed: Value, begins: Value, taken: Value) -> Value:
        """Return which pixels of the group spike: those greater than their random byte."""
        m.submodules.draws = draws = Generator(salt(0, STREAM_ENCODER))
        m.d.comb += [
            draws.seed.eq(seed),
            draws.load.eq(begins),
            # The draw of the first group is made ready ahead, every other one as its group comes up.
            draws.advance.eq(delayed(m, begins, 1, "first_draw") | taken),
        ]
        return Cat(*[draws.value.word_select(place, 8) < group[place].value for place in range(GROUP)])

    def _phase(
        self, m: Module, queue: _Queue, buffer: SampleBuffer, done: Value, taken: Value, first: Value
    ) -> Value:
        """Return which accumulators of the group carry, and keep what is left of them."""
        m.submodules.phases = store = memory.Memory(shape=8 * GROUP, depth=max(buffer.max_groups, 2), init=[])
        write, read = store.write_port(), store.read_port()
        width = len(queue.store.w_data) - 8 * GROUP
        m.d.comb += [
            read.addr.eq(buffer.read_address),
            read.en.eq(queue.fetch),
            queue.store.w_data[width:].eq(delayed(m, read.data, 1, "phase")),
            write.addr.eq(done),
            write.en.eq(taken),
        ]
        carries = []
        for place in range(GROUP):
            pixel = queue.group[place]
            kept = queue.store.r_data[width:].word_select(place, 8)
            total = Mux(first, start_phase(pixel.address), kept) + pixel.value
            m.d.comb += write.data.word_select(place, 8).eq(total[:8])
            carries.append(total[8])
        return Cat(*carries)
