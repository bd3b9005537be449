# SPDX-License-Identifier: BSD-2-Clause
"""What a first-spike layer remembers of the spikes that it received: enough to learn from them later."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from erbium.hdl.marks import COLLISION_FREE


class CausalFifo(wiring.Component):
    """Presynaptic spikes of a sample in order: neuron and tick.

    A presynaptic neuron spikes once, so there is room for all of them and nothing is ever lost.

    Parameters
    ----------
    n_inputs : int
        Presynaptic neurons.
    n_ticks : int
        Longest sample.

    Members
    -------
    clear : In(1)
        Forget everything; nothing else may happen in the same clock.
    push : In(1), row, tick : In
        A presynaptic neuron and the tick of its spike are remembered.
    available : Out(1), row_o, tick_o : Out, next_row : In(1)
        The oldest spike; `next_row` goes to the next one.

    Notes
    -----
    One spike in and one out per clock. A spike can be read 2 clocks after it was pushed.
    """

    def __init__(self, n_inputs: int, n_ticks: int) -> None:
        self._room = n_inputs
        row, tick = range(max(n_inputs, 2)), bits_for(n_ticks)
        super().__init__(
            {
                "clear": In(1),
                "push": In(1),
                "row": In(row),
                "tick": In(tick),
                "available": Out(1),
                "row_o": Out(row),
                "tick_o": Out(tick),
                "next_row": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spike, there = Cat(self.row, self.tick), self.available
        m.submodules.rows = store = memory.Memory(
            shape=len(spike), depth=max(self._room, 2), init=[], attrs=COLLISION_FREE
        )
        write, read = store.write_port(), store.read_port()
        # The places never come around.
        end, at = Signal(range(self._room + 1)), Signal(range(self._room + 1))
        m.d.comb += [
            write.addr.eq(end),
            write.data.eq(spike),
            write.en.eq(self.push),
            read.addr.eq(at),
            read.en.eq((at != end) & (~there | self.next_row)),
            Cat(self.row_o, self.tick_o).eq(read.data),
        ]
        m.d.sync += [end.eq(end + self.push), at.eq(at + read.en)]
        with m.If(read.en):
            m.d.sync += there.eq(1)
        with m.Elif(self.next_row):
            m.d.sync += there.eq(0)
        with m.If(self.clear):
            m.d.sync += [end.eq(0), at.eq(0), there.eq(0)]
        return m
