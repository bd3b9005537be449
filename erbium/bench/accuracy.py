# SPDX-License-Identifier: BSD-2-Clause
"""Test error after training on the compiled model, mean over seeds: what ``erbium train`` comes to.

Everything about a preset was chosen on validation images. The test images are read once, when a run is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from erbium.bench import training
from erbium.bench.display import Display
from erbium.bench.request import Request, load_named
from erbium.bench.result import Row
from erbium.bench.work import Advance, Task, carry_out_groups
from erbium.gen.presets import preset

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
    groups = [[_task(figure, seed, request.data) for seed in SEEDS] for figure in wanted]
    lengths = [_length(figure) for figure in wanted]
    found = carry_out_groups(groups, lengths, request.n_processes, display)
    return [_row(request, figure, runs) for figure, runs in zip(wanted, found, strict=True)]


def _id(request: Request, figure: Figure) -> str:
    return request.id(figure.network, "test-error")


def _length(figure: Figure) -> int:
    """Return how long a run takes, roughly."""
    return figure.epochs * (100 + sum(preset(figure.preset).network.shape[1:-1]))


def _task(figure: Figure, seed: int, data: Path | None) -> Task:
    return Task(f"{figure.network}, seed {seed}", training.STEPS, train, (figure, seed, data))


def train(advance: Advance, figure: Figure, seed: int, data: Path | None) -> dict[str, Any]:
    """Train one network and test it: the run of :meth:`Figure.command`."""
    dataset = load_named(figure.preset, data)
    chosen = preset(figure.preset)
    recipe = replace(chosen.recipe, epochs=figure.epochs, shift=figure.shift)
    found, _ = training.train(advance, replace(chosen.network, seed=seed), recipe, dataset)
    return found


def _row(request: Request, figure: Figure, runs: Sequence[dict[str, Any]]) -> Row:
    extra = {
        "epochs": figure.epochs,
        "shift": figure.shift,
        **training.facts(runs, SEEDS),
        "commands_per_seed": [figure.command(seed) for seed in SEEDS],
        "quick": request.quick,
    }
    row_id = _id(request, figure)
    value = training.mean(training.errors(runs))
    return Row(row_id, value, "%", request.command(row_id), figure.target, "at most", extra)
