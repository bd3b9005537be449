# SPDX-License-Identifier: BSD-2-Clause
"""Says under which conditions a value matters: it is computed inside the innermost one that all its uses share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from erbium.gen.netlist.bits import Sig
from erbium.gen.netlist.module import Assign, Cell, Netlist, Statement
from erbium.gen.vectors.classes import Class, Classes, Gathered, Same
from erbium.gen.vectors.graph import READ, memory_ports, operand_ports, operators, single_enable

Step = tuple[Sig | str, tuple[str, ...]]
"""A selector with the patterns that it matches, or a multiplexer with the port that it takes."""

Path = tuple[Step, ...]
"""Conditions, the outermost first."""

TRUE = ("1",)

Value = str | tuple[str, int]
"""An operator by its wire, or the ``"bits"`` or the ``"array"`` of a class of lanes."""

WORTH_A_BRANCH = 6
"""So many operators that only one side of a multiplexer needs are skipped if the other side is taken."""


class Guards:
    """Where each value is computed.

    Parameters
    ----------
    module : Netlist
    classes : Classes

    Attributes
    ----------
    path : dict of Value to Path
    branches : frozenset of str
        Multiplexers of which only the side that is taken is computed.
    """

    def __init__(self, module: Netlist, classes: Classes) -> None:
        self._module, self._classes = module, classes
        self._cells = {wire: cell for wire, cell in operators(module).items() if wire not in classes.place}
        self._cells |= {
            cell.wire("DATA"): cell
            for cell in module.cells
            if cell.kind == READ and not cell.flag("CLK_ENABLE")
        }
        self._uses: dict[Value, set[Path]] = {}
        self._users: dict[Value, list[tuple[Value, Step | None]]] = {}
        self._collect()
        order = self._users_first()
        self.branches = frozenset(wire for wire, cell in self._cells.items() if cell.kind == "$mux")
        self.path = self._paths(order)
        self.branches = frozenset(self._worth_it())
        self.path = self._paths(order)

    def values(self, sig: Sig) -> Iterator[Value]:
        """Return what has to be computed before a signal can be read."""
        for part in sig:
            if part.wire in self._cells:
                yield str(part.wire)
            elif part.wire in self._classes.place:
                number = self._classes.place[str(part.wire)][0]
                yield ("bits" if self._classes.every[number].width == 1 else "array"), number

    def _use(self, sig: Sig, path: Path = ()) -> None:
        for value in self.values(sig):
            self._uses.setdefault(value, set()).add(path)

    def _collect(self) -> None:
        module = self._module
        for register in module.registers:
            if register.wire not in self._classes.place:
                self._use(register.reset)
                self._statements(register.statements, ())
        for sig in module.connections.values():
            self._use(sig)
        for wire in module.ports:
            if wire in self._cells:
                self._uses.setdefault(wire, set()).add(())
        for ports in memory_ports(module).values():
            # Those of classes are seen to there.
            if ports.reads[0].wire("DATA") not in self._classes.place:
                self._memory(ports.reads, ports.writes)
        for wire, cell in self._cells.items():
            for port in ("ADDR",) if cell.kind == READ else operand_ports(cell):
                side: Step | None = (wire, (port,)) if cell.kind == "$mux" and port != "S" else None
                for value in self.values(cell.ports[port]):
                    self._users.setdefault(value, []).append((wire, side))
        for number, one in enumerate(self._classes.every):
            self._class(number, one)

    def _statements(self, statements: Iterable[Statement], path: Path) -> None:
        for statement in statements:
            if isinstance(statement, Assign):
                self._use(statement.value, path)
                continue
            self._use(statement.selector, path)
            for patterns, body in statement.cases:
                self._statements(body, (*path, (statement.selector, patterns)))

    def _memory(self, reads: Iterable[Cell], writes: Iterable[Cell]) -> None:
        for read in reads:
            if read.flag("CLK_ENABLE"):
                self._use(read.ports["EN"])
                seen = read.flag("TRANSPARENCY_MASK")
                self._use(read.ports["ADDR"], () if seen else ((read.ports["EN"], TRUE),))
        # What reads a memory without a clock is computed before the first one is written.
        early = any(
            cell.kind == READ or read.flag("TRANSPARENCY_MASK")
            for cell in self._cells.values()
            for read in reads
        )
        for write in writes:
            enable = single_enable(write.ports["EN"])
            path: Path = () if enable is None or early else ((enable, TRUE),)
            self._use(write.ports["EN"])
            self._use(write.ports["ADDR"], path)
            self._use(write.ports["DATA"], path)

    def _class(self, number: int, one: Class) -> None:
        """Note what a class needs that is computed once: where it is computed itself, or for registers beforehand."""
        for operand in one.operands:
            for part in operand:
                bits: Sig = (
                    (part.bits,)
                    if isinstance(part, Same)
                    else part.bits
                    if isinstance(part, Gathered)
                    else ()
                )
                self._use(bits)

    def _users_first(self) -> list[Value]:
        """Return all values, each after everything that it is computed for."""
        order: list[Value] = []
        done: set[Value] = set()
        for start in [*self._uses, *self._users]:
            stack: list[tuple[Value, bool]] = [(start, False)]
            while stack:
                value, ready = stack.pop()
                if ready:
                    order.append(value)
                elif value not in done:
                    done.add(value)
                    stack.append((value, True))
                    stack += [(user, False) for user, _ in self._users.get(value, ()) if user not in done]
        return order

    def _paths(self, order: list[Value]) -> dict[Value, Path]:
        result: dict[Value, Path] = {}
        for value in order:
            paths = [*self._uses.get(value, ())]
            for user, side in self._users.get(value, ()):
                further = (side,) if side is not None and user in self.branches else ()
                paths.append((*result.get(user, ()), *further))
            common = paths[0] if paths else ()
            for path in paths[1:]:
                length = next(
                    (k for k, (a, b) in enumerate(zip(common, path, strict=False)) if a != b),
                    min(len(common), len(path)),
                )
                common = common[:length]
            result[value] = common
        return result

    def _worth_it(self) -> Iterator[str]:
        inside: dict[Step, int] = {}
        for path in self.path.values():
            for step in path:
                if isinstance(step[0], str):
                    inside[step] = inside.get(step, 0) + 1
        for wire in self.branches:
            if any(inside.get((wire, (port,)), 0) >= WORTH_A_BRANCH for port in "AB"):
                yield wire
