# SPDX-License-Identifier: BSD-2-Clause
"""A run on a board, or on a simulated one: learn, test, compare with the model, and lose nothing."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from erbium import summary
from erbium.checkpoint import Checkpoint
from erbium.chip import Chip, open_chip
from erbium.exact import Lockstep, MismatchError, Verdict
from erbium.facts import comparison_facts, limit_facts, run_facts, test_facts
from erbium.fpga.driver_open import Target, open_board
from erbium.fpga.driver_resume import ResumingBoard
from erbium.fpga.transport import BoardLostError
from erbium.interrupt import Interruption, StoppedError
from erbium.limits import Limit
from erbium.progress import TrainingDisplay, doing
from erbium.silence import Silence, silence
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.network import Network
from erbium.tables import PlainTable
from erbium.train import Evaluated, Plan, Trainer

SAVE_SECONDS = 60.0
"""At least so long between two checkpoints."""

SAVE_SHARE = 20
"""And so many times as long as reading the weights back takes: on a slow line that is long."""


Tell = Callable[[dict[str, object]], None]


def _untold(facts: dict[str, object]) -> None:
    """Print nothing for programs."""


@dataclass(frozen=True)
class BoardRun:
    """What is to be done.

    Parameters
    ----------
    target : Target
    network : Network
    dataset : Dataset
        As the network sees it.
    plan : Plan
    n_test : int
        Test images that the board infers at the end.
    compare : bool
        Whether the model does the same beside it, and every integer is compared.
    path : Path
        The checkpoint.
    resume_command : tuple of str
        Words of the command line that carries on.
    wait : float
        Seconds to wait for a board that went away, to bring it back to where it stood.
    saved : Checkpoint, optional
        What to carry on from.
    """

    target: Target
    network: Network
    dataset: Dataset
    plan: Plan
    n_test: int
    compare: bool
    path: Path
    resume_command: tuple[str, ...]
    wait: float
    saved: Checkpoint | None = None

    def carry_out(self, console: Console, tell: Tell = _untold) -> int:
        """Do it, and return the exit code: 1 if the board and the model differ or nothing was answered, else 0.

        Parameters
        ----------
        console : Console
            Where to say what people are told.
        tell : callable
            Called with what ``--json`` prints, at the end of the run, where it was stopped, or where it differed.

        Raises
        ------
        StoppedError
            When the user stopped it; the checkpoint holds what was learned.
        BoardLostError
            When the board went away; the checkpoint holds what had been read back before.
        """
        if self.target.simulated:
            wait: AbstractContextManager[object] = doing(
                console, "Compiling the simulated board, unless the cache has it, which may take minutes."
            )
        else:
            wait = console.status("Opening the board.")
        with wait:
            board = ResumingBoard(partial(open_board, self.target, self.network), self.wait)
        with Chip(self.network, board, "sim" if self.target.simulated else "board") as chip:
            try:
                if not self.compare:
                    return self._work(chip, board, console, tell)
                with open_chip(self.network, "model") as model:
                    return self._work(chip, board, console, tell, model)
            except BoardLostError as error:
                raise BoardLostError(f"{error}; {self._rescue()}", error.n_done, error.results) from None

    def _work(
        self, chip: Chip, board: ResumingBoard, console: Console, tell: Tell, model: Chip | None = None
    ) -> int:
        trainer = self._trainer(chip, model)
        _say(console, self._announcement(chip, board))
        verdict = None
        try:
            self._learn(trainer, console)
            pair = trainer.chip
            if isinstance(pair, Lockstep):
                pair.verify()
            before = pair.performance
            with console.status("Testing."):
                answers = summary.ask(pair, self.dataset.test, 0, self.n_test) if self.n_test else None
            testing = summary.effort(before, pair.performance, self.n_test)
            if isinstance(pair, Lockstep):
                pair.verify()
                verdict = pair.verdict()
                _say(console, f"{verdict}, and every answer of learning and testing")
        except StoppedError:
            tell(self._facts(trainer, board))
            raise
        except MismatchError as mismatch:
            _say(console, f"{mismatch.verdict}\nfirst difference: {mismatch}")
            tell(self._facts(trainer, board, mismatch))
            return 1
        silent = None
        if answers is not None:
            silent = silence(self.network, trainer.chip.weights, self.dataset.test, self.n_test)
        limits = {
            "learning": self._limit(board, trainer.effort, trainer.n_learned),
            "testing": self._limit(board, testing, self.n_test),
        }
        known = {"test": test_facts(answers, silent), "limits": limit_facts(limits)}
        tell(self._facts(trainer, board, verdict) | known)
        _show(console, trainer, board, answers, silent, self.target.simulated)
        for work, limit in limits.items():
            if limit is not None:
                _say(console, limit.sentence(work.capitalize(), board.baud_rate, board.facts.clock_frequency))
        return 0 if silent is None else silent.exit_code(trainer.chip.position, len(self.dataset.train))

    def _limit(self, board: ResumingBoard, effort: Mapping[str, int], n_images: int) -> Limit | None:
        return Limit.of(effort, n_images, board.baud_rate, board.facts.clock_frequency)

    def _trainer(self, chip: Chip, model: Chip | None) -> Trainer:
        """Bring the board, and the model beside it, to where the run stands."""
        saved = self.saved
        if saved is not None:
            for each in (chip, model):
                if each is not None:
                    each.restore(saved.weights, saved.position, saved.counters)
        learner = chip if model is None else Lockstep(chip, model)
        if saved is None:
            return Trainer(learner, self.dataset, self.plan)
        return Trainer(learner, self.dataset, self.plan, curve=saved.curve, work=saved.work)

    def _learn(self, trainer: Trainer, console: Console) -> None:
        """Learn to the end, or to where the user stops it, and keep checkpoints."""
        saves = _Saves(trainer, self.path)
        position = trainer.chip.position
        with Interruption() as stop, TrainingDisplay(console, self.plan.total, position) as display:
            for event in trainer.run():
                display.show(event)
                if stop.number:
                    break
                saves.save_if_due(isinstance(event, Evaluated))
            saves.save()
        if trainer.chip.position < self.plan.total:
            raise StoppedError(
                f"Stopped after {trainer.chip.position:,} of {self.plan.total:,} images; {self._rescue()}",
                stop.number,
            )

    def _facts(
        self, trainer: Trainer, board: ResumingBoard, found: Verdict | MismatchError | None = None
    ) -> dict[str, object]:
        """Return what ``--json`` prints, all but the test."""
        return {
            **run_facts(trainer, self.path),
            "board": board.name,
            "simulated": self.target.simulated,
            "lanes": board.facts.lanes,
            "clock": board.facts.clock_frequency,
            "retries": board.retries,
            "resumed": board.resumed,
            "comparison": comparison_facts(found),
            "test": None,
            "limits": limit_facts({}),
        }

    def _rescue(self) -> str:
        """Say what is left of the run and how to carry on."""
        if not self.path.exists():
            return "there is no checkpoint yet, so start again"
        held = Checkpoint.load(self.path).position
        return (
            f"{self.path} holds the run after {held:,} images, to carry on: {shlex.join(self.resume_command)}"
        )

    def _announcement(self, chip: Chip, board: ResumingBoard) -> str:
        network, facts = self.network, board.facts
        start = f"carries on at {self.saved.position:,} of" if self.saved else "learns"
        return (
            f"{network.name} ({'-'.join(map(str, network.shape))}, digest {network.digest}) on {board.name}, "
            f"{facts.lanes} lanes at {facts.clock_frequency / 1e6:g} MHz, {start} {self.plan.total:,} images of "
            f"{self.dataset.name}{', beside the model' if self.compare else ''}."
        )


class _Saves:
    """Checkpoints at intervals.

    The first one is written now: a place that cannot be written shows before the work and not after it.
    """

    def __init__(self, trainer: Trainer, path: Path) -> None:
        self._trainer, self._path = trainer, path
        self.save()

    def save(self) -> None:
        """Write one."""
        start = time.monotonic()
        Checkpoint.of(self._trainer).save(self._path)
        now = time.monotonic()
        self._due = now + max(SAVE_SECONDS, SAVE_SHARE * (now - start))

    def save_if_due(self, after_evaluation: bool) -> None:
        """Write one if it is time, or after an evaluation if it is half time."""
        if time.monotonic() > self._due - (SAVE_SECONDS / 2 if after_evaluation else 0):
            self.save()


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)


def _show(
    console: Console,
    trainer: Trainer,
    board: ResumingBoard,
    answers: summary.Answers | None,
    silent: Silence | None,
    simulated: bool,
) -> None:
    table = PlainTable(show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column()
    if answers is not None:
        dead = silent is not None and silent.dead
        accuracy = "none" if dead else f"{100 * (1 - answers.error):.2f} %"
        table.add_row("accuracy", accuracy, f"of {answers.n_images:,} test images, inferred on the board")
    table.add_row("learned", f"{trainer.chip.position:,}", "images")
    measured = summary.performance(trainer)
    if measured.images_per_second is not None:
        where = " by the simulation; a board is much faster" if simulated else ""
        table.add_row("speed", f"{measured.images_per_second:,.1f}", f"images learned per second{where}")
    if measured.cycles_per_sample:
        if simulated:
            speed = board.facts.clock_frequency / measured.cycles_per_sample
            megahertz = board.facts.clock_frequency / 1e6
            table.add_row(
                "", f"{speed:,.0f}", f"images per second that the chip's cycles are at {megahertz:g} MHz"
            )
        table.add_row("cycles", f"{measured.cycles_per_sample:,.0f}", "per image learned")
    if measured.busy_share is not None:
        table.add_row("lanes busy", f"{100 * measured.busy_share:.1f} %", "of these cycles")
    table.add_row("retries", f"{board.retries:,}", "frames sent again")
    if board.resumed:
        again = f"times that the board went away and was brought back, {board.redone:,} samples done again"
        table.add_row("resumed", f"{board.resumed:,}", again)
    console.print(table, highlight=False)
    if silent is not None and (sentence := silent.sentence()):
        _say(console, sentence)
