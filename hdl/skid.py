# SPDX-License-Identifier: BSD-2-Clause
"""A register in a stream, and a spare one for what comes while it waits."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class Skid(wiring.Component):
    """Cuts every path of a stream in two, that of the tokens and that of who is ready for them.

    Parameters
    ----------
    shape : ShapeLike
        Of a token.

    Members
    -------
    token_i : In(stream), token_o : Out(stream)
        `ready` of the one and all of the other come out of registers.

    Notes
    -----
    One token per clock, latency one clock. It holds two tokens.
    """

    def __init__(self, shape) -> None:
        signature = stream.Signature(shape)
        super().__init__({"token_i": In(signature), "token_o": Out(signature)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        token, out = Value.cast(self.token_i.payload), self.token_o
        shown, spare = Signal(len(token), reset_less=True), Signal(len(token), reset_less=True)
        waits = Signal()
        m.d.comb += [self.token_i.ready.eq(~waits), Value.cast(out.payload).eq(shown)]
        with m.If(~out.valid | out.ready):
            m.d.sync += [
                out.valid.eq(self.token_i.valid | waits),
                shown.eq(Mux(waits, spare, token)),
                waits.eq(0),
            ]
        with m.Else():
            m.d.sync += waits.eq(self.token_i.valid | waits)
        with m.If(~waits):
            m.d.sync += spare.eq(token)
        return m
