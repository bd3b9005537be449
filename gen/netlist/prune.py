# SPDX-License-Identifier: BSD-2-Clause
"""Removes ports and logic that nothing reads, across the hierarchy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from erbium.gen.netlist.bits import Bits, Sig, cut, joined, width_of
from erbium.gen.netlist.clean import Cleaner
from erbium.gen.netlist.module import Assign, Cell, Netlist, Register, Statement
from erbium.gen.netlist.statements import BITWISE, CARRYING, UNNAMED_PORT, mapped, restricted


def merge_ports(modules: dict[str, Netlist]) -> None:
    """Make one port again of what Amaranth took apart because the outside drives it in parts."""
    for parent in modules.values():
        for cell in parent.cells:
            child = modules.get(cell.kind)
            if child is None:
                continue
            replaced: dict[str, Sig] = {}
            for alias, sig in child.aliases.items():
                parts = [part for part in sig if part.wire is not None]
                names = [str(part.wire) for part in parts]
                if len(parts) < 2 or len(set(names)) < len(names) or any(name in replaced for name in names):
                    continue
                if not all(
                    UNNAMED_PORT.fullmatch(name)
                    and child.ports.get(name) == "input"
                    and (part,) == child.whole(name)
                    for name, part in zip(names, parts, strict=True)
                ):
                    continue
                at, outside = 0, []
                for part in sig:
                    if part.wire is None:
                        outside.append(part)
                    else:
                        replaced[part.wire] = (Bits(alias, at, part.width),)
                        outside += cell.ports.pop(part.wire[1:])
                        del child.ports[part.wire]
                    at += part.width
                child.ports[alias] = "input"
                cell.ports[alias[1:]] = joined(outside)
            child.aliases = {name: sig for name, sig in child.aliases.items() if name not in child.ports}
            cleaner = Cleaner(child)
            cleaner.replaced = replaced
            cleaner.apply()
            child.processes = {
                target: mapped(body, cleaner.resolve) for target, body in child.processes.items()
            }


class Pruner:
    """Removes what nothing depends on, down to the bit where an operator allows it, in all modules at once."""

    def __init__(self, modules: dict[str, Netlist], top: str) -> None:
        self.modules = modules
        self.needed: dict[tuple[str, str], int] = {}
        self.drivers: dict[tuple[str, str], Callable[[int], None]] = {}
        self.live_memories: set[tuple[str, str]] = set()
        # An output may be needed inside of its module and nowhere else; then it is a port no more.
        self.live_outputs: set[tuple[str, str]] = set()
        self.pending: list[tuple[str, str]] = []
        for module in modules.values():
            self._collect(module)
        for wire, direction in modules[top].ports.items():
            if direction == "output":
                self.need(modules[top], modules[top].whole(wire))
        while self.pending:
            key = self.pending.pop()
            if key in self.drivers:
                self.drivers[key](self.needed[key])
        for module in modules.values():
            self._prune(module, keep_ports=module.name == top)

    def need(self, module: Netlist, sig: Sig, mask: int = -1) -> None:
        """Say that the bits of `sig` in `mask` are needed."""
        for part in sig:
            if part.wire is not None and mask & ((1 << part.width) - 1):
                key = (module.name, part.wire)
                old = self.needed.get(key, 0)
                new = old | (mask & (1 << part.width) - 1) << part.low
                if new != old:
                    self.needed[key] = new
                    self.pending.append(key)
            mask >>= part.width

    def _collect(self, module: Netlist) -> None:
        name, drivers = module.name, self.drivers
        for wire, sig in module.connections.items():
            drivers[name, wire] = partial(self.need, module, sig)
        for register in module.registers:
            drivers[name, register.wire] = partial(self._need_register, module, register)
        for cell in module.cells:
            if cell.kind == "$memrd_v2":
                drivers[name, cell.wire("DATA")] = partial(self._need_memory, module, cell)
            elif cell.kind == "$memwr_v2":
                continue
            elif not cell.kind.startswith("\\"):
                drivers[name, cell.wire("Y")] = partial(self._need_operator, module, cell)
            elif cell.kind in self.modules:
                self._collect_instance(module, cell)
            else:
                for sig in cell.ports.values():
                    self.need(module, sig)

    def _collect_instance(self, module: Netlist, cell: Cell) -> None:
        child = self.modules[cell.kind]
        for port, direction in child.ports.items():
            if direction == "input":
                self.drivers[child.name, port] = partial(self.need, module, cell.ports[port[1:]])
            else:
                self.drivers[module.name, cell.wire(port[1:])] = partial(self._need_port, child, port)

    def _need_port(self, child: Netlist, port: str, mask: int) -> None:
        """Need an output of a module: all of it, as a port has no parts."""
        self.live_outputs.add((child.name, port))
        self.need(child, child.whole(port))

    def _need_register(self, module: Netlist, register: Register, mask: int) -> None:
        def visit(statements: Iterable[Statement]) -> bool:
            any_needed = False
            for statement in statements:
                if isinstance(statement, Assign):
                    here = mask >> statement.low & (1 << width_of(statement.value)) - 1
                    self.need(module, statement.value, here)
                    any_needed |= here != 0
                    continue
                here_needed = [visit(body) for _, body in statement.cases]
                if any(here_needed):
                    self.need(module, statement.selector)
                    any_needed = True
            return any_needed

        visit(register.statements)
        self.need(module, register.clock)
        self.need(module, register.reset)

    def _need_memory(self, module: Netlist, cell: Cell, mask: int) -> None:
        for port in ("ADDR", "EN", "CLK"):
            self.need(module, cell.ports[port])
        memory = str(cell.parameters["MEMID"])
        if (module.name, memory) not in self.live_memories:
            self.live_memories.add((module.name, memory))
            for other in module.cells:
                if other.kind == "$memwr_v2" and other.parameters["MEMID"] == memory:
                    for sig in other.ports.values():
                        self.need(module, sig)

    def _need_operator(self, module: Netlist, cell: Cell, mask: int) -> None:
        for port, sig in cell.ports.items():
            if port == "Y":
                continue
            if cell.kind in BITWISE and port != "S":
                self.need(module, sig, mask)
            elif cell.kind in CARRYING or (cell.kind == "$shl" and port == "A"):
                self.need(module, sig, (1 << mask.bit_length()) - 1)
            else:
                self.need(module, sig)

    def _is_live(self, module: Netlist, port: str) -> bool:
        """Return whether a port of a module is of any use."""
        key = (module.name, port)
        if module.ports.get(port) == "input":
            return bool(self.needed.get(key))
        return key in self.live_outputs

    def _prune(self, module: Netlist, *, keep_ports: bool) -> None:
        name = module.name
        needed = {wire: self.needed.get((name, wire), 0) for wire in module.widths}
        module.registers = [item for item in module.registers if needed[item.wire]]
        module.connections = {wire: sig for wire, sig in module.connections.items() if needed[wire]}
        module.memories = {
            wire: item for wire, item in module.memories.items() if (name, wire) in self.live_memories
        }
        cells = []
        for cell in module.cells:
            if cell.kind == "$memwr_v2":
                live = (name, str(cell.parameters["MEMID"])) in self.live_memories
            elif cell.kind == "$memrd_v2":
                live = needed[cell.wire("DATA")] != 0
            elif cell.kind in self.modules:
                child = self.modules[cell.kind]
                cell.ports = {
                    port: sig for port, sig in cell.ports.items() if self._is_live(child, f"\\{port}")
                }
                live = bool(cell.ports)
            else:
                live = cell.kind.startswith("\\") or needed[cell.wire("Y")] != 0
            if live:
                cells.append(cell)
        module.cells = cells
        if not keep_ports:
            module.ports = {wire: way for wire, way in module.ports.items() if self._is_live(module, wire)}
        for cell in module.cells:
            self._narrow(module, cell, needed)
        for register in module.registers:
            self._narrow_register(module, register, needed)
        self._drop_dead_bits(module, needed, keep_ports)

    def _narrow(self, module: Netlist, cell: Cell, needed: dict[str, int]) -> None:
        """Cut the upper bits of an operator that nothing needs."""
        if cell.kind not in (*BITWISE, *CARRYING, "$shl"):
            return
        wire = cell.wire("Y")
        width = needed[wire].bit_length()
        if wire in module.ports or width == module.widths[wire]:
            return
        module.widths[wire] = width
        for port in ("A", "B", "Y"):
            if port in cell.ports and not (cell.kind == "$shl" and port == "B"):
                cell.ports[port] = cut(cell.ports[port], 0, width)

    def _narrow_register(self, module: Netlist, register: Register, needed: dict[str, int]) -> None:
        wire = register.wire
        width = needed[wire].bit_length()
        if wire in module.ports or width == module.widths[wire]:
            return
        module.widths[wire] = width
        register.statements = restricted(register.statements, 0, width)
        register.reset_value &= (1 << width) - 1
        module.initial[wire] = module.initial.get(wire, 0) & (1 << width) - 1

    def _drop_dead_bits(self, module: Netlist, needed: dict[str, int], keep_ports: bool) -> None:
        """Put 0 where a value that nothing needs mentions a wire that is no longer there."""

        def living(sig: Sig) -> Sig:
            parts: list[Bits] = []
            for part in sig:
                if part.wire is None:
                    parts.append(part)
                    continue
                there = module.widths[part.wire] if needed[part.wire] or part.wire in module.ports else 0
                kept = max(0, min(part.width, there - part.low))
                parts += [Bits(part.wire, part.low, kept), Bits(None, 0, part.width - kept)]
            return joined(parts)

        for cell in module.cells:
            cell.ports = {port: living(sig) for port, sig in cell.ports.items()}
        for register in module.registers:
            register.statements = mapped(register.statements, living)
        module.connections = {wire: living(sig) for wire, sig in module.connections.items()}


def indexed_wires(module: Netlist) -> set[str]:
    """Return the wires of which a part is chosen at run time; they stay whole."""
    return {cell.wire("A") for cell in module.cells if cell.kind == "$part"}
