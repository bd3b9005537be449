# SPDX-License-Identifier: BSD-2-Clause
"""The cells of a placed design and the nets between them, and the Verilog of it that a simulator takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

PORTS = ("clk", "rst", "rx", "tx")
"""Ports of the module that is made: as those of the chip, so that the same line drives it."""


class ReadBackError(Exception):
    """What was read back holds something that nobody here knows how to simulate."""


@dataclass
class Cell:
    """One cell.

    Parameters
    ----------
    kind, name : str
        Of the module that says how it behaves, and of the instance.
    parameters : dict of str
        Verilog literals.
    pins : dict of list of str
        Nets of each port, the highest bit first; a net is a name, ``1'b0`` or ``1'b1``, or empty.
    outputs : frozenset of str
        Which of the ports are driven by the cell.
    """

    kind: str
    name: str
    parameters: dict[str, str]
    pins: dict[str, list[str]]
    outputs: frozenset[str]

    @property
    def driven(self) -> list[str]:
        """Nets that it drives."""
        return [net for port in self.outputs for net in self.pins.get(port, ()) if net]

    @property
    def read(self) -> list[str]:
        """Nets that it reads."""
        return [net for port, nets in self.pins.items() if port not in self.outputs for net in nets if net]


@dataclass
class Netlist:
    """Cells and the nets between them.

    Parameters
    ----------
    cells : list of Cell
    clocks : list of str
        Nets that the PLL drives, which are the clock.
    rx, tx : str
        Net that the pad of the input drives, and the one that drives the pad of the output.
    aliases : dict of str
        Nets that are another one.
    """

    cells: list[Cell] = field(default_factory=list)
    clocks: list[str] = field(default_factory=list)
    rx: str = ""
    tx: str = ""
    aliases: dict[str, str] = field(default_factory=dict)

    def root(self, net: str) -> str:
        """Return the net that a net is another name of."""
        path = []
        while net in self.aliases:
            path.append(net)
            net = self.aliases[net]
            if len(path) > len(self.aliases):
                raise ReadBackError(f"net {net} drives itself")
        for name in path:
            self.aliases[name] = net
        return net

    def resolve(self) -> None:
        """Name each net by its root, and keep only the cells that something of `tx` depends on."""
        for cell in self.cells:
            cell.pins = {port: [net and self.root(net) for net in nets] for port, nets in cell.pins.items()}
        self.clocks = [self.root(net) for net in self.clocks]
        self.rx, self.tx = self.root(self.rx), self.root(self.tx)
        drivers: dict[str, Cell] = {}
        for cell in self.cells:
            for net in cell.driven:
                drivers[net] = cell
        wanted: set[int] = set()
        waiting = [self.tx]
        while waiting:
            driver = drivers.get(waiting.pop())
            if driver is not None and id(driver) not in wanted:
                wanted.add(id(driver))
                waiting += driver.read
        self.cells = [cell for cell in self.cells if id(cell) in wanted]

    def floating(self) -> dict[str, list[str]]:
        """Return nets that cells read and nobody drives, each with the ports that read it."""
        driven = {net for cell in self.cells for net in cell.driven}
        driven |= {*self.clocks, self.rx, "1'b0", "1'b1"}
        found: dict[str, list[str]] = {}
        for cell in self.cells:
            for port, nets in cell.pins.items():
                if port in cell.outputs:
                    continue
                for net in nets:
                    if net and net not in driven:
                        found.setdefault(net, []).append(f"{cell.kind}.{port}")
        return found

    def verilog(self, top: str) -> str:
        """Return a module with the ports :data:`PORTS`; `rst` does nothing, as no pin of the board resets the chip."""
        lines = [f"module {top} (input clk, input rst, input rx, output tx);"]
        nets = sorted({net for cell in self.cells for net in (*cell.driven, *cell.read)} - {"1'b0", "1'b1"})
        lines += [f"  wire {escaped(net)};" for net in nets]
        lines += [f"  assign {escaped(net)} = clk;" for net in dict.fromkeys(self.clocks)]
        lines += [f"  assign {escaped(self.rx)} = rx;", f"  assign tx = {_named(self.tx)};"]
        for cell in self.cells:
            lines += _instance(cell)
        return "\n".join([*lines, "endmodule", ""])


def escaped(name: str) -> str:
    """Return a name as Verilog takes any."""
    return f"\\{name} "


def _named(net: str) -> str:
    return net if net in ("1'b0", "1'b1") else escaped(net)


def _instance(cell: Cell) -> Iterable[str]:
    parameters = ", ".join(f".{name}({value})" for name, value in cell.parameters.items())
    yield f"  {cell.kind} {f'#({parameters}) ' if parameters else ''}{escaped(cell.name)}("
    pins = []
    for port, nets in cell.pins.items():
        if port in cell.outputs and not any(nets):
            continue
        bits = [
            _named(net) if net else f"{escaped(f'open.{cell.name}.{port}.{k}')}" for k, net in enumerate(nets)
        ]
        pins.append(f"    .{port}({bits[0] if len(bits) == 1 else '{' + ', '.join(bits) + '}'})")
    yield ",\n".join(pins)
    yield "  );"


def literal(value: str | int, width: int | None = None) -> str:
    """Return a parameter of nextpnr's JSON, bits or text, as Verilog."""
    if isinstance(value, int):
        return str(value)
    if value and set(value) <= set("01x"):
        bits = value.replace("x", "0")
        return f"{width or len(bits)}'b{bits[-width:] if width else bits}"
    return f'"{value.rstrip()}"'


class RoutedCell(NamedTuple):
    """A cell of nextpnr's JSON. A pin has its nets, the highest bit first, and ``""`` where there is none."""

    name: str
    kind: str
    parameters: dict[str, str]
    pins: dict[str, list[str]]
    outputs: frozenset[str]

    def closed(self, high: Sequence[str] = ()) -> dict[str, list[str]]:
        """Return the pins, inputs that are open connected to what they read then: 1 for those of `high`, else 0."""
        return {
            port: nets
            if port in self.outputs
            else [net or ("1'b1" if port in high else "1'b0") for net in nets]
            for port, nets in self.pins.items()
        }


def routed_cells(module: dict[str, Any]) -> Iterator[RoutedCell]:
    """Yield the cells of a module of nextpnr's JSON."""
    for name, cell in module["cells"].items():
        pins = {
            port: [_net(bit) for bit in reversed(bits)] or [""] for port, bits in cell["connections"].items()
        }
        outputs = frozenset(port for port, way in cell["port_directions"].items() if way == "output")
        yield RoutedCell(name, cell["type"], cell["parameters"], pins, outputs)


def ports_of(module: dict[str, Any]) -> dict[str, str]:
    """Return the name of the port of each net that has one."""
    return {_net(port["bits"][0]): name for name, port in module["ports"].items()}


def _net(bit: int | str) -> str:
    return f"n{bit}" if isinstance(bit, int) else f"1'b{bit}"
