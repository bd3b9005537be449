# SPDX-License-Identifier: BSD-2-Clause
"""Early decisions of the eRBP network: error over time after onset, output spikes and synaptic operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure

from erbium.bench import training
from erbium.bench.papers import plots
from erbium.bench.papers.part import Line, Part, row
from erbium.bench.papers.plan import LOOKED_INTO, Plan
from erbium.bench.papers.published import FIRST_DECISION_ERROR, FIRST_DECISION_OPERATIONS
from erbium.bench.papers.runs import OUTPUT_SPIKES, TICKS, Result, SpikingRun, spiking_run
from erbium.bench.result import Row

MAX_ERROR, MAX_OPERATIONS = 4.0, 30_000
"""Of a decision by the first output spike: test error in %, and synaptic operations until then."""


def deciding_runs(plan: Plan) -> tuple[SpikingRun, ...]:
    """Return the runs whose decisions are looked into: the preset as it is shipped."""
    return tuple(spiking_run(plan, "erbp-shift", LOOKED_INTO, seed) for seed in plan.effort.seeds)


def lines(plan: Plan) -> list[Line]:
    """Return the first spike's error and operations, then a line for each number of spikes and ticks."""
    runs = deciding_runs(plan)
    made = [_operations_line(plan, runs)]
    for number, n_spikes in enumerate(OUTPUT_SPIKES):
        row_id = plan.request.id("decision", f"output-spikes-{n_spikes}")
        made.append(Line(row_id, runs, _error_maker(plan, row_id, runs, "by_spikes", number)))
    n_ticks = runs[0].network(plan.size).n_ticks
    for number, ticks in enumerate(ticks for ticks in TICKS if ticks <= n_ticks):
        row_id = plan.request.id("decision", f"ticks-{ticks}")
        made.append(Line(row_id, runs, _error_maker(plan, row_id, runs, "by_ticks", number)))
    return made


def _operations_line(plan: Plan, runs: tuple[SpikingRun, ...]) -> Line:
    row_id = plan.request.id("decision", "first-spike-operations")

    def make(results: Sequence[Result]) -> Row:
        points = [result["decisions"]["by_spikes"][0] for result in results]
        return row(
            plan,
            row_id,
            "SynOps",
            [point["operations"] for point in points],
            runs,
            results,
            published=FIRST_DECISION_OPERATIONS,
            target=MAX_OPERATIONS,
            digits=0,
            columns=_columns(points),
            extra=_extra(plan, points),
        )

    return Line(row_id, runs, make)


def _error_maker(
    plan: Plan, row_id: str, runs: tuple[SpikingRun, ...], kind: str, number: int
) -> Callable[[Sequence[Result]], Row]:
    first = kind == "by_spikes" and number == 0

    def make(results: Sequence[Result]) -> Row:
        points = [result["decisions"][kind][number] for result in results]
        return row(
            plan,
            row_id,
            "%",
            [point["error"] for point in points],
            runs,
            results,
            published=FIRST_DECISION_ERROR if first else None,
            target=MAX_ERROR if first else None,
            columns=_columns(points),
            extra=_extra(plan, points),
        )

    return make


def _columns(points: Sequence[Result]) -> dict[str, str]:
    means = _means(points)
    run = means.get("operations_run")
    return {
        "ticks": f"{means['ticks']:.2f}",
        "SynOps": f"{means['operations']:,.0f}",
        "SynOps run": "" if run is None else f"{run:,.0f}",
    }


def _extra(plan: Plan, points: Sequence[Result]) -> dict[str, object]:
    return {"network": plan.shape(LOOKED_INTO), "point": _means(points)}


def _means(points: Sequence[Result]) -> dict[str, float]:
    return {name: training.mean([point[name] for point in points]) for name in points[0]}


def draw(rows: Sequence[Row]) -> Figure | None:
    """Draw error over ticks, and over synaptic operations."""
    points = [row.extra["point"] for row in rows if row.unit == "%"]
    by_ticks = [point for point in points if "spikes" not in point]
    by_spikes = [point for point in points if "spikes" in point]
    published = next(
        (True for row in rows if row.extra["published"] is not None),
        False,
    )
    beside = (FIRST_DECISION_OPERATIONS.value, FIRST_DECISION_ERROR.value) if published else None
    return plots.decisions(by_ticks, by_spikes, beside)


PART = Part(
    "decision",
    "Early decisions, eRBP: after some output spikes, and some ticks after onset",
    "SynOps are the synapses walked per image in the ticks up to the decision, the tick that decides included; "
    "“SynOps run” has the tick, too, in which the order to stop is on its way.",
    lines,
    draw,
)
