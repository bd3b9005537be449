# SPDX-License-Identifier: BSD-2-Clause
"""``erbium verilog`` and ``erbium export``: a network, or what it has learned, as files for other tools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from erbium.commands import common
from erbium.sw_model.network import Hardware

if TYPE_CHECKING:
    from erbium.gen.bus_export import BusName

MHZ = 1_000_000

BUSES = ("axi", "wishbone", "wishbone-pipelined", "uart")
"""Those of :data:`erbium.gen.bus_export.BUSES`, which takes Amaranth to load, and the serial line."""

FORMATS = ("hex", "c", "npz", "json")
"""Those of :data:`erbium.gen.weights_export.FORMATS`, which takes Amaranth to load."""


def name_option(help_text: str) -> Callable[[common.F], common.F]:
    """Return the option ``--name``."""
    return click.option("--name", default="", metavar="NAME", help=help_text)


@click.command(
    short_help="Write a network as Verilog.",
    epilog=common.examples(
        "erbium verilog erbp-mnist-200 -o build/erbp",
        "erbium verilog mine.json -o build/mine --lanes 32 --name mine",
        "erbium verilog run.npz -o build/trained",
        "erbium verilog tiny -o build/chip --link --clock 25 --baud 1000000",
        "erbium verilog tiny -o build/axi --bus axi",
    ),
)
@click.argument("network", metavar="PRESET|FILE|CHECKPOINT", shell_complete=common.complete_network)
@click.option("-o", "--output", type=common.FOLDER, required=True, metavar="DIR", help="Folder to write to.")
@common.lanes_option
@name_option(
    "Name of all modules, files, macros and the core; default is made of the network's name and the lanes, as "
    "erbium_array_tiny_64lanes."
)
@click.option(
    "--link", is_flag=True, help="The whole chip: the array behind its host link, on a serial line."
)
@click.option(
    "--bus",
    type=click.Choice(BUSES),
    help="The array on the bus of a system on a chip, with a register map in SystemRDL; uart is the same as --link.",
)
@click.option(
    "--clock", type=float, metavar="MHZ", help="With --link or --bus: frequency of clk; default is 50."
)
@click.option("--baud", type=int, help="With --link: bits per second; default is 1000000.")
@click.option(
    "--power-up/--no-power-up",
    default=True,
    show_default=True,
    help="Give registers their values at power-up by 'initial'; without it a reset has to come first. Constants and "
    "weights of a checkpoint are there in any case.",
)
@common.overwrite_option
def verilog(
    network: str,
    output: Path,
    lanes: int,
    name: str,
    link: bool,
    bus: BusName | Literal["uart"] | None,
    clock: float | None,
    baud: int | None,
    power_up: bool,
    overwrite: bool,
) -> None:
    """Write a network as Verilog with a JSON manifest, a C header and a FuseSoC core.

    From a checkpoint, the synapse memories hold what was learned from the start.
    """
    if bus == "uart":
        link, bus = True, None
    if link and bus:
        raise click.UsageError(
            f"--bus is {bus!r}, and --link is a serial line in its place; give one of them"
        )
    if not link and baud is not None:
        raise click.UsageError("--baud is that of a serial line; add --link")
    if not (link or bus) and clock is not None:
        raise click.UsageError("--clock is that of a serial line or a bus; add --link or --bus")
    described, weights = common.network_or_trained(network)
    hardware = Hardware(lanes=lanes)
    from erbium.gen.export import ExportOptions, SerialLine, default_name, export, file_names
    from erbium.gen.files import check_free

    serial = None
    if link:
        usual = SerialLine()
        serial = SerialLine(
            usual.clock if clock is None else round(clock * MHZ), usual.baud_rate if baud is None else baud
        )
    rows = None if weights is None else [values.tolist() for values in weights]
    options = ExportOptions(
        name,
        rows,
        serial,
        power_up,
        bus,
        round(clock * MHZ) if bus and clock is not None else SerialLine.clock,
    )
    files = file_names(name or default_name(described, hardware, serial, bus), bus)
    check_free(*(output / file for file in files), overwrite=overwrite, make_folders=True)
    made = export(described, hardware, output, options)
    names = ", ".join(sorted([*made["files"], f"{made['top']}.json"]))
    trained = "" if weights is None else ", with the weights of the checkpoint,"
    common.say(f"{described.name} with {lanes} lanes{trained} is in {output}: {names}")


@click.command(
    short_help="Write trained weights as files.",
    epilog=common.examples(
        "erbium export run.npz -o build/weights",
        "erbium export run.npz -o build/weights --format hex --lanes 64",
    ),
)
@click.argument("checkpoint", type=common.FILE)
@click.option("-o", "--output", type=common.FOLDER, required=True, metavar="DIR", help="Folder to write to.")
@click.option(
    "--format",
    "formats",
    type=click.Choice(FORMATS),
    multiple=True,
    help="hex for $readmemh, C header, NumPy archive or JSON; may be repeated, default is all.",
)
@click.option(
    "--lanes",
    type=int,
    default=1,
    show_default=True,
    help="Weights of a word in the hex files; those of the array that is to read them.",
)
@name_option("Name of the files and of the macros; default is made of the network's name.")
@common.overwrite_option
def export(
    checkpoint: Path, output: Path, formats: tuple[str, ...], lanes: int, name: str, overwrite: bool
) -> None:
    """Write the weights of a checkpoint as files that other programs read."""
    from erbium.checkpoint import Checkpoint
    from erbium.gen.weights_export import export_weights

    saved = Checkpoint.load(checkpoint)
    files = export_weights(
        saved.network, saved.weights, output, formats or FORMATS, name=name, lanes=lanes, overwrite=overwrite
    )
    common.say(
        f"The weights of {saved.network.name} after {saved.position:,} images are in {output}: {', '.join(files)}"
    )
