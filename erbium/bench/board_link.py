# SPDX-License-Identifier: BSD-2-Clause
"""The chip of a bitstream, simulated behind its serial line: it learns over UART bits, beside the model.

Initial weights go in over the line, images follow, all weights and counters come back over it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from erbium.bench.display import Display
from erbium.bench.request import Request, load_named
from erbium.bench.result import Row
from erbium.bench.work import Advance, Task, carry_out
from erbium.chip import open_chip
from erbium.exact import compare
from erbium.fpga.driver import BoardArray
from erbium.fpga.simulated import simulated_board
from erbium.gen.presets import preset
from erbium.sw_model.constants import sample_seeds
from erbium.train import training_batch

BATCH = 20


@dataclass(frozen=True)
class Figure:
    """A preset, the simulated board that it runs on, and images to learn and to infer."""

    preset: str
    board: str
    n_learn: int
    n_infer: int


FIGURES = (
    Figure("erbp-mnist-200", "ulx3s-85f", 200, 50),
    Figure("first-spike-mnist-20x20-320", "ulx3s-85f", 200, 50),
)
QUICK_FIGURES = (
    Figure("tiny", "icebreaker", 40, 10),
    Figure("first-spike-tiny", "ulx3s-85f", 40, 10),
)

_QUANTITIES = {
    "differing-weights": "weights and counters",
    "differing-predictions": "answers and times",
}


def measure(request: Request, display: Display) -> list[Row]:
    """Run each preset on its board, and compare every integer with the model's."""
    figures = QUICK_FIGURES if request.quick else FIGURES
    ids = {figure: [request.id(figure.preset, name) for name in _QUANTITIES] for figure in figures}
    selected = request.select(row_id for row_ids in ids.values() for row_id in row_ids)
    wanted = [figure for figure in figures if selected & set(ids[figure])]
    if not request.quick:
        request.check_mnist()
    for figure in wanted:
        with display.during(f"building {figure.board} with {figure.preset}"):
            simulated_board(figure.board, preset(figure.preset).network).close()
    tasks = [
        Task(
            f"{figure.preset} on {figure.board}",
            figure.n_learn + figure.n_infer,
            run,
            (figure, request.data),
        )
        for figure in wanted
    ]
    rows = []
    for figure, found in zip(wanted, carry_out(tasks, request.n_processes, display), strict=True):
        for row_id, (name, unit) in zip(ids[figure], _QUANTITIES.items(), strict=True):
            extra = {**found["facts"], "quick": request.quick}
            value = found[name]
            rows.append(Row(row_id, value, f"differing {unit}", request.command(row_id), 0, "exactly", extra))
    return [row for row in rows if row.id in selected]


def run(advance: Advance, figure: Figure, data: Path | None) -> dict[str, Any]:
    """Learn and infer over the line and on the model; return how many integers differ."""
    chosen, dataset = preset(figure.preset), load_named(figure.preset, data)
    network = chosen.network
    start = time.perf_counter()
    line = simulated_board(figure.board, network)
    board = BoardArray(network, line)
    different = 0
    with open_chip(network, "model") as model:
        for first in range(0, figure.n_learn, BATCH):
            count = min(BATCH, figure.n_learn - first)
            images, labels = training_batch(dataset, network, chosen.recipe.shift, first, count)
            seeds = sample_seeds(network.seed, True, first, count)
            different += _differing(board.run(images, seeds, labels), model.learn(images, labels))
            advance(count)
        for first in range(0, figure.n_infer, BATCH):
            here = slice(first, min(first + BATCH, figure.n_infer))
            images = dataset.test.images[here]
            seeds = sample_seeds(network.seed, False, first, len(images))
            different += _differing(board.run(images, seeds), model.infer(images, first=first))
            advance(len(images))
        verdict = compare((board.weights, model.weights), (board.counters(), model.counters))
    cycles = board.performance()["cycles"]
    facts = {
        "board": figure.board,
        "lanes": board.facts.lanes,
        "clock_frequency": line.clock_frequency,
        "baud_rate": line.baud_rate,
        "images_learned": figure.n_learn,
        "images_inferred": figure.n_infer,
        "weights": verdict.n_weights,
        "counters": verdict.n_counters,
        "first_difference": verdict.first_difference,
        "retries": board.retries,
        "clocks": line.clocks,
        "cycles": cycles,
        "seconds": round(time.perf_counter() - start, 1),
    }
    board.close()
    unequal = verdict.n_weights - verdict.n_weights_equal + verdict.n_counters - verdict.n_counters_equal
    return {"differing-weights": unequal, "differing-predictions": different, "facts": facts}


def _differing(mine: Any, other: Any) -> int:
    """Return how many of the outcomes of two batches differ."""
    names = ("answers", "ticks", "ticks_to_decision")
    return sum(int(np.count_nonzero(getattr(mine, name) != getattr(other, name))) for name in names)
