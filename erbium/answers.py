# SPDX-License-Identifier: BSD-2-Clause
"""Answers to labelled images: what a chip is worth, without the report that tells of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from erbium.sw_model.constants import Array
from erbium.sw_model.datasets import Split
from erbium.sw_model.network import Network
from erbium.sw_model.results import Results
from erbium.train import Pace


class Answerer(Protocol):
    """A chip, as far as asking it goes."""

    network: Network

    def infer(self, images: Array, n_ticks: int | None = None, first: int = 0) -> Results:
        """Classify images."""

    @property
    def counters(self) -> dict[str, int]:
        """What the array has done, by name."""


@dataclass(frozen=True)
class Answers:
    """Answers to labelled images.

    Attributes
    ----------
    confusion : ndarray of int64, shape (n_classes, n_classes)
        Images: a row per label, a column per answer.
    work : dict
        Counters of these inferences alone.
    ticks_to_decision : int
        Sum over the images.
    """

    confusion: Array
    work: dict[str, int]
    ticks_to_decision: int

    @property
    def n_images(self) -> int:
        """Images inferred."""
        return int(self.confusion.sum())

    @property
    def n_wrong(self) -> int:
        """Wrong answers."""
        return self.n_images - int(np.trace(self.confusion))

    @property
    def error(self) -> float:
        """Share of wrong answers, 0 ... 1."""
        return self.n_wrong / self.n_images

    def __add__(self, other: Answers) -> Answers:
        work = {name: self.work.get(name, 0) + value for name, value in other.work.items()}
        return Answers(
            self.confusion + other.confusion, work, self.ticks_to_decision + other.ticks_to_decision
        )


def ask(chip: Answerer, split: Split, first: int, stop: int, n_ticks: int | None = None) -> Answers:
    """Infer images ``first ... stop - 1`` of a split."""
    before = chip.counters
    n = chip.network.n_classes
    confusion = np.zeros((n, n), dtype=np.int64)
    ticks_to_decision = 0
    # In parts: while one call runs, nobody hears a Ctrl-C.
    pace = Pace(first=64)
    while first < stop:
        here = slice(first, min(first + pace.size, stop))
        start = time.perf_counter()
        results = chip.infer(split.images[here], n_ticks, first)
        pace.took(here.stop - first, time.perf_counter() - start)
        np.add.at(confusion, (split.labels[here].astype(np.int64), results.answers), 1)
        ticks_to_decision += int(results.ticks_to_decision.sum())
        first = here.stop
    work = {name: value - before[name] for name, value in chip.counters.items()}
    return Answers(confusion, work, ticks_to_decision)


def synaptic_operations(work: Mapping[str, int]) -> int:
    """Return the synapses walked, over all layers."""
    return sum(value for name, value in work.items() if name.endswith("_synaptic_operations"))
