# SPDX-License-Identifier: BSD-2-Clause
"""A netlist as a graph: what each wire does, apart from what it does it with."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from erbium.gen.netlist.bits import Bits, Sig, cut, width_of
from erbium.gen.netlist.clean import Cleaner
from erbium.gen.netlist.fields import all_read
from erbium.gen.netlist.module import Assign, Cell, Netlist, Register, Statement
from erbium.gen.netlist.statements import restricted

READ, WRITE = "$memrd_v2", "$memwr_v2"


@dataclass(frozen=True)
class Node:
    """What drives a wire.

    Parameters
    ----------
    shape : hashable
        What it does; equal for two that do the same with other operands.
    operands : tuple of Sig
        What it does it with, in the order that `shape` tells.
    """

    shape: tuple[Any, ...]
    operands: tuple[Sig, ...]

    @property
    def kind(self) -> str:
        """``"register"``, ``"memory"``, ``"read"``, or the kind of the cell."""
        return str(self.shape[0])


@dataclass(frozen=True)
class Ports:
    """The reads and writes of a memory."""

    reads: tuple[Cell, ...]
    writes: tuple[Cell, ...]

    @property
    def simple(self) -> bool:
        """Whether it has one clocked read, which never sees what is being written, and one write."""
        if len(self.reads) != 1 or len(self.writes) != 1:
            return False
        (read,) = self.reads
        return read.flag("CLK_ENABLE") and not read.flag("TRANSPARENCY_MASK")


def memory_ports(module: Netlist) -> dict[str, Ports]:
    """Return the ports of each memory, in the order in which they take effect."""
    found: dict[str, tuple[list[Cell], list[Cell]]] = {name: ([], []) for name in module.memories}
    for cell in module.cells:
        if cell.kind in (READ, WRITE):
            found[str(cell.parameters["MEMID"])][cell.kind == WRITE].append(cell)
    return {name: Ports(tuple(reads), tuple(writes)) for name, (reads, writes) in found.items()}


def single_enable(enable: Sig) -> Sig | None:
    """Return the bit that all bits of a write enable are, or ``None`` if they differ."""
    bit = cut(enable, 0, 1)
    if len(enable) == 1 and enable[0].wire is None:
        return bit if enable[0].low in (0, (1 << enable[0].width) - 1) else None
    return bit if all((part,) == bit for part in enable) else None


def output_of(cell: Cell) -> str:
    """Return the wire that an operator or a read drives."""
    return cell.wire("DATA" if cell.kind == READ else "Y")


def operators(module: Netlist) -> dict[str, Cell]:
    """Return the cells without a state, by the wire that they drive."""
    return {cell.wire("Y"): cell for cell in module.cells if "Y" in cell.ports}


def operand_ports(cell: Cell) -> list[str]:
    """Return the ports that an operator reads, always in the same order."""
    return [port for port in ("S", "A", "B") if port in cell.ports]


def nodes(module: Netlist) -> dict[str, Node]:
    """Return what drives each wire of a module that has no instances.

    A memory that is simple, with one enable for the whole word, is one node: the register that it is read into. Its
    operands are the address and enable of the read, then address, enable and data of the write.
    """
    result: dict[str, Node] = {}
    for register in module.registers:
        form, operands = flat_statements(register.statements)
        initial = module.initial.get(register.wire, 0)
        width = module.widths[register.wire]
        result[register.wire] = Node(
            ("register", width, register.reset_value, initial, form), (*operands, register.reset)
        )
    ports = memory_ports(module)
    for cell in module.cells:
        if cell.kind == READ:
            name = str(cell.parameters["MEMID"])
            memory, port = module.memories[name], ports[name]
            reading = (cell.ports["ADDR"], cell.ports["EN"])
            enable = single_enable(port.writes[0].ports["EN"]) if port.simple else None
            if enable is None:
                result[cell.wire("DATA")] = Node((READ, cell.name, module.widths[cell.wire("DATA")]), reading)
                continue
            write = port.writes[0]
            result[cell.wire("DATA")] = Node(
                ("memory", memory.width, memory.depth, memory.contents),
                (*reading, write.ports["ADDR"], enable, write.ports["DATA"]),
            )
        elif cell.kind != WRITE:
            names = operand_ports(cell)
            parameters = tuple(sorted(cell.parameters.items()))
            shape = (cell.kind, module.widths[cell.wire("Y")], parameters, tuple(names))
            result[cell.wire("Y")] = Node(shape, tuple(cell.ports[name] for name in names))
    return result


Form = tuple[Any, ...]
"""Statements without their values: ``("assign", low, width)``, or ``("switch", width, ((patterns, form), ...))``."""


def flat_statements(statements: Iterable[Statement]) -> tuple[Form, list[Sig]]:
    """Return the form of statements, and the values and selectors that they have, in the order of the text."""
    form: list[Hashable] = []
    operands: list[Sig] = []
    for statement in statements:
        if isinstance(statement, Assign):
            form.append(("assign", statement.low, width_of(statement.value)))
            operands.append(statement.value)
            continue
        operands.append(statement.selector)
        cases = []
        for patterns, body in statement.cases:
            inner, further = flat_statements(body)
            cases.append((patterns, inner))
            operands += further
        form.append(("switch", width_of(statement.selector), tuple(cases)))
    return tuple(form), operands


def refined(graph: Mapping[str, Node], fixed: Callable[[Bits], Hashable]) -> dict[str, int]:
    """Return the coarsest partition in which nodes of one part do the same with operands of the same parts.

    Parameters
    ----------
    graph : mapping of str to Node
    fixed : callable
        Returns what counts of a part of an operand, besides the node that it is of.

    Returns
    -------
    dict
        The number of each wire's part.
    """
    sources = {
        wire: [str(bits.wire) for sig in node.operands for bits in sig if bits.wire in graph]
        for wire, node in graph.items()
    }
    part = _numbered(
        {
            wire: (
                node.shape,
                tuple(
                    tuple((fixed(bits), bits.wire in graph or bits.wire) for bits in sig)
                    for sig in node.operands
                ),
            )
            for wire, node in graph.items()
        }
    )
    count = len(set(part.values()))
    while True:
        number = part.__getitem__
        part = _numbered({wire: (part[wire], *map(number, read)) for wire, read in sources.items()})
        before, count = count, len(set(part.values()))
        if count == before:
            return part


def _numbered(keys: Mapping[str, Hashable]) -> dict[str, int]:
    numbers: dict[Hashable, int] = {}
    return {wire: numbers.setdefault(value, len(numbers)) for wire, value in keys.items()}


def replace(module: Netlist, replaced: dict[str, Sig]) -> None:
    """Put values in place of wires, wherever those are read."""
    if not replaced:
        return
    cleaner = Cleaner(module, keep_names=False)
    cleaner.replaced = replaced
    cleaner.apply()


def sweep(module: Netlist) -> None:
    """Take out what no output depends on, a whole wire at a time."""
    graph, ports = nodes(module), memory_ports(module)
    waiting = [wire for wire, way in module.ports.items() if way == "output"]
    waiting += [str(part.wire) for sig in module.connections.values() for part in sig if part.wire]
    cells = {output_of(cell): cell for cell in module.cells if cell.kind != WRITE}
    live: set[str] = set()
    kept: set[str] = set()
    while waiting:
        wire = waiting.pop()
        if wire in live or wire not in graph:
            continue
        live.add(wire)
        waiting += [str(part.wire) for sig in graph[wire].operands for part in sig if part.wire]
        if wire in cells and cells[wire].kind == READ:
            name = str(cells[wire].parameters["MEMID"])
            if name not in kept:
                kept.add(name)
                for write in ports[name].writes:
                    for sig in write.ports.values():
                        waiting += [str(part.wire) for part in sig if part.wire]
    module.registers = [register for register in module.registers if register.wire in live]
    module.cells = [
        cell
        for cell in module.cells
        if (str(cell.parameters["MEMID"]) in kept if cell.kind == WRITE else output_of(cell) in live)
    ]
    module.memories = {name: memory for name, memory in module.memories.items() if name in kept}


def part_of(module: Netlist, register: Register, wire: str, low: int) -> Register:
    """Return the register of a wire that is as many bits of another register, from bit `low` on."""
    width = module.widths[wire]
    mask = (1 << width) - 1
    module.initial[wire] = module.initial.get(register.wire, 0) >> low & mask
    statements = restricted(register.statements, low, width)
    value = register.reset_value >> low & mask
    return Register(wire, register.clock, register.rising, statements, register.reset, value)


def read_ranges(module: Netlist) -> dict[str, set[tuple[int, int]]]:
    """Return the ranges of bits, from and up to, that something reads of each wire."""
    ranges: dict[str, set[tuple[int, int]]] = {}
    for sig in all_read(module):
        for part in sig:
            if part.wire is not None:
                ranges.setdefault(part.wire, set()).add((part.low, part.low + part.width))
    return ranges
