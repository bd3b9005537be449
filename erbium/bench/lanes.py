# SPDX-License-Identifier: BSD-2-Clause
"""Clock cycles: in which share of them the lanes of layer 1 do a row word, and how many a sample takes.

Counted by the hardware, so that the numbers are exact and the same on every machine. Learning is measured at
its very beginning and, as ``trained``, after an epoch: later samples are shorter. With more than 64 lanes two rows may
be done in a clock, which counts as two: then the share may exceed 100 %.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from erbium.bench.display import Display
from erbium.bench.exact import array_hardware, build_all
from erbium.bench.learning import Effort, Stopwatch, infer, learn, weights_after_an_epoch
from erbium.bench.request import Request, load_named
from erbium.bench.result import Limit, Row
from erbium.bench.work import Advance, Task, carry_out
from erbium.chip import open_chip
from erbium.gen.presets import preset
from erbium.sw_model.network import Hardware


@dataclass(frozen=True)
class Figure:
    """A preset, numbers of lanes, images of each part, and the figure that the first number is to reach."""

    preset: str
    lanes: tuple[int, ...]
    n_learn: int
    n_infer: int
    target: float | None = None


FIGURES = (
    Figure("erbp-mnist-200", (64, 8, 50, 200), 2_000, 500, 85.0),
    Figure("first-spike-mnist-600", (64,), 2_000, 500, 85.0),
)
QUICK_FIGURES = (
    Figure("tiny", (3, 8, 12), 300, 50, 30.0),
    Figure("first-spike-tiny", (3,), 300, 50, 20.0),
)


@dataclass(frozen=True)
class Efforts:
    """What a chip spent on learning at first, learning after an epoch, and inference after it."""

    first: Effort
    trained: Effort
    inference: Effort


def measure(request: Request, display: Display) -> list[Row]:
    """Count the cycles for each preset and number of lanes."""
    figures = QUICK_FIGURES if request.quick else FIGURES
    return measure_figures(request, display, figures, _ids, _rows, request.n_processes)


def measure_figures(
    request: Request,
    display: Display,
    figures: Sequence[Figure],
    ids: Callable[[Request, Figure, int], list[str]],
    rows: Callable[[Request, Figure, int, Efforts], list[Row]],
    jobs: int,
    selected: set[str] | None = None,
) -> list[Row]:
    """Do the work of figures for each number of lanes, on up to `jobs` chips at a time; return the rows.

    Parameters
    ----------
    request : Request
    display : Display
    figures : sequence of Figure
    ids, rows : callable
        The ids of the rows of a figure and a number of lanes, and the rows in the same order.
    jobs : int
    selected : set of str, optional
        Ids of the rows that are wanted, where there are more than these.
    """
    pairs = [(figure, lanes) for figure in figures for lanes in figure.lanes]
    if selected is None:
        selected = request.select(row_id for pair in pairs for row_id in ids(request, *pair))
    if not request.quick:
        request.check_mnist()
    wanted = [pair for pair in pairs if selected.intersection(ids(request, *pair))]
    for figure, lanes in wanted:
        build_all(figure.preset, [lanes], display)
    tasks = [
        Task(
            f"{figure.preset}, {lanes} lanes",
            2 * figure.n_learn + figure.n_infer,
            run,
            (figure.preset, lanes, figure.n_learn, figure.n_infer, request.data),
        )
        for figure, lanes in wanted
    ]
    efforts = carry_out(tasks, jobs, display)
    found = [
        row for pair, effort in zip(wanted, efforts, strict=True) for row in rows(request, *pair, effort)
    ]
    return [row for row in found if row.id in selected]


def run(advance: Advance, name: str, lanes: int, n_learn: int, n_infer: int, data: Path | None) -> Efforts:
    """Learn and infer on the chip."""
    chosen, dataset = preset(name), load_named(name, data)
    shift = chosen.recipe.shift
    with open_chip(chosen.network, "rtl", array_hardware(chosen.network, lanes)) as chip:
        watch = Stopwatch(chip)
        learn(chip, dataset, shift, n_learn, advance)
        first = watch.effort()
        weights, position = weights_after_an_epoch(name, dataset)
        chip.load(weights)
        chip.position = position
        watch = Stopwatch(chip)
        learn(chip, dataset, shift, position + n_learn, advance)
        trained = watch.effort()
        watch = Stopwatch(chip)
        infer(chip, dataset, n_infer, advance)
        return Efforts(first, trained, watch.effort())


def _ids(request: Request, figure: Figure, lanes: int) -> list[str]:
    """Return the ids of the rows of one number of lanes, in the order of :func:`_rows`."""
    # The number that has the target needs no suffix.
    suffix = "" if lanes == figure.lanes[0] else f"-lanes-{lanes}"
    quantities = (
        "busy",
        "busy-trained",
        "cycles-per-training-sample",
        "cycles-per-training-sample-trained",
        "cycles-per-inference-sample",
    )
    return [request.id(figure.preset, f"{quantity}{suffix}") for quantity in quantities]


def _rows(request: Request, figure: Figure, lanes: int, efforts: Efforts) -> list[Row]:
    first, trained, inference = efforts.first, efforts.trained, efforts.inference
    target = figure.target if lanes == figure.lanes[0] else None
    # The last word of a row may be a part of one: this share of the synapses of all words is there.
    network = preset(figure.preset).network
    hardware = Hardware(lanes=lanes)
    slots = network.layers[0].n_neurons / (hardware.words_of(network, 0) * hardware.lanes_of(network, 0))
    values: tuple[tuple[float, str, float | None, Limit, Effort], ...] = (
        (first.busy, "%", target, "at least", first),
        (trained.busy, "%", target, "at least", trained),
        (first.cycles_per_image, "cycles", None, "at most", first),
        (trained.cycles_per_image, "cycles", None, "at most", trained),
        (inference.cycles_per_image, "cycles", None, "at most", inference),
    )
    rows = []
    for row_id, (value, unit, goal, limit, effort) in zip(_ids(request, figure, lanes), values, strict=True):
        extra = {
            "lanes": lanes,
            "images": effort.images,
            "cycles": effort.cycles,
            "row_words": effort.row_words,
            "lane_slots_used": round(slots, 4),
            "ticks_per_image": round(effort.ticks / effort.images, 3),
            "quick": request.quick,
        }
        rows.append(Row(row_id, round(value, 3), unit, request.command(row_id), goal, limit, extra))
    return rows
