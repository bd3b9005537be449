# SPDX-License-Identifier: BSD-2-Clause
"""What a synthesis makes of a component, as Verilog that the component's bench runs on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from amaranth.lib.wiring import Component

from erbium.gen.synthesis import PREPARATION
from erbium.gen.verilog import component_rtlil
from erbium.verif.files import locked
from erbium.verif.simulators import cell_names
from erbium.verif.yosys import cell_library, find_yosys, run_yosys

FamilyName = Literal["ecp5", "ice40"]


@dataclass(frozen=True)
class _Family:
    """How a family of FPGAs is synthesised for.

    Parameters
    ----------
    command : str
        Of Yosys.
    cells : str
        File of Yosys that says how the cells behave.
    macros : tuple of str
        What is to be defined for simulators that know Verilog-2005 only.
    """

    command: str
    cells: str
    macros: tuple[str, ...] = ()


FAMILIES: dict[FamilyName, _Family] = {
    "ecp5": _Family("synth_ecp5 -nodsp", "ecp5/cells_sim.v"),
    "ice40": _Family("synth_ice40 -device u", "ice40/cells_sim.v", ("NO_ICE40_DEFAULT_ASSIGNMENTS",)),
}
"""Families of FPGAs whose netlists can be simulated: ECP5, and iCE40 UltraPlus."""

_NAME = "netlist"


def netlist(component: Component, top: str, family: FamilyName, folder: Path) -> str:
    """Return the Verilog of what Yosys makes of a component, with the behaviour of the cells.

    Parameters
    ----------
    component : Component
    top : str
        Name of the top module.
    family : str
        One of :data:`FAMILIES`.
    folder : Path
        Where it is kept, with Yosys's script and log; it is made again if anything that decides about it changes.

    Returns
    -------
    str
        Cells of which Yosys has no behaviour are not in it, if ``verif/cells`` has:
        :func:`erbium.verif.simulators.cell_models` adds those.

    Raises
    ------
    ToolError
        When there is no Yosys, when it fails, or when nobody knows how one of the cells behaves.
    """
    version = find_yosys().version
    rtlil = component_rtlil(component, top)
    commands = (
        f"read_rtlil {_NAME}.il",
        *PREPARATION,
        f"{FAMILIES[family].command} -top {top}",
        f"write_verilog -noattr {_NAME}.v",
    )
    key = hashlib.sha256("\n".join([str(find_yosys().require()), str(version), *commands, rtlil]).encode())
    stamp = folder / "made"
    with locked(folder):
        if not stamp.exists() or stamp.read_text() != key.hexdigest():
            folder.mkdir(parents=True, exist_ok=True)
            stamp.unlink(missing_ok=True)
            (folder / f"{_NAME}.il").write_text(rtlil)
            run_yosys(commands, folder, _NAME)
            stamp.write_text(key.hexdigest())
        verilog = (folder / f"{_NAME}.v").read_text()
    macros = "".join(f"`define {name}\n" for name in FAMILIES[family].macros)
    return verilog + macros + cell_library(FAMILIES[family].cells, verilog, but=cell_names())
