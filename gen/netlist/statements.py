# SPDX-License-Identifier: BSD-2-Clause
"""Statements of processes, and operators, as the passes handle them."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator

from erbium.gen.netlist.bits import Bits, Sig, cut, joined, value_of, width_of
from erbium.gen.netlist.module import Assign, Cell, Statement, Switch

BITWISE = ("$and", "$or", "$xor", "$not", "$mux")
CARRYING = ("$add", "$sub", "$neg", "$mul")
COMPARING = ("$eq", "$ne", "$lt", "$le", "$gt", "$ge")
_ORDERING = ("$lt", "$le", "$gt", "$ge")
_PYTHON: dict[str, Callable[..., int]] = {
    "$add": operator.add,
    "$sub": operator.sub,
    "$mul": operator.mul,
    "$and": operator.and_,
    "$or": operator.or_,
    "$xor": operator.xor,
    "$not": operator.invert,
    "$neg": operator.neg,
    "$eq": operator.eq,
    "$ne": operator.ne,
    "$lt": operator.lt,
    "$le": operator.le,
    "$gt": operator.gt,
    "$ge": operator.ge,
    "$shl": operator.lshift,
    "$shr": operator.rshift,
    "$sshr": operator.rshift,
    "$reduce_or": bool,
    "$reduce_bool": bool,
    "$reduce_and": bool,
    "$reduce_xor": lambda value: value.bit_count() & 1,
}
REDUCING = ("$reduce_or", "$reduce_bool", "$reduce_and", "$reduce_xor")
COMMUTATIVE = ("$add", "$and", "$or", "$xor", "$eq", "$ne", "$mul")
SHIFTING = ("$shl", "$shr", "$sshr")
UNNAMED_PORT = re.compile(r"\\port\$\d+\$\d+")


def anonymous(wire: str) -> bool:
    """Return whether Amaranth made the name of a wire up."""
    return wire.startswith("$")


def sigs_of(statements: Iterable[Statement]) -> Iterator[Sig]:
    """Return every signal that statements read."""
    for statement in statements:
        if isinstance(statement, Assign):
            yield statement.value
        else:
            yield statement.selector
            for _, body in statement.cases:
                yield from sigs_of(body)


def mapped(statements: Iterable[Statement], change: Callable[[Sig], Sig]) -> tuple[Statement, ...]:
    """Return statements with every value and selector changed."""
    return tuple(
        Assign(statement.low, change(statement.value))
        if isinstance(statement, Assign)
        else Switch(
            change(statement.selector),
            tuple((patterns, mapped(body, change)) for patterns, body in statement.cases),
        )
        for statement in statements
    )


def restricted(statements: Iterable[Statement], low: int, width: int) -> tuple[Statement, ...]:
    """Return what `statements` do to `width` bits of their target from bit `low` on."""
    result: list[Statement] = []
    for statement in statements:
        if isinstance(statement, Switch):
            cases = tuple((patterns, restricted(body, low, width)) for patterns, body in statement.cases)
            if any(body for _, body in cases):
                result.append(Switch(statement.selector, cases))
            continue
        first = max(low, statement.low)
        last = min(low + width, statement.low + width_of(statement.value))
        if first < last:
            result.append(Assign(first - low, cut(statement.value, first - statement.low, last - first)))
    return tuple(result)


def settled(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """Return statements with choices made whose selector is a constant."""
    result: list[Statement] = []
    for statement in statements:
        if isinstance(statement, Assign):
            result.append(statement)
            continue
        cases = tuple((patterns, settled(body)) for patterns, body in statement.cases)
        if (number := value_of(statement.selector)) is None:
            result.append(Switch(statement.selector, cases))
            continue
        digits = f"{number:0{width_of(statement.selector)}b}"
        result += next((body for patterns, body in cases if not patterns or digits in patterns), ())
    return tuple(result)


def folded(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """Return statements with assignments that follow each other made as few as possible."""
    result: list[Statement] = []
    parts: dict[int, Bits] = {}

    def flush() -> None:
        run: list[Bits] = []
        start = 0
        for low in sorted(parts):
            if run and start + width_of(tuple(run)) != low:
                result.append(Assign(start, joined(run)))
                run = []
            start = start if run else low
            run.append(parts[low])
        if run:
            result.append(Assign(start, joined(run)))
        parts.clear()

    for statement in statements:
        if isinstance(statement, Switch):
            flush()
            result.append(statement)
            continue
        low, high = statement.low, statement.low + width_of(statement.value)
        for place in [place for place in parts if place < high and place + parts[place].width > low]:
            old = parts.pop(place)
            end = place + old.width
            for first, last in ((place, min(low, end)), (max(high, place), end)):
                if first < last:
                    (parts[first],) = cut((old,), first - place, last - first)
        at = low
        for part in statement.value:
            parts[at] = part
            at += part.width
    flush()
    return tuple(result)


def without_overlap(
    cases: Iterable[tuple[tuple[str, ...], tuple[Statement, ...]]],
) -> tuple[tuple[tuple[str, ...], tuple[Statement, ...]], ...] | None:
    """Return cases in which no pattern comes twice, or ``None`` if patterns are not just constants."""
    seen: set[str] = set()
    result = []
    for patterns, body in cases:
        if any("-" in pattern for pattern in patterns):
            return None
        new = tuple(dict.fromkeys(pattern for pattern in patterns if pattern not in seen))
        seen.update(new)
        if new or not patterns:
            result.append((new, body))
        if not patterns:
            break
    return tuple(result)


def computed(cell: Cell) -> int | None:
    """Return the value of an operator on constants, or of a comparison that has only one outcome."""
    ports, kind = cell.ports, cell.kind
    operands = [value_of(ports[port]) for port in ("A", "B") if port in ports]
    width = width_of(ports["A"])
    signed = kind == "$sshr" or cell.flag("SIGNED")
    low, high = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)

    def number(value: int) -> int:
        return value - (1 << width) if value > high else value

    if kind in _ORDERING and operands[1] is not None:
        limit = number(operands[1])
        if limit == low and kind in ("$lt", "$ge"):
            return int(kind == "$ge")
        if limit == high and kind in ("$gt", "$le"):
            return int(kind == "$le")
    if kind in _ORDERING and operands[0] is not None:
        limit = number(operands[0])
        if limit == low and kind in ("$gt", "$le"):
            return int(kind == "$le")
        if limit == high and kind in ("$lt", "$ge"):
            return int(kind == "$ge")
    if None in operands or kind not in _PYTHON:
        return None
    first, *rest = (operand for operand in operands if operand is not None)
    if signed:
        first = number(first)
        rest = [number(other) for other in rest] if kind in _ORDERING else rest
    if kind == "$reduce_and":
        return int(first == (1 << width) - 1)
    return int(_PYTHON[kind](first, *rest))
