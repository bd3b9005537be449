# SPDX-License-Identifier: BSD-2-Clause
"""``erbium page``: a page in which the hardware itself learns what is drawn."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from erbium.commands import common
from erbium.gen.presets import Preset
from erbium.sw_model.network import Hardware

if TYPE_CHECKING:
    from erbium.page import Options


@click.command(
    short_help="Make a page in which the chip learns what is drawn.",
    epilog=common.examples(
        "erbium page erbp-mnist-100 -o build/page",
        "erbium page erbp-mnist-100 first-spike-mnist-600 -o build/both",
        "erbium page erbp-digits --serve 8000 --board sim:ulx3s-85f",
        "erbium page erbp-mnist-100 --check erbp-mnist-100.learned.json",
    ),
)
@click.argument(
    "presets",
    metavar="PRESET|FILE [PRESET|FILE]",
    nargs=-1,
    required=True,
    shell_complete=common.complete_network,
)
@click.option("-o", "--output", type=common.FOLDER, metavar="DIR", help="Folder to write index.html to.")
@click.option(
    "--serve",
    "port",
    type=int,
    metavar="PORT",
    help="Write no page: show it at this port of this computer until Ctrl-C. The model behind it does again all "
    "that is drawn. 0 takes any port that is free.",
)
@click.option(
    "--board",
    metavar="PORT|auto|sim:BOARD",
    help="With --serve: the board that the page reaches, a serial port as 'erbium run' takes it, or a simulated one.",
)
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
    presets: tuple[str, ...],
    output: Path | None,
    port: int | None,
    board: str | None,
    saved: Path | None,
    images: int,
    clock: float,
    lanes: int,
    data: Path | None,
    overwrite: bool,
) -> None:
    """Make a static page in which the hardware, compiled to WebAssembly, learns what is drawn.

    The page is one file, works from a disk as from any web server, and asks nobody for anything. With two networks one
    drawing is taught to both, side by side.
    """
    if sum(each is not None for each in (output, port, saved)) != 1:
        raise click.UsageError(
            "a page is written with -o DIR or shown with --serve PORT, and what one has saved is compared with --check"
        )
    if board is not None and port is None:
        raise click.UsageError("a board stands behind a page that is shown with --serve PORT; give that, too")
    if len(presets) > 1 and (board is not None or saved is not None):
        raise click.UsageError("with --board or --check there is one network; name one")
    chosen = [common.named_network(name) for name in presets]
    from erbium.page import Options, replay_file, write_page

    options = Options(images=images, hardware=Hardware(lanes=lanes), clock=clock, data=data)
    if saved is not None:
        found = replay_file(saved, chosen[0], options)
        common.say(
            f"{found.samples:,} samples done again by the model: {found.wrong_answers:,} of {found.samples:,} answers "
            f"and {found.wrong_weights:,} of {found.weights:,} weights differ"
        )
        raise SystemExit(0 if found.equal else 1)
    if port is not None:
        _serve(chosen, options, port, board)
        return
    assert output is not None
    path = write_page(chosen, output, options, overwrite=overwrite)
    names = " and ".join(each.network.name for each in chosen)
    common.say(f"The page of {names} is {path} ({path.stat().st_size / 1e6:.1f} MB); open it in a browser")


def _serve(chosen: list[Preset], options: Options, port: int, board: str | None) -> None:
    """Show a page until Ctrl-C."""
    from erbium.fpga.driver_open import Target
    from erbium.page import Server
    from erbium.page.behind import board_behind
    from erbium.progress import doing

    target = None if board is None else Target.of(board)
    with ExitStack() as stack:
        server = stack.enter_context(Server(chosen, options, port))
        try:
            if target is not None:
                if target.simulated:
                    wait = doing(
                        Console(stderr=True),
                        "Compiling the simulated board, unless the cache has it, which may take minutes.",
                    )
                    with wait:
                        behind = stack.enter_context(board_behind(target, chosen[0].network))
                else:
                    behind = stack.enter_context(board_behind(target, chosen[0].network))
                server.line, server.board = behind
            server.make()
            common.say(server.address)
            click.echo("Open it in a browser on this computer; Ctrl-C ends it.", err=True)
            server.serve()
        except KeyboardInterrupt:
            click.echo("\nThe page is shown no more.", err=True)
