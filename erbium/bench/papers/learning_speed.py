# SPDX-License-Identifier: BSD-2-Clause
"""Error over the samples seen: spiking networks, which learn one by one, beside ordinary ones in mini-batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from matplotlib.figure import Figure

from erbium.bench.papers import plots
from erbium.bench.papers.errors import LEARNERS
from erbium.bench.papers.part import Line, Part, mean_curves, row
from erbium.bench.papers.plan import LOOKED_INTO, Plan
from erbium.bench.papers.runs import Learner, Result, Run, run_of
from erbium.bench.result import Row

COMPARED: tuple[Learner, ...] = ("erbp", "perbp", "ann-rbp", "ann-bp")
"""None of them sees shifted images."""

PLACES = (1_000, 5_000, 10_000)
"""Samples seen of which the table has columns."""

LEVEL = 5.0
"""Error in % until which samples are counted."""


def lines(plan: Plan) -> list[Line]:
    """Return a line for each learner."""
    made = []
    for learner in COMPARED:
        row_id = plan.request.id("learning-speed", learner)
        runs = tuple(run_of(plan, learner, LOOKED_INTO, seed) for seed in plan.effort.seeds)
        made.append(Line(row_id, runs, _maker(plan, row_id, learner, runs)))
    return made


def _maker(
    plan: Plan, row_id: str, learner: Learner, runs: tuple[Run, ...]
) -> Callable[[Sequence[Result]], Row]:
    def make(results: Sequence[Result]) -> Row:
        epoch = len(plan.dataset.train)
        curve = mean_curves(results)
        values = [error_at(result["curve"], epoch) for result in results]
        level = samples_until(curve, LEVEL)
        columns = {f"after {place:,}": f"{error_at(curve, place):.2f}" for place in PLACES if place < epoch}
        columns[f"samples to {LEVEL:g} %"] = "–" if level is None else f"{level:,.0f}"
        extra = {
            "network": plan.shape(LOOKED_INTO),
            "learner": learner,
            "samples": epoch,
            "curve": curve,
            f"samples_to_{LEVEL:g}_percent": level,
        }
        return row(plan, row_id, "%", values, runs, results, columns=columns, extra=extra)

    return make


def error_at(curve: Sequence[Sequence[float]], place: float) -> float:
    """Return the error of a curve at the first of its points that is not before `place`."""
    return next((error for seen, error in curve if seen >= place), curve[-1][1])


def samples_until(curve: Sequence[Sequence[float]], level: float) -> float | None:
    """Return how many samples a curve takes to fall to `level`, between its points on a logarithmic scale."""
    if curve[0][1] <= level:
        return curve[0][0]
    for (before, high), (seen, low) in pairwise(curve):
        if low <= level:
            share = (high - level) / (high - low)
            return round(math.exp(math.log(before) + share * math.log(seen / before)))
    return None


def draw(rows: Sequence[Row]) -> Figure | None:
    """Draw the curves."""
    return plots.curves(
        [(LEARNERS[row.extra["learner"]], row.extra["learner"], row.extra["curve"]) for row in rows]
    )


PART = Part(
    "learning-speed",
    "Learning speed: validation error over samples seen",
    "A spiking network learns each image by itself, an ordinary one in mini-batches of 100. The value is the error "
    "after one epoch.",
    lines,
    draw,
)
