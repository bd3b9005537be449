# SPDX-License-Identifier: BSD-2-Clause
"""Makes one of what is equal in every clock, such as the copies of a register that groups of lanes have."""

from __future__ import annotations

from collections.abc import Iterable

from erbium.gen.netlist.bits import Sig, constant, value_of, width_of
from erbium.gen.netlist.clean import Cleaner
from erbium.gen.netlist.module import Assign, Netlist, Statement
from erbium.gen.vectors.graph import nodes, refined, replace, sweep


def merge(module: Netlist) -> None:
    """Make equal registers, memories and operators one, and registers that never change constants."""
    constants = _constant_registers(module)
    module.registers = [register for register in module.registers if register.wire not in constants]
    replace(module, constants)
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


def _constant_registers(module: Netlist) -> dict[str, Sig]:
    """Return the registers that are only ever given the value that they begin with."""

    def keeps(statements: Iterable[Statement], initial: int) -> bool:
        for statement in statements:
            if not isinstance(statement, Assign):
                if not all(keeps(body, initial) for _, body in statement.cases):
                    return False
                continue
            mask = (1 << width_of(statement.value)) - 1
            if value_of(statement.value) != initial >> statement.low & mask:
                return False
        return True

    result = {}
    for register in module.registers:
        initial = module.initial.get(register.wire, 0)
        if (register.reset and register.reset_value != initial) or register.wire in module.ports:
            continue
        if keeps(register.statements, initial):
            result[register.wire] = constant(initial, module.widths[register.wire])
    return result
