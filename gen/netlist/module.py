# SPDX-License-Identifier: BSD-2-Clause
"""The netlist of one module: cells, processes, registers, memories."""

from __future__ import annotations

from dataclasses import dataclass, field

from erbium.gen.netlist.bits import Bits, Sig


@dataclass
class Cell:
    """An operator, a memory port, a register or an instance of a module."""

    kind: str
    name: str
    parameters: dict[str, int | str] = field(default_factory=dict)
    ports: dict[str, Sig] = field(default_factory=dict)
    outputs: tuple[str, ...] = ("Y",)

    def flag(self, name: str) -> bool:
        """Return whether a parameter is there and not 0."""
        return bool(self.parameters.get(name, 0))

    def wire(self, port: str) -> str:
        """Return the wire at a port that has one wire, as outputs do."""
        return str(self.ports[port][0].wire)


@dataclass(frozen=True)
class Assign:
    """Bits of the target from `low` on get a value."""

    low: int
    value: Sig


@dataclass(frozen=True)
class Switch:
    """The first case with a pattern that the selector matches; a case without pattern matches always."""

    selector: Sig
    cases: tuple[tuple[tuple[str, ...], tuple[Statement, ...]], ...]


Statement = Assign | Switch


@dataclass
class Register:
    """A register: `statements` run on an edge of the clock and hold what they do not assign."""

    wire: str
    clock: Sig
    rising: bool
    statements: tuple[Statement, ...]
    reset: Sig = ()
    reset_value: int = 0
    asynchronous: bool = False


@dataclass
class Memory:
    """A memory; `contents` has the first word in its lowest bits."""

    width: int
    depth: int
    contents: int = 0


@dataclass
class Netlist:
    """One module."""

    name: str
    ports: dict[str, str] = field(default_factory=dict)
    widths: dict[str, int] = field(default_factory=dict)
    initial: dict[str, int] = field(default_factory=dict)
    memories: dict[str, Memory] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    processes: dict[str, tuple[Statement, ...]] = field(default_factory=dict)
    registers: list[Register] = field(default_factory=list)
    connections: dict[str, Sig] = field(default_factory=dict)
    aliases: dict[str, Sig] = field(default_factory=dict)
    fresh: int = 0
    is_top: bool = False

    def whole(self, wire: str) -> Sig:
        return (Bits(wire, 0, self.widths[wire]),) if self.widths[wire] else ()

    def new_wire(self, width: int) -> str:
        self.fresh += 1
        name = f"$new{self.fresh}"
        self.widths[name] = width
        return name
