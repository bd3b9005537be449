# SPDX-License-Identifier: BSD-2-Clause
"""The page: one HTML file that asks nobody for anything, from a disk as from a server."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

from markupsafe import Markup

from erbium.gen.files import check_free, write_text
from erbium.gen.presets import Preset
from erbium.page.contents import Options, contents
from erbium.report.parts import templates_in
from erbium.summary import version

FILE = "index.html"
"""What a server shows of a folder."""

FOLDER = Path(__file__).parent

SCRIPTS = ("parts.js", "chip.js", "board.js", "pictures.js", "keep.js", "page.js")
"""What the page runs, in this order, as one script."""


def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def render(chosen: Preset, options: Options) -> str:
    """Return the page of a preset. Equal options give equal pages."""
    facts, parts = contents(chosen, options)
    script = Markup("(() => {\n" + "".join(_text(name) for name in SCRIPTS) + "})();\n")
    data = json.dumps(facts).replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")
    return (
        templates_in(FOLDER)
        .get_template("page.html.j2")
        .render(
            facts=facts,
            version=version(),
            style=Markup(_text("page.css")),
            script=script,
            script_hash="sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            worker=Markup(_text("worker.js")),
            data=Markup(data),
            parts=parts,
        )
    )


def write_page(chosen: Preset, folder: Path, options: Options, *, overwrite: bool = False) -> Path:
    """Write the page of a preset into a folder, completely or not at all, and return its file.

    Raises
    ------
    OutputError
        If the file is there already and is not to be replaced.
    ToolError, DatasetError, ChipError
        As :func:`erbium.page.contents.contents`.
    """
    target = folder / FILE
    # Before the work, and not after it.
    check_free(target, overwrite=overwrite, make_folders=True)
    text = render(chosen, options)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(target, text)
    return target
