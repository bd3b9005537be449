# SPDX-License-Identifier: BSD-2-Clause
"""What the vectorised simulation knows; everything else is refused before it is begun."""

from __future__ import annotations

from erbium.gen.netlist.module import Netlist
from erbium.gen.netlist.statements import BITWISE, COMPARING, REDUCING, SHIFTING
from erbium.gen.vectors.graph import READ, WRITE, operand_ports, operators

KINDS = frozenset(
    (*BITWISE, *COMPARING, *REDUCING, *SHIFTING, "$add", "$sub", "$neg", "$mul", "$part", READ, WRITE)
)
"""Cells that can be written as C++."""


class UnknownCellError(ValueError):
    """The netlist holds something that the vectorised simulation does not know; the text names it."""


def check(module: Netlist, clock: str) -> None:
    """Refuse a netlist with cells that are not known, or with more than the rising edge of one clock.

    Parameters
    ----------
    module : Netlist
        Flat, and its block RAMs already memories.
    clock : str
        The wire of the clock.

    Raises
    ------
    UnknownCellError
    """
    for cell in module.cells:
        if cell.kind not in KINDS:
            raise UnknownCellError(f"the cell {cell.kind.lstrip(chr(92))!r} is not known")
        clocked = cell.kind == WRITE or (cell.kind == READ and cell.flag("CLK_ENABLE"))
        if clocked and not (cell.ports["CLK"] == module.whole(clock) and cell.flag("CLK_POLARITY")):
            raise UnknownCellError(f"a memory has another clock than the rising edge of {clock[1:]!r}")
        if cell.kind == WRITE and not cell.flag("CLK_ENABLE"):
            raise UnknownCellError("a memory is written without a clock")
    for register in module.registers:
        if register.asynchronous:
            raise UnknownCellError("a register has a reset that does not wait for the clock")
        if not register.rising or register.clock != module.whole(clock):
            raise UnknownCellError(f"a register has another clock than the rising edge of {clock[1:]!r}")
    for wire, way in module.ports.items():
        if way == "inout":
            raise UnknownCellError(f"the port {wire[1:]!r} is input and output at once")


def check_loops(module: Netlist) -> None:
    """Refuse operators that, as wholes, depend on themselves: each is computed once, after what it reads.

    Raises
    ------
    UnknownCellError
    """
    cells = operators(module)
    left = {
        wire: {part.wire for port in operand_ports(cell) for part in cell.ports[port] if part.wire in cells}
        for wire, cell in cells.items()
    }
    while left:
        ends = {wire for wire, reads in left.items() if not reads & left.keys()}
        if not ends:
            raise UnknownCellError(f"the value of {min(left)!r} depends on itself")
        left = {wire: reads for wire, reads in left.items() if wire not in ends}
