# SPDX-License-Identifier: BSD-2-Clause
"""What a table or figure is made of: lines that name the runs they need, and a drawing of their rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from erbium.bench import training
from erbium.bench.papers.plan import Plan
from erbium.bench.papers.published import Figure as Published
from erbium.bench.papers.runs import Result, Run
from erbium.bench.result import Limit, Row


@dataclass(frozen=True)
class Line:
    """A row to be: its id, the runs that it needs, and how it is made of their results."""

    id: str
    runs: tuple[Run, ...]
    make: Callable[[Sequence[Result]], Row]


Table = tuple[list[str], list[list[str]]]
"""Headings, and rows of texts."""


@dataclass(frozen=True)
class Part:
    """A table or figure of a source.

    Parameters
    ----------
    key : str
        Names its picture.
    title, lead : str
        What it is, and a sentence that says how to read it.
    lines : callable
        Returns its lines, given a plan.
    draw : callable
        Draws its rows; None if there are not enough of them.
    overview : callable, optional
        Returns a table in the form of the source's, to stand before that of the rows.
    """

    key: str
    title: str
    lead: str
    lines: Callable[[Plan], list[Line]]
    draw: Callable[[Sequence[Row]], Figure | None]
    overview: Callable[[Sequence[Row]], Table] | None = None


def row(
    plan: Plan,
    row_id: str,
    unit: str,
    values: Sequence[float],
    runs: Sequence[Run],
    results: Sequence[Result],
    *,
    published: Published | None = None,
    target: float | None = None,
    limit: Limit = "at most",
    columns: Mapping[str, str] | None = None,
    extra: Mapping[str, Any] | None = None,
    digits: int = 2,
) -> Row:
    """Return the row of a mean over seeds, with its spread, its source and its command.

    Parameters
    ----------
    plan : Plan
    row_id, unit : str
    values : sequence of float
        One of each seed.
    runs, results : sequence
        What it was measured on.
    published : Published, optional
        The figure to set beside it, where the data are those of the source.
    target : float, optional
        Holds for whole runs on MNIST alone.
    columns, extra : mapping, optional
        What else the table shows, and what else JSON has.
    digits : int
        Behind the point, in the table.
    """
    beside = published if plan.is_published else None
    facts = {
        "seeds": [run.seed for run in runs],
        "values": [round(value, 4) for value in values],
        "spread": round(max(values) - min(values), 4),
        "epochs": runs[0].epochs,
        "shift": results[0]["shift"],
        "dataset": plan.dataset.name,
        "images_tested": results[0]["n_images"],
        "seconds": [round(result["seconds"], 1) for result in results],
        "published": None if beside is None else beside.value,
        "source": None if beside is None else beside.place,
        "quick": plan.request.quick,
    }
    shown = {} if beside is None else {"published": f"{beside.value:,.{digits}f}"}
    shown |= {
        "seeds": " ".join(f"{value:,.{digits}f}" for value in values),
        "epochs": str(runs[0].epochs),
    }
    return Row(
        row_id,
        training.mean(values),
        unit,
        plan.request.command(row_id),
        target if plan.has_targets else None,
        limit,
        {**facts, **(extra or {})},
        {**shown, **(columns or {})},
    )


def mean_curves(results: Sequence[Result]) -> list[list[float]]:
    """Return the mean over seeds of learning curves that were measured at the same places."""
    return [
        [points[0][0], training.mean([error for _, error in points])]
        for points in zip(*(result["curve"] for result in results), strict=True)
    ]
