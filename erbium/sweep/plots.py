# SPDX-License-Identifier: BSD-2-Clause
"""Plots of a sweep: the error against what it costs, with the Pareto front, and against each axis."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

from erbium.report.plots import HALF, STAND_IN, STYLE, frame, thousands
from erbium.sweep.axes import Settings, Value
from erbium.sweep.store import DONE, Row

COSTS = {
    "memory_bits": ("memory", "synapse memory, bits"),
    "synops_per_inference": ("synops", "synaptic operations per inference"),
    "cycles_per_inference": ("cycles", "clocks per inference"),
    "luts": ("luts", "LUTs"),
}
"""Measures that the error is shown against: what the plot is called, and its axis."""

ERROR = "validation_error"
REPLICATES = ("seed", "faults.seed", "build.seed")
"""Fields that repeat a point by another chance: they are averaged over."""

Colours = Mapping[str, str]

SERIES = ("hidden", "output", "missed", "wrong", "input")
"""Colours of lines and points, by role."""

MARKERS = ("o", "s", "D", "^", "v")

PAPER = {
    "ink": "#1d1a22",
    "muted": "#635d6b",
    "rule": "#e4dfe4",
    "input": "#6b6475",
    "hidden": "#c2256e",
    "output": "#0d7d85",
    "wrong": "#b85c00",
    "missed": "#2f5fd0",
}
"""The page's colours by daylight, for files that stand alone."""


class Cost(NamedTuple):
    """A point as something that costs something and errs so often, in %."""

    settings: Settings
    cost: float
    error: float


@dataclass(frozen=True)
class Plot:
    """A plot.

    Attributes
    ----------
    name : str
        Of its file, without the ending.
    title, lead : str
        What it shows, and how to read it.
    draw : callable
        Makes the figure in given colours, by role.
    """

    name: str
    title: str
    lead: str
    draw: Callable[[Colours], Figure]


def plots(rows: Sequence[tuple[Settings, Row]]) -> list[Plot]:
    """Return the plots that results are good for."""
    done = [(settings, row) for settings, row in rows if row.status == DONE]
    made = []
    for measure, (name, label) in COSTS.items():
        points = costs(done, measure)
        if len({point.cost for point in points}) > 1:
            made.append(
                Plot(
                    f"error-{name}",
                    f"Error against {label.partition(',')[0]}",
                    "The line joins the points that no other one beats in both.",
                    partial(_against_cost, points, label),
                )
            )
    for field in dict.fromkeys(field for settings, _ in done for field in settings):
        if field not in REPLICATES and len(_numbers(done, field)) > 2:
            made.append(
                Plot(
                    f"error-{file_name(field)}",
                    f"Error against {field}",
                    "Means; the bars, where there are any, go from the lowest to the highest.",
                    partial(_against_axis, done, field),
                )
            )
    return made


def file_name(field: str) -> str:
    """Return a field as part of the name of a file."""
    return re.sub(r"[^a-z0-9_]+", "-", field.replace("*", "all").lower()).strip("-")


def costs(done: Sequence[tuple[Settings, Row]], measure: str) -> list[Cost]:
    """Return points with a cost and their error in %, repetitions averaged."""
    groups: dict[tuple[Any, ...], list[tuple[Settings, float, float]]] = {}
    for settings, row in done:
        cost, error = row.measures.get(measure), row.measures.get(ERROR)
        if cost is None or error is None:
            continue
        same = {name: value for name, value in settings.items() if name not in REPLICATES}
        groups.setdefault(tuple(same.items()), []).append((same, cost, 100 * error))
    return [
        Cost(group[0][0], float(np.mean([g[1] for g in group])), float(np.mean([g[2] for g in group])))
        for group in groups.values()
    ]


def pareto(points: Sequence[Cost]) -> list[Cost]:
    """Return the points that no other one beats in cost and error at once, the cheapest first."""
    front: list[Cost] = []
    for point in sorted(points, key=lambda point: (point.cost, point.error)):
        if not front or point.error < front[-1].error:
            front.append(point)
    return front


def short(settings: Settings, fields: Sequence[str]) -> str:
    """Return settings as the label of a point: the last words of the fields and their values."""
    return ", ".join(
        f"{field.rpartition('.')[2]} {_text(settings[field])}" for field in fields if field in settings
    )


def _text(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return "-".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _varying(points: Sequence[Settings]) -> list[str]:
    """Return the fields, but for repetitions, that have more than one value."""
    names = dict.fromkeys(name for settings in points for name in settings if name not in REPLICATES)
    return [name for name in names if len({settings.get(name) for settings in points}) > 1]


def _numbers(done: Sequence[tuple[Settings, Row]], field: str) -> set[float]:
    values = [settings.get(field) for settings, _ in done]
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return set(numbers) if len(numbers) == len(values) else set()


def _against_cost(points: Sequence[Cost], label: str, colours: Colours) -> Figure:
    figure = frame(HALF, 4.6)
    axes = figure.add_subplot()
    fields = _varying([point.settings for point in points])
    # The first axis with few values has the colours.
    by = next((name for name in fields if len({p.settings.get(name) for p in points}) <= len(SERIES)), None)
    values: list[Any] = [None] if by is None else list(dict.fromkeys(p.settings.get(by) for p in points))
    for number, value in enumerate(values):
        chosen = [p for p in points if by is None or p.settings.get(by) == value]
        axes.plot(
            [p.cost for p in chosen],
            [p.error for p in chosen],
            linestyle="none",
            marker=MARKERS[number],
            markersize=6,
            color=colours[SERIES[number]],
            alpha=0.8,
            label=None if by is None else f"{by} {_text(value)}",
        )
    front = pareto(points)
    axes.plot(
        [p.cost for p in front],
        [p.error for p in front],
        drawstyle="steps-post",
        color=colours["ink"],
        linewidth=1.2,
        label="Pareto front",
    )
    _scale(axes, "x", [p.cost for p in points])
    _scale(axes, "y", [p.error for p in points])
    axes.margins(x=0.12, y=0.1)
    named = [name for name in fields if name != by][:2]
    # Below the front there are no points.
    for point in _spread(axes, front) if named else []:
        axes.annotate(
            short(point.settings, named),
            (point.cost, point.error),
            (-6, -4),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=9.5,
            color=colours["muted"],
        )
    axes.set_xlabel(label)
    axes.set_ylabel("validation error, %")
    axes.legend(frameon=False, fontsize=10.5)
    return figure


def _spread(axes: Axes, front: Sequence[Cost]) -> list[Cost]:
    """Return points of a front that are far enough from each other, and from the left, to be named."""
    chosen: list[Cost] = []
    axes.autoscale_view()  # which else comes with the drawing
    last = (0.4, 2.0)
    for point in front:
        x, y = axes.transAxes.inverted().transform(axes.transData.transform((point.cost, point.error)))
        if x >= 0.4 and last[1] - y > 0.06:
            chosen.append(point)
            last = (x, y)
    return chosen


def _against_axis(done: Sequence[tuple[Settings, Row]], field: str, colours: Colours) -> Figure:
    figure = frame(HALF, 4.6)
    axes = figure.add_subplot()
    others = [name for name in _varying([settings for settings, _ in done]) if name != field]
    # A line for each value of all others, or, where that is too many, of the first that has few.
    combinations = {tuple(settings.get(name) for name in others) for settings, _ in done}
    by = others
    if len(combinations) > len(SERIES):
        few = [name for name in others if len({settings.get(name) for settings, _ in done}) <= len(SERIES)]
        by = few[:1]
    lines: dict[tuple[Any, ...], dict[float, list[float]]] = {}
    for settings, row in done:
        x: Any = settings[field]
        line = lines.setdefault(tuple(settings.get(name) for name in by), {})
        line.setdefault(float(x), []).append(100 * row.measures[ERROR])
    for number, (key, line) in enumerate(lines.items()):
        x_values = sorted(line)
        mean = [float(np.mean(line[x])) for x in x_values]
        spread = [
            [m - min(line[x]) for x, m in zip(x_values, mean, strict=True)],
            [max(line[x]) - m for x, m in zip(x_values, mean, strict=True)],
        ]
        axes.errorbar(
            x_values,
            mean,
            yerr=spread if np.any(spread) else None,
            color=colours[SERIES[number]],
            marker=MARKERS[number],
            markersize=5.5,
            linewidth=1.8,
            elinewidth=1,
            capsize=3,
            label=short(dict(zip(by, key, strict=True)), by) or None,
        )
    _scale(axes, "x", [x for line in lines.values() for x in line])
    _scale(axes, "y", [e for line in lines.values() for errors in line.values() for e in errors])
    axes.margins(x=0.06, y=0.1)
    axes.set_xlabel(field)
    axes.set_ylabel("validation error, %")
    if by:
        axes.legend(frameon=False, fontsize=10.5)
    return figure


def _scale(axes: Axes, which: str, values: Sequence[float]) -> None:
    """Make an axis logarithmic where its values span decades; with a place for 0, if that is among them."""
    axis, set_scale = (axes.xaxis, axes.set_xscale) if which == "x" else (axes.yaxis, axes.set_yscale)
    axis.set_major_formatter(FuncFormatter(thousands))
    above = sorted({value for value in values if value > 0})
    if min(values) < 0 or len(above) < 3 or above[-1] < 8 * above[0]:
        return
    middle, ends = above[len(above) // 2], (above[0], above[-1])
    if middle > (np.mean(ends) + np.sqrt(np.prod(ends))) / 2:
        return  # as far apart as on a ruler
    decades = [
        10.0**k for k in range(-12, 13) if above[0] <= 10.0**k * 1.001 and 10.0**k <= 1.001 * above[-1]
    ]
    if min(values) == 0:
        set_scale("symlog", linthresh=above[0], linscale=0.4)
        axis.set_major_locator(FixedLocator([0, *(decades or ends)]))
    else:
        set_scale("log")
        axis.set_major_locator(LogLocator(10, subs=(1, 2, 5) if above[-1] < 200 * above[0] else (1,)))
    axis.set_major_formatter(FuncFormatter(thousands))
    axis.set_minor_formatter(NullFormatter())


def write(plot: Plot, kind: str) -> bytes:
    """Return a plot as a file of its own, ``"svg"`` or ``"png"``."""
    roles = {stand_in: PAPER[role] for role, stand_in in STAND_IN.items()}
    style = {
        key: roles.get(value, value) if isinstance(value, str) else value for key, value in STYLE.items()
    }
    with mpl.rc_context(style | {"svg.fonttype": "path", "figure.facecolor": "white"}):
        figure = plot.draw(PAPER)
        buffer = io.BytesIO()
        metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {"Software": "Erbium"}
        figure.savefig(buffer, format=kind, metadata=metadata, dpi=144)
    return buffer.getvalue()
