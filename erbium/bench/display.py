# SPDX-License-Identifier: BSD-2-Clause
"""What a bench looks like while it runs."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType

from rich.console import Console
from rich.progress import TaskID

from erbium.progress import ProgressDisplay


class Display(ProgressDisplay):
    """Shows a bar for each task that is under way, and a line for each that is done.

    Without a terminal there are the lines alone.

    Parameters
    ----------
    console : Console, optional
        By default nothing is shown.
    """

    def __init__(self, console: Console | None = None) -> None:
        super().__init__(console or Console(quiet=True))

    def say(self, text: str) -> None:
        """Print a line."""
        self._progress.console.print(text, highlight=False, soft_wrap=True, markup=False)

    def start(self, name: str, total: int | None) -> TaskID:
        """Show the bar of a task of `total` steps; None if nobody knows how many."""
        return self._progress.add_task(name, total=total)

    def advance(self, task: TaskID, steps: int) -> None:
        """Show that `steps` more are done."""
        self._progress.advance(task, steps)

    def end(self, task: TaskID) -> None:
        """Take the bar away."""
        self._progress.remove_task(task)

    def during(self, name: str) -> AbstractContextManager[None]:
        """Show `name` while something is done that has no steps."""
        return _During(self, name)


class _During(AbstractContextManager[None]):
    def __init__(self, display: Display, name: str) -> None:
        self._display, self._name = display, name

    def __enter__(self) -> None:
        self._task = self._display.start(self._name, None)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._display.end(self._task)
