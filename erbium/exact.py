# SPDX-License-Identifier: BSD-2-Clause
"""Bit-exactness: two chips do the same work and every integer is compared with ``==``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from erbium.chip import Chip
from erbium.sw_model import constants
from erbium.sw_model.array import Results
from erbium.sw_model.constants import Array


@dataclass(frozen=True)
class Verdict:
    """Outcome of comparing all weights and counters of two chips.

    Attributes
    ----------
    n_weights, n_weights_equal, n_counters, n_counters_equal : int
    first_difference : str
        Where the first two unequal integers are, with both values; empty if there are none.
    """

    n_weights: int
    n_weights_equal: int
    n_counters: int
    n_counters_equal: int
    first_difference: str = ""

    @property
    def equal(self) -> bool:
        """Whether every integer was the same."""
        return self.n_weights == self.n_weights_equal and self.n_counters == self.n_counters_equal

    def __str__(self) -> str:
        return (
            f"{'bit-exact' if self.equal else 'NOT bit-exact'}: {self.n_weights_equal:,} of "
            f"{self.n_weights:,} weights and {self.n_counters_equal} of {self.n_counters} counters equal"
        )


class MismatchError(Exception):
    """Two chips that must agree do not.

    Attributes
    ----------
    difference : str
        Where, with both values.
    position : int
        Number of samples to learn until it shows.
    """

    def __init__(self, difference: str, position: int) -> None:
        super().__init__(difference)
        self.difference = difference
        self.position = position


def compare(
    weights: tuple[Sequence[Array], Sequence[Array]],
    counters: tuple[Mapping[str, int], Mapping[str, int]],
    names: tuple[str, str] = ("rtl", "model"),
) -> Verdict:
    """Compare all weights and counters of two chips, given as pairs in the order of `names`."""
    pairs = list(zip(*weights, strict=True))
    unequal = [np.flatnonzero(np.asarray(mine) != np.asarray(other)) for mine, other in pairs]
    differences = []
    for layer, ((mine, other), places) in enumerate(zip(pairs, unequal, strict=True), 1):
        if places.size:
            row, neuron = np.unravel_index(places[0], mine.shape)
            differences.append(
                f"layer {layer}, row {row}, neuron {neuron}: the weight is {mine[row, neuron]} in {names[0]} "
                f"and {other[row, neuron]} in {names[1]}"
            )
    all_names = list(dict.fromkeys([*counters[0], *counters[1]]))
    wrong = [name for name in all_names if counters[0].get(name) != counters[1].get(name)]
    differences += [
        f"counter {name} is {counters[0].get(name)} in {names[0]} and {counters[1].get(name)} in {names[1]}"
        for name in wrong
    ]
    n_weights = sum(mine.size for mine, _ in pairs)
    return Verdict(
        n_weights,
        n_weights - sum(places.size for places in unequal),
        len(all_names),
        len(all_names) - len(wrong),
        differences[0] if differences else "",
    )


class Lockstep:
    """Two chips of one network that do everything together, and must agree after every call.

    It stands in for a chip wherever one learns and infers. Answers, ticks and counters are compared after
    each call; :meth:`verdict` compares all weights, too.

    Parameters
    ----------
    chip : Chip
        The one that is looked at: its results are returned.
    model : Chip
        The one that is believed.

    Raises
    ------
    MismatchError
        By :meth:`learn` and :meth:`infer`, with the first sample that differs.
    """

    def __init__(self, chip: Chip, model: Chip) -> None:
        self.chip, self.model = chip, model
        self.network = chip.network
        self.names = (chip.backend, model.backend)

    @property
    def position(self) -> int:
        """Number of the next sample to learn."""
        return self.chip.position

    @position.setter
    def position(self, value: int) -> None:
        self.chip.position = self.model.position = value

    @property
    def counters(self) -> dict[str, int]:
        """Counters of the chip."""
        return self.chip.counters

    @property
    def performance(self) -> dict[str, int]:
        """What the chip measured."""
        return self.chip.performance

    @property
    def weights(self) -> list[Array]:
        """Weights of the chip."""
        return self.chip.weights

    def load(self, weights: Sequence[Array]) -> None:
        """Replace all weights of both."""
        self.chip.load(weights)
        self.model.load(weights)

    def set_rate(self, factor: float) -> None:
        """Set the learning rate of both."""
        self.chip.set_rate(factor)
        self.model.set_rate(factor)

    def learn(self, images: Array, labels: Array) -> Results:
        """Learn on both."""
        first, before = self.position, self.model.weights
        results = self.chip.learn(images, labels)
        others = self.model.learn(images, labels)
        if _first_unequal(results, others) is None and self.chip.counters == self.model.counters:
            return results
        raise self._search(images, labels, first, before)

    def infer(self, images: Array, n_ticks: int | None = None, first: int = 0) -> Results:
        """Infer on both."""
        results = self.chip.infer(images, n_ticks, first)
        others = self.model.infer(images, n_ticks, first)
        place = _first_unequal(results, others)
        if place is not None:
            raise MismatchError(
                f"inferred image {first + place[0]}: {self._values(results, others, place)}", self.position
            )
        if self.chip.counters != self.model.counters:
            raise MismatchError(
                f"after inferred image {first}: {self.verdict().first_difference}", self.position
            )
        return results

    def verdict(self) -> Verdict:
        """Compare all weights and counters."""
        return compare(
            (self.chip.weights, self.model.weights), (self.chip.counters, self.model.counters), self.names
        )

    def _values(self, results: Results, others: Results, place: tuple[int, str]) -> str:
        sample, name = place
        mine, other = getattr(results, name)[sample], getattr(others, name)[sample]
        return f"{name} is {mine} in {self.names[0]} and {other} in {self.names[1]}"

    def _search(self, images: Array, labels: Array, first: int, before: Sequence[Array]) -> MismatchError:
        """Learn a batch that went wrong once more, one sample at a time, to name the sample."""
        self.load(before)
        self.position = first
        gap = _gap(self.chip.counters, self.model.counters)
        for k in range(len(images)):
            difference = self._learn_one(images[k : k + 1], labels[k : k + 1], gap)
            if difference:
                seed = int(constants.sample_seeds(self.network.seed, True, first + k, 1)[0])
                return MismatchError(
                    f"sample {first + k} (seed {seed:#010x}, label {labels[k]}): {difference}", first + k + 1
                )
        last = first + len(images) - 1
        return MismatchError(
            f"samples {first} to {last} differ when learned in one call and not one at a time: what one "
            "sample leaves behind reaches another one",
            last + 1,
        )

    def _learn_one(self, image: Array, label: Array, gap: Mapping[str, int]) -> str:
        """Learn one sample on both; return what differs more than the `gap` of the counters before it."""
        results, others = self.chip.learn(image, label), self.model.learn(image, label)
        weights = compare((self.chip.weights, self.model.weights), ({}, {}), self.names)
        if weights.first_difference:
            return weights.first_difference
        place = _first_unequal(results, others)
        if place is not None:
            return self._values(results, others, place)
        now = _gap(self.chip.counters, self.model.counters)
        return next(
            (f"counter {name} counts {now[name] - gap[name]} more" for name in now if now[name] != gap[name]),
            "",
        )


def _first_unequal(results: Results, others: Results) -> tuple[int, str] | None:
    """Return the first sample that differs, and in which of its outcomes."""
    for name in ("answers", "ticks", "ticks_to_decision"):
        places = np.flatnonzero(getattr(results, name) != getattr(others, name))
        if places.size:
            return int(places[0]), name
    return None


def _gap(counters: Mapping[str, int], others: Mapping[str, int]) -> dict[str, int]:
    return {name: value - others.get(name, 0) for name, value in counters.items()}
