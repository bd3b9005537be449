# SPDX-License-Identifier: BSD-2-Clause
"""The runs behind the tables: networks that are trained once, tested once, and looked into.

A run is plain data and its result is what JSON can hold, so that runs go to other processes and onto the disk.
Tables that need the same run share it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from erbium import summary
from erbium.bench import training
from erbium.bench.papers import ann
from erbium.bench.papers.plan import FULL_WIDTH, LOOKED_INTO, MNIST, Plan, Size, load
from erbium.bench.work import Advance
from erbium.chip import open_chip
from erbium.gen.presets import Recipe, erbp_network, preset
from erbium.sw_model import constants
from erbium.sw_model.constants import Array
from erbium.sw_model.datasets import Split
from erbium.sw_model.fast import FastArray
from erbium.sw_model.network import Layer, Network
from erbium.train import Learned, Trainer, usual_evaluations
from erbium.train import Plan as TrainingPlan

SpikingLearner = Literal["erbp", "perbp", "erbp-shift"]
Learner = SpikingLearner | ann.Learner

SYNAPSE_KEEP = {1: 224, 2: 192}
"""peRBP, by the number of hidden layers: of 256 synapse events so many are transmitted, in learning and in inference.
Chosen on validation images."""

OUTPUT_SPIKES = (1, 2, 3, 4, 5, 6, 8)
"""Output spikes of one neuron after which a decision is made."""

TICKS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""Ticks after the onset of an image at which a decision is made."""

N_BINS = 64
"""Bins of a histogram of weights, over all weights of a width."""

Result = dict[str, Any]


@dataclass(frozen=True)
class SpikingRun:
    """An eRBP network.

    Parameters
    ----------
    learner : str
        ``"erbp"``: the network with the weights all there. ``"perbp"``: probabilistic synapses, which is synaptic
        blank-out. ``"erbp-shift"``: the preset of these hidden layers as it is shipped, with shifted images.
    hidden : tuple of int
    seed : int
    epochs : int
    weight_width : int
        Bits.
    n_curve : int
        Validation images of a point of the learning curve.
    decides : bool
        Whether early decisions are looked into.
    """

    learner: SpikingLearner
    hidden: tuple[int, ...]
    seed: int
    epochs: int
    weight_width: int
    n_curve: int
    decides: bool

    @property
    def name(self) -> str:
        """What it is called while it is under way."""
        width = "" if self.weight_width == FULL_WIDTH else f", {self.weight_width} bits"
        return f"{self.learner} {'-'.join(map(str, self.hidden))}{width}, seed {self.seed}"

    @property
    def length(self) -> float:
        """How long it takes, roughly, in seconds of one core."""
        return self.epochs * 0.01 * (100 + sum(self.hidden)) * (2.5 if self.learner == "perbp" else 1)

    def network(self, size: Size) -> Network:
        """Return what learns."""
        if self.learner == "erbp-shift" and size == MNIST:
            return replace(preset(_preset_of(self.hidden)).network, seed=self.seed)
        return erbp_network(
            "-".join([self.learner, *map(str, self.hidden)]),
            self.hidden,
            n_inputs=size.n_pixels,
            n_classes=size.n_classes,
            weight_width=self.weight_width,
            synapse_keep=SYNAPSE_KEEP[len(self.hidden)] if self.learner == "perbp" else 256,
            # As in the preset: large layers learn better with an eighth of their neurons left out of each sample.
            neuron_keep=224 if max(self.hidden) >= 500 else 256,
            seed=self.seed,
        )

    def recipe(self, size: Size) -> Recipe:
        """Return how it learns."""
        if self.learner != "erbp-shift":
            return Recipe(epochs=self.epochs)
        if size == MNIST:
            return replace(preset(_preset_of(self.hidden)).recipe, epochs=self.epochs)
        return Recipe(epochs=self.epochs, shift=1)

    def carry_out(self, advance: Advance, data: Path | None) -> Result:
        """Train, test and look."""
        dataset, begin = load(data), time.perf_counter()
        size = Size(dataset.n_pixels, dataset.n_classes)
        network, recipe = self.network(size), self.recipe(size)
        n_train = len(dataset.train)
        total = recipe.epochs * n_train
        plan = TrainingPlan(recipe, total, usual_evaluations(total, n_train), self.n_curve, network.n_ticks)
        step = training.stepper(advance, total)
        with open_chip(network, "model") as chip:
            trainer = Trainer(chip, dataset, plan)
            for event in trainer.run():
                if isinstance(event, Learned):
                    step(event.position)
            answers = summary.ask(chip, dataset.test, 0, len(dataset.test))
            weights = chip.weights
        return {
            "error": 100 * answers.error,
            "n_images": answers.n_images,
            "operations": summary.synaptic_operations(answers.work) / answers.n_images,
            "curve": [[point.position, 100 * point.error] for point in trainer.curve if point.position],
            "shift": recipe.shift,
            "weights": [
                weight_distribution(layer, values)
                for layer, values in zip(network.layers, weights, strict=True)
            ],
            "decisions": decisions(network, weights, dataset.test) if self.decides else None,
            "seconds": time.perf_counter() - begin,
        }


def _preset_of(hidden: tuple[int, ...]) -> str:
    return "-".join(["erbp-mnist", *map(str, hidden)])


def spiking_run(
    plan: Plan, learner: SpikingLearner, hidden: tuple[int, ...], seed: int, weight_width: int = FULL_WIDTH
) -> SpikingRun:
    """Return a run as the plan has it, so that tables that mean the same run name the same one."""
    epochs = plan.effort.epochs
    if learner == "erbp-shift":
        epochs = plan.effort.preset_epochs or preset(_preset_of(hidden)).recipe.epochs
    decides = learner == "erbp-shift" and hidden == LOOKED_INTO
    return SpikingRun(learner, hidden, seed, epochs, weight_width, plan.effort.n_curve, decides)


def weight_distribution(layer: Layer, weights: Array) -> Result:
    """Return how the weights of a layer are spread over their range.

    Returns
    -------
    dict
        ``shares``: of :data:`N_BINS` bins, or as many as there are weights, from the least to the largest weight;
        ``at_bounds``: share of the weights that stand at one of the two.
    """
    low, high = layer.weight_min, layer.weight_max
    counts, _ = np.histogram(weights, min(N_BINS, high - low + 1), (low - 0.5, high + 0.5))
    return {
        "shares": (counts / weights.size).tolist(),
        "at_bounds": float(((weights == low) | (weights == high)).mean()),
    }


def decisions(network: Network, weights: list[Array], split: Split) -> Result:
    """Return what early decisions of a network come to: after some ticks, and after some output spikes.

    Returns
    -------
    dict
        ``by_ticks`` and ``by_spikes``: lists of points, each with the ``error`` in %, and per image ``operations``,
        the synaptic operations of the ticks up to the decision, and ``ticks``, their number. Points of
        ``by_spikes`` have the output ``spikes`` that decide, and in ``operations_run`` also those of the ticks that
        the array runs until it comes to rest: the order to stop takes as long as all feedback.
    """
    array = FastArray(network)
    array.load(weights)
    seeds = constants.sample_seeds(network.seed, False, 0, len(split))

    def infer(chosen: Array, n_ticks: int | None) -> tuple[Array, Array, int]:
        before = summary.synaptic_operations(array.counters())
        # One thread: other runs are under way on the other cores.
        found = array.infer_parallel(split.images[chosen], seeds[chosen], n_ticks, 1)
        spent = summary.synaptic_operations(array.counters()) - before
        return found.answers, found.ticks_to_decision, spent

    everything = np.arange(len(split))

    def error(answers: Array) -> float:
        return 100 * float((answers != split.labels).mean())

    by_ticks = []
    array.decide_after = 0
    for n_ticks in (ticks for ticks in TICKS if ticks <= network.n_ticks):
        answers, _, spent = infer(everything, n_ticks)
        by_ticks.append({"ticks": n_ticks, "error": error(answers), "operations": spent / len(split)})
    by_spikes = []
    for n_spikes in OUTPUT_SPIKES:
        array.decide_after = n_spikes
        answers, ticks, run = infer(everything, None)
        # The same samples again, each just up to its decision: what it took until then.
        array.decide_after = 0
        spent = sum(infer(np.flatnonzero(ticks == n), int(n))[2] for n in np.unique(ticks))
        by_spikes.append(
            {
                "spikes": n_spikes,
                "error": error(answers),
                "ticks": float(ticks.mean()),
                "operations": spent / len(split),
                "operations_run": run / len(split),
            }
        )
    return {"by_ticks": by_ticks, "by_spikes": by_spikes}


@dataclass(frozen=True)
class AnnRun:
    """An ordinary network; see :mod:`erbium.bench.papers.ann`."""

    learner: ann.Learner
    hidden: tuple[int, ...]
    seed: int
    epochs: int
    n_curve: int

    @property
    def name(self) -> str:
        """What it is called while it is under way."""
        return f"{self.learner} {'-'.join(map(str, self.hidden))}, seed {self.seed}"

    @property
    def length(self) -> float:
        """How long it takes, roughly, in seconds of one core."""
        return self.epochs * 0.008 * sum(self.hidden)

    def carry_out(self, advance: Advance, data: Path | None) -> Result:
        """Train and test."""
        dataset, begin = load(data), time.perf_counter()
        shape = (dataset.n_pixels, *self.hidden, dataset.n_classes)
        network = ann.OrdinaryNetwork(shape, self.learner, self.seed)
        n_train = len(dataset.train)
        total = self.epochs * n_train
        due = [place for place in usual_evaluations(total, n_train) if place]
        step = training.stepper(advance, total)
        curve = []
        for seen in network.train(dataset.train, Recipe(epochs=self.epochs)):
            step(seen)
            if due and seen >= due[0]:
                curve.append([seen, network.error(dataset.validation, self.n_curve)])
                due = [place for place in due if place > seen]
        return {
            "error": network.error(dataset.test, len(dataset.test)),
            "n_images": len(dataset.test),
            "curve": curve,
            "shift": 0,
            "seconds": time.perf_counter() - begin,
        }


def ann_run(plan: Plan, learner: ann.Learner, hidden: tuple[int, ...], seed: int) -> AnnRun:
    """Return a run as the plan has it."""
    return AnnRun(learner, hidden, seed, plan.effort.ann_epochs, plan.effort.n_curve)


def run_of(plan: Plan, learner: Learner, hidden: tuple[int, ...], seed: int) -> SpikingRun | AnnRun:
    """Return the run of a learner, whichever it is, as the plan has it."""
    match learner:
        case "ann-bp" | "ann-rbp":
            return ann_run(plan, learner, hidden, seed)
        case _:
            return spiking_run(plan, learner, hidden, seed)


@dataclass(frozen=True)
class FirstSpikeRun:
    """A first-spike network: the preset as it is shipped, for whole images or for the digits."""

    preset: str
    seed: int
    epochs: int

    @property
    def name(self) -> str:
        """What it is called while it is under way."""
        return f"{self.preset}, seed {self.seed}"

    @property
    def length(self) -> float:
        """How long it takes, roughly, in seconds of one core."""
        return 1.2 * self.epochs

    def network(self, size: Size) -> Network:
        """Return what learns, whatever the data."""
        return replace(preset(self.preset).network, seed=self.seed)

    def recipe(self, size: Size) -> Recipe:
        """Return how it learns."""
        return replace(preset(self.preset).recipe, epochs=self.epochs)

    def carry_out(self, advance: Advance, data: Path | None) -> Result:
        """Train, test and look into the decisions."""
        dataset, begin = load(data), time.perf_counter()
        size = Size(dataset.n_pixels, dataset.n_classes)
        network, recipe = self.network(size), self.recipe(size)
        found, weights = training.train(advance, network, recipe, dataset)
        taken = summary.decisions(network, weights, dataset.test, len(dataset.test))
        assert taken is not None
        rows = taken.mean_spikes
        return {
            "error": 100 * found["n_wrong"] / found["n_images"],
            "n_images": found["n_images"],
            "shift": recipe.shift,
            "ticks": list(taken.ticks),
            "input_spikes": list(taken.spikes[0]),
            "hidden_spikes": list(taken.spikes[1]),
            "mean_ticks": taken.mean_ticks,
            "mean_hidden_spikes": rows[1],
            "rows_read": [100 * share for share in taken.rows_read(network)],
            # A spike walks one row, as wide as the layer behind it.
            "operations": sum(
                mean * layer.n_neurons for mean, layer in zip(rows, network.layers, strict=True)
            ),
            "seconds": time.perf_counter() - begin,
        }


def first_spike_run(plan: Plan, seed: int) -> FirstSpikeRun:
    """Return a run as the plan has it."""
    name = "first-spike-mnist-600" if plan.size == MNIST else "first-spike-digits"
    return FirstSpikeRun(name, seed, plan.effort.preset_epochs or preset(name).recipe.epochs)


Run = SpikingRun | AnnRun | FirstSpikeRun


def carry_out(advance: Advance, run: Run, data: Path | None) -> Result:
    """Carry a run out: the function of its task."""
    return run.carry_out(advance, data)
