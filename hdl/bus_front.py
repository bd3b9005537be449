# SPDX-License-Identifier: BSD-2-Clause
"""What a bus sees of the array: one access after the other, each answered with data or with an error."""

from __future__ import annotations

from collections.abc import Callable

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import bits_for

from erbium.hdl.bus_map import BusError, BusMap
from erbium.hdl.bus_place import Place, WeightCursor, place_of
from erbium.hdl.csr import RESULTS, WEIGHTS, CsrBlock, Handshake, array_side, result_address
from erbium.hdl.registers import HISTORY, WORD_BYTES, RegisterMap
from erbium.hdl.sample_words import SampleBeat, SampleWords
from erbium.hdl.tokens import AccessKind, SampleToken

MOST_SAMPLES = 2
"""Samples in the array, one that is processed and one that waits; a bus is not kept waiting for a third one."""


class BusAccess(wiring.Signature):
    """One access: `valid` and all that goes with it stay until `ack`, which comes with `data` and `error`.

    Parameters
    ----------
    address_bits : int
        Of a byte address.
    """

    def __init__(self, address_bits: int) -> None:
        super().__init__(
            {
                "valid": Out(1),
                "write": Out(1),
                "address": Out(address_bits),
                "value": Out(32),
                "strobes": Out(4),
                "ack": In(1),
                "error": In(1),
                "data": In(32),
            }
        )


class BusFront(wiring.Component):
    """Checks accesses and carries them out at a :class:`erbium.hdl.csr.CsrBlock`; takes samples and keeps results.

    What is refused changes nothing but the registers ``last_error`` and ``refused``.

    Parameters
    ----------
    registers : RegisterMap
    streams : bool
        Samples come on a stream of their own, and results leave on one, in place of the window ``samples``.

    Members
    -------
    bus_i : In(BusAccess)
        Accesses of 32 bits: all strobes of a write, addresses that divide by four.
    beat_i : In(stream of SampleBeat)
        With `streams`: words of samples, the last one marked. A sample that is refused leaves a note in
        ``last_error`` and ``refused``.
    word_o : Out(stream of SampleBeat)
        With `streams`: two words per result, as the window ``results`` has them. Nothing else happens in the array
        until they are taken.
    Others as in :class:`erbium.hdl.host_link.MessageLink`.

    Notes
    -----
    Weights are read and written by their place, best in order: a read elsewhere seeks its row and passes over the
    weights before it, some 6 clocks each. A row is written whole, weight by weight from its first; a write that
    is not the next one of its row is refused. Clocks of an access, that of `ack` included: 4 to read a register or
    result, 3 to write one, some 8 for the next weight, for a counter two rounds of
    :class:`erbium.hdl.counter_bank.CounterBank` more at most, and for a pixel what the array takes for it.
    """

    def __init__(self, registers: RegisterMap, *, streams: bool = False) -> None:
        self._registers, self._streams = registers, streams
        self.map = BusMap(registers)
        members: dict[str, wiring.Member] = {"bus_i": In(BusAccess(self.map.address_bits))}
        if streams:
            members["beat_i"] = In(stream.Signature(SampleBeat()))
            members["word_o"] = Out(stream.Signature(SampleBeat()))
        super().__init__(members | array_side(registers))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.csr = csr = CsrBlock(self._registers, WORD_BYTES, BusError)
        m.submodules.words = words = SampleWords(self._registers, framed=self._streams)
        m.submodules.samples = samples = Handshake(SampleToken())
        connect(m, samples.token_o, flipped(self.sample_o))
        csr.pass_on(m, self)
        m.d.comb += [words.restart.eq(csr.array_reset), csr.begins.eq(words.begins)]

        # Weights and samples keep out of each other's way: an END waits while weights are on their way.
        moving, settled = Signal(), Signal(init=1)
        token, held = words.sample_o, words.ending & (moving | ~settled)
        m.d.comb += [
            samples.token_i.payload.eq(token.payload),
            samples.token_i.valid.eq(token.valid & ~held),
            token.ready.eq(samples.token_i.ready & ~held),
        ]
        place = place_of(m, self.map, self.bus_i, with_samples=not self._streams)
        m.d.comb += [
            csr.entry.eq(place.entry),
            csr.place.eq(place.column[0]),
            csr.select.eq(1),
            csr.value.eq(self.bus_i.value),
        ]
        self._results(m, csr)
        self._accesses(m, csr, words, place, moving, settled)
        return m

    def _results(self, m: Module, csr: CsrBlock) -> None:
        """Keep each result, and send it if there is a stream for it."""
        result = self.result_i.payload
        second = Signal()
        # As the window has it: answer, an empty byte, ticks; ticks to decision, and two empty bytes.
        word = Mux(second, result.ticks_to_decision, Cat(result.answer, Const(0, 8), result.ticks))
        kept = Const(1)
        if self._streams:
            out = self.word_o
            m.d.comb += [
                out.valid.eq(self.result_i.valid),
                out.payload.data.eq(word),
                out.payload.last.eq(second),
            ]
            kept = out.ready
        m.d.comb += [
            csr.keep.eq(self.result_i.valid),
            csr.keep_address.eq(result_address(csr.turns_done, second, WORD_BYTES)),
            csr.keep_data.eq(word),
            self.result_i.ready.eq(kept & second),
            csr.ends.eq(self.result_i.valid & self.result_i.ready),
        ]
        with m.If(self.result_i.valid & kept):
            m.d.sync += second.eq(~second)
        with m.If(csr.array_reset):
            m.d.sync += second.eq(0)

    def _accesses(
        self, m: Module, csr: CsrBlock, words: SampleWords, place: Place, moving: Signal, settled: Signal
    ) -> None:
        """Answer one access after the other."""
        bus, weight = self.bus_i, csr.weight_i
        code, refused = Signal(range(max(BusError) + 1)), Signal()
        quiet, is_weight = Signal(), Signal()
        under_way = (csr.next_turn - csr.turns_done)[: bits_for(HISTORY)]
        m.d.comb += [
            quiet.eq(self.idle & ~words.ending),
            is_weight.eq(place.window >= WEIGHTS),
            words.full.eq(0 if self._streams else under_way >= MOST_SAMPLES),
        ]
        at = WeightCursor(m, place)
        m.d.comb += csr.window.eq(place.window)

        def refuse(why: BusError | Value) -> None:
            m.d.comb += refused.eq(1)
            m.d.sync += [code.eq(why), bus.error.eq(1)]
            m.next = "ANSWER"

        with m.FSM():
            with m.State("REST"):
                m.d.sync += [bus.error.eq(0), bus.data.eq(0)]
                with m.If(words.ending & ~settled):
                    m.next = "SETTLE"
                with m.Elif(bus.valid):
                    m.next = "CHECK"
            with m.State("CHECK"):
                with m.If(~place.known):
                    refuse(BusError.OUT_OF_WINDOW)
                with m.Elif(~place.whole):
                    refuse(BusError.BAD_LENGTH)
                if not self._streams:
                    with m.Elif(place.samples):
                        with m.If(~bus.write):
                            refuse(BusError.UNKNOWN_REQUEST)
                        with m.Elif(place.column[0] & ~settled):
                            m.next = "MAKE_WAY"
                        with m.Else():
                            m.next = "SAMPLE"
                with m.Elif(is_weight):
                    self._check_weight(m, place, at, quiet, settled, refuse)
                with m.Elif(~bus.write):
                    m.next = "READ"
                with m.Elif((place.window == RESULTS) | ~csr.writable):
                    refuse(BusError.READ_ONLY)
                with m.Elif(~csr.fits):
                    refuse(BusError.BAD_VALUE)
                with m.Elif(csr.waits & ~quiet):
                    refuse(BusError.BUSY)
                with m.Else():
                    m.d.comb += csr.write.eq(1)
                    m.next = "ANSWER"
            with m.State("READ"):
                m.d.comb += [csr.read.eq(1), moving.eq(is_weight)]
                m.d.sync += bus.data.eq(csr.data_o)
                with m.If(csr.ack & is_weight & ~at.is_here):
                    # One of those before it.
                    at.skip(m)
                    m.next = "NEXT"
                with m.Elif(csr.ack):
                    with m.If(is_weight):
                        at.advance(m)
                    m.next = "ANSWER"
            with m.State("NEXT"):
                m.d.comb += moving.eq(1)
                m.next = "READ"
            with m.State("SEEK"):
                m.d.comb += [moving.eq(1), weight.valid.eq(1), weight.payload.kind.eq(AccessKind.SEEK)]
                m.d.comb += weight.payload.data.eq(place.entry)
                with m.If(weight.ready):
                    at.seek(m)
                    m.next = "READ"
                    with m.If(bus.write):
                        m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += [moving.eq(1), weight.valid.eq(1), weight.payload.kind.eq(AccessKind.WRITE)]
                m.d.comb += weight.payload.data.eq(bus.value)
                with m.If(weight.ready):
                    at.advance(m)
                    m.d.sync += [at.writing.eq(1), settled.eq(0)]
                    m.next = "ANSWER"
                    with m.If(place.last_column):
                        m.next = "FLUSH"
            # Another SEEK waits until the last weight is in its memory, and gives up a row that is not whole.
            for state, following in (
                ("FLUSH", "ANSWER"),
                ("LEAVE", "CHECK"),
                ("SETTLE", "REST"),
                ("MAKE_WAY", "SAMPLE"),
            ):
                if self._streams and state == "MAKE_WAY":
                    continue
                with m.State(state):
                    m.d.comb += [
                        moving.eq(1),
                        csr.window.eq(at.window),
                        weight.valid.eq(1),
                        weight.payload.kind.eq(AccessKind.SEEK),
                        weight.payload.data.eq(at.entry),
                    ]
                    with m.If(weight.ready):
                        m.d.sync += [settled.eq(1), at.writing.eq(0)]
                        if state != "FLUSH":
                            m.d.sync += at.known.eq(0)
                        m.next = following
            if not self._streams:
                with m.State("SAMPLE"):
                    m.d.comb += words.beat_i.valid.eq(1)
                    with m.If(words.beat_i.ready & words.error):
                        refuse(words.code)
                    with m.Elif(words.beat_i.ready):
                        m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += bus.ack.eq(1)
                m.next = "REST"
        with m.If(~self.idle | csr.array_reset):
            # What was read or written halfway is no longer what is there.
            m.d.sync += at.known.eq(0)
        with m.If(csr.array_reset):
            m.d.sync += settled.eq(1)
        self._refuse(m, csr, words, refused, code)
        if not self._streams:
            m.d.comb += [
                words.beat_i.payload.data.eq(bus.value),
                words.beat_i.payload.last.eq(place.column[0]),
            ]

    def _check_weight(
        self,
        m: Module,
        place: Place,
        at: WeightCursor,
        quiet: Value,
        settled: Value,
        refuse: Callable[[BusError], None],
    ) -> None:
        """Check an access to a weight, and say what comes first."""
        bus = self.bus_i
        fits = Signal()
        with m.Switch(place.window):
            for number, population in enumerate(self._registers.populations):
                with m.Case(WEIGHTS + number):
                    sign = population.weight_width - 1
                    upper = bus.value[sign:]
                    # A range that is symmetric lacks the lowest number.
                    symmetric = population.weight_min > -(1 << sign)
                    lowest = upper.all() & ~bus.value[:sign].any() if symmetric else Const(0)
                    m.d.comb += fits.eq((upper.all() | ~upper.any()) & ~lowest)
        begins = place.column == 0
        with m.If(~quiet):
            refuse(BusError.BUSY)
        with m.Elif(bus.write & ~fits):
            refuse(BusError.BAD_VALUE)
        with m.Elif(bus.write & ~begins & ~(at.is_next & at.writing)):
            refuse(BusError.OUT_OF_TURN)
        with m.Elif(at.is_next & (at.writing == bus.write) | at.is_next & begins & bus.write):
            m.next = "READ"
            with m.If(bus.write):
                m.next = "WRITE"
        with m.Elif(~settled & (at.window != place.window)):
            m.next = "LEAVE"
        with m.Else():
            m.next = "SEEK"

    def _refuse(self, m: Module, csr: CsrBlock, words: SampleWords, refused: Signal, code: Signal) -> None:
        """Note what was refused, on the bus or on the stream of samples; the latter waits for the former."""
        notes = Signal()
        m.d.sync += notes.eq(refused)
        m.d.comb += [csr.refuse.eq(notes), csr.code.eq(code)]
        if not self._streams:
            return
        connect(m, flipped(self.beat_i), words.beat_i)
        beat_code, waits = Signal.like(code), Signal()
        with m.If(~notes):
            m.d.sync += waits.eq(0)
            m.d.comb += [csr.refuse.eq(waits), csr.code.eq(beat_code)]
        with m.If(self.beat_i.valid & self.beat_i.ready & words.error & ~words.again):
            m.d.sync += [waits.eq(1), beat_code.eq(words.code)]
