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
    """What a chip takes without lanes, with each lane, with each neuron unit, and more in a lane that adds two rows."""

    luts: int
    luts_per_lane: int
    ffs: int
    ffs_per_lane: int
    luts_per_unit: int = 0
    ffs_per_unit: int = 0
    luts_per_pair: int = 0
    ffs_per_pair: int = 0


_LINES: dict[Family, _Line] = {
    "ecp5": _Line(
        4_500, 125, 3_500, 80, luts_per_unit=120, ffs_per_unit=90, luts_per_pair=25, ffs_per_pair=30
    ),
    # In these a lane has a neuron unit, which is counted with it. Cells, each of which holds a LUT and a flip-flop.
    "ice40": _Line(3_750, 500, 1_300, 440),
    "gowin": _Line(4_700, 290, 2_750, 170),
}


_FLASH: dict[Family, Logic] = {
    "ecp5": Logic(2_600, 1_330),
    "ice40": Logic(450, 200),
    "gowin": Logic(2_600, 1_330),
}
"""What reads a flash and learns from it, as it was synthesized for an ECP5 and an iCE40."""


def logic_of(family: Family, network: Network, hardware: Hardware, *, from_flash: bool = False) -> Logic:
    """Estimate the logic of a chip, without what its memories take; one that learns `from_flash` has more.

    Notes
    -----
    A lane is one synapse in each clock, a neuron unit one neuron in each clock of a sweep; those of all layers
    count. Nothing is refused that is estimated to fit exactly: the placer has the last word.
    """
    line = _LINES[family]
    numbers = range(len(network.layers))
    lanes = [hardware.lanes_of(network, number) for number in numbers]
    units = [
        -(-count // hardware.parts_for(count, number)) for number, count in zip(numbers, lanes, strict=True)
    ]
    pairs = sum(lanes) if hardware.rows_per_clock == 2 else 0
    flash = _FLASH[family] if from_flash else Logic(0, 0)
    return Logic(
        line.luts
        + flash.luts
        + line.luts_per_lane * sum(lanes)
        + line.luts_per_unit * sum(units)
        + line.luts_per_pair * pairs,
        line.ffs
        + flash.ffs
        + line.ffs_per_lane * sum(lanes)
        + line.ffs_per_unit * sum(units)
        + line.ffs_per_pair * pairs,
    )
