# SPDX-License-Identifier: BSD-2-Clause
"""Comparisons with constants as plain logic: a carry chain for them would take a cell per bit."""

from amaranth.hdl import Const, Value


def exceeds(value: Value, limit: int) -> Value:
    """Return whether an unsigned value is larger than a constant, which is at least -1."""
    if limit < 0:
        return Const(1, 1)
    if limit >> len(value):
        return Const(0, 1)
    larger: Value = Const(0, 1)
    for place in range(len(value)):
        # From the lowest bit on: the highest one that differs decides.
        larger = (value[place] & larger) if limit >> place & 1 else (value[place] | larger)
    return larger
