# SPDX-License-Identifier: BSD-2-Clause
"""Builds the bitstream of a network, or of a core, for a board, with a report; writes all of it or nothing."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from erbium.fpga import flow, placement
from erbium.fpga.boards import CORE, Board
from erbium.fpga.budgets import breaches
from erbium.fpga.clock import clock_of
from erbium.fpga.core_plan import core_of
from erbium.fpga.design import chip, core_chip
from erbium.fpga.planner import plan
from erbium.fpga.report import REPORT, TEXT, BuildReport, Cycles, megahertz
from erbium.fpga.top import BoardTop
from erbium.gen.export import weights_digest
from erbium.hdl.chip import ErbiumChip
from erbium.hdl.core.chip import ErbiumCore
from erbium.hdl.weight_words import LayerWeights, holds_contents
from erbium.sw_model.description.machine import CoreHardware, core_digest
from erbium.sw_model.distribution import version
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.programs import DescriptionError, check_range
from erbium.sw_model.temporary import temporary_folder
from erbium.verif.simulators import ToolError

DEFAULT_FOLDER = Path("build/boards")
FAILED_REPORT, FAILED_TEXT, FAILED_LOG = "failed.json", "failed.txt", "failed.log"
"""Report of a build that is not to be used, or the log of one that failed; the good one from before stays beside it."""

SYNTHESIS_LOG, PLACER_LOG = "yosys.log", "nextpnr.log"
MHZ = 1_000_000

SEEDS = (1, 2, 3)
"""Seeds of the placer, tried one after the other: what is reached moves by a tenth from one to the next."""

MeasureCycles = Callable[[Network, Hardware], Cycles | None]


@dataclass(frozen=True)
class BuildRequest:
    """What to build.

    Parameters
    ----------
    board : Board
    network : Network, optional
        Default: none, but the core of the board, into which any network is loaded.
    lanes : int, optional
        Of an array; default: what the planner says.
    clock : int, optional
        In Hz; default: that of the board, or of the network on it.
    baud_rate : int, optional
        Default: the board's.
    seed : int, optional
        Of the placer; default: the first of :data:`SEEDS` with which the clock is met.
    output : Path, optional
        Folder; default: ``build/boards/BOARD/NETWORK``.
    weights : sequence, optional
        What the synapse memories hold once the board is configured, where they can: see :func:`without_weights`.
    named : str
        What the user called the network, for the command; default: its name.
    from_flash : bool
        Whether the chip learns from the flash of the board, too.
    """

    board: Board
    network: Network | None
    lanes: int | None = None
    clock: int | None = None
    baud_rate: int | None = None
    seed: int | None = None
    output: Path | None = None
    weights: Sequence[LayerWeights] | None = None
    named: str = ""
    from_flash: bool = False

    def __post_init__(self) -> None:
        if self.seed is not None:
            check_range("--seed", self.seed, 0, (1 << 31) - 1)
        if self.clock is not None:
            check_range("--clock", self.clock, 1 * MHZ, 400 * MHZ, " Hz")
        if self.baud_rate is not None:
            check_range("--baud", self.baud_rate, 9_600, 12_000_000)

    @property
    def folder(self) -> Path:
        """Where the files go."""
        return self.output or folder_of(self.board, self.name)

    @property
    def name(self) -> str:
        """What the bitstream is of."""
        return CORE if self.network is None else self.network.name

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the placer that may be tried."""
        return SEEDS if self.seed is None else (self.seed,)

    @property
    def command(self) -> str:
        """The command line that asks for it."""
        words = ["erbium", "build", self.board.name, self.named or self.name]
        if self.lanes is not None:
            words += ["--lanes", str(self.lanes)]
        if self.clock is not None:
            words += ["--clock", f"{self.clock / MHZ:g}"]
        if self.baud_rate is not None:
            words += ["--baud", str(self.baud_rate)]
        if self.seed is not None:
            words += ["--seed", str(self.seed)]
        words += ["--from-flash"] if self.from_flash else []
        return shlex.join(words)


def folder_of(board: Board, preset: str) -> Path:
    """Return where the bitstream of a preset is, unless the user says otherwise."""
    return DEFAULT_FOLDER / board.name / preset


def build(
    request: BuildRequest,
    progress: flow.Progress = lambda stage, seconds: None,
    measure_cycles: MeasureCycles = lambda network, hardware: None,
) -> BuildReport:
    """Build a bitstream.

    Parameters
    ----------
    request : BuildRequest
    progress : callable
        Is told each stage and how long it took.
    measure_cycles : callable
        Says what a sample takes, for the images per second of the report.

    Returns
    -------
    BuildReport
        If it is `ok`, the bitstream and the report are in the folder. If not, its `problems` say why, and only the
        report is there, as ``failed.json``.

    Raises
    ------
    DescriptionError
        If the network does not fit, or the clock or the baud rate cannot be had.
    ToolError
        If a program is missing or fails; then its log is in the folder, as ``failed.log``.
    """
    subject = _subject(request)
    versions = flow.check_tools(request.board)
    target = request.clock or request.board.clock_for(request.name, subject.lanes)
    clock = clock_of(request.board, target)
    folder = request.folder
    # Beside the target, so that what is finished is only renamed.
    with temporary_folder(folder.parent, ".building-") as work:
        cycles = None
        if request.network is not None and isinstance(subject.hardware, Hardware):
            cycles = measure_cycles(request.network, subject.hardware)
        prepared = _timed("elaboration", progress, lambda: _prepare(request, subject, target))
        try:
            seconds, reached = flow.run(prepared[0], work, progress, request.seeds)
        except ToolError:
            _keep_logs(work, folder)
            raise
        seconds = {"elaboration": prepared[1]} | seconds
        report = _report(request, subject, clock, versions, seconds, reached, work)
        report = replace(report, cycles=cycles)
        report = replace(report, problems=tuple(_problems(report)))
        _hand_over(report, work, folder)
    return report


def _keep_logs(work: Path, folder: Path) -> None:
    """Keep what the programs wrote down before one of them failed."""
    folder.mkdir(parents=True, exist_ok=True)
    logs = [work / name for name in flow.LOGS.values() if (work / name).is_file()]
    (folder / FAILED_LOG).write_bytes(b"".join(log.read_bytes() for log in logs))


def without_weights(report: BuildReport) -> list[int]:
    """Return the layers, counted from 1, whose memories could not be given the weights of a build."""
    memories = report.hardware["layer_memories"] if report.weights else []
    return [number for number, kind in enumerate(memories, 1) if not holds_contents(kind)]


def _timed(stage: str, progress: flow.Progress, work: Callable[[], flow.Flow]) -> tuple[flow.Flow, float]:
    progress(stage, None)
    begin = time.monotonic()
    result = work()
    seconds = round(time.monotonic() - begin, 1)
    progress(stage, seconds)
    return result, seconds


@dataclass(frozen=True)
class _Subject:
    """What is built: its digest, shape and lanes, and how large it is."""

    digest: str
    shape: tuple[int, ...]
    lanes: int
    hardware: Hardware | CoreHardware


def _subject(request: BuildRequest) -> _Subject:
    """Plan what is to be built; ``DescriptionError`` if it does not fit."""
    if request.network is None:
        hardware = core_of(request.board)
        return _Subject(core_digest(hardware), (), hardware.lanes, hardware)
    planned = plan(request.board, request.network, request.lanes, from_flash=request.from_flash).require()
    return _Subject(request.network.digest, request.network.shape, planned.lanes, planned.hardware)


def _prepare(request: BuildRequest, subject: _Subject, target: int) -> flow.Flow:
    board = request.board
    clock = clock_of(board, target)
    try:
        baud_rate = request.baud_rate or board.baud_rate
        core: ErbiumChip | ErbiumCore
        if request.network is not None and isinstance(subject.hardware, Hardware):
            core = chip(
                board,
                request.network,
                subject.hardware,
                clock,
                baud_rate,
                request.weights,
                from_flash=request.from_flash,
            )
        else:
            core = core_chip(board, clock, baud_rate)
    except ValueError as error:
        raise DescriptionError(f"{error}; choose another --baud or --clock") from None
    top = BoardTop(board, core, target)
    return flow.prepare(
        board,
        top,
        clock,
        crowded=request.network is None,
        strained=board.own_clock(request.name, subject.lanes) is not None,
    )


def _report(
    request: BuildRequest,
    subject: _Subject,
    clock: int,
    versions: dict[str, str],
    seconds: dict[str, float],
    reached: tuple[float, ...],
    work: Path,
) -> BuildReport:
    """Read what the programs left in the folder."""
    board = request.board
    placed = json.loads((work / flow.PLACER_REPORT).read_text())
    log = (work / flow.PLACER_LOG).read_text(errors="replace")
    bitstream = (work / flow.BITSTREAMS[board.family]).read_bytes()
    return BuildReport(
        board=board.name,
        title=board.title,
        device=board.device.name,
        preset=request.name,
        digest=subject.digest,
        shape=subject.shape,
        hardware=json.loads(json.dumps(asdict(subject.hardware))),
        lanes=subject.lanes,
        clock=clock,
        baud_rate=request.baud_rate or board.baud_rate,
        buffer_bytes=board.buffer_bytes,
        seed=request.seeds[len(reached) - 1],
        reached=reached,
        timing=placement.timing_of(placed),
        uses=placement.uses_of(board.family, placed, log),
        seconds=seconds,
        tools=versions,
        bitstream=flow.BITSTREAMS[board.family],
        bitstream_bytes=len(bitstream),
        bitstream_sha256=hashlib.sha256(bitstream).hexdigest(),
        command=request.command,
        weights="" if request.weights is None else weights_digest(request.weights),
        version=version(),
        from_flash=request.from_flash,
    )


def _problems(report: BuildReport) -> list[str]:
    """Return why a build is not to be used."""
    timing = report.timing
    problems = []
    if not timing.met:
        problems.append(
            f"{timing.constraint:g} MHz were asked for and {_listed(report.reached)} MHz reached, on the path from "
            f"{timing.begin} to {timing.end}; try another --seed, a lower --clock or fewer --lanes"
        )
    return problems + breaches(report)


def _listed(reached: Sequence[float]) -> str:
    """Return what was reached with one seed after the other."""
    *others, last = map(megahertz, reached)
    return f"{', '.join(others)} and {last}" if others else last


def _hand_over(report: BuildReport, work: Path, folder: Path) -> None:
    """Move what is finished to where it belongs, the report last."""
    folder.mkdir(parents=True, exist_ok=True)
    text, data = (TEXT, REPORT) if report.ok else (FAILED_TEXT, FAILED_REPORT)
    (work / text).write_text(report.to_text(), encoding="utf-8")
    (work / data).write_text(report.to_json(), encoding="utf-8")
    names = {text: text, flow.LOGS["synthesis"]: SYNTHESIS_LOG, flow.LOGS["place and route"]: PLACER_LOG}
    if report.ok:
        # A report belongs to its bitstream: there is none while there are two halves.
        (folder / REPORT).unlink(missing_ok=True)
        names[report.bitstream] = report.bitstream
        for stale in (FAILED_REPORT, FAILED_TEXT, FAILED_LOG):
            (folder / stale).unlink(missing_ok=True)
    for name, target in {**names, data: data}.items():
        shutil.move(work / name, folder / target)
