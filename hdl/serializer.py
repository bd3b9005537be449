# SPDX-License-Identifier: BSD-2-Clause
"""Turns sweeps, a word of spikes each, into single spike events."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.tokens import ADDRESS_WIDTH, EventToken, Kind, SweepToken

CHUNK = 16
"""Lanes among which the place of a spike is looked for; the chunk is chosen beside it."""


class SpikeSerializer(wiring.Component):
    """Sends the spikes of a population in ascending order.

    Parameters
    ----------
    lanes : int

    Members
    -------
    sweep_i : In(stream of SweepToken)
    event_o : Out(stream of EventToken)
    spikes : Out(1)
        A spike leaves in this clock.

    Notes
    -----
    A word with n spikes takes ``max(n, 1)`` clocks, other tokens one. Latency one clock.
    """

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        super().__init__(
            {
                "sweep_i": In(stream.Signature(SweepToken(lanes, False))),
                "event_o": Out(stream.Signature(EventToken())),
                "spikes": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        token, out = self.sweep_i.payload, self.event_o.payload
        pending = Signal(self._lanes)
        base = Signal(ADDRESS_WIDTH)
        # The lowest spike is looked for in two steps: the first chunk that has one, and the place in the chunk.
        chunk, offset, place = Signal(CHUNK), Signal(range(self._lanes)), Signal(range(CHUNK))
        for start in reversed(range(0, self._lanes, CHUNK)):
            part = pending[start : start + CHUNK]
            with m.If(part.any()):
                m.d.comb += [chunk.eq(part), offset.eq(start)]
        for bit in reversed(range(CHUNK)):
            with m.If(chunk[bit]):
                m.d.comb += place.eq(bit)
        # Clearing the lowest set bit: x & (x - 1).
        rest = pending & (pending - 1)[: self._lanes]

        with m.If(pending.any()):
            m.d.comb += [
                self.event_o.valid.eq(1),
                out.kind.eq(Kind.SPIKE),
                out.data.eq((base + offset + place)[:ADDRESS_WIDTH]),
            ]
            with m.If(self.event_o.ready):
                m.d.comb += self.spikes.eq(1)
                m.d.sync += pending.eq(rest)
        with m.If((token.kind == Kind.SPIKE) & ((pending == 0) | self.event_o.ready & (rest == 0))):
            # The next word follows the last spike of this one without a bubble.
            m.d.comb += self.sweep_i.ready.eq(1)
            m.d.sync += [pending.eq(Mux(self.sweep_i.valid, token.spikes, 0)), base.eq(token.data)]
        with m.Elif((token.kind != Kind.SPIKE) & (pending == 0)):
            m.d.comb += [
                self.event_o.valid.eq(self.sweep_i.valid),
                self.sweep_i.ready.eq(self.event_o.ready),
                out.kind.eq(token.kind),
                out.data.eq(token.data),
            ]
        return m
