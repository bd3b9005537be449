# SPDX-License-Identifier: BSD-2-Clause
"""Many wide counters in one small memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.fixed import product
from erbium.hdl.registers import COUNTER_WIDTH

SHORTEST_ROUND = 4
"""Clocks of a round at least: a word is written two clocks after it was read, and then read again."""


class Count(NamedTuple):
    """What one counter counts.

    Members
    -------
    most : largest increment
    spacing : clocks from one increment that is not 0 to the next, at least
    factor : what an increment of 1 adds to the counter
    """

    most: int = 1
    spacing: int = 1
    factor: int = 1


class CounterBank(wiring.Component):
    """Adds up increments that may come in every clock, for all counters at once.

    Each counter gathers its increments in a few bits. These are added to its word in the memory by turns, one
    counter per clock, and so often that the few bits are enough.

    Parameters
    ----------
    counts : sequence of Count

    Members
    -------
    increment_0, increment_1, ... : In
        What the counters are to be increased by in this clock, 0 while not `ready`.
    ready : Out(1)
        0 for one round after a reset, while the memory is cleared.
    counter_i : In(stream of int8)
        Number of a counter. If there is none of that number, some counter is answered.
    counter_o : Out(stream of int48)
        One answer for each request: all increments up to the request and perhaps later ones, modulo 2^48.

    Attributes
    ----------
    round : int
        Clocks of a round: as many as there are counters, at least 4.

    Notes
    -----
    Latency from a request to its answer: up to two rounds and 2 clocks. One request at a time.
    """

    def __init__(self, counts: Sequence[Count]) -> None:
        self._counts = tuple(counts)
        self.round = max(len(self._counts), SHORTEST_ROUND)
        members = {f"increment_{k}": In(range(count.most + 1)) for k, count in enumerate(self._counts)}
        super().__init__(
            members
            | {
                "ready": Out(1),
                "counter_i": In(stream.Signature(8)),
                "counter_o": Out(stream.Signature(COUNTER_WIDTH)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = store = memory.Memory(shape=COUNTER_WIDTH, depth=self.round, init=[])
        write, read, answer = store.write_port(), store.read_port(), store.read_port()

        turn = Signal(range(self.round))
        last = turn == self.round - 1
        m.d.sync += turn.eq(turn + 1)
        with m.If(last):
            m.d.sync += [turn.eq(0), self.ready.eq(1)]

        gathered = [self._gather(m, k, count, turn) for k, count in enumerate(self._counts)]
        taken = Signal(max(len(value) for value in gathered))
        with m.Switch(turn):
            for number, value in enumerate(gathered):
                with m.Case(number):
                    m.d.sync += taken.eq(value)
            with m.Default():
                m.d.sync += taken.eq(0)

        # The word of a turn is read in its clock, added to in the next one, and written in the one behind that.
        total = Signal(COUNTER_WIDTH)
        turns, ready = [turn], self.ready
        for clock in (1, 2):
            turns.append(Signal.like(turn, name=f"turn_{clock}"))
            m.d.sync += turns[clock].eq(turns[clock - 1])
        counted = Signal()
        m.d.sync += [counted.eq(ready), total.eq(read.data + taken)]
        with m.If(~counted):
            m.d.sync += total.eq(0)
        m.d.comb += [
            read.addr.eq(turn),
            write.addr.eq(turns[2]),
            write.data.eq(total),
            write.en.eq(1),
        ]
        self._answer(m, turn, answer)
        return m

    def _gather(self, m: Module, number: int, count: Count, turn: Signal) -> Value:
        """Gather the increments of one counter between two of its turns; return what they add to it."""
        often = -(-self.round // count.spacing)
        value = Signal(range(often * count.most + 1), name=f"gathered_{number}")
        increment = getattr(self, f"increment_{number}")
        with m.If(turn == number):
            m.d.sync += value.eq(increment)
        with m.Else():
            m.d.sync += value.eq(value + increment)
        return product(value, count.factor).as_unsigned()

    def _answer(self, m: Module, turn: Signal, port: memory.ReadPort) -> None:
        """Answer with the word that the second turn finds: the first one has brought it up to date."""
        number = self.counter_i.payload
        due, second = Signal(), Signal()
        m.d.comb += [
            due.eq(
                self.counter_i.valid & ~self.counter_o.valid & ((turn == number) | (number >= self.round))
            ),
            port.addr.eq(turn),
            port.en.eq(due & second),
            self.counter_i.ready.eq(port.en),
            self.counter_o.payload.eq(port.data),
        ]
        with m.If(due):
            m.d.sync += second.eq(~second)
        with m.If(port.en):
            m.d.sync += self.counter_o.valid.eq(1)
        with m.Elif(self.counter_o.ready):
            m.d.sync += self.counter_o.valid.eq(0)
