# SPDX-License-Identifier: BSD-2-Clause
"""Names what trees of gates compute of the bits of one wire: the lowest one, a few of them, whether there is any.

Each output of a tree is a Boolean function of the wire's bits, and so is each output of what takes its place. Both are
brought into the form that equal functions share (`bdd`); only if they are the same there, the tree is replaced. That is
a proof for every value of the wire, made anew for each netlist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from erbium.gen.netlist.bits import Bits, Sig
from erbium.gen.netlist.module import Cell, Netlist
from erbium.gen.netlist.statements import REDUCING
from erbium.gen.vectors.bdd import Function, Functions, TooLargeError
from erbium.gen.vectors.graph import operand_ports, operators, sweep

LOWEST, FEW, ANY, COUNT = "$lowest", "$few", "$any", "$count"
"""Lower bits of the number of the lowest bit that is set, or ``ZERO``; how many are set, up to 3; whether one is; how
many are."""

MIN_BITS = 8
MAX_BITS = 512
_MAX_WIDTH = 10

_SYMBOLIC = (
    "$and",
    "$or",
    "$xor",
    "$not",
    "$mux",
    "$add",
    "$sub",
    "$eq",
    "$ne",
    "$lt",
    "$le",
    "$gt",
    "$ge",
    *REDUCING,
)


def recognise(
    module: Netlist, apart: Mapping[str, tuple[int, int]] = MappingProxyType({})
) -> list[tuple[Cell, Cell]]:
    """Replace trees of gates by the operators of this file.

    Parameters
    ----------
    module : Netlist
    apart : mapping of str to (int, int)
        Wires that are left alone, as they are computed lane by lane, with their class and lane.

    Returns
    -------
    list of (Cell, Cell)
        The last gate of each tree, and what took its place.
    """
    cells = {wire: cell for wire, cell in operators(module).items() if wire not in apart}
    sums = _sums(module, cells, lambda bit: (apart.get(str(bit.wire), (-1, 0)), bit.wire, bit.low))
    sources = _single_sources(module, cells)
    trees: dict[str, list[str]] = {}
    for wire in cells:
        source = sources[wire]
        if source is not None and MIN_BITS <= module.widths[source] <= MAX_BITS and source not in apart:
            trees.setdefault(source, []).append(wire)
    found = [(cells[wire], cell) for wire, cell in sums.items()]
    for source, wires in trees.items():
        found += _of_one_wire(module, cells, source, wires)
    instead = {id(old): new for old, new in found}
    module.cells = [instead.get(id(cell), cell) for cell in module.cells]
    sweep(module)
    left = {id(cell) for cell in module.cells}
    return [(old, new) for old, new in found if id(new) in left]


def _sums(
    module: Netlist, cells: dict[str, Cell], order: Callable[[Bits], tuple[Any, ...]]
) -> dict[str, Cell]:
    """Return what adders of adders of single bits add up, with the operator that counts them.

    A sum that never carries out of an adder is the number of bits that are set, in whichever order they are added; it
    does not where each has room for as many as there are below it.
    """
    adders = {wire: cell for wire, cell in cells.items() if cell.kind == "$add" and not cell.flag("SIGNED")}
    added: dict[str, list[Bits] | None] = {}

    def bits_of(sig: Sig) -> list[Bits] | None:
        parts = [part for part in sig if part.wire is not None or part.low]
        if not parts or parts != [sig[0]] or parts[0].wire is None:
            return None if parts else []
        (part,) = parts
        if part.wire not in adders:
            return [part] if part.width == 1 else None
        return added[part.wire] if part.width == module.widths[part.wire] else None

    for start in adders:
        stack = [start]
        while stack:
            ports = [adders[stack[-1]].ports[port] for port in "AB"]
            waiting = [
                part.wire for sig in ports for part in sig if part.wire in adders and part.wire not in added
            ]
            if waiting and stack[-1] not in added:
                stack += [str(wire) for wire in waiting]
                continue
            wire = stack.pop()
            a, b = (bits_of(sig) for sig in ports)
            fits = a is not None and b is not None and len(a) + len(b) < 1 << module.widths[wire]
            added[wire] = [*(a or ()), *(b or ())] if fits else None
    return {
        wire: Cell(COUNT, wire, {}, {"A": tuple(sorted(bits, key=order)), "Y": module.whole(wire)})
        for wire, bits in added.items()
        if bits and len(bits) >= MIN_BITS
    }


def _single_sources(module: Netlist, cells: dict[str, Cell]) -> dict[str, str | None]:
    """Return the wire that each operator depends on and that is none, or ``None`` if there are several."""
    result: dict[str, str | None] = {}
    for start in cells:
        stack = [start]
        while stack:
            wire = stack[-1]
            cell = cells[wire]
            inputs = [
                str(part.wire) for port in operand_ports(cell) for part in cell.ports[port] if part.wire
            ]
            waiting = [one for one in inputs if one in cells and one not in result]
            if waiting and wire not in result:
                stack += waiting
                continue
            stack.pop()
            found = {result[one] if one in cells else one for one in inputs}
            known = cell.kind in _SYMBOLIC and not cell.flag("SIGNED") and len(found) == 1
            result[wire] = found.pop() if known else None
    return result


def _of_one_wire(
    module: Netlist, cells: dict[str, Cell], source: str, wires: list[str]
) -> list[tuple[Cell, Cell]]:
    found = []
    evaluation = _Evaluation(module, cells, source)
    try:
        for wire in wires:
            if module.widths[wire] <= _MAX_WIDTH and cells[wire].kind not in REDUCING:
                replacement = evaluation.replacement(wire)
                if replacement is not None:
                    found.append((cells[wire], replacement))
    except TooLargeError:
        pass  # what has been proved by now stays proved
    return found


class _Evaluation:
    """What operators are as functions of the bits of one wire."""

    def __init__(self, module: Netlist, cells: dict[str, Cell], source: str) -> None:
        self._module, self._cells, self._source = module, cells, source
        self._functions = Functions()
        width = module.widths[source]
        self._known: dict[str, list[Function]] = {
            source: [self._functions.node(bit, 0, 1) for bit in range(width)]
        }

    def replacement(self, wire: str) -> Cell | None:
        """Return the operator that a wire equals, if it is one of this file's."""
        values = self._value(wire)
        asked = self._functions.variables(values)
        if not asked:
            return None
        first, count = min(asked), max(asked) - min(asked) + 1
        if count < MIN_BITS:
            return None
        kind, parameters = self._kind(values, first, count)
        if not kind:
            return None
        whole = self._module.whole(wire)
        return Cell(kind, wire, parameters, {"A": (Bits(self._source, first, count),), "Y": whole})

    def _kind(self, values: list[Function], first: int, count: int) -> tuple[str, dict[str, int | str]]:
        machine, width = self._functions.machine, len(values)
        if width == 1 and values[0] == machine(first, count, 0, lambda _, state: 1, lambda state: state):
            return ANY, {}
        if width == 2 and values == [
            machine(first, count, 0, lambda _, state: min(3, state + 1), lambda state, k=k: state >> k & 1)  # type: ignore[misc]
            for k in range(2)
        ]:
            return FEW, {}
        if width > 1:
            # What it is where no bit is set, may be anything: the first look finds it.
            zero = [self._at_zero(value) for value in values]
            if values == [
                machine(first, count, zero[k], lambda bit, _, k=k: bit >> k & 1, lambda state: state)  # type: ignore[misc]
                for k in range(width)
            ]:
                return LOWEST, {"ZERO": sum(bit << k for k, bit in enumerate(zero))}
        return "", {}

    def _at_zero(self, value: Function) -> int:
        while value > 1:
            value = self._functions.low(value)
        return value

    def _value(self, wire: str) -> list[Function]:
        """Return the functions of the bits of an operator, the lowest first."""
        stack = [wire]
        while stack:
            top = stack[-1]
            cell = self._cells.get(top)
            waiting = [
                str(part.wire)
                for port in (operand_ports(cell) if cell else ())
                for part in cell.ports[port]  # type: ignore[union-attr]
                if part.wire and part.wire not in self._known
            ]
            if waiting:
                stack += waiting
                continue
            stack.pop()
            if top not in self._known:
                assert cell is not None
                self._known[top] = self._computed(cell)[: self._module.widths[top]]
        return self._known[wire]

    def _operand(self, sig: Sig) -> list[Function]:
        result: list[Function] = []
        for part in sig:
            if part.wire is None:
                result += [part.low >> k & 1 for k in range(part.width)]
            else:
                result += self._known[part.wire][part.low : part.low + part.width]
        return result

    def _computed(self, cell: Cell) -> list[Function]:
        f, kind = self._functions, cell.kind
        a, b = (self._operand(cell.ports.get(port, ())) for port in "AB")
        match kind:
            case "$and":
                return [f.both(x, y) for x, y in zip(a, b, strict=True)]
            case "$or":
                return [f.either(x, y) for x, y in zip(a, b, strict=True)]
            case "$xor":
                return [f.differ(x, y) for x, y in zip(a, b, strict=True)]
            case "$not":
                return [f.inverse(x) for x in a]
            case "$mux":
                (condition,) = self._operand(cell.ports["S"])
                return [f.choose(condition, y, x) for x, y in zip(a, b, strict=True)]
            case "$add":
                return self._sum(a, b, 0)[0]
            case "$sub":
                return self._sum(a, [f.inverse(y) for y in b], 1)[0]
            case "$reduce_or" | "$reduce_bool":
                return [self._fold(f.either, a)]
            case "$reduce_and":
                return [self._fold(f.both, a)]
            case "$reduce_xor":
                return [self._fold(f.differ, a)]
            case "$eq" | "$ne":
                unequal = self._fold(f.either, [f.differ(x, y) for x, y in zip(a, b, strict=True)])
                return [unequal if kind == "$ne" else f.inverse(unequal)]
        # a - b carries if a >= b.
        swapped = kind in ("$gt", "$le")
        less, more = (b, a) if swapped else (a, b)
        carry = self._sum(less, [f.inverse(y) for y in more], 1)[1]
        return [carry if kind in ("$ge", "$le") else f.inverse(carry)]

    def _sum(self, a: list[Function], b: list[Function], carry: Function) -> tuple[list[Function], Function]:
        f, result = self._functions, []
        for x, y in zip(a, b, strict=True):
            half = f.differ(x, y)
            result.append(f.differ(half, carry))
            carry = f.choose(half, carry, x)
        return result, carry

    @staticmethod
    def _fold(operation: Callable[[Function, Function], Function], values: list[Function]) -> Function:
        result = values[0]
        for value in values[1:]:
            result = operation(result, value)
        return result
