# SPDX-License-Identifier: BSD-2-Clause
"""Test errors of spiking and ordinary networks of the same sizes: table 1 of the eRBP paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure

from erbium.bench.papers import plots
from erbium.bench.papers.part import Line, Part, mean_curves, row
from erbium.bench.papers.plan import NETWORKS, Plan
from erbium.bench.papers.published import TEST_ERRORS
from erbium.bench.papers.runs import Learner, Result, Run, run_of
from erbium.bench.result import Row

LEARNERS: dict[Learner, str] = {
    "erbp": "eRBP",
    "perbp": "peRBP, probabilistic synapses",
    "erbp-shift": "eRBP preset, images shifted by ±1 pixel",
    "ann-rbp": "ordinary network, random backpropagation",
    "ann-bp": "ordinary network, backpropagation",
}
"""What learns, and what people call it."""

TITLE = "Test error of the source’s networks, spiking and ordinary"


def lines(plan: Plan) -> list[Line]:
    """Return a line for each network and learner."""
    return [_line(plan, hidden, learner) for hidden in NETWORKS for learner in LEARNERS]


def _line(plan: Plan, hidden: tuple[int, ...], learner: Learner) -> Line:
    row_id = plan.request.id(plan.shape(hidden), learner)
    runs = tuple(run_of(plan, learner, hidden, seed) for seed in plan.effort.seeds)
    return Line(row_id, runs, _maker(plan, row_id, hidden, learner, runs))


def _maker(
    plan: Plan, row_id: str, hidden: tuple[int, ...], learner: Learner, runs: tuple[Run, ...]
) -> Callable[[Sequence[Result]], Row]:
    published = TEST_ERRORS.get((hidden, learner))
    # What the paper's spiking networks reach is to be reached; the ordinary ones are the yardstick beside them.
    target = published.value if published and learner in ("erbp", "perbp") else None

    def make(results: Sequence[Result]) -> Row:
        return row(
            plan,
            row_id,
            "%",
            [result["error"] for result in results],
            runs,
            results,
            published=published,
            target=target,
            extra={
                "network": plan.shape(hidden),
                "learner": learner,
                "validation_curve": mean_curves(results),
            },
        )

    return make


def draw(rows: Sequence[Row]) -> Figure | None:
    """Draw a dot for each row, and a ring for what was published."""
    return plots.errors(rows, list(LEARNERS.items()))


PART = Part(
    "errors",
    TITLE,
    "A dot is the mean over the seeds and a line their spread; a ring is the published figure. The source’s images "
    "are not shifted.",
    lines,
    draw,
)
