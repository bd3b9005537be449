# SPDX-License-Identifier: BSD-2-Clause
"""The demo: a chip that does not exist learns handwritten digits, and proves that it did.

The generated Verilog learns, the model learns the same images beside it, and at the end every weight and
every counter of the two is compared.
"""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from rich.console import Console

from erbium import summary
from erbium.chip import Chip, backend_named, open_chip
from erbium.exact import Lockstep, MismatchError, Verdict
from erbium.gen.presets import PRESETS, Preset, preset
from erbium.gen.resize import resized
from erbium.interrupt import Interruption, StoppedError
from erbium.progress import TrainingDisplay, doing
from erbium.report import Decisions
from erbium.silence import Silence, silence
from erbium.sw_model import datasets
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.network import Hardware, Network
from erbium.tables import PlainTable
from erbium.train import Evaluated, Plan, Trainer, check_fits, evaluation_ticks

PRESET, DIGITS_PRESET = "erbp-mnist-200", "erbp-digits"
FITTING = {64: DIGITS_PRESET, 16: "tiny"}
"""Presets for the data of so many pixels; :data:`PRESET` for all others."""

N_IMAGES = 10_000
N_VALIDATION, VALIDATION_TICKS = 256, 8
"""An evaluation on the way: enough to see the accuracy grow, and a small share of the time."""

N_CHIP_TEST = 1_000
"""Test images that the chip answers itself; the model, which by then is known to be equal, answers all."""

Opener = Callable[[Network, str, Hardware], Chip]


@dataclass(frozen=True)
class Options:
    """What the user may choose; see ``erbium demo --help``."""

    preset: str | None = None
    images: int = N_IMAGES
    seed: int | None = None
    hardware: Hardware = field(default_factory=Hardware)
    backend: str = "rtl"
    data: Path | None = None
    report: Path | None = None
    stop_after: int | None = None
    hidden: tuple[int, ...] | None = None
    report_sample: int = 0

    def command(self, stop_after: int | None = None) -> str:
        """Return the command line that does the same."""
        words = ["erbium", "demo", "--images", str(self.images)]
        if self.preset is not None:
            words += ["--preset", self.preset]
        if self.hidden is not None:
            words += ["--hidden", ",".join(map(str, self.hidden))]
        if self.seed is not None:
            words += ["--seed", str(self.seed)]
        if self.backend != "rtl":
            words += ["--backend", self.backend]
        words += ["--lanes", str(self.hardware.lanes)]
        if self.data is not None:
            words += ["--data", str(self.data)]
        if self.report_sample:
            words += ["--report-sample", str(self.report_sample)]
        end = self.stop_after if stop_after is None else stop_after
        if end is not None:
            words += ["--stop-after", str(end)]
        return shlex.join(words)


def evaluate_at(total: int) -> tuple[int, ...]:
    """Return when to ask for the accuracy: soon, because most is learned at first, then every tenth."""
    early = (place for place in (0, 100, 200, 500) if place < total)
    return tuple(sorted({*early, *(-(-total * tenth // 10) for tenth in range(1, 11))}))


def choose(options: Options, dataset: Dataset) -> tuple[Network, Dataset, Plan]:
    """Return the network for a data set, what it sees of that, and how it is trained."""
    # The digits stand in where MNIST cannot be had, or are asked for; so does their network, unless one was named.
    name = options.preset or FITTING.get(dataset.n_pixels, PRESET)
    chosen = preset(name)
    way_out = _way_out(options, chosen, dataset)
    dataset = chosen.recipe.view(dataset, way_out)
    network = chosen.network
    if options.hidden is not None:
        network = resized(network, options.hidden, dataset.n_pixels, dataset.n_classes)
    if options.seed is not None:
        network = replace(network, seed=options.seed)
    check_fits(network, dataset, way_out)
    plan = Plan(
        recipe=chosen.recipe,
        total=options.images,
        evaluate_at=evaluate_at(options.images),
        n_evaluate=N_VALIDATION,
        n_ticks=evaluation_ticks(network, VALIDATION_TICKS),
    )
    return network, dataset, plan


def _way_out(options: Options, chosen: Preset, dataset: Dataset) -> str:
    """Say what to do where network and data do not go together."""
    sizes = ",".join(map(str, options.hidden or chosen.network.shape[1:-1]))
    fitting = [
        name
        for name, item in PRESETS.items()
        if not item.recipe.crop
        and item.network.n_inputs == dataset.n_pixels
        and item.network.n_classes >= dataset.n_classes
    ]
    others = f", or another --preset: {', '.join(fitting)}" if fitting else ""
    return f"fit the network to the data with --hidden {sizes}, name other data with --data{others}"


def run(options: Options, console: Console, opener: Opener = open_chip) -> int:
    """Run the demo and return its exit code: 1 if the chip and the model differ or nothing was answered, else 0.

    Parameters
    ----------
    options : Options
    console : Console
        Where to show it.
    opener : callable
        What opens the chips; a test gives one of its own.

    Raises
    ------
    StoppedError
        When the user stopped it.
    """
    backend_named(options.backend)
    if options.preset is not None:
        # A name that is none is refused before data is loaded or even fetched.
        preset(options.preset)
    dataset = datasets.load(options.data)
    if dataset.notice:
        _say(console, dataset.notice)
    network, dataset, plan = choose(options, dataset)
    summary.check_sample_number(options.report_sample, dataset)
    shape = "-".join(map(str, network.shape))
    _say(
        console,
        f"{network.name} ({shape}, digest {network.digest}) learns {dataset.name} from {dataset.source}.",
    )
    chip, model = _open_both(options, network, console, opener)
    with chip, model:
        pair = Lockstep(chip, model)
        trainer = Trainer(pair, dataset, plan)
        trainer.keep_during = options.report is not None
        try:
            _learn(trainer, pair, options, console)
            pair.verify()
            before = chip.performance
            verdict, answers, chip_answers = _examine(pair, dataset, console)
        except MismatchError as mismatch:
            _say(console, f"{mismatch.verdict}\nfirst difference: {mismatch}")
            _say(console, f"to repeat it: {options.command(mismatch.position)}")
            return 1
        _say(console, _comparison(verdict, options, pair))
        decisions = summary.decisions(network, model.weights, dataset.test, answers.n_images)
        silent = silence(network, model.weights, dataset.test, answers.n_images)
        _show(console, trainer, options, answers, chip_answers, decisions, silent)
        if options.report is not None:
            record = summary.run_record(
                title=f"Erbium demo: {network.name} learns {dataset.name}",
                trainer=trainer,
                weights=chip.weights,
                backend=chip.backend,
                hardware=options.hardware if chip.backend == "rtl" else None,
                commands=[options.command()],
                tested=answers,
                decisions=decisions,
                silence=silent,
                verdict=verdict if chip.backend != model.backend else None,
                answering=summary.effort(before, chip.performance, chip_answers.n_images),
                sample=options.report_sample,
            )
            from erbium.report import write_report

            write_report(options.report, record)
            _say(console, f"The report is in {options.report}.")
        if sentence := silent.sentence():
            _say(console, sentence)
    if not verdict.equal:
        return 1
    return silent.exit_code(pair.position, len(dataset.train))


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)


def _open_both(options: Options, network: Network, console: Console, opener: Opener) -> tuple[Chip, Chip]:
    """Open the chip and the model. Both may have to be compiled: at the same time, if so."""
    model = opener(network, "model", options.hardware)
    warm = threading.Thread(target=_warm_up, args=(network, opener), daemon=True)
    warm.start()
    with doing(
        console, "Building the chip, which may take minutes; the next time it comes out of the cache."
    ):
        chip = opener(network, options.backend, options.hardware)
        warm.join()
    return chip, model


def _warm_up(network: Network, opener: Opener) -> None:
    """Have the model's compiled path compiled, on a chip of its own: nothing of it may count."""
    with opener(network, "model", Hardware()) as chip:
        blank = np.zeros((1, network.n_inputs), dtype=np.uint8)
        chip.learn(blank, np.zeros(1, dtype=np.int64))


def _learn(trainer: Trainer, pair: Lockstep, options: Options, console: Console) -> None:
    with Interruption() as stop, TrainingDisplay(console, trainer.plan.total) as display:
        for event in trainer.run(options.stop_after):
            display.show(event)
            if isinstance(event, Evaluated):
                pair.verify()
            if stop.number:
                break
    if stop.number:
        raise StoppedError(
            f"Stopped after {pair.position:,} images, {pair.verdict()}; the demo starts from the beginning "
            "each time, 'erbium train' carries on.",
            stop.number,
        )


def _examine(
    pair: Lockstep, dataset: Dataset, console: Console
) -> tuple[Verdict, summary.Answers, summary.Answers]:
    """Test chip and model; compare them. Returns the verdict, all answers, and those that the chip gave."""
    n_images = len(dataset.test)
    n_chip = min(N_CHIP_TEST, n_images)
    with console.status("Testing."):
        chip_answers = summary.ask(pair, dataset.test, 0, n_chip)
        verdict = pair.verdict()
        answers = chip_answers
        if n_chip < n_images:
            answers = answers + summary.ask(pair.model, dataset.test, n_chip, n_images)
    return verdict, answers, chip_answers


def _comparison(verdict: Verdict, options: Options, pair: Lockstep) -> str:
    if pair.chip.backend == pair.model.backend:
        return "Nothing was compared: the model is the definition; '--backend rtl' compares the chip with it."
    if verdict.equal:
        return str(verdict)
    return f"{verdict}\nfirst difference: {verdict.first_difference}\nto repeat it: {options.command()}"


def _show(
    console: Console,
    trainer: Trainer,
    options: Options,
    answers: summary.Answers,
    chip_answers: summary.Answers,
    decisions: Decisions | None,
    silent: Silence,
) -> None:
    network = trainer.chip.network
    table = PlainTable(show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column()

    def row(name: str, value: str, note: str = "") -> None:
        table.add_row(name, value, note)

    who = (
        ""
        if answers.n_images == chip_answers.n_images
        else f", {chip_answers.n_images:,} of them on the chip too"
    )
    error = "none" if silent.dead else f"{100 * answers.error:.2f} %"
    row("test error", error, f"of {answers.n_images:,} images{who}")
    if silent.n_without_answer:
        row("no answer", f"{silent.n_without_answer:,}", "images of these: no output neuron spiked")
    row("learned", f"{trainer.chip.position:,}", "images; of each, on average:")
    for name, value in summary.work_per_image(network, trainer.work, learning=True):
        row("", value, name)
    row("tested", f"{chip_answers.n_images:,}", "images on the chip; of each, on average:")
    for name, value in summary.work_per_image(network, chip_answers.work, learning=False):
        row("", value, name)
    if decisions is not None:
        row("decided", f"{decisions.n_samples:,}", "images; of each, on average:")
        for name, value in summary.decision_facts(network, decisions):
            row("", value, name)
    measured = summary.performance(trainer)
    if measured.cycles_per_sample is not None:
        row("cycles", f"{measured.cycles_per_sample:,.0f}", "per image learned")
    if measured.busy_share is not None:
        # A board has the lanes that it was built with.
        lanes = f", {options.hardware.lanes} lanes" if backend_named(options.backend) == "rtl" else ""
        row("lanes busy", f"{100 * measured.busy_share:.1f} %", f"of these cycles{lanes}")
    if measured.images_per_second is not None:
        simulated = options.backend == "rtl" or options.backend.startswith("sim:")
        by = " by the simulation" if simulated else ""
        row("speed", f"{measured.images_per_second:,.0f}", f"images learned per second{by}")
    console.print(table, highlight=False)
