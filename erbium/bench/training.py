# SPDX-License-Identifier: BSD-2-Clause
"""A whole run of training on the compiled model and its test: what ``erbium train`` comes to."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from erbium import summary
from erbium.bench.work import Advance
from erbium.checkpoint import Checkpoint
from erbium.chip import Chip, open_chip
from erbium.gen.presets import Recipe
from erbium.sw_model.constants import Array
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.network import Network
from erbium.train import Evaluated, Learned, Plan, Trainer

STEPS = 1000
"""Steps of a run, for the display: the number of images is known only where they are."""


def train(
    advance: Advance,
    network: Network,
    recipe: Recipe,
    dataset: Dataset,
    chip: Chip | None = None,
    *,
    epochs_shown: Sequence[int] | None = None,
    checkpoint: Path | None = None,
    test: bool = True,
) -> tuple[dict[str, Any], list[Array]]:
    """Train a network by a recipe and test it once, at the end, if at all.

    Parameters
    ----------
    advance : Advance
        Told of :data:`STEPS` steps.
    network : Network
    recipe : Recipe
    dataset : Dataset
    chip : Chip, optional
        What learns, new; default is the compiled model. It is closed in the end.
    epochs_shown : sequence of int, optional
        Epochs behind which all validation images are inferred; default all, and the last one is always among them.
    checkpoint : Path, optional
        Where the state of the run is kept after each of these epochs, and taken up from if it is there.
    test : bool
        Whether the test images are read at the end.

    Returns
    -------
    found : dict
        Wrong answers (of a test), errors after each epoch shown, and times, as JSON can hold them.
    weights : list of ndarray
    """
    begin, begin_cpu = time.perf_counter(), time.process_time()
    n_train = len(dataset.train)
    total = recipe.epochs * n_train
    epochs = range(1, recipe.epochs + 1) if epochs_shown is None else (*epochs_shown, recipe.epochs)
    plan = Plan(
        recipe=recipe,
        total=total,
        evaluate_at=tuple(sorted({n_train * epoch for epoch in epochs if 0 < epoch <= recipe.epochs})),
        n_evaluate=len(dataset.validation),
        n_ticks=network.n_ticks,
    )
    step = stepper(advance, total)
    with chip or open_chip(network, "model") as learner:
        if checkpoint is not None and checkpoint.exists():
            saved = Checkpoint.load(checkpoint)
            saved.check_network(network, checkpoint)
            saved.check_dataset(dataset, checkpoint, "name another folder with --keep")
            trainer = saved.resume(learner, dataset)
        else:
            trainer = Trainer(learner, dataset, plan)
        for event in trainer.run():
            if isinstance(event, (Learned, Evaluated)):
                step(learner.position)
            if checkpoint is not None and isinstance(event, Evaluated):
                Checkpoint.of(trainer).save(checkpoint)
        answers = summary.ask(learner, dataset.test, 0, len(dataset.test)) if test else None
        weights = learner.weights
    tested = {} if answers is None else {"n_wrong": answers.n_wrong, "n_images": answers.n_images}
    found = {
        **tested,
        "n_ticks": network.n_ticks,
        "learned": total,
        "learning_seconds": trainer.seconds,
        "curve": [round(100 * point.error, 2) for point in trainer.curve],
        "curve_epochs": [point.position // n_train for point in trainer.curve],
        "dataset": dataset.name,
        "seconds": time.perf_counter() - begin,
        "cpu_seconds": time.process_time() - begin_cpu,
    }
    return found, weights


def stepper(advance: Advance, total: int) -> Callable[[int], None]:
    """Return what tells the display, in steps of a run, how many of `total` images are seen."""
    shown = 0

    def step(seen: int) -> None:
        nonlocal shown
        now = STEPS * seen // total
        if now > shown:
            advance(now - shown)
            shown = now

    return step


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
        "validation_epochs": runs[0]["curve_epochs"],
        "validation_curve": [run["curve"] for run in runs],
        "seconds": [round(run["seconds"], 1) for run in runs],
        "cpu_seconds": [round(run["cpu_seconds"], 1) for run in runs],
    }
