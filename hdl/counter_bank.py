# SPDX-License-Identifier: BSD-2-Clause
"""Many wide counters in one small memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.fixed import delayed, product
from erbium.hdl.marks import COLLISION_FREE
from erbium.hdl.registers import COUNTER_WIDTH

PIECE_WIDTH = 16
"""Bits of a counter that are added to at once."""

PIECES = -(-COUNTER_WIDTH // PIECE_WIDTH)


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

    Each counter gathers its increments in a few bits. These are added to its words in the memory by turns, a piece of
    16 bits per clock and the carry with the next one, and so often that the few bits are enough.

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
        Clocks of a round: three for each counter.

    Notes
    -----
    Latency from a request to its answer: up to two rounds and 5 clocks. One request at a time.
    """

    def __init__(self, counts: Sequence[Count]) -> None:
        self._counts = tuple(counts)
        self.round = PIECES * len(self._counts)
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
        n_counts = len(self._counts)
        number, piece = Signal(range(n_counts)), Signal(range(PIECES))
        m.submodules.memory = store = memory.Memory(
            shape=PIECE_WIDTH, depth=n_counts * 4, init=[], attrs=COLLISION_FREE
        )
        write, read = store.write_port(), store.read_port()

        first, last = Signal(init=1), Signal()
        m.d.comb += last.eq(piece == PIECES - 1)
        m.d.sync += [piece.eq(piece + 1), first.eq(last)]
        with m.If(last):
            m.d.sync += [piece.eq(0), number.eq(number + 1)]
            with m.If(number == n_counts - 1):
                m.d.sync += [number.eq(0), self.ready.eq(1)]

        gathered = [self._gather(m, k, count, first & (number == k)) for k, count in enumerate(self._counts)]
        # What a turn adds: its lowest piece, and a carry of the piece before.
        taken = Signal(max(PIECE_WIDTH, *(len(value) for value in gathered)))
        m.d.sync += taken.eq(taken >> PIECE_WIDTH)
        with m.If(first), m.Switch(number):
            for k, value in enumerate(gathered):
                with m.Case(k):
                    m.d.sync += taken.eq(value)

        # A piece is read in its clock, added to in the next one, and written in the one behind that.
        place = Cat(piece, number)
        total, carry = Signal(PIECE_WIDTH), Signal()
        carries = delayed(m, ~first, 1, "carries") & carry
        counted = delayed(m, self.ready, 1, "counted")
        # One adder, which takes the carry as its lowest bit.
        sum_of_piece = (Cat(carries, read.data) + Cat(carries, taken[:PIECE_WIDTH]))[1:]
        m.d.sync += Cat(total, carry).eq(Mux(counted, sum_of_piece, 0))
        m.d.comb += [
            read.addr.eq(place),
            write.addr.eq(delayed(m, place, 2, "place", cleared=False)),
            write.data.eq(total),
            write.en.eq(1),
        ]
        self._answer(m, first, number, read.data)
        return m

    def _gather(self, m: Module, number: int, count: Count, here: Value) -> Value:
        """Gather the increments of one counter up to its turn; return what they add to it."""
        often = -(-self.round // count.spacing)
        port = getattr(self, f"increment_{number}")
        increment = delayed(m, port, 1, f"increment_{number}")
        value = Signal(range(often * count.most + 1), name=f"gathered_{number}")
        total = Signal.like(value, name=f"total_{number}")
        m.d.comb += total.eq(value + increment)
        m.d.sync += value.eq(total)
        # What comes in this clock is for the next turn: so the sum goes to its register only, and both are one cell.
        with m.If(here):
            m.d.sync += value.eq(increment)
        return product(value, count.factor).as_unsigned()

    def _answer(self, m: Module, first: Value, number: Value, data: Value) -> None:
        """Answer with what the second turn finds: the first one has brought it up to date."""
        asked = self.counter_i.payload
        due, second, waits = Signal(), Signal(), Signal()
        # What came in the clock before the request has been gathered in the next one.
        m.d.sync += waits.eq(self.counter_i.valid & ~self.counter_i.ready)
        m.d.comb += [
            due.eq(
                (self.counter_i.valid & waits & ~self.counter_o.valid & first)
                & ((number == asked) | (asked >= len(self._counts)))
            ),
            self.counter_i.ready.eq(due & second),
        ]
        with m.If(due):
            m.d.sync += second.eq(~second)
        # The pieces come in the three clocks behind.
        comes = Signal(PIECES)
        m.d.sync += comes.eq(Cat(self.counter_i.ready, comes))
        with m.If(comes.any()):
            m.d.sync += self.counter_o.payload.eq(Cat(self.counter_o.payload, data)[PIECE_WIDTH:])
        with m.If(comes[-1]):
            m.d.sync += self.counter_o.valid.eq(1)
        with m.Elif(self.counter_o.ready):
            m.d.sync += self.counter_o.valid.eq(0)
