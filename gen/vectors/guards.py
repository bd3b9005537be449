# SPDX-License-Identifier: BSD-2-Clause
"""Says under which conditions a value matters: it is computed inside the innermost one that all its uses share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from erbium.gen.netlist.bits import Sig
from erbium.gen.netlist.module import Assign, Cell, Netlist, Statement
from erbium.gen.vectors.classes import Classes, Gathered, Lanes, Operand, Same
from erbium.gen.vectors.graph import READ, operand_ports, operators, single_enable

Step = tuple[Sig | str, tuple[str, ...]]
"""A selector with the patterns that it matches, or a multiplexer with the port that it takes."""

Path = tuple[Step, ...]
"""Conditions, the outermost first."""

TRUE = ("1",)

Value = str | tuple[str, int]
"""An operator by its wire, or the ``"bits"`` or the ``"array"`` of a class of lanes."""

WORTH_A_BRANCH = 6
"""So many operators that only one side of a multiplexer needs are skipped if the other side is taken."""


class Values:
    """What is computed once, and what has to be there before a signal can be read.

    Parameters
    ----------
    module : Netlist
    classes : Classes

    Attributes
    ----------
    cells : dict of str to Cell
        Operators that are in no class, and reads without a clock, by the wire that they drive.
    """

    def __init__(self, module: Netlist, classes: Classes) -> None:
        self.classes = classes
        self.cells = {wire: cell for wire, cell in operators(module).items() if wire not in classes.place}
        self.cells |= {
            cell.wire("DATA"): cell
            for cell in module.cells
            if cell.kind == READ and not cell.flag("CLK_ENABLE")
        }

    def of(self, sig: Sig) -> Iterator[Value]:
        """Return what has to be computed before a signal can be read."""
        for part in sig:
            if part.wire in self.cells:
                yield str(part.wire)
            elif part.wire in self.classes.place:
                number = self.classes.place[str(part.wire)][0]
                yield ("bits" if self.classes.every[number].width == 1 else "array"), number

    def operands(self, value: Value) -> Iterator[tuple[Sig, Step | None]]:
        """Return what a value is computed of, with the side of a multiplexer that needs it."""
        if isinstance(value, str):
            cell = self.cells[value]
            for port in ("ADDR",) if cell.kind == READ else operand_ports(cell):
                yield cell.ports[port], (value, (port,)) if cell.kind == "$mux" and port != "S" else None
        elif not self.classes.every[value[1]].is_state:
            for sig in self.behind(self.classes.every[value[1]].operands)[0]:
                yield sig, None

    def behind(self, operands: Iterable[Operand]) -> tuple[list[Sig], set[int]]:
        """Return what operands of lanes take besides lanes, and the classes with a state whose lanes they take."""
        sigs: list[Sig] = []
        states: set[int] = set()
        seen: set[int] = set()
        waiting = [*operands]
        while waiting:
            for part in waiting.pop():
                if isinstance(part, Same):
                    sigs.append((part.bits,))
                elif isinstance(part, Gathered):
                    sigs.append(part.bits)
                elif isinstance(part, Lanes) and part.of not in seen:
                    seen.add(part.of)
                    if self.classes.every[part.of].is_state:
                        states.add(part.of)
                    else:
                        waiting += self.classes.every[part.of].operands
        return sigs, states


Uses = Iterable[tuple[Sig, Path]]
"""What is read, and under which conditions."""


def uses_of_statements(statements: Iterable[Statement], path: Path = ()) -> Uses:
    """Return what statements read."""
    for statement in statements:
        if isinstance(statement, Assign):
            yield statement.value, path
            continue
        yield statement.selector, path
        for patterns, body in statement.cases:
            yield from uses_of_statements(body, (*path, (statement.selector, patterns)))


def uses_of_read(read: Cell, writes: Iterable[Cell]) -> Uses:
    """Return what a clocked read of a memory with these writes reads besides the memory."""
    yield read.ports["EN"], ()
    yield read.ports["ADDR"], () if read.flag("TRANSPARENCY_MASK") else ((read.ports["EN"], TRUE),)
    for write in seen_writes(read, writes):
        yield from uses_of_write(write, early=True)


def seen_writes(read: Cell, writes: Iterable[Cell]) -> Iterator[Cell]:
    """Return the writes whose data a read sees in the same clock."""
    seen = int(read.parameters.get("TRANSPARENCY_MASK", 0))
    return (write for write in writes if seen >> int(write.parameters["PORTID"]) & 1)


def uses_of_write(write: Cell, *, early: bool) -> Uses:
    """Return what a write of a memory reads; `early` if it may not wait for the writes before it."""
    enable = single_enable(write.ports["EN"])
    path: Path = () if enable is None or early else ((enable, TRUE),)
    yield write.ports["EN"], ()
    yield write.ports["ADDR"], path
    yield write.ports["DATA"], path


class Guards:
    """Where each value is computed that some uses need.

    Parameters
    ----------
    values : Values
    uses : iterable of (Sig, Path)

    Attributes
    ----------
    path : dict of Value to Path
    branches : frozenset of str
        Multiplexers of which only the side that is taken is computed.
    """

    def __init__(self, values: Values, uses: Uses = ()) -> None:
        self._uses: dict[Value, set[Path]] = {}
        self._users: dict[Value, list[tuple[Value, Step | None]]] = {}
        for sig, path in uses:
            for value in values.of(sig):
                self._uses.setdefault(value, set()).add(path)
        waiting, seen = list(self._uses), set(self._uses)
        while waiting:
            user = waiting.pop()
            for sig, side in values.operands(user):
                for value in values.of(sig):
                    self._users.setdefault(value, []).append((user, side))
                    if value not in seen:
                        seen.add(value)
                        waiting.append(value)
        order = self._users_first()
        self.branches = frozenset(
            value for value in seen if isinstance(value, str) and values.cells[value].kind == "$mux"
        )
        self.path = self._paths(order)
        self.branches = frozenset(self._worth_it())
        self.path = self._paths(order)

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
