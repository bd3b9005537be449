# SPDX-License-Identifier: BSD-2-Clause
"""``erbium wave``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from erbium.checkpoint import Checkpoint
from erbium.commands import common
from erbium.gen.presets import Recipe
from erbium.sw_model import constants, datasets
from erbium.sw_model.constants import Array
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.programs import DescriptionError, check_range
from erbium.train import check_fits, training_batch
from erbium.wave import Sample, wave_format, write_wave

WAY_OUT = "name data of its size with --data"
MAX_SAMPLE = 1_000_000_000


@dataclass(frozen=True)
class _Subject:
    """What is looked at: a network with its weights, and where its training stands."""

    network: Network
    recipe: Recipe
    weights: Sequence[Array]
    factor: float
    shift: int
    about: str


@click.command(
    short_help="Write a sample as a waveform of the simulated chip.",
    epilog=common.examples(
        "erbium wave erbp-digits --data digits -o digit.fst",
        "erbium wave erbp-mnist-200.npz --sample 12 -o twelve.fst",
        "erbium wave erbp-mnist-200.npz --sample 0 --learn --lanes 16 -o learned.vcd",
    ),
)
@click.argument("network", metavar="PRESET|FILE|CHECKPOINT", shell_complete=common.complete_network)
@click.option(
    "--sample", "number", type=int, default=0, show_default=True, metavar="N", help="Number of the sample."
)
@click.option(
    "--learn",
    is_flag=True,
    help="Learn training sample N, as training presents it, in place of answering test image N.",
)
@common.lanes_option
@common.data_option
@click.option(
    "-o",
    "--output",
    type=common.FILE,
    required=True,
    metavar="FILE",
    help="The waveform: .fst, which is small and needs zlib and lz4 to be written, or .vcd, which needs neither.",
)
@click.option("--overwrite", is_flag=True, help="Write it although there is a file of that name.")
def wave(
    network: str, number: int, learn: bool, lanes: int, data: Path | None, output: Path, overwrite: bool
) -> None:
    """Run one sample on the generated Verilog and write every signal of it to a file, clock by clock.

    Beside the bits of the hardware the file has what they mean: the tokens of each channel with their kinds, the states
    of each neuron, and of each state machine. FILE.gtkw and FILE.sucl beside it are layouts for GTKWave and Surfer. A
    checkpoint brings its trained weights; a preset or a description has those that learning begins with.
    """
    wave_format(output)
    hardware = Hardware(lanes=lanes)
    check_range("--sample", number, 0, MAX_SAMPLE)
    if not output.parent.is_dir():
        raise FileNotFoundError(2, "No such folder", str(output.parent))
    for path in (output, output.with_suffix(".gtkw"), output.with_suffix(".sucl")):
        if path.exists() and not overwrite:
            raise DescriptionError(
                f"{path} is there already; add --overwrite to replace it, or name another file with -o"
            )
    subject = _subject(network, number)
    dataset = datasets.load(data, n_inputs=subject.network.n_inputs)
    if dataset.notice:
        click.echo(dataset.notice, err=True)
    dataset = subject.recipe.view(dataset, WAY_OUT)
    check_fits(subject.network, dataset, WAY_OUT)
    sample, label = _sample(subject, dataset, number, learn)
    with Console(stderr=True).status(
        "Building the chip with all its signals; the next time it comes out of the cache."
    ):
        made = write_wave(output, subject.network, hardware, subject.weights, sample)
    found = made.trace
    what = f"training sample {number}" if learn else f"test image {number}"
    common.say(
        f"{what} of {dataset.name}, class {label}, {subject.about}: answer {found.answer} after {found.ticks} ticks, "
        f"{made.clocks:,} simulated clocks with {lanes} lanes; answer, ticks and weights are the model's"
    )
    gtkwave, surfer = made.layouts
    common.say(
        f"the waveform is {output}; look at it with 'gtkwave {gtkwave}' or 'surfer -c {surfer} {output}'"
    )


def _subject(name: str, position: int) -> _Subject:
    """Return what the user named."""
    if common.is_checkpoint(name):
        saved = Checkpoint.load(Path(name))
        plan = saved.plan
        return _Subject(
            saved.network,
            plan.recipe,
            saved.weights,
            plan.rate(min(position, plan.total)),
            plan.shift(min(position, plan.total)),
            f"weights of {name}",
        )
    chosen = common.named_network(name)
    return _Subject(
        chosen.network,
        chosen.recipe,
        chosen.network.initial_weights(),
        1.0,
        chosen.recipe.shift,
        "weights as learning begins",
    )


def _sample(subject: _Subject, dataset: Dataset, number: int, learn: bool) -> tuple[Sample, int]:
    """Return what the chip is shown, and the class of it."""
    network = subject.network
    seed = int(constants.sample_seeds(network.seed, learn, number, 1)[0])
    if learn:
        images, labels = training_batch(dataset, network, subject.shift, number, 1)
        return Sample(images[0], int(labels[0]), seed, subject.factor), int(labels[0])
    check_range("--sample", number, 0, len(dataset.test) - 1, ", the last test image")
    return Sample(dataset.test.images[number], None, seed), int(dataset.test.labels[number])
