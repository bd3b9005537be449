# SPDX-License-Identifier: BSD-2-Clause
"""Amaranth's platform of each board, with what the packages get wrong put right."""

from __future__ import annotations

import importlib
from typing import Any

from amaranth.build import Attrs, Pins, PinsN, Resource, Subsignal
from amaranth.vendor import GowinPlatform, LatticePlatform, SiliconBluePlatform

from erbium.fpga.boards import Board, FlashMemory
from erbium.fpga.tools import TOOLS

GOWIN_COMMANDS = [
    *GowinPlatform._apicula_command_templates[:1],
    # Amaranth calls the nextpnr-gowin of old, which nobody ships any more.
    r"""
    {{invoke_tool("nextpnr-himbaechel-gowin")}}
        {{quiet("--quiet")}}
        {{get_override("nextpnr_opts")|options}}
        --log {{name}}.tim
        --device {{platform.part}}
        --vopt family={{platform._chipdb_device}}
        --vopt cst={{name}}.cst
        --json {{name}}.syn.json
        --write {{name}}.pnr.json
    """,
    *GowinPlatform._apicula_command_templates[2:],
]

FLASH = "flash_with_data"
"""Resource that a chip learns from."""

_FAMILIES = {"ecp5": LatticePlatform, "ice40": SiliconBluePlatform, "gowin": GowinPlatform}

_TOOLCHAINS = {"ecp5": "Trellis", "ice40": "IceStorm", "gowin": "Apicula"}


def platform_of(board: Board) -> Any:
    """Return a fresh platform of a board; one platform makes one bitstream.

    Raises
    ------
    ModuleNotFoundError
        Without amaranth-boards, which is in the extra ``fpga``.
    """
    module, name = board.platform.split(":")
    described: Any = getattr(importlib.import_module(module), name)
    changes: dict[str, Any] = {"required_tools": list(TOOLS[board.family])}
    if board.family == "gowin":
        changes["command_templates"] = GOWIN_COMMANDS
    platform = type(name, (described,), changes)(toolchain=_TOOLCHAINS[board.family])
    assert isinstance(platform, _FAMILIES[board.family])
    if hasattr(platform, "break_off_pmod"):
        platform.add_resources(platform.break_off_pmod)
    if board.flash is not None:
        platform.add_resources([_flash_of(board, board.flash)])
    return platform


def _flash_of(board: Board, flash: FlashMemory) -> Resource:
    """Return the flash as a resource; those of the packages give its pins one direction each, or no clock."""
    kind = Attrs(IO_TYPE="LVCMOS33") if board.family == "ecp5" else Attrs(IO_STANDARD="SB_LVCMOS")
    pins = [
        Subsignal("select", PinsN(flash.select, dir="o")),
        Subsignal("data", Pins(" ".join(flash.data), dir="io")),
    ]
    if flash.high:
        pins.append(Subsignal("high", Pins(" ".join(flash.high), dir="o")))
    if flash.clock:
        pins.append(Subsignal("clock", Pins(flash.clock, dir="o")))
    return Resource(FLASH, 0, *pins, kind)
