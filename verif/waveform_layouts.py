# SPDX-License-Identifier: BSD-2-Clause
"""What a viewer shows of a waveform when it opens: layouts for GTKWave and for Surfer."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from vcd.gtkw import GTKWColor, GTKWSave

from erbium.verif.waveform_verilog import TOP, Shown

N_NEURONS = 16
"""Neurons of a layer that a layout shows, from the first one; the file has all of them."""

ZOOM = -8.0
"""Of GTKWave, which counts in powers of two: about a nanosecond a pixel, so that the first tokens can be read."""

_ROOT = f"TOP.{TOP}"
_GTKWAVE = {"text": "ascii", "unsigned": "dec", "signed": "signed", "bit": "bin"}
_SURFER = {"text": "ASCII", "unsigned": "Unsigned", "signed": "Signed", "bit": "Bit"}
_COLOURS = {
    "input": (GTKWColor.normal, "Gray"),
    "hidden": (GTKWColor.violet, "Violet"),
    "output": (GTKWColor.green, "Green"),
    "error": (GTKWColor.orange, "Orange"),
}


def _chosen(shown: Sequence[Shown]) -> Iterator[tuple[str, list[Shown]]]:
    """Return the signals by groups: the name of a group, and its signals."""
    seen = [
        one
        for one in shown
        # The kind is in the token's text.
        if one.form != "kind" and ("[" not in one.scope or int(one.scope.split("[")[1][:-1]) < N_NEURONS)
    ]
    for scope, ones in groupby(seen, lambda one: one.scope.partition(".")[0]):
        yield scope or "time", list(ones)


def _path(one: Shown) -> str:
    return ".".join(filter(None, (_ROOT, one.scope, one.name)))


def gtkwave_layout(wave: Path, shown: Sequence[Shown]) -> str:
    """Return the save file of GTKWave; ``gtkwave FILE.gtkw`` opens the waveform that stands beside it."""
    text = io.StringIO()
    save = GTKWSave(text)
    save.dumpfile(wave.name, abspath=False)
    save.sst_expanded(True)
    save.signals_width(260)
    save.zoom_markers(ZOOM)
    for scope, ones in _chosen(shown):
        with save.group(scope, closed=False):
            for one in ones:
                name = _path(one) + (f"[{one.width - 1}:0]" if one.width > 1 else "")
                alias = ".".join(filter(None, (one.scope.partition(".")[2], one.name)))
                form = _GTKWAVE[one.form]
                colour = _COLOURS[one.colour][0]
                save.trace(name, alias=alias, color=colour, datafmt=form, rjustify=form != "ascii")
    return text.getvalue()


def surfer_layout(shown: Sequence[Shown]) -> str:
    """Return the command file of Surfer; ``surfer -c FILE.sucl WAVEFORM`` runs it."""
    lines: list[str] = []
    for scope, ones in _chosen(shown):
        # A divider's name is one word.
        lines.append(f"divider_add {scope}")
        for one in ones:
            lines.append(f"variable_add {_path(one)}")
            lines.append(f"item_set_format {_SURFER[one.form]}")
            lines.append(f"item_set_color {_COLOURS[one.colour][1]}")
    return "\n".join([*lines, "zoom_fit", ""])


def layouts(wave: Path, shown: Sequence[Shown]) -> dict[Path, str]:
    """Return the files that stand beside a waveform: path and text."""
    return {
        wave.with_suffix(".gtkw"): gtkwave_layout(wave, shown),
        wave.with_suffix(".sucl"): surfer_layout(shown),
    }
