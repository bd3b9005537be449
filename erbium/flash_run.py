# SPDX-License-Identifier: BSD-2-Clause
"""A run that a board does by itself, from its flash: started, watched, and compared with the model."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from erbium.checkpoint import Checkpoint
from erbium.chip import open_chip
from erbium.exact import Verdict, compare
from erbium.facts import comparison_facts
from erbium.fpga.driver_flash import FlashArray, FlashProgress
from erbium.fpga.driver_open import Target, open_flash
from erbium.fpga.transport import NoAnswerError
from erbium.gen.flash_image import FlashPass, FlashRun, play, read_image
from erbium.hdl.flash.layout import RunState
from erbium.progress import doing
from erbium.sw_model.constants import Array
from erbium.sw_model.network import Network
from erbium.tables import PlainTable

POLL_SECONDS, POLL_SIMULATED = 0.2, 0.002
"""Of the chip, between two looks at it."""

STILL_SECONDS = 3.0
"""Of the chip, for which a run may look the same: a sample, or the first weights, take a fraction of one."""


@dataclass(frozen=True)
class FlashWatch:
    """What is to be watched.

    Parameters
    ----------
    target : Target
    network : Network
    image : bytes, optional
        What was written into the flash; without it nothing is compared, and how much there is to do is not known. A
        simulated board holds it.
    write_command : str
        What writes the data.
    checkpoint : Path, optional
        Where to keep the weights.
    compare : bool
        Whether the model does the same, and every weight and counter is compared.
    """

    target: Target
    network: Network
    image: bytes | None
    write_command: str
    checkpoint: Path | None = None
    compare: bool = True

    def carry_out(self, console: Console, tell: Callable[[dict[str, object]], None]) -> int:
        """Start the run unless it is under way, watch it, and return the exit code: 1 if the model differs, else 0.

        Raises
        ------
        FlashFaultError
            If the chip stops at what it finds in the flash.
        NoAnswerError
            If the run does not go on.
        """
        wait: AbstractContextManager[object] = (
            doing(console, "Compiling the simulated board, unless the cache has it, which may take minutes.")
            if self.target.simulated
            else console.status("Opening the board.")
        )
        with wait:
            board = open_flash(self.target, self.network, self.image)
        try:
            before = board.progress()
            fresh = before.state is RunState.RESTS or before.ended
            counts = board.counts() if fresh else None
            board.start()
            progress = self._watch(board, console)
            board.check(progress, self.write_command)
            return self._finish(board, progress, counts, console, tell)
        finally:
            board.close()

    def _watch(self, board: FlashArray, console: Console) -> FlashProgress:
        """Look at the run until it is over."""
        seconds = POLL_SIMULATED if self.target.simulated else POLL_SECONDS
        before, still = None, 0.0
        with console.status("Learning from the flash.") as status:
            while True:
                board.wait(seconds)
                now = board.progress()
                if now.ended:
                    return now
                still = still + seconds if now == before else 0.0
                before = now
                if still > STILL_SECONDS:
                    raise NoAnswerError(
                        f"the run from the flash of {board.name} has stood still for {STILL_SECONDS:g} s in pass "
                        f"{now.number}, after {now.samples:,} samples of it; reset the board and start it again"
                    )
                status.update(
                    f"pass {now.number}, {now.state.name.lower()}: {now.samples:,} samples, {now.right:,} right"
                )

    def _finish(
        self,
        board: FlashArray,
        progress: FlashProgress,
        before: dict[str, int] | None,
        console: Console,
        tell: Callable[[dict[str, object]], None],
    ) -> int:
        run = None if self.image is None else read_image(self.image, self.network)
        weights = board.weights
        if self.checkpoint is not None:
            Checkpoint.untrained(self.network, weights).save(self.checkpoint)
        verdict = None
        tests = [] if run is None else [one for one in run.passes if not one.learn]
        learned = 0 if run is None else sum(one.count for one in run.passes if one.learn)
        clocks = board.learning_clocks
        if run is not None and self.compare:
            verdict = self._compare(board, run, weights, before, progress)
            console.print(str(verdict), highlight=False, soft_wrap=True, markup=False)
            if not verdict.equal:
                console.print(f"first difference: {verdict.first_difference}", highlight=False, markup=False)
        speed = None
        if clocks and learned:
            speed = board.facts.clock_frequency * learned / clocks
        tell(
            {
                "network": self.network.name,
                "digest": self.network.digest,
                "board": board.name,
                "simulated": self.target.simulated,
                "clock": board.facts.clock_frequency,
                "lanes": board.facts.lanes,
                "learned": learned or None,
                "right": progress.tested,
                "tested": tests[-1].count if tests else None,
                "clocks_per_image": clocks / learned if clocks and learned else None,
                "images_per_second": speed,
                "comparison": comparison_facts(verdict),
            }
        )
        _show(console, board, progress, tests, learned, speed)
        return 0 if verdict is None or verdict.equal else 1

    def _compare(
        self,
        board: FlashArray,
        run: FlashRun,
        weights: list[Array],
        before: dict[str, int] | None,
        progress: FlashProgress,
    ) -> Verdict:
        """Have the model do the same; the right answers of the last test count as a counter."""
        with open_chip(self.network, "model") as model:
            engine: Any = model.engine
            rights = play(run, engine)
            expected = dict(model.counters)
            counts = dict(expected)
            if before is not None:
                after = board.counts()
                counts = {name: after[name] - before[name] for name in after}
            tests = [right for right, one in zip(rights, run.passes, strict=True) if not one.learn]
            return compare(
                (weights, model.weights),
                (
                    counts | {"right answers of the last test": progress.tested},
                    expected | {"right answers of the last test": tests[-1] if tests else 0},
                ),
                (board.name, "model"),
            )


def _show(
    console: Console,
    board: FlashArray,
    progress: FlashProgress,
    tests: list[FlashPass],
    learned: int,
    speed: float | None,
) -> None:
    table = PlainTable(show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column()
    if tests:
        table.add_row(
            "accuracy",
            f"{100 * progress.tested / tests[-1].count:.2f} %",
            f"of {tests[-1].count:,} test images, counted by the chip",
        )
    else:
        table.add_row("right", f"{progress.tested:,}", "answers of the last test, counted by the chip")
    if learned:
        table.add_row("learned", f"{learned:,}", "images out of the flash")
    if speed is not None:
        megahertz = board.facts.clock_frequency / 1e6
        about = f"images learned per second, by the chip's clocks at {megahertz:g} MHz"
        table.add_row("speed", f"{speed:,.0f}", about)
    console.print(table, highlight=False)
