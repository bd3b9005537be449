# SPDX-License-Identifier: BSD-2-Clause
"""Writes data into the flash of a board, behind its bitstream, by openFPGALoader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from erbium.fpga.boards import Board, flash_of
from erbium.fpga.flash import FLASH_SECONDS, loader_command
from erbium.verif.processes import run_within
from erbium.verif.simulators import ToolError

DEFAULT_FOLDER = Path("build/flash")


def file_of(board: Board, network: str) -> Path:
    """Return where the data for a board and a network are, unless the user says otherwise."""
    return DEFAULT_FOLDER / board.name / f"{network}.bin"


def write_data(
    board: Board,
    file: Path,
    *,
    usb: str | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> None:
    """Write a file of data into the flash of a board, from the address on at which its chip looks for them.

    Parameters
    ----------
    board : Board
    file : Path
    usb : str, optional
        USB bus and device of the board, such as ``001:010``; default is the only one that may be it.
    tell : callable
        Told what was found.

    Raises
    ------
    ToolError
        If openFPGALoader is not there or fails, it cannot program the board, or no such board is plugged in, or more
        than one.
    DescriptionError
        If nothing is known of the flash of the board.
    """
    memory = flash_of(board)
    command = loader_command(board, file, usb, tell)
    command += ["--write-flash", "--offset", str(memory.data_at), str(file)]
    # What is erased and written takes longer than a bitstream.
    done = run_within(4 * FLASH_SECONDS, command)
    if done.returncode:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        says = lines[-1].rstrip(".") if lines else "nothing"
        raise ToolError(
            f"openFPGALoader stopped with exit code {done.returncode} and says: {says}; check that {board.title} is "
            "plugged in and that you may use its USB device"
        )
