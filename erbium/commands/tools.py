# SPDX-License-Identifier: BSD-2-Clause
"""``erbium doctor``, ``bench`` and ``version``: commands whose work is done elsewhere."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from textwrap import indent

import click

from erbium import bench as the_bench
from erbium.commands import common
from erbium.tables import PlainTable


@click.command(short_help="Look for the tools that Erbium uses.")
@common.json_option
def doctor(as_json: bool) -> None:
    """Show which tools were found, which versions, and how to get what is missing.

    The exit code is 1 if something is missing that 'erbium demo' needs.
    """
    from erbium import doctor as the_doctor

    rows = the_doctor.report()
    if as_json:
        code = the_doctor.exit_code(rows)
        common.say_json({"ok": not code, "tools": [asdict(row) for row in rows]})
        sys.exit(code)
    table = PlainTable()
    for name in ("", "tool", "version", "what for", "where"):
        table.add_column(name, overflow="fold")
    for row in rows:
        missing = "[red]missing[/]" if row.need == "required" else "[yellow]none[/]"
        table.add_row("[green]ok[/]" if row.found else missing, row.name, row.version, row.purpose, row.where)
    common.console().print(table)
    # Outside of the table, whose columns would break what is to be copied.
    for row in rows:
        if not row.found:
            common.say(f"{row.name}: {row.hint}")
    sys.exit(the_doctor.exit_code(rows))


@click.command(
    # click wraps everything but paragraphs that begin with this character.
    help="Measure what the documentation quotes.\n\n\b\nNAME is one of:\n"
    + indent(the_bench.listing(), "  ")
    + "\n\nThe exit code is 1 if a number misses its target.",
    short_help="Measure the numbers that the documentation quotes.",
    epilog=common.examples(
        "erbium bench --list",
        "erbium bench accuracy",
        "erbium bench lanes --quick --json lanes.json",
        "erbium bench exact --only exact/erbp-mnist-200/lanes-64",
        "erbium bench papers --quick --report papers.html",
    ),
)
@click.argument("name", required=False)
@click.option("--list", "list_them", is_flag=True, help="List the benches and what they measure.")
@click.option("--json", "json_file", type=common.FILE, help="Write the rows as JSON.")
@click.option("--quick", is_flag=True, help="A short form, to see that it works.")
@click.option(
    "--only", metavar="ID", multiple=True, help="Only the rows whose id begins like this; may be repeated."
)
@click.option(
    "--jobs", type=int, metavar="N", help="Processes at a time; default is the number of processors."
)
@click.option(
    "--keep", type=common.FOLDER, help="Keep each run that is done here, and go on from those that are."
)
@click.option(
    "--report",
    type=common.FILE,
    help="Write tables and figures as an HTML page; the tables alone, in Markdown, if its name ends in .md.",
)
@click.option("--pictures", type=common.FOLDER, help="Write the figures as SVG files.")
@common.overwrite_option
@common.data_option
def bench(
    name: str | None,
    list_them: bool,
    json_file: Path | None,
    quick: bool,
    only: tuple[str, ...],
    jobs: int | None,
    keep: Path | None,
    report: Path | None,
    pictures: Path | None,
    overwrite: bool,
    data: Path | None,
) -> None:
    """Carry a bench out, or list them."""
    if list_them:
        common.say(the_bench.listing())
        return
    if name is None:
        raise click.UsageError("name a bench, such as accuracy; 'erbium bench --list' lists them")
    the_bench.run(
        name,
        quick=quick,
        json_file=json_file,
        data=data,
        jobs=jobs,
        only=only,
        keep=keep,
        report=report,
        pictures=pictures,
        overwrite=overwrite,
    )


@click.command(short_help="Print the version.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def version(as_json: bool) -> None:
    """Print the version of Erbium."""
    from erbium.summary import version as number

    common.say(json.dumps({"version": number()}) if as_json else f"erbium {number()}")
