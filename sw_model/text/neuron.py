# SPDX-License-Identifier: BSD-2-Clause
"""Neurons as text: difference equations of one tick, compiled to shifts and additions.

``v = v - v/16 + u0`` says what a state is after the next tick, by the states, ports and noise before it. Each equation
is linear: a sum of numbers times ``u0``, ``u1``, ``noise`` and states, and a constant, which becomes the bias.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from erbium.sw_model.programs import (
    MAX_OPERATIONS,
    MAX_SHIFT,
    MAX_STATES,
    DescriptionError,
    NeuronProgram,
    Operation,
    check_name,
)
from erbium.sw_model.text.formula import product_text, sum_of_products

SMALLEST = Fraction(1, 1 << MAX_SHIFT)


@dataclass(frozen=True)
class Coefficient:
    """One coefficient: what was asked, and what its operations make.

    Attributes
    ----------
    state, source : str
    asked, got : Fraction
    """

    state: str
    source: str
    asked: Fraction
    got: Fraction

    @property
    def error(self) -> float:
        """How far it is off, relative to what was asked."""
        return float(self.got / self.asked - 1)


@dataclass(frozen=True)
class CompiledNeuron:
    """A program, and what each coefficient became.

    Attributes
    ----------
    program : NeuronProgram
    coefficients : tuple of Coefficient
    """

    program: NeuronProgram
    coefficients: tuple[Coefficient, ...]

    def report(self) -> str:
        """Return one line for each coefficient, with its error in percent."""
        lines = [f"{len(self.program.operations)} of {MAX_OPERATIONS} operations"]
        for c in self.coefficients:
            lines.append(f"{c.state} <- {float(c.got):+.6g} * {c.source} ({100 * c.error:+.2f} %)")
        return "\n".join(lines)


def neuron_from_text(
    name: str,
    equations: Sequence[str],
    *,
    threshold: int,
    tolerance: float = 0.01,
    reset: Mapping[str, tuple[str, int]] | None = None,
    initial: Mapping[str, int] | None = None,
    **others: Any,
) -> CompiledNeuron:
    """Compile a neuron.

    Parameters
    ----------
    name : str
    equations : sequence of str
        One for each state, such as ``"v = v - v/16 + u0"``. The first state is compared with the threshold.
    threshold : int
    tolerance : float
        How far a coefficient may be off, relative to itself, while there are operations left to come nearer.
    reset : dict of (str, int), optional
        By state: ``("set", 0)``, ``("add", -256)`` or ``("max", 2560)``, what a spike does.
    initial : dict of int, optional
        By state.
    others
        Further fields of :class:`~erbium.sw_model.programs.NeuronProgram`: `adaptive`, `refractory`, `hold`, ...

    Raises
    ------
    DescriptionError
        For a term that is not linear, a constant that is no integer, a coefficient too small for any shift, or more
        operations than there are.
    """
    sides = [equation.partition("=") for equation in equations]
    states = tuple(left.strip() for left, _, _ in sides)
    for (left, equals, _), state in zip(sides, states, strict=True):
        if not equals:
            raise DescriptionError(f"the equation {left!r} has no '='; it says what a state is after a tick")
        check_name("a state", state, identifier=True)
        if state in ("u0", "u1", "noise"):
            raise DescriptionError(
                f"a state is called {state!r}, which is the name of a port or of the noise"
            )
    if len(set(states)) != len(states) or not 1 <= len(states) <= MAX_STATES:
        raise DescriptionError(
            f"the states are {', '.join(states)}; there are 1 to {MAX_STATES}, each of them once"
        )
    names = frozenset({*states, "u0", "u1", "noise"})
    sums = [sum_of_products(right, names) for _, _, right in sides]
    asked: list[tuple[int, str, Fraction]] = []
    bias = [0] * len(states)
    for number, terms in enumerate(sums):
        for product, value in terms.items():
            if len(product) > 1:
                raise DescriptionError(
                    f"the equation of {states[number]!r} has the term '{product_text(product)}'; a neuron program is "
                    "linear between its spikes"
                )
            if not product:
                if value.denominator != 1:
                    raise DescriptionError(
                        f"the constant of {states[number]!r} is {float(value):g}; it must be an integer"
                    )
                bias[number] = int(value)
        for source in (*states, "u0", "u1", "noise"):
            value = terms.get((source,), Fraction(0)) - (source == states[number])
            if value:
                asked.append((number, source, value))
    parts = _shared_out(states, asked, tolerance)
    operations = [
        Operation(number, _source(source, states), shift, sign)
        for (number, source, _), powers in zip(asked, parts, strict=True)
        for shift, sign in powers
    ]
    resets = {state: (reset or {}).get(state, ("none", 0)) for state in states}
    _check_keys("reset", reset, states)
    _check_keys("initial", initial, states)
    program = NeuronProgram(
        name=name,
        states=states,
        operations=tuple(operations),
        n_ports=1 + any(source == "u1" for _, source, _ in asked),
        threshold=threshold,
        bias=tuple(bias),
        reset_mode=tuple(mode for mode, _ in resets.values()),  # type: ignore[misc]
        reset_value=tuple(value for _, value in resets.values()),
        initial=tuple((initial or {}).get(state, 0) for state in states),
        **others,
    )
    coefficients = tuple(
        Coefficient(states[number], source, value, made(powers))
        for (number, source, value), powers in zip(asked, parts, strict=True)
    )
    return CompiledNeuron(program, coefficients)


Powers = list[tuple[int, int]]
"""Shift and sign of each operation of one coefficient."""


def made(powers: Powers) -> Fraction:
    """Return the coefficient that operations make."""
    return sum((Fraction(sign, 1 << shift) for shift, sign in powers), Fraction(0))


def _shared_out(
    states: tuple[str, ...], asked: list[tuple[int, str, Fraction]], tolerance: float
) -> list[Powers]:
    """Return operations for each coefficient: one for each, then always one more where the error is largest."""
    parts: list[Powers] = [[] for _ in asked]
    for (number, source, value), powers in zip(asked, parts, strict=True):
        if abs(value) < SMALLEST / 2:
            raise DescriptionError(
                f"the coefficient of {source} in the equation of {states[number]!r} is {float(value):g}; the smallest "
                f"of a shift by {MAX_SHIFT} is {float(SMALLEST):g}"
            )
        # A whole number takes an operation for each 1: a shift goes to the right only.
        while not powers or (abs(value - made(powers)) >= 1 and len(powers) <= MAX_OPERATIONS):
            powers.append(_next(value - made(powers)))

    def error(place: int) -> float:
        value = asked[place][2]
        rest = value - made(parts[place])
        return 0.0 if abs(rest) < SMALLEST / 2 else float(abs(rest / value))

    while (
        sum(map(len, parts)) < MAX_OPERATIONS and max(map(error, range(len(parts))), default=0.0) > tolerance
    ):
        worst = max(range(len(parts)), key=error)
        parts[worst].append(_next(asked[worst][2] - made(parts[worst])))
    total = sum(map(len, parts))
    if total > MAX_OPERATIONS:
        raise DescriptionError(
            f"the equations need {total} operations with one power of two for each coefficient; there are "
            f"{MAX_OPERATIONS}"
        )
    return parts


def _next(rest: Fraction) -> tuple[int, int]:
    """Return the power of two that is nearest to what is left of a coefficient."""
    shift = min(range(MAX_SHIFT + 1), key=lambda k: abs(abs(rest) - Fraction(1, 1 << k)))
    return shift, 1 if rest > 0 else -1


def _source(source: str, states: tuple[str, ...]) -> str:
    return f"x{states.index(source)}" if source in states else source


def _check_keys(what: str, given: Mapping[str, object] | None, states: tuple[str, ...]) -> None:
    for state in given or {}:
        if state not in states:
            raise DescriptionError(
                f"{what} names {state!r}, which is no state; there are {', '.join(states)}"
            )
