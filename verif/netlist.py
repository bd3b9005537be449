# SPDX-License-Identifier: BSD-2-Clause
"""What a synthesis makes of a component, as Verilog that the component's bench runs on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from amaranth.lib.wiring import Component

from erbium.gen.synthesis import HARD_PRODUCTS, PREPARATION
from erbium.gen.verilog import component_rtlil
from erbium.verif.files import locked
from erbium.verif.simulators import cell_models, cell_names
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
    preparation : tuple of str
        Commands before that one, besides those of all families.
    macros : tuple of str
        What is to be defined for simulators that know Verilog-2005 only.
    checked : tuple of str, optional
        A cell of which ``verif/cells`` has a stricter form, and the name of that form.
    """

    command: str
    cells: str
    preparation: tuple[str, ...] = ()
    macros: tuple[str, ...] = ()
    checked: tuple[str, str] | None = None


FAMILIES: dict[FamilyName, _Family] = {
    "ecp5": _Family("synth_ecp5 -nodsp", "ecp5/cells_sim.v", HARD_PRODUCTS),
    "ice40": _Family(
        "synth_ice40 -device u",
        "ice40/cells_sim.v",
        macros=("NO_ICE40_DEFAULT_ASSIGNMENTS",),
        checked=("SB_RAM40_4K", "CHECKED_RAM40_4K"),
    ),
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
    version, chosen = find_yosys().version, FAMILIES[family]
    rtlil = component_rtlil(component, top)
    commands = [f"read_rtlil {_NAME}.il", *PREPARATION, *chosen.preparation, f"{chosen.command} -top {top}"]
    if chosen.checked:
        commands.append("chtype -set {1} t:{0}".format(*chosen.checked))
    commands.append(f"write_verilog -noattr {_NAME}.v")
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
    own = "".join(path.read_text() for path in cell_models(verilog))
    macros = "".join(f"`define {name}\n" for name in chosen.macros)
    return verilog + macros + cell_library(chosen.cells, verilog + own, but=cell_names())
