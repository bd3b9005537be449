# SPDX-License-Identifier: BSD-2-Clause
"""Axes of a sweep, as people write them, and the points that they span."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from erbium.sw_model.programs import DescriptionError, check_range

Value = int | float | bool | str | tuple[Any, ...]
Settings = dict[str, Value]

MAX_POINTS = 1_000_000

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?:([+*])({_NUMBER}))?")

HINT = "write FIELD=VALUES, such as layers.0.weight_width=6,8,10 or hardware.lanes=16..128*2"


@dataclass(frozen=True)
class Axis:
    """Fields that take their values together: at value k each takes its k-th."""

    fields: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


def parse_value(text: str) -> Value:
    """Read one value: an integer, another number, true or false, else a word."""
    text = text.strip()
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)


def parse_setting(text: str) -> tuple[str, Value]:
    """Read ``FIELD=VALUE``."""
    field, values = parse_axis(text)
    if len(values) != 1:
        raise DescriptionError(f"{text!r} has {len(values)} values; to try several, use --over")
    return field, values[0]


def parse_axis(text: str) -> tuple[str, tuple[Value, ...]]:
    """Read ``FIELD=VALUES``.

    VALUES are values and ranges with commas between them. ``a..b`` goes from a to b in steps of 1, ``a..b+s`` in
    steps of s, ``a..b*f`` by the factor f; b belongs to it if it is met.

    Raises
    ------
    DescriptionError
        If it is nothing of the kind.
    """
    field, equals, right = text.partition("=")
    field = field.strip()
    if not field or not equals or not right.strip():
        raise DescriptionError(f"{text!r} is no axis of a sweep; {HINT}")
    values = [value for part in right.split(",") for value in _values(part, text)]
    return field, _distinct(field, values)


def _values(part: str, text: str) -> Sequence[Value]:
    if not part.strip():
        raise DescriptionError(f"{text!r} has an empty value; {HINT}")
    found = _RANGE.fullmatch(part.strip())
    if found is None:
        return [parse_value(part)]
    first, last = parse_value(found[1]), parse_value(found[2])
    kind, step = found[3] or "+", parse_value(found[4] or "1")
    assert isinstance(first, int | float)
    assert isinstance(last, int | float)
    assert isinstance(step, int | float)
    grows = step > 1 and first > 0 if kind == "*" else step > 0
    if not grows or last < first:
        raise DescriptionError(
            f"range {part.strip()!r} does not go up; write a..b, a..b+step or a..b*factor with a below b, a step "
            "above 0 and a factor above 1"
        )
    return _walk(first, last, kind, step)


def _walk(first: float, last: float, kind: str, step: float) -> list[Value]:
    values: list[Value] = []
    value, k = first, 0
    # A little more, so that 0.1 + 0.1 + 0.1 meets 0.3.
    while value <= last * (1 + 1e-9) if last > 0 else value <= last + 1e-12:
        values.append(value if isinstance(value, int) else float(f"{value:.10g}"))
        k += 1
        check_range("number of values of a range", k, 1, MAX_POINTS)
        value = first * step**k if kind == "*" else first + step * k
    return values


def _distinct(field: str, values: Sequence[Value]) -> tuple[Value, ...]:
    for k, value in enumerate(values):
        if value in values[:k]:
            raise DescriptionError(f"{field} has the value {value} twice; leave one of them out")
    return tuple(values)


def join(over: dict[str, tuple[Value, ...]], zips: Sequence[Sequence[str]]) -> list[Axis]:
    """Return the axes of a sweep in the order in which they were given.

    Parameters
    ----------
    over : dict
        Values of each field.
    zips : sequence of sequence of str
        Fields that walk together.

    Raises
    ------
    DescriptionError
        If such fields are no axes, or have different numbers of values.
    """
    partners: dict[str, tuple[str, ...]] = {}
    for names in zips:
        group = tuple(names)
        for name in group:
            if name not in over:
                raise DescriptionError(f"--zip names {name!r}, which has no values; give it some with --over")
            if name in partners:
                raise DescriptionError(f"--zip names {name!r} twice; a field walks with one group")
            partners[name] = group
        lengths = {name: len(over[name]) for name in group}
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{name} has {count}" for name, count in lengths.items())
            raise DescriptionError(f"fields that walk together need as many values each; {counts}")
    axes: list[Axis] = []
    done: set[str] = set()
    for name in over:
        group = partners.get(name, (name,))
        if name not in done:
            axes.append(Axis(group, tuple(zip(*(over[member] for member in group), strict=True))))
            done.update(group)
    return axes


def points(axes: Sequence[Axis], sample: int | None = None, seed: int = 1) -> list[Settings]:
    """Return the settings of each point: the whole grid, or `sample` points of it at random.

    The last axis changes fastest. The points of a sample come in the order of the grid.
    """
    total = prod(len(axis.rows) for axis in axes)
    check_range("number of points", total, 1, MAX_POINTS if sample is None else 1 << 62)
    if sample is not None:
        check_range("--sample", sample, 1, total, ", the points of the grid")
        chosen = sorted(random.Random(seed).sample(range(total), sample))
        return [_at(axes, number) for number in chosen]
    return [_settings(axes, rows) for rows in product(*(axis.rows for axis in axes))]


def _at(axes: Sequence[Axis], number: int) -> Settings:
    rows = []
    for axis in reversed(axes):
        number, place = divmod(number, len(axis.rows))
        rows.append(axis.rows[place])
    return _settings(axes, rows[::-1])


def _settings(axes: Sequence[Axis], rows: Sequence[tuple[Value, ...]]) -> Settings:
    return {
        field: value
        for axis, row in zip(axes, rows, strict=True)
        for field, value in zip(axis.fields, row, strict=True)
    }


def spelled(settings: Settings) -> str:
    """Return settings as they are written."""
    return " ".join(f"{field}={_spelled(value)}" for field, value in settings.items()) or "as it is"


def _spelled(value: Value) -> str:
    if isinstance(value, tuple):
        return "-".join(map(str, value))
    return (
        f"{value:g}"
        if isinstance(value, float)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )
