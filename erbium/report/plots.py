# SPDX-License-Identifier: BSD-2-Clause
"""Plots that take their colours from the page, so that one file suits a light and a dark screen.

A plot is drawn by matplotlib in stand-in colours; in its SVG each of them becomes a CSS variable of the page.
An image is a PNG whose strength is its opacity, so that what lies behind it is its zero.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from erbium.report.record import CurvePoint, RunRecord, SampleTrace
from erbium.sw_model.constants import Array
from erbium.sw_model.network import Network
from erbium.tracing import layer_names

ROLES = ("ink", "muted", "rule", "input", "hidden", "output", "wrong", "missed")
"""Colours of the plots, each a CSS variable of the page."""

STAND_IN = {role: f"#0102{number:02x}" for number, role in enumerate(ROLES, 1)}
INK, MUTED, RULE = (STAND_IN[role] for role in ("ink", "muted", "rule"))

POSITIVE, NEGATIVE = (0.88, 0.30, 0.10), (0.13, 0.50, 0.88)
"""Of a diverging image: told apart by the colour-blind, and visible on white and on black."""

HALF, FULL = 6.2, 7.0
"""Width of plots that take half and all of the page, in inches of 72 points. So narrow that a phone, on which
both are as wide as the screen, does not shrink their text too much."""

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "erbium",  # names inside the file are random otherwise
    "svg.fonttype": "none",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib; the page puts its own in its place
    "font.size": 13,
    "axes.labelsize": 13,
    "axes.titlesize": 13,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "figure.facecolor": "none",
    "path.simplify": False,
}


def svg(key: str, label: str, draw: Callable[[], Figure]) -> Markup:
    """Return a plot as an SVG element for inside a page.

    Parameters
    ----------
    key : str
        Prefix of the names in it, which must differ from those of the page's other plots.
    label : str
        What it shows, for those who cannot see it.
    draw : callable
        Makes the figure.
    """
    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        draw().savefig(buffer, format="svg", metadata=metadata)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)  # it would hold for the whole page
    text = re.sub(r'\s(xmlns(:xlink)?|version|width|height)="[^"]*"', "", text, count=5)
    text = re.sub(r'\bid="', f'id="{key}-', text).replace("url(#", f"url(#{key}-")
    text = text.replace('xlink:href="#', f'href="#{key}-')
    text = re.sub(r"(\d\.\d\d)\d+", r"\1", text)  # a hundredth of a point is fine enough
    for role, colour in STAND_IN.items():
        text = text.replace(colour, f"var(--{role})")
    return Markup(text.replace("<svg", f'<svg class="plot" role="img" aria-label="{escape(label)}"', 1))


def png(pixels: Array) -> str:
    """Return RGBA pixels, floats 0 ... 1 of shape (height, width, 4), as the URI of a PNG."""
    buffer = io.BytesIO()
    imsave(buffer, pixels, format="png", metadata={"Software": "Erbium"})  # not the version of matplotlib
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def grey_image(image: Array) -> str:
    """Return pixels 0 ... 255 of shape (height, width) as a PNG, white on black as in the data."""
    grey = np.asarray(image, dtype=float)[..., None] / 255
    return png(np.concatenate([grey, grey, grey, np.ones_like(grey)], axis=2))


def sample_image(record: RunRecord, trace: SampleTrace) -> str | None:
    """Return the sample of a trace as a PNG, if it is an image."""
    size = record.dataset.size
    return None if size is None else grey_image(np.reshape(trace.image, size))


def diverging_image(values: Array, limit: float) -> str:
    """Return values of shape (height, width) as a PNG: zero is clear, `limit` is full colour."""
    strength = np.clip(np.abs(values) / limit, 0, 1)[..., None]
    colour = np.where(values[..., None] > 0, POSITIVE, NEGATIVE)
    return png(np.concatenate([colour, strength], axis=2))


def thousands(value: float, _: object = None) -> str:
    """Return a number with commas, such as 50,000 or 2.5."""
    return f"{value:,.10g}".replace("-", "−")


def frame(width: float, height: float, *, left: float = 0.7, right: float = 0.1, gap: float = 0.0) -> Figure:
    """Return an empty figure with fixed margins in inches; `gap` is a share of the height of a panel.

    Margins that are found by a solver differ in their last digits from run to run, and so would the page.
    """
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(left / width, 0.6 / height, 1 - right / width, 1 - 0.1 / height, hspace=gap)
    return figure


def learning_curve(points: Sequence[CurvePoint]) -> Figure:
    """Error over training images seen, one line per split."""
    figure = frame(HALF, 5.0, right=0.55)
    axes = figure.add_subplot()
    for split, colour, marker in (("validation", "hidden", "o"), ("test", "output", "D")):
        chosen = sorted((p for p in points if p.split == split), key=lambda p: p.images)
        # What was measured before the first image has no place on a logarithmic axis.
        x = [p.images for p in chosen if p.images > 0]
        y = [p.error for p in chosen if p.images > 0]
        if not x:
            continue
        axes.plot(x, y, color=STAND_IN[colour], marker=marker, markersize=5.5, linewidth=2, label=split)
        if split == "test" or not any(p.split == "test" for p in points):
            axes.annotate(
                f"{y[-1]:.2f} %", (x[-1], y[-1]), (10, 4), textcoords="offset points", weight="bold"
            )
    _scale(axes.xaxis, axes.set_xscale, [p.images for p in points if p.images > 0])
    _scale(axes.yaxis, axes.set_yscale, [p.error for p in points if p.images > 0])
    axes.margins(x=0.1, y=0.08)
    if axes.get_yscale() == "linear":
        axes.set_ylim(0, None)
    axes.set_xlabel("training images seen")
    axes.set_ylabel("error, %")
    axes.legend(frameon=False, loc="best")
    return figure


def _scale(axis: Axis, set_scale: Callable[[str], None], values: Sequence[float]) -> None:
    """Make an axis logarithmic, if its values are so far apart that this shows more."""
    axis.set_major_formatter(FuncFormatter(thousands))
    if min(values) <= 0 or max(values) < 4 * min(values):
        return
    set_scale("log")
    span = max(values) / min(values)
    # So many labels that they do not run into each other.
    subs = (1, 2, 3, 5) if span < 12 else (1, 2, 5) if span < 200 else (1, 3) if span < 3000 else (1,)
    axis.set_major_locator(LogLocator(10, subs=subs))
    axis.set_major_formatter(FuncFormatter(thousands))
    axis.set_minor_locator(NullLocator())


def dashes(axes: Axes, spikes: Sequence[Sequence[int]], role: str, rows: int) -> None:
    """Draw a dash per spike, all of them as one line with gaps, which keeps the file small."""
    events = [(tick, neuron) for tick, neurons in enumerate(spikes) for neuron in neurons]
    x = np.array([(tick + 0.12, tick + 0.88, np.nan) for tick, _ in events]).ravel()
    y = np.repeat([neuron for _, neuron in events], 3)
    width = min(3.0, max(0.5, 140 / rows))  # as thick as the rows of the panel are apart
    axes.plot(x, y, color=STAND_IN[role], linewidth=width, solid_capstyle="butt")
    axes.set_ylim(rows - 0.2, -0.8)  # the first on top: an image is upright


def raster(trace: SampleTrace, network: Network) -> Figure:
    """Every spike of one sample, a panel per population, and the membranes of the output neurons."""
    names = layer_names(network)
    panels = ["input", *names, *(["error"] if trace.learn else []), "membrane"]
    share = {"input": 2.2, "output": 1.5, "error": 1.5, "membrane": 1.4}
    ratios = [share.get(name, 1.8) for name in panels]
    figure = frame(FULL, 1.05 * sum(ratios), left=0.85, gap=0.08)
    rows: dict[str, Axes] = figure.subplot_mosaic(
        [[name] for name in panels], sharex=True, height_ratios=ratios
    )
    dashes(rows["input"], trace.input_spikes, "input", network.n_inputs)
    for name, spikes, layer in zip(names, trace.layer_spikes, network.layers, strict=True):
        dashes(rows[name], spikes, "output" if name == "output" else "hidden", layer.n_neurons)
    if trace.learn:
        for odd, role in ((0, "wrong"), (1, "missed")):
            chosen = [[n >> 1 for n in neurons if n & 1 == odd] for neurons in trace.error_spikes]
            dashes(rows["error"], chosen, role, network.n_classes)
    for name, axes in rows.items():
        axes.set_ylabel(name)
        axes.yaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    _membranes(rows["membrane"], trace, network.layers[-1].program.threshold)
    rows["membrane"].yaxis.set_major_formatter(FuncFormatter(thousands))
    rows["membrane"].set_xlim(0, trace.n_ticks)
    rows["membrane"].xaxis.set_major_locator(MaxNLocator(8, integer=True))
    rows["membrane"].set_xlabel("tick")
    figure.align_ylabels()
    return figure


def _membranes(axes: Axes, trace: SampleTrace, threshold: int) -> None:
    table = np.array(trace.membranes)
    x = np.arange(trace.n_ticks) + 0.5
    axes.plot(x, table, color=MUTED, linewidth=0.7, alpha=0.6)
    if trace.answer != trace.label:
        axes.plot(x, table[:, trace.answer], color=STAND_IN["wrong"], linewidth=2)
    axes.plot(x, table[:, trace.label], color=STAND_IN["output"], linewidth=2)
    axes.axhline(threshold, color=INK, linewidth=1, linestyle=(0, (4, 3)))


def weight_histograms(record: RunRecord) -> Figure:
    """Distribution of the weights of each layer, before and after learning."""
    names = layer_names(record.network)
    figure = frame(HALF, 0.5 + 1.7 * len(names), gap=0.32)
    before = record.network.initial_weights()
    for number, (name, (low, high)) in enumerate(zip(names, record.bounds, strict=True)):
        axes = figure.add_subplot(len(names), 1, number + 1)
        step = max(1, (high - low + 1) // 128)
        edges = np.arange(low, high + 1 + step, step) - 0.5
        shares = [
            100 * np.histogram(values[number], edges)[0] / values[number].size
            for values in (before, record.weights)
        ]
        role = "output" if name == "output" else "hidden"
        axes.stairs(shares[1], edges, fill=True, color=STAND_IN[role], alpha=0.75, label="after")
        axes.stairs(shares[0], edges, color=INK, linewidth=1, label="before")
        axes.set_xlim(low - 0.5, high + 0.5)
        axes.set_ylim(0, 1.1 * max(share.max() for share in shares))
        axes.yaxis.set_major_locator(MaxNLocator(3))
        axes.set_ylabel(f"{name}, %")
        if number == 0:
            axes.legend(frameon=False, loc="upper right")
    axes.set_xlabel("weight")
    figure.align_ylabels()
    return figure
