# SPDX-License-Identifier: BSD-2-Clause
"""Bitstreams: for each board and preset frequency, size and images per second, as the tools report them.

Each is built as by ``erbium build``, into the same folder. A large one takes about a quarter of an hour.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from types import FrameType

from erbium.bench.display import Display
from erbium.bench.request import Request
from erbium.bench.result import Row
from erbium.bench.work import Advance, Task, carry_out
from erbium.cycles import measure_cycles
from erbium.fpga.boards import BOARDS, CORE, board
from erbium.fpga.build import DEFAULT_FOLDER, BuildRequest, build
from erbium.fpga.flow import STAGES
from erbium.fpga.report import BuildReport, read_report
from erbium.gen.presets import PRESETS, preset

MHZ = 1_000_000

FIGURES = (
    ("ulx3s-85f", "erbp-mnist-200"),
    ("ulx3s-85f", "first-spike-mnist-24x24-640"),
    ("ecpix5-85f", "erbp-mnist-200"),
    ("ulx3s-25f", "erbp-mnist-100"),
    ("icesugar-pro-25f", "erbp-mnist-100"),
    ("colorlight-5a75b-25f", "erbp-mnist-100"),
    ("icebreaker", "erbp-mnist-160"),
    ("icebreaker", "first-spike-mnist-20x20-320"),
    ("icesugar", "erbp-mnist-160"),
    ("tang-nano-9k", "erbp-digits"),
)
"""Board and preset of each bitstream that is published."""

SPEEDS = {
    ("ulx3s-85f", "erbp-mnist-200"): 94_000,
    ("ulx3s-85f", "first-spike-mnist-24x24-640"): 94_000,
}
"""Images a second that a bitstream is to learn, after an epoch of MNIST."""

QUICK_FIGURES = (("ulx3s-25f", "tiny"),)

COLUMNS = ("LUTs", "flip-flops", "block RAMs", "SPRAMs")


def measure(request: Request, display: Display) -> list[Row]:
    """Build every bitstream."""
    figures = QUICK_FIGURES if request.quick else FIGURES
    ids = {figure: row_ids(request, *figure) for figure in figures}
    selected = request.select(identity for of_figure in ids.values() for identity in of_figure)
    wanted = [figure for figure in figures if selected & set(ids[figure])]
    tasks = [Task(" ".join(figure), len(STAGES) + 1, run, (*figure, request.data)) for figure in wanted]
    reports = carry_out(tasks, request.n_processes, display)
    rows = []
    for figure, report in zip(wanted, reports, strict=True):
        rows += [row for row in _rows(ids[figure], SPEEDS.get(figure), request, report) if row.id in selected]
    return rows


def run(advance: Advance, board_name: str, preset_name: str, data: Path | None) -> BuildReport:
    """Build one bitstream."""

    def progress(stage: str, seconds: float | None) -> None:
        if seconds is not None:
            advance(1)

    # A process that is told to end takes the program that it runs along, and what it has half written.
    signal.signal(signal.SIGTERM, _end)
    request = BuildRequest(board(board_name), preset(preset_name).network)
    return build(request, progress, partial(measure_cycles, data=data))


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def row_ids(request: Request, board_name: str, preset_name: str) -> tuple[str, str]:
    """Return the ids of a bitstream's rows: the routed clock, and images learned per second at the clock asked for."""
    clock, speed = (
        request.id(f"{board_name}/{preset_name}", name) for name in ("fmax", "training-images-per-s")
    )
    return clock, speed


def _rows(
    ids: tuple[str, str], wanted_speed: float | None, request: Request, report: BuildReport
) -> list[Row]:
    clock, speed = ids
    columns = {name: _use(report, name) for name in COLUMNS}
    speeds = report.speeds()
    columns |= {name: f"{value:,.0f}" for name, value in speeds.items()}
    extra = {
        "board": report.board,
        "preset": report.preset,
        "lanes": report.lanes,
        "clock": report.clock,
        "uses": {name: use.used for name, use in report.uses.items()},
        "images_per_second": {name: round(value, 1) for name, value in speeds.items()},
        "problems": list(report.problems),
        "build": report.command,
        "quick": request.quick,
    }
    # What the clock was asked for: a build that is over its budget has missed it, too.
    asked = report.timing.constraint if report.ok else float("inf")
    rows = [
        Row(clock, report.timing.fmax, "MHz", request.command(clock), asked, "at least", extra, columns),
    ]
    if speeds:
        # A clock that was not reached carries no image.
        value = round(speeds["training"], 1) if report.ok else 0.0
        command = request.command(speed)
        rows.append(Row(speed, value, "images/s", command, wanted_speed, "at least", extra, columns))
    return rows


def _use(report: BuildReport, name: str) -> str:
    use = report.uses[name]
    return f"{use.used:,} ({100 * use.used / use.available:.0f} %)" if use.available else ""


def reports_in(folder: Path = DEFAULT_FOLDER) -> list[BuildReport]:
    """Return the reports of all bitstreams below a folder, in the order of boards and presets."""
    found = [read_report(folder / name / network) for name in BOARDS for network in (*PRESETS, CORE)]
    return [report for report in found if report is not None]


def markdown(reports: Iterable[BuildReport]) -> str:
    """Return the table of the documentation; each row names the command that makes it."""
    lines = [
        "| board | preset | lanes | clock (reached) | LUTs | flip-flops | block RAMs | images/s learned, inferred "
        "| serial port, images/s | built in | command |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for report in reports:
        speeds = report.speeds()
        memory = _use(report, "block RAMs")
        if report.uses["SPRAMs"].used:
            memory += f" + {report.uses['SPRAMs'].used} SPRAM"
        pair = f"{speeds['training']:,.0f}, {speeds['inference']:,.0f}" if speeds else ""
        link = f"{speeds['serial_port']:,.0f}" if speeds else ""
        clock = f"{report.clock / MHZ:g} MHz ({report.timing.fmax:.1f})"
        cells = (
            report.title,
            report.preset,
            str(report.lanes),
            clock,
            _use(report, "LUTs"),
            _use(report, "flip-flops"),
            memory,
            pair,
            link,
            f"{sum(report.seconds.values()) / 60:.1f} min",
            f"`{report.command}`",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
