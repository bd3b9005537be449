# SPDX-License-Identifier: BSD-2-Clause
"""What sections are made of: their form, the templates, and how numbers are written."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from erbium.report.record import RunRecord

FOLDER = Path(__file__).parent

STYLE_SHEET = Markup((FOLDER / "page.css").read_text(encoding="utf-8"))
"""One look for all pages, in light and dark."""

SCRIPT = Markup((FOLDER / "page.js").read_text(encoding="utf-8"))
"""What a page can do: the full screen for a projector."""

SCRIPT_HASH = "sha256-" + base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
"""What a page's policy lets run."""


def templates_in(folder: Path) -> Environment:
    """Return the templates of a folder; a name that is not given to them is an error."""
    loader = FileSystemLoader(folder)
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


TEMPLATES = templates_in(FOLDER)


@dataclass(frozen=True)
class Section:
    """One section of the page.

    Attributes
    ----------
    key : str
        Its anchor; also the prefix of names inside its plots.
    title : str
    lead : str
        One sentence that says how to read it.
    body : Markup
    wide : bool
        Whether it takes the whole width of the page.
    """

    key: str
    title: str
    lead: str
    body: Markup
    wide: bool = False


MakeSection = Callable[[RunRecord], Section | None]


def part(name: str, *arguments: Any) -> Markup:
    """Return what a macro of ``parts.html.j2`` makes of its arguments."""
    module = TEMPLATES.get_template("parts.html.j2").module
    return Markup(getattr(module, name)(*arguments))


def short(value: float) -> str:
    """Return a number that fits a tile, such as 12.3, 5,210 or 1.83 M."""
    if value >= 1e6:
        return f"{value / 1e6:,.2f} M"
    return f"{value:.3g}" if value < 99.95 else f"{value:,.0f}"


def percent(value: float) -> str:
    """Return a percentage with two digits behind the point, as test errors are quoted."""
    return f"{value:.2f} %"
