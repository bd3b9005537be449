# SPDX-License-Identifier: BSD-2-Clause
"""The learning curves that the bench ``best`` recorded, as a picture.

To draw it::

python -m erbium.bench.curves docs/data/best.json docs/data/best.svg
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from erbium.gen.files import write_text

TICKS_X = (1, 2, 5, 10, 20, 50, 100, 200)
TICKS_Y = (0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 7, 10)
STYLE: dict[Any, Any] = {"svg.hashsalt": "erbium", "font.size": 11, "legend.frameon": False}


def draw(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return an SVG: validation error in % over epochs, the mean of each row's seeds and the band between them.

    Parameters
    ----------
    rows : sequence of mapping
        The rows of the bench as its JSON has them.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 4.8), layout="constrained")
        axes = figure.add_subplot()
        for row in rows:
            epochs = np.array(row["validation_epochs"])
            curves = np.array(row["validation_curve"])
            name = row["id"].split("/")[1]
            (line,) = axes.plot(epochs, curves.mean(axis=0), marker=".", label=name)
            axes.fill_between(
                epochs, curves.min(axis=0), curves.max(axis=0), alpha=0.2, color=line.get_color()
            )
        axes.set(xscale="log", yscale="log", xlabel="epochs", ylabel="validation error (%)")
        for axis, places in ((axes.xaxis, TICKS_X), (axes.yaxis, TICKS_Y)):
            axis.set_major_locator(FixedLocator(places))
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.grid(alpha=0.3)
        axes.legend()
        file = io.StringIO()
        # Without a date, so that the same curves are the same file.
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def main() -> None:
    """Draw the curves of one file into another: the two arguments of the command line."""
    if len(sys.argv) != 3:
        sys.exit("usage: python -m erbium.bench.curves best.json best.svg")
    source, target = map(Path, sys.argv[1:])
    write_text(target, draw(json.loads(source.read_text(encoding="utf-8"))["rows"]))


if __name__ == "__main__":
    main()
