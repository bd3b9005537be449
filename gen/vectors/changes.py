# SPDX-License-Identifier: BSD-2-Clause
"""C++ of a clock in all lanes: registers that change under the same conditions share a loop, memories move rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from erbium.gen.netlist.bits import Sig
from erbium.gen.vectors.classes import Class, Gathered, Lanes, Operand, Same
from erbium.gen.vectors.graph import Form
from erbium.gen.vectors.lanes import Loop
from erbium.gen.vectors.schedule import Group, Place, in_order
from erbium.gen.vectors.text import Text, mask


@dataclass(frozen=True)
class Assigned:
    """The number of an operand that is assigned."""

    operand: int


@dataclass(frozen=True)
class Chosen:
    """A selector, and the cases: patterns, and what is done then."""

    selector: Sig
    cases: tuple[tuple[tuple[str, ...], Tree], ...]


Tree = tuple[Assigned | Chosen, ...]


def joined_bits(operand: Operand) -> Sig:
    """Return a condition, an address or an enable, which is the same in all lanes."""
    return tuple(part.bits for part in operand if isinstance(part, Same))


def _tree(one: Class) -> Tree:
    """Return the statements of a class of registers."""
    at = iter(range(len(one.operands)))

    def parsed(form: Form) -> Tree:
        result: list[Assigned | Chosen] = []
        for item in form:
            assert isinstance(item, tuple)
            number = next(at)
            if item[0] == "assign":
                result.append(Assigned(number))
            else:
                cases = tuple((patterns, parsed(body)) for patterns, body in item[2])
                result.append(Chosen(joined_bits(one.operands[number]), cases))
        return tuple(result)

    return parsed(one.node.shape[4])


def _skeleton(tree: Tree) -> object:
    """Return what two classes must have in common to share loops."""
    return tuple(
        "assigned"
        if isinstance(item, Assigned)
        else (item.selector, tuple((patterns, _skeleton(body)) for patterns, body in item.cases))
        for item in tree
    )


def _in_sequence(tree: Tree) -> bool:
    """Whether something may be assigned after something else in the same clock."""
    return len(tree) > 1 or any(
        _in_sequence(body) for item in tree if isinstance(item, Chosen) for _, body in item.cases
    )


class Changes:
    """Writes the clock of all classes with a state.

    Parameters
    ----------
    text : Text
    numbers : dict
        See :class:`erbium.gen.vectors.lanes.Loop`.
    """

    def __init__(self, text: Text, numbers: dict[tuple[int, ...], str]) -> None:
        self._text, self._numbers = text, numbers
        self._classes = text.classes.every
        self._reads: dict[int, frozenset[Place]] = {}

    def lines(self) -> list[str]:
        lines: list[str] = []
        ends: list[str] = []
        for group, cut in in_order(self._groups()):
            if cut and group.apart is not None:
                early, late = group.apart()
                lines += early
                ends += late
            else:
                lines += group.direct()
        return lines + ends

    # --- what is read

    def _read_by(self, operands: Iterable[Operand]) -> frozenset[Place]:
        """Return the classes with a state that operands depend on."""
        result: set[Place] = set()
        for operand in operands:
            for part in operand:
                if isinstance(part, Lanes):
                    result |= self._behind(part.of)
                elif isinstance(part, Gathered):
                    places = {self._text.classes.place.get(str(bits.wire)) for bits in part.bits}
                    for place in places:
                        if place is not None:
                            result |= self._behind(place[0])
        return frozenset(result)

    def _behind(self, index: int) -> frozenset[Place]:
        if self._classes[index].is_state:
            return frozenset([index])
        if index not in self._reads:
            self._reads[index] = self._read_by(self._classes[index].operands)
        return self._reads[index]

    # --- groups

    def _groups(self) -> list[Group]:
        alike: dict[object, list[tuple[int, Tree]]] = {}
        groups: list[Group] = []
        for index, one in enumerate(self._classes):
            if one.node.kind == "memory":
                groups += self._memory(index)
            elif one.is_state:
                tree = _tree(one)
                key = (_skeleton(tree), len(one.wires), joined_bits(one.operands[-1]))
                alike.setdefault(key, []).append((index, tree))
        for members in alike.values():
            reads = self._read_by(
                operand for index, _ in members for operand in self._classes[index].operands
            )
            writes = frozenset(index for index, _ in members)
            groups.append(
                Group(
                    reads,
                    writes,
                    partial(self._registers, members, "v"),
                    partial(self._registers_apart, members),
                    len(members),
                    # A later assignment of the clock must not see what an earlier one has made.
                    _in_sequence(members[0][1]) and bool(reads & writes),
                )
            )
        return groups

    def _registers_apart(self, members: Sequence[tuple[int, Tree]]) -> tuple[list[str], list[str]]:
        lanes = len(self._classes[members[0][0]].wires)
        copies = [f"V{self._classes[index].element} c{index}[vectors({lanes})];" for index, _ in members]
        return [*copies, *self._registers(members, "c", resets=False)], self._registers(
            members, "v", moved=True
        )

    def _registers(
        self, members: Sequence[tuple[int, Tree]], target: str, *, moved: bool = False, resets: bool = True
    ) -> list[str]:
        """Return the lines of registers, which go to the arrays called `target`; `moved` ones come from a copy."""
        lines = self._trees(members, target, moved)
        reset = joined_bits(self._classes[members[0][0]].operands[-1])
        if not reset or not resets:
            return lines
        body = [line for index, _ in members for line in self.constant(index)]
        return [
            *lines,
            f"if (__builtin_expect({self._text.value(reset)}, 0)) {{",
            *(f"  {x}" for x in body),
            "}",
        ]

    def constant(self, index: int, *, initial: bool = False) -> list[str]:
        """Return the line that gives all lanes of a class of registers its reset value, or its first one."""
        one = self._classes[index]
        _, width, reset, first, *_ = one.node.shape
        value = int(first if initial else reset)
        if width == 1:
            value *= mask(16)
        put = f"v{index}[i] = all{one.element}({value:#x}u);"
        return [f"for (int i = 0; i < vectors({len(one.wires)}); ++i) {put}"]

    def _trees(self, members: Sequence[tuple[int, Tree]], target: str, moved: bool) -> list[str]:
        lines: list[str] = []
        for place, item in enumerate(members[0][1]):
            here = [(index, tree[place]) for index, tree in members]
            if isinstance(item, Assigned):
                lines += self._assigned(
                    [(index, one.operand) for index, one in here if isinstance(one, Assigned)], target, moved
                )
                continue
            head = ""
            for number, (patterns, _) in enumerate(item.cases):
                bodies = [(index, one.cases[number][1]) for index, one in here if isinstance(one, Chosen)]
                condition = self._text.matches(item.selector, patterns) if patterns else ""
                inner = self._trees(bodies, target, moved) if bodies[0][1] else []
                start = f"if ({condition or 'true'}) {{" if condition or not head else "{"
                lines += [f"{head}{start}", *(f"  {line}" for line in inner), "}"]
                head = "else "
                if not patterns:
                    break
        return lines

    def _assigned(self, members: Sequence[tuple[int, int]], target: str, moved: bool) -> list[str]:
        loop = Loop(self._text, self._numbers)
        stores = {}
        for index, number in members:
            one = self._classes[index]
            if moved:
                stores[f"v{index}"] = f"c{index}[i]"
                continue
            value = loop.operand(one.operands[number], one.element)
            loop.body.append(f"const V{one.element} y{index} = {value};")
            stores[f"{target}{index}"] = f"y{index}"
        return loop.lines(len(self._classes[members[0][0]].wires), stores)

    # --- memories

    def _memory(self, index: int) -> list[Group]:
        """Return the read of a row and the write of one."""
        written = self._read_by(self._classes[index].operands[-1:])
        rows = ("rows", index)
        return [
            Group(
                frozenset([rows]),
                frozenset([index]),
                partial(self._read, index),
                partial(self._read_apart, index),
            ),
            Group(written, frozenset([rows]), partial(self._write, index)),
        ]

    def _row(self, index: int, address: Sig) -> tuple[str, str]:
        """Return a row, and the condition that there is one; empty if there always is."""
        one = self._classes[index]
        depth = int(one.node.shape[2])
        at = self._text.value(address)
        bits = sum(part.width for part in address)
        return f"m{index}[{at}]", "" if depth >= 1 << bits else f"{at} < {depth}"

    def _read(self, index: int, target: str = "v") -> list[str]:
        one = self._classes[index]
        address, enable = (joined_bits(operand) for operand in one.operands[:2])
        row, there = self._row(index, address)
        each = f"for (int i = 0; i < vectors({len(one.wires)}); ++i) {target}{index}[i] ="
        body = [f"{each} {row}[i];"]
        if there:
            body = [f"if ({there}) {body[0]}", f"else {each} V{one.stored}{{}};"]
        return [f"if ({self._text.value(enable)}) {{", *(f"  {line}" for line in body), "}"]

    def _read_apart(self, index: int) -> tuple[list[str], list[str]]:
        one = self._classes[index]
        enable = self._text.value(joined_bits(one.operands[1]))
        lanes = len(one.wires)
        early = [f"V{one.stored} c{index}[vectors({lanes})];", *self._read(index, "c")]
        return early, [f"if ({enable}) for (int i = 0; i < vectors({lanes}); ++i) v{index}[i] = c{index}[i];"]

    def _write(self, index: int) -> list[str]:
        one = self._classes[index]
        address, enable = (joined_bits(operand) for operand in one.operands[2:4])
        row, there = self._row(index, address)
        loop = Loop(self._text, self._numbers)
        value = loop.operand(one.operands[4], one.element)
        if one.stored != one.element:
            value = f"as{one.stored}({value})"
        condition = " && ".join(text for text in (self._text.value(enable), there) if text)
        lines = loop.lines(len(one.wires), {f"{row}": value})
        return [f"if ({condition}) {{", *(f"  {line}" for line in lines), "}"]
