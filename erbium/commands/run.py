# SPDX-License-Identifier: BSD-2-Clause
"""``erbium run`` and ``erbium simulate``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
from rich.console import Console

from erbium.bench.request import load_named
from erbium.board_run import BoardRun
from erbium.checkpoint import Checkpoint, CheckpointError
from erbium.commands import common
from erbium.core_run import N_SAMPLES, CoreRun
from erbium.fpga.core_plan import graph_file
from erbium.fpga.driver_open import Target
from erbium.fpga.driver_resume import WAIT_SECONDS
from erbium.gen.files import check_free, checkpoint_lock
from erbium.gen.presets import PRESETS, Preset
from erbium.progress import doing
from erbium.sw_model import datasets
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.programs import check_range
from erbium.train import MAX_IMAGES, Plan, check_fits, evaluation_ticks, usual_evaluations

N_SIMULATED, N_SIMULATED_TEST, N_SIMULATED_VALIDATION = 200, 100, 20
"""Images of a run on a simulated board unless the user says: learned, of the test, and of an evaluation."""

N_VALIDATION, VALIDATION_TICKS = 256, 8
"""Images and ticks of an evaluation on a board."""


@click.command(
    short_help="Learn and test on a board, or on a simulated one.",
    epilog=common.examples(
        "erbium run sim:ulx3s-85f erbp-digits",
        "erbium run auto erbp-mnist-200 --epochs 1",
        "erbium run /dev/ttyUSB0 erbp-mnist-200 --images 1000 --compare --overwrite",
        "erbium run /dev/ttyUSB0 erbp-mnist-200 --resume",
        "erbium run sim:ulx3s-85f:core erbp-digits",
        "erbium run /dev/ttyUSB0 graph.json",
        "erbium run sim:ulx3s-85f erbp-digits --from flash",
    ),
)
@click.argument("target", metavar="PORT|auto|sim:BOARD[:core]")
@click.argument("network", metavar="PRESET|FILE", shell_complete=common.complete_network)
@click.option(
    "--images", type=int, metavar="N", help=f"Learn N images; default {N_SIMULATED} when simulated."
)
@click.option("--epochs", type=int, help="Passes over the training images; default is the preset's.")
@click.option("--seed", type=int, help="Seed of weights and all random numbers.")
@click.option(
    "--test-images",
    type=int,
    metavar="N",
    help=f"Infer N test images at the end; default all, or {N_SIMULATED_TEST} when simulated; 0 for none.",
)
@click.option(
    "--compare/--no-compare",
    default=None,
    help="Have the model do the same and compare every integer; default when simulated.",
)
@click.option(
    "--wait",
    type=click.FloatRange(0, 86_400),
    default=WAIT_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="Wait so long for a board that went away, and bring it back to where it stood.",
)
@click.option(
    "--from",
    "source",
    type=click.Choice(["flash"]),
    help="Have the board learn by itself what 'erbium flash --data' wrote into its flash, and watch it.",
)
@click.option(
    "--image",
    type=common.FILE,
    help="With --from flash: the file that was written, for the model to do the same; default that of sim:BOARD.",
)
@common.data_option
@click.option("--checkpoint", type=common.FILE, help="Where to keep the state of the run; default NAME.npz.")
@click.option("--resume", is_flag=True, help="Carry on from the checkpoint.")
@click.option("--overwrite", is_flag=True, help="Start over although there is a checkpoint.")
@common.json_option
def run(
    target: str,
    network: str,
    images: int | None,
    epochs: int | None,
    seed: int | None,
    test_images: int | None,
    compare: bool | None,
    wait: float,
    source: str | None,
    image: Path | None,
    data: Path | None,
    checkpoint: Path | None,
    resume: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Learn on a board that holds the network's bitstream, or a core, test it, and read the weights back.

    PORT is its serial port (PORT@BAUD for an unusual baud rate), or a URL such as rfc2217://host:port; auto asks all
    serial ports for the board that holds the network; sim:BOARD is
    one of 'erbium boards', simulated bit by bit. The weights are the model's, however bad the line is. A board that is
    reset or goes away is brought back to where it stood as soon as it is there again; a checkpoint is kept, and a run
    that was stopped, or whose board did not come back, carries on with --resume. The exit code is 1 if the board
    and the model differ.

    A board with a core ('erbium build BOARD core') takes any network that fits: it is loaded over the line, checked by
    its digest, and run. The file of a graph runs on a core only, on --images samples of random pixels, events and
    labels; nothing is kept of that.

    With --from flash a board whose chip was built with --from-flash learns and tests by itself what is in its flash.
    Its weights are read back, and kept if --checkpoint names a file.
    """
    where = Target.of(target)
    if source is not None:
        given = {
            "--images": images,
            "--epochs": epochs,
            "--seed": seed,
            "--test-images": test_images,
            "--data": data,
            "--resume": resume or None,
        }
        _refuse(given, "what is in the flash decides what is learned from it")
        sys.exit(
            _from_flash(where, network, image, compare, checkpoint, overwrite=overwrite, as_json=as_json)
        )
    if image is not None:
        raise click.UsageError("--image is what --from flash learns; leave it out, or say --from flash")
    graph = None if network in PRESETS else graph_file(Path(network))
    if graph is not None:
        given = {
            "--epochs": epochs,
            "--test-images": test_images,
            "--data": data,
            "--checkpoint": checkpoint,
            "--resume": resume or None,
            "--overwrite": overwrite or None,
        }
        _refuse(given, "a graph runs on random samples")
        check_range("--images", n_samples := N_SAMPLES if images is None else images, 1, MAX_IMAGES)
        work = CoreRun(where, graph, n_samples, seed or 0, compare is not False)
        console = Console(stderr=True, highlight=False) if as_json else common.console()
        sys.exit(work.carry_out(console, common.say_json if as_json else lambda facts: None))
    chosen = common.named_network(network)
    if resume and (images, epochs, seed) != (None, None, None):
        raise CheckpointError(
            "the checkpoint decides length and seed of a resumed run; leave --images, --epochs and --seed out, or "
            "start another run without --resume"
        )
    if images is not None and epochs is not None:
        raise click.UsageError(
            f"--images {images} and --epochs {epochs} both set the length; give one of them"
        )
    if seed is not None:
        chosen = replace(chosen, network=replace(chosen.network, seed=seed))
    path = checkpoint or Path(f"{chosen.network.name}.npz")
    if resume and overwrite:
        raise click.UsageError(common.RESUME_OR_OVERWRITE)
    check_free(path, overwrite=resume or overwrite, resume=True)
    dataset = _dataset(network, chosen, data)
    saved = _saved(path, chosen, dataset) if resume else None
    plan = saved.plan if saved else _plan(where, chosen, dataset, images, epochs)
    n_test = test_images
    if n_test is None:
        n_test = min(N_SIMULATED_TEST, len(dataset.test)) if where.simulated else len(dataset.test)
    check_range("--test-images", n_test, 0, len(dataset.test), ", the size of the test split")
    words = ["erbium", "run", target, network, "--checkpoint", str(path), "--resume"]
    words += [] if compare is None else ["--compare" if compare else "--no-compare"]
    words += [] if test_images is None else ["--test-images", str(test_images)]
    words += [] if wait == WAIT_SECONDS else ["--wait", f"{wait:g}"]
    words += [] if data is None else ["--data", str(data)]
    job = BoardRun(
        target=where,
        network=saved.network if saved else chosen.network,
        dataset=dataset,
        plan=plan,
        n_test=n_test,
        compare=where.simulated if compare is None else compare,
        path=path,
        resume_command=tuple(words),
        wait=wait,
        saved=saved,
    )
    with checkpoint_lock(path):
        if as_json:
            code = job.carry_out(Console(stderr=True, highlight=False), common.say_json)
        else:
            code = job.carry_out(common.console())
    sys.exit(code)


def _refuse(given: Mapping[str, object], why: str) -> None:
    """Raise :class:`click.UsageError` if any of these options was given."""
    if unknown := [name for name, value in given.items() if value is not None]:
        raise click.UsageError(f"{why}; leave {', '.join(unknown)} out")


def _from_flash(
    where: Target,
    named: str,
    image: Path | None,
    compare: bool | None,
    checkpoint: Path | None,
    *,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Have a board learn what is in its flash, and return the exit code."""
    from erbium.flash_run import FlashWatch
    from erbium.fpga.boards import board, flash_of
    from erbium.fpga.flash_data import file_of

    network = common.named_network(named).network
    if where.core:
        raise click.UsageError("a core does not learn from the flash; leave :core or --from flash out")
    if checkpoint is not None:
        check_free(checkpoint, overwrite=overwrite)
    name = where.name if where.simulated else "BOARD"
    write = f"erbium flash {'sim:' if where.simulated else ''}{name} {named} --data DATA"
    if image is not None and not image.is_file():
        raise click.UsageError(f"there is no file {image}; name what 'erbium flash --data' wrote")
    if where.simulated:
        flash_of(board(where.name))
        kept = file_of(board(where.name), network.name)
        # A flash that nobody has written holds nothing that a chip would learn.
        image = image or (kept if kept.is_file() else None)
    octets = None if image is None else image.read_bytes()
    watch = FlashWatch(where, network, octets, write, checkpoint, compare is not False)
    if as_json:
        return watch.carry_out(Console(stderr=True, highlight=False), common.say_json)
    return watch.carry_out(common.console(), lambda facts: None)


@click.command(
    short_help="Serve a simulated board at a serial port.",
    epilog=common.examples("erbium simulate ulx3s-85f tiny", "erbium simulate ulx3s-85f core"),
)
@click.argument("board", metavar="BOARD", shell_complete=common.complete_board)
@click.argument("network", metavar="PRESET|FILE|core", shell_complete=common.complete_network)
def simulate(board: str, network: str) -> None:
    """Simulate the chip of a board's bitstream, and serve its serial line at a pseudo-terminal until Ctrl-C.

    Prints the path of the terminal, which any program opens like the board's serial port. With the word core the board
    holds its core, into which 'erbium run' loads one network after the other.
    """
    from erbium.fpga import boards, planner
    from erbium.fpga.boards import CORE
    from erbium.fpga.core_plan import core_of
    from erbium.fpga.simulated import simulated_board, simulated_core_board
    from erbium.fpga.simulated_port import SimulatedPort

    # A mistake is told before anything is compiled, or said to be.
    if network == CORE:
        core_of(boards.board(board))
        line = partial(simulated_core_board, board)
    else:
        chosen = common.named_network(network)
        planner.plan(boards.board(board), chosen.network).require()
        line = partial(simulated_board, board, chosen.network)
    with doing(
        Console(stderr=True),
        "Compiling the simulated board, unless the cache has it, which may take minutes.",
    ):
        port = SimulatedPort(line())
    try:
        common.say(port.path)
        what = "NETWORK" if network == CORE else network
        click.echo(f"Ctrl-C ends it; meanwhile, elsewhere: erbium run {port.path} {what}", err=True)
        port.serve()
    except KeyboardInterrupt:
        click.echo("\nThe board is gone.", err=True)
    finally:
        port.close()


def _dataset(name: str, chosen: Preset, data: Path | None) -> Dataset:
    """Return what the network sees of the data; the small presets bring theirs."""
    if data is None and name in PRESETS:
        dataset = load_named(name)
    else:
        dataset = chosen.recipe.view(
            datasets.load(data, n_inputs=chosen.network.n_inputs), "name data of its size with --data"
        )
    if dataset.notice:
        click.echo(dataset.notice, err=True)
    check_fits(chosen.network, dataset, "name data of its size with --data, or another preset")
    return dataset


def _saved(path: Path, chosen: Preset, dataset: Dataset) -> Checkpoint:
    saved = Checkpoint.load(path)
    saved.check_network(chosen.network, path)
    saved.check_dataset(dataset, path, "name its data with --data, or start another run without --resume")
    return saved


def _plan(where: Target, chosen: Preset, dataset: Dataset, images: int | None, epochs: int | None) -> Plan:
    network, n_train = chosen.network, len(dataset.train)
    total = images
    if total is None and epochs is None and where.simulated:
        total = N_SIMULATED
    if total is None:
        total = (chosen.recipe.epochs if epochs is None else epochs) * n_train
    check_range("--images", total, 1, MAX_IMAGES)
    if where.simulated:
        places = tuple(sorted({-(-total // 2), total}))
    else:
        places = usual_evaluations(total, n_train)
    n_images = N_SIMULATED_VALIDATION if where.simulated else N_VALIDATION
    return Plan(chosen.recipe, total, places, n_images, evaluation_ticks(network, VALIDATION_TICKS))
