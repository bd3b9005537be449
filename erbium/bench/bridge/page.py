# SPDX-License-Identifier: BSD-2-Clause
"""The plot of ``erbium bench nir``: how a network that was brought in learns on after a shift."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from erbium.bench.bridge.shifts import CURVE_IMAGES
from erbium.bench.result import Outcome, Row, number
from erbium.gen import files
from erbium.report import plots
from erbium.report.parts import STYLE_SHEET
from erbium.report.pictures import svg_file

COLOURS = ("hidden", "output", "input")


def write_pictures(folder: Path, outcome: Outcome) -> None:
    """Write the plot as an SVG file that follows a light or dark screen by itself."""
    folder.mkdir(exist_ok=True)
    if (plot := _plot(outcome)) is not None:
        files.write_text(folder / "nir-shift.svg", svg_file(plot))


def write_report(path: Path, outcome: Outcome) -> None:
    """Write rows and plot as a page, or the rows as Markdown if that is what the name ends in."""
    header = ["", "value", "unit", "target", *_headings(outcome)]
    body = [_cells(row, outcome) for row in outcome.rows]
    if path.suffix == ".md":
        lines = [header, ["---"] * len(header), *body]
        files.write_text(path, "".join(f"| {' | '.join(line)} |\n" for line in lines))
        return
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in line)}</tr>" for line in body)
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    files.write_text(
        path,
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>erbium bench nir</title>'
        f"<style>{STYLE_SHEET}</style>"
        '<main style="display: block"><h1>A network that was brought in, on the chip</h1>'
        f'<div style="overflow-x: auto"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f"{_plot(outcome) or ''}</main></html>\n",
    )


def _headings(outcome: Outcome) -> list[str]:
    return list(dict.fromkeys(heading for row in outcome.rows for heading in row.columns))


def _cells(row: Row, outcome: Outcome) -> list[str]:
    target = "" if row.target is None else f"{row.limit} {row.target:g} {'✓' if row.ok else '✗'}"
    further = [row.columns.get(heading, "") for heading in _headings(outcome)]
    return [row.id, number(row.value), row.unit, target, *further]


def _plot(outcome: Outcome) -> Markup | None:
    shown = [row for row in outcome.rows if "rate" in row.extra]
    if not shown:
        return None
    label = "Accuracy on shifted test images over the samples that the chip has learned after the shift"
    return plots.svg("nir-shift", label, lambda: _draw(shown))


def _draw(rows: list[Row]) -> Figure:
    figure = plots.frame(plots.FULL, 4.6)
    axes = figure.add_subplot()
    for row, role in zip(rows, COLOURS, strict=False):
        colour = plots.STAND_IN[role]
        curves = np.array(row.extra["curves"])
        axes.plot(
            curves[0, :, 0],
            curves[:, :, 1].mean(axis=0),
            color=colour,
            marker="o",
            label=row.id.rpartition("/")[2].replace("-", " "),
        )
        axes.fill_between(
            curves[0, :, 0],
            curves[:, :, 1].min(axis=0),
            curves[:, :, 1].max(axis=0),
            color=colour,
            alpha=0.15,
            linewidth=0,
        )
    before = float(np.mean(rows[0].extra["before"]))
    axes.axhline(before, color=plots.MUTED, linestyle="--", linewidth=1)
    axes.annotate(
        "before the shift, all test images",
        (0, before),
        (4, 4),
        textcoords="offset points",
        color=plots.MUTED,
    )
    axes.set_ylim(0, 100)
    axes.set_xlabel("samples learned on the chip after the shift")
    axes.set_ylabel(f"accuracy on the first {CURVE_IMAGES:,} test images, %")
    axes.legend(frameon=False, loc="lower right")
    return figure
