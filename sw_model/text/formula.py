# SPDX-License-Identifier: BSD-2-Clause
"""A formula as a sum of products: what both compilers read. ``^`` is a power, numbers and names multiply and add."""

from __future__ import annotations

import ast
from collections import Counter
from fractions import Fraction

from erbium.sw_model.programs import DescriptionError

Product = tuple[str, ...]
"""Names, sorted; one that is there twice is squared."""
Sum = dict[Product, Fraction]
"""Coefficients by product; the empty product is the constant."""

LONGEST = 2000
"""Characters of a formula."""


def sum_of_products(text: str, names: frozenset[str]) -> Sum:
    """Return a formula, multiplied out.

    Parameters
    ----------
    text : str
        Of ``+ - * /``, powers with ``^`` or ``**``, parentheses, numbers and `names`; divisors and exponents are
        numbers.
    names : frozenset of str
        What may be named.

    Raises
    ------
    DescriptionError
        For anything else, naming the term.
    """
    if len(text) > LONGEST:
        raise DescriptionError(f"the formula has {len(text)} characters; it may have {LONGEST}")
    try:
        tree = ast.parse(text.replace("^", "**").strip(), mode="eval")
        return _sum(tree.body, names)
    except (SyntaxError, RecursionError, ValueError, MemoryError) as error:
        if isinstance(error, DescriptionError):
            raise
        raise DescriptionError(f"the formula {text!r} is no sum of products: {error}") from None


def product_text(product: Product) -> str:
    """Return a product as people write it."""
    counts = Counter(product)
    return " * ".join(name if count == 1 else f"{name}^{count}" for name, count in counts.items()) or "1"


def _sum(node: ast.expr, names: frozenset[str]) -> Sum:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return {(): Fraction(str(node.value))}
    if isinstance(node, ast.Name):
        if node.id not in names:
            raise DescriptionError(f"the formula names {node.id!r}; it may name {', '.join(sorted(names))}")
        return {(node.id,): Fraction(1)}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        sign = -1 if isinstance(node.op, ast.USub) else 1
        return {product: sign * value for product, value in _sum(node.operand, names).items()}
    if isinstance(node, ast.BinOp):
        return _binary(node, names)
    raise DescriptionError(
        f"the formula has {ast.unparse(node)!r}, which is no sum of products of numbers and {', '.join(sorted(names))}"
    )


def _binary(node: ast.BinOp, names: frozenset[str]) -> Sum:
    left, right = _sum(node.left, names), _sum(node.right, names)
    match node.op:
        case ast.Add():
            return _added(left, right, 1)
        case ast.Sub():
            return _added(left, right, -1)
        case ast.Mult():
            return _multiplied(left, right)
        case ast.Div():
            divisor = _number(right, node.right)
            if divisor == 0:
                raise DescriptionError(f"the formula divides by 0 in {ast.unparse(node)!r}")
            return _multiplied(left, {(): 1 / divisor})
        case ast.Pow():
            return _power(left, _number(right, node.right), node)
    raise DescriptionError(f"the formula has {ast.unparse(node)!r}; it may have +, -, *, / and powers")


def _number(value: Sum, node: ast.expr) -> Fraction:
    if any(product for product in value):
        raise DescriptionError(f"the formula has {ast.unparse(node)!r} where a number must stand")
    return value.get((), Fraction(0))


def _power(base: Sum, exponent: Fraction, node: ast.BinOp) -> Sum:
    if exponent.denominator != 1 or abs(exponent) > 32:
        raise DescriptionError(f"the exponent in {ast.unparse(node)!r} must be a whole number from -32 to 32")
    power = int(exponent)
    if power < 0:
        value = _number(base, node.left)
        if value == 0:
            raise DescriptionError(f"the formula divides by 0 in {ast.unparse(node)!r}")
        return {(): value**power}
    if power > 4 and any(product for product in base):
        raise DescriptionError(f"the power in {ast.unparse(node)!r} is too high; names may be raised up to 4")
    result: Sum = {(): Fraction(1)}
    for _ in range(power):
        result = _multiplied(result, base)
    return result


def _added(left: Sum, right: Sum, sign: int) -> Sum:
    result = dict(left)
    for product, value in right.items():
        result[product] = result.get(product, Fraction(0)) + sign * value
    return {product: value for product, value in result.items() if value}


def _multiplied(left: Sum, right: Sum) -> Sum:
    result: Sum = {}
    for one, a in left.items():
        for other, b in right.items():
            product = tuple(sorted(one + other))
            result[product] = result.get(product, Fraction(0)) + a * b
    return {product: value for product, value in result.items() if value}
