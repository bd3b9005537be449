# SPDX-License-Identifier: BSD-2-Clause
"""Images per second of the simulated chip on one core.

Learning is measured from the initial weights and, as ``trained``, after an epoch: later samples are shorter.
"""

from __future__ import annotations

from erbium.bench import lanes as cycle_bench
from erbium.bench.display import Display
from erbium.bench.exact import build_all
from erbium.bench.lanes import Figure
from erbium.bench.learning import Effort
from erbium.bench.request import Request
from erbium.bench.result import Limit, Row
from erbium.bench.work import Task, carry_out
from erbium.sw_model.network import Hardware

FIGURE = Figure("erbp-mnist-200", (Hardware().lanes, 25, 200), 5_000, 500, 300)
QUICK_FIGURE = Figure("tiny", (8, 3), 1_500, 200, 300)


def measure(request: Request, display: Display) -> list[Row]:
    """Measure one number of lanes after the other: side by side they would slow each other down."""
    figure = QUICK_FIGURE if request.quick else FIGURE
    selected = request.select(row_id for lanes in figure.lanes for row_id in _ids(request, figure, lanes))
    if not request.quick:
        request.check_mnist()
    wanted = [lanes for lanes in figure.lanes if selected.intersection(_ids(request, figure, lanes))]
    build_all(figure.preset, wanted, display)
    tasks = [
        Task(
            f"{figure.preset}, {lanes} lanes",
            2 * figure.n_learn + figure.n_infer,
            cycle_bench.run,
            (figure.preset, lanes, figure.n_learn, figure.n_infer, request.data),
        )
        for lanes in wanted
    ]
    results = carry_out(tasks, 1, display)
    rows = [
        row
        for lanes, efforts in zip(wanted, results, strict=True)
        for row in _rows(request, figure, lanes, efforts)
    ]
    return [row for row in rows if row.id in selected]


def _ids(request: Request, figure: Figure, lanes: int) -> list[str]:
    """Return the ids of the rows of one number of lanes, in the order of :func:`_rows`."""
    suffix = "" if lanes == figure.lanes[0] else f"-lanes-{lanes}"
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
