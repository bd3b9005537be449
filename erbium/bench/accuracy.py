# SPDX-License-Identifier: BSD-2-Clause
"""Test error after training on the compiled model, mean over seeds: what ``erbium train`` comes to.

Everything about a preset was chosen on validation images. The test images are read once, when a run is over.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from erbium import summary
from erbium.bench.display import Display
from erbium.bench.request import Request, load_named
from erbium.bench.result import Row
from erbium.bench.work import Advance, Task, carry_out
from erbium.chip import open_chip
from erbium.gen.presets import preset
from erbium.train import Evaluated, Learned, Plan, Trainer

SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class Figure:
    """One figure: a preset, how long it is trained, and the mean test error in % to reach."""

    preset: str
    epochs: int
    shift: int
    target: float | None = None

    @property
    def network(self) -> str:
        """How the ids name it."""
        return f"{self.preset}-shift" if self.shift else self.preset

    def command(self, seed: int) -> str:
        """Return the command line that does one of its runs."""
        return (
            f"erbium train {self.preset} --seed {seed} --epochs {self.epochs} --shift {self.shift} "
            f"--checkpoint {self.network}-{seed}.npz"
        )


FIGURES = (
    Figure("erbp-mnist-100", 16, 0, 3.1),
    Figure("erbp-mnist-200", 16, 0, 2.5),
    Figure("erbp-mnist-500", 16, 0, 2.1),
    Figure("erbp-mnist-100", 32, 1, 2.6),
    Figure("erbp-mnist-200", 32, 1, 2.0),
    Figure("erbp-mnist-500", 32, 1, 1.5),
    Figure("erbp-mnist-200-200", 32, 1),
)
"""What is published; targets as of MNIST's 10,000 test images."""

QUICK_FIGURES = (Figure("erbp-digits", 20, 0, 7.0),)
"""The digits that need no download; 252 test images, so that one is 0.4 %."""


def measure(request: Request, display: Display) -> list[Row]:
    """Train every figure with every seed."""
    figures = QUICK_FIGURES if request.quick else FIGURES
    selected = request.select(_id(request, figure) for figure in figures)
    wanted = [figure for figure in figures if _id(request, figure) in selected]
    if not request.quick:
        request.check_mnist()
    runs = [(figure, seed) for figure in wanted for seed in SEEDS]
    # The longest first: then the processors finish at about the same time.
    order = sorted(range(len(runs)), key=lambda k: -_length(runs[k][0]))
    tasks = [_task(*runs[k], request.data) for k in order]
    found = dict(zip(order, carry_out(tasks, request.n_processes, display), strict=True))
    rows = []
    for number, figure in enumerate(wanted):
        first = number * len(SEEDS)
        rows.append(_row(request, figure, [found[first + k] for k in range(len(SEEDS))]))
    return rows


def _id(request: Request, figure: Figure) -> str:
    return request.id(figure.network, "test-error")


def _length(figure: Figure) -> int:
    """Return how long a run takes, roughly."""
    return figure.epochs * (100 + sum(preset(figure.preset).network.shape[1:-1]))


def _task(figure: Figure, seed: int, data: Path | None) -> Task:
    # In thousandths, because the number of images is known only where they are.
    return Task(f"{figure.network}, seed {seed}", 1000, train, (figure, seed, data))


def train(advance: Advance, figure: Figure, seed: int, data: Path | None) -> dict[str, Any]:
    """Train one network and test it: the run of :meth:`Figure.command`."""
    begin, begin_cpu = time.perf_counter(), time.process_time()
    dataset = load_named(figure.preset, data)
    chosen = preset(figure.preset)
    network = replace(chosen.network, seed=seed)
    n_train = len(dataset.train)
    total = figure.epochs * n_train
    plan = Plan(
        recipe=replace(chosen.recipe, epochs=figure.epochs, shift=figure.shift),
        total=total,
        evaluate_at=tuple(range(n_train, total + 1, n_train)),
        n_evaluate=len(dataset.validation),
        n_ticks=network.n_ticks,
    )
    shown = 0
    with open_chip(network, "model") as chip:
        trainer = Trainer(chip, dataset, plan)
        for event in trainer.run():
            if isinstance(event, (Learned, Evaluated)):
                steps = 1000 * chip.position // total - shown
                shown += steps
                advance(steps)
        answers = summary.ask(chip, dataset.test, 0, len(dataset.test))
    return {
        "n_wrong": answers.n_wrong,
        "n_images": answers.n_images,
        "n_ticks": network.n_ticks,
        "learned": total,
        "curve": [round(100 * point.error, 2) for point in trainer.curve],
        "dataset": dataset.name,
        "seconds": time.perf_counter() - begin,
        "cpu_seconds": time.process_time() - begin_cpu,
    }


def _row(request: Request, figure: Figure, runs: Sequence[dict[str, Any]]) -> Row:
    errors = [100 * run["n_wrong"] / run["n_images"] for run in runs]
    extra = {
        "dataset": runs[0]["dataset"],
        "epochs": figure.epochs,
        "shift": figure.shift,
        "ticks": runs[0]["n_ticks"],
        "images_learned": runs[0]["learned"],
        "images_tested": runs[0]["n_images"],
        "seeds": list(SEEDS),
        "values": [round(error, 4) for error in errors],
        "spread": round(max(errors) - min(errors), 4),
        "validation_error": [run["curve"][-1] for run in runs],
        "validation_curve": [run["curve"] for run in runs],
        "seconds": [round(run["seconds"], 1) for run in runs],
        "cpu_seconds": [round(run["cpu_seconds"], 1) for run in runs],
        "commands_per_seed": [figure.command(seed) for seed in SEEDS],
        "quick": request.quick,
    }
    row_id = _id(request, figure)
    value = round(sum(errors) / len(errors), 4)
    return Row(row_id, value, "%", request.command(row_id), figure.target, "at most", extra)
