# SPDX-License-Identifier: BSD-2-Clause
"""The first-spike network: what a decision takes, as the histograms of its source."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure

from erbium.bench.papers.part import Line, Part, row
from erbium.bench.papers.plan import Plan
from erbium.bench.papers.published import FIRST_SPIKE
from erbium.bench.papers.runs import FirstSpikeRun, Result, first_spike_run
from erbium.bench.result import Row
from erbium.report import first_spike_plots

Take = Callable[[Result], float]

QUANTITIES: dict[str, tuple[str, Take, str | None]] = {
    "test-error": ("%", lambda result: result["error"], None),
    "ticks-to-decision": ("ticks", lambda result: result["mean_ticks"], "ticks"),
    "hidden-spikes-to-decision": (
        "spikes",
        lambda result: result["mean_hidden_spikes"],
        "hidden_spikes",
    ),
    "rows-read-layer-1": ("%", lambda result: result["rows_read"][0], "input_spikes"),
    "rows-read-layer-2": ("%", lambda result: result["rows_read"][1], None),
}
"""Unit, how it is taken from a result, and the key of its histogram, if there is one of its own."""

PANELS = {
    "ticks-to-decision": "ticks to the decision",
    "hidden-spikes-to-decision": "hidden spikes until then, each a row of layer 2 that is read",
    "rows-read-layer-1": "rows of layer 1 that are read until then",
}
"""Histograms that are drawn, and what they are of."""


def deciding_runs(plan: Plan) -> tuple[FirstSpikeRun, ...]:
    """Return the runs of the preset, one of each seed."""
    return tuple(first_spike_run(plan, seed) for seed in plan.effort.seeds)


def lines(plan: Plan) -> list[Line]:
    """Return a line for each quantity."""
    runs = deciding_runs(plan)
    ids = {name: plan.request.id("first-spike", name) for name in QUANTITIES}
    return [Line(row_id, runs, _maker(plan, row_id, name, runs)) for name, row_id in ids.items()]


def _maker(
    plan: Plan, row_id: str, name: str, runs: tuple[FirstSpikeRun, ...]
) -> Callable[[Sequence[Result]], Row]:
    unit, take, key = QUANTITIES[name]

    def make(results: Sequence[Result]) -> Row:
        columns, extra = {}, {"network": runs[0].preset}
        if key is not None:
            counts = np.sum([result[key] for result in results], axis=0).tolist()
            # In a row of shares, the spread of whole rows would be taken for that of shares.
            columns = {} if unit == "%" else spread(counts)
            extra["histogram"] = counts
        return row(
            plan,
            row_id,
            unit,
            [take(result) for result in results],
            runs,
            results,
            published=FIRST_SPIKE[name],
            columns=columns,
            extra=extra,
        )

    return make


def spread(histogram: Sequence[int]) -> dict[str, str]:
    """Return median, ninth decile and largest of the values that a histogram counts."""
    values = np.repeat(np.arange(len(histogram)), histogram)
    return {
        "median": f"{np.median(values):,.0f}",
        "90 % at most": f"{np.quantile(values, 0.9):,.0f}",
        "largest": f"{values.max():,}",
    }


def draw(rows: Sequence[Row]) -> Figure | None:
    """Draw the histograms."""
    found = {row.id.rpartition("/")[2]: row.extra.get("histogram") for row in rows}
    panels = [(text, counts) for name, text in PANELS.items() if (counts := found.get(name)) is not None]
    return first_spike_plots.histograms(panels, sum(panels[0][1])) if panels else None


PART = Part(
    "first-spike",
    "The first-spike network: what a decision takes",
    "Each neuron spikes at most once, and the first output spike decides. The source trained off the chip and counted "
    "in time steps of its FPGA, which are finer than ticks.",
    lines,
    draw,
)
