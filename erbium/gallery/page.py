# SPDX-License-Identifier: BSD-2-Clause
"""The gallery as one HTML page without further files: a panel for each behaviour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from erbium.gallery.record import Recording
from erbium.report import plots
from erbium.report.parts import STYLE_SHEET
from erbium.sw_model.constants import Array

LSB_MV = 256
POINTS = 600
"""A trace is drawn with about so many points; ticks with spikes are among them."""

LAYOUT = (
    ".gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); gap: 1.5rem; }"
    "h2 { margin-top: 2.5rem; } .gallery { margin-top: 1rem; } .gallery figure { margin: 0; }"
    " .gallery figcaption { font-size: 0.9rem; }"
)


def page(sections: Mapping[str, Sequence[Recording]], machine: str) -> str:
    """Return the page.

    Parameters
    ----------
    sections : dict of sequence of Recording
        By heading.
    machine : str
        What ran the neurons, for people.
    """
    body = "".join(
        f"<h2>{escape(title)}</h2>{_table(recordings)}<div class='gallery'>"
        f"{''.join(_panel(recording) for recording in recordings)}</div>"
        for title, recordings in sections.items()
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Erbium: neurons of the machine</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE_SHEET} {LAYOUT}</style>"
        '<main style="display: block"><h1>Neurons of the machine</h1>'
        f"<p>Each neuron is a list of shifts and additions of 16-bit integers, run by {escape(machine)} (line). Beside "
        "it are the equations in floating point in the same steps (dashed). Dashes on top are spikes: of the machine "
        "above, of the equations below. The grey line is the threshold where it moves; below is the drive.</p>"
        f"{body}</main></html>\n"
    )


def _table(recordings: Sequence[Recording]) -> str:
    head = "".join(
        f"<th>{cell}</th>"
        for cell in ("", "spikes", "of the equations", "farthest apart", "ticks of the first")
    )
    rows = "".join(
        "<tr>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in (recording.behaviour.title, *_cells(recording)))
        + "</tr>"
        for recording in recordings
    )
    return f'<div style="overflow-x: auto"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _cells(recording: Recording) -> tuple[str, ...]:
    farthest = recording.farthest
    return (
        str(recording.spikes.size),
        str(recording.float_spikes.size),
        "" if farthest is None else f"{farthest} ticks",
        ", ".join(map(str, recording.spikes[:6])),
    )


def _panel(recording: Recording) -> Markup:
    behaviour = recording.behaviour
    label = f"{behaviour.title}: {behaviour.about}"
    plot = plots.svg(behaviour.name, label, lambda: _draw(recording))
    return Markup("<figure>{}<figcaption><strong>{}</strong>: {}.</figcaption></figure>").format(
        plot, behaviour.title, behaviour.about
    )


def _draw(recording: Recording) -> Figure:
    behaviour = recording.behaviour
    millivolts = behaviour.tick_ms is not None
    scale, step = (LSB_MV, behaviour.tick_ms or 1.0) if millivolts else (1, 1.0)
    figure = plots.frame(plots.HALF, 3.6, left=0.8)
    spikes, trace, drive = figure.subplots(3, 1, sharex=True, height_ratios=(0.5, 3, 0.8))
    for row, (ticks, role) in enumerate(((recording.spikes, "hidden"), (recording.float_spikes, "output"))):
        spikes.vlines(ticks * step, -row - 0.8, -row, color=plots.STAND_IN[role], linewidth=1.2)
    spikes.set_ylim(-1.9, 0.1)
    spikes.set_axis_off()
    shown = _shown(len(behaviour.drive), recording.spikes, recording.float_spikes)
    for states, role, style in (
        (recording.states, "hidden", "-"),
        (recording.float_states, "output", "--"),
    ):
        if behaviour.program.adaptive:
            trace.plot(
                shown * step, states[shown, 1] / scale, color=plots.MUTED, linestyle=style, linewidth=0.8
            )
        trace.plot(
            shown * step, states[shown, 0] / scale, color=plots.STAND_IN[role], linestyle=style, linewidth=1.2
        )
    trace.set_ylabel("mV above rest" if millivolts else "v")
    drive.plot(np.arange(len(behaviour.drive)) * step, behaviour.drive, color=plots.INK, linewidth=1)
    drive.set_ylabel("drive")
    drive.set_xlabel("ms" if millivolts else "ticks")
    for axes in (trace, drive):
        axes.locator_params(axis="y", nbins=4 if axes is trace else 2)
    return figure


def _shown(ticks: int, *spikes: Array) -> Array:
    """Return the ticks that are drawn, ascending."""
    regular = np.arange(0, ticks, max(1, ticks // POINTS))
    around = [part for train in spikes for part in (train - 1, train)]
    chosen: Array = np.unique(np.concatenate([regular, *around]))
    return chosen[(chosen >= 0) & (chosen < ticks)]
