# SPDX-License-Identifier: BSD-2-Clause
"""Bit-exactness: two chips do the same work and every integer is compared with ``==``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from erbium.chip import Chip
from erbium.sw_model import constants
from erbium.sw_model.constants import Array
from erbium.sw_model.results import Results


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
    """Two chips that must agree do not; the text says where, with both values.

    Attributes
    ----------
    verdict : Verdict
        How much was equal when it was noticed.
    position : int
        Samples to learn until it shows.
    """

    def __init__(self, difference: str, verdict: Verdict, position: int) -> None:
        super().__init__(difference)
        self.verdict = verdict
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
    each call, the weights by :meth:`verify`, because reading them back from hardware takes its time.

    Parameters
    ----------
    chip : Chip
        The one that is looked at: its results are returned.
    model : Chip
        The one that is believed.

    Raises
    ------
    MismatchError
        By :meth:`learn`, :meth:`infer` and :meth:`verify`, with the first sample that differs.
    """

    def __init__(self, chip: Chip, model: Chip) -> None:
        self.chip, self.model = chip, model
        self.network = chip.network
        self.names = (chip.backend, model.backend)
        self._rate = 1.0
        self._verified()

    def _verified(self) -> None:
        """Note that the chips agree now: a later search begins here."""
        self._first = self.model.position
        self._weights = self.model.weights
        self._since: list[tuple[Array, Array, int | None, float]] = []

    @property
    def position(self) -> int:
        """Number of the next sample to learn."""
        return self.model.position

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

    def set_rate(self, factor: float) -> None:
        """Set the learning rate of both."""
        self._rate = factor
        self.chip.set_rate(factor)
        self.model.set_rate(factor)

    def learn(self, images: Array, labels: Array, n_ticks: int | None = None) -> Results:
        """Learn on both."""
        self._since.append((images, labels, n_ticks, self._rate))
        results, others = (chip.learn(images, labels, n_ticks) for chip in (self.chip, self.model))
        if _first_unequal(results, others) is not None or self.chip.counters != self.model.counters:
            raise self._search()
        return results

    def infer(self, images: Array, n_ticks: int | None = None, first: int = 0) -> Results:
        """Infer on both."""
        results, others = self.chip.infer(images, n_ticks, first), self.model.infer(images, n_ticks, first)
        place = _first_unequal(results, others)
        if place is None and self.chip.counters == self.model.counters:
            return results
        # Most likely it learned something else before, which is the better thing to say.
        self.verify(counters=False)
        verdict = self.verdict()
        sample, words = 0, verdict.first_difference
        if place is not None:
            sample, words = self._values(results, others, place)
        raise MismatchError(f"inferred image {first + sample}: {words}", verdict, self.position)

    def verdict(self) -> Verdict:
        """Compare all weights and counters."""
        return compare(
            (self.chip.weights, self.model.weights), (self.chip.counters, self.model.counters), self.names
        )

    def verify(self, *, counters: bool = True) -> None:
        """Compare all weights, and all counters unless told not to."""
        verdict = self.verdict()
        if verdict.n_weights_equal != verdict.n_weights or (counters and not verdict.equal):
            raise self._search()
        self._verified()

    def _search(self) -> MismatchError:
        """Learn again what was learned since the chips agreed, and name the first sample that differs."""
        verdict = self.verdict()
        n_samples = sum(len(labels) for _, labels, *_ in self._since)
        if words := self._replay(0):
            return MismatchError(f"right after loading the weights, {words}", verdict, self._first)
        if not (words := self._replay(n_samples)):
            return MismatchError(
                f"{verdict.first_difference}; learning samples {self._first} to "
                f"{self._first + n_samples - 1} once more gives no difference: something else did it",
                verdict,
                self._first + n_samples,
            )
        equal, unequal = 0, n_samples
        while unequal - equal > 1:
            middle = (equal + unequal) // 2
            found = self._replay(middle)
            if found:
                unequal, words = middle, found
            else:
                equal = middle
        number = self._first + unequal - 1
        seed = int(constants.sample_seeds(self.network.seed, True, number, 1)[0])
        return MismatchError(f"sample {number} (seed {seed:#010x}): {words}", verdict, number + 1)

    def _replay(self, count: int) -> str:
        """Learn the first `count` samples once more; return the first difference, empty if there is none."""
        for chip in (self.chip, self.model):
            chip.load(self._weights)
            chip.position = self._first
        gap, found = self._gap(), ""
        for images, labels, n_ticks, rate in self._since:
            if count == 0:
                break
            here, count = slice(0, count), max(0, count - len(labels))
            self.chip.set_rate(rate)
            self.model.set_rate(rate)
            first = self.model.position
            results, others = (
                chip.learn(images[here], labels[here], n_ticks) for chip in (self.chip, self.model)
            )
            place = _first_unequal(results, others)
            if place is not None and not found:
                sample, words = self._values(results, others, place)
                found = f"of sample {first + sample} {words}"
        weights = compare((self.chip.weights, self.model.weights), ({}, {}), self.names)
        now = self._gap()
        counters = [
            f"counter {name} counts {now[name] - gap[name]:+}" for name in now if now[name] != gap[name]
        ]
        return weights.first_difference or found or "".join(counters[:1])

    def _gap(self) -> dict[str, int]:
        others = self.model.counters
        return {name: value - others.get(name, 0) for name, value in self.chip.counters.items()}

    def _values(self, results: Results, others: Results, place: tuple[int, str]) -> tuple[int, str]:
        sample, name = place
        mine, other = getattr(results, name)[sample], getattr(others, name)[sample]
        return sample, f"{name} is {mine} in {self.names[0]} and {other} in {self.names[1]}"


def _first_unequal(results: Results, others: Results) -> tuple[int, str] | None:
    """Return the first sample that differs, and in which of its outcomes."""
    places = [
        (int(unequal[0]), name)
        for name in ("answers", "ticks", "ticks_to_decision")
        if (unequal := np.flatnonzero(getattr(results, name) != getattr(others, name))).size
    ]
    return min(places, default=None)
