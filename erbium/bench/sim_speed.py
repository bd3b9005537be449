# SPDX-License-Identifier: BSD-2-Clause
"""Images per second of the simulated chip on one core.

Learning is measured from the initial weights and, as ``trained``, after an epoch: later samples are shorter.
"""

from __future__ import annotations

from erbium.bench import lanes as cycle_bench
from erbium.bench.display import Display
from erbium.bench.lanes import Figure
from erbium.bench.learning import Effort
from erbium.bench.request import Request
from erbium.bench.result import Limit, Row
from erbium.sw_model.network import Hardware

FIGURES = (
    Figure("erbp-mnist-200", (Hardware().lanes, 25, 200), 5_000, 500, 300),
    Figure("first-spike-mnist-600", (Hardware().lanes,), 2_000, 500),
)
QUICK_FIGURES = (
    Figure("tiny", (8, 3), 1_500, 200, 300),
    Figure("first-spike-tiny", (8,), 1_500, 200),
)


def measure(request: Request, display: Display) -> list[Row]:
    """Measure one chip after the other: side by side they would slow each other down."""
    figures = QUICK_FIGURES if request.quick else FIGURES
    return cycle_bench.measure_figures(request, display, figures, _ids, _rows, 1)


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
