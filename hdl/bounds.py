# SPDX-License-Identifier: BSD-2-Clause
"""Comparisons with constants as plain logic: a carry chain for them would take a cell per bit."""

from itertools import groupby

from amaranth.hdl import Cat, Const, Mux, Value

FEW_RUNS = 4
"""Runs of equal bits in a limit, at most, for which tests of bits are built: powers of two have one or two."""


def exceeds(value: Value, limit: int) -> Value:
    """Return whether an unsigned value is larger than a constant, which is at least -1."""
    if limit < 0:
        return Const(1, 1)
    if limit >> len(value):
        return Const(0, 1)
    larger: Value = Const(0, 1)
    start = 0
    # From the lowest bit on: the highest one that differs decides.
    for bit, run in groupby(limit >> place & 1 for place in range(len(value))):
        part = value[start : (start := start + len(list(run)))]
        if not bit:
            larger = part.any() | larger
        elif start > len(part):
            larger = part.all() & larger
    return larger


def above(value: Value, limit: int) -> Value:
    """Return whether a signed value is larger than a constant: as tests of bits where the constant has few runs."""
    half = 1 << len(value) - 1
    if limit >= half - 1:
        return Const(0, 1)
    if limit < -half:
        return Const(1, 1)
    # With the sign turned around the order is that of unsigned numbers.
    bits = f"{limit + half:0{len(value)}b}".rstrip("1")
    if len(list(groupby(bits))) > FEW_RUNS:
        return value.as_signed() > limit
    return exceeds(Cat(value[:-1], ~value[-1]), limit + half)


def at_least(value: Value, limit: int) -> Value:
    """Return whether a signed value is a constant or larger."""
    return above(value, limit - 1)


def clamped(value: Value, low: int, high: int) -> Value:
    """Return a signed value clamped to ``low ... high``."""
    return Mux(at_least(value, low), Mux(above(value, high), Const(high), value), Const(low))
