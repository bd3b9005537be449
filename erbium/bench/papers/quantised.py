# SPDX-License-Identifier: BSD-2-Clause
"""Quantised weights: error over the bits of a weight, and how many weights stand at their bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure

from erbium.bench import training
from erbium.bench.papers import plots
from erbium.bench.papers.part import Line, Part, row
from erbium.bench.papers.plan import LOOKED_INTO, Plan
from erbium.bench.papers.runs import Result, SpikingRun, spiking_run
from erbium.bench.result import Row


def lines(plan: Plan) -> list[Line]:
    """Return a line for each width."""
    made = []
    for width in plan.effort.widths:
        row_id = plan.request.id("weights", f"{width}-bits")
        runs = tuple(spiking_run(plan, "erbp", LOOKED_INTO, seed, width) for seed in plan.effort.seeds)
        made.append(Line(row_id, runs, _maker(plan, row_id, width, runs)))
    return made


def _maker(
    plan: Plan, row_id: str, width: int, runs: tuple[SpikingRun, ...]
) -> Callable[[Sequence[Result]], Row]:
    def make(results: Sequence[Result]) -> Row:
        layers = range(len(LOOKED_INTO) + 1)
        at_bounds = [
            100 * training.mean([result["weights"][layer]["at_bounds"] for result in results])
            for layer in layers
        ]
        shares = [
            [
                training.mean(list(bins))
                for bins in zip(*(result["weights"][layer]["shares"] for result in results), strict=True)
            ]
            for layer in layers
        ]
        return row(
            plan,
            row_id,
            "%",
            [result["error"] for result in results],
            runs,
            results,
            columns={
                "hidden at bounds": f"{at_bounds[0]:.2f} %",
                "output at bounds": f"{at_bounds[-1]:.2f} %",
            },
            extra={
                "network": plan.shape(LOOKED_INTO),
                "bits": width,
                "at_bounds": [round(share, 4) for share in at_bounds],
                "shares": shares,
            },
        )

    return make


def draw(rows: Sequence[Row]) -> Figure | None:
    """Draw error over bits, and the weights of the hidden layer."""
    return plots.weights(
        [
            (row.extra["bits"], row.extra["values"], row.extra["shares"], row.extra["at_bounds"])
            for row in rows
        ]
    )


PART = Part(
    "weights",
    "Quantised weights, eRBP: test error over bits, and weights at their bounds",
    "Learned with so few bits from the first image on, not rounded afterwards. A weight at its bound is the least or "
    "the largest that its bits can say.",
    lines,
    draw,
)
