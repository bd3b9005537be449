# SPDX-License-Identifier: BSD-2-Clause
"""The programs that make and load bitstreams."""

from __future__ import annotations

import shutil
from pathlib import Path

from erbium.fpga.boards import Family
from erbium.sw_model.distribution import pip_install
from erbium.verif.programs import PATIENCE, Program
from erbium.verif.simulators import Tool, install_command, output_of, version_in
from erbium.verif.yosys import YOSYS


def _nextpnr(name: str, oldest: tuple[int, ...]) -> Program:
    package = f"yowasp-{name}"
    return Program(name, package, package, pip_install(package), "--version", oldest)


def _packer(name: str, script: str, nextpnr: Program, package: str) -> Program:
    return Program(name, package, script, pip_install(package), follows=nextpnr)


_ECP5, _ICE40 = _nextpnr("nextpnr-ecp5", (0, 7)), _nextpnr("nextpnr-ice40", (0, 7))
_GOWIN = _nextpnr("nextpnr-himbaechel-gowin", (0, 9))

PROGRAMS = {
    program.name: program
    for program in (
        YOSYS,
        _ECP5,
        _packer("ecppack", "yowasp-ecppack", _ECP5, _ECP5.package),
        _ICE40,
        _packer("icepack", "yowasp-icepack", _ICE40, _ICE40.package),
        _GOWIN,
        _packer("gowin_pack", "gowin_pack", _GOWIN, "apycula"),
        _packer("gowin_unpack", "gowin_unpack", _GOWIN, "apycula"),
        _packer("ecpunpack", "yowasp-ecpunpack", _ECP5, _ECP5.package),
        _packer("iceunpack", "yowasp-iceunpack", _ICE40, _ICE40.package),
    )
}

TOOLS: dict[Family, tuple[str, str, str]] = {
    "ecp5": ("yosys", "nextpnr-ecp5", "ecppack"),
    "ice40": ("yosys", "nextpnr-ice40", "icepack"),
    "gowin": ("yosys", "nextpnr-himbaechel-gowin", "gowin_pack"),
}
"""Programs that make a bitstream: synthesis, placing and routing, packing."""

LOADER = "openFPGALoader"
LOADER_PACKAGE = "openfpgaloader"


def find(name: str) -> Tool:
    """Find one of :data:`PROGRAMS`."""
    return PROGRAMS[name].find()


def find_loader() -> Tool:
    """Find openFPGALoader."""
    where = shutil.which(LOADER)
    if where is None:
        return Tool(LOADER, None, None, False, install_command(LOADER_PACKAGE))
    version = version_in(output_of(where, "--Version", seconds=PATIENCE), r"(\d+(?:\.\d+)+)")
    return Tool(LOADER, Path(where), version, True)
