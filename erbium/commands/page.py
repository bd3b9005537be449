# SPDX-License-Identifier: BSD-2-Clause
"""``erbium page``: a page in which the hardware itself learns what is drawn."""

from __future__ import annotations

from pathlib import Path

import click

from erbium.commands import common
from erbium.sw_model.network import Hardware


@click.command(
    short_help="Make a page in which the chip learns what is drawn.",
    epilog=common.examples(
        "erbium page erbp-mnist-100 -o build/page",
        "erbium page erbp-digits -o build/digits",
        "erbium page erbp-mnist-100 --check erbp-mnist-100.learned.json",
    ),
)
@click.argument("preset", metavar="PRESET|FILE", shell_complete=common.complete_network)
@click.option("-o", "--output", type=common.FOLDER, metavar="DIR", help="Folder to write index.html to.")
@click.option(
    "--check",
    "saved",
    type=common.FILE,
    metavar="SAVED",
    help="Make no page: do again with the model what a page has saved, and compare all answers and weights.",
)
@click.option(
    "--images",
    type=int,
    default=10_000,
    show_default=True,
    help="Images that the page carries to learn; it compares itself with the model after the first 1,000.",
)
@click.option(
    "--clock",
    type=float,
    default=80.0,
    show_default=True,
    metavar="MHZ",
    help="Of the board whose times the page tells; a ULX3S 85F has 80.",
)
@common.lanes_option
@common.data_option
@common.overwrite_option
def page(
    preset: str,
    output: Path | None,
    saved: Path | None,
    images: int,
    clock: float,
    lanes: int,
    data: Path | None,
    overwrite: bool,
) -> None:
    """Make a static page in which the hardware, compiled to WebAssembly, learns what is drawn.

    The page is one file, works from a disk as from any web server, and asks nobody for anything.
    """
    if (output is None) == (saved is None):
        raise click.UsageError(
            "a page is written with -o DIR, and what one has saved is compared with --check"
        )
    chosen = common.named_network(preset)
    from erbium.page import Options, replay, write_page

    options = Options(images=images, hardware=Hardware(lanes=lanes), clock=clock, data=data)
    if saved is not None:
        found = replay(saved, chosen, options)
        common.say(
            f"{found.samples:,} samples done again by the model: {found.wrong_answers:,} of {found.samples:,} answers "
            f"and {found.wrong_weights:,} of {found.weights:,} weights differ"
        )
        raise SystemExit(0 if found.equal else 1)
    assert output is not None
    path = write_page(chosen, output, options, overwrite=overwrite)
    common.say(
        f"The page of {chosen.network.name} is {path} ({path.stat().st_size / 1e6:.1f} MB); open it in a browser"
    )
