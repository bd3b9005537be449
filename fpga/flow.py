# SPDX-License-Identifier: BSD-2-Clause
"""Runs the programs that turn a design into a bitstream, one after the other, in one folder."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from erbium.fpga import tools
from erbium.fpga.boards import Board, Family
from erbium.fpga.placement import timing_of
from erbium.fpga.platforms import platform_of
from erbium.gen.synthesis import HARD_PRODUCTS, MARKS_ARE_THERE, PREPARATION, SHORT_MEMORIES_OF_LOGIC
from erbium.verif.environment import environment, tool_environment
from erbium.verif.simulators import ToolError

NAME = "erbium"
"""Of the design, and of its files."""

BITSTREAMS: dict[Family, str] = {"ecp5": f"{NAME}.bit", "ice40": f"{NAME}.bin", "gowin": f"{NAME}.fs"}
STAGE_SECONDS = 4 * 3_600
"""How long a stage may take: some placements never come to an end."""

STUCK_ROUNDS, LOOK_SECONDS = 80, 5.0
"""A router is given up which takes out the same nets again and again, as it does for a thousand rounds and more where
the clock cannot be met: after so many rounds in each of which something was too late. How often that is looked at."""

SILENT_SECONDS = 1_800
"""A placer is given up, too, which does not find places for the last cells: when its log has not grown for so long."""

STAGES = ("synthesis", "place and route", "packing")
PLACER_REPORT, PLACER_LOG = "nextpnr.json", f"{NAME}.tim"
LOGS = {"synthesis": f"{NAME}.rpt", "place and route": PLACER_LOG}

_ECP5_FLIP_FLOPS = (
    "-cell $_DFF_?_ 01 -cell $_DFF_?P?_ r -cell $_SDFF_?P?_ r "
    "-cell $_DFFE_??_ 01 -cell $_DFFE_?P??_ r -cell $_SDFFE_?P??_ r"
)
_FEW_CONTROL_SETS = (
    f"synth_ecp5 -nodsp -top {NAME} -run begin:map_ffs",
    f"dfflegalize -minsrst 64 -mince 8 {_ECP5_FLIP_FLOPS}",
)
"""The eight flip-flops of a tile share two resets and two enables. Yosys finds hundreds of resets for a few flip-flops
each in clamped values: that takes neurons apart, and costs more time on the way than the logic would."""

LOGIC_SHARE = 0.4
"""Share of a clock that a chain of look-up tables may take where a synthesis is to save them. Their way to each other
takes the rest: abc9 counts 0.3 ns for each, and a full FPGA three times as much."""

_SYNTHESIS_OPTIONS: dict[Family, str] = {"ecp5": "-nodsp -run map_ffs:", "ice40": "", "gowin": ""}
_PREPARATION: dict[Family, tuple[str, ...]] = {
    "ecp5": (
        *MARKS_ARE_THERE,
        *PREPARATION,
        *HARD_PRODUCTS,
        *SHORT_MEMORIES_OF_LOGIC,
        *_FEW_CONTROL_SETS,
    ),
    "ice40": (*MARKS_ARE_THERE, *PREPARATION),
    "gowin": (*MARKS_ARE_THERE, *PREPARATION),
}
_RIPUP = "--tmg-ripup"
# The other router takes tens of minutes for what this one does in five. Without the last option it leaves single nets
# of a large design on ways of up to 15 ns: with it a clock of 70 MHz becomes one of 79 MHz.
_PLACER_OPTIONS: dict[Family, tuple[str, ...]] = {
    "ecp5": ("--router", "router2", _RIPUP),
    "ice40": (),
    "gowin": (),
}
_STRAINED_OPTIONS: dict[Family, tuple[str, ...]] = {
    "ecp5": ("--placer", "static"),
    "ice40": (),
    "gowin": (),
}
"""For a clock near what the chip can: cells are placed like charges that repel each other. On a large design wires are
a quarter shorter, and 78 MHz become 84; a small one may be laid out for tens of minutes."""

_CROWDED_OPTIONS: dict[Family, tuple[str, ...]] = {
    "ecp5": ("--placer", "static", "--router", "router1"),
    "ice40": (),
    "gowin": (),
}
"""For a design whose wires meet in a part of the chip: the faster router comes down to a thousand wires that are used
twice, and from there on makes more of them. This one takes about 20 minutes, and comes to an end."""

Progress = Callable[[str, float | None], None]
"""Is told each stage when it begins (None) and when it is done (seconds)."""


@dataclass(frozen=True)
class Flow:
    """The commands that make a bitstream.

    Attributes
    ----------
    board : Board
    files : dict of str
        What has to be in the folder, by name.
    commands : tuple of tuple of str
        One for each of :data:`STAGES`.
    """

    board: Board
    files: dict[str, str | bytes]
    commands: tuple[tuple[str, ...], ...]


def check_tools(board: Board) -> dict[str, str]:
    """Return the versions of the programs that a board's bitstream takes.

    Raises
    ------
    ToolError
        If one is missing or too old.
    """
    found = {name: tools.find(name) for name in tools.TOOLS[board.family]}
    for tool in found.values():
        tool.require()
    return {name: tool.version or "unknown" for name, tool in found.items()}


def _saving(board: Board, clock: int) -> tuple[str, ...]:
    """Return what tells abc9 how much time logic has: without it, it makes all of it as fast as it can.

    It knows delays in picoseconds of an ECP5 only.
    """
    return (f"scratchpad -set abc9.D {round(LOGIC_SHARE * 1e12 / clock)}",) if board.family == "ecp5" else ()


def prepare(board: Board, design: Any, clock: int, *, crowded: bool = False, strained: bool = False) -> Flow:
    """Elaborate a design for a board; nothing is run yet.

    Parameters
    ----------
    board : Board
    design : Elaboratable
        The top, with the array at ``chip.array``.
    clock : int
        Frequency in Hz that the design has to reach.
    crowded : bool
        The design is large, its longest paths are few, and its wires are many: logic that has time is made small and
        not fast, and wires are laid by the router that takes more time.
    strained : bool
        The clock is near what the chip can.
    """
    usual = _PLACER_OPTIONS[board.family] + (_STRAINED_OPTIONS[board.family] if strained else ())
    options = [
        "--report",
        PLACER_REPORT,
        "--freq",
        f"{clock / 1e6:g}",
        "--timing-allow-fail",
        *(_CROWDED_OPTIONS[board.family] if crowded else usual),
    ]
    # Amaranth takes options from variables such as AMARANTH_synth_opts, and those before the ones given here.
    with environment(tool_environment()):
        plan = platform_of(board).prepare(
            design,
            NAME,
            # Where a line stands in the sources says nothing to who reads a bitstream's report.
            emit_src=False,
            script_after_read="\n".join(
                (*_PREPARATION[board.family], *(_saving(board, clock) if crowded else ()))
            ),
            synth_opts=_SYNTHESIS_OPTIONS[board.family],
            nextpnr_opts=" ".join(options),
        )
    commands = json.loads(plan.files[f"build_{NAME}.json"])["commands"]
    return Flow(board, dict(plan.files), tuple(tuple(command) for command in commands))


def run(
    flow: Flow, folder: Path, progress: Progress, seeds: Sequence[int]
) -> tuple[dict[str, float], tuple[float, ...]]:
    """Carry a flow out in a folder, which has to be there.

    Parameters
    ----------
    flow : Flow
    folder : Path
    progress : callable
    seeds : sequence of int
        Of the placer, at least one. The next one is tried where the clock is missed.

    Returns
    -------
    dict of float
        Seconds of each stage.
    tuple of float
        MHz reached with each seed that was tried, 0 where the router was given up; the files are those of the last one.

    Raises
    ------
    ToolError
        If a program is missing or fails, with what it complained of.

    Notes
    -----
    Whatever stops this function stops the program that runs, too.
    """
    for name, content in flow.files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    seconds, reached = {}, []
    for stage, command in zip(STAGES, flow.commands, strict=True):
        progress(stage, None)
        begin = time.monotonic()
        if stage == "place and route":
            for seed in seeds:
                placer = (*command, "--seed", str(seed))
                # What another seed has left there says nothing about this one.
                (folder / PLACER_LOG).unlink(missing_ok=True)
                if not _run(stage, placer, folder, lambda: is_stuck(folder / PLACER_LOG)):
                    if seed != seeds[-1]:
                        reached.append(0.0)
                        continue
                    # So that there is a report of what is too slow.
                    _run(stage, tuple(word for word in placer if word != _RIPUP), folder)
                timing = timing_of(json.loads((folder / PLACER_REPORT).read_text()))
                reached.append(timing.fmax)
                if timing.met:
                    break
        else:
            _run(stage, command, folder)
        seconds[stage] = round(time.monotonic() - begin, 1)
        progress(stage, seconds[stage])
    return seconds, tuple(reached)


def is_stuck(log: Path) -> bool:
    """Return whether the router that writes a log has taken out nets in vain for :data:`STUCK_ROUNDS` rounds.

    Or nothing at all has been written for :data:`SILENT_SECONDS`.
    """
    if not log.exists():
        return False
    if time.time() - log.stat().st_mtime > SILENT_SECONDS:
        return True
    text = log.read_text(errors="replace")
    late = [int(count) for count in re.findall(r"^.*\biter=\d+ .*\btmgfail=(\d+)", text, re.MULTILINE)]
    return len(late) >= STUCK_ROUNDS and all(late[-STUCK_ROUNDS:])


def _run(
    stage: str, command: Sequence[str], folder: Path, given_up: Callable[[], bool] = lambda: False
) -> bool:
    """Run one program. It gets relative paths only: in WebAssembly it sees no other ones everywhere.

    Return whether it came to an end, or was given up.
    """
    name, *arguments = command
    program = tools.find(name).require()
    output = folder / f"{name}.out"
    with open(output, "wb") as file:
        process = subprocess.Popen(
            [str(program), *arguments],
            cwd=folder,
            # What it puts down for a while goes with the folder, even if nobody is left to remove it.
            env=tool_environment() | {"TMPDIR": str(folder.absolute())},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
        try:
            code = _wait(process, given_up)
        except subprocess.TimeoutExpired:
            raise ToolError(
                f"{stage} was stopped after {STAGE_SECONDS / 3_600:g} h without an end; ask for fewer --lanes, another "
                "--seed or a smaller network"
            ) from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if code is None:
        return False
    if code:
        complaint = _complaint(output.read_text(errors="replace"))
        raise ToolError(f"{stage} failed: {name} says: {complaint}{_way_out(complaint)}")
    return True


def _wait(process: subprocess.Popen[bytes], given_up: Callable[[], bool]) -> int | None:
    """Wait for a program, :data:`STAGE_SECONDS` at most; return its exit code, or None once it is given up."""
    end = time.monotonic() + STAGE_SECONDS
    while (left := end - time.monotonic()) > 0:
        try:
            return process.wait(timeout=min(left, LOOK_SECONDS))
        except subprocess.TimeoutExpired:
            if given_up():
                return None
    raise subprocess.TimeoutExpired(process.args, STAGE_SECONDS)


def _complaint(text: str) -> str:
    """Return the line in which a program says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.upper().startswith("ERROR")]
    return (errors or lines or ["nothing"])[-1].rstrip(".")


def _way_out(complaint: str) -> str:
    """Return what to do about a complaint, if that is known."""
    if "no BELs remaining" in complaint or "Unable to find a placement" in complaint:
        return "; the design is too large, ask for fewer --lanes or a smaller network"
    return ""
