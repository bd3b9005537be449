# SPDX-License-Identifier: BSD-2-Clause
"""Three-factor rules as text, in the form that users of Lava know, compiled to a :class:`HistoryRule`.

=========== =========================================== ========================================================
product     means                                       becomes
=========== =========================================== ========================================================
``y0 * x1`` postsynaptic spike times presynaptic trace  the causal term: heights of `x1` at the zones
``x0 * y1`` presynaptic spike times postsynaptic trace  the acausal term: heights of `y1`
``x0``      presynaptic spike                           the presynaptic term
``r1``      with each of them: the third factor         the word M
=========== =========================================== ========================================================

``dw = 2^-8 * r1 * (16 * y0 * x1 - 4 * x0 * y1)`` is a rule of a reward: what is outside of the parentheses becomes the
rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from erbium.sw_model.programs import DescriptionError
from erbium.sw_model.rules.history import MAX_HEIGHT_SHIFT, MAX_ROUNDING, HistoryRule, PlasticityWord
from erbium.sw_model.text.formula import Product, product_text, sum_of_products

NAMES = frozenset({"x0", "y0", "x1", "y1", "r1"})


@dataclass(frozen=True)
class Trace:
    """An exponential trace, as it is seen by a spike that comes `d` ticks after the one that set it.

    Parameters
    ----------
    impulse : float
        Its value right after a spike.
    tau : float
        Ticks in which it falls to 1/e; infinity for one that does not fall within the window.
    """

    impulse: float = 1.0
    tau: float = math.inf

    def __post_init__(self) -> None:
        if not (math.isfinite(self.impulse) and self.tau > 0):
            raise DescriptionError(
                f"a trace has impulse {self.impulse} and tau {self.tau}; the first is finite, the second above 0 ticks"
            )

    def mean(self, begin: int, end: int) -> float:
        """Return its mean over ticks ``begin ... end - 1``."""
        if begin >= end:
            return 0.0
        return sum(self.impulse * math.exp(-d / self.tau) for d in range(begin, end)) / (end - begin)


@dataclass(frozen=True)
class CompiledRule:
    """A rule, and what it cost to say it in powers of two.

    Attributes
    ----------
    rule : HistoryRule
    errors : dict of float
        By the name of a height, such as ``causal[0]``: how far it is from the asked one, relative to that.
    """

    rule: HistoryRule
    errors: dict[str, float]

    def report(self) -> str:
        """Return one line for each height, with its error in percent."""
        rule, lines = self.rule, [f"rounding: {self.rule.rounding} bits"]
        heights = {f"causal[{k}]": h for k, h in enumerate(rule.causal)}
        heights |= {f"acausal[{k}]": h for k, h in enumerate(rule.acausal)} | {
            "presynaptic": rule.presynaptic
        }
        for name, error in self.errors.items():
            lines.append(f"{name}: {heights[name]} ({100 * error:+.1f} %)")
        return "\n".join(lines)


def rule_from_text(
    text: str,
    *,
    x1: Trace | None = None,
    y1: Trace | None = None,
    r1: PlasticityWord | None = None,
    window: int = 32,
    zones: tuple[int, int] = (5, 13),
    soft: bool = False,
    lowest: int | None = None,
    highest: int | None = None,
) -> CompiledRule:
    """Compile a rule.

    Parameters
    ----------
    text : str
        ``dw = ...``, a sum of the products of the table above with numbers.
    x1, y1 : Trace, optional
        The traces that the text names.
    r1 : PlasticityWord, optional
        What the third factor is.
    window, zones, soft, lowest, highest
        See :class:`~erbium.sw_model.rules.history.HistoryRule`.

    Raises
    ------
    DescriptionError
        For a term that the machine does not have, naming it.
    """
    left, equals, right = text.partition("=")
    if not equals or left.strip() != "dw":
        raise DescriptionError(f"the rule {text!r} must begin with 'dw ='")
    terms: dict[str, tuple[Fraction, bool]] = {}
    for product, value in sum_of_products(right, NAMES).items():
        name, by_word = _term(product, x1, y1, r1)
        if name in terms:
            raise DescriptionError(
                f"the rule has the {name} term with r1 and without it; the machine has each term once"
            )
        terms[name] = value, by_word
    if not terms:
        raise DescriptionError(f"the rule {text!r} changes no weight")
    starts, ends = (0, *zones), (*zones, window)
    asked: dict[str, float] = {}
    for name, trace in (("causal", x1), ("acausal", y1)):
        if name in terms and trace is not None:
            for k, (begin, end) in enumerate(zip(starts, ends, strict=True)):
                asked[f"{name}[{k}]"] = float(terms[name][0]) * trace.mean(begin, end)
    if "presynaptic" in terms:
        asked["presynaptic"] = float(terms["presynaptic"][0])
    rounding = _rounding(list(asked.values()))
    heights = {name: nearest_power(value * 2.0**rounding) for name, value in asked.items()}
    errors = {
        name: heights[name] / (value * 2.0**rounding) - 1 if value else 0.0 for name, value in asked.items()
    }
    rule = HistoryRule(
        word=r1 or PlasticityWord(inside=1, outside=1),
        window=window,
        zones=zones,
        causal=_zone_heights(heights, "causal"),
        acausal=_zone_heights(heights, "acausal"),
        presynaptic=heights.get("presynaptic", 0),
        by_word=(
            terms.get("causal", (0, False))[1],
            terms.get("acausal", (0, False))[1],
            terms.get("presynaptic", (0, False))[1],
        ),
        rounding=rounding,
        soft=soft,
        lowest=lowest,
        highest=highest,
    )
    return CompiledRule(rule, errors)


def nearest_power(value: float) -> int:
    """Return 0 or the power of two, of either sign, that is nearest to a value in ratio; below a half it is 0."""
    if abs(value) < 0.5:
        return 0
    shift = min(max(round(math.log2(abs(value))), 0), MAX_HEIGHT_SHIFT)
    return int(math.copysign(1 << shift, value))


def _term(
    product: Product, x1: Trace | None, y1: Trace | None, r1: PlasticityWord | None
) -> tuple[str, bool]:
    """Return which term a product is, and whether the word multiplies it."""
    by_word = "r1" in product
    rest = tuple(name for name in product if name != "r1")
    known = {
        ("x1", "y0"): ("causal", "x1", x1),
        ("x0", "y1"): ("acausal", "y1", y1),
        ("x0",): ("presynaptic", "", True),
    }
    if rest not in known or product.count("r1") > 1:
        raise DescriptionError(
            f"the rule has the term '{product_text(product)}', which the machine does not have; it has y0 * x1, "
            "x0 * y1 and x0, each with r1 or without"
        )
    name, trace, given = known[rest]
    if given is None:
        raise DescriptionError(
            f"the rule names the trace {trace}, which is not given: {trace}=Trace(impulse, tau)"
        )
    if by_word and r1 is None:
        raise DescriptionError("the rule names the factor r1, which is not given: r1=PlasticityWord(...)")
    return name, by_word


def _rounding(values: list[float]) -> int:
    """Return the fewest bits of rounding with which all heights are exact, else those with which they are finest."""
    for bits in range(MAX_ROUNDING + 1):
        scaled = [value * 2.0**bits for value in values]
        if all(nearest_power(value) == value for value in scaled):
            return bits
    largest = max(abs(value) for value in values)
    if largest * 2.0**0 > 1 << MAX_HEIGHT_SHIFT:
        raise DescriptionError(
            f"the rule has a height of {largest:g}; the largest of the machine is {1 << MAX_HEIGHT_SHIFT}"
        )
    return min(MAX_ROUNDING, int(math.log2((1 << MAX_HEIGHT_SHIFT) / largest)))


def _zone_heights(heights: dict[str, int], name: str) -> tuple[int, int, int]:
    return heights.get(f"{name}[0]", 0), heights.get(f"{name}[1]", 0), heights.get(f"{name}[2]", 0)
