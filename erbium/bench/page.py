# SPDX-License-Identifier: BSD-2-Clause
"""The page of ``erbium page`` in headless Chromium: its size, how soon it learns, how fast, and whether it is right."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from erbium.bench.display import Display
from erbium.bench.learning import processor
from erbium.bench.request import Request
from erbium.bench.result import Limit, Row
from erbium.gen.presets import preset
from erbium.sw_model import cache
from erbium.sw_model.temporary import temporary_folder

PRESETS = {"erbp-mnist-100": 40.0, "first-spike-mnist-600": 80.0}
"""Presets that are measured, and the images per second that their pages are to learn."""

QUICK_PRESETS: dict[str, float | None] = {"tiny": None}

_QUANTITIES: dict[str, tuple[str, float | None, Limit]] = {
    "gzipped-bytes": ("bytes", 5e6, "at most"),
    "images-per-s": ("images/s", None, "at least"),
    "differing-weights": ("weights", 0, "exactly"),
    "first-stroke-s": ("s", 3, "at most"),
}

STROKE = """(() => {
  const board = document.getElementById("board"), box = board.getBoundingClientRect();
  const points = [[.5, .15], [.5, .5], [.5, .85]];
  const say = (what, [x, y]) => board.dispatchEvent(new PointerEvent(what,
    { clientX: box.left + x * box.width, clientY: box.top + y * box.height, pointerId: 1, bubbles: true }));
  say("pointerdown", points[0]);
  for (const point of points.slice(1)) say("pointermove", point);
  say("pointerup", points.at(-1));
})()"""
"""Draws a line from top to bottom, as a pointer does."""


def measure(request: Request, display: Display) -> list[Row]:
    """Make a page of each preset, open it, and let it learn."""
    presets: Mapping[str, float | None] = QUICK_PRESETS if request.quick else PRESETS
    ids = {
        request.id(name, quantity): (name, quantity, rate)
        for name, rate in presets.items()
        for quantity in _QUANTITIES
    }
    selected = request.select(ids)
    if not request.quick:
        request.check_mnist()
    found: dict[str, dict[str, Any]] = {}
    rows = []
    for row_id, (name, quantity, rate) in ids.items():
        if row_id not in selected:
            continue
        if name not in found:
            with display.during(f"the page of {name}"):
                found[name] = look_at(name, request.data)
        unit, target, limit = _QUANTITIES[quantity]
        extra = {"images": found[name]["images"], "processor": processor(), "quick": request.quick}
        wanted = rate if quantity == "images-per-s" else target
        rows.append(Row(row_id, found[name][quantity], unit, request.command(row_id), wanted, limit, extra))
    return rows


def look_at(name: str, data: Path | None) -> dict[str, Any]:
    """Make a page, and return what its chip comes to in a browser.

    Raises
    ------
    ToolError
        Without a Chromium, or without the packages of the extra ``page``.
    """
    from erbium.page import Options, write_page
    from erbium.verif.browser import Browser

    with temporary_folder(cache.folder(), "page-") as folder:
        path = write_page(preset(name), folder, Options(data=data))
        # Learning 1,000 images may take a minute where something else runs, too.
        with Browser(folder, seconds=600) as browser:
            browser.open(path.absolute().as_uri())
            browser.wait_for("document.documentElement.dataset.ready")
            browser.wait_for("!document.getElementById('ask').disabled")
            browser.run(STROKE)
            browser.run("erbium.teach(1)")
            first = float(browser.run("document.documentElement.dataset.taught"))
            compared = browser.run("erbium.compare()")
        size = len(gzip.compress(path.read_bytes(), 9))
    return {
        "gzipped-bytes": size,
        "images-per-s": round(compared["images"] / compared["seconds"], 1),
        "differing-weights": compared["weights"] + compared["answers"],
        "first-stroke-s": first,
        "images": compared["images"],
    }
