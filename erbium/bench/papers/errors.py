# SPDX-License-Identifier: BSD-2-Clause
"""Test errors of spiking and ordinary networks of the same sizes: table 1 of the eRBP paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure

from erbium.bench.papers import plots
from erbium.bench.papers.part import Line, Part, Table, mean_curves, row
from erbium.bench.papers.plan import NETWORKS, Plan
from erbium.bench.papers.published import TEST_ERRORS
from erbium.bench.papers.runs import Learner, Result, Run, run_of
from erbium.bench.result import Row

LEARNERS: dict[Learner, str] = {
    "erbp": "eRBP",
    "perbp": "peRBP",
    "erbp-shift": "eRBP preset, images shifted",
    "ann-rbp": "ANN, random backpropagation",
    "ann-bp": "ANN, backpropagation",
}
"""What learns, and what people call it."""

SPIKING: tuple[Learner, ...] = ("erbp", "perbp")
"""The spiking networks of the source: what it published of them is to be reached."""

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
    # The ordinary networks are the yardstick beside the spiking ones.
    target = published.value if published and learner in SPIKING else None

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


def overview(rows: Sequence[Row]) -> Table:
    """Return the source's table: a row for each network, and behind each error, in brackets, the published one."""
    found = {(row.extra["network"], row.extra["learner"]): row for row in rows}
    networks = list(dict.fromkeys(network for network, _ in found))
    learners = [name for name in LEARNERS if any(learner == name for _, learner in found)]
    body = [[network, *(_cell(found.get((network, name))) for name in learners)] for network in networks]
    return ["network", *(LEARNERS[name] for name in learners)], body


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    published = row.extra["published"]
    return f"{row.value:.2f} %" + ("" if published is None else f" ({published:.2f})")


PART = Part(
    "errors",
    TITLE,
    "A dot is the mean over the seeds and a line their spread; a ring, and what stands in brackets, is the published "
    "figure. peRBP is eRBP with probabilistic synapses, ANN an ordinary network; random backpropagation is feedback "
    "alignment. The source’s images are not shifted.",
    lines,
    draw,
    overview,
)
