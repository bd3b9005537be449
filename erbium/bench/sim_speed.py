# SPDX-License-Identifier: BSD-2-Clause
"""Images per second of the simulated chip on one core.

Learning is measured from the initial weights and, as ``trained``, after an epoch: later samples are shorter. The two
simulators of the hardware are compared in pairs: one learns a few images after an epoch, then the other one the same,
again and again, so that whatever else the machine does meets both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from erbium.bench import lanes as cycle_bench
from erbium.bench.display import Display
from erbium.bench.lanes import Figure
from erbium.bench.learning import Effort, Stopwatch, learn, processor, weights_after_an_epoch
from erbium.bench.request import Request, load_named
from erbium.bench.result import Limit, Row
from erbium.bench.work import Advance, Task, carry_out
from erbium.chip import open_chip
from erbium.gen.presets import preset
from erbium.sw_model.network import Hardware
from erbium.verif.library import ARRAY_SIMULATORS, build

FIGURES = (
    Figure("erbp-mnist-200", (200, 25, Hardware().lanes), 5_000, 500, 1_000),
    Figure("first-spike-mnist-600", (Hardware().lanes, 200), 2_000, 500),
)
QUICK_FIGURES = (
    Figure("tiny", (8, 3), 1_500, 200, 300),
    Figure("first-spike-tiny", (8,), 1_500, 200),
)

FACTORS = {"erbp-mnist-200": 7.0, "first-spike-mnist-600": 4.0}
"""How many times as fast as Verilator the vectorised simulation is to be."""

PAIRS, PAIR_IMAGES = 20, 50


def measure(request: Request, display: Display) -> list[Row]:
    """Measure one chip after the other: side by side they would slow each other down."""
    figures = QUICK_FIGURES if request.quick else FIGURES
    selected = request.select(
        row_id
        for figure in figures
        for row_id in (
            *(row_id for lanes in figure.lanes for row_id in _ids(request, figure, lanes)),
            *(_factor_id(request, figure, lanes) for lanes in figure.lanes),
        )
    )
    rows = cycle_bench.measure_figures(request, display, figures, _ids, _rows, 1, selected)
    return rows + _factors(request, display, figures, selected)


def _suffix(figure: Figure, lanes: int) -> str:
    return "" if lanes == figure.lanes[0] else f"-lanes-{lanes}"


def _factor_id(request: Request, figure: Figure, lanes: int) -> str:
    return request.id(figure.preset, f"factor-to-verilator{_suffix(figure, lanes)}")


def _factors(request: Request, display: Display, figures: Sequence[Figure], selected: set[str]) -> list[Row]:
    """Compare the simulators for each preset and number of lanes."""
    wanted = [
        (figure, lanes)
        for figure in figures
        for lanes in figure.lanes
        if _factor_id(request, figure, lanes) in selected
    ]
    n_pairs = 4 if request.quick else PAIRS
    for figure, lanes in wanted:
        for simulator in ARRAY_SIMULATORS:
            with display.during(f"building {figure.preset} with {lanes} lanes, {simulator}"):
                build(preset(figure.preset).network, Hardware(lanes=lanes), simulator=simulator)
    tasks = [
        Task(
            f"{figure.preset}, {lanes} lanes, pairs",
            len(ARRAY_SIMULATORS) * n_pairs * PAIR_IMAGES,
            compare,
            (figure.preset, lanes, n_pairs, request.data),
        )
        for figure, lanes in wanted
    ]
    rows = []
    for (figure, lanes), seconds in zip(wanted, carry_out(tasks, 1, display), strict=True):
        row_id = _factor_id(request, figure, lanes)
        target = FACTORS.get(figure.preset) if lanes == figure.lanes[0] else None
        images = n_pairs * PAIR_IMAGES
        rates = {f"{name}_images_per_s": round(images / spent, 1) for name, spent in seconds.items()}
        extra = {"lanes": lanes, "images": images, **rates, "processor": processor(), "quick": request.quick}
        factor = round(seconds["verilator"] / seconds["vectors"], 2)
        rows.append(Row(row_id, factor, "times", request.command(row_id), target, "at least", extra))
    return rows


def compare(advance: Advance, name: str, lanes: int, n_pairs: int, data: Path | None) -> dict[str, float]:
    """Learn the same images on both simulators in turn; return the seconds of the processor that each has taken."""
    chosen, dataset = preset(name), load_named(name, data)
    weights, position = weights_after_an_epoch(name, dataset)
    seconds = dict.fromkeys(ARRAY_SIMULATORS, 0.0)
    with contextlib.ExitStack() as stack:
        chips = {
            simulator: stack.enter_context(
                open_chip(chosen.network, f"rtl:{simulator}", Hardware(lanes=lanes))
            )
            for simulator in ARRAY_SIMULATORS
        }
        for chip in chips.values():
            chip.load(weights)
            chip.position = position
        for _ in range(n_pairs):
            for simulator, chip in chips.items():
                watch = Stopwatch(chip)
                learn(chip, dataset, chosen.recipe.shift, chip.position + PAIR_IMAGES, advance)
                seconds[simulator] += watch.effort().cpu_seconds
    return {str(name): spent for name, spent in seconds.items()}


def _ids(request: Request, figure: Figure, lanes: int) -> list[str]:
    """Return the ids of the rows of one number of lanes, in the order of :func:`_rows`."""
    suffix = _suffix(figure, lanes)
    quantities = (
        "training-images-per-s",
        "training-images-per-s-trained",
        "inference-images-per-s",
        "clocks-per-s",
    )
    return [request.id(figure.preset, f"{quantity}{suffix}") for quantity in quantities]


def _rows(request: Request, figure: Figure, lanes: int, efforts: cycle_bench.Efforts) -> list[Row]:
    target = figure.target if lanes == figure.lanes[0] else None
    first, trained, inference = efforts.first, efforts.trained, efforts.inference
    values: tuple[tuple[float, str, float | None, Limit, Effort], ...] = (
        (first.images_per_second, "images/s", target, "at least", first),
        (trained.images_per_second, "images/s", target, "at least", trained),
        (inference.images_per_second, "images/s", None, "at least", inference),
        (trained.cycles / trained.cpu_seconds, "clocks/s", None, "at least", trained),
    )
    rows = []
    for row_id, (value, unit, goal, limit, effort) in zip(_ids(request, figure, lanes), values, strict=True):
        extra = {"lanes": lanes, **effort.times(), "cycles": effort.cycles, "quick": request.quick}
        rows.append(Row(row_id, round(value, 1), unit, request.command(row_id), goal, limit, extra))
    return rows
