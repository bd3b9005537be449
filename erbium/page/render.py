# SPDX-License-Identifier: BSD-2-Clause
"""The page: one HTML file that asks nobody for anything, from a disk as from a server."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from erbium.gen.files import check_free, write_text
from erbium.gen.presets import Preset
from erbium.page.contents import Options, contents
from erbium.report.parts import templates_in
from erbium.summary import version
from erbium.sw_model.programs import DescriptionError

FILE = "index.html"
"""What a server shows of a folder."""

FOLDER = Path(__file__).parent

SHARED = ("words.js", "seeds.js", "thread.js", "link.js", "served.js", "board.js")
"""What is there once in a page, in this order."""

LEARNER = ("parts.js", "chip.js", "desk.js", "pictures.js", "keep.js", "proof.js", "cable.js", "learner.js")
"""What is there once for each chip: the body of a function of its facts, and of how the names of its elements begin."""

MOST_CHIPS = 2
"""Chips of a page: so many stand side by side on a screen."""


def _text(*names: str) -> str:
    return "".join((FOLDER / name).read_text(encoding="utf-8") for name in names)


def _script() -> Markup:
    """Return the page's script: nothing of it is seen from outside but what it exports itself."""
    learner = f"function learner(facts, at) {{\n{_text(*LEARNER)}return exported;\n}}\n"
    return Markup(f"(() => {{\n{_text(*SHARED)}{learner}{_text('page.js')}}})();\n")


def _json(value: object) -> Markup:
    text = json.dumps(value).replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")
    return Markup(text)


def check_together(chosen: Sequence[Preset]) -> None:
    """Check that one drawing can be given to all of these networks.

    Raises
    ------
    DescriptionError
        If they differ in their inputs or classes, are too many, or one is there twice.
    """
    networks = [each.network for each in chosen]
    names = ", ".join(repr(network.name) for network in networks)
    if len(networks) > MOST_CHIPS:
        raise DescriptionError(
            f"there are {len(networks)} networks ({names}) and a page shows at most {MOST_CHIPS} side by side; "
            "make a second page of the others"
        )
    if len({network.digest for network in networks}) < len(networks):
        raise DescriptionError(f"the networks of one page are {names}; name different ones")
    if len({(network.n_inputs, network.n_classes) for network in networks}) > 1:
        sizes = ", ".join(f"{network.n_inputs} and {network.n_classes}" for network in networks)
        raise DescriptionError(
            f"one drawing is for all networks of a page, and {names} have {sizes} inputs and classes; name networks of "
            "the same size"
        )


def render(chosen: Sequence[Preset], options: Options, served: dict[str, Any] | None = None) -> str:
    """Return the page of one preset, or of two side by side. Equal options give equal pages.

    Parameters
    ----------
    chosen : sequence of Preset
    options : Options
    served : dict, optional
        What the server of the page offers; see :mod:`erbium.page.serve`.
    """
    check_together(chosen)
    chips: list[dict[str, Any]] = []
    held: dict[str, str] = {}
    for preset in chosen:
        facts, parts = contents(preset, options)
        # What several chips have alike, as their images, is there once.
        ids = {name: held.setdefault(text, f"part-{len(held)}") for name, text in parts.items()}
        chips.append(facts | {"parts": ids})
    script = _script()
    return (
        templates_in(FOLDER)
        .get_template("page.html.j2")
        .render(
            chips=chips,
            version=version(),
            style=Markup(_text("page.css")),
            script=script,
            script_hash="sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            worker=Markup(_text("seeds.js", "worker.js")),
            data=_json(chips),
            served=served is not None,
            served_data=_json(served),
            parts={name: text for text, name in held.items()},
        )
    )


def write_page(
    chosen: Preset | Sequence[Preset], folder: Path, options: Options, *, overwrite: bool = False
) -> Path:
    """Write the page of a preset, or of two side by side, into a folder, completely or not at all; return its file.

    Raises
    ------
    OutputError
        If the file is there already and is not to be replaced.
    DescriptionError
        If the networks do not go together.
    ToolError, DatasetError, ChipError
        As :func:`erbium.page.contents.contents`.
    """
    target = folder / FILE
    presets = [chosen] if isinstance(chosen, Preset) else list(chosen)
    # Before the work, and not after it.
    check_together(presets)
    check_free(target, overwrite=overwrite, make_folders=True)
    text = render(presets, options)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(target, text)
    return target
