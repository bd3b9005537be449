# SPDX-License-Identifier: BSD-2-Clause
"""Rules of the pass at the end of a sample as text, compiled to an :class:`EndRule`.

========= ==========================================================================================
name      means
========= ==========================================================================================
``x``     1 where the row spiked in the sample, else 0
``w``     the weight
``w_max`` its largest value, ``w_min`` its smallest; both are numbers where the rule gives bounds
``r1``    the third factor: the sign of the word M
========= ==========================================================================================

``dw = r1 * (x * (w_max - w) / 16 - (1 - x) * (w - w_min) / 16)`` is winner-take-all learning. A row that spiked moves
towards `w_max`, one that did not towards `w_min`, each by a power of two of its way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from erbium.sw_model.programs import DescriptionError
from erbium.sw_model.rules.end import END_ROUNDING, EVERY_NEURON, EndRule
from erbium.sw_model.rules.history import PlasticityWord
from erbium.sw_model.text.formula import Sum, product_text, sum_of_products

NAMES = frozenset({"x", "w", "w_max", "w_min", "r1"})
HAS = "r1 * (x * (w_max - w) / 2^n - (1 - x) * (w - w_min) / 2^m), the second part or not"


@dataclass(frozen=True)
class CompiledEndRule:
    """A rule, and what it cost to say its rates in powers of two.

    Attributes
    ----------
    rule : EndRule
    errors : dict of float
        Of ``up`` and ``down``: how far the rate is from the asked one, relative to that.
    """

    rule: EndRule
    errors: dict[str, float]

    def report(self) -> str:
        """Return one line for each rate, with its error in percent."""
        return "\n".join(
            f"{name}: 1/{1 << getattr(self.rule, name)} of the way ({100 * error:+.1f} %)"
            for name, error in self.errors.items()
        )


def end_rule_from_text(
    text: str, *, r1: PlasticityWord | None = None, lowest: int | None = None, highest: int | None = None
) -> CompiledEndRule:
    """Compile a rule.

    Parameters
    ----------
    text : str
        ``dw = ...``, a sum of products of the names above and numbers.
    r1 : PlasticityWord, optional
        What the third factor is, if the text has it.
    lowest, highest : int, optional
        Bounds of the weights.

    Raises
    ------
    DescriptionError
        For what the pass does not have, naming the product; for a rate above 1 or below 1/256.
    """
    left, equals, right = text.partition("=")
    if not equals or left.strip() != "dw":
        raise DescriptionError(f"the rule {text!r} does not begin with 'dw ='")
    products = sum_of_products(right, NAMES)
    if not products:
        raise DescriptionError(f"the rule {text!r} changes nothing")
    factors = {"r1" in product for product in products}
    if factors == {True, False} or any(product.count("r1") > 1 for product in products):
        raise DescriptionError(
            f"the factor r1 of the rule {text!r} is not that of every term, once; it has {HAS}"
        )
    if True in factors and r1 is None:
        raise DescriptionError("the rule names the factor r1, which is not given: r1=PlasticityWord(...)")
    spiked, silent = _of_rows(products, 1), _of_rows(products, 0)
    up = _towards(spiked, "w_max", lowest, highest)
    down = _towards(silent, "w_min", lowest, highest) if silent else None
    shifts = {name: _shift(rate) for name, rate in (("up", up), ("down", down)) if rate is not None}
    errors = {
        name: float(Fraction(1, 1 << shifts[name]) / rate - 1)
        for name, rate in (("up", up), ("down", down))
        if rate is not None
    }
    rule = EndRule(
        word=EVERY_NEURON if r1 is None or False in factors else r1,
        rows="all" if silent else "spiked",
        lowest=lowest,
        highest=highest,
        **shifts,
    )
    return CompiledEndRule(rule, errors)


def _of_rows(products: Sum, x: int) -> Sum:
    """Return what is left of a sum, without r1, for rows that spiked (x = 1) or did not (0)."""
    result: Sum = {}
    for product, value in products.items():
        if x or "x" not in product:
            rest = tuple(name for name in product if name not in ("x", "r1"))
            result[rest] = result.get(rest, Fraction(0)) + value
    return {product: value for product, value in result.items() if value}


def _towards(step: Sum, bound: str, lowest: int | None, highest: int | None) -> Fraction:
    """Return the rate c of ``c * (bound - w)``."""
    numbers = {"w_max": highest, "w_min": lowest}
    rest = dict(step)
    rate = -rest.pop(("w",), Fraction(0))
    target = Fraction(0)
    if (bound,) in rest:
        target = rest.pop((bound,)) - rate
    elif numbers[bound] is not None:
        target = rest.pop((), Fraction(0)) - rate * Fraction(numbers[bound] or 0)
    elif rate > 0:
        rest.setdefault((bound,), Fraction(0))
    if rest or target or rate <= 0:
        foreign = [product for product in rest if len(product) > 1] or (list(rest) if rate > 0 else [])
        wrong = foreign[0] if foreign else ("w",)
        rows = "spiked" if bound == "w_max" else "did not spike"
        raise DescriptionError(
            f"for rows that {rows} the rule has the term '{product_text(wrong)}' that makes it no step from w towards "
            f"{bound}; the pass has {HAS}"
        )
    return rate


def _shift(rate: Fraction) -> int:
    if not Fraction(1, 1 << END_ROUNDING) <= rate <= 1:
        raise DescriptionError(
            f"a rate of the rule is {float(rate):g}; it must be from 1/{1 << END_ROUNDING} to 1"
        )
    return round(-math.log2(rate))
