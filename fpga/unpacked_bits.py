# SPDX-License-Identifier: BSD-2-Clause
"""What the unpacker of a family finds in a bitstream, beside what nextpnr has given to the packer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from erbium.fpga import tools
from erbium.fpga.boards import Board
from erbium.fpga.flow import NAME
from erbium.verif.environment import tool_environment
from erbium.verif.processes import run_within
from erbium.verif.simulators import ToolError

SECONDS = 1_800.0


class Bits(NamedTuple):
    """A comparison.

    Members
    -------
    compared : bits of an iCE40 that are 1, bytes of an ECP5's bitstream
    differing : where they differ
    """

    compared: int
    differing: list[str]


def compare(board: Board, folder: Path) -> Bits:
    """Unpack the bitstream in a folder, and compare it with what nextpnr has given to the packer.

    Of an iCE40 that is bit by bit. What nextpnr writes for an ECP5 has settings that cost no bit, and the unpacker
    knows other names for some: so what it finds is packed again, and has to give the same bitstream.

    Raises
    ------
    ToolError
        When the unpacker is missing or fails, or for a family without one.
    """
    match board.family:
        case "ice40":
            _run(folder, "iceunpack", f"{NAME}.bin", "unpacked.asc")
            mine, other = (set(_asc(folder / name)) for name in (f"{NAME}.asc", "unpacked.asc"))
            return Bits(len(mine), sorted(f"{tile}: {setting}" for tile, setting in mine ^ other))
        case "ecp5":
            _run(folder, "ecpunpack", "--input", f"{NAME}.bit", "--textcfg", "unpacked.config")
            _run(folder, "ecppack", "--compress", "--input", "unpacked.config", "--bit", "repacked.bit")
            given, again = ((folder / name).read_bytes() for name in (f"{NAME}.bit", "repacked.bit"))
            places = [f"byte {k}" for k, (a, b) in enumerate(zip(given, again, strict=False)) if a != b]
            return Bits(len(given), places + ["length"] * (len(given) != len(again)))
        case _:
            raise ToolError(f"the bits of the {board.title} are read back as logic, not as settings")


def _run(folder: Path, name: str, *arguments: str) -> None:
    done = run_within(SECONDS, [tools.find(name).require(), *arguments], folder, tool_environment())
    if done.returncode:
        said = (done.stdout + done.stderr)[-500:]
        raise ToolError(f"{name} stopped with exit code {done.returncode}: {said}")


def _asc(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the bits of an iCE40 that are 1, by tile, line and place; a memory of zeros may be left out."""
    tile, line = "", 0
    for text in path.read_text().splitlines():
        if text.startswith("."):
            tile, line = ("" if text.startswith((".sym", ".comment")) else text), 0
            if text.startswith((".device", ".extra_bit")):
                yield text.split()[0], text
        elif tile and text:
            digits = f"{int(text, 16):0{4 * len(text)}b}" if tile.startswith(".ram_data") else text
            yield from (
                (tile, f"line {line}, bit {place}") for place, digit in enumerate(digits) if digit == "1"
            )
            line += 1
