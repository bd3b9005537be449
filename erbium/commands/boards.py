# SPDX-License-Identifier: BSD-2-Clause
"""``erbium boards``, ``plan``, ``build`` and ``flash``: bitstreams and the boards that they are for."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from erbium.commands import common
from erbium.fpga.boards import BOARDS, CORE, Board, board, flash_of
from erbium.gen.files import check_free
from erbium.gen.presets import PRESETS
from erbium.tables import PlainTable

if TYPE_CHECKING:
    from erbium.fpga.planner import Plan

MHZ = 1_000_000

CORE_LANES = "the lanes of a core are those of its board; leave --lanes out"
CORE_FLASH = "a core does not learn from the flash; name a network, or leave --from-flash out"


@click.command(short_help="List the boards.")
@click.option(
    "--table", is_flag=True, help="Print the bitstreams in build/boards as the table of the documentation."
)
@common.json_option
def boards(table: bool, as_json: bool) -> None:
    """List the boards that a bitstream can be built for."""
    if table:
        from erbium.bench.boards import markdown, reports_in

        common.say(markdown(reports_in()).rstrip())
        return
    if as_json:
        common.say_json({"boards": [_board_facts(described) for described in BOARDS.values()]})
        return
    _list_boards()


def _board_facts(described: Board) -> dict[str, object]:
    """Return what ``--json`` prints of a board."""
    device = described.device
    return {
        "name": described.name,
        "title": described.title,
        "device": device.name,
        "family": device.family,
        "luts": device.luts,
        "flip_flops": device.ffs,
        "block_rams": device.block_rams,
        "spram_blocks": device.spram_blocks,
        "clock": described.clock,
        "baud_rate": described.baud_rate,
        "serial_port": described.serial_port,
        "loader": list(described.loader),
        "by_hand": described.by_hand,
    }


def _plan_facts(planned: Plan) -> dict[str, object]:
    """Return what ``--json`` prints of a plan."""
    network = planned.network
    return {
        "network": network.name,
        "digest": network.digest,
        "fits": planned.fits,
        "lanes": [planned.hardware.lanes_of(network, number) for number in range(len(network.layers))],
        "needs": [{"name": need.name, "need": need.need, "limit": need.limit} for need in planned.needs],
        "memories": [
            {
                "name": use.memory.name,
                "rows": use.memory.depth,
                "bits": use.memory.width,
                "words_per_row": use.words_per_row,
                "takes": use.count,
                "resource": use.resource,
            }
            for use in planned.memories
        ],
    }


def _list_boards() -> None:
    table = PlainTable()
    for name in ("board", "name", "FPGA", "LUTs", "block RAMs", "clock", "serial port", "loaded by"):
        table.add_column(name, overflow="fold")
    for described in BOARDS.values():
        device = described.device
        table.add_row(
            described.name,
            described.title,
            device.name,
            f"{device.luts:,}",
            f"{device.block_rams}" + (f" + {device.spram_blocks} SPRAM" if device.spram_blocks else ""),
            f"{described.clock / MHZ:g} MHz",
            f"{described.baud_rate:,} baud, {described.serial_port}",
            f"openFPGALoader {' '.join(described.loader)}" if described.loader else described.by_hand,
        )
    common.console().print(table)


_flash_option = click.option(
    "--from-flash",
    is_flag=True,
    help="A chip that learns from the data in its board's flash, too ('erbium flash --data').",
)


@click.command(
    short_help="Show what fits on a board, and where it goes.",
    epilog=common.examples(
        "erbium plan ulx3s-25f",
        "erbium plan ulx3s-85f erbp-mnist-200 --lanes 32",
        "erbium plan ulx3s-85f core erbp-mnist-100",
    ),
)
@click.argument("name", metavar="BOARD", shell_complete=common.complete_board)
@click.argument(
    "network", metavar="[PRESET|FILE|core]", shell_complete=common.complete_network, required=False
)
@click.argument("graph", metavar="[PRESET|FILE]", shell_complete=common.complete_network, required=False)
@click.option("--lanes", type=int, metavar="N", help="Lanes of layer 1; default is the most that fit.")
@_flash_option
@common.json_option
def plan(
    name: str, network: str | None, graph: str | None, lanes: int | None, from_flash: bool, as_json: bool
) -> None:
    """Show which memories of a network go where on a board; without a network, which presets fit.

    Nothing is built. LUTs and flip-flops are estimates; block RAMs are counted as Yosys does it. The exit code is 2
    if the network does not fit.

    With the word core and a network, a preset or the file of a graph: what it takes of the core that 'erbium build
    BOARD core' builds, one engine into which any network is loaded.
    """
    from erbium.fpga.planner import plan as make_plan

    described = board(name)
    if network == CORE:
        if lanes is not None:
            raise click.UsageError(CORE_LANES)
        if from_flash:
            raise click.UsageError(CORE_FLASH)
        _plan_core(described, graph, as_json=as_json)
        return
    if graph is not None:
        raise click.UsageError(f"there are two networks, {network!r} and {graph!r}; give one")
    if from_flash:
        flash_of(described)
    networks = [common.named_network(network)] if network else list(PRESETS.values())
    if as_json:
        plans = [make_plan(described, each.network, lanes, from_flash=from_flash) for each in networks]
        common.say_json({"board": described.name, "plans": [_plan_facts(planned) for planned in plans]})
        if network:
            plans[0].require()
        return
    if network is None:
        plans_of = (
            make_plan(described, each.network, lanes, from_flash=from_flash) for each in PRESETS.values()
        )
        _show_presets(described, plans_of)
        return
    planned = make_plan(described, common.named_network(network).network, lanes, from_flash=from_flash)
    _show_plan(planned)
    planned.require()


def _plan_core(described: Board, name: str | None, *, as_json: bool) -> None:
    """Show what a graph takes of the core of a board, or how large that is."""
    from erbium.fpga.core_plan import core_image, core_of, graph_file
    from erbium.sw_model.description.chain import chain

    if name is None:
        size = asdict(core_of(described))
        if as_json:
            common.say_json({"board": described.name, "core": size})
            return
        for what, value in size.items():
            common.say(f"{what.replace('_', ' ')}: {value:,}")
        return
    read = None if name in PRESETS else graph_file(Path(name))
    graph = read or chain(common.named_network(name).network)
    image = core_image(described, graph)
    if as_json:
        needs = [asdict(need) | {"fits": need.fits} for need in image.needs]
        common.say_json({"board": described.name, "graph": graph.name, "needs": needs})
    else:
        for need in image.needs:
            common.say(str(need))
    image.require()


def _show_presets(described: Board, plans: Iterable[Plan]) -> None:
    """Print a line per preset as soon as it is planned, in columns of fixed widths."""
    device = described.device
    limits = {
        "block RAMs": ("RAM", device.block_rams),
        "SPRAMs": ("SPRAM", device.spram_blocks),
        "LUTs": ("LUT", device.luts),
        "flip-flops": ("FF", device.ffs),
    }
    headings = {name: f"{short}/{limit:,}" for name, (short, limit) in limits.items() if limit}
    first = max(map(len, PRESETS))
    common.say("  ".join([f"{'preset':{first}}", "fits", "lanes", *headings.values()]))
    for planned in plans:
        needs = {need.name: need.need for need in planned.needs}
        cells = [f"{needs[name]:{len(heading)},}" for name, heading in headings.items()]
        verdict = "yes " if planned.fits else "no  "
        common.say("  ".join([f"{planned.network.name:{first}}", verdict, f"{planned.lanes:5}", *cells]))


def _show_plan(planned: Plan) -> None:
    network = planned.network
    lanes = ", ".join(
        str(planned.hardware.lanes_of(network, number)) for number in range(len(network.layers))
    )
    common.say(f"{network.name} on {planned.board.title} ({planned.board.device.name}): {lanes} lanes")
    table = PlainTable()
    for heading in ("memory", "rows", "bits", "words per row", "takes", "wasted"):
        table.add_column(heading, justify="left" if heading in ("memory", "takes") else "right")
    for use in planned.memories:
        words = str(use.words_per_row) if use.words_per_row else ""
        wasted = f"{100 * use.wasted:.0f} %" if use.resource in ("block RAM", "SPRAM") else ""
        memory = use.memory
        table.add_row(
            memory.name,
            f"{memory.depth:,}",
            f"{memory.width:,}",
            words,
            f"{use.count:,} {use.resource}",
            wasted,
        )
    common.console().print(table)
    for need in planned.needs:
        if need.limit or need.need:
            about = "about " if need.name in ("LUTs", "flip-flops") else ""
            common.say(f"{need.name}: {about}{need.need:,} of {need.limit:,}")


@click.command(
    short_help="Build a bitstream.",
    epilog=common.examples(
        "erbium build ulx3s-25f tiny",
        "erbium build ulx3s-85f erbp-mnist-200 --seed 2",
        "erbium build ulx3s-25f run.npz",
        "erbium build ulx3s-85f core",
    ),
)
@click.argument("name", metavar="BOARD", shell_complete=common.complete_board)
@click.argument("network", metavar="PRESET|FILE|CHECKPOINT|core", shell_complete=common.complete_network)
@click.option("--lanes", type=int, metavar="N", help="Lanes of layer 1; default is the most that fit.")
@click.option("--clock", type=float, metavar="MHZ", help="Clock to reach; default is the board's.")
@click.option(
    "--seed", type=int, help="Seed of the placer; default is 1, then 2, then 3 while the clock is missed."
)
@click.option("--baud", type=int, help="Baud rate of the serial port; default is the board's.")
@click.option(
    "-o",
    "--output",
    type=common.FOLDER,
    metavar="DIR",
    help="Folder to write to; default is build/boards/BOARD/PRESET.",
)
@_flash_option
@common.overwrite_option
@common.data_option
def build(
    name: str,
    network: str,
    lanes: int | None,
    clock: float | None,
    seed: int | None,
    baud: int | None,
    output: Path | None,
    from_flash: bool,
    overwrite: bool,
    data: Path | None,
) -> None:
    """Build the bitstream of a network for a board, with a report of its speed and size.

    From a checkpoint, the synapse memories hold what was learned once the board is configured, where they can. With the
    word core: one engine, into which 'erbium run' loads any network that fits, without another build.

    The exit code is 1 if the clock or the budget of the board and preset is missed: then there is a report and no
    bitstream.
    """
    from erbium.build_display import BuildDisplay
    from erbium.cycles import measure_cycles
    from erbium.fpga.build import BuildRequest, without_weights
    from erbium.fpga.build import build as carry_out
    from erbium.fpga.flow import BITSTREAMS
    from erbium.fpga.report import REPORT

    if network == CORE and lanes is not None:
        raise click.UsageError(CORE_LANES)
    if from_flash:
        if network == CORE:
            raise click.UsageError(CORE_FLASH)
        flash_of(board(name))
    described, weights = (None, None) if network == CORE else common.network_or_trained(network)
    request = BuildRequest(
        board(name),
        described,
        lanes,
        None if clock is None else round(clock * MHZ),
        baud,
        seed,
        output,
        None if weights is None else [values.tolist() for values in weights],
        network,
        from_flash,
    )
    outputs = (request.folder / name for name in (REPORT, BITSTREAMS[request.board.family]))
    check_free(*outputs, overwrite=overwrite, make_folders=True)
    with BuildDisplay() as display:
        report = carry_out(request, display.show, display.timed(partial(measure_cycles, data=data)))
    common.say(report.to_text().rstrip())
    if not report.ok:
        click.echo(f"erbium: {'; '.join(report.problems)}", err=True)
        sys.exit(1)
    for number in without_weights(report):
        common.say(f"Layer {number} is in SPRAM, which holds nothing before the host has loaded its weights.")
    common.say(f"The files are in {request.folder}; 'erbium flash {name} {network}' loads the bitstream.")


def _usb_place(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """Check the place of a USB device."""
    if text is not None and re.fullmatch(r"[0-9]{1,3}:[0-9]{1,3}", text) is None:
        raise click.BadParameter(
            f"{text!r} is no USB bus and device; write it as 001:010, as 'lsusb' counts them"
        )
    return text


@click.command(
    short_help="Load a bitstream into a board, or data into its flash.",
    epilog=common.examples(
        "erbium flash ulx3s-85f erbp-mnist-200",
        "erbium flash ulx3s-85f erbp-mnist-200 --usb 001:010",
        "erbium flash ulx3s-85f core",
        "erbium flash ulx3s-85f erbp-mnist-200 --data mnist",
        "erbium flash sim:ulx3s-85f erbp-digits --data digits --pixels runs --epochs 2",
    ),
)
@click.argument("name", metavar="BOARD|sim:BOARD", shell_complete=common.complete_board)
@click.argument("network", metavar="PRESET|FILE|CHECKPOINT|core", shell_complete=common.complete_network)
@click.option("--permanent", is_flag=True, help="Write it to the board's flash memory, where it stays.")
@click.option(
    "-i",
    "--input",
    "folder",
    type=common.FOLDER,
    metavar="DIR",
    help="Where 'erbium build' put the bitstream.",
)
@click.option(
    "--usb",
    metavar="BUS:DEVICE",
    callback=_usb_place,
    help="Which board, where several are plugged in, such as 001:010.",
)
@common.data_option
@click.option(
    "--pixels",
    type=click.Choice(["bits", "runs"]),
    help="With --data: pixels as bits, black below 128 (the default), or their eight bits as runs.",
)
@click.option(
    "--images", type=int, metavar="N", help="With --data: the first N training images; default all."
)
@click.option(
    "--test-images", type=int, metavar="N", help="With --data: the first N test images; default all."
)
@click.option(
    "--epochs", type=int, help="With --data: passes over the training images; default the preset's."
)
@click.option("--shift", type=int, metavar="N", help="With --data: move images by up to N pixels.")
@click.option(
    "-o",
    "--output",
    type=common.FILE,
    help="With --data: the file that is written, too; default build/flash/BOARD/NETWORK.bin.",
)
@click.option("--overwrite", is_flag=True, help="With --data: replace that file.")
def flash(
    name: str,
    network: str,
    permanent: bool,
    folder: Path | None,
    usb: str | None,
    data: Path | None,
    output: Path | None,
    overwrite: bool,
    **chosen_data: str | int | None,
) -> None:
    """Load a bitstream that 'erbium build' has built into a board, with openFPGALoader.

    The board is the one that is plugged in; where several may be it, --usb chooses.

    With --data: write a data set into the board's flash, after the bitstream, with the network's first weights and the
    run of its recipe. A chip that was built with --from-flash learns and tests from it by itself, when its button is
    pressed or 'erbium run --from flash' starts it. What a simulated board, sim:BOARD, has in its flash is a file.
    """
    from erbium.fpga.build import folder_of
    from erbium.fpga.flash import flash as load

    if data is not None:
        if network == CORE or permanent or folder is not None:
            raise click.UsageError(
                "--data writes samples of a network; leave core, --permanent and --input out"
            )
        _flash_data(name, network, data, output, usb, overwrite=overwrite, **chosen_data)
        return
    if given := [
        f"--{option.replace('_', '-')}" for option, value in chosen_data.items() if value is not None
    ]:
        raise click.UsageError(
            f"{', '.join(given)} are for data; name the data with --data, or leave them out"
        )
    described = board(name)
    chosen = None if network == CORE else common.network_or_trained(network)[0]
    where = folder or folder_of(described, CORE if chosen is None else chosen.name)
    report = load(
        described,
        chosen,
        where,
        permanent=permanent,
        usb=usb,
        tell=lambda text: click.echo(f"{text[0].upper()}{text[1:]}.", err=True),
    )
    common.say(
        f"{described.title} runs {report.preset} at {report.clock / MHZ:g} MHz; its serial port is at "
        f"{report.baud_rate:,} baud."
    )


def _flash_data(
    name: str,
    named: str,
    data: Path,
    output: Path | None,
    usb: str | None,
    *,
    overwrite: bool,
    **options: str | int | None,
) -> None:
    """Write a data set into the flash of a board, or into the file that a simulated one has for it."""
    from erbium.flash_plan import flash_run
    from erbium.fpga.driver_open import SIMULATED
    from erbium.fpga.flash_data import file_of, write_data
    from erbium.gen.files import replacing
    from erbium.gen.flash_image import flash_image
    from erbium.hdl.flash.layout import PixelKind
    from erbium.sw_model import datasets

    described = board(name.removeprefix(SIMULATED))
    memory = flash_of(described)
    chosen = common.named_network(named)
    file = output or file_of(described, chosen.network.name)
    check_free(file, overwrite=overwrite, make_folders=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    recipe = chosen.recipe
    shift = options.pop("shift")
    if shift is not None:
        recipe = replace(recipe, shift=int(shift))
    dataset = recipe.view(
        datasets.load(data, n_inputs=chosen.network.n_inputs), "name data of its size with --data"
    )
    if dataset.notice:
        click.echo(dataset.notice, err=True)
    epochs = options["epochs"]
    run = flash_run(
        chosen.network,
        recipe,
        dataset,
        PixelKind.RUNS if options["pixels"] == "runs" else PixelKind.BITS,
        epochs=recipe.epochs if epochs is None else int(epochs),
        n_train=None if options["images"] is None else int(options["images"]),
        n_test=None if options["test_images"] is None else int(options["test_images"]),
    )
    image = flash_image(run, memory.data_at, memory.room)
    with replacing(file) as stream:
        stream.write(image)
    samples = sum(map(len, run.splits.values()))
    common.say(
        f"{file}: {samples:,} samples of {dataset.name} for {chosen.network.name}, {len(image):,} of "
        f"{memory.room:,} bytes."
    )
    if not name.startswith(SIMULATED):
        write_data(
            described, file, usb=usb, tell=lambda text: click.echo(f"{text[0].upper()}{text[1:]}.", err=True)
        )
        common.say(f"They are in the flash of {described.title}, from byte {memory.data_at:,} on.")
    common.say(
        f"The board learns them when its button is pressed, or by 'erbium run "
        f"{name if name.startswith(SIMULATED) else 'PORT'} {named} --from flash'."
    )
