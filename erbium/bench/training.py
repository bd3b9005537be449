# SPDX-License-Identifier: BSD-2-Clause
"""A whole run of training on the compiled model and its test: what ``erbium train`` comes to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from erbium import summary
from erbium.bench.work import Advance
from erbium.chip import Chip, open_chip
from erbium.gen.presets import Recipe
from erbium.sw_model.constants import Array
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.network import Network
from erbium.train import Evaluated, Learned, Plan, Trainer

STEPS = 1000
"""Steps of a run, for the display: the number of images is known only where they are."""


def train(
    advance: Advance, network: Network, recipe: Recipe, dataset: Dataset, chip: Chip | None = None
) -> tuple[dict[str, Any], list[Array]]:
    """Train a network by a recipe and test it once, at the end.

    Parameters
    ----------
    advance : Advance
        Told of :data:`STEPS` steps.
    network : Network
    recipe : Recipe
    dataset : Dataset
    chip : Chip, optional
        What learns, new; default is the compiled model. It is closed in the end.

    Returns
    -------
    found : dict
        Wrong answers, errors after each epoch, and times, as JSON can hold them.
    weights : list of ndarray
    """
    begin, begin_cpu = time.perf_counter(), time.process_time()
    n_train = len(dataset.train)
    total = recipe.epochs * n_train
    plan = Plan(
        recipe=recipe,
        total=total,
        evaluate_at=tuple(range(n_train, total + 1, n_train)),
        n_evaluate=len(dataset.validation),
        n_ticks=network.n_ticks,
    )
    shown = 0
    with chip or open_chip(network, "model") as learner:
        trainer = Trainer(learner, dataset, plan)
        for event in trainer.run():
            if isinstance(event, (Learned, Evaluated)):
                steps = STEPS * learner.position // total - shown
                shown += steps
                advance(steps)
        answers = summary.ask(learner, dataset.test, 0, len(dataset.test))
        weights = learner.weights
    found = {
        "n_wrong": answers.n_wrong,
        "n_images": answers.n_images,
        "n_ticks": network.n_ticks,
        "learned": total,
        "learning_seconds": trainer.seconds,
        "curve": [round(100 * point.error, 2) for point in trainer.curve],
        "dataset": dataset.name,
        "seconds": time.perf_counter() - begin,
        "cpu_seconds": time.process_time() - begin_cpu,
    }
    return found, weights


def errors(runs: Sequence[dict[str, Any]]) -> list[float]:
    """Return the test error of each run in %."""
    return [100 * run["n_wrong"] / run["n_images"] for run in runs]


def mean(values: Sequence[float]) -> float:
    """Return the mean, rounded as rows have it."""
    return round(sum(values) / len(values), 4)


def facts(runs: Sequence[dict[str, Any]], seeds: Sequence[int]) -> dict[str, Any]:
    """Return the extra keys of a row about the test error of runs that differ in their seeds."""
    found = errors(runs)
    return {
        "dataset": runs[0]["dataset"],
        "ticks": runs[0]["n_ticks"],
        "images_learned": runs[0]["learned"],
        "images_tested": runs[0]["n_images"],
        "seeds": list(seeds),
        "values": [round(error, 4) for error in found],
        "spread": round(max(found) - min(found), 4),
        "validation_error": [run["curve"][-1] for run in runs],
        "validation_curve": [run["curve"] for run in runs],
        "seconds": [round(run["seconds"], 1) for run in runs],
        "cpu_seconds": [round(run["cpu_seconds"], 1) for run in runs],
    }
