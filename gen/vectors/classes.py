# SPDX-License-Identifier: BSD-2-Clause
"""Finds what is alike but for the lane: classes of registers, memories and operators that become vectors.

The search is a guess: which wires might be alike, and in which order their lanes come. What counts is the check after
it. An operand of a class is accepted only if its lanes, written down one by one, are what its kind says; a class with
another operand is given up, and its members are computed one by one. So a wrong guess costs time and no result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from erbium.gen.netlist.bits import Bits, width_of
from erbium.gen.netlist.module import Netlist
from erbium.gen.netlist.statements import BITWISE, COMPARING
from erbium.gen.vectors.graph import READ, Form, Node, nodes, read_ranges, refined
from erbium.gen.vectors.split import MIN_LANES, WORD

MAX_RUNS = 8
"""An operand that is copied together from so many pieces at most is worth a vector in any case.

Units that few lanes share read words of their lanes; so it is worth one, too, if a piece has two lanes on average.
"""

ELEMENT_WIDTHS = (8, 16, 32)

VECTOR_KINDS = frozenset(
    (*BITWISE, *COMPARING, "$add", "$sub", "$neg", "$reduce_or", "$reduce_bool", "$reduce_and")
)
"""Operators that lanes can do."""


@dataclass(frozen=True)
class Same:
    """All lanes have the same bits of a wire, or the same constant."""

    bits: Bits


@dataclass(frozen=True)
class Numbers:
    """Each lane has a constant of its own."""

    values: tuple[int, ...]
    width: int


@dataclass(frozen=True)
class Lanes:
    """Each lane has bits of the same lane of a class."""

    of: int
    low: int
    width: int


@dataclass(frozen=True)
class Gathered:
    """Each lane has bits of its own, from wherever they are."""

    bits: tuple[Bits, ...]

    @property
    def width(self) -> int:
        return self.bits[0].width


Part = Same | Numbers | Lanes | Gathered
Operand = tuple[Part, ...]
"""Bits side by side, the lowest first, in every lane."""


def part_width(part: Part) -> int:
    """Return the bits of a part in one lane."""
    return part.bits.width if isinstance(part, Same) else part.width


@dataclass(frozen=True)
class Class:
    """Wires that are alike but for the lane.

    Parameters
    ----------
    wires : tuple of str
        In the order of the lanes.
    node : Node
        Of the first of them; the shape is that of all.
    operands : tuple of Operand
    width : int
        Bits of a wire.
    """

    wires: tuple[str, ...]
    node: Node
    operands: tuple[Operand, ...]
    width: int

    @property
    def is_state(self) -> bool:
        """Whether it keeps its values from clock to clock."""
        return self.node.kind in ("register", "memory")

    @property
    def element(self) -> int:
        """Bits of an element of its vectors, where something is computed with them."""
        return 32 if self.width > 16 else 16

    @property
    def stored(self) -> int:
        """Bits of an element where it is kept: in memories as few as hold it."""
        return 8 if self.node.kind == "memory" and 1 < self.width <= 8 else self.element


class Classes:
    """The classes of a netlist.

    Parameters
    ----------
    module : Netlist
    origin : mapping of str to str
        The wire that a register was a part of, for those that were.

    Attributes
    ----------
    graph : dict of str to Node
    contents : dict of str to int
        With what a memory begins, by the wire that it is read into.
    every : list of Class
    place : dict of str to (int, int)
        The class and the lane of each wire that is in a class.
    """

    def __init__(self, module: Netlist, origin: Mapping[str, str]) -> None:
        self.module = module
        whole = nodes(module)
        # With what a memory begins, may be another thing in each lane.
        self.contents = {wire: int(node.shape[3]) for wire, node in whole.items() if node.kind == "memory"}
        self.graph = {
            wire: Node(node.shape[:3], node.operands) if wire in self.contents else node
            for wire, node in whole.items()
        }
        self.every: list[Class] = []
        self.place: dict[str, tuple[int, int]] = {}
        groups = _ordered(self.graph, _alike(module, self.graph, origin))
        while True:
            self.place = {
                wire: (number, lane) for number, group in enumerate(groups) for lane, wire in enumerate(group)
            }
            good = [group for group in groups if self._operands(group, groups) is not None]
            if len(good) == len(groups):
                break
            groups = good
        for group in groups:
            operands = self._operands(group, groups)
            assert operands is not None
            self.every.append(Class(tuple(group), self.graph[group[0]], operands, module.widths[group[0]]))

    def _operands(self, group: Sequence[str], groups: Sequence[Sequence[str]]) -> tuple[Operand, ...] | None:
        """Return what a class of these wires has as operands, or ``None`` if they cannot be one."""
        node = self.graph[group[0]]
        if any(self.graph[wire].shape != node.shape for wire in group):
            return None
        if node.kind[0] == "$" and not _fits(node):
            return None
        scalar = _scalar_operands(node)
        operands = []
        for number in range(len(node.operands)):
            sigs = [self.graph[wire].operands[number] for wire in group]
            if any(len(sig) != len(sigs[0]) for sig in sigs) or len(scalar) <= number:
                return None
            parts = []
            for place in range(len(sigs[0])):
                part = self._part([sig[place] for sig in sigs], groups)
                if part is None or (scalar[number] and not isinstance(part, Same)):
                    return None
                parts.append(part)
            operands.append(tuple(parts))
        return tuple(operands)

    def _part(self, bits: list[Bits], groups: Sequence[Sequence[str]]) -> Part | None:
        first = bits[0]
        if all(one == first for one in bits):
            return Same(first)
        if any(one.width != first.width for one in bits):
            return None
        if all(one.wire is None for one in bits):
            return Numbers(tuple(one.low for one in bits), first.width)
        places = [self.place.get(str(one.wire)) for one in bits]
        if places[0] is not None and all(one.low == first.low for one in bits):
            number = places[0][0]
            if places == [(number, lane) for lane in range(len(groups[number]))]:
                return Lanes(number, first.low, first.width)
        return Gathered(tuple(bits)) if self._runs(bits, places) <= max(MAX_RUNS, len(bits) // 2) else None

    @staticmethod
    def _runs(bits: list[Bits], places: list[tuple[int, int] | None]) -> int:
        """Return in how many pieces bits are copied: neighbours in a wire, or lanes of a class one after the other."""
        runs = 1
        for one, other, place, following in zip(bits, bits[1:], places, places[1:], strict=False):
            if place is not None and following is not None:
                joined = one.low == other.low and following == (place[0], place[1] + 1)
            else:
                joined = one.wire == other.wire and place == following and other.low - one.low == one.width
            runs += not joined
        return runs


def _fits(node: Node) -> bool:
    """Whether an operator can be written for vectors."""
    return node.kind in VECTOR_KINDS and all(width_of(sig) <= ELEMENT_WIDTHS[-1] for sig in node.operands)


def _scalar_operands(node: Node) -> list[bool]:
    """Return which operands of a node must be the same in all lanes: conditions, addresses and enables."""
    if node.kind == "memory":
        return [True, True, True, True, False]
    if node.kind != "register":
        return [False] * len(node.operands)
    result: list[bool] = []

    def visit(form: Form) -> bool:
        for item in form:
            assert isinstance(item, tuple)
            result.append(item[0] == "switch")
            if item[0] == "switch" and not all(visit(body) for _, body in item[2]):
                return False
            if item[0] == "assign" and (item[1], item[2]) != (0, node.shape[1]):
                return False
        return True

    # What assigns a part of a lane's register is no class: nothing does, as registers are split there.
    return [*result, True] if visit(node.shape[4]) else []


def _alike(module: Netlist, graph: dict[str, Node], origin: Mapping[str, str]) -> list[list[str]]:
    """Return groups of wires that may be alike but for the lane, each in the order of the netlist."""
    # Of which bits of these are read, tells lanes apart and nothing else.
    ranges = read_ranges(module)
    count: Counter[Hashable] = Counter()
    for wire, node in graph.items():
        count[node.shape] += module.widths[wire]
    bits = {
        wire
        for wire in module.widths
        if (module.widths[wire] >= MIN_LANES or (wire in graph and count[graph[wire].shape] >= MIN_LANES))
        and all(high - low == 1 for low, high in ranges.get(wire, ()))
    }
    wide = bits | {wire for wire in module.widths if module.widths[wire] > WORD}
    wide |= {
        wire
        for wire, node in graph.items()
        if node.kind in (READ, "memory") and module.widths[wire] > MIN_LANES
    }

    def fixed(bits: Bits) -> Hashable:
        return bits.width, None if bits.wire in wide else bits.low

    groups: dict[int, list[str]] = {}
    for wire, number in refined({**graph, **_shifting(graph, origin)}, fixed).items():
        node = graph[wire]
        if module.widths[wire] <= ELEMENT_WIDTHS[-1] and node.kind != READ:
            groups.setdefault(number, []).append(wire)
    return [group for group in groups.values() if len(group) >= MIN_LANES]


def _shifting(graph: dict[str, Node], origin: Mapping[str, str]) -> dict[str, Node]:
    """Return the parts of registers that are shifted from lane to lane, as nodes without operands.

    Followed along the chain, no lane of them would be like another one, as each is nearer to its end.
    """
    parts: dict[tuple[str, Hashable], list[str]] = {}
    for wire, whole in origin.items():
        if wire in graph:
            parts.setdefault((whole, graph[wire].shape), []).append(wire)
    result: dict[str, Node] = {}
    for (whole, shape), wires in parts.items():
        inside = set(wires)
        linked = sum(
            any(bits.wire in inside and bits.wire != wire for sig in graph[wire].operands for bits in sig)
            for wire in wires
        )
        if len(wires) >= MIN_LANES and linked >= len(wires) - 1:
            result |= {wire: Node(("shifting", whole, shape), ()) for wire in wires}
    return result


def _ordered(graph: dict[str, Node], groups: list[list[str]]) -> list[list[str]]:
    """Return groups with their wires in the order of the lanes.

    The order comes from the place in a word that each lane reads, and goes on from group to group along what they
    read of each other; where nothing tells, it is that of the netlist.
    """
    number_of = {wire: number for number, group in enumerate(groups) for wire in group}
    lane: dict[str, int] = {}
    done: set[int] = set()
    users: dict[int, set[int]] = {}
    for number, group in enumerate(groups):
        for sig in graph[group[0]].operands:
            for bits in sig:
                if bits.wire in number_of:
                    users.setdefault(number_of[bits.wire], set()).add(number)

    def settle(number: int, keys: dict[str, int] | None) -> bool:
        group = groups[number]
        if keys is None or len(set(keys.values())) != len(group):
            return False
        group.sort(key=lambda wire: keys[wire])
        lane.update({wire: place for place, wire in enumerate(group)})
        done.add(number)
        return True

    def by_words(number: int) -> dict[str, int] | None:
        for values in _columns(graph, groups[number]):
            wires = {bits.wire for bits in values}
            if len(wires) == 1 and None not in wires and len({bits.low for bits in values}) == len(values):
                return {wire: bits.low for wire, bits in zip(groups[number], values, strict=True)}
        return None

    def by_operands(number: int) -> dict[str, int] | None:
        for values in _columns(graph, groups[number]):
            if len({number_of.get(str(bits.wire)) for bits in values}) == 1 and values[0].wire in lane:
                return {wire: lane[str(bits.wire)] for wire, bits in zip(groups[number], values, strict=True)}
        return None

    def by_user(number: int, user: int) -> dict[str, int] | None:
        for values in _columns(graph, groups[user]):
            if {number_of.get(str(bits.wire)) for bits in values} == {number}:
                keys = {str(bits.wire): lane[wire] for wire, bits in zip(groups[user], values, strict=True)}
                if len(keys) == len(groups[number]):
                    return keys
        return None

    waiting = [number for number in range(len(groups)) if settle(number, by_words(number))]
    rest = iter(range(len(groups)))
    while True:
        while waiting:
            number = waiting.pop()
            for user in users.get(number, ()):
                if user not in done and settle(user, by_operands(user)):
                    waiting.append(user)
            for sig in graph[groups[number][0]].operands:
                for bits in sig:
                    other = number_of.get(str(bits.wire))
                    if other is not None and other not in done and settle(other, by_user(other, number)):
                        waiting.append(other)
        number = next((number for number in rest if number not in done), -1)
        if number < 0:
            return groups
        settle(number, {wire: place for place, wire in enumerate(groups[number])})
        waiting.append(number)


def _columns(graph: dict[str, Node], group: list[str]) -> list[list[Bits]]:
    """Return, for each part of each operand that all wires of a group have, what it is in each of them."""
    operands = [graph[wire].operands for wire in group]
    result = []
    for sigs in zip(*operands, strict=True):
        if len({len(sig) for sig in sigs}) == 1:
            result += [list(column) for column in zip(*sigs, strict=True)]
    return result
