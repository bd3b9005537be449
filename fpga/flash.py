# SPDX-License-Identifier: BSD-2-Clause
"""Programs a board with a bitstream that was built, by openFPGALoader."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from erbium.fpga.boards import CORE, Board
from erbium.fpga.core_plan import core_of
from erbium.fpga.probes import choose, scan
from erbium.fpga.report import BuildReport, read_report
from erbium.fpga.tools import find_loader
from erbium.sw_model.description.machine import core_digest
from erbium.sw_model.network import Network
from erbium.verif.processes import run_within
from erbium.verif.simulators import ToolError

FLASH_SECONDS = 300.0
"""How long openFPGALoader may take: some times as long as the largest flash memory takes to write."""


def flash(
    board: Board,
    network: Network | None,
    folder: Path,
    *,
    permanent: bool = False,
    usb: str | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> BuildReport:
    """Load the bitstream of a folder into a board.

    Parameters
    ----------
    board : Board
    network : Network, optional
        What the bitstream has to be of; without it, of the core of the board.
    folder : Path
        Where ``erbium build`` put it.
    permanent : bool
        Whether it goes into the board's flash memory, where it outlives the power.
    usb : str, optional
        USB bus and device of the board, such as ``001:010``; default is the only one that may be it.
    tell : callable
        Told what was found.

    Returns
    -------
    BuildReport
        Of the bitstream.

    Raises
    ------
    ToolError
        If there is no bitstream of this network, openFPGALoader is not there or fails, it cannot program the board, or
        no such board is plugged in, or more than one.
    """
    report = _bitstream(board, network, folder)
    file = folder / report.bitstream
    command = loader_command(board, file, usb, tell)
    # An iCE40 board is programmed through its flash memory in any case.
    if permanent and board.family != "ice40":
        command.append("--write-flash")
    load(board, [*command, str(file)], FLASH_SECONDS)
    return report


def load(board: Board, command: list[str], seconds: float) -> None:
    """Call openFPGALoader for a board, for so long at most.

    Raises
    ------
    ToolError
        If it fails, or takes longer.
    """
    done = run_within(seconds, command)
    if done.returncode:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        says = lines[-1].rstrip(".") if lines else "nothing"
        raise ToolError(
            f"openFPGALoader stopped with exit code {done.returncode} and says: {says}; check that {board.title} is "
            "plugged in and that you may use its USB device"
        )


def loader_command(board: Board, file: Path, usb: str | None, tell: Callable[[str], None]) -> list[str]:
    """Return how openFPGALoader is called for a board, but for what it is to do; see :func:`flash` for the errors."""
    if not board.loader:
        raise ToolError(f"openFPGALoader cannot program {board.title}; {board.by_hand}; the file is {file}")
    loader = find_loader().require()
    command = [str(loader), *board.loader]
    probes = scan(loader)
    if probes is not None:
        probe = choose(board, probes, usb)
        tell(f"found {probe.about} at USB {probe.place}")
        usb = probe.place
    if usb is not None:
        command += ["--busdev-num", usb]
    return command


def _bitstream(board: Board, network: Network | None, folder: Path) -> BuildReport:
    """Return the report of the bitstream in a folder, or say why there is none to load."""
    name, digest = (CORE, core_digest(core_of(board))) if network is None else (network.name, network.digest)
    build = f"'erbium build {board.name} {name}'"
    try:
        report = read_report(folder)
    except ValueError as error:
        raise ToolError(f"{error}; build it again with {build}") from None
    if report is None or not (folder / report.bitstream).is_file():
        raise ToolError(f"{folder} holds no bitstream; build it with {build}")
    if report.board != board.name:
        raise ToolError(
            f"the bitstream in {folder} is for {report.board} and not for {board.name}; use {build}"
        )
    if report.digest != digest:
        what = "network" if report.shape else "core"
        raise ToolError(
            f"the bitstream in {folder} is of a {what} with digest {report.digest} and {name} has {digest}; build it "
            f"again with {build}"
        )
    if hashlib.sha256((folder / report.bitstream).read_bytes()).hexdigest() != report.bitstream_sha256:
        raise ToolError(
            f"the bitstream in {folder} was changed since it was built; build it again with {build}"
        )
    return report
