# SPDX-License-Identifier: BSD-2-Clause
"""The input encoder: pixels in, spikes out, tick by tick."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from erbium.hdl.feedback_gate import FeedbackGate
from erbium.hdl.fixed import delayed, joined
from erbium.hdl.marks import COLLISION_FREE
from erbium.hdl.pixel_memory import PixelMemory
from erbium.hdl.plan import channel_spikes
from erbium.hdl.rng import Generator
from erbium.hdl.sample_buffer import SampleBuffer
from erbium.hdl.skid import Skid
from erbium.hdl.spike_window import SpikeWindow
from erbium.hdl.tokens import EventToken, FeedbackToken, Kind, SampleToken, piece_width
from erbium.sw_model.constants import STREAM_ENCODER, salt
from erbium.sw_model.description.chain import graph_of
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import LOADED, Bernoulli
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.rules import LatencyEncoder


def start_phase(address: Value) -> Value:
    """Return the phase at which the accumulator of a pixel starts; see the model for the formula."""
    low = Cat(address, 0, 0, 0, 0, 0, 0, 0, 0)[:8]
    reverse = Cat(*[low[7 - bit] for bit in range(8)])
    return (reverse ^ (address >> 3) ^ (low << 2))[:8]


class Encoder(wiring.Component):
    """Presents one sample after the other, each for as many ticks as it takes.

    At each tick every nonzero pixel, four of them sharing a draw, gets a random byte (or adds to its phase
    accumulator) and spikes or not. With a latency encoder only the ticks of a level look at the pixels. After
    a tick the feedback of ``feedback_delay`` ticks before says whether the sample stops. A learned sample of a
    first-spike network is replayed behind its end if the feedback asks for it.

    Parameters
    ----------
    network : Network or Graph
    hardware : Hardware
    source : str
        Of a graph, the source whose pixels it encodes; default is the first.

    Members
    -------
    sample_i : In(stream of SampleToken)
        Samples; the next one is taken while the present one runs, or behind it with one encoder pixel.
    feedback_i : In(stream of FeedbackToken)
        Only its ``TICK`` and ``END`` tokens matter here.
    event_o : Out(stream of EventToken)
    n_ticks : In(16)
        Longest presentation, at least 1. Changed only while the array is idle.
    input_spikes : Out, ticks : Out(1)
        Spikes that are not replayed leave in this clock, 0, 1 or 2; a tick ends.

    Notes
    -----
    One clock per spike, or per group of four nonzero pixels that has none unless it is the last; 3 clocks more per
    tick, in which the reader still has spikes in its queue. To a layer that does two rows in a clock, two spikes leave
    in a clock, of one group or of two that follow each other, and one group is looked at; every token comes a clock
    later. With one encoder pixel one clock per pixel, 2 more, and 1 if the last one spikes. A tick of a dark sample
    takes 2, unless all pixels are looked at, and so does one without a level. Latency from the end of a sample to its
    ``BEGIN``: 2 clocks. A replay takes the clocks of its ticks with a level, 2 more, and ``feedback_delay`` to drop
    what is left of the feedback.
    """

    def __init__(self, network: Network | Graph, hardware: Hardware, source: str = "") -> None:
        graph = graph_of(network)
        loaded = [one for one in graph.sources if isinstance(one.encoder, LOADED)]
        self._source = next(one for one in loaded if one.name == source or not source)
        self._n_ticks, self._raw = graph.n_ticks, hardware.encoder_pixels == 1
        # Without a readout nothing stops a sample, and there is no feedback to listen to.
        self._delay = graph.readout.delay if graph.readout is not None else graph.n_ticks
        self._listens = graph.readout is not None
        self._replays = graph.replays
        self.spikes_at_once = channel_spikes(graph, hardware, self._source.name)
        self._token = EventToken(
            self._source.size,
            graph.n_ticks if self._replays else 0,
            hardware.begin_pieces,
            self.spikes_at_once,
        )
        self._n_addresses = 2 * graph.n_classes if graph.readout is not None else 2
        super().__init__(
            {
                "sample_i": In(stream.Signature(SampleToken())),
                "feedback_i": In(stream.Signature(FeedbackToken(self._n_addresses))),
                "event_o": Out(stream.Signature(self._token)),
                "n_ticks": In(16),
                "input_spikes": Out(range(self.spikes_at_once + 1)),
                "ticks": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        encoder = self._source.encoder
        levels = encoder.levels if isinstance(encoder, LatencyEncoder) else ()
        draws = isinstance(encoder, Bernoulli)
        kind = PixelMemory if self._raw else SampleBuffer
        m.submodules.buffer = buffer = kind(self._source.size, levels, self._source.pixel_bits)
        n_group = len(buffer.group)
        m.submodules.gate = gate = FeedbackGate(self._n_addresses)
        connect(m, flipped(self.sample_i), buffer.sample_i)
        connect(m, flipped(self.feedback_i), gate.feedback_i)
        m.d.comb += gate.spike_o.ready.eq(1)

        pairs = self.spikes_at_once == 2
        # Finding two spikes takes most of a clock, so a register is between that and the queue that takes them.
        self._sent = sent = self.event_o
        if pairs:
            m.submodules.skid = skid = Skid(self._token)
            connect(m, skid.token_o, flipped(self.event_o))
            self._sent = sent = skid.token_i
        out = sent.payload
        tick = Signal(range(self._n_ticks + 1))
        next_tick = (tick + 1)[: len(tick)]
        begins, restart, taken = Signal(), Signal(), Signal()
        there, over = self._read(m, buffer, restart, taken)
        level, n_scanned = Signal(range(len(levels) + 1)), Signal(range(len(levels) + 1))
        learns, replaying = Signal(), Signal()
        scans: Value = Const(1)
        due: list[Signal] = []
        if levels:
            # In a replay a level is due at once, not at its tick.
            tick_of_level = Array(at for _, at in (*levels, levels[-1]))[level]
            # Whether a level is due is compared when the tick changes, not when it is looked at.
            due = [Signal(name=f"due_{number}") for number in range(len(levels))]
            scans = (level != len(levels)) & (Array([*due, due[-1]])[level] | replaying)
            spikes = Cat(*[buffer.group[place].value == level + 1 for place in range(n_group)])
        elif draws:
            spikes = self._bernoulli(m, buffer, begins, taken, restart)
        else:
            spikes = self._phase(m, buffer, taken, tick == 0)

        # The spikes of the group in hand leave one per clock, or two; the next group follows without a bubble.
        event = self._token.spike_in(out)
        addresses = Signal(data.ArrayLayout(buffer.entry["address"].shape, n_group), reset_less=True)
        in_group = Cat(*[buffer.group[place].address for place in range(n_group)])
        moving = Signal()
        if pairs:
            window = SpikeWindow(m, n_group, len(in_group))
            pending: Value = window.any
            m.d.comb += [window.spikes.eq(spikes), window.info.eq(in_group)]
        else:
            pending = Signal(n_group)
            lowest = pending & (~pending + 1)[:n_group]

        # BEGIN leaves a clock after it is there, which gives the seed its time.
        pieces = self._token.begin_pieces
        n_sent = Signal(range(pieces))
        has_begin = buffer.available if self._raw else there
        had_begin = delayed(m, has_begin, 1, "had_begin")

        def set_tick(value: Value) -> None:
            m.d.sync += tick.eq(value)
            m.d.sync += [flag.eq(value == at) for flag, (_, at) in zip(due, levels, strict=True)]

        with m.FSM():
            with m.State("IDLE"), m.If(has_begin & had_begin):
                width, said = piece_width(pieces), buffer.begin.as_value()
                piece = Array(said[width * k : width * (k + 1)] for k in range(pieces))[n_sent]
                m.d.comb += [sent.valid.eq(1), out.kind.eq(Kind.BEGIN), out.data.eq(piece)]
                with m.If(sent.ready):
                    m.d.sync += n_sent.eq(n_sent + 1)
                with m.If(sent.ready & (n_sent == pieces - 1)):
                    m.d.sync += n_sent.eq(0)
                    m.d.sync += [level.eq(0), replaying.eq(0), learns.eq(buffer.begin.learn)]
                    set_tick(Const(0))
                    m.d.comb += [begins.eq(1), taken.eq(int(not self._raw))]
                    m.next = "DRAW" if draws else "TICK"
            if draws:
                with m.State("DRAW"):
                    m.next = "TICK"
            with m.State("TICK"):
                if pairs:
                    self._show_two(m, window)
                    m.d.comb += moving.eq(window.room)
                else:
                    last_of_group = pending == lowest
                    m.d.comb += moving.eq(sent.ready & last_of_group | (pending == 0))
                    for place in reversed(range(n_group)):
                        with m.If(pending[place]):
                            m.d.comb += event.address.eq(addresses[place])
                with m.If(pending.any()):
                    m.d.comb += [sent.valid.eq(1), out.kind.eq(Kind.SPIKE)]
                    if self._replays:
                        m.d.comb += event.tick.eq(tick_of_level)
                    if not pairs:
                        with m.If(sent.ready):
                            m.d.comb += self.input_spikes.eq(~replaying)
                            m.d.sync += pending.eq(pending & ~lowest)
                with m.If(moving & there & scans):
                    m.d.comb += taken.eq(1)
                    if pairs:
                        m.d.comb += window.loads.eq(1)
                    else:
                        m.d.sync += pending.eq(spikes)
                        for place in range(n_group):
                            m.d.sync += addresses[place].eq(buffer.group[place].address)
                with m.Elif((pending == 0) & (over | ~scans)):
                    ends = Signal()
                    with m.If(replaying):
                        m.d.comb += ends.eq(1)
                        m.next = "END" if len(levels) < 2 else "TICK"
                        with m.If(level + 1 == n_scanned):
                            m.next = "END"
                    with m.Else():
                        m.d.comb += [
                            sent.valid.eq(1),
                            out.kind.eq(Kind.TICK),
                            ends.eq(sent.ready),
                        ]
                        with m.If(sent.ready):
                            m.d.comb += self.ticks.eq(1)
                            m.next = "DECIDE"
                    with m.If(ends & scans):
                        m.d.sync += level.eq(level + bool(levels))
                        m.d.comb += restart.eq(1)
            with m.State("DECIDE"):
                heard = tick >= self._delay
                with m.If((next_tick == self.n_ticks) | (heard & gate.complete & gate.stop)):
                    m.next = "END"
                with m.Elif(~heard | gate.complete):
                    m.d.comb += gate.release.eq(heard)
                    set_tick(next_tick)
                    m.next = "TICK"
            with m.State("END"), m.If(~gate.draining):
                m.d.comb += [sent.valid.eq(1), out.kind.eq(Kind.END)]
                with m.If(sent.ready):
                    if self._listens:
                        m.d.comb += gate.finish.eq(~replaying)
                    m.d.comb += buffer.release.eq(1)
                    m.next = "IDLE"
                    if self._replays:
                        with m.If(learns & ~replaying):
                            m.d.comb += buffer.release.eq(0)
                            m.d.sync += n_scanned.eq(level)
                            m.next = "LISTEN"
            if self._replays:
                # The gate is draining, up to the END that says whether the sample is replayed.
                with m.State("LISTEN"), m.If(~gate.draining):
                    with m.If(gate.replay):
                        m.d.sync += [replaying.eq(1), level.eq(0)]
                        m.next = "TICK"
                        with m.If(n_scanned == 0):
                            m.next = "END"
                    with m.Else():
                        m.d.comb += buffer.release.eq(1)
                        m.next = "IDLE"
        return m

    def _show_two(self, m: Module, window: SpikeWindow) -> None:
        """Show the next spikes of a window, one or two, and take them out of it."""
        token, sent = self._token, self._sent
        out = sent.payload
        shown = (token.spike_in(out).address, token.second_in(out).address)
        for address, (_, place, addresses) in zip(shown, (window.lowest, window.above), strict=True):
            parts = [Mux(bit, addresses.word_select(k, len(address)), 0) for k, bit in enumerate(place)]
            m.d.comb += address.eq(joined(parts))
        second = window.above[0]
        m.d.comb += token.has_second(out).eq(second)
        with m.If(window.any & sent.ready):
            m.d.comb += [window.moves.eq(1), self.input_spikes.eq(1 + second)]

    def _read(
        self, m: Module, buffer: SampleBuffer | PixelMemory, restart: Value, taken: Value
    ) -> tuple[Value, Value]:
        """Read the words of the sample in order, one as another is taken; a restart goes back to the first pixels.

        Return whether a word is there, and whether all have been taken. The address of the word in hand is kept
        in `self.at`.
        """
        if self._raw:
            m.d.comb += [buffer.taken.eq(taken), buffer.restart.eq(restart)]
            self.at = buffer.group[0].address
            return buffer.there, buffer.over
        index, there, fetch = Signal.like(buffer.end), Signal(), Signal()
        self.at = Signal.like(buffer.read_address)
        m.d.comb += [
            fetch.eq(buffer.available & (index != buffer.end) & (taken | ~there)),
            buffer.read_address.eq(index),
            buffer.read_enable.eq(fetch),
        ]
        with m.If(fetch):
            m.d.sync += [there.eq(1), index.eq(index + 1), self.at.eq(index)]
        with m.Elif(taken):
            m.d.sync += there.eq(0)
        with m.If(restart):
            m.d.sync += [there.eq(0), index.eq(buffer.start + 1)]
        with m.If(buffer.release):
            m.d.sync += [there.eq(0), index.eq(buffer.end)]
        return there, ~there & (index == buffer.end)

    def _bernoulli(
        self, m: Module, buffer: SampleBuffer | PixelMemory, begins: Value, taken: Value, restart: Value
    ) -> Value:
        """Return which pixels of the group spike: those greater than their random byte."""
        m.submodules.draws = draws = Generator(salt(self._source.process, STREAM_ENCODER), early_seed=True)
        first_draw = Signal()
        m.d.sync += first_draw.eq(begins)
        pixels = [entry.value for entry in buffer.group]
        draw, used = draws.value, taken
        if self._raw:
            # Four nonzero pixels share a draw, or those that are left at the end of a tick.
            number, counts = Signal(range(4)), taken & (pixels[0] != 0)
            m.d.sync += number.eq(Mux(restart, 0, number + counts))
            draw, used = draw.word_select(number, 8), (counts & (number == 3)) | (restart & (number != 0))
        m.d.comb += [
            draws.seed.eq(buffer.begin.seed),
            draws.load.eq(begins),
            # The draw of the first group is made ready ahead, every other one as its group comes up.
            draws.advance.eq(first_draw | used),
        ]
        return Cat(*[draw.word_select(place, 8) < pixel for place, pixel in enumerate(pixels)])

    def _phase(self, m: Module, buffer: SampleBuffer | PixelMemory, taken: Value, first: Value) -> Value:
        """Return which accumulators of the group carry, and keep what is left of them."""
        m.submodules.phases = store = memory.Memory(
            shape=8 * len(buffer.group), depth=buffer.depth, init=[], attrs=COLLISION_FREE
        )
        write, read = store.write_port(), store.read_port()
        m.d.comb += [
            read.addr.eq(buffer.read_address),
            read.en.eq(buffer.read_enable),
            write.addr.eq(self.at),
            write.en.eq(taken),
        ]
        carries = []
        for place, pixel in enumerate(buffer.group):
            total = Mux(first, start_phase(pixel.address), read.data.word_select(place, 8)) + pixel.value
            m.d.comb += write.data.word_select(place, 8).eq(total[:8])
            carries.append(total[8])
        return Cat(*carries)
