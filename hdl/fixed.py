# SPDX-License-Identifier: BSD-2-Clause
"""Integer arithmetic that the components share, as expressions. No multiplier anywhere."""

from collections.abc import Iterable

from amaranth.hdl import Cat, Const, Mux, Signal, Value


def saturated_sum(a: Value, b: Value, width: int) -> Value:
    """Return ``a + b`` of signed values, saturated to `width` bits signed."""
    total = a + b
    high = Const((1 << (width - 1)) - 1, width)
    low = Const(1 << (width - 1), width)
    sign, rest = total[-1], total[width - 1 : -1]
    fits = Mux(sign, rest.all(), ~rest.any())
    return Mux(fits, total[:width], Mux(sign, low, high)).as_signed()


def clamped(value: Value, low: int, high: int) -> Value:
    """Return a signed value clamped to ``low ... high``."""
    return Mux(value < low, Const(low), Mux(value > high, Const(high), value))


def product(value: Value, factor: int) -> Value:
    """Return ``value * factor`` for a constant factor >= 0 as a sum of shifted terms (canonical signed digits)."""
    terms: list[Value] = []
    shift = 0
    while factor:
        if factor & 1:
            digit = 2 - (factor & 3)
            terms.append((value << shift) if digit > 0 else -(value << shift))
            factor -= digit
        factor >>= 1
        shift += 1
    return total_of(terms)


def total_of(terms: Iterable[Value]) -> Value:
    """Return the sum of any number of values, added in pairs."""
    level = list(terms) or [Const(0)]
    while len(level) > 1:
        level = [sum_of_two(level[k : k + 2]) for k in range(0, len(level), 2)]
    return level[0]


def sum_of_two(pair: list[Value]) -> Value:
    """Return the sum of one or two values."""
    return pair[0] if len(pair) == 1 else pair[0] + pair[1]


def reversed_bits(value: Value) -> Value:
    """Return the bits of a value in reversed order."""
    return Cat(*reversed([value[bit] for bit in range(len(value))]))


def delayed(m, value: Value, clocks: int, name: str) -> Value:
    """Return `value` delayed by a number of clocks."""
    for clock in range(clocks):
        register = Signal(value.shape(), name=f"{name}_{clock + 1}")
        m.d.sync += register.eq(value)
        value = register
    return value
