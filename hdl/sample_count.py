# SPDX-License-Identifier: BSD-2-Clause
"""Says when a sample is over, where nothing is read out."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.tokens import NO_ANSWER, EventToken, Kind, Result


class SampleCount(wiring.Component):
    """Counts the ticks of each sample on an event channel.

    Parameters
    ----------
    token : EventToken
        Of the channel.

    Members
    -------
    event_i : In(stream of EventToken)
    result_o : Out(stream of Result)
        One per sample, a clock after its ``END``: no answer, its ticks. Until it is taken no other sample begins.
    samples : Out(1)
        A sample ends in this clock.

    Notes
    -----
    One token per clock.
    """

    def __init__(self, token: EventToken) -> None:
        super().__init__(
            {
                "event_i": In(stream.Signature(token)),
                "result_o": Out(stream.Signature(Result())),
                "samples": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        kind = self.event_i.payload.kind
        tick = Signal(16)
        result = self.result_o.payload
        m.d.comb += [
            result.answer.eq(NO_ANSWER),
            result.ticks.eq(tick),
            result.ticks_to_decision.eq(tick),
            self.event_i.ready.eq((kind != Kind.BEGIN) | ~self.result_o.valid),
        ]
        with m.If(self.result_o.ready):
            m.d.sync += self.result_o.valid.eq(0)
        with m.If(self.event_i.valid & self.event_i.ready), m.Switch(kind):
            with m.Case(Kind.BEGIN):
                m.d.sync += tick.eq(0)
            with m.Case(Kind.TICK):
                m.d.sync += tick.eq(tick + 1)
            with m.Case(Kind.END):
                m.d.comb += self.samples.eq(1)
                m.d.sync += self.result_o.valid.eq(1)
        return m
