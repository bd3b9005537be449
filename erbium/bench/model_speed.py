# SPDX-License-Identifier: BSD-2-Clause
"""Images per second of the compiled model on one core: learning a first epoch, then inference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from erbium.bench.display import Display
from erbium.bench.learning import Effort, Stopwatch, infer, learn, warm_up
from erbium.bench.request import Request, load_named
from erbium.bench.result import Row
from erbium.bench.work import Advance, Task, carry_out
from erbium.chip import open_chip
from erbium.gen.presets import preset

TRAINING, INFERENCE = "training-images-per-s", "inference-images-per-s"


@dataclass(frozen=True)
class Figure:
    """A preset, the images it learns and infers, and the training images per second to reach."""

    preset: str
    n_learn: int
    n_infer: int
    target: float | None = None


FIGURES = (
    Figure("erbp-mnist-100", 50_000, 10_000),
    Figure("erbp-mnist-200", 50_000, 10_000, 5_000),
    Figure("erbp-mnist-500", 50_000, 10_000),
    Figure("erbp-mnist-200-200", 50_000, 10_000),
    Figure("first-spike-mnist-600", 50_000, 10_000, 10_000),
)
QUICK_FIGURES = (Figure("erbp-digits", 1_290, 255, 5_000), Figure("first-spike-tiny", 1_290, 255, 10_000))


def measure(request: Request, display: Display) -> list[Row]:
    """Measure one preset after the other: side by side they would slow each other down."""
    figures = QUICK_FIGURES if request.quick else FIGURES
    ids = {figure: [request.id(figure.preset, name) for name in (TRAINING, INFERENCE)] for figure in figures}
    selected = request.select(row_id for pair in ids.values() for row_id in pair)
    if not request.quick:
        request.check_mnist()
    wanted = [figure for figure in figures if selected.intersection(ids[figure])]
    tasks = [
        Task(figure.preset, figure.n_learn + figure.n_infer, run, (figure, request.data)) for figure in wanted
    ]
    rows = []
    for figure, efforts in zip(wanted, carry_out(tasks, 1, display), strict=True):
        targets = (figure.target, None)
        for row_id, target, effort in zip(ids[figure], targets, efforts, strict=True):
            if row_id in selected:
                extra = {**effort.times(), "quick": request.quick}
                value = round(effort.images_per_second, 1)
                rows.append(
                    Row(row_id, value, "images/s", request.command(row_id), target, "at least", extra)
                )
    return rows


def run(advance: Advance, figure: Figure, data: Path | None) -> tuple[Effort, Effort]:
    """Return what learning and inference took."""
    chosen, dataset = preset(figure.preset), load_named(figure.preset, data)
    warm_up(chosen.network)
    with open_chip(chosen.network, "model") as chip:
        watch = Stopwatch(chip)
        learn(chip, dataset, chosen.recipe.shift, figure.n_learn, advance)
        learned = watch.effort()
        watch = Stopwatch(chip)
        infer(chip, dataset, figure.n_infer, advance)
        return learned, watch.effort()
