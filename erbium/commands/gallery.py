# SPDX-License-Identifier: BSD-2-Clause
"""``erbium gallery``: neurons of the machine beside the equations that they stand for."""

from __future__ import annotations

from pathlib import Path

import click

from erbium.commands import common
from erbium.gen.files import check_free, write_text
from erbium.tables import PlainTable


@click.command(
    short_help="Draw what neurons of the machine do, beside their equations.",
    epilog=common.examples("erbium gallery -o gallery.html", "erbium gallery --json"),
)
@click.option("-o", "--output", type=common.FILE, metavar="FILE", help="Page to write.")
@common.json_option
@common.overwrite_option
def gallery(output: Path | None, as_json: bool, overwrite: bool) -> None:
    """Run 31 neurons on the integer model of the core and by their equations in floating point, in the same steps.

    The six behaviours of the machine's paper, the twenty of Mihalas and Niebur, and LIF neurons of three kinds of
    synapse, with noise, and with two compartments. Tells the spikes of both and how many ticks they are apart at most.
    """
    from erbium.gallery import behaviours
    from erbium.gallery.page import page
    from erbium.gallery.record import record

    if output is not None:
        check_free(output, overwrite=overwrite)
    sections = {
        title: [record(behaviour) for behaviour in made()]
        for title, made in (
            ("Six behaviours", behaviours.six),
            ("The twenty behaviours of Mihalas and Niebur", behaviours.twenty),
            ("Simpler neurons", behaviours.others),
        )
    }
    if output is not None:
        write_text(output, page(sections, "the compiled model of the core"))
    recordings = [recording for section in sections.values() for recording in section]
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
        )
        return
    table = PlainTable("behaviour", "spikes", "equations", "farthest apart")
    for recording in recordings:
        farthest = "" if recording.farthest is None else f"{recording.farthest} ticks"
        counts = (str(recording.spikes.size), str(recording.float_spikes.size))
        table.add_row(recording.behaviour.name, *counts, farthest)
    common.console().print(table)
    if output is not None:
        common.say(f"the page is {output}")
