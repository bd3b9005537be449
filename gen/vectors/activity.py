# SPDX-License-Identifier: BSD-2-Clause
"""Says what can be left out in a clock: what is formed of nothing that has changed stays what it is.

Registers and memories are put into *units*, each of which is computed as a whole or not at all. A unit is computed in a
clock if something that it reads has changed in the clock before: another register, a memory, an input. Else it would
do what it did then, with the same operands: registers that it assigned would get the value that they have, those that
it held would be held, and memories would be written with what is there. So the clock is the same without it.

Most of an array stands still in most clocks, so that this is worth more than anything that makes the units themselves
cheaper. It is not done for each register by itself, as what several of them need would then be computed several times,
and as a branch that is taken now and then is dearer than much that is computed for nothing.

That nothing has changed need not be known exactly: a unit that is woken for nothing does once more what it did. So the
lanes of a class count as changed when they are assigned; registers that there are once are compared (`layout`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any

from erbium.gen.netlist.bits import Sig
from erbium.gen.vectors.classes import Operand
from erbium.gen.vectors.graph import READ
from erbium.gen.vectors.guards import Value, Values
from erbium.gen.vectors.text import WORD, number

Source = tuple[str, Any]
"""What can change: a ``"wire"`` (register or input), the lanes of a ``"class"``, its ``"rows"``, or a ``"memory"``."""

CHANGING = 0.01
"""How often something changes, as nothing is known of it; units of many sources are taken to be computed more often."""

OPERATOR, LANES, MEMBER, RUN, TEST = 3, 60, 4, 80, 2
"""Instructions, about: of an operator, of lanes that are read one by one, of a register; of a unit that is computed, of
one that might be."""


class Supports:
    """What values depend on: the sources that they are formed of, and the operators that this takes, as sets of bits.

    Parameters
    ----------
    values : Values
    """

    def __init__(self, values: Values) -> None:
        self.values = values
        self._numbers: dict[Source, int] = {}
        self._sources: list[Source] = []
        self._lanes = 0
        self._known: dict[Value, tuple[int, int]] = {}

    def bit(self, source: Source) -> int:
        """Return the set of one source."""
        if source not in self._numbers:
            self._numbers[source] = len(self._sources)
            self._sources.append(source)
        return 1 << self._numbers[source]

    def listed(self, sources: int) -> list[Source]:
        """Return the sources of a set."""
        return [source for k, source in enumerate(self._sources) if sources >> k & 1]

    def of(self, sigs: Iterable[Sig]) -> tuple[int, int]:
        """Return the sources and the operators of signals."""
        reads = work = 0
        for sig in sigs:
            for value in self.values.of(sig):
                found = self._value(value)
                reads, work = reads | found[0], work | found[1]
            for part in sig:
                computed = part.wire in self.values.cells or part.wire in self.values.classes.place
                if part.wire is not None and not computed:
                    reads |= self.bit(("wire", part.wire))
        return reads, work

    def of_lanes(self, operands: Iterable[Operand]) -> int:
        """Return the sources of operands of lanes."""
        sigs, states = self.values.behind(operands)
        reads = self.of(sigs)[0]
        for state in states:
            reads |= self.bit(("class", state))
        return reads

    def _value(self, start: Value) -> tuple[int, int]:
        stack = [start]
        while stack:
            value = stack[-1]
            sigs = [sig for sig, _ in self.values.operands(value)]
            waiting = [one for sig in sigs for one in self.values.of(sig) if one not in self._known]
            if waiting and value not in self._known:
                stack += waiting
                continue
            stack.pop()
            if value in self._known:
                continue
            reads, work = self.of(sigs)
            if isinstance(value, str):
                cell = self.values.cells[value]
                if cell.kind == READ:
                    reads |= self.bit(("memory", str(cell.parameters["MEMID"])))
            else:
                one = self.values.classes.every[value[1]]
                states = [value[1]] if one.is_state else self.values.behind(one.operands)[1]
                for state in states:
                    reads |= self.bit(("class", state))
            mine = 1 << len(self._known)
            if not isinstance(value, str):
                self._lanes |= mine
            self._known[value] = reads, work | mine
        return self._known[start]

    def cost(self, work: int) -> int:
        """Return how many instructions operators take, about."""
        dear = (work & self._lanes).bit_count()
        return OPERATOR * (work.bit_count() - dear) + LANES * dear


@dataclass
class Unit:
    """What is computed together, or not at all.

    Parameters
    ----------
    reads, writes, work : int
        Sources and operators; see :class:`Supports`.
    members : list
        Whatever the unit consists of.
    """

    reads: int
    writes: int
    work: int
    members: list[Any]

    def touches(self, other: Unit) -> bool:
        """Whether two units have a source in common, or one reads what the other one writes."""
        return bool((self.reads | self.writes) & (other.reads | other.writes))


def shared(units: Sequence[Unit], supports: Supports) -> list[Unit]:
    """Return fewer units, those made one that do more of the same work than it costs to do it more often.

    How often a unit is computed, is taken from how much it reads. A wrong guess costs time and no result.
    """

    def cost(reads: int, work: int, members: int) -> float:
        often = min(1.0, CHANGING * reads.bit_count())
        return often * (supports.cost(work) + MEMBER * members + RUN) + TEST

    def gain(one: Unit, other: Unit) -> float:
        members = len(one.members) + len(other.members)
        together = cost(one.reads | other.reads, one.work | other.work, members)
        return together - sum(cost(unit.reads, unit.work, len(unit.members)) for unit in (one, other))

    left = dict(enumerate(units))
    numbers = count(len(units))
    pairs = [(gain(left[a], left[b]), a, b) for a in left for b in left if a < b and left[a].touches(left[b])]
    waiting = [pair for pair in pairs if pair[0] < 0]
    heapify(waiting)
    while waiting:
        _, a, b = heappop(waiting)
        if a not in left or b not in left:
            continue
        one, other = left.pop(a), left.pop(b)
        joined = Unit(
            one.reads | other.reads,
            one.writes | other.writes,
            one.work | other.work,
            one.members + other.members,
        )
        fresh = next(numbers)
        for k, unit in left.items():
            if unit.touches(joined) and (less := gain(unit, joined)) < 0:
                heappush(waiting, (less, k, fresh))
        left[fresh] = joined
    return list(left.values())


class Wakes:
    """Which units a change wakes, as words of bits.

    Parameters
    ----------
    supports : Supports
    steps, outputs : sequence of int
        What each unit of a clock reads, and each unit of outputs; these begin a word of their own.

    Attributes
    ----------
    n_steps, n_words : int
        Words of the units of a clock, and of all.
    """

    def __init__(self, supports: Supports, steps: Sequence[int], outputs: Sequence[int]) -> None:
        self._supports = supports
        self.n_steps = -(-len(steps) // WORD)
        self.n_words = self.n_steps + -(-len(outputs) // WORD)
        self._readers: dict[int, int] = {}
        first = self.n_steps * WORD
        for unit, reads in [*enumerate(steps), *enumerate(outputs, first)]:
            while reads:
                source = reads & -reads
                self._readers[source] = self._readers.get(source, 0) | 1 << unit
                reads ^= source

    def words(self, source: Source) -> Mapping[int, int]:
        """Return the words of the units that read a source, and the bits in them."""
        readers = self._readers.get(self._supports.bit(source), 0)
        words = {k: readers >> WORD * k & (1 << WORD) - 1 for k in range(self.n_words)}
        return {k: bits for k, bits in words.items() if bits}

    def text(self, *sources: Source) -> str:
        """Return the statements that wake all that read sources; nothing if nobody does."""
        together: dict[int, int] = {}
        for source in sources:
            for k, bits in self.words(source).items():
                together[k] = together.get(k, 0) | bits
        return " ".join(f"wake{k} |= {number(bits)};" for k, bits in sorted(together.items()))

    def condition(self, unit: int) -> str:
        """Return whether a unit is awake."""
        return f"run{unit // WORD} & {number(1 << unit % WORD)}"
