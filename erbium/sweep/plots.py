# SPDX-License-Identifier: BSD-2-Clause
"""Plots of a sweep: the error against what it costs, with the Pareto front, and against each axis."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from erbium.report.pictures import svg_file
from erbium.report.plots import HALF, STAND_IN, STYLE, frame, svg, thousands
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

X_TICKS = 6
"""Steps of an axis of integers from left to right, at most: as many as numbers of six digits have room for."""
REPLICATES = ("seed", "faults.seed", "build.seed")
"""Fields that repeat a point by another chance: they are averaged over."""

_NAMES = {
    "hidden": "hidden neurons",
    "network": "network",
    "n_ticks": "longest presentation, ticks",
    "images": "images learned",
    "weight_width": "bits of a weight",
    "neuron_keep": "neurons kept in blank-out, of 256",
    "synapse_keep": "synapses kept in blank-out, of 256",
    "quiet_ticks": "quiet ticks that end a sample",
    "decide_after": "output spikes that decide",
    "feedback_delay": "feedback delay, ticks",
    "rule.step": "step of a weight",
    "program.threshold": "threshold of a neuron",
    "recipe.epochs": "epochs",
    "recipe.shift": "shift of the images, pixels",
    "recipe.shift_share": "share of the run with shifted images",
    "recipe.schedule": "schedule of the learning rate",
    "recipe.crop": "middle of the images, pixels",
    "recipe.held_out": "images held out",
    "recipe.learn_ticks": "longest presentation in learning, ticks",
    "hardware.lanes": "lanes",
    "eval.ticks": "longest presentation of the test, ticks",
    "eval.decide_after": "output spikes that decide the test",
    "eval.images": "images of the test",
    "build.board": "board",
    "build.clock": "clock of the board, Hz",
}
"""What people call a field, with its unit; the layer comes after it."""

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
"""The page's colours by daylight, for files that know one theme."""


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
    off : tuple of str
        Points that lie so far out that they would stretch the axes: they stand at the edge, and here by name.
    """

    name: str
    title: str
    lead: str
    draw: Callable[[Colours], Figure]
    off: tuple[str, ...] = ()


def plots(rows: Sequence[tuple[Settings, Row]]) -> list[Plot]:
    """Return the plots that results are good for."""
    # A point without an answer has no error.
    done = [
        (settings, row)
        for settings, row in rows
        if row.status == DONE and row.measures.get(ERROR) is not None
    ]
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
                    tuple(_off_scale(points)),
                )
            )
    for field in dict.fromkeys(field for settings, _ in done for field in settings):
        if field not in REPLICATES and len(_numbers(done, field)) > 2:
            made.append(
                Plot(
                    f"error-{file_name(field)}",
                    f"Error against {readable(field)}",
                    "Means; the bars, where there are any, go from the lowest to the highest.",
                    partial(_against_axis, done, field),
                    tuple(_off_scale(costs(done, None))),
                )
            )
    return made


def file_name(field: str) -> str:
    """Return a field as part of the name of a file."""
    return re.sub(r"[^a-z0-9_]+", "-", field.replace("*", "all").lower()).strip("-")


def readable(field: str) -> str:
    """Return what people call a field, such as "bits of a weight, all layers" for ``layers.*.weight_width``."""
    which, path = "", field
    if found := re.match(r"layers\.(\*|\d+)\.", field):
        which = ", all layers" if found[1] == "*" else f", layer {int(found[1]) + 1}"
        path = field[found.end() :]
    if path in _NAMES:
        return _NAMES[path] + which
    room, _, last = path.rpartition(".")
    name = last.removeprefix("n_").replace("_", " ")
    within = room.rpartition(".")[2].replace("_", " ")
    return (f"{name} ({within})" if within else name) + which


def costs(done: Sequence[tuple[Settings, Row]], measure: str | None) -> list[Cost]:
    """Return points with a cost and their error in %, repetitions averaged; without a measure the cost is 0."""
    groups: dict[tuple[Any, ...], list[tuple[Settings, float, float]]] = {}
    for settings, row in done:
        cost, error = 0 if measure is None else row.measures.get(measure), row.measures.get(ERROR)
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
    """Return settings as the label of a point: what the fields are called, without units, and their values."""
    return ", ".join(
        f"{_without_unit(field)} {_text(settings[field])}" for field in fields if field in settings
    )


def _without_unit(field: str) -> str:
    last = field.rpartition(".")[2]
    name = last.removeprefix("n_").replace("_", " ")
    found = re.match(r"layers\.(\d+)\.", field)
    return f"{name} {int(found[1]) + 1}:" if found else name


def inside(values: Sequence[float]) -> float:
    """Return the largest value that does not lie far out: beyond the others by three times their spread.

    The spread is that of the middle half, by ratios, since errors and costs span decades.
    """
    above = sorted(value for value in values if value > 0)
    if len(above) < 5:
        return max(values, default=0.0)
    low, high = np.quantile(np.log(above), (0.25, 0.75))
    limit = float(np.exp(high + 3 * max(high - low, 0.1)))
    return max(value for value in above if value <= limit)


def _off_scale(points: Sequence[Cost]) -> Iterator[str]:
    """Return the points whose error lies far out, by name and with their error."""
    limit = inside([point.error for point in points])
    fields = _varying([point.settings for point in points])
    for point in sorted(points, key=lambda point: -point.error):
        if point.error > limit:
            yield f"{short(point.settings, fields)}: {point.error:.2f} %"


def _cut(axes: Axes, errors: Sequence[float], at: Sequence[tuple[float, float]], colours: Colours) -> None:
    """Let the error's axis end above what does not lie far out, and mark what does at its edge."""
    limit = inside(errors)
    outside = sorted({x for x, error in at if error > limit})
    if not outside:
        return
    low = min(errors)
    log = axes.get_yscale() != "linear"
    axes.set_ylim(
        low / 1.1 if log else low - 0.08 * (limit - low),
        limit * 1.15 if log else limit + 0.15 * (limit - low),
    )
    axes.plot(
        outside,
        [0.98] * len(outside),
        linestyle="none",
        marker=6,  # a caret that points up
        markersize=9,
        color=colours["wrong"],
        transform=axes.get_xaxis_transform(),
        label="off the scale",
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
    figure = frame(HALF, 4.6, right=0.4)
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
            label=None if by is None else f"{_without_unit(by)} {_text(value)}",
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
    errors = [p.error for p in points]
    _scale(axes, "y", [error for error in errors if error <= inside(errors)])
    axes.margins(x=0.12, y=0.1)
    _cut(axes, errors, [(p.cost, p.error) for p in points], colours)
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
    figure = frame(HALF, 4.6, right=0.4)
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
    means = [(x, float(np.mean(errors))) for line in lines.values() for x, errors in line.items()]
    limit = inside([error for _, error in means])
    _scale(axes, "y", [error for _, error in means if error <= limit])
    axes.margins(x=0.06, y=0.1)
    _cut(axes, [error for _, error in means], means, colours)
    axes.set_xlabel(readable(field))
    axes.set_ylabel("validation error, %")
    if by:
        axes.legend(frameon=False, fontsize=10.5)
    return figure


def _scale(axes: Axes, which: str, values: Sequence[float]) -> None:
    """Make an axis logarithmic where its values span decades; with a place for 0, if that is among them."""
    axis, set_scale = (axes.xaxis, axes.set_xscale) if which == "x" else (axes.yaxis, axes.set_yscale)
    axis.set_major_formatter(FuncFormatter(thousands))
    if all(value == int(value) for value in values):
        # Numbers side by side take more room than one above the other.
        bins: Any = X_TICKS if which == "x" else "auto"
        axis.set_major_locator(MaxNLocator(bins, integer=True, steps=[1, 2, 5, 10]))
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
    """Return a plot as a file of its own: an SVG that follows a light or dark screen, or a PNG by daylight."""
    if kind == "svg":
        return svg_file(svg(plot.name, plot.title, lambda: plot.draw(STAND_IN))).encode()
    roles = {stand_in: PAPER[role] for role, stand_in in STAND_IN.items()}
    style = {
        key: roles.get(value, value) if isinstance(value, str) else value for key, value in STYLE.items()
    }
    with mpl.rc_context(style | {"figure.facecolor": "white"}):
        buffer = io.BytesIO()
        plot.draw(PAPER).savefig(buffer, format=kind, metadata={"Software": "Erbium"}, dpi=144)
    return buffer.getvalue()
