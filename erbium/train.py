# SPDX-License-Identifier: BSD-2-Clause
"""Training: which image is learned when, at which rate, and when the chip is asked how much it knows.

A run is decided by the network, the data set and the :class:`Plan`, and by nothing else: not by the backend,
the size of the batches, or interruptions.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from erbium.gen.presets import Recipe
from erbium.sw_model import constants
from erbium.sw_model.constants import Array
from erbium.sw_model.datasets import Dataset, DatasetError, move_images
from erbium.sw_model.network import Network
from erbium.sw_model.programs import DescriptionError, check_range
from erbium.sw_model.reach import check_long_enough
from erbium.sw_model.results import Results

BATCH_SECONDS = 0.2
"""How long one call of the chip is to take: short enough for a smooth progress bar and a prompt Ctrl-C."""

MAX_BATCH = 4096
MAX_EVALUATIONS = 1_000
MAX_IMAGES = 1_000_000_000


class Learner(Protocol):
    """What a trainer needs of a chip."""

    network: Network

    @property
    def position(self) -> int:
        """Number of the next sample to learn."""

    def learn(self, images: Array, labels: Array, n_ticks: int | None = None) -> Results:
        """Learn images one after the other and advance the position."""

    def infer(self, images: Array, n_ticks: int | None = None, first: int = 0) -> Results:
        """Classify images."""

    def set_rate(self, factor: float) -> None:
        """Set the learning rate to a share of the full one."""

    @property
    def weights(self) -> list[Array]:
        """Weights of each layer."""

    @property
    def counters(self) -> dict[str, int]:
        """What the array has done, by name."""

    @property
    def performance(self) -> dict[str, int]:
        """Measured work of the hardware, by name."""


@dataclass(frozen=True)
class Plan:
    """What decides a run besides the network and the data.

    Parameters
    ----------
    recipe : Recipe
        Image shift and schedule of the learning rate. The schedule spans `total` images.
    total : int
        Images to learn.
    evaluate_at : tuple of int
        Positions at which validation images are inferred, ascending, 0 ... total.
    n_evaluate : int
        How many validation images, from the first one.
    n_ticks : int
        Longest presentation of such an image.
    """

    recipe: Recipe
    total: int
    evaluate_at: tuple[int, ...] = ()
    n_evaluate: int = 0
    n_ticks: int = 8

    def __post_init__(self) -> None:
        check_range("number of images to learn", self.total, 1, MAX_IMAGES)
        check_range("number of validation images", self.n_evaluate, 0, MAX_IMAGES)
        check_range("n_ticks", self.n_ticks, 1, 4096)
        places = self.evaluate_at
        if any(a >= b for a, b in pairwise(places)) or any(not 0 <= place <= self.total for place in places):
            raise DescriptionError(
                f"the positions to evaluate at are {places}; they must ascend from 0 to {self.total}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Plan:
        """Read a plan back."""
        recipe = dict(data["recipe"])
        recipe["schedule"] = tuple((float(share), float(factor)) for share, factor in recipe["schedule"])
        rest = {"recipe": Recipe(**recipe), "evaluate_at": tuple(map(int, data["evaluate_at"]))}
        return cls(**{**data, **rest})

    def rate(self, position: int) -> float:
        """Return the learning rate factor of the training image at `position`."""
        return self.recipe.factor(position, self.total)

    def shift(self, position: int) -> int:
        """Return by how many pixels the training image at `position` is moved at most."""
        return self.recipe.shift_at(position, self.total)

    def next_change(self, position: int) -> int:
        """Return the first position after `position` at which rate or shift change or an evaluation is due."""
        ends = [place for place in (*self.evaluate_at, *self._recipe_changes()) if place > position]
        return min(ends, default=self.total)

    def _recipe_changes(self) -> Iterator[int]:
        for share in (self.recipe.shift_share, *(share for share, _ in self.recipe.schedule)):
            # The smallest position that the recipe no longer counts as before this share of the run.
            place = int(share * self.total)
            yield place if place >= share * self.total else place + 1


def usual_evaluations(total: int, n_train: int) -> tuple[int, ...]:
    """Return positions to evaluate at that show a learning curve: dense at first, then each epoch.

    Parameters
    ----------
    total : int
        Images of the run.
    n_train : int
        Images of an epoch.
    """
    early = [digit * 10**power for power in range(2, 7) for digit in (1, 2, 5)]
    early = [place for place in early if place < min(n_train, total)]
    # Of a very long run every so many epochs.
    step = n_train * -(-total // (n_train * MAX_EVALUATIONS))
    return tuple(sorted({0, *early, *range(step, total, step), total}))


@dataclass(frozen=True)
class CurvePoint:
    """One point of a learning curve: of the first `n_images` validation images, `n_wrong` were wrong."""

    position: int
    n_images: int
    n_wrong: int

    @property
    def error(self) -> float:
        """Share of wrong answers, 0 ... 1."""
        return self.n_wrong / self.n_images


@dataclass(frozen=True)
class Learned:
    """A batch was learned; `position` is what the chip has learned by now."""

    position: int
    n_images: int
    seconds: float


@dataclass(frozen=True)
class Evaluating:
    """Part of an evaluation is done: `n_done` of `n_images`."""

    n_done: int
    n_images: int


@dataclass(frozen=True)
class Evaluated:
    """An evaluation is complete; `dead` is "input" or "output" if no neuron there spiked in any of its images."""

    point: CurvePoint
    seconds: float
    dead: str = ""


Event = Learned | Evaluating | Evaluated


def check_fits(
    network: Network, dataset: Dataset, way_out: str = "use another network or other data"
) -> None:
    """Raise :class:`DatasetError`, which ends in `way_out`, unless the network can learn the data set."""
    if dataset.n_pixels != network.n_inputs:
        raise DatasetError(
            f"the images of {dataset.name} have {dataset.height} x {dataset.width} = {dataset.n_pixels} "
            f"pixels and network {network.name!r} takes {network.n_inputs}; {way_out}"
        )
    if dataset.n_classes > network.n_classes:
        raise DatasetError(
            f"{dataset.name} has {dataset.n_classes} classes and network {network.name!r} tells "
            f"{network.n_classes} apart; {way_out}"
        )


def training_batch(
    dataset: Dataset, network: Network, shift: int, first: int, count: int
) -> tuple[Array, Array]:
    """Return images and labels of training samples ``first ... first + count - 1``.

    The order is that of the training split, over and over. Samples are moved by up to `shift` pixels, each by
    an amount that follows from its number.
    """
    index = np.arange(first, first + count) % len(dataset.train)
    images: Array = dataset.train.images[index]
    dy, dx = constants.image_shifts(network.seed, first, count, shift)
    images = move_images(images, dataset.height, dataset.width, dy, dx, shift)
    return images, dataset.train.labels[index]


def evaluation_ticks(network: Network, most: int) -> int:
    """Return the longest presentation of an evaluation that is to take at most `most` ticks, where it matters.

    A first-spike network is left to itself: it stops with its answer.
    """
    return network.error.evaluation_ticks(most, network.n_ticks)


class Pace:
    """Chooses how many images to give the chip in one call, so that the call takes about `seconds`."""

    def __init__(self, seconds: float = BATCH_SECONDS, first: int = 8) -> None:
        self.seconds = seconds
        self.size = first

    def took(self, count: int, seconds: float) -> None:
        """Learn from a call: `count` images took `seconds`."""
        wanted = int(count * self.seconds / max(seconds, 1e-6))
        self.size = max(1, min(wanted, 2 * self.size, MAX_BATCH))


class Trainer:
    """Carries out a plan on a chip, from wherever the chip stands.

    Parameters
    ----------
    chip : Learner
    dataset : Dataset
    plan : Plan
    curve : sequence of CurvePoint
        What an earlier part of the run found.
    work : mapping of str to int
        Counters of what an earlier part of the run spent on learning.
    batch : int, optional
        Images of one call of the chip; by default as many as take a fraction of a second.

    Attributes
    ----------
    curve : list of CurvePoint
    counters : dict
        Counters of the chip, as of the last image learned or the last complete evaluation.
    work : dict
        Counters of learning alone, without the evaluations.
    effort : dict
        What the hardware measured of learning, such as ``cycles``; of this part of the run.
    n_learned : int
        Images learned in this part of the run.
    seconds : float
        Time that this part of the run spent on learning them.
    keep_during : bool
        Whether to read weights on the way for a report; off at first, since it takes its time on a serial line.
    during : tuple of int and ndarray, or None
        Position and weights of the first layer at the first evaluation after a tenth of the plan, if they were to be
        kept and this part of the run came by it: what a report shows between before and after.
    """

    def __init__(
        self,
        chip: Learner,
        dataset: Dataset,
        plan: Plan,
        *,
        curve: Sequence[CurvePoint] = (),
        work: Mapping[str, int] | None = None,
        batch: int | None = None,
    ) -> None:
        check_fits(chip.network, dataset)
        most = chip.network.n_ticks
        check_range("learn_ticks", plan.recipe.learn_ticks, 0, most, ", the network's longest presentation")
        check_long_enough(chip.network, plan.recipe.learn_ticks or most)
        self.chip, self.dataset, self.plan = chip, dataset, plan
        self.curve = list(curve)
        self.counters = chip.counters
        self.work = dict(work or dict.fromkeys(self.counters, 0))
        self.effort: dict[str, int] = {}
        self.n_learned = 0
        self.seconds = 0.0
        self.keep_during = False
        self.during: tuple[int, Array] | None = None
        self._batch = batch

    @property
    def n_evaluate(self) -> int:
        """Validation images of one evaluation: what the plan asks for, as far as there are so many."""
        return min(self.plan.n_evaluate, len(self.dataset.validation))

    def run(self, until: int | None = None) -> Iterator[Event]:
        """Carry on to the end of the plan, or to position `until` if that comes first.

        After each event the run may be left. Another trainer, with a chip that is restored to the weights,
        :attr:`counters` and position of this one, takes it up again with the same outcome.
        """
        end = self.plan.total if until is None else min(until, self.plan.total)
        pace = Pace()
        yield from self._evaluate_if_due()
        while self.chip.position < end:
            first = self.chip.position
            count = min(self._batch or pace.size, self.plan.next_change(first) - first, end - first)
            self.chip.set_rate(self.plan.rate(first))
            images, labels = training_batch(
                self.dataset, self.chip.network, self.plan.shift(first), first, count
            )
            yield self._learn(images, labels, pace)
            yield from self._evaluate_if_due()

    def _learn(self, images: Array, labels: Array, pace: Pace) -> Learned:
        counters, performance = self.chip.counters, self.chip.performance
        start = time.perf_counter()
        self.chip.learn(images, labels, self.plan.recipe.learn_ticks or None)
        seconds = time.perf_counter() - start
        self.counters = self.chip.counters
        _add(self.work, self.counters, counters)
        _add(self.effort, self.chip.performance, performance)
        self.n_learned += len(images)
        self.seconds += seconds
        pace.took(len(images), seconds)
        return Learned(self.chip.position, len(images), seconds)

    def _evaluate_if_due(self) -> Iterator[Event]:
        position, n_images = self.chip.position, self.n_evaluate
        done = any(point.position == position for point in self.curve[-1:])
        if n_images == 0 or done or position not in self.plan.evaluate_at:
            return
        split = self.dataset.validation
        pace, start = Pace(), time.perf_counter()
        n_done = n_wrong = 0
        spikes = {"input": "input_spikes", "output": f"layer{len(self.chip.network.layers)}_spikes"}
        counted = self.chip.counters
        while n_done < n_images:
            here = slice(n_done, min(n_done + (self._batch or pace.size), n_images))
            before = time.perf_counter()
            results = self.chip.infer(split.images[here], self.plan.n_ticks, here.start)
            pace.took(here.stop - n_done, time.perf_counter() - before)
            n_wrong += int((results.answers != split.labels[here]).sum())
            n_done = here.stop
            yield Evaluating(n_done, n_images)
        # Only now: a run that is left in the middle of an evaluation starts it anew.
        self.counters = self.chip.counters
        point = CurvePoint(position, n_images, n_wrong)
        self.curve.append(point)
        on_the_way = self.plan.total <= 10 * position < 10 * self.plan.total
        if self.keep_during and self.during is None and on_the_way:
            self.during = position, self.chip.weights[0]
        still = [name for name, counter in spikes.items() if counter in counted]
        dead = next((name for name in still if self.counters[spikes[name]] == counted[spikes[name]]), "")
        yield Evaluated(point, time.perf_counter() - start, dead)


def _add(total: dict[str, int], after: Mapping[str, int], before: Mapping[str, int]) -> None:
    """Add to `total` what came between `before` and `after`."""
    for name, value in after.items():
        total[name] = total.get(name, 0) + value - before.get(name, 0)
