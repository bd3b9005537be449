# SPDX-License-Identifier: BSD-2-Clause
"""Makes one module of a hierarchy."""

from __future__ import annotations

from erbium.gen.netlist.bits import Bits, Sig, cut, joined
from erbium.gen.netlist.module import Cell, Netlist
from erbium.gen.netlist.statements import mapped


def set_outputs(modules: dict[str, Netlist]) -> None:
    """Say of each cell which of its ports are outputs; take away those without a bit of output.

    Amaranth writes such a cell where an address has no bits.
    """
    for module in modules.values():
        module.cells = [cell for cell in module.cells if cell.ports.get("Y") != ()]
        driven = {wire for wire, way in module.ports.items() if way == "input"}
        driven |= {cell.wire("Y") for cell in module.cells if "Y" in cell.ports and cell.kind[0] == "$"}
        driven |= {cell.wire("Q") for cell in module.cells if cell.kind in ("$dff", "$adff")}
        driven |= {cell.wire("DATA") for cell in module.cells if cell.kind == "$memrd_v2"}
        driven |= set(module.processes)
        for cell in module.cells:
            if cell.kind in modules:
                ports = modules[cell.kind].ports
                cell.outputs = tuple(port[1:] for port, way in ports.items() if way == "output")
                driven |= {cell.wire(port) for port in cell.outputs if len(cell.ports.get(port, ())) == 1}
        for cell in module.cells:
            if cell.kind in modules:
                continue
            if cell.kind.startswith("\\"):
                cell.outputs = tuple(
                    port
                    for port, sig in cell.ports.items()
                    if len(sig) == 1 and sig[0].wire is not None and sig[0].wire not in driven
                )
            else:
                cell.outputs = {"$memrd_v2": ("DATA",), "$memwr_v2": ()}.get(cell.kind, ("Y",))


def flattened(modules: dict[str, Netlist], top: str) -> Netlist:
    """Return one module that holds all others; names are joined by dots."""
    result = Netlist(top)

    def add(module: Netlist, prefix: str, outside: dict[str, Sig]) -> None:
        def name(wire: str) -> str:
            return f"{wire[0]}{prefix}{wire[1:]}"

        def moved(sig: Sig) -> Sig:
            parts: list[Bits] = []
            for part in sig:
                if part.wire is None:
                    parts.append(part)
                elif part.wire in outside:
                    parts += cut(outside[part.wire], part.low, part.width)
                else:
                    parts.append(Bits(name(part.wire), part.low, part.width))
            return joined(parts)

        for wire, width in module.widths.items():
            if wire not in outside:
                result.widths[name(wire)] = width
        result.initial |= {name(wire): value for wire, value in module.initial.items()}
        result.memories |= {name(memory): item for memory, item in module.memories.items()}
        result.aliases |= {name(wire): moved(sig) for wire, sig in module.aliases.items()}
        result.processes |= {name(wire): mapped(body, moved) for wire, body in module.processes.items()}
        for wire, sig in module.connections.items():
            result.connections[name(wire)] = moved(sig)
        for cell in module.cells:
            child = modules.get(cell.kind)
            if child is None:
                parameters = dict(cell.parameters)
                if "MEMID" in parameters:
                    parameters["MEMID"] = name(str(parameters["MEMID"]))
                ports = {port: moved(sig) for port, sig in cell.ports.items()}
                result.cells.append(Cell(cell.kind, name(cell.name), parameters, ports, cell.outputs))
                continue
            inner = f"{prefix}{cell.name[1:]}."
            inputs = {}
            for port, direction in child.ports.items():
                if direction == "input":
                    inputs[port] = moved(cell.ports[port[1:]])
                else:
                    (bits,) = moved(cell.ports[port[1:]])
                    result.connections[str(bits.wire)] = (Bits(f"\\{inner}{port[1:]}", 0, bits.width),)
            add(child, inner, inputs)

    result.ports = dict(modules[top].ports)
    add(modules[top], "", {})
    return result
