# SPDX-License-Identifier: BSD-2-Clause
"""C++ of a clock in all lanes: registers that change under the same conditions share a loop, memories move rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from erbium.gen.netlist.bits import Sig
from erbium.gen.vectors.activity import Supports
from erbium.gen.vectors.classes import Class, Operand, Same
from erbium.gen.vectors.graph import Form
from erbium.gen.vectors.lanes import Loop
from erbium.gen.vectors.schedule import Group, Place
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
    supports : Supports
    numbers : dict
        See :class:`erbium.gen.vectors.lanes.Loop`.
    """

    def __init__(self, text: Text, supports: Supports, numbers: dict[tuple[int, ...], str]) -> None:
        self._text, self._supports, self._numbers = text, supports, numbers
        self._classes = text.classes.every
        self._n_late = 0

    def groups(self) -> list[Group]:
        """Return what changes together."""
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
            operands = [operand for index, _ in members for operand in self._classes[index].operands]
            reads = self._read_by(operands)
            writes: frozenset[Place] = frozenset(("class", index) for index, _ in members)
            groups.append(
                Group(
                    reads,
                    writes,
                    partial(self._begun, operands, partial(self._registers, members)),
                    partial(self._apart, operands, partial(self._registers_apart, members)),
                    len(members),
                    # A later assignment of the clock must not see what an earlier one has made.
                    _in_sequence(members[0][1]) and bool(reads & writes),
                )
            )
        return groups

    def _read_by(self, operands: Iterable[Operand]) -> frozenset[Place]:
        """Return the sources that operands depend on."""
        return frozenset(self._supports.listed(self._supports.of_lanes(operands)))

    # --- what is computed first

    def _begun(self, operands: Sequence[Operand], write: Callable[[], list[str]]) -> list[str]:
        """Return lines after what they need that is computed once."""
        values = self._text.begin((sig, ()) for sig in self._supports.values.behind(operands)[0])
        lines = write()
        return values + lines

    def _apart(
        self, operands: Sequence[Operand], write: Callable[[], tuple[list[str], list[str]]]
    ) -> tuple[list[str], list[str]]:
        values = self._text.begin((sig, ()) for sig in self._supports.values.behind(operands)[0])
        early, late = write()
        return values + early, late

    def _late(self, line: str) -> tuple[str, str]:
        """Return a line that notes that something is to be done when all are through, and the one that does it then."""
        name = f"late{self._n_late}"
        self._n_late += 1
        return f"{name} = true;", f"if ({name}) {{ {line} }}"

    def late_names(self) -> list[str]:
        """Return the notes of all that is done late."""
        return [f"late{k}" for k in range(self._n_late)]

    # --- registers

    def _wake(self, indexes: Iterable[int]) -> str:
        return self._text.wakes.text(*(("class", index) for index in indexes))

    def copies(self, group: Group) -> list[str]:
        """Return the lines that make room for copies of what a group changes."""
        indexes = sorted(index for _, index in group.writes)
        return [
            f"V{self._classes[index].stored} c{index}[vectors({len(self._classes[index].wires)})];"
            for index in indexes
        ]

    def _registers_apart(self, members: Sequence[tuple[int, Tree]]) -> tuple[list[str], list[str]]:
        late: list[str] = []
        return self._registers(members, late), late

    def _registers(self, members: Sequence[tuple[int, Tree]], late: list[str] | None = None) -> list[str]:
        """Return the lines of registers; with `late` they go to copies, and what moves those is appended to it."""
        lines = self._trees(members, late)
        reset = joined_bits(self._classes[members[0][0]].operands[-1])
        if not reset:
            return lines
        body = [line for index, _ in members for line in self.constant(index)]
        body.append(self._wake(index for index, _ in members))
        if late is not None:
            note, done = self._late(" ".join(body))
            late.append(done)
            body = [note]
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
        return [f"EACH_VECTOR({len(one.wires)}) {put}"]

    def _trees(self, members: Sequence[tuple[int, Tree]], late: list[str] | None) -> list[str]:
        lines: list[str] = []
        for place, item in enumerate(members[0][1]):
            here = [(index, tree[place]) for index, tree in members]
            if isinstance(item, Assigned):
                lines += self._assigned(
                    [(index, one.operand) for index, one in here if isinstance(one, Assigned)], late
                )
                continue
            head = ""
            for number, (patterns, _) in enumerate(item.cases):
                bodies = [(index, one.cases[number][1]) for index, one in here if isinstance(one, Chosen)]
                condition = self._text.matches(item.selector, patterns) if patterns else ""
                inner = self._trees(bodies, late) if bodies[0][1] else []
                start = f"if ({condition or 'true'}) {{" if condition or not head else "{"
                lines += [f"{head}{start}", *(f"  {line}" for line in inner), "}"]
                head = "else "
                if not patterns:
                    break
        return lines

    def _assigned(self, members: Sequence[tuple[int, int]], late: list[str] | None) -> list[str]:
        loop = Loop(self._text, self._numbers)
        stores = {}
        for index, number in members:
            one = self._classes[index]
            value = loop.operand(one.operands[number], one.element)
            loop.body.append(f"const V{one.element} y{index} = {value};")
            stores[f"{'v' if late is None else 'c'}{index}"] = f"y{index}"
        lanes = len(self._classes[members[0][0]].wires)
        wake = self._wake(index for index, _ in members)
        if late is None:
            return [*loop.lines(lanes, stores), wake]
        moves = " ".join(f"v{index}[i] = c{index}[i];" for index, _ in members)
        note, done = self._late(f"EACH_VECTOR({lanes}) {{ {moves} }} {wake}")
        late.append(done)
        return [*loop.lines(lanes, stores), note]

    # --- memories

    def _memory(self, index: int) -> list[Group]:
        """Return the read of a row and the write of one."""
        operands = self._classes[index].operands
        rows: frozenset[Place] = frozenset([("rows", index)])
        return [
            Group(
                self._read_by(operands[:2]) | rows,
                frozenset([("class", index)]),
                partial(self._begun, operands[:2], partial(self._read, index)),
                partial(self._apart, operands[:2], partial(self._read_apart, index)),
            ),
            Group(
                self._read_by(operands[2:]),
                rows,
                partial(self._begun, operands[2:], partial(self._write, index)),
            ),
        ]

    def _row(self, index: int, address: Sig) -> tuple[str, str]:
        """Return a row, and the condition that there is one; empty if there always is."""
        one = self._classes[index]
        depth = int(one.node.shape[2])
        at = self._text.value(address)
        bits = sum(part.width for part in address)
        return f"m{index}[{at}]", "" if depth >= 1 << bits else f"{at} < {depth}"

    def _read(self, index: int, late: list[str] | None = None) -> list[str]:
        one = self._classes[index]
        address, enable = (joined_bits(operand) for operand in one.operands[:2])
        row, there = self._row(index, address)
        each = f"EACH_VECTOR({len(one.wires)})"
        target, wake = f"{'v' if late is None else 'c'}{index}[i]", self._wake([index])
        body = [f"{each} {target} = {row}[i];"]
        if there:
            body = [f"if ({there}) {body[0]}", f"else {each} {target} = V{one.stored}{{}};"]
        if late is not None:
            note, done = self._late(f"{each} v{index}[i] = c{index}[i]; {wake}")
            late.append(done)
        return [
            f"if ({self._text.value(enable)}) {{",
            *(f"  {line}" for line in body),
            f"  {wake if late is None else note}",
            "}",
        ]

    def _read_apart(self, index: int) -> tuple[list[str], list[str]]:
        late: list[str] = []
        return self._read(index, late), late

    def _write(self, index: int) -> list[str]:
        one = self._classes[index]
        address, enable = (joined_bits(operand) for operand in one.operands[2:4])
        row, there = self._row(index, address)
        loop = Loop(self._text, self._numbers)
        value = loop.operand(one.operands[4], one.element)
        if one.stored != one.element:
            value = f"as{one.stored}({value})"
        condition = " && ".join(text for text in (self._text.value(enable), there) if text)
        lines = [*loop.lines(len(one.wires), {f"{row}": value}), self._text.wakes.text(("rows", index))]
        return [f"if ({condition}) {{", *(f"  {line}" for line in lines), "}"]
