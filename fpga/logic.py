# SPDX-License-Identifier: BSD-2-Clause
"""How much logic a chip takes, roughly: a straight line through what was built."""

from __future__ import annotations

from dataclasses import dataclass

from erbium.fpga.boards import Family
from erbium.sw_model.network import Hardware, Network


@dataclass(frozen=True)
class Logic:
    """LUTs and flip-flops."""

    luts: int
    ffs: int


@dataclass(frozen=True)
class _Line:
    """What a chip takes without lanes, and with each lane."""

    luts: int
    luts_per_lane: int
    ffs: int
    ffs_per_lane: int


_LINES: dict[Family, _Line] = {
    "ecp5": _Line(4_500, 310, 3_500, 320),
    # Cells, each of which holds a LUT and a flip-flop.
    "ice40": _Line(3_750, 500, 1_300, 440),
    "gowin": _Line(4_700, 290, 2_750, 170),
}


def logic_of(family: Family, network: Network, hardware: Hardware) -> Logic:
    """Estimate the logic of a chip, without what its memories take.

    Notes
    -----
    A lane is one synapse in each clock and one neuron in each clock of a sweep, in every layer; all layers' lanes
    count. Nothing is refused that is estimated to fit exactly: the placer has the last word.
    """
    line = _LINES[family]
    lanes = sum(hardware.lanes_of(network, number) for number in range(len(network.layers)))
    return Logic(line.luts + line.luts_per_lane * lanes, line.ffs + line.ffs_per_lane * lanes)
