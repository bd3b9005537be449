# SPDX-License-Identifier: BSD-2-Clause
"""What a build looks like while it runs: a line for each stage with its time, a clock for the one that runs."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from erbium.fpga.report import Cycles
from erbium.progress import Display
from erbium.sw_model.network import Hardware, Network

CYCLES = "cycles per sample"


class BuildDisplay(Display):
    """Shows the stages of a build within ``with``; without a terminal only those that are done.

    Parameters
    ----------
    console : Console, optional
        By default standard error.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None

    def show(self, stage: str, seconds: float | None) -> None:
        """Show that a stage begins (None) or took so many seconds."""
        if seconds is None:
            self._task = self._progress.add_task(stage, total=None)
            return
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
        self._console.print(f"{stage:18} {seconds:8.1f} s", highlight=False)

    def timed(
        self, measure: Callable[[Network, Hardware], Cycles | None]
    ) -> Callable[[Network, Hardware], Cycles | None]:
        """Return `measure` as a stage."""

        def shown(network: Network, hardware: Hardware) -> Cycles | None:
            self.show(CYCLES, None)
            begin = time.monotonic()
            found = measure(network, hardware)
            self.show(CYCLES, time.monotonic() - begin)
            return found

        return shown
