# SPDX-License-Identifier: BSD-2-Clause
"""Writes data into the flash of a board, after its bitstream, by openFPGALoader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from erbium.fpga.boards import Board, flash_of
from erbium.fpga.flash import FLASH_SECONDS, load, loader_command

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
    load(board, command, 4 * FLASH_SECONDS)
