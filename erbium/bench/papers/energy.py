# SPDX-License-Identifier: BSD-2-Clause
"""Energy of a classification, estimated from its synaptic operations. Nothing here was measured on a board."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure

from erbium.bench import training
from erbium.bench.papers import decision, first_spike, plots
from erbium.bench.papers.part import Line, Part, row
from erbium.bench.papers.plan import Plan
from erbium.bench.papers.published import FIRST_DECISION_OPERATIONS, PICOJOULES
from erbium.bench.papers.published import Figure as Published
from erbium.bench.papers.runs import Result, Run
from erbium.bench.result import Row

Point = tuple[float, float]
"""Synaptic operations of an image, and the test error in %."""


def nanojoules(operations: float) -> float:
    """Return the energy of so many synaptic operations in nJ, at the published energy of one."""
    return operations * PICOJOULES.value / 1000


def _first_output_spike(result: Result) -> Point:
    point = result["decisions"]["by_spikes"][0]
    return point["operations"], point["error"]


def _three_output_spikes(result: Result) -> Point:
    point = result["decisions"]["by_spikes"][2]
    return point["operations"], point["error"]


def _whole_presentation(result: Result) -> Point:
    return result["operations"], result["error"]


def lines(plan: Plan) -> list[Line]:
    """Return a line for each way to decide."""
    erbp, once = decision.deciding_runs(plan), first_spike.deciding_runs(plan)
    cases: list[tuple[str, tuple[Run, ...], Callable[[Result], Point], Published | None]] = [
        ("erbp-first-output-spike", erbp, _first_output_spike, FIRST_DECISION_OPERATIONS),
        ("erbp-3-output-spikes", erbp, _three_output_spikes, None),
        ("erbp-whole-presentation", erbp, _whole_presentation, None),
        ("first-spike-network", once, _whole_presentation, None),
    ]
    made = []
    for name, runs, take, published in cases:
        row_id = plan.request.id("energy", name)
        made.append(Line(row_id, runs, _maker(plan, row_id, runs, take, published)))
    return made


def _maker(
    plan: Plan,
    row_id: str,
    runs: tuple[Run, ...],
    take: Callable[[Result], Point],
    published: Published | None,
) -> Callable[[Sequence[Result]], Row]:
    beside = (
        None
        if published is None
        else Published(nanojoules(published.value), f"{published.place}, at the same energy per operation")
    )

    def make(results: Sequence[Result]) -> Row:
        points = [take(result) for result in results]
        operations = training.mean([count for count, _ in points])
        error = training.mean([error for _, error in points])
        return row(
            plan,
            row_id,
            "nJ, estimate",
            [nanojoules(count) for count, _ in points],
            runs,
            results,
            published=beside,
            digits=0,
            columns={
                "SynOps": f"{operations:,.0f}",
                "pJ/SynOp": f"{PICOJOULES.value:g}",
                "error": f"{error:.2f} %",
            },
            extra={
                "operations": operations,
                "error": error,
                "picojoules_per_operation": PICOJOULES.value,
                "source_of_picojoules": PICOJOULES.place,
                "estimate": True,
            },
        )

    return make


def draw(rows: Sequence[Row]) -> Figure | None:
    """Draw error over energy."""
    return plots.energies(
        [(row.id.split("/")[-1].replace("-", " "), row.value, row.extra["error"]) for row in rows]
    )


PART = Part(
    "energy",
    "Energy of a classification: an estimate",
    f"Synaptic operations times {PICOJOULES.value:g} pJ, which is what one takes on a published chip "
    f"({PICOJOULES.place}). An estimate to compare ways of deciding by; no energy was measured.",
    lines,
    draw,
)
