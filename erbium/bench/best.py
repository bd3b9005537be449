# SPDX-License-Identifier: BSD-2-Clause
"""The presets that were trained for accuracy, by their own recipes: test error, mean over seeds.

What was tried on the way to them is the bench ``search``, on validation images and with other seeds. Here the test
images are read, once for each run, when it is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from erbium.bench import kept, training
from erbium.bench.display import Display
from erbium.bench.request import Request, load_named
from erbium.bench.result import Row
from erbium.bench.work import Advance, Task, carry_out_groups
from erbium.gen.presets import preset

SEEDS = (1, 2, 3)

EPOCHS_SHOWN = (1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 50, 60, 70, 80, 90, 100, 120, 140, 160, 180, 200)
"""Where the learning curves have their points."""


@dataclass(frozen=True)
class Figure:
    """A preset and the mean test error in % that it is to reach by its own recipe."""

    preset: str
    target: float | None = None
    seeds: tuple[int, ...] = SEEDS

    def command(self, seed: int) -> str:
        """Return the command line that does one of its runs."""
        return f"erbium train {self.preset} --seed {seed} --checkpoint {self.preset}-{seed}.npz"


FIGURES = (
    Figure("erbp-mnist-100-best", 2.2),
    Figure("erbp-mnist-160-best", 1.9),
    Figure("erbp-mnist-200-best", 1.8),
    Figure("erbp-mnist-500-best", 1.25),
    Figure("erbp-mnist-200-200-best", 1.8),
    Figure("erbp-mnist-500-12bit-best", 1.15),
    Figure("first-spike-mnist-600-best", 1.75),
)
"""What is published; targets as of MNIST's 10,000 test images."""

QUICK_FIGURES = (Figure("erbp-digits", 7.0), Figure("first-spike-tiny", 60.0))
"""Data that needs no download: to see that it works."""


def measure(request: Request, display: Display) -> list[Row]:
    """Train every figure with every seed."""
    figures = QUICK_FIGURES if request.quick else FIGURES
    selected = request.select(_id(request, figure) for figure in figures)
    wanted = [figure for figure in figures if _id(request, figure) in selected]
    if not request.quick:
        request.check_mnist()
    groups = [
        [
            Task(f"{figure.preset}, seed {seed}", training.STEPS, run, (figure, seed, request))
            for seed in figure.seeds
        ]
        for figure in wanted
    ]
    lengths = [preset(figure.preset).recipe.epochs * _size(figure) for figure in wanted]
    found = carry_out_groups(groups, lengths, request.n_processes, display)
    return [_row(request, figure, runs) for figure, runs in zip(wanted, found, strict=True)]


def _id(request: Request, figure: Figure) -> str:
    return request.id(figure.preset, "test-error")


def _size(figure: Figure) -> int:
    """Return how long an image takes, roughly."""
    return 100 + sum(preset(figure.preset).network.shape[1:-1])


def run(advance: Advance, figure: Figure, seed: int, request: Request) -> dict[str, Any]:
    """Train one network and test it: the run of :meth:`Figure.command`."""
    chosen, dataset = preset(figure.preset), load_named(figure.preset, request.data)
    network = replace(chosen.network, seed=seed)
    return kept.train(advance, network, chosen.recipe, dataset, EPOCHS_SHOWN, request)


def _row(request: Request, figure: Figure, runs: Sequence[dict[str, Any]]) -> Row:
    recipe, row_id = preset(figure.preset).recipe, _id(request, figure)
    extra = {
        "epochs": recipe.epochs,
        "shift": recipe.shift,
        "shift_share": recipe.shift_share,
        "held_out": recipe.held_out,
        **training.facts(runs, figure.seeds),
        "commands_per_seed": [figure.command(seed) for seed in figure.seeds],
        "quick": request.quick,
    }
    value = training.mean(training.errors(runs))
    columns = {"seeds": " ".join(f"{error:.2f}" for error in training.errors(runs))}
    return Row(row_id, value, "%", request.command(row_id), figure.target, "at most", extra, columns)
