# SPDX-License-Identifier: BSD-2-Clause
"""Plots of a first-spike network; their style is that of :mod:`erbium.report.plots`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from erbium.report.plots import FULL, HALF, INK, MUTED, RULE, STAND_IN, dashes, frame, thousands
from erbium.report.record import Probe, SampleTrace
from erbium.sw_model.network import Network
from erbium.tracing import layer_names

MAX_BARS = 50
"""Bars of a histogram; with more of them each stands for several values."""


def histograms(panels: Sequence[tuple[str, Sequence[int]]], n_samples: int) -> Figure:
    """Share of the samples over whole numbers: a panel for each, with its name and its counts."""
    height = 0.1 + 2.4 * len(panels)
    figure = frame(HALF, height, gap=0.42)
    for number, (name, counts) in enumerate(panels):
        axes = figure.add_subplot(len(panels), 1, number + 1)
        last = max((value for value, count in enumerate(counts) if count), default=0)
        step = 1 + last // MAX_BARS
        edges = np.arange(0, last + 1 + step, step)
        padded = np.zeros(edges[-1])
        padded[: last + 1] = counts[: last + 1]
        shares = 100 * padded.reshape(-1, step).sum(axis=1) / max(1, n_samples)
        role = "output" if number == 0 else "hidden"
        axes.bar(edges[:-1] + (step - 1) / 2, shares, 0.84 * step, color=STAND_IN[role])
        mean = sum(value * count for value, count in enumerate(counts)) / max(1, sum(counts))
        axes.axvline(mean, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
        side = -1 if mean > 0.6 * last else 1
        axes.annotate(
            f"mean {mean:.1f}",
            (mean, 1),
            (6 * side, -2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="top",
            ha="left" if side > 0 else "right",
            weight="bold",
        )
        axes.set_xlim(edges[0] - 0.7, edges[-1] - 0.3)
        axes.set_ylim(0, 1.2 * max(shares.max(), 1))
        axes.xaxis.set_major_locator(MaxNLocator(9, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.set_xlabel(name)
        axes.set_ylabel("samples, %")
    figure.align_ylabels()
    return figure


def shares(names: Sequence[str], values: Sequence[float]) -> Figure:
    """Shares, 0 ... 1, as bars in an outline that stands for the whole."""
    figure = frame(HALF, 0.7 + 0.85 * len(names), left=0.15, right=0.3)
    axes = figure.add_subplot()
    y = np.arange(len(names))
    axes.barh(y, [100.0] * len(names), 0.34, color=RULE)
    roles = ["output" if k == len(names) - 1 else "hidden" for k in range(len(names))]
    axes.barh(y, [100 * value for value in values], 0.34, color=[STAND_IN[role] for role in roles])
    for place, (name, value) in enumerate(zip(names, values, strict=True)):
        axes.text(0, place - 0.28, name, va="bottom", ha="left")
        axes.text(100, place - 0.28, f"{100 * value:.1f} %", va="bottom", ha="right", weight="bold")
    axes.set_xlim(0, 100)
    axes.set_ylim(len(names) - 0.7, -0.7)
    axes.grid(False)
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    axes.set_xlabel("weights looked up, %")
    return figure


def raster(trace: SampleTrace, network: Network) -> Figure:
    """Every spike of one sample, a panel per population; input and hidden neurons in the order of their spikes."""
    names = ["input", *layer_names(network)]
    ratios = [1.6 if name == "output" else 2.0 for name in names]
    figure = frame(FULL, 1.15 * sum(ratios) + 0.6, left=0.85, gap=0.09)
    panels: dict[str, Axes] = figure.subplot_mosaic(
        [[name] for name in names], sharex=True, height_ratios=ratios
    )
    for name, spikes in zip(names[:-1], [trace.input_spikes, *trace.layer_spikes[:-1]], strict=True):
        dashes(panels[name], _ranks(spikes), name.split()[0], max(1, sum(map(len, spikes))))
    dashes(panels["output"], trace.layer_spikes[-1], "output", network.n_classes)
    for name, axes in panels.items():
        _mark(axes, trace)
        axes.set_ylabel(name)
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    _ticks(panels["output"], trace)
    figure.align_ylabels()
    return figure


def _ranks(spikes: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return spikes with each neuron's place in the order of all spikes in place of its address."""
    starts = np.cumsum([0, *map(len, spikes)])
    return [list(range(start, start + len(here))) for start, here in zip(starts, spikes, strict=False)]


def traces(trace: SampleTrace, network: Network) -> Figure:
    """Membrane over current, of the output neurons and of some neurons of each hidden layer."""
    names = layer_names(network)
    numbers = sorted({probe.layer for probe in trace.probes}, reverse=True)
    rows = [(number, kind) for number in numbers for kind in ("v", "i") if _values(trace, number, kind)]
    ratios = [2.4 if kind == "v" else 1.5 for _, kind in rows]
    figure = frame(FULL, 1.0 * sum(ratios) + 0.6, left=1.0, gap=0.12)
    panels = figure.subplots(len(rows), 1, sharex=True, height_ratios=ratios, squeeze=False)[:, 0]
    for axes, (number, kind) in zip(panels, rows, strict=True):
        for probe in (probe for probe in trace.probes if probe.layer == number):
            _line(axes, probe, kind, trace, number == len(names) - 1)
        if kind == "v":
            threshold = network.layers[number].program.threshold
            axes.axhline(threshold, color=INK, linewidth=1, linestyle=(0, (4, 3)))
            axes.text(0.012, 0.97, names[number], weight="bold", va="top", transform=axes.transAxes)
        _mark(axes, trace)
        axes.set_ylabel("membrane" if kind == "v" else "current")
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(FuncFormatter(thousands))
    _ticks(panels[-1], trace)
    figure.align_ylabels()
    return figure


def _values(trace: SampleTrace, number: int, kind: str) -> bool:
    return any(probe.layer == number and getattr(probe, kind) for probe in trace.probes)


def _line(axes: Axes, probe: Probe, kind: str, trace: SampleTrace, is_output: bool) -> None:
    """Draw one neuron: the label and the answer stand out, and so do hidden neurons that spike."""
    values = getattr(probe, kind)
    x = np.arange(len(values)) + 0.5
    spike = next(
        (tick for tick, neurons in enumerate(trace.layer_spikes[probe.layer]) if probe.neuron in neurons),
        None,
    )
    if not is_output:
        colour, width = (STAND_IN["hidden"], 1.4) if spike is not None else (MUTED, 1.4)
    elif probe.neuron == trace.label:
        colour, width = STAND_IN["output"], 2.2
    elif probe.neuron == trace.answer:
        colour, width = STAND_IN["wrong"], 2.2
    else:
        colour, width = MUTED, 0.8
    axes.plot(x, values, color=colour, linewidth=width)
    if spike is not None and kind == "v":
        axes.plot([spike + 0.5], [values[spike]], "o", color=colour, markersize=6)


def _mark(axes: Axes, trace: SampleTrace) -> None:
    """Mark the decision, and what is run behind it."""
    if trace.decision is None:
        return
    axes.axvline(trace.decision + 0.5, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    if trace.n_ticks > trace.decision + 1:
        axes.axvspan(trace.decision + 1, trace.n_ticks, color=RULE, alpha=0.5, linewidth=0)


def _ticks(axes: Axes, trace: SampleTrace) -> None:
    axes.set_xlim(0, trace.n_ticks)
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes.set_xlabel("tick")
