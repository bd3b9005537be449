# SPDX-License-Identifier: BSD-2-Clause
"""Makes one of what is equal in every clock, such as the copies of a register that groups of lanes have."""

from __future__ import annotations

from collections.abc import Iterable

from erbium.gen.netlist.bits import Bits, Sig, constant, joined
from erbium.gen.netlist.clean import Cleaner
from erbium.gen.netlist.module import Assign, Netlist, Statement
from erbium.gen.vectors.graph import nodes, part_of, read_ranges, refined, replace, sweep


def merge(module: Netlist) -> None:
    """Make equal registers, memories and operators one, and bits of registers that never change constants."""
    _without_still_bits(module)
    replaced = equal_wires(module)
    module.connections |= {wire: value for wire, value in replaced.items() if wire in module.ports}
    module.registers = [register for register in module.registers if register.wire not in replaced]
    module.cells = [
        cell
        for cell in module.cells
        if not any(cell.wire(port) in replaced for port in cell.outputs if port in cell.ports)
    ]
    replace(module, replaced)
    Cleaner(module, keep_names=False).simplify()
    sweep(module)


def equal_wires(module: Netlist) -> dict[str, Sig]:
    """Return wires that equal another one in every clock, with that one.

    Two wires are equal if they begin with the same value and are formed in the same way from operands that are equal:
    then nothing ever makes them differ. So the coarsest such partition may be taken, rings of registers included.
    """
    graph = nodes(module)
    first: dict[int, str] = {}
    part = refined(graph, lambda bits: (bits.low, bits.width))
    # A port keeps its driver where it can.
    for wire in sorted(graph, key=lambda wire: wire not in module.ports):
        first.setdefault(part[wire], wire)
    return {wire: module.whole(first[part[wire]]) for wire in graph if first[part[wire]] != wire}


def _without_still_bits(module: Netlist) -> None:
    """Make constants of registers, and of flags that share one, that are only ever given what they begin with."""
    replaced: dict[str, Sig] = {}
    registers = []
    ranges = read_ranges(module)
    for register in module.registers:
        wire, width = register.wire, module.widths[register.wire]
        initial = module.initial.get(wire, 0)
        moving = _moving_bits(register.statements, initial)
        if register.reset:
            moving |= register.reset_value ^ initial
        # Of a number only all bits are taken out: lanes whose numbers have other bits would not be alike any more.
        is_number = any(high - low > 1 for low, high in ranges.get(wire, ()))
        if wire in module.ports or moving == (1 << width) - 1 or (moving and is_number):
            registers.append(register)
            continue
        parts: list[Bits] = []
        for bit in range(width):
            if moving >> bit & 1:
                flag = module.new_wire(1)
                registers.append(part_of(module, register, flag, bit))
                parts += module.whole(flag)
            else:
                parts += constant(initial >> bit, 1)
        replaced[wire] = joined(parts)
    module.registers = registers
    replace(module, replaced)


def _moving_bits(statements: Iterable[Statement], initial: int) -> int:
    """Return a mask of the bits that are given anything else than the value that they begin with."""
    moving = 0
    for statement in statements:
        if not isinstance(statement, Assign):
            for _, body in statement.cases:
                moving |= _moving_bits(body, initial)
            continue
        at = statement.low
        for part in statement.value:
            mask = (1 << part.width) - 1
            differs = mask if part.wire is not None else part.low ^ (initial >> at & mask)
            moving |= differs << at
            at += part.width
    return moving
