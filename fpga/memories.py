# SPDX-License-Identifier: BSD-2-Clause
"""How many block RAMs a memory takes: the arithmetic of each family, as Yosys does it.

Checked against Yosys 0.70 memory by memory in ``tests/test_fpga_memories.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from erbium.fpga.boards import Family
from erbium.hdl.synapse_memory import SPRAM_DEPTH, ecp5_blocks, spram_blocks
from erbium.sw_model.network import SPRAM_WIDTH

MemoryKind = Literal["generic", "ecp5", "spram", "rom", "distributed"]
Resource = Literal["block RAM", "SPRAM", "LUT RAM", "LUTs", "flip-flops"]

SHAPES: dict[Family, tuple[tuple[int, int], ...]] = {
    # Rows and bits of one block with one read and one write port. The ninth bits of ECP5 and Gowin count.
    "ecp5": ((512, 36), (1024, 18), (2048, 9)),
    "ice40": ((256, 16), (512, 8), (1024, 4), (2048, 2)),
    "gowin": ((512, 36), (1024, 18), (2048, 9)),
}

BLOCK_BITS: dict[Family, int] = {"ecp5": 18_432, "ice40": 4_096, "gowin": 18_432}

LUT_RAM = (16, 4)
"""Rows and bits of one cell of LUT RAM."""

LUT_RAM_WORTH: dict[Family, int] = {"ecp5": 21, "ice40": 0, "gowin": 30}
"""Cells of LUT RAM that Yosys takes rather than one block RAM; an iCE40 has none."""

RAM_BITS_IN_FLIP_FLOPS: dict[Family, int] = {"ecp5": 0, "ice40": 64, "gowin": 0}
"""Bits that Yosys makes of flip-flops rather than take one block RAM, where there is no LUT RAM."""

ROM_BITS_IN_LUTS: dict[Family, int] = {"ecp5": 2_048, "ice40": 1_024, "gowin": 2_048}
"""Bits of constants that Yosys makes of logic rather than take one block RAM."""

LUTS_PER_CELL = 8
"""LUTs of a cell of LUT RAM and of what chooses between several: near enough for a plan."""

SPRAM_BITS = SPRAM_WIDTH * SPRAM_DEPTH


@dataclass(frozen=True)
class Memory:
    """A memory of a design.

    Parameters
    ----------
    name : str
        Where it is.
    depth, width : int
        Rows, and bits of a row.
    kind : str
        ``"generic"``: Yosys chooses what holds it. ``"ecp5"``, ``"spram"``: a synapse memory made of
        instances. ``"rom"``:
        never written. ``"distributed"``: read within a clock, which block RAM cannot do.
    read_ports : int
        Each has a copy of the memory to itself.
    """

    name: str
    depth: int
    width: int
    kind: MemoryKind = "generic"
    read_ports: int = 1

    @property
    def bits(self) -> int:
        """Bits that it holds."""
        return self.depth * self.width


def ceil_div(value: int, divisor: int) -> int:
    """Return a quotient rounded up."""
    return -(-value // divisor)


def blocks_of(family: Family, depth: int, width: int) -> int:
    """Return the block RAMs of a memory that is made of block RAM.

    Whole columns of one shape; what is left of the width takes the shape that suits it best.
    """
    shapes = SHAPES[family]

    def rest(bits: int) -> int:
        return min(ceil_div(depth, rows) * ceil_div(bits, columns) for rows, columns in shapes) if bits else 0

    return min(width // columns * ceil_div(depth, rows) + rest(width % columns) for rows, columns in shapes)


def lut_ram_cells(depth: int, width: int) -> int:
    """Return the cells of a memory that is made of LUT RAM."""
    rows, columns = LUT_RAM
    return ceil_div(depth, rows) * ceil_div(width, columns)


def take(family: Family, memory: Memory) -> tuple[Resource, int]:
    """Return what holds a memory in a family, and how many of them it takes."""
    depth, width = memory.depth, memory.width
    if memory.kind == "spram":
        return "SPRAM", spram_blocks(depth, width)
    if memory.kind == "ecp5":
        return "block RAM", ecp5_blocks(depth, width)
    if memory.kind == "distributed" and family == "ice40":
        return "flip-flops", memory.bits
    blocks = blocks_of(family, depth, width) * memory.read_ports
    cells = lut_ram_cells(depth, width) * memory.read_ports
    if memory.kind == "rom" and memory.bits <= ROM_BITS_IN_LUTS[family] * blocks:
        return "LUTs", ceil_div(depth, 16) * width
    if memory.kind == "generic" and memory.bits <= RAM_BITS_IN_FLIP_FLOPS[family] * blocks:
        return "flip-flops", memory.bits
    if memory.kind == "distributed" or (memory.kind == "generic" and cells <= LUT_RAM_WORTH[family] * blocks):
        return "LUT RAM", cells
    return "block RAM", blocks
