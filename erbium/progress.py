# SPDX-License-Identifier: BSD-2-Clause
"""What a run looks like while it runs: a progress bar with the latest accuracy, and a line per evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from erbium.train import Evaluated, Evaluating, Event, Learned


@contextmanager
def doing(console: Console, what: str) -> Iterator[None]:
    """Show on a terminal what takes long, while it does; what has to be compiled says so by itself, everywhere."""
    if console.is_terminal:
        with console.status(what):
            yield
    else:
        yield


class _Rate(ProgressColumn):
    """Images per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} images/s")


class Display:
    """Something of rich that is there within ``with``."""

    _progress: Progress

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


class ProgressDisplay(Display):
    """Bars of rich that are there within ``with`` and only on a terminal; without one, lines alone are shown.

    Parameters
    ----------
    console : Console
    *columns : str or ProgressColumn
        What a bar consists of; a description stands before them, the time that remains behind them.
    """

    def __init__(self, console: Console, *columns: str | ProgressColumn) -> None:
        self.console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            *columns,
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )


class TrainingDisplay(ProgressDisplay):
    """Shows the events of a run. Without a terminal there is no bar, only the lines.

    Parameters
    ----------
    console : Console
    total : int
        Images of the whole run.
    position : int
        Images learned before.
    """

    def __init__(self, console: Console, total: int, position: int = 0) -> None:
        super().__init__(console, _Rate(), TextColumn("{task.fields[accuracy]}"))
        self._task = self._progress.add_task("starting", total=total, completed=position, accuracy="")

    def show(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Learned(position=position):
                self._progress.update(self._task, completed=position, description="learning")
            case Evaluating():
                self._progress.update(self._task, description="checking")
            case Evaluated(point=point, dead=dead):
                accuracy = 100 * (1 - point.error)
                self._progress.update(
                    self._task, accuracy="no answers" if dead else f"{accuracy:.1f} % right"
                )
                found = (
                    f"no answer, as no {dead} neuron spiked in any of {point.n_images:,} validation images"
                    if dead
                    else f"{accuracy:5.1f} % right of {point.n_images:,} validation images"
                )
                self.console.print(
                    f"{point.position:>11,} images learned: {found}", highlight=False, soft_wrap=True
                )
