# SPDX-License-Identifier: BSD-2-Clause
"""Turns sweeps, a word of spikes each, into single spike events."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.tokens import ADDRESS_WIDTH, COUNTER_WIDTH, EventToken, Kind, SweepToken

CHUNK = 16
"""Lanes searched for a spike in one clock."""


class SpikeSerializer(wiring.Component):
    """Sends the spikes of a population in ascending order.

    Parameters
    ----------
    lanes : int

    Members
    -------
    sweep_i : In(stream of SweepToken)
    event_o : Out(stream of EventToken)
    spikes : Out(48)
        Spikes sent.

    Notes
    -----
    A word with n spikes takes n + 1 clocks and one for each chunk of 16 lanes that is left behind on the way
    to its last spike; an empty word takes one. Other tokens take one.
    """

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        super().__init__(
            {
                "sweep_i": In(stream.Signature(SweepToken(lanes, False))),
                "event_o": Out(stream.Signature(EventToken())),
                "spikes": Out(COUNTER_WIDTH),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        token, out = self.sweep_i.payload, self.event_o.payload
        pending = Signal(self._lanes)
        base = Signal(ADDRESS_WIDTH)
        lowest = Signal(range(CHUNK))
        chunk = pending[:CHUNK]
        for bit in reversed(range(len(chunk))):
            with m.If(chunk[bit]):
                m.d.comb += lowest.eq(bit)

        with m.If(pending.any()):
            with m.If(chunk.any()):
                m.d.comb += [
                    self.event_o.valid.eq(1),
                    out.kind.eq(Kind.SPIKE),
                    out.data.eq((base + lowest)[:ADDRESS_WIDTH]),
                ]
                with m.If(self.event_o.ready):
                    # Clearing the lowest set bit: x & (x - 1).
                    m.d.sync += [pending[:CHUNK].eq(chunk & (chunk - 1)), self.spikes.eq(self.spikes + 1)]
            with m.Else():
                m.d.sync += [pending.eq(pending >> CHUNK), base.eq(base + CHUNK)]
        with m.Elif(token.kind == Kind.SPIKE):
            m.d.comb += self.sweep_i.ready.eq(1)
            m.d.sync += [pending.eq(Mux(self.sweep_i.valid, token.spikes, 0)), base.eq(token.data)]
        with m.Else():
            m.d.comb += [
                self.event_o.valid.eq(self.sweep_i.valid),
                self.sweep_i.ready.eq(self.event_o.ready),
                out.kind.eq(token.kind),
                out.data.eq(token.data),
            ]
        return m
