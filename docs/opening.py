# SPDX-License-Identifier: BSD-2-Clause
"""The picture that README and documentation open with, from a real run: ``python docs/opening.py`` draws it anew.

The digits that come with scikit-learn are learned by their preset, and one of them is followed through the chip.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

import erbium
from erbium.report.pictures import svg_file
from erbium.report.plots import INK, STAND_IN, dashes, svg, thousands
from erbium.sw_model import datasets
from erbium.train import CurvePoint, Plan, Trainer, usual_evaluations

PRESET, DATA = "erbp-digits", "digits"
SAMPLE = 3
"""Test image that is followed."""

TARGET = Path(__file__).parent / "pictures" / "opening.svg"


@dataclass(frozen=True)
class Opening:
    """What the picture shows: one sample of the trained network, how the error fell, and where it ended."""

    trace: erbium.Trace
    label: int
    side: int
    curve: tuple[CurvePoint, ...]
    test_error: float

    @property
    def words(self) -> str:
        """For those who cannot see it."""
        counts = ", ".join(
            f"{int(self.trace.spikes[name].sum())} {name} spikes" for name in ("input", "hidden", "output")
        )
        return (
            f"A handwritten {self.label} becomes {counts} and the answer {self.trace.answer}; beside it the error "
            f"while the chip learns, {100 * self.test_error:.1f} % of the test images after {self.curve[-1].position:,}"
        )


def run() -> Opening:
    """Train, and follow one sample."""
    chosen = erbium.preset(PRESET)
    data = datasets.load(DATA)
    total = chosen.recipe.epochs * len(data.train)
    plan = Plan(
        chosen.recipe,
        total,
        usual_evaluations(total, len(data.train)),
        len(data.validation),
        chosen.network.n_ticks,
    )
    with erbium.open_chip(chosen.network, "model") as chip:
        trainer = Trainer(chip, data, plan)
        for _ in trainer.run():
            pass
        answers = chip.infer(data.test.images).answers
        found = chip.trace(data.test.images[SAMPLE], number=SAMPLE)
    wrong = float(np.mean(answers != data.test.labels))
    return Opening(found, int(data.test.labels[SAMPLE]), data.width, tuple(trainer.curve), wrong)


def draw(opening: Opening) -> Figure:
    """Draw the digit, its spikes on their way, and the learning curve."""
    figure = Figure(figsize=(11.5, 3.7))
    grid = figure.add_gridspec(
        3,
        3,
        width_ratios=(1.0, 2.3, 1.5),
        height_ratios=(1.5, 1.2, 0.8),
        left=0.01,
        right=0.985,
        bottom=0.155,
        top=0.9,
        wspace=0.27,
        hspace=0.16,
    )
    _digit(figure.add_subplot(grid[:, 0]), opening)
    populations = (("input", "inputs"), ("hidden", "hidden"), ("output", "outputs"))
    for row, (name, plural) in enumerate(populations):
        axes = figure.add_subplot(grid[row, 1])
        fired = opening.trace.spikes[name]
        dashes(axes, [np.flatnonzero(tick).tolist() for tick in fired], name, fired.shape[1])
        axes.set_xlim(0, opening.trace.ticks)
        words = f"{fired.shape[1]} {plural}"
        axes.set_ylabel(words, rotation=0, ha="right", va="center", color=STAND_IN[name])
        axes.set_yticks([])
        axes.grid(False)
        if row < 2:
            axes.set_xticklabels([])
        else:
            axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
            axes.set_xlabel("tick")
        if row == 0:
            axes.set_title("goes through the chip as spikes …", loc="left")
    _curve(figure.add_subplot(grid[:, 2]), opening)
    return figure


def _digit(axes: Axes, opening: Opening) -> None:
    pixels = opening.trace.image.reshape(opening.side, -1)
    rows, columns = np.nonzero(pixels)
    shades: Any = pixels[rows, columns] / 255
    axes.scatter(columns, rows, s=300, marker="s", color=INK, alpha=shades, linewidths=0)
    axes.set(xlim=(-0.9, opening.side - 0.1), ylim=(opening.side - 0.1, -0.9), aspect="equal")
    axes.set_title("A digit", loc="left")
    axes.axis("off")


def _curve(axes: Axes, opening: Opening) -> None:
    points = [point for point in opening.curve if point.position]
    x, y = [point.position for point in points], [100 * point.error for point in points]
    axes.plot(x, y, color=STAND_IN["hidden"], marker="o", markersize=4.5, linewidth=2)
    axes.set(xscale="log", yscale="log", xlabel="digits learned", ylabel="error, %")
    axes.xaxis.set_major_locator(LogLocator(10))
    axes.yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(thousands))
        axis.set_minor_locator(NullLocator())
    axes.set_title("… and the chip learns from them", loc="left")


def main() -> None:
    """Write the picture."""
    opening = run()
    TARGET.write_text(svg_file(svg("opening", opening.words, lambda: draw(opening))), encoding="utf-8")
    print(f"{TARGET.name}: {opening.words}")


if __name__ == "__main__":
    main()
