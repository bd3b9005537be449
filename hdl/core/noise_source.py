# SPDX-License-Identifier: BSD-2-Clause
"""Membrane noise for the neurons of a part of a word, ahead of the sweep."""

from amaranth.hdl import Module, Shape, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.neuron_unit import NOISE_WIDTH
from erbium.hdl.rng import jumped, noise_of

UNITS_PER_DRAW = 4
"""The shortest programs with noise take four clocks and more: so many numbers are ready in time."""


class NoiseSource(wiring.Component):
    """Draws a number for each neuron of a part, ascending: the same ones however many units there are.

    Parameters
    ----------
    units : int

    Members
    -------
    load : In(1), seed : In(32)
        The state of the population's generator.
    start : In(1), last_unit : In
        Draw for the neurons of a part, up to this one.
    busy : Out(1)
        From the clock after `start` until all numbers are there.
    state : Out(32)
        After the last draw.
    noise : Out(units x 11 bits, signed)
        Sum of the four bytes of a draw minus 510; stays until the next start.

    Notes
    -----
    One draw per clock for each four units.
    """

    def __init__(self, units: int) -> None:
        self._units = units
        super().__init__(
            {
                "load": In(1),
                "seed": In(32),
                "start": In(1),
                "last_unit": In(4),
                "busy": Out(1),
                "state": Out(32),
                "noise": Out(data.ArrayLayout(Shape(NOISE_WIDTH, signed=True), units)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        draws = max(1, self._units // UNITS_PER_DRAW)
        at, last = Signal(range(self._units + draws)), Signal(4)
        drawing, summed, summing = Signal(), Signal(range(self._units)), Signal()
        m.d.comb += self.busy.eq(drawing | summing)
        # The bytes of a draw are added a clock after it.
        m.d.sync += [summing.eq(drawing), summed.eq(at)]
        with m.If(self.load):
            m.d.sync += self.state.eq(self.seed)
        with m.If(self.start):
            m.d.sync += [at.eq(0), last.eq(self.last_unit), drawing.eq(1)]
        with m.Elif(drawing):
            m.d.sync += [at.eq(at + draws), drawing.eq(at + draws <= last)]
            for ahead in range(draws):
                state = Signal(32, name=f"state_{ahead}")
                m.d.comb += state.eq(jumped(self.state, ahead + 1))
                with m.If(at + ahead <= last):
                    m.d.sync += self.state.eq(state)
        for ahead in range(draws):
            drawn = Signal(32, name=f"drawn_{ahead}", reset_less=True)
            m.d.sync += drawn.eq(jumped(self.state, ahead + 1))
            for unit in range(ahead, self._units, draws):
                with m.If(summing & (summed == unit - ahead)):
                    m.d.sync += self.noise[unit].eq(noise_of(drawn))
        return m
