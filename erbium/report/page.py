# SPDX-License-Identifier: BSD-2-Clause
"""The page: all sections in one HTML file that asks nobody for anything."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from erbium.gen.files import write_text
from erbium.report.parts import SCRIPT, SCRIPT_HASH, STYLE_SHEET, TEMPLATES, MakeSection
from erbium.report.record import RunRecord
from erbium.report.sections import SECTIONS, tiles


def render(record: RunRecord, sections: Sequence[MakeSection] = SECTIONS) -> str:
    """Return the page. Equal records give equal pages."""
    # Inside a script element HTML ends at the first "</", and JSON may write its characters as escapes.
    data = record.to_json().replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")
    made = (make(record) for make in sections)
    return TEMPLATES.get_template("page.html.j2").render(
        record=record,
        style=STYLE_SHEET,
        script=SCRIPT,
        script_hash=SCRIPT_HASH,
        tiles=tiles(record),
        sections=[section for section in made if section is not None],
        data=Markup(data),
    )


def write_report(
    path: str | os.PathLike[str], record: RunRecord, sections: Sequence[MakeSection] = SECTIONS
) -> None:
    """Write the report of a run; a report that was there stays as it is until the new one is complete.

    Parameters
    ----------
    path : path-like
        The HTML file. Its folder is made if need be.
    record : RunRecord
    sections : sequence of callable
        What makes the sections, in their order.
    """
    text = render(record, sections)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, text)
