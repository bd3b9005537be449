# SPDX-License-Identifier: BSD-2-Clause
"""Quantisation: the numbers of a population as integers of the array, with the error of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from erbium.nir.dynamics import Dynamics
from erbium.nir.options import Options
from erbium.nir.report import Report
from erbium.sw_model.constants import Array
from erbium.sw_model.programs import (
    MAX_SHIFT,
    STATE_MAX,
    DescriptionError,
    NeuronProgram,
    Operation,
    ResetMode,
)

LARGEST = 127
"""A synapse transmits -127 ... 127 (8 bits) whatever its width."""

MAX_THRESHOLD = 1 << 14
"""A membrane has room for as much again above its threshold."""

LEAK_TERMS = {1: 4, 2: 3}
"""Shifts that make a leak, by how many states a neuron has: a program has at most 16 operations."""

Term = tuple[int, int]
"""Shift and sign."""


def leak_terms(leak: float, count: int) -> tuple[list[Term], float]:
    """Return a leak as a sum of at most `count` powers of two, and its value.

    Each term is the power that is nearest to what is left, so what is left falls to a third or less each time.
    """
    terms: list[Term] = []
    value = 0.0
    for _ in range(count):
        rest = leak - value
        if abs(rest) < 2.0 ** -(MAX_SHIFT + 1):
            break
        sign = 1 if rest > 0 else -1
        shift = min(max(round(-math.log2(abs(rest))), 0), MAX_SHIFT)
        if abs(rest - sign * 2.0**-shift) >= abs(rest):
            break
        terms.append((shift, sign))
        value += sign * 2.0**-shift
    return terms, value


@dataclass(frozen=True)
class Quantised:
    """One population in integers.

    Attributes
    ----------
    threshold : int
        Of the membrane, in its units.
    unit : float
        What 1 of the graph is at port 0, after the gain.
    shift : int
        By which the port is divided before the membrane takes it.
    leaks : tuple of list of Term
        Of the membrane and, if there is one, the synapse.
    drift : int
    reset : (ResetMode, int)
    late : bool
        Whether the membrane is held at its reset value for the tick after a spike.
    column : ndarray
        By which each neuron's weights are multiplied before the unit.
    """

    threshold: int
    unit: float
    shift: int
    leaks: tuple[list[Term], ...]
    drift: int
    reset: tuple[ResetMode, int]
    late: bool
    column: Array

    @property
    def spikes(self) -> bool:
        """Whether it can."""
        return self.threshold < STATE_MAX

    def program(self, name: str, *, dendrite_shift: int | None = None) -> NeuronProgram:
        """Return the neuron program; with a dendrite on port 1 if the weights are to learn by errors."""
        nothing: ResetMode = "none"
        states = [
            "v",
            *(["u"] if dendrite_shift is not None else []),
            *(["i"] if len(self.leaks) > 1 else []),
        ]
        operations = [Operation(0, "u0", self.shift), *_loss(0, 0, self.leaks[0])]
        if len(self.leaks) > 1:
            synapse = states.index("i")
            # The membrane takes the current as it is after this tick's leak and input.
            operations += [Operation(0, f"x{synapse}"), *_loss(0, synapse, self.leaks[1])]
            operations += [Operation(synapse, "u0", self.shift), *_loss(synapse, synapse, self.leaks[1])]
        if dendrite_shift is not None:
            operations += [Operation(1, "x1", dendrite_shift, -1), Operation(1, "u1")]
        others = len(states) - 1
        bounds = ([511] if dendrite_shift is not None else []) + [STATE_MAX] * (len(self.leaks) - 1)
        return NeuronProgram(
            name=name,
            states=tuple(states),
            operations=tuple(operations),
            n_ports=1 if dendrite_shift is None else 2,
            threshold=self.threshold,
            bias=(self.drift, *(0,) * others),
            lower=(-STATE_MAX - 1, *(-511 if bound == 511 else -STATE_MAX - 1 for bound in bounds)),
            upper=(STATE_MAX if self.spikes else STATE_MAX - 1, *bounds),
            reset_mode=(self.reset[0], *[nothing] * others),
            reset_value=(self.reset[1], *(0,) * others),
            refractory=int(self.late),
            hold=self.late,
        )


def _loss(destination: int, state: int, terms: Sequence[Term]) -> list[Operation]:
    return [Operation(destination, f"x{state}", shift, -sign) for shift, sign in terms]


def quantise(
    part: Dynamics, matrices: Sequence[Array], bias: Array, options: Options, report: Report
) -> tuple[Quantised, list[Array], Array]:
    """Return a population in integers, with its weights.

    Parameters
    ----------
    part : Dynamics
    matrices : sequence of ndarray
        Weights of the paths onto it, each of shape (sources, neurons).
    bias : ndarray, shape (neurons,)
    options : Options
    report : Report
        Gets a line for each number that was rounded.

    Returns
    -------
    Quantised
    list of ndarray
        Stored weights, int64.
    ndarray
        Stored bias row.
    """
    limit = part.threshold
    theta = None if limit is None else float(limit[0])
    # A neuron that is scaled as a whole spikes at the same ticks: one threshold for all, and weights to suit.
    column = part.gain if limit is None else part.gain * limit[0] / limit
    scaled = [matrix * column for matrix in matrices]
    constant = bias * column
    largest = max(float(np.abs(values).max(initial=0)) for values in (*scaled, constant))
    if largest == 0:
        raise DescriptionError(
            f"all weights onto node {part.name!r} are 0 after its gain; it would never get an event, so remove it"
        )
    unit = LARGEST / largest
    shift = _input_shift(part, scaled, unit, theta, options)
    inner = unit / 2**shift
    count = LEAK_TERMS[len(part.leaks)]
    leaks = tuple(
        _uniform_leak(part, values, count, report, "membrane" if k == 0 else "synapse")
        for k, values in enumerate(reversed(part.leaks))
    )
    threshold = STATE_MAX if theta is None else math.floor(theta * inner) + 1
    if theta is not None:
        report.add(part.name, "threshold", theta, (threshold - 0.5) / inner, f"spikes at {threshold}")
    drift = _uniform(part, "v_leak", part.drift, limit, inner, report)
    reset: tuple[ResetMode, int] = ("none", 0)
    late = False
    if theta is not None and part.reset is not None:
        kept = 1 - sum(sign * 2.0**-at for at, sign in leaks[0])
        reset, late = _reset(part, theta, inner, kept, options, report)
    whole = Quantised(threshold, unit, shift, leaks, drift, reset, late, column)
    stored = [_stored(part, "weights", values, unit, options.width, report) for values in scaled]
    row = _stored(part, "bias", constant, unit, options.width, report) if np.any(constant) else constant * 0
    return whole, stored, row.astype(np.int64)


def _input_shift(
    part: Dynamics, scaled: Sequence[Array], unit: float, theta: float | None, options: Options
) -> int:
    """Return by how many bits the input is to be smaller, for the membrane to hold what it has to."""
    if theta is not None:
        need = theta * unit / MAX_THRESHOLD
    else:
        # Half of all sources at every tick, for as long as the membrane remembers.
        most = max(np.abs(values).sum(axis=0).max(initial=0) for values in scaled) * unit / 2
        for leak in part.leaks:
            most *= min(options.n_ticks, 1 / max(float(leak.min()), 1e-6))
        need = most / STATE_MAX
    shift = max(math.ceil(math.log2(need)), 0) if need > 0 else 0
    if shift > MAX_SHIFT:
        raise DescriptionError(
            f"the threshold of node {part.name!r} is {theta:g} and its largest weight after the gain "
            f"{LARGEST / unit:g}; no neuron would spike within {options.n_ticks} ticks, so name the tick of the graph "
            "with --dt, or raise r"
        )
    return shift


def _uniform_leak(part: Dynamics, values: Array, count: int, report: Report, which: str) -> list[Term]:
    found = {tuple(leak_terms(float(value), count)[0]) for value in np.unique(values)}
    if len(found) > 1:
        raise DescriptionError(
            f"the {which}s of node {part.name!r} keep {1 - values.max():.6g} to {1 - values.min():.6g} in a tick; a "
            "population has one leak, so make them equal, or one node for each"
        )
    terms, value = leak_terms(float(values[0]), count)
    worst = float(values[np.argmax(np.abs(values - value))])
    report.add(part.name, f"{which}: kept in a tick", 1 - worst, 1 - value)
    return terms


def _uniform(
    part: Dynamics, what: str, values: Array, limit: Array | None, unit: float, report: Report
) -> int:
    """Return one integer for what all neurons have."""
    if not np.any(values):
        return 0
    relative = values if limit is None else values * limit[0] / limit
    numbers = np.rint(relative * unit)
    if np.ptp(numbers) or abs(numbers[0]) > STATE_MAX:
        raise DescriptionError(
            f"{what} of node {part.name!r} comes to {numbers.min():g} to {numbers.max():g} in units of the membrane; a "
            f"population has one such number, of at most {STATE_MAX}: make it the same for all neurons"
        )
    number = int(numbers[0])
    report.add(part.name, what, float(relative[0]), number / unit)
    return number


def _reset(
    part: Dynamics, theta: float, unit: float, kept: float, options: Options, report: Report
) -> tuple[tuple[ResetMode, int], bool]:
    if options.reset == "value":
        assert part.reset is not None
        number = _uniform(part, "v_reset", part.reset, part.threshold, unit, report)
        return ("set", number), options.late_reset
    # Late: what is taken away has leaked for a tick by then.
    asked = theta / kept if options.late_reset and kept > 0 else theta
    number = round(asked * unit)
    report.add(part.name, "taken by a spike", asked, number / unit)
    return ("add", -number), False


def _stored(part: Dynamics, what: str, values: Array, unit: float, width: int, report: Report) -> Array:
    """Return weights as they are stored."""
    excess = width - 8
    step = 1 if excess >= 0 else 1 << -excess
    half = (1 << (width - 1)) - 1
    numbers = np.clip(np.rint(values * unit / step), -half, half).astype(np.int64)
    report.add_array(part.name, what, values, numbers * step / unit, step / unit)
    return numbers << excess if excess > 0 else numbers
