# SPDX-License-Identifier: BSD-2-Clause
"""Samples as 32-bit words, the way a bus brings them."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.bounds import exceeds
from erbium.hdl.bus_map import BusError
from erbium.hdl.registers import RegisterMap
from erbium.hdl.tokens import Begin, Pixel, SampleKind, SampleToken


class SampleBeat(data.StructLayout):
    """A word of a sample, and whether it is the last one; see :class:`erbium.hdl.bus_map.SampleWord`."""

    def __init__(self) -> None:
        super().__init__({"data": 32, "last": 1})


class SampleWords(wiring.Component):
    """Checks the words of a sample and hands the sample to the array.

    A word that is wrong ends its sample: the array gets no ``END`` and forgets it, and the words that follow are
    dropped up to the last one.

    Parameters
    ----------
    registers : RegisterMap
    framed : bool
        The last word of a sample is sure to come, as that of a packet is, even if the sample was dropped meanwhile.

    Members
    -------
    beat_i : In(stream of SampleBeat)
        A word is taken when it has been dealt with.
    error : Out(1), again : Out(1), code : Out
        In the clock in which a word is taken: it was refused; it is the rest of a sample that was refused before; why.
    full : In(1)
        A sample that begins now is refused.
    restart : In(1)
        Drop the sample that has begun; if it is `framed`, with the words of it that are still to come.
    sample_o : Out(stream of SampleToken)
    ending : Out(1)
        The token is an ``END``.
    begins : Out(1), learns : Out(1)
        A sample is in the array; it is learned.

    Notes
    -----
    Three clocks per pixel, and what the array takes for it.
    """

    def __init__(self, registers: RegisterMap, *, framed: bool = False) -> None:
        self._restarted = "SKIP" if framed else "SEED"
        self._n_inputs, self._n_classes = registers.n_inputs, registers.n_classes
        super().__init__(
            {
                "beat_i": In(stream.Signature(SampleBeat())),
                "error": Out(1),
                "again": Out(1),
                "code": Out(range(max(BusError) + 1)),
                "full": In(1),
                "restart": In(1),
                "sample_o": Out(stream.Signature(SampleToken())),
                "ending": Out(1),
                "begins": Out(1),
                "learns": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat, word, last = self.beat_i, self.beat_i.payload.data, self.beat_i.payload.last
        out = self.sample_o
        seed, code = Signal(32), Signal.like(self.code)
        least = Signal(range(self._n_inputs + 1))
        in_header = Signal()
        begin = data.View(Begin(), out.payload.data)
        pixel = data.View(Pixel(), out.payload.data[: Pixel().size])
        m.d.comb += self.code.eq(code)

        def refuse(why: BusError) -> None:
            m.d.comb += [beat.ready.eq(1), self.error.eq(1), self.code.eq(why)]
            m.d.sync += code.eq(why)
            m.next = "SKIP"
            with m.If(last):
                m.next = "SEED"

        def after_token() -> None:
            with m.If(out.ready):
                with m.If(last):
                    m.next = "END"
                with m.Else():
                    m.d.comb += beat.ready.eq(1)
                    m.next = "WORD"
            with m.If(self.restart):
                m.next = self._restarted

        with m.FSM():
            with m.State("SEED"):
                m.d.sync += [in_header.eq(1), least.eq(0), code.eq(BusError.OUT_OF_TURN)]
                with m.If(beat.valid & ~self.restart):
                    m.d.sync += seed.eq(word)
                    with m.If(self.full):
                        refuse(BusError.BUSY)
                    with m.Elif(last):
                        refuse(BusError.BAD_LENGTH)
                    with m.Else():
                        m.d.comb += beat.ready.eq(1)
                        m.next = "WORD"
            with m.State("WORD"):
                with m.If(beat.valid):
                    with m.If(in_header):
                        m.d.sync += self.learns.eq(word[8])
                        with m.If(word[9:].any()):
                            refuse(BusError.BAD_FORMAT)
                        with m.Elif(exceeds(word[:8], self._n_classes - 1)):
                            refuse(BusError.BAD_LABEL)
                        with m.Else():
                            m.next = "BEGIN"
                    with m.Elif(self._wrong_pixel(word, least)):
                        refuse(BusError.BAD_EVENT)
                    with m.Else():
                        m.next = "PIXEL"
                with m.If(self.restart):
                    m.d.comb += [beat.ready.eq(0), self.error.eq(0)]
                    m.next = self._restarted
            with m.State("BEGIN"):
                m.d.comb += [
                    out.valid.eq(1),
                    out.payload.kind.eq(SampleKind.BEGIN),
                    begin.seed.eq(seed),
                    begin.label.eq(word),
                    begin.learn.eq(self.learns),
                ]
                m.d.sync += in_header.eq(0)
                after_token()
            with m.State("PIXEL"):
                m.d.comb += [
                    out.valid.eq(1),
                    out.payload.kind.eq(SampleKind.PIXEL),
                    pixel.value.eq(word),
                    pixel.address.eq(word[8:]),
                ]
                m.d.sync += least.eq(word[8:24] + 1)
                after_token()
            with m.State("END"):
                m.d.comb += [out.valid.eq(1), out.payload.kind.eq(SampleKind.END), self.ending.eq(1)]
                with m.If(self.restart):
                    m.next = self._restarted
                with m.Elif(out.ready):
                    m.d.comb += [beat.ready.eq(1), self.begins.eq(1)]
                    m.next = "SEED"
            with m.State("SKIP"):
                m.d.comb += [beat.ready.eq(1), self.error.eq(1), self.again.eq(1)]
                with m.If(beat.valid & last):
                    m.next = "SEED"
                with m.If(self.restart):
                    m.next = self._restarted
        return m

    def _wrong_pixel(self, word: Value, least: Value) -> Value:
        """Return whether a word is no pixel of this input, or comes before one that was there."""
        address = word[8:24]
        return word[24:].any() | exceeds(address, self._n_inputs - 1) | (address < least)
