# SPDX-License-Identifier: BSD-2-Clause
"""The arithmetic that the components share, for all operands."""

from __future__ import annotations

from amaranth.hdl import Mux, Value, signed

from erbium.hdl.bounds import above, at_least, clamped, exceeds
from erbium.hdl.fixed import product, quotient, reversed_bits, saturated_sum, total_of
from erbium.verif.formal.claim import Claim
from erbium.verif.formal.proof import Proof
from erbium.verif.planted import Fault

BOUNDS_WIDTH = 7
LIMITS = range(-(1 << BOUNDS_WIDTH) - 1, (1 << BOUNDS_WIDTH) + 2)
"""Each limit that a value of so many bits can meet, and those beyond both ends."""


def bounds() -> Claim:
    """Compare every comparison with a constant with the operator."""
    claim = Claim()
    value = claim.free(signed(BOUNDS_WIDTH), "value")
    plain = value.as_unsigned()
    for limit in LIMITS:
        claim.holds(above(value, limit) == (value > limit))
        claim.holds(at_least(value, limit) == (value >= limit))
        if limit >= -1:
            claim.holds(exceeds(plain, limit) == (plain > limit))
    claim.reached(above(value, 3) & ~above(value, 4))
    return claim


def clip() -> Claim:
    """Compare the clamp with minimum and maximum, at each pair of limits that the presets have and at odd ones."""
    claim = Claim()
    value = claim.free(signed(16), "value")
    for low, high in (
        (-32768, 32767),
        (-4096, 4095),
        (0, 511),
        (-1, 0),
        (-129, 130),
        (-32767, 32766),
        (5, 5),
    ):
        clipped = clamped(value, low, high)
        claim.holds(clipped == clip_of(value, low, high))
    claim.reached(clamped(value, -129, 130) == 130)
    return claim


def clip_of(value: Value, low: int, high: int) -> Value:
    """Return ``clip(value, low, high)`` as the contract writes it."""
    return Mux(value < low, low, Mux(value > high, high, value))


def sat16(value: Value) -> Value:
    """Return the clip to -32768 ... 32767."""
    return clip_of(value, -32768, 32767)


def saturation() -> Claim:
    """Compare the saturated sum with the clip of the sum."""
    claim = Claim()
    a, b = claim.free(signed(16), "a"), claim.free(signed(16), "b")
    claim.holds(saturated_sum(a, b) == sat16(a + b))
    # Both ends.
    claim.reached((saturated_sum(a, b) == 32767) & (a + b > 32767))
    claim.reached((saturated_sum(a, b) == -32768) & (a + b < -32768))
    return claim


def products() -> Claim:
    """Compare products and quotients by constants, made of shifts, with multiplication and division."""
    claim = Claim()
    value = claim.free(10, "value")
    for factor in range(66):
        claim.holds(product(value, factor) == value * factor)
    for divisor in (*range(1, 13), 24, 50, 64, 100, 200):
        for limit in (10, 600, 1024):
            here = value < limit
            # The quotient q of value by divisor: q * divisor <= value < (q + 1) * divisor.
            q = claim.named(quotient(value, divisor, limit), f"q_{divisor}_{limit}")
            claim.holds(~here | ((q * divisor <= value) & (value < q * divisor + divisor)))
    claim.reached(value == 599)
    return claim


def sums() -> Claim:
    """Compare a sum in pairs with a sum in turn, and the reversed bits with each bit by itself."""
    claim = Claim()
    values = [claim.free(signed(8), f"value_{k}") for k in range(7)]
    for count in range(1, 8):
        in_turn: Value = values[0]
        for value in values[1:count]:
            in_turn = in_turn + value
        claim.holds(total_of(values[:count]) == in_turn)
    plain = values[0].as_unsigned()
    turned = claim.named(reversed_bits(plain), "turned")
    for bit in range(8):
        claim.holds(turned[7 - bit] == plain[bit])
    claim.reached(turned == 1)
    return claim


PROOFS = (
    Proof(
        "bounds",
        "all-limits",
        bounds,
        "comparisons of a signed and an unsigned number with a constant are `>` and `>=`, for every 7-bit number and "
        "every limit, those beyond both ends included",
        "all inputs",
        Fault("bounds", "if limit >= half - 1:", "if limit >= half - 2:"),
        "a value at a limit",
    ),
    Proof(
        "bounds",
        "clip",
        clip,
        "the clamp of a 16-bit number is `min(max(value, low), high)`, for seven pairs of limits",
        "all inputs",
        Fault(
            "bounds",
            "Mux(above(value, high), Const(high), value)",
            "Mux(above(value, high), Const(high - 1), value)",
        ),
        "the upper limit",
        source="contract, One sample: sat16 and clamp",
    ),
    Proof(
        "fixed",
        "saturation",
        saturation,
        "the saturated sum of two 16-bit numbers is the clip of their sum to −32768 … 32767",
        "all inputs",
        Fault("fixed", "Cat((~sign).replicate(len(a) - 1), sign)", "Cat(sign.replicate(len(a) - 1), sign)"),
        "both ends",
        source="contract, One sample, 2: u0 ← sat16(u0 + w)",
    ),
    Proof(
        "fixed",
        "products",
        products,
        "products with 0 … 65 and quotients by 17 divisors, made of shifts and additions, are products and quotients",
        "all inputs",
        Fault("fixed", "* limit > 1 << shift:", "* limit > 4 << shift:"),
        "the largest value below a limit",
    ),
    Proof(
        "fixed",
        "sums",
        sums,
        "a sum in pairs is the sum; bit b of the dither is bit 7 − b of the tick",
        "all inputs",
        Fault("fixed", "Cat(*reversed([value[bit]", "Cat(*([value[bit]"),
        "a dither of 1",
        source="contract, The neuron program, 2: q(t)",
    ),
)
