# SPDX-License-Identifier: BSD-2-Clause
"""Integer arithmetic that the components share, as expressions. No multiplier anywhere."""

from collections.abc import Iterable

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value


def extended(value: Value, width: int) -> Value:
    """Return a signed value as `width` bits, its sign repeated."""
    return Cat(value, value[-1].replicate(width - len(value)))


def saturated_sum(a: Value, b: Value) -> Value:
    """Return the sum of two signed values of the same width, saturated to that width.

    An overflow shows in the signs alone, so the adder is no wider than its operands.
    """
    sign = a[-1]
    total = (a.as_unsigned() + b.as_unsigned())[: len(a)]
    overflow = (sign == b[-1]) & (sign != total[-1])
    return Mux(overflow, Cat((~sign).replicate(len(a) - 1), sign), total).as_signed()


def saturated(value: Value, width: int) -> Value:
    """Return a signed value saturated to fewer bits, by its upper ones."""
    fits = value[width - 1 :].all() | ~value[width - 1 :].any()
    edge = Cat((~value[-1]).replicate(width - 1), value[-1])
    return Mux(fits, value[:width], edge).as_signed()


def product(value: Value, factor: int) -> Value:
    """Return ``value * factor``, factor a constant >= 0, as a sum of shifted terms (canonical signed digits)."""
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


def quotient(value: Value, divisor: int, limit: int) -> Value:
    """Return ``value // divisor``, divisor a constant > 0, for values below `limit`, as a product and a shift."""
    shift = (divisor - 1).bit_length()
    # The reciprocal, rounded up, is too large by `excess` parts in ``divisor << shift``: that must not show.
    while (excess := -(1 << shift) % divisor) * limit > 1 << shift:
        shift += 1
    return product(value[: max(limit - 1, 1).bit_length()], ((1 << shift) + excess) // divisor) >> shift


def total_of(terms: Iterable[Value]) -> Value:
    """Return the sum of any number of values, added in pairs."""
    level = list(terms) or [Const(0)]
    while len(level) > 1:
        level = [sum_of_two(level[k : k + 2]) for k in range(0, len(level), 2)]
    return level[0]


def sum_of_two(pair: list[Value]) -> Value:
    """Return the sum of one or two values."""
    return pair[0] if len(pair) == 1 else pair[0] + pair[1]


def joined(values: Iterable[Value]) -> Value:
    """Return any number of values, one at least, joined by OR in pairs."""
    level = list(values)
    while len(level) > 1:
        pairs = [level[k : k + 2] for k in range(0, len(level), 2)]
        level = [pair[0] if len(pair) == 1 else pair[0] | pair[1] for pair in pairs]
    return level[0]


def sum_with_carry(a: Value, b: Value, carry: Value) -> Value:
    """Return ``a + b + carry`` of two signed values and a bit, with a single carry chain."""
    width = max(len(a), len(b)) + 1
    total = Cat(Const(1, 1), extended(a, width)) + Cat(carry, extended(b, width))
    return total[1 : width + 1].as_signed()


def reversed_bits(value: Value) -> Value:
    """Return the bits of a value in reversed order."""
    return Cat(*reversed([value[bit] for bit in range(len(value))]))


def delayed(m: Module, value: Value, clocks: int, name: str, *, cleared: bool = True) -> Value:
    """Return `value` delayed by clocks; what a reset need not clear has ``cleared=False``."""
    for clock in range(clocks):
        register = Signal(value.shape(), name=f"{name}_{clock + 1}", reset_less=not cleared)
        m.d.sync += register.eq(value)
        value = register
    return value
