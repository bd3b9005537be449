# SPDX-License-Identifier: BSD-2-Clause
"""The figures, in the style and the colours of :mod:`erbium.report.plots`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from erbium.bench.result import Row
from erbium.report.plots import FULL, INK, MUTED, STAND_IN, frame, thousands

COLOURS = {
    "erbp": STAND_IN["hidden"],
    "perbp": STAND_IN["wrong"],
    "erbp-shift": STAND_IN["input"],
    "ann-rbp": STAND_IN["missed"],
    "ann-bp": STAND_IN["output"],
}
"""Of the learners."""

Point = Mapping[str, float]


def errors(rows: Sequence[Row], learners: Sequence[tuple[str, str]]) -> Figure | None:
    """Draw errors: a group for each network, in it a line for each learner, the published figure a ring."""
    networks = list(dict.fromkeys(row.extra["network"] for row in rows))
    figure = frame(FULL, 1.7 + 1.15 * len(networks), left=1.6)
    axes = figure.add_subplot()
    places = []
    for group, network in enumerate(networks):
        chosen = [row for row in rows if row.extra["network"] == network]
        for number, row in enumerate(chosen):
            y = group * (len(learners) + 1.2) + number
            colour, values = COLOURS[row.extra["learner"]], row.extra["values"]
            axes.plot([min(values), max(values)], [y, y], color=colour, linewidth=2.5)
            axes.plot([row.value], [y], "o", color=colour, markersize=7)
            if row.extra["published"] is not None:
                axes.plot(
                    [row.extra["published"]],
                    [y],
                    "o",
                    markersize=8,
                    markerfacecolor="none",
                    markeredgecolor=colour,
                    markeredgewidth=1.6,
                )
        places.append(group * (len(learners) + 1.2) + (len(chosen) - 1) / 2)
    axes.set_yticks(places, networks)
    axes.invert_yaxis()
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, None)
    axes.set_xlabel("test error, %")
    shown = {row.extra["learner"] for row in rows}
    handles = [
        axes.plot([], [], "o", color=COLOURS[name], label=text)[0] for name, text in learners if name in shown
    ]
    if any(row.extra["published"] is not None for row in rows):
        handles += axes.plot(
            [], [], "o", markersize=8, markerfacecolor="none", markeredgecolor=INK, label="published"
        )
    _legend_above(figure, axes, handles)
    return figure


def _legend_above(figure: Figure, axes: Axes, handles: Sequence[Any]) -> None:
    """Put the legend above the axes, where no point can be behind it."""
    height = 0.26 * len(handles) + 0.2
    figure.subplots_adjust(top=1 - height / figure.get_figheight())
    axes.legend(
        handles=handles, frameon=False, loc="lower left", bbox_to_anchor=(0, 1.0), fontsize=11, ncols=1
    )


def curves(found: Sequence[tuple[str, str, Sequence[Sequence[float]]]]) -> Figure | None:
    """Draw learning curves, each with its name for people and the name of its learner."""
    figure = frame(FULL, 5.0)
    axes = figure.add_subplot()
    for text, learner, curve in found:
        x, y = zip(*curve, strict=True)
        dashed = learner.startswith("ann")
        axes.plot(x, y, color=COLOURS[learner], linewidth=2, linestyle="--" if dashed else "-", label=text)
    _logarithmic(axes.xaxis, "x", axes, (1,))
    _logarithmic(axes.yaxis, "y", axes, (1, 2, 5))
    axes.set_xlabel("training images seen")
    axes.set_ylabel("validation error, %")
    axes.legend(frameon=False, loc="upper right", fontsize=11)
    return figure


def _logarithmic(axis: Axis, which: str, axes: Axes, subs: tuple[int, ...]) -> None:
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis.set_major_locator(LogLocator(10, subs=subs))
    axis.set_major_formatter(FuncFormatter(thousands))
    axis.set_minor_locator(NullLocator())


def decisions(
    by_ticks: Sequence[Point], by_spikes: Sequence[Point], published: tuple[float, float] | None
) -> Figure | None:
    """Draw the error of early decisions over ticks after onset, and over synaptic operations."""
    if not by_ticks and not by_spikes:
        return None
    figure = frame(FULL, 7.4, gap=0.32)
    over_ticks, over_operations = figure.subplots(2, 1)
    named = (
        (by_ticks, STAND_IN["hidden"], "-", "o", "after some ticks, most output spikes"),
        (by_spikes, STAND_IN["output"], "--", "D", "after some output spikes of a neuron"),
    )
    for points, colour, line, marker, text in named:
        for axes, key in ((over_ticks, "ticks"), (over_operations, "operations")):
            axes.plot(
                [point[key] for point in points],
                [point["error"] for point in points],
                color=colour,
                linestyle=line,
                marker=marker,
                markersize=5.5,
                linewidth=2,
                label=text,
            )
    for point in by_spikes:
        over_operations.annotate(
            f"{point['spikes']:.0f}",
            (point["operations"], point["error"]),
            (5, 5),
            textcoords="offset points",
            color=STAND_IN["output"],
        )
    if published is not None:
        over_operations.plot(
            [published[0]],
            [published[1]],
            "o",
            markersize=9,
            markerfacecolor="none",
            markeredgecolor=INK,
            markeredgewidth=1.6,
            label="published: the first output spike",
        )
    _logarithmic(over_ticks.xaxis, "x", over_ticks, (1, 2, 5))
    _logarithmic(over_operations.xaxis, "x", over_operations, (1, 2, 5))
    over_ticks.set_xlabel("ticks after onset")
    over_operations.set_xlabel("synaptic operations until the decision")
    for axes in (over_ticks, over_operations):
        axes.set_ylim(0, None)
        axes.set_ylabel("test error, %")
    over_operations.legend(frameon=False, loc="upper right", fontsize=11)
    return figure


def weights(
    found: Sequence[tuple[int, Sequence[float], Sequence[Sequence[float]], Sequence[float]]],
) -> Figure | None:
    """Draw the error over bits, and for some widths how the weights of the first layer are spread.

    Parameters
    ----------
    found : sequence of tuple
        Bits, errors of the seeds in %, for each layer shares of its weights from the least to the largest, and
        for each layer the share that stands at its bounds, in %.
    """
    if not found:
        return None
    chosen = found if len(found) <= 4 else [entry for entry in found if entry[0] in (4, 6, 8, 12)]
    figure = frame(FULL, 3.6 + 1.35 * len(chosen), gap=0.5)
    grid = figure.add_gridspec(len(chosen) + 1, 1, height_ratios=[2.4, *[1] * len(chosen)])
    over = figure.add_subplot(grid[0])
    bits = [entry[0] for entry in found]
    means = [float(np.mean(entry[1])) for entry in found]
    for width, errors_, *_ in found:
        over.plot([width, width], [min(errors_), max(errors_)], color=STAND_IN["hidden"], linewidth=2)
    over.plot(bits, means, color=STAND_IN["hidden"], marker="o", linewidth=2)
    for width, mean in zip(bits, means, strict=True):
        over.annotate(f"{mean:.2f}", (width, mean), (4, 7), textcoords="offset points")
    over.set_xticks(bits)
    # With very few bits hardly anything is learned, which would flatten all the rest.
    _logarithmic(over.yaxis, "y", over, (1, 2, 3, 5))
    over.margins(x=0.07, y=0.2)
    over.set_xlabel("bits of a weight")
    over.set_ylabel("test error, %")
    for number, (width, _, shares, at_bounds) in enumerate(chosen, 1):
        axes = figure.add_subplot(grid[number])
        edges = np.linspace(-1, 1, len(shares[0]) + 1)
        axes.stairs(100 * np.array(shares[0]), edges, fill=True, color=STAND_IN["hidden"], alpha=0.75)
        axes.set_xlim(-1.01, 1.01)
        axes.yaxis.set_major_locator(MaxNLocator(3))
        axes.text(
            0.99,
            0.95,
            f"{width} bits, {at_bounds[0]:.2f} % at the bounds",
            transform=axes.transAxes,
            ha="right",
            va="top",
            fontsize=11,
        )
        axes.set_ylabel("%")
        if number < len(chosen):
            axes.set_xticklabels([])
        else:
            axes.set_xlabel("weight of the hidden layer, over its largest")
    return figure


def energies(found: Sequence[tuple[str, float, float]]) -> Figure | None:
    """Draw the error of ways to decide over what they cost: names, nJ and errors in %."""
    if not found:
        return None
    figure = frame(FULL, 4.0)
    axes = figure.add_subplot()
    for name, energy, error in found:
        axes.plot([energy], [error], "o", color=STAND_IN["output"], markersize=8)
        # Below its dot where another one stands just above it.
        crowded = any(error < above and 2 / 3 < other / energy < 3 / 2 for _, other, above in found)
        axes.annotate(name, (energy, error), (9, -14 if crowded else 4), textcoords="offset points")
    _logarithmic(axes.xaxis, "x", axes, (1, 2, 5))
    axes.set_xlim(min(e for _, e, _ in found) / 1.5, 6 * max(e for _, e, _ in found))
    axes.set_ylim(0, 1.2 * max(error for *_, error in found))
    axes.set_xlabel("energy of a classification, nJ (an estimate)")
    axes.set_ylabel("test error, %")
    axes.text(
        0.0, 0.02, "synaptic operations × a published energy of one; not measured", color=MUTED,
        transform=axes.transAxes, fontsize=11,
    )  # fmt: skip
    return figure
