# SPDX-License-Identifier: BSD-2-Clause
"""``erbium beside``: the machine beside others."""

from __future__ import annotations

from dataclasses import asdict

import click

from erbium.commands import common


@click.command(
    short_help="Say what the machine offers beside others.",
    epilog=common.examples("erbium beside", "erbium beside --table", "erbium beside --json"),
)
@click.option("--table", is_flag=True, help="Print it as the table of the documentation.")
@common.json_option
def beside(table: bool, as_json: bool) -> None:
    """Say what the core offers at run time beside NSAT, Loihi 2, Catalyst N2, ODIN and Darwin3, with the sources.

    What a source does not say is a dash. None of it was measured here but what Erbium's own core has.
    """
    from erbium.beside import UNSAID, headings, machines, markdown, rows

    if as_json:
        common.say_json({"machines": [asdict(machine) for machine in machines()]})
    elif table:
        common.say(markdown().rstrip())
    else:
        for cells in rows():
            common.say(cells[0])
            for heading, cell in zip(headings()[1:], cells[1:], strict=True):
                if cell != UNSAID:
                    common.say(f"  {heading + ':':15} {cell}")
