# SPDX-License-Identifier: BSD-2-Clause
"""The figures as an HTML page or as pictures, from the rows of the bench and from nothing else."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from matplotlib.figure import Figure

from erbium.bench.papers import PARTS
from erbium.bench.papers.part import Part, Table
from erbium.bench.result import Outcome, Row, number
from erbium.gen import files
from erbium.report import plots
from erbium.report.parts import STYLE_SHEET, templates_in
from erbium.report.parts import part as macro
from erbium.report.pictures import svg_file

TEMPLATES = templates_in(Path(__file__).parent)


@dataclass(frozen=True)
class Section:
    """A table with its figure, if there are rows enough for one.

    Attributes
    ----------
    key, title, lead : str
    plot : Markup, optional
    overview : Table, optional
        In the form of the source.
    rows : Table
        All rows, with what belongs to each.
    sources : list of str
        Of what is published.
    command : str
        Repeats these rows.
    """

    key: str
    title: str
    lead: str
    plot: Markup | None
    overview: Table | None
    rows: Table
    sources: list[str]
    command: str


def sections(outcome: Outcome) -> list[Section]:
    """Return a section for each part that there are rows of."""
    made = []
    for part in PARTS:
        rows = [row for row in outcome.rows if row.section == part.title]
        if not rows:
            continue
        sources = list(dict.fromkeys(row.extra["source"] for row in rows if row.extra["source"]))
        overview = part.overview(rows) if part.overview is not None else None
        ids = os.path.commonprefix([row.id for row in rows])  # noqa: RUF071  # ids are no paths
        command = f"erbium bench papers --only {ids}{' --quick' if rows[0].extra['quick'] else ''}"
        made.append(
            Section(
                part.key, part.title, part.lead, _plot(part, rows), overview, _table(rows), sources, command
            )
        )
    return made


def _plot(part: Part, rows: list[Row]) -> Markup | None:
    if part.draw(rows) is None:
        return None

    def draw() -> Figure:
        figure = part.draw(rows)
        assert figure is not None
        return figure

    return plots.svg(part.key, f"{part.title}: {part.lead}", draw)


def _table(rows: list[Row]) -> Table:
    further = list(dict.fromkeys(heading for row in rows for heading in row.columns))
    header = [
        "",
        "here",
        "unit",
        *(["target"] if any(row.target is not None for row in rows) else []),
        *further,
    ]
    body = []
    for row in rows:
        cells = [row.id.split("/", 1)[1], number(row.value), row.unit]
        if "target" in header:
            cells.append(_target(row))
        body.append([*cells, *(row.columns.get(heading, "") for heading in further)])
    return header, body


def _target(row: Row) -> str:
    if row.target is None:
        return ""
    return f"{row.limit} {row.target:,g} {'✓' if row.ok else '✗'}"


def render(outcome: Outcome) -> str:
    """Return the page."""
    first = outcome.rows[0].extra
    # Inside a script element HTML ends at the first "</", and JSON may write its characters as escapes.
    data = json.dumps(outcome.to_dict(), ensure_ascii=False)
    for character in "<>&":
        data = data.replace(character, f"\\u{ord(character):04x}")
    return TEMPLATES.get_template("page.html.j2").render(
        outcome=outcome,
        dataset=first["dataset"],
        quick=first["quick"],
        style=STYLE_SHEET,
        sections=sections(outcome),
        macro=macro,
        data=Markup(data),
    )


def markdown(outcome: Outcome) -> str:
    """Return the tables as Markdown, for a page of the documentation; its pictures are expected in ``pictures/``."""
    parts = []
    for section in sections(outcome):
        parts += [f"## {section.title}", section.lead, f"    {section.command}"]
        if section.plot is not None:
            parts.append(f"![{section.title}](pictures/papers-{section.key}.svg)")
        parts += [_markdown_table(table) for table in (section.overview, section.rows) if table is not None]
        parts += [f"Published: {source}." for source in section.sources]
    return "\n\n".join(parts) + "\n"


def _markdown_table(table: Table) -> str:
    header, body = table
    rule = ["---", *["--:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, rule, *body])


def write_report(path: Path, outcome: Outcome) -> None:
    """Write the page, or its tables as Markdown if that is what the name ends in; completely or not at all."""
    files.write_text(path, markdown(outcome) if path.suffix == ".md" else render(outcome))


def write_pictures(folder: Path, outcome: Outcome) -> None:
    """Write each figure as an SVG file that follows a light or dark screen by itself."""
    folder.mkdir(exist_ok=True)
    for section in sections(outcome):
        if section.plot is not None:
            files.write_text(folder / f"papers-{section.key}.svg", svg_file(section.plot))
