# SPDX-License-Identifier: BSD-2-Clause
"""And-inverter graphs: read from Yosys's file, and copied with some inputs fixed, equal parts once only.

A *literal* is twice the number of a node, plus one where it is inverted; 0 is false and 1 is true, as in AIGER files.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Circuit:
    """A circuit with registers, as a file has it.

    Parameters
    ----------
    inputs, outputs, registers : tuple of str
        Their names, bit by bit: ``name[3]``.
    latches : tuple of int
        What each register holds next, a literal. All of them hold 0 at the start.
    results : tuple of int
        What each output is, a literal.
    gates : tuple of (int, int)
        The two literals that each gate joins. Nodes are numbered: constant, inputs, latches, gates.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    registers: tuple[str, ...]
    latches: tuple[int, ...]
    results: tuple[int, ...]
    gates: tuple[tuple[int, int], ...]

    def evaluate(
        self, graph: Graph, inputs: Sequence[int], latches: Sequence[int]
    ) -> tuple[list[int], list[int]]:
        """Copy it into a graph; return the literals of what the registers hold next, and of the outputs."""
        nodes = [0, *inputs, *latches]
        join = graph.join
        for one, other in self.gates:
            nodes.append(join(nodes[one >> 1] ^ (one & 1), nodes[other >> 1] ^ (other & 1)))
        return [nodes[x >> 1] ^ (x & 1) for x in self.latches], [
            nodes[x >> 1] ^ (x & 1) for x in self.results
        ]

    def simulate(self, clocks: int, width: int, seed: int, fixed: Mapping[str, int]) -> Iterator[list[int]]:
        """Yield what the registers hold, clock by clock, in so many runs beside each other, a bit of a number for each.

        Parameters
        ----------
        clocks, width : int
            How long, and how many runs.
        seed : int
            Of the inputs; a reset comes seldom.
        fixed : mapping of str to int
            Inputs that are not random, by the beginning of their names: a probability of 1 in so many, or 0 for never.
        """
        draw, ones = random.Random(seed), (1 << width) - 1
        states = [0] * len(self.latches)
        rare = [next((n for name, n in fixed.items() if one.startswith(name)), 2) for one in self.inputs]
        for _ in range(clocks):
            yield states
            nodes = [0]
            for n in rare:
                bits = draw.getrandbits(width) if n else 0
                while n > 2:
                    bits, n = bits & draw.getrandbits(width), n // 2
                nodes.append(bits)
            nodes += states
            for one, other in self.gates:
                a, b = nodes[one >> 1], nodes[other >> 1]
                nodes.append((~a if one & 1 else a) & (~b if other & 1 else b) & ones)
            states = [(nodes[x >> 1] ^ (ones if x & 1 else 0)) for x in self.latches]


def read(path: Path) -> Circuit:
    """Read a binary AIGER file with symbols, whose registers start with 0."""
    data = path.read_bytes()
    place = data.index(b"\n") + 1
    _, n_inputs, n_latches, n_outputs, n_gates, *further = map(int, data[:place].split()[1:])
    if any(further):
        raise ValueError(f"{path} has more than inputs, registers, outputs and gates")
    lines: list[bytes] = []
    for _ in range(n_latches + n_outputs):
        end = data.index(b"\n", place)
        lines.append(data[place:end])
        place = end + 1
    if any(len(line.split()) > 1 for line in lines[:n_latches]):
        raise ValueError(f"{path} has registers that do not start with 0")

    def number() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = data[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    gates = []
    for node in range(1 + n_inputs + n_latches, 1 + n_inputs + n_latches + n_gates):
        one = 2 * node - number()
        gates.append((one, one - number()))
    names = {"i": [f"?{k}" for k in range(n_inputs)], "o": [""] * n_outputs, "l": [""] * n_latches}
    for line in data[place:].decode(errors="replace").splitlines():
        if line == "c":
            break
        kind, name = line[0], line.partition(" ")
        if kind in names:
            names[kind][int(name[0][1:])] = name[2]
    return Circuit(
        tuple(names["i"]),
        tuple(names["o"]),
        tuple(names["l"]),
        tuple(int(line.split()[0]) for line in lines[:n_latches]),
        tuple(int(line) for line in lines[n_latches:]),
        tuple(gates),
    )


class Graph:
    """Gates of which no two are the same, with what a solver has to know of them.

    Parameters
    ----------
    clause : callable
        Called with each clause of the solver, nodes as variables from 1 on.
    """

    def __init__(self, clause: Callable[[list[int]], object]) -> None:
        self._gates: list[tuple[int, int] | None] = [None]
        self._known: dict[tuple[int, int], int] = {}
        self._told: set[int] = set()
        self._clause = clause

    def free(self) -> int:
        """Return the literal of a new node that may be anything."""
        self._gates.append(None)
        return 2 * len(self._gates) - 2

    def join(self, one: int, other: int) -> int:
        """Return the literal of: both."""
        if one > other:
            one, other = other, one
        if one < 2:
            return other if one else 0
        if one == other:
            return one
        if one ^ other == 1:
            return 0
        key = (one, other)
        if (found := self._known.get(key)) is None:
            found = self._known[key] = 2 * len(self._gates)
            self._gates.append(key)
        return found

    def either(self, literals: Iterable[int]) -> int:
        """Return the literal of: at least one of them."""
        found = 1
        for literal in literals:
            found = self.join(found, literal ^ 1)
        return found ^ 1

    def differ(self, one: int, other: int) -> int:
        """Return the literal of: one of them, and not the other."""
        return self.join(self.join(one, other) ^ 1, self.join(one ^ 1, other ^ 1) ^ 1)

    def variable(self, literal: int) -> int:
        """Return a literal as the solver has it, and tell the solver the gates below it."""
        waiting = [literal >> 1]
        while waiting:
            node = waiting.pop()
            if node in self._told:
                continue
            self._told.add(node)
            if node == 0:
                continue
            if (gate := self._gates[node]) is not None:
                one, other = map(_variable, gate)
                self._clause([-node, one])
                self._clause([-node, other])
                self._clause([node, -one, -other])
                waiting += [gate[0] >> 1, gate[1] >> 1]
        return _variable(literal)


def _variable(literal: int) -> int:
    return -(literal >> 1) if literal & 1 else literal >> 1
