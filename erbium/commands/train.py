# SPDX-License-Identifier: BSD-2-Clause
"""``erbium train``."""

from __future__ import annotations

import math
import shlex
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.console import Console

from erbium import summary
from erbium.checkpoint import Checkpoint, CheckpointError
from erbium.chip import Chip, ChipError, backend_named, open_chip
from erbium.commands import common
from erbium.facts import run_facts, test_facts
from erbium.gen.files import check_free, checkpoint_lock
from erbium.gen.presets import SCHEDULES, Recipe
from erbium.gen.resize import resized
from erbium.interrupt import Interruption, StoppedError
from erbium.progress import TrainingDisplay
from erbium.silence import Silence, silence
from erbium.sw_model import datasets
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.programs import check_range
from erbium.train import (
    MAX_EVALUATIONS,
    MAX_IMAGES,
    Evaluated,
    Plan,
    Trainer,
    check_fits,
    evaluation_ticks,
    usual_evaluations,
)

SAVE_SECONDS = 60.0
"""At least so often a run writes its checkpoint; it also does after each evaluation."""

N_SLOW_VALIDATION, SLOW_TICKS, N_SLOW_TEST = 256, 8, 1_000
"""On all but the compiled model: images and ticks of an evaluation, unless the user says, and of the test."""


@dataclass(frozen=True)
class Choices:
    """The options of the command, as click hands them over."""

    network: str | None
    network_file: Path | None
    hidden: tuple[int, ...] | None
    seed: int | None
    epochs: int | None
    images: int | None
    shift: int | None
    shift_share: float | None
    crop: int | None
    held_out: int | None
    learn_ticks: int | None
    schedule: str | None
    stop_after: int | None
    evaluate_every: int | None
    evaluate_images: int | None
    evaluate_ticks: int | None
    backend: str
    lanes: int
    data: Path | None
    checkpoint: Path | None
    init: Path | None
    resume: bool
    overwrite: bool
    report: Path | None
    report_sample: int
    as_json: bool

    def command(self) -> str:
        """Return the command line that makes the same run from its beginning."""
        words = ["erbium", "train", *([] if self.network is None else [self.network])]
        options = {
            "--network": self.network_file,
            "--hidden": None if self.hidden is None else ",".join(map(str, self.hidden)),
            "--seed": self.seed,
            "--epochs": self.epochs,
            "--images": self.images,
            "--shift": self.shift,
            "--shift-share": self.shift_share,
            "--crop": self.crop,
            "--held-out": self.held_out,
            "--learn-ticks": self.learn_ticks,
            "--schedule": self.schedule,
            "--backend": None if self.backend == "model" else self.backend,
            "--data": self.data,
            "--init": self.init,
        }
        for name, value in options.items():
            words += [] if value is None else [name, str(value)]
        return shlex.join(words)

    @property
    def sets_length(self) -> bool:
        """Whether the length of the run was given."""
        return self.epochs is not None or self.images is not None

    @property
    def describes_a_run(self) -> bool:
        """Whether an option was given that a checkpoint decides."""
        return any(
            value is not None
            for value in (
                self.hidden,
                self.seed,
                self.shift,
                self.shift_share,
                self.crop,
                self.held_out,
                self.learn_ticks,
                self.schedule,
                self.evaluate_every,
                self.evaluate_images,
                self.evaluate_ticks,
            )
        )


@click.command(
    short_help="Train a network; resume after an interruption.",
    epilog=common.examples(
        "erbium train erbp-mnist-200",
        "erbium train erbp-mnist-100 --epochs 4 --shift 0 --report run.html",
        "erbium train erbp-mnist-200 --hidden 200,100 --images 10000 --backend rtl",
        "erbium train --checkpoint erbp-mnist-200.npz --resume",
        "erbium train --checkpoint erbp-mnist-200.npz --resume --epochs 64",
        "erbium train --init erbp-mnist-200.npz --data fashion-mnist --checkpoint fashion.npz",
    ),
)
@click.argument("network", metavar="[PRESET|FILE]", shell_complete=common.complete_network, required=False)
@click.option(
    "--network", "network_file", type=common.FILE, help="Network description in JSON, in place of a preset."
)
@common.hidden_option
@click.option("--seed", type=int, help="Seed of weights and all random numbers.")
@click.option("--epochs", type=int, help="Passes over the training images.")
@click.option("--images", type=int, metavar="N", help="Learn N images in place of whole epochs.")
@click.option(
    "--shift", type=int, metavar="PIXELS", help="Move training images by up to so many pixels at random."
)
@click.option(
    "--shift-share",
    type=float,
    metavar="SHARE",
    help="Move them in this share of the run, 0 to 1, and leave them where they are behind it.",
)
@click.option(
    "--crop",
    type=int,
    metavar="PIXELS",
    help="Show it the middle square of the images alone; 0: all of them.",
)
@click.option(
    "--held-out",
    type=int,
    metavar="N",
    help="Keep the last N images before the test for validation and learn all others; 0: the data set's own split.",
)
@click.option(
    "--learn-ticks",
    type=int,
    metavar="N",
    help="Show a training image for N ticks at the longest; 0: as long as the network shows any.",
)
@click.option(
    "--schedule",
    type=click.Choice(list(SCHEDULES)),
    help="How the learning rate falls over the run: in steps as eRBP's presets do, in a straight line, by half each "
    "fifth of the run, or not at all.",
)
@click.option("--stop-after", type=int, metavar="N", help="Stop early, after N images; --resume carries on.")
@click.option(
    "--evaluate-every", type=int, metavar="N", help="Infer validation images every N images learned."
)
@click.option(
    "--evaluate-images", type=int, metavar="N", help="Validation images of one evaluation; 0 for none."
)
@click.option("--evaluate-ticks", type=int, metavar="T", help="Longest presentation in an evaluation.")
@common.backend_option("model")
@common.lanes_option
@common.data_option
@click.option("--checkpoint", type=common.FILE, help="Where to keep the state of the run; default NAME.npz.")
@click.option(
    "--init",
    type=common.FILE,
    metavar="CHECKPOINT",
    help="Begin with the weights of another run, from its checkpoint.",
)
@click.option(
    "--resume", is_flag=True, help="Carry on from the checkpoint; with more --epochs or --images, for longer."
)
@click.option(
    "--overwrite", is_flag=True, help="Start over although there is a checkpoint; replace a report."
)
@click.option("--report", type=common.FILE, help="Write an HTML report at the end.")
@common.report_sample_option
@common.json_option
def train(**options: object) -> None:
    """Train a network, and keep the state of the run in a checkpoint.

    PRESET is one of 'erbium presets', FILE a description as 'erbium show PRESET --json' prints it. The same
    run gives the same weights on every backend, however often it was interrupted and resumed.
    """
    choices = Choices(**options)  # type: ignore[arg-type]
    backend_named(choices.backend)
    hardware = Hardware(lanes=choices.lanes)
    if choices.stop_after is not None:
        check_range("--stop-after", choices.stop_after, 1, MAX_IMAGES)
    if choices.resume and choices.overwrite:
        raise click.UsageError(common.RESUME_OR_OVERWRITE)
    if choices.resume and choices.init is not None:
        raise click.UsageError("--resume carries a run on and --init begins another one; give one of them")
    if choices.report is not None:
        check_free(choices.report, overwrite=choices.overwrite)
    # Before data is loaded or even fetched.
    if _named(choices) is None and not choices.resume:
        raise click.UsageError("name a network to train, such as erbp-mnist-200; 'erbium presets' lists them")
    dataset = datasets.load(choices.data, n_inputs=_inputs(choices))
    if dataset.notice:
        click.echo(dataset.notice, err=True)
    summary.check_sample_number(choices.report_sample, dataset)
    if choices.resume:
        _resume(choices, dataset, hardware)
    else:
        _start(choices, dataset, hardware)


def _start(choices: Choices, dataset: Dataset, hardware: Hardware) -> None:
    network, recipe, dataset = _described(choices, dataset)
    plan = _plan(choices, network, recipe, dataset)
    path = choices.checkpoint or Path(f"{network.name}.npz")
    check_free(path, overwrite=choices.overwrite, resume=True)
    first = None if choices.init is None else Checkpoint.load(choices.init)
    with checkpoint_lock(path), open_chip(network, choices.backend, hardware) as chip:
        if first is not None:
            _begin_with(chip, first, choices)
        _carry_on(Trainer(chip, dataset, plan), chip, path, choices, hardware)


def _begin_with(chip: Chip, first: Checkpoint, choices: Choices) -> None:
    """Load the weights of a checkpoint into a chip that is to learn something else."""
    try:
        chip.load(first.weights)
    except ChipError as error:
        raise CheckpointError(
            f"{choices.init} has the weights of {first.network.name!r} ({_sizes(first.network)}), which do not fit "
            f"{chip.network.name!r} ({_sizes(chip.network)}): {error}; name a checkpoint of the same sizes and widths"
        ) from None


def _sizes(network: Network) -> str:
    return "-".join(map(str, network.shape))


def _resume(choices: Choices, dataset: Dataset, hardware: Hardware) -> None:
    if choices.describes_a_run:
        raise CheckpointError(
            "the checkpoint decides network, seed, shift, crop, images held out, learning ticks, schedule and "
            "evaluations of a resumed run; leave these options out, or start another run without --resume"
        )
    named = _named(choices)
    path = choices.checkpoint
    if path is None:
        if named is None:
            raise click.UsageError("--resume needs to know what; name the file with --checkpoint FILE")
        path = Path(f"{named[0].name}.npz")
    with checkpoint_lock(path):
        _resume_from(path, choices, dataset, hardware, named)


def _resume_from(
    path: Path,
    choices: Choices,
    dataset: Dataset,
    hardware: Hardware,
    named: tuple[Network, Recipe] | None,
) -> None:
    saved = Checkpoint.load(path)
    if named is not None:
        saved.check_network(named[0], path)
    way_out = "name its data with --data, or start another run without --resume"
    dataset = saved.plan.recipe.view(dataset, way_out)
    saved.check_dataset(dataset, path, way_out)
    saved = _longer(saved, path, choices, len(dataset.train))
    with open_chip(saved.network, choices.backend, hardware) as chip:
        trainer = saved.resume(chip, dataset)
        click.echo(f"Resuming {path} at {saved.position:,} of {saved.plan.total:,} images.", err=True)
        _carry_on(trainer, chip, path, choices, hardware)


def _longer(saved: Checkpoint, path: Path, choices: Choices, n_train: int) -> Checkpoint:
    """Return the run with the length that the user asked for, if it is to go on for longer."""
    plan = saved.plan
    total = _length(choices, plan.recipe, n_train) if choices.sets_length else plan.total
    if total < max(saved.position, plan.total):
        raise CheckpointError(
            f"{path} is a run of {plan.total:,} images and has learned {saved.position:,} of them, and {total:,} were "
            "asked for; ask for more with --epochs or --images, or start another run without --resume"
        )
    if total == plan.total:
        return saved
    places = {place for place in plan.evaluate_at if place <= saved.position}
    places |= {place for place in usual_evaluations(total, n_train) if place > saved.position}
    epochs = plan.recipe.epochs if choices.epochs is None else choices.epochs
    longer = replace(
        plan, recipe=replace(plan.recipe, epochs=epochs), total=total, evaluate_at=tuple(sorted(places))
    )
    click.echo(
        f"The run of {plan.total:,} images goes on to {total:,}; the schedule of the learning rate spans all of them, "
        "from here on.",
        err=True,
    )
    return replace(saved, plan=longer)


def _length(choices: Choices, recipe: Recipe, n_train: int) -> int:
    """Return the images of the run that the options describe."""
    if choices.images is not None and choices.epochs is not None:
        raise click.UsageError(
            f"--images {choices.images} and --epochs {choices.epochs} both set the length; give one of them"
        )
    if choices.epochs is not None:
        recipe = replace(recipe, epochs=choices.epochs)
    total = recipe.epochs * n_train if choices.images is None else choices.images
    check_range("--images", total, 1, MAX_IMAGES)
    return total


def _inputs(choices: Choices) -> int | None:
    """Return the inputs of the network, if they are settled before the data is known."""
    if choices.hidden is not None or choices.crop:
        return None
    if choices.resume:
        path = choices.checkpoint
        return Checkpoint.load(path).network.n_inputs if path is not None and path.is_file() else None
    named = _named(choices)
    return None if named is None else named[0].n_inputs


def _named(choices: Choices) -> tuple[Network, Recipe] | None:
    """Return the network that the user named, as its description has it."""
    if choices.network is not None and choices.network_file is not None:
        raise click.UsageError(
            f"PRESET is {choices.network!r} and --network is '{choices.network_file}'; name one of them"
        )
    if choices.network_file is not None:
        found = common.network_file(choices.network_file)
    elif choices.network is not None:
        found = common.named_network(choices.network)
    elif choices.init is not None:
        first = Checkpoint.load(choices.init)
        return first.network, first.plan.recipe
    else:
        return None
    return found.network, found.recipe


def _described(choices: Choices, dataset: Dataset) -> tuple[Network, Recipe, Dataset]:
    """Return network and recipe with what the options change, and what the network sees of the data."""
    named = _named(choices)
    assert named is not None
    network, recipe = named
    if choices.crop is not None:
        recipe = replace(recipe, crop=choices.crop)
    if choices.held_out is not None:
        recipe = replace(recipe, held_out=choices.held_out)
    if choices.learn_ticks is not None:
        recipe = replace(recipe, learn_ticks=choices.learn_ticks)
    if choices.schedule is not None:
        recipe = replace(recipe, schedule=SCHEDULES[choices.schedule])
    dataset = recipe.view(dataset, "name larger data with --data, or set --crop and --held-out to suit it")
    if choices.hidden is not None:
        network = resized(network, choices.hidden, dataset.n_pixels, dataset.n_classes)
    if choices.seed is not None:
        network = replace(network, seed=choices.seed)
    if choices.epochs is not None:
        recipe = replace(recipe, epochs=choices.epochs)
    if choices.shift is not None:
        recipe = replace(recipe, shift=choices.shift)
    if choices.shift_share is not None:
        recipe = replace(recipe, shift_share=choices.shift_share)
    sizes = ",".join(map(str, network.shape[1:-1])) or "100"
    side = math.isqrt(network.n_inputs)
    fits = side * side == network.n_inputs and 0 < side < min(dataset.height, dataset.width)
    crop = f", the data to the network with --crop {side}" if fits else ""
    check_fits(
        network,
        dataset,
        f"fit the network to the data with --hidden {sizes}{crop}, or name other data with --data",
    )
    return network, recipe, dataset


def _plan(choices: Choices, network: Network, recipe: Recipe, dataset: Dataset) -> Plan:
    n_train = len(dataset.train)
    total = _length(choices, recipe, n_train)
    every = choices.evaluate_every
    if every is None:
        places = usual_evaluations(total, n_train)
    else:
        least = -(-total // MAX_EVALUATIONS)
        check_range("--evaluate-every", every, max(1, least), MAX_IMAGES, f" in a run of {total:,} images")
        places = tuple(sorted({*range(0, total, every), total}))
    fast = backend_named(choices.backend) == "model"
    n_images, ticks = choices.evaluate_images, choices.evaluate_ticks
    if n_images is None:
        n_images = len(dataset.validation) if fast else N_SLOW_VALIDATION
    if ticks is None:
        ticks = network.n_ticks if fast else evaluation_ticks(network, SLOW_TICKS)
    check_range("--evaluate-ticks", ticks, 1, network.n_ticks, ", the network's longest presentation")
    return Plan(recipe, total, places, n_images, ticks)


def _carry_on(trainer: Trainer, chip: Chip, path: Path, choices: Choices, hardware: Hardware) -> None:
    """Run to the end, or to where the user stops it, and leave a checkpoint either way."""
    errors = Console(stderr=True)
    trainer.keep_during = choices.report is not None
    _announce(trainer, errors)
    # The first one now: a place that cannot be written shows before the work and not after it.
    Checkpoint.of(trainer).save(path)
    saved = time.monotonic()
    with (
        Interruption() as stop,
        TrainingDisplay(errors, trainer.plan.total, chip.position) as display,
    ):
        for event in trainer.run(choices.stop_after):
            display.show(event)
            if stop.number:
                break
            if isinstance(event, Evaluated) or time.monotonic() - saved > SAVE_SECONDS:
                Checkpoint.of(trainer).save(path)
                saved = time.monotonic()
        Checkpoint.of(trainer).save(path)
    if chip.position < trainer.plan.total:
        text = (
            f"Stopped after {chip.position:,} of {trainer.plan.total:,} images; the checkpoint is {path}, to "
            f"carry on: {_resume_command(path, choices)}"
        )
        if choices.as_json:
            common.say_json(_facts(trainer, path, choices))
        if stop.number:
            raise StoppedError(text, stop.number)
        click.echo(text, err=choices.as_json)
        return
    _finish(trainer, chip, path, choices, hardware)


def _announce(trainer: Trainer, errors: Console) -> None:
    network, plan = trainer.chip.network, trainer.plan
    pixels = "pixel" if plan.recipe.shift == 1 else "pixels"
    shift = f", shifted by up to {plan.recipe.shift} {pixels}" if plan.recipe.shift else ""
    errors.print(
        f"{network.name} ({'-'.join(map(str, network.shape))}, digest {network.digest}, seed {network.seed}) "
        f"learns {plan.total:,} images of {trainer.dataset.name}{shift}.",
        soft_wrap=True,
        highlight=False,
    )


def _resume_command(path: Path, choices: Choices) -> str:
    words = ["erbium", "train", "--checkpoint", str(path), "--resume"]
    if choices.backend != "model":
        words += ["--backend", choices.backend, "--lanes", str(choices.lanes)]
    if choices.data is not None:
        words += ["--data", str(choices.data)]
    if choices.report is not None:
        words += ["--report", str(choices.report)]
    if choices.report_sample:
        words += ["--report-sample", str(choices.report_sample)]
    return shlex.join(words)


def _finish(trainer: Trainer, chip: Chip, path: Path, choices: Choices, hardware: Hardware) -> None:
    test = trainer.dataset.test
    n_images = len(test) if chip.backend == "model" else min(N_SLOW_TEST, len(test))
    before = chip.performance
    tested = summary.ask(chip, test, 0, n_images)
    answering = summary.effort(before, chip.performance, n_images)
    silent = silence(chip.network, chip.weights, test, n_images)
    error = f"test error {100 * tested.error:.2f} % of {tested.n_images:,}"
    click.echo(f"{silent.verdict(error, 'images')}; the checkpoint is {path}", err=choices.as_json)
    if choices.report is not None:
        from erbium.report import write_report

        record = summary.run_record(
            title=f"{chip.network.name} learns {trainer.dataset.name}",
            trainer=trainer,
            weights=chip.weights,
            backend=chip.backend,
            hardware=hardware if chip.backend == "rtl" else None,
            # A run that was resumed began with another command; its facts are on the page all the same.
            commands=[
                *([] if choices.resume else [choices.command()]),
                shlex.join(["erbium", "eval", str(path)]),
            ],
            tested=tested,
            decisions=summary.decisions(chip.network, chip.weights, test, n_images),
            answering=answering,
            sample=choices.report_sample,
            silence=silent,
        )
        write_report(choices.report, record)
        click.echo(f"the report is {choices.report}", err=choices.as_json)
    if choices.as_json:
        common.say_json(_facts(trainer, path, choices, tested, silent))
    common.tell_silence(silent)
    if code := silent.exit_code(chip.position, len(trainer.dataset.train)):
        sys.exit(code)


def _facts(
    trainer: Trainer,
    path: Path,
    choices: Choices,
    tested: summary.Answers | None = None,
    silent: Silence | None = None,
) -> dict[str, object]:
    """Return what ``--json`` prints."""
    return {
        **run_facts(trainer, path),
        "backend": backend_named(choices.backend),
        "report": None if choices.report is None or tested is None else str(choices.report),
        "test": test_facts(tested, silent),
    }
