# SPDX-License-Identifier: BSD-2-Clause
"""``erbium gallery``: neurons of the machine beside the equations that they stand for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from erbium.commands import common
from erbium.gen.files import check_free, write_text
from erbium.tables import PlainTable

if TYPE_CHECKING:
    from erbium.gallery.record import Machine, Recording
    from erbium.sw_model.description.graph import Graph


@click.command(
    short_help="Draw what neurons of the machine do, beside their equations.",
    epilog=common.examples(
        "erbium gallery -o gallery.html", "erbium gallery --rtl -o gallery-rtl.html", "erbium gallery --json"
    ),
)
@click.option("-o", "--output", type=common.FILE, metavar="FILE", help="Page to write.")
@click.option(
    "--rtl",
    is_flag=True,
    help="Run them on the core in hardware, simulated by Verilator, and compare all states and spikes with the model.",
)
@common.json_option
@common.overwrite_option
def gallery(output: Path | None, rtl: bool, as_json: bool, overwrite: bool) -> None:
    """Run 31 neurons on the integer model of the core and by their equations in floating point, in the same steps.

    The six behaviours of the machine's paper, the twenty of Mihalas and Niebur, and LIF neurons of three kinds of
    synapse, with noise, and with two compartments. Tells the spikes of both and how many ticks they are apart at most.
    """
    from erbium.gallery import behaviours
    from erbium.gallery.page import page
    from erbium.gallery.record import model, record

    runs_on = "the compiled model of the core"
    machine: Callable[[Graph], Machine] = model
    if output is not None:
        check_free(output, overwrite=overwrite)
    if rtl:
        from erbium.gallery.rtl import differing
        from erbium.gallery.rtl import machine as core

        runs_on, machine = "the core in hardware, simulated", core()
    sections = {
        title: [record(behaviour, machine) for behaviour in made()]
        for title, made in (
            ("Six behaviours", behaviours.six),
            ("The twenty behaviours of Mihalas and Niebur", behaviours.twenty),
            ("Simpler neurons", behaviours.others),
        )
    }
    if output is not None:
        write_text(output, page(sections, runs_on))
    recordings = [recording for section in sections.values() for recording in section]
    wrong = differing([one.behaviour for one in recordings], recordings) if rtl else 0
    if as_json:
        common.say_json(
            {
                "behaviours": [
                    {
                        "name": recording.behaviour.name,
                        "spikes": recording.spikes.tolist(),
                        "equations": recording.float_spikes.tolist(),
                        "farthest": recording.farthest,
                    }
                    for recording in recordings
                ]
            }
            | ({"differing_integers": wrong} if rtl else {})
        )
    else:
        _tell(recordings, output)
        if rtl:
            common.say(f"integers that differ from the model's: {wrong}")
    if wrong:
        sys.exit(1)


def _tell(recordings: Sequence[Recording], output: Path | None) -> None:
    table = PlainTable("behaviour", "spikes", "equations", "farthest apart")
    for recording in recordings:
        farthest = "" if recording.farthest is None else f"{recording.farthest} ticks"
        counts = (str(recording.spikes.size), str(recording.float_spikes.size))
        table.add_row(recording.behaviour.name, *counts, farthest)
    common.console().print(table)
    if output is not None:
        common.say(f"the page is {output}")
