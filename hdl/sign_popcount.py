# SPDX-License-Identifier: BSD-2-Clause
"""Hidden errors of the first-spike learner: two popcounts and a comparison."""

from __future__ import annotations

from amaranth.hdl import Module, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from erbium.hdl.fixed import delayed, total_of
from erbium.hdl.tokens import ADDRESS_WIDTH

GROUP = 16
"""Votes that are counted in one clock."""

LATENCY = 4


class SignPopcount(wiring.Component):
    """Forms the plasticity word of a presynaptic neuron from those of the neurons that it reaches.

    ``later = popcount(causal & (L & ~negative | E & negative))`` and
    ``earlier = popcount(causal & (L & negative | E & ~negative))``, with L and E the masks of the postsynaptic
    neurons that are to spike later and earlier. The neuron is to spike later if more votes say so, earlier if
    fewer do, and is left alone if as many do. The votes of a row come a word at a time, for any number of words.

    Parameters
    ----------
    n_neurons, lanes : int
        Postsynaptic neurons, and those of one word.

    Members
    -------
    valid, first, last : In(1)
        A word is there; it is the first or the last one of its row.
    address : In(16)
        The presynaptic neuron.
    later, earlier, negative, causal : In(lanes)
        L, E, the sign bits of the weights, and the neurons that had not spiked before the presynaptic one.
    valid_o : Out(1)
        The row is counted.
    address_o : Out(16), later_o, earlier_o : Out(1)
        The neuron and which count was larger; neither if they are equal.

    Notes
    -----
    Latency 4 clocks from the last word, one word per clock, no stall. Source: Mostafa, *Fast classification
    using sparsely active spiking networks*, ISCAS 2017, last two slides.
    """

    def __init__(self, n_neurons: int, lanes: int) -> None:
        self._n_neurons, self._lanes = n_neurons, lanes
        super().__init__(
            {
                "valid": In(1),
                "first": In(1),
                "last": In(1),
                "address": In(ADDRESS_WIDTH),
                "later": In(lanes),
                "earlier": In(lanes),
                "negative": In(lanes),
                "causal": In(lanes),
                "valid_o": Out(1),
                "address_o": Out(ADDRESS_WIDTH),
                "later_o": Out(1),
                "earlier_o": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        valid = [self.valid]
        for clock in range(1, LATENCY + 1):
            valid.append(delayed(m, valid[-1], 1, f"valid_{clock}"))
        aligned = self.later & ~self.negative | self.earlier & self.negative
        opposed = self.later & self.negative | self.earlier & ~self.negative
        votes = []
        for name, mask in (("later", aligned), ("earlier", opposed)):
            vote = Signal(self._lanes, name=f"votes_{name}", reset_less=True)
            with m.If(valid[0]):
                m.d.sync += vote.eq(mask & self.causal)
            votes.append(self._count(m, vote, name, valid))
        difference = Signal(Shape(bits_for(self._lanes) + 1, signed=True), reset_less=True)
        with m.If(valid[2]):
            m.d.sync += difference.eq(votes[0] - votes[1])
        total = Signal(Shape(bits_for(self._n_neurons) + 1, signed=True), reset_less=True)
        result = Signal.like(total, name="result")
        first = delayed(m, self.first, 3, "first", cleared=False)
        m.d.comb += result.eq(difference)
        with m.If(~first):
            m.d.comb += result.eq(total + difference)
        with m.If(valid[3]):
            m.d.sync += [total.eq(result), self.later_o.eq(result > 0), self.earlier_o.eq(result < 0)]
        m.d.comb += [
            self.valid_o.eq(valid[4] & delayed(m, self.last, 4, "last", cleared=False)),
            self.address_o.eq(delayed(m, self.address, 4, "address", cleared=False)),
        ]
        return m

    def _count(self, m: Module, votes: Value, name: str, valid: list[Value]) -> Value:
        """Return the number of set bits, counted in groups one clock ahead of their sum."""
        groups = []
        for start in range(0, self._lanes, GROUP):
            part = votes[start : start + GROUP]
            group = Signal(range(len(part) + 1), name=f"{name}_{start}", reset_less=True)
            with m.If(valid[1]):
                m.d.sync += group.eq(total_of(part[bit] for bit in range(len(part))))
            groups.append(group)
        return total_of(groups)
