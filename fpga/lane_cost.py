# SPDX-License-Identifier: BSD-2-Clause
"""What a lane costs: the logic of a group of lanes alone, as Yosys makes it for an ECP5.

``python -m erbium.fpga.lane_cost`` prints it for the first layer of ``erbp-mnist-200`` with 64 lanes on a ULX3S 85F,
and fails if it is more than :data:`MOST`.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from amaranth.lib.wiring import Component

from erbium.fpga.boards import board
from erbium.fpga.planner import plan
from erbium.gen.presets import preset
from erbium.gen.synthesis import PREPARATION
from erbium.gen.verilog import component_rtlil
from erbium.hdl.lane_group import LaneGroup
from erbium.hdl.plan import LayerPlan
from erbium.sw_model.temporary import temporary_folder
from erbium.verif.yosys import run_yosys

BOARD, PRESET, LANES = "ulx3s-85f", "erbp-mnist-200", 64

MOST = 125.0
"""LUTs of a lane at most, a tenth more than it takes."""


@dataclass(frozen=True)
class LaneCost:
    """The cells of a group of lanes.

    Parameters
    ----------
    lanes, units : int
        Of the group: lanes, and the neuron units that serve them.
    luts, carries, ffs, rams : int
        LUT4, CCU2C (each takes the place of two), TRELLIS_FF, and TRELLIS_DPR16X4, which are not counted as logic.
    """

    lanes: int
    units: int
    luts: int
    carries: int
    ffs: int
    rams: int

    @property
    def luts_per_lane(self) -> float:
        """LUTs of a lane, those of the carry chains and its share of the neuron units among them."""
        return (self.luts + 2 * self.carries) / self.lanes


def ecp5_cells(part: Component, name: str, folder: Path) -> dict[str, int]:
    """Synthesize a part of the array by itself for an ECP5; return how many cells of each kind it takes.

    Raises
    ------
    ToolError
        Without Yosys, or if it fails; its log is in the folder.
    """
    (folder / f"{name}.il").write_text(component_rtlil(part, name))
    script = [
        f"read_rtlil {name}.il",
        *PREPARATION,
        f"synth_ecp5 -nodsp -top {name}",
        "tee -o cells.txt stat",
    ]
    run_yosys(script, folder, name)
    found = re.findall(r"^\s*(\d+)\s+([A-Z]\w+)\s*$", (folder / "cells.txt").read_text(), re.MULTILINE)
    return {kind: int(count) for count, kind in found}


def lane_cost(layer: LayerPlan, folder: Path) -> LaneCost:
    """Synthesize the first group of lanes of a layer, which takes half a minute.

    Raises
    ------
    ToolError
        Without Yosys, or if it fails; its log is in the folder.
    """
    group = LaneGroup(layer, layer.groups[0])
    cells = ecp5_cells(group, "lanes", folder)
    counts = (cells.get(name, 0) for name in ("LUT4", "CCU2C", "TRELLIS_FF", "TRELLIS_DPR16X4"))
    return LaneCost(group.lanes, group.units, *counts)


def main() -> int:
    """Print what a lane costs; return 1 if that is more than it may be."""
    network = preset(PRESET).network
    layer = LayerPlan(network, 0, plan(board(BOARD), network, LANES).hardware)
    with temporary_folder(Path.cwd(), "lane-cost-") as folder:
        cost = lane_cost(layer, folder)
    print(
        f"{cost.luts_per_lane:.1f} LUT4 per lane of a group of {cost.lanes} lanes with {cost.units} neuron units "
        f"({cost.luts} LUT4, {cost.carries} CCU2C, {cost.ffs} flip-flops, {cost.rams} LUT RAM); at most {MOST:g}"
    )
    return int(cost.luts_per_lane > MOST)


if __name__ == "__main__":
    sys.exit(main())
