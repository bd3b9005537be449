# SPDX-License-Identifier: BSD-2-Clause
"""From a description to Verilog.

Amaranth turns a component into RTLIL, a netlist as text. This file reads that netlist, cleans it, and writes
it as Verilog-2005 that people can read and that linters accept: operands as wide as their results, one clocked
block per module with enables as ``if``, no combinational blocks, the names of the source, nothing that is not
used.
"""

from __future__ import annotations

import operator
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

from amaranth.back import rtlil
from amaranth.hdl import Value
from amaranth.hdl._ir import PortDirection
from amaranth.lib.wiring import Component, In, Out

TOP = "erbium_array"
COLUMNS = 110

# --- bits ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bits:
    """`width` bits of a wire from bit `low` on; without wire the constant `low`."""

    wire: str | None
    low: int
    width: int


Sig = tuple[Bits, ...]
"""Bits side by side, the lowest first."""


def joined(parts: Iterable[Bits]) -> Sig:
    """Return bits side by side, with neighbours that belong together made one."""
    result: list[Bits] = []
    for part in parts:
        if not part.width:
            continue
        last = result[-1] if result else None
        if last and last.wire == part.wire:
            if part.wire is None:
                result[-1] = Bits(None, last.low | part.low << last.width, last.width + part.width)
                continue
            if last.low + last.width == part.low:
                result[-1] = Bits(part.wire, last.low, last.width + part.width)
                continue
        result.append(part)
    return tuple(result)


def width_of(sig: Sig) -> int:
    """Return the number of bits."""
    return sum(part.width for part in sig)


def cut(sig: Sig, low: int, width: int) -> Sig:
    """Return `width` bits of `sig` from bit `low` on."""
    result, at = [], 0
    for part in sig:
        first, last = max(low, at), min(low + width, at + part.width)
        if first < last:
            if part.wire is None:
                value = part.low >> (first - at) & (1 << (last - first)) - 1
                result.append(Bits(None, value, last - first))
            else:
                result.append(Bits(part.wire, part.low + first - at, last - first))
        at += part.width
    return joined(result)


def constant(value: int, width: int) -> Sig:
    """Return a constant."""
    return (Bits(None, value & (1 << width) - 1, width),) if width else ()


def value_of(sig: Sig) -> int | None:
    """Return the value of a constant, or ``None`` for anything else."""
    if not sig:
        return 0
    return sig[0].low if len(sig) == 1 and sig[0].wire is None else None


def resized(sig: Sig, width: int, signed: bool = False) -> Sig:
    """Return `sig` cut or extended to a width."""
    have = width_of(sig)
    if have >= width:
        return cut(sig, 0, width)
    if not signed or not have:
        return joined([*sig, *constant(0, width - have)])
    return joined([*sig, *cut(sig, have - 1, 1) * (width - have)])


# --- netlist -------------------------------------------------------------------------------------------------


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


# --- reading RTLIL -------------------------------------------------------------------------------------------


class RtlilError(ValueError):
    """The netlist holds something that this writer does not know."""


class _Reader:
    """Reads the part of RTLIL that Amaranth writes, line by line."""

    def __init__(self, text: str) -> None:
        self._lines = (line.strip() for line in text.splitlines())
        self._attributes: dict[str, str] = {}

    def _next(self) -> str:
        return next(line for line in self._lines if line)

    def modules(self) -> list[Netlist]:
        result = []
        for line in self._lines:
            if line.startswith("attribute"):
                continue
            if line.startswith("module "):
                result.append(self._module(line.split()[1]))
            elif line:
                raise RtlilError(f"RTLIL line {line!r} stands outside of a module")
        return result

    def _module(self, name: str) -> Netlist:
        module = Netlist(name)
        attributes: dict[str, str] = {}
        while (line := self._next()) != "end":
            word, _, rest = line.partition(" ")
            if word == "attribute":
                key, _, value = rest.partition(" ")
                attributes[key] = value
                continue
            match word:
                case "wire":
                    self._wire(module, rest, attributes)
                case "memory":
                    words = rest.split()
                    module.memories[words[-1]] = Memory(int(words[1]), int(words[3]))
                case "cell":
                    kind, name = rest.split(None, 1)
                    module.cells.append(self._cell(module, kind, name))
                case "process":
                    target, statements = self._process(module)
                    module.processes[target] = statements
                case "connect":
                    target, _, value = rest.partition(" ")
                    is_output = module.ports.get(target) == "output"
                    home = module.connections if is_output else module.aliases
                    home[target] = self._sig(module, value)
                case _:
                    raise RtlilError(f"RTLIL line {line!r} is not known")
            attributes = {}
        return module

    def _wire(self, module: Netlist, text: str, attributes: dict[str, str]) -> None:
        words = text.split()
        name = words[-1]
        module.widths[name] = int(words[1])
        for direction in ("input", "output", "inout"):
            if direction in words[2:-1]:
                module.ports[name] = direction
        if "\\init" in attributes:
            module.initial[name] = int(attributes["\\init"].partition("'")[2] or "0", 2)

    def _cell(self, module: Netlist, kind: str, name: str) -> Cell:
        cell = Cell(kind, name)
        while (line := self._next()) != "end":
            word, key, rest = [*line.split(None, 2), ""][:3]
            if word == "connect":
                cell.ports[key[1:]] = self._sig(module, rest)
            elif word == "parameter":
                cell.parameters[key[1:]] = _parameter(rest)
            else:
                raise RtlilError(f"RTLIL line {line!r} is not known in a cell")
        return cell

    def _process(self, module: Netlist) -> tuple[str, tuple[Statement, ...]]:
        targets: set[str] = set()
        body, _ = self._body(module, targets)
        if len(targets) != 1:
            raise RtlilError(f"an RTLIL process drives {len(targets)} wires; it must be one")
        return targets.pop(), body

    def _body(self, module: Netlist, targets: set[str]) -> tuple[tuple[Statement, ...], str]:
        """Read statements up to a line that is none; return that line too."""
        result: list[Statement] = []
        while True:
            line = self._next()
            word, _, rest = line.partition(" ")
            if word == "assign":
                left, right = self._pair(module, rest)
                if len(left) != 1 or left[0].wire is None:
                    raise RtlilError(f"RTLIL line {line!r} does not assign to one wire")
                targets.add(left[0].wire)
                result.append(Assign(left[0].low, right))
            elif word == "switch":
                selector = self._sig(module, rest)
                cases = []
                line = self._next()
                while line != "end":
                    patterns = tuple(
                        part.partition("'")[2]
                        for part in line.removeprefix("case").split(",")
                        if part.strip()
                    )
                    body, line = self._body(module, targets)
                    cases.append((tuple(pattern.strip() for pattern in patterns), body))
                if not selector and len(cases) == 1:
                    result += cases[0][1]
                else:
                    result.append(Switch(selector, tuple(cases)))
            else:
                return tuple(result), line

    def _sig(self, module: Netlist, text: str) -> Sig:
        return self._parse(module, text.split(), 0)[0]

    def _pair(self, module: Netlist, text: str) -> tuple[Sig, Sig]:
        words = text.split()
        left, at = self._parse(module, words, 0)
        return left, self._parse(module, words, at)[0]

    def _parse(self, module: Netlist, words: list[str], at: int) -> tuple[Sig, int]:
        """Read one value from `words` on; return the place behind it, too."""
        head = words[at]
        at += 1
        if head == "{}":
            return (), at
        if head == "{":
            parts: list[Sig] = []
            while words[at] != "}":
                part, at = self._parse(module, words, at)
                parts.append(part)
            return joined(bits for part in reversed(parts) for bits in part), at + 1
        if head[0] in "\\$":
            if at < len(words) and words[at][0] == "[":
                high, _, low = words[at][1:-1].partition(":")
                first = int(low or high)
                return (Bits(head, first, int(high) - first + 1),), at + 1
            return module.whole(head), at
        width, quote, digits = head.partition("'")
        if not quote:
            return constant(int(width), 32), at
        if set(digits) - set("01"):
            raise RtlilError(f"RTLIL constant {head!r} is not known")
        return constant(int(digits or "0", 2), int(width)), at


def _parameter(text: str) -> int | str:
    if text.startswith('"'):
        return text[1:-1].replace("\\\\", "\\")
    if "'" in text:
        digits = text.partition("'")[2]
        return int(digits or "0", 2) if not set(digits) - set("01") else 0
    return int(text)


# --- cleaning ------------------------------------------------------------------------------------------------

_BITWISE = ("$and", "$or", "$xor", "$not", "$mux")
_CARRYING = ("$add", "$sub", "$neg", "$mul")
_COMPARING = ("$eq", "$ne", "$lt", "$le", "$gt", "$ge")
_ORDERING = ("$lt", "$le", "$gt", "$ge")
_PYTHON: dict[str, Callable[..., int]] = {
    "$add": operator.add,
    "$sub": operator.sub,
    "$mul": operator.mul,
    "$and": operator.and_,
    "$or": operator.or_,
    "$xor": operator.xor,
    "$not": operator.invert,
    "$neg": operator.neg,
    "$eq": operator.eq,
    "$ne": operator.ne,
    "$lt": operator.lt,
    "$le": operator.le,
    "$gt": operator.gt,
    "$ge": operator.ge,
    "$shl": operator.lshift,
    "$shr": operator.rshift,
    "$sshr": operator.rshift,
    "$reduce_or": bool,
    "$reduce_bool": bool,
    "$reduce_and": bool,
    "$reduce_xor": lambda value: value.bit_count() & 1,
}
_REDUCING = ("$reduce_or", "$reduce_bool", "$reduce_and", "$reduce_xor")
_COMMUTATIVE = ("$add", "$and", "$or", "$xor", "$eq", "$ne", "$mul")
_SHIFTING = ("$shl", "$shr", "$sshr")
_UNNAMED_PORT = re.compile(r"\\port\$\d+\$\d+")


def _anonymous(wire: str) -> bool:
    return wire.startswith("$")


def _sigs_of(statements: Iterable[Statement]) -> Iterator[Sig]:
    for statement in statements:
        if isinstance(statement, Assign):
            yield statement.value
        else:
            yield statement.selector
            for _, body in statement.cases:
                yield from _sigs_of(body)


def _mapped(statements: Iterable[Statement], change: Callable[[Sig], Sig]) -> tuple[Statement, ...]:
    """Return statements with every value and selector changed."""
    return tuple(
        Assign(statement.low, change(statement.value))
        if isinstance(statement, Assign)
        else Switch(
            change(statement.selector),
            tuple((patterns, _mapped(body, change)) for patterns, body in statement.cases),
        )
        for statement in statements
    )


def _restricted(statements: Iterable[Statement], low: int, width: int) -> tuple[Statement, ...]:
    """Return what `statements` do to `width` bits of their target from bit `low` on."""
    result: list[Statement] = []
    for statement in statements:
        if isinstance(statement, Switch):
            cases = tuple((patterns, _restricted(body, low, width)) for patterns, body in statement.cases)
            if any(body for _, body in cases):
                result.append(Switch(statement.selector, cases))
            continue
        first = max(low, statement.low)
        last = min(low + width, statement.low + width_of(statement.value))
        if first < last:
            result.append(Assign(first - low, cut(statement.value, first - statement.low, last - first)))
    return tuple(result)


def _settled(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """Return statements with choices made whose selector is a constant."""
    result: list[Statement] = []
    for statement in statements:
        if isinstance(statement, Assign):
            result.append(statement)
            continue
        cases = tuple((patterns, _settled(body)) for patterns, body in statement.cases)
        if (number := value_of(statement.selector)) is None:
            result.append(Switch(statement.selector, cases))
            continue
        digits = f"{number:0{width_of(statement.selector)}b}"
        result += next((body for patterns, body in cases if not patterns or digits in patterns), ())
    return tuple(result)


def _folded(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """Return statements with assignments that follow each other made as few as possible."""
    result: list[Statement] = []
    parts: dict[int, Bits] = {}

    def flush() -> None:
        run: list[Bits] = []
        start = 0
        for low in sorted(parts):
            if run and start + width_of(tuple(run)) != low:
                result.append(Assign(start, joined(run)))
                run = []
            start = start if run else low
            run.append(parts[low])
        if run:
            result.append(Assign(start, joined(run)))
        parts.clear()

    for statement in statements:
        if isinstance(statement, Switch):
            flush()
            result.append(statement)
            continue
        low, high = statement.low, statement.low + width_of(statement.value)
        for place in [place for place in parts if place < high and place + parts[place].width > low]:
            old = parts.pop(place)
            end = place + old.width
            for first, last in ((place, min(low, end)), (max(high, place), end)):
                if first < last:
                    (parts[first],) = cut((old,), first - place, last - first)
        at = low
        for part in statement.value:
            parts[at] = part
            at += part.width
    flush()
    return tuple(result)


def _without_overlap(
    cases: Iterable[tuple[tuple[str, ...], tuple[Statement, ...]]],
) -> tuple[tuple[tuple[str, ...], tuple[Statement, ...]], ...] | None:
    """Return cases in which no pattern comes twice, or ``None`` if patterns are not just constants."""
    seen: set[str] = set()
    result = []
    for patterns, body in cases:
        if any("-" in pattern for pattern in patterns):
            return None
        new = tuple(dict.fromkeys(pattern for pattern in patterns if pattern not in seen))
        seen.update(new)
        if new or not patterns:
            result.append((new, body))
        if not patterns:
            break
    return tuple(result)


def _computed(cell: Cell) -> int | None:
    """Return the value of an operator on constants, or of a comparison that has only one outcome."""
    ports, kind = cell.ports, cell.kind
    operands = [value_of(ports[port]) for port in ("A", "B") if port in ports]
    width = width_of(ports["A"])
    signed = kind == "$sshr" or cell.flag("SIGNED")
    low, high = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)

    def number(value: int) -> int:
        return value - (1 << width) if value > high else value

    if kind in _ORDERING and operands[1] is not None:
        limit = number(operands[1])
        if limit == low and kind in ("$lt", "$ge"):
            return int(kind == "$ge")
        if limit == high and kind in ("$gt", "$le"):
            return int(kind == "$le")
    if kind in _ORDERING and operands[0] is not None:
        limit = number(operands[0])
        if limit == low and kind in ("$gt", "$le"):
            return int(kind == "$le")
        if limit == high and kind in ("$lt", "$ge"):
            return int(kind == "$ge")
    if None in operands or kind not in _PYTHON:
        return None
    first, *rest = (operand for operand in operands if operand is not None)
    if signed:
        first = number(first)
        rest = [number(other) for other in rest] if kind in _ORDERING else rest
    if kind == "$reduce_and":
        return int(first == (1 << width) - 1)
    return int(_PYTHON[kind](first, *rest))


class _Cleaner:
    """Brings one module into the form that is written: exact widths, muxes for processes, registers."""

    def __init__(self, module: Netlist, *, keep_names: bool = True) -> None:
        self.module = module
        self.keep_names = keep_names
        self.replaced: dict[str, Sig] = {}

    def resolve(self, sig: Sig) -> Sig:
        """Return `sig` with replaced wires looked up."""
        if not any(part.wire in self.replaced for part in sig):
            return sig
        parts: list[Bits] = []
        for part in sig:
            if part.wire in self.replaced:
                parts += self.resolve(cut(self.replaced[part.wire], part.low, part.width))
            else:
                parts.append(part)
        return joined(parts)

    def _define(self, wire: str, sig: Sig) -> None:
        """Let a wire that was driven by a cell or a process be `sig` from now on."""
        if _anonymous(wire) or not (self.keep_names or wire in self.module.ports):
            self.replaced[wire] = sig
        else:
            self.module.connections[wire] = sig

    def _cell(self, kind: str, width: int, **ports: Sig) -> Sig:
        """Add an operator with a fresh output."""
        wire = self.module.new_wire(width)
        sig = self.module.whole(wire)
        self.module.cells.append(Cell(kind, wire, {}, {**ports, "Y": sig}))
        return sig

    def run(self) -> None:
        self._registers()
        for target, statements in self.module.processes.items():
            self._define(target, self._value_after(statements, self.module.whole(target)))
        self.module.processes = {}
        cells, self.module.cells = self.module.cells, []
        for cell in cells:
            self._exact(cell)
        if not self.keep_names:
            for wire in [wire for wire in self.module.connections if wire not in self.module.ports]:
                self.replaced[wire] = self.module.connections.pop(wire)
        while self._simplify():
            pass
        self.module.cells = [
            cell
            for cell in self.module.cells
            if cell.kind != "$memwr_v2" or value_of(self.resolve(cell.ports["EN"])) != 0
        ]
        self._adopt_names()
        self._apply()
        for register in self.module.registers:
            register.statements = _settled(register.statements)

    def _apply(self) -> None:
        """Look replaced wires up everywhere."""
        module = self.module
        for cell in module.cells:
            cell.ports = {name: self.resolve(sig) for name, sig in cell.ports.items()}
        for register in module.registers:
            register.statements = _mapped(register.statements, self.resolve)
            register.clock, register.reset = self.resolve(register.clock), self.resolve(register.reset)
        module.connections = {wire: self.resolve(sig) for wire, sig in module.connections.items()}
        module.aliases = {wire: self.resolve(sig) for wire, sig in module.aliases.items()}

    # --- registers and processes

    def _registers(self) -> None:
        module = self.module
        rest = []
        for cell in module.cells:
            if cell.kind not in ("$dff", "$adff"):
                rest.append(cell)
                continue
            (output,), data = cell.ports["Q"], cell.ports["D"]
            assert output.wire is not None
            source = data[0].wire if len(data) == 1 else None
            statements: tuple[Statement, ...] = (Assign(0, data),)
            if source in module.processes and data == module.whole(source) and _anonymous(source):
                statements = module.processes.pop(source)
            if statements and statements[0] == Assign(0, module.whole(output.wire)):
                statements = statements[1:]
            register = Register(output.wire, cell.ports["CLK"], cell.flag("CLK_POLARITY"), statements)
            if cell.kind == "$adff":
                register.reset, register.asynchronous = cell.ports["ARST"], True
                register.reset_value = int(cell.parameters["ARST_VALUE"])
            else:
                self._extract_reset(register)
            module.registers.append(register)
        module.cells = rest
        for register in module.registers:
            register.statements = self._tidy(register.statements)

    def _extract_reset(self, register: Register) -> None:
        match register.statements:
            case (*rest, Switch(selector, ((("1",), (Assign(0, value),)),))):
                width = self.module.widths[register.wire]
                if (number := value_of(value)) is not None and width_of(value) == width:
                    register.statements = tuple(rest)
                    register.reset, register.reset_value = selector, number

    def _tidy(self, statements: Iterable[Statement]) -> tuple[Statement, ...]:
        """Return clocked statements with every choice between single bits as a chain of ``if``."""
        result: list[Statement] = []
        for statement in statements:
            if isinstance(statement, Assign):
                result.append(statement)
                continue
            cases = [(patterns, self._tidy(body)) for patterns, body in statement.cases]
            while cases and not cases[-1][1]:
                cases.pop()
            if cases:
                result += self._chain(statement.selector, cases)
        return _folded(result)

    def _chain(
        self, selector: Sig, cases: list[tuple[tuple[str, ...], tuple[Statement, ...]]]
    ) -> tuple[Statement, ...]:
        if not cases:
            return ()
        if len(selector) == 1 and width_of(selector) > 1 and len(cases) > 1:
            constants = _without_overlap(cases)
            if constants is not None:
                return (Switch(selector, constants),)
        patterns, body = cases[0]
        if not patterns:
            return body
        condition, rest = self._matches(selector, patterns), self._chain(selector, cases[1:])
        if not body:
            return (Switch(self._cell("$not", 1, A=condition), ((("1",), rest),)),) if rest else ()
        if not rest:
            return (Switch(condition, ((("1",), body),)),)
        return (Switch(condition, ((("1",), body), ((), rest))),)

    def _matches(self, selector: Sig, patterns: Iterable[str]) -> Sig:
        """Return one bit: whether the selector matches one of the patterns."""
        result: Sig = ()
        for pattern in patterns:
            checked = [bit for bit, digit in enumerate(reversed(pattern)) if digit != "-"]
            looked = joined(part for bit in checked for part in cut(selector, bit, 1))
            wanted = joined(Bits(None, int(pattern[-1 - bit]), 1) for bit in checked)
            if not looked:
                return constant(1, 1)
            here = looked
            if (len(checked), value_of(wanted)) != (1, 1):
                here = self._cell("$eq", 1, A=looked, B=wanted)
            result = self._cell("$or", 1, A=result, B=here) if result else here
        return result

    def _value_after(self, statements: Iterable[Statement], value: Sig) -> Sig:
        """Return the value of a combinational target after `statements`."""
        for statement in statements:
            if isinstance(statement, Assign):
                end = statement.low + width_of(statement.value)
                rest = cut(value, end, width_of(value) - end)
                value = joined([*cut(value, 0, statement.low), *statement.value, *rest])
            else:
                value = self._value_after_switch(statement, value)
        return value

    def _value_after_switch(self, switch: Switch, value: Sig) -> Sig:
        branches = [(patterns, self._value_after(body, value)) for patterns, body in switch.cases]
        otherwise = value
        for index, (patterns, branch) in enumerate(branches):
            if not patterns:
                otherwise, branches = branch, branches[:index]
                break
        conditions = [self._matches(switch.selector, patterns) for patterns, _ in branches]
        edges = {0, width_of(value)}
        for sig in (otherwise, *(branch for _, branch in branches)):
            at = 0
            for part in sig:
                at += part.width
                edges.add(at)
        places = sorted(edges)
        result: list[Bits] = []
        run: list[int] = []

        def flush() -> None:
            if not run:
                return
            low, width = run[0], run[-1] - run[0]
            chosen = cut(otherwise, low, width)
            for condition, (_, branch) in zip(reversed(conditions), reversed(branches), strict=True):
                here = cut(branch, low, width)
                if here != chosen:
                    chosen = self._cell("$mux", width, S=condition, A=chosen, B=here)
            result.extend(chosen)
            run.clear()

        for low, high in pairwise(places):
            kept = cut(otherwise, low, high - low)
            if all(cut(branch, low, high - low) == kept for _, branch in branches):
                flush()
                result.extend(kept)
            else:
                run[:] = [run[0] if run else low, high]
        flush()
        return joined(result)

    # --- operators

    def _exact(self, cell: Cell) -> None:
        """Make the operands of a cell as wide as it computes, or replace the cell by wires."""
        kind, ports = cell.kind, cell.ports
        if kind.startswith("\\") or kind in ("$memrd_v2", "$memwr_v2"):
            self.module.cells.append(cell)
            return
        if kind == "$meminit_v2":
            memory = self.module.memories[str(cell.parameters["MEMID"])]
            memory.contents = value_of(ports["DATA"]) or 0
            return
        (output,) = ports["Y"]
        assert output.wire is not None
        signed = cell.flag("A_SIGNED")
        width = output.width
        if kind in ("$shl", "$shr", "$sshr", "$shift"):
            self._define(output.wire, self._shifted(cell, signed, width))
            return
        if kind in _COMPARING:
            both = max(width_of(ports["A"]), width_of(ports["B"]), 1)
            cell.ports |= {name: resized(ports[name], both, signed) for name in "AB"}
            cell.parameters = {"SIGNED": signed} if signed and kind not in ("$eq", "$ne") else {}
        elif kind in ("$divfloor", "$modfloor") and not signed:
            both = max(width, width_of(ports["A"]), width_of(ports["B"]))
            cell.ports = {name: resized(ports[name], both) for name in "AB"}
            self._define(output.wire, cut(self._cell(kind, both, **cell.ports), 0, width))
            return
        elif kind in (*_BITWISE, *_CARRYING):
            cell.ports |= {name: resized(ports[name], width, signed) for name in "AB" if name in ports}
            cell.parameters = {}
        elif kind not in _REDUCING:
            raise RtlilError(f"cells of kind {kind!r} cannot be written as Verilog by this writer")
        self.module.cells.append(cell)

    def _shifted(self, cell: Cell, signed: bool, width: int) -> Sig:
        """Return a shifted value: wires for a constant distance, else an operator."""
        value, distance = cell.ports["A"], cell.ports["B"]
        if cell.kind == "$shift":
            reach = (1 << width_of(distance)) - 1 + width
            if len(value) == 1 and value[0].wire and reach <= value[0].width:
                return self._cell("$part", width, A=value, B=distance)
            cell.kind = "$shr"
        if cell.kind == "$sshr" and not signed:
            cell.kind = "$shr"
        both = max(width, width_of(value))
        cell.ports["A"] = resized(value, both, signed)
        steps = value_of(distance)
        if steps is not None:
            return self._shifted_by(cell, steps, width)
        return cut(self._cell(cell.kind, both, A=cell.ports["A"], B=distance), 0, width)

    def _shifted_by(self, cell: Cell, steps: int, width: int) -> Sig:
        """Return a value shifted by a constant; its operand has the width that is computed with."""
        value = cell.ports["A"]
        steps = min(steps, width_of(value))
        if cell.kind == "$shl":
            return resized(joined([*constant(0, steps), *value]), width)
        rest = cut(value, steps, width_of(value) - steps) or cut(value, width_of(value) - 1, 1)
        if steps == width_of(value) and cell.kind != "$sshr":
            rest = ()
        return resized(rest, width, cell.kind == "$sshr")

    def _simplify(self) -> bool:
        """Replace operators that are wires, and equal ones by one of them; say whether there were any."""
        found = False
        seen: dict[object, Sig] = {}
        cells, self.module.cells = self.module.cells, []
        rest = []
        for cell in cells:
            cell.ports = {name: self.resolve(sig) for name, sig in cell.ports.items()}
            if cell.kind.startswith("\\") or cell.kind in ("$memrd_v2", "$memwr_v2"):
                rest.append(cell)
                continue
            (output,) = cell.ports["Y"]
            assert output.wire is not None
            simpler = self._simpler(cell)
            operands = sorted((name, sig) for name, sig in cell.ports.items() if name != "Y")
            if cell.kind in _COMMUTATIVE:
                operands.sort(key=lambda item: str(item[1]))
                operands = [("", sig) for _, sig in operands]
            key = (cell.kind, tuple(cell.parameters.items()), tuple(operands), output.width)
            if simpler is None and key in seen and _anonymous(output.wire):
                simpler = seen[key]
            if simpler is None:
                seen.setdefault(key, cell.ports["Y"])
                rest.append(cell)
            else:
                found = True
                self._define(output.wire, simpler)
        # What was added on the way.
        self.module.cells = rest + self.module.cells
        return found

    def _simpler(self, cell: Cell) -> Sig | None:
        """Return what a cell is if it is no more than wires; may turn it into a simpler kind."""
        ports, kind = cell.ports, cell.kind
        width = ports["Y"][0].width
        number = _computed(cell)
        if number is not None:
            return constant(number, width)
        if kind in ("$eq", "$ne") and value_of(ports["A"]) is not None:
            ports["A"], ports["B"] = ports["B"], ports["A"]
        if kind in ("$eq", "$ne") and width_of(ports["A"]) == 1 and value_of(ports["B"]) is not None:
            if (value_of(ports["B"]) == 1) == (kind == "$eq"):
                return ports["A"]
            cell.kind, cell.ports = "$not", {"A": ports["A"], "Y": ports["Y"]}
        elif kind in _REDUCING and width_of(ports["A"]) <= 1:
            return resized(ports["A"], 1) if ports["A"] else constant(kind == "$reduce_and", 1)
        elif kind == "$mux":
            return self._simpler_mux(cell, width)
        elif kind in ("$part", *_SHIFTING) and (steps := value_of(ports["B"])) is not None:
            return self._shifted_by(cell, steps, width)
        elif kind == "$part" and not (
            ports["A"][0].wire and ports["A"] == self.module.whole(ports["A"][0].wire)
        ):
            whole = max(width, width_of(ports["A"]))
            shifted = self._cell("$shr", whole, A=resized(ports["A"], whole), B=ports["B"])
            return cut(shifted, 0, width)
        elif kind in ("$and", "$or"):
            zero, ones = constant(0, width), constant(-1, width)
            for one, other in (("A", "B"), ("B", "A")):
                if ports[one] == (zero if kind == "$and" else ones):
                    return ports[one]
                if ports[one] == (ones if kind == "$and" else zero):
                    return ports[other]
            if ports["A"] == ports["B"]:
                return ports["A"]
        elif kind in ("$add", "$sub") and value_of(ports["B"]) == 0:
            return ports["A"]
        return None

    def _simpler_mux(self, cell: Cell, width: int) -> Sig | None:
        condition, no, yes = cell.ports["S"], cell.ports["A"], cell.ports["B"]
        if no == yes:
            return no
        if (chosen := value_of(condition)) is not None:
            return yes if chosen else no
        if width == 1:
            output = cell.ports["Y"]
            if (value_of(no), value_of(yes)) == (0, 1):
                return condition
            if (value_of(no), value_of(yes)) == (1, 0):
                cell.kind, cell.ports = "$not", {"A": condition, "Y": output}
            elif value_of(no) == 0:
                cell.kind, cell.ports = "$and", {"A": condition, "B": yes, "Y": output}
            elif value_of(yes) == 1:
                cell.kind, cell.ports = "$or", {"A": condition, "B": no, "Y": output}
            elif value_of(yes) == 0:
                cell.kind, cell.ports = (
                    "$and",
                    {"A": self._cell("$not", 1, A=condition), "B": no, "Y": output},
                )
            elif value_of(no) == 1:
                cell.kind, cell.ports = (
                    "$or",
                    {"A": self._cell("$not", 1, A=condition), "B": yes, "Y": output},
                )
        return None

    def _adopt_names(self) -> None:
        """Give a wire that is unnamed, or only there to become an output, the name that the source has for it."""
        module = self.module
        driven = {
            cell.wire(port): (cell, port)
            for cell in module.cells
            for port in cell.outputs
            if cell.ports.get(port)
        }
        for name, sig in list(module.connections.items()):
            sig = self.resolve(sig)
            wire = str(sig[0].wire) if len(sig) == 1 else ""
            if wire not in driven or wire in module.ports or sig != module.whole(wire):
                continue
            if _anonymous(wire) or _plain(wire) == _plain(name):
                cell, port = driven.pop(wire)
                del module.connections[name]
                cell.ports[port] = module.whole(name)
                self.replaced[wire] = module.whole(name)


def _merge_ports(modules: dict[str, Netlist]) -> None:
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
                    _UNNAMED_PORT.fullmatch(name)
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
            cleaner = _Cleaner(child)
            cleaner.replaced = replaced
            cleaner._apply()
            child.processes = {
                target: _mapped(body, cleaner.resolve) for target, body in child.processes.items()
            }


class _Pruner:
    """Removes what nothing depends on, down to the bit where an operator allows it, in all modules at once."""

    def __init__(self, modules: dict[str, Netlist], top: str) -> None:
        self.modules = modules
        self.needed: dict[tuple[str, str], int] = {}
        self.drivers: dict[tuple[str, str], Callable[[int], None]] = {}
        self.outside: dict[tuple[str, str], tuple[Netlist, Sig]] = {}
        self.live_memories: set[tuple[str, str]] = set()
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
            if cell.kind in _BITWISE and port != "S":
                self.need(module, sig, mask)
            elif cell.kind in _CARRYING or (cell.kind == "$shl" and port == "A"):
                self.need(module, sig, (1 << mask.bit_length()) - 1)
            else:
                self.need(module, sig)

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
                    port: sig
                    for port, sig in cell.ports.items()
                    if self.needed.get((child.name, "\\" + port))
                }
                live = bool(cell.ports)
            else:
                live = cell.kind.startswith("\\") or needed[cell.wire("Y")] != 0
            if live:
                cells.append(cell)
        module.cells = cells
        if not keep_ports:
            module.ports = {wire: way for wire, way in module.ports.items() if needed[wire]}
        for cell in module.cells:
            self._narrow(module, cell, needed)
        for register in module.registers:
            self._narrow_register(module, register, needed)
        self._drop_dead_bits(module, needed, keep_ports)

    def _narrow(self, module: Netlist, cell: Cell, needed: dict[str, int]) -> None:
        """Cut the upper bits of an operator that nothing needs."""
        if cell.kind not in (*_BITWISE, *_CARRYING, "$shl"):
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
        register.statements = _restricted(register.statements, 0, width)
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
            register.statements = _mapped(register.statements, living)
        module.connections = {wire: living(sig) for wire, sig in module.connections.items()}


def _indexed(module: Netlist) -> set[str]:
    """Return the wires of which a part is chosen at run time; they stay whole."""
    return {cell.wire("A") for cell in module.cells if cell.kind == "$part"}


def _split_fields(module: Netlist) -> None:
    """Make one register per field of a register of which only some fields are read."""
    fields: dict[str, dict[str, Bits]] = {}
    for alias, sig in module.aliases.items():
        base, _, rest = alias.partition(".")
        if rest and not set(rest) & set(".[") and len(sig) == 1 and sig[0].wire == base:
            fields.setdefault(base, {})[f"{base}_{rest}"] = sig[0]
    read, indexed = _read_bits(module), _indexed(module)
    replaced: dict[str, Sig] = {}
    registers = []
    for register in module.registers:
        wire, width = register.wire, module.widths[register.wire]
        parts = sorted(fields.get(wire, {}).items(), key=lambda item: item[1].low)
        parts = [(name, part) for name, part in parts if part.low + part.width <= width]
        covered = all(part.low + part.width == following.low for (_, part), (_, following) in pairwise(parts))
        if (
            wire in module.ports
            or wire in indexed
            or len(parts) < 2
            or not covered
            or parts[0][1].low
            or read[wire] == (1 << width) - 1
        ):
            registers.append(register)
            continue
        end = parts[-1][1].low + parts[-1][1].width
        if end < width:
            parts.append((f"{wire}_rest", Bits(wire, end, width - end)))
        pieces: list[Bits] = []
        for name, part in parts:
            if not read[wire] >> part.low & (1 << part.width) - 1:
                pieces.append(Bits(None, 0, part.width))
                continue
            while name in module.widths:
                name += "_"
            module.widths[name] = part.width
            mask = (1 << part.width) - 1
            module.initial[name] = module.initial.get(wire, 0) >> part.low & mask
            registers.append(
                Register(
                    name,
                    register.clock,
                    register.rising,
                    _restricted(register.statements, part.low, part.width),
                    register.reset,
                    register.reset_value >> part.low & mask,
                    register.asynchronous,
                )
            )
            pieces.append(Bits(name, 0, part.width))
        replaced[wire] = tuple(pieces)
    module.registers = registers
    cleaner = _Cleaner(module)
    cleaner.replaced = replaced
    cleaner._apply()


WIDE = 64
"""Registers of more bits are split where what reads them allows it."""


def _split_wide(module: Netlist) -> bool:
    """Make a register per lane of a register that is read lane by lane; say whether there was one.

    A simulator moves such registers at once where they are copied, and need not cut them out of a word.
    """
    reads: dict[str, list[tuple[int, int]]] = {}
    indexed = _indexed(module)
    for sig in _all_read(module):
        for part in sig:
            if part.wire is not None and part.width <= WIDE:
                reads.setdefault(part.wire, []).append((part.low, part.low + part.width))
    replaced: dict[str, Sig] = {}
    registers = []
    for register in module.registers:
        wire, width = register.wire, module.widths[register.wire]
        ranges = _unions(reads.get(wire, []))
        if wire in module.ports or wire in indexed or width <= WIDE or len(ranges) < 2:
            registers.append(register)
            continue
        edges = sorted({0, width, *(edge for pair in ranges for edge in pair)})
        pieces = []
        for number, (low, high) in enumerate(pairwise(edges)):
            name = f"{wire}_{number}"
            while name in module.widths:
                name += "_"
            mask = (1 << (high - low)) - 1
            module.widths[name] = high - low
            module.initial[name] = module.initial.get(wire, 0) >> low & mask
            registers.append(
                Register(
                    name,
                    register.clock,
                    register.rising,
                    _restricted(register.statements, low, high - low),
                    register.reset,
                    register.reset_value >> low & mask,
                    register.asynchronous,
                )
            )
            pieces.append(Bits(name, 0, high - low))
        replaced[wire] = tuple(pieces)
    module.registers = registers
    if not replaced:
        return False
    cleaner = _Cleaner(module)
    cleaner.replaced = replaced
    cleaner._apply()
    return True


def _read_bits(module: Netlist) -> Counter[str]:
    """Return, for each wire, the mask of bits that something in the module reads."""
    read: Counter[str] = Counter()
    for sig in _all_read(module):
        for part in sig:
            if part.wire is not None:
                read[part.wire] |= (1 << part.width) - 1 << part.low
    for wire, direction in module.ports.items():
        if direction == "output":
            read[wire] = (1 << module.widths[wire]) - 1
    return read


def _all_read(module: Netlist) -> Iterator[Sig]:
    """Return every value that is read in the module."""
    for cell in module.cells:
        for port, sig in cell.ports.items():
            if port not in cell.outputs:
                yield sig
    for register in module.registers:
        yield register.clock
        yield register.reset
        yield from _sigs_of(register.statements)
    yield from module.connections.values()


# --- writing -------------------------------------------------------------------------------------------------

_KEYWORDS_TEXT = """
accept_on alias always always_comb always_ff always_latch and assert assign assume automatic before begin
bind bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class clocking
cmos config const constraint context continue cover covergroup coverpoint cross deassign default defparam
design disable dist do edge else end endcase endchecker endclass endclocking endconfig endfunction
endgenerate endgroup endinterface endmodule endpackage endprimitive endprogram endproperty endspecify
endsequence endtable endtask enum event eventually expect export extends extern final first_match for
force foreach forever fork forkjoin function generate genvar global highz0 highz1 if iff ifnone
ignore_bins illegal_bins implements implies import incdir include initial inout input inside instance int
integer interconnect interface intersect join join_any join_none large let liblist library local
localparam logic longint macromodule matches medium modport module nand negedge nettype new nexttime nmos
nor noshowcancelled not notif0 notif1 null or output package packed parameter pmos posedge primitive
priority program property protected pull0 pull1 pulldown pullup pulsestyle_ondetect pulsestyle_onevent
pure rand randc randcase randsequence rcmos real realtime ref reg reject_on release repeat restrict return
rnmos rpmos rtran rtranif0 rtranif1 s_always s_eventually s_nexttime s_until s_until_with scalared
sequence shortint shortreal showcancelled signed small soft solve specify specparam static string strong
strong0 strong1 struct super supply0 supply1 sync_accept_on sync_reject_on table tagged task this
throughout time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg type typedef
union unique unique0 unsigned until until_with untyped use uwire var vectored virtual void wait wait_order
wand weak weak0 weak1 while wildcard wire with within wor xnor xor
"""
KEYWORDS = frozenset(_KEYWORDS_TEXT.split())
"""Words that Verilog or SystemVerilog keeps for itself."""
_RESULT = "%FUNCTION%"
"""Stands for the name of a function, which is also its result, until it has one."""
INLINE_UP_TO = 88
"""An unnamed value that is used once is written where it is used, up to so many characters."""

_BINARY = {
    "$add": "+",
    "$sub": "-",
    "$mul": "*",
    "$and": "&",
    "$or": "|",
    "$xor": "^",
    "$eq": "==",
    "$ne": "!=",
    "$lt": "<",
    "$le": "<=",
    "$gt": ">",
    "$ge": ">=",
    "$shl": "<<",
    "$shr": ">>",
    "$divfloor": "/",
    "$modfloor": "%",
}
_UNARY = {
    "$not": "~",
    "$neg": "-",
    "$reduce_or": "|",
    "$reduce_bool": "|",
    "$reduce_and": "&",
    "$reduce_xor": "^",
}


def _number(value: int, width: int) -> str:
    if width == 1:
        return f"1'b{value}"
    return f"{width}'d{value}" if value < 10 else f"{width}'h{value:x}"


def _range(width: int) -> str:
    return f"[{width - 1}:0] " if width > 1 else ""


def _plain(name: str) -> str:
    """Return a name of the source as a Verilog identifier, without the numbers that Amaranth appends."""
    name = re.sub(r"\$\d+", "", name.lstrip("\\"))
    name = re.sub(r"\W+", "_", name).strip("_")
    name = re.sub(r"__+", "_", name)
    return f"n_{name}" if not name or name[0].isdigit() else name


class _Names:
    """Hands out identifiers, each once."""

    def __init__(self, used: Iterable[str] = ()) -> None:
        self._used = {*KEYWORDS, *used}

    @property
    def used(self) -> frozenset[str]:
        return frozenset(self._used)

    def take(self, wish: str) -> str:
        name, number = wish, 1
        if wish in KEYWORDS:
            wish = name = f"{wish}_"
        while name in self._used:
            number += 1
            name = f"{wish}_{number}"
        self._used.add(name)
        return name


@dataclass(frozen=True)
class Write:
    """A register gets a value."""

    wire: str
    assign: Assign


@dataclass
class Choice:
    """Several registers do what the selector says."""

    selector: Sig
    cases: list[tuple[tuple[str, ...], list[Write | Choice]]]


def _merged(items: list[tuple[str, tuple[Statement, ...]]]) -> list[Write | Choice]:
    """Return what the statements of several registers do together, with equal choices made once."""
    result: list[Write | Choice] = []
    groups: dict[object, list[tuple[str, Switch]]] = {}
    places: dict[object, int] = {}
    for wire, statements in items:
        for statement in statements:
            if isinstance(statement, Assign):
                result.append(Write(wire, statement))
                continue
            key: object = (statement.selector, tuple(patterns for patterns, _ in statement.cases))
            if len(statements) > 1:
                key = object()
            if key not in groups:
                places[key] = len(result)
                result.append(Choice(statement.selector, []))
            groups.setdefault(key, []).append((wire, statement))
    for key, members in groups.items():
        cases: list[tuple[tuple[str, ...], list[Write | Choice]]] = []
        for index, (patterns, _) in enumerate(members[0][1].cases):
            bodies = [(wire, switch.cases[index][1]) for wire, switch in members]
            cases.append((patterns, _merged(bodies)))
        result[places[key]] = Choice(members[0][1].selector, cases)
    return result


class _Writer:
    """Writes one module."""

    def __init__(
        self,
        module: Netlist,
        name: str = "",
        writers: dict[str, _Writer] | None = None,
        outer: frozenset[str] | None = None,
    ) -> None:
        self.module = module
        self.name = name
        self.writers = {} if writers is None else writers
        self.outer = outer
        self.lines: list[str] = []
        self.cell_of = {
            cell.wire(port): cell
            for cell in module.cells
            for port in cell.outputs
            if port in cell.ports and cell.kind != "$memwr_v2"
        }
        self.operators = {
            wire: cell
            for wire, cell in self.cell_of.items()
            if cell.kind.startswith("$") and cell.kind != "$memrd_v2"
        }
        self.registers = {register.wire: register for register in module.registers}
        self.clocked_reads = {
            wire
            for wire, cell in self.cell_of.items()
            if cell.kind == "$memrd_v2" and cell.flag("CLK_ENABLE")
        }
        self._texts: dict[str, str] = {}
        self._uses: Counter[str] = Counter()
        self._fixed: set[str] = set()
        self._count_uses()
        self.names: dict[str, str] = {}
        self.instance_names: dict[str, str] = {}
        self._unnamed = _Names(outer or ())
        self._serial = 0
        self._functions: dict[str, str] = {}
        self._guards = self._find_guards()
        self._give_names()

    # --- names

    def _count_uses(self) -> None:
        for sig in _all_read(self.module):
            for part in sig:
                if part.wire is not None:
                    self._uses[part.wire] += 1
                    if (part,) != self.module.whole(part.wire):
                        self._fixed.add(part.wire)
        transparent = any(cell.parameters.get("TRANSPARENCY_MASK") for cell in self.module.cells)
        for cell in self.module.cells:
            if transparent and cell.kind == "$memwr_v2":
                self._fixed |= {str(part.wire) for sig in cell.ports.values() for part in sig}
            if cell.kind.startswith("\\") or cell.kind == "$part":
                self._fixed |= {str(part.wire) for sig in cell.ports.values() for part in sig}
            if cell.kind == "$sshr":
                self._fixed.add(cell.wire("Y"))
            if cell.kind == "$memwr_v2" and len(list(_runs(cell.ports["EN"]))) > 1:
                self._fixed |= {str(part.wire) for part in cell.ports["DATA"]}

    def _give_names(self) -> None:
        module, names = self.module, self._unnamed
        for wire in sorted(module.ports, key=lambda wire: wire not in ("\\clk", "\\rst")):
            if wire == _RESULT:
                self.names[wire] = _RESULT
            elif _UNNAMED_PORT.fullmatch(wire):
                self.names[wire] = names.take(self._wish_of_port(wire))
            elif module.is_top:
                # Who uses the module knows these names, whatever they are.
                name = wire[1:]
                plain = re.fullmatch(r"[A-Za-z_]\w*", name) and name not in KEYWORDS
                self.names[wire] = names.take(name if plain else f"\\{name} ")
            else:
                self.names[wire] = names.take(_plain(wire))
        own = _plain(module.name.rpartition(".")[2])
        for wire in module.memories:
            name = _plain(wire)
            # An array with the name of the instance that holds it would hide it.
            self.names[wire] = names.take(f"{name}_words" if name == own else name)
        for wire in [*self.registers, *self.cell_of, *module.connections]:
            if wire not in self.names and not _anonymous(wire) and wire not in self._guards:
                self.names[wire] = names.take(self._wish(wire))
        for cell in module.cells:
            if cell.kind.startswith("\\"):
                self.instance_names[cell.name] = names.take(_plain(cell.name))
                for port in cell.outputs:
                    wire = cell.wire(port) if port in cell.ports else ""
                    if wire and wire not in self.names:
                        self.names[wire] = names.take(f"{_plain(cell.name)}_{_plain(port)}")
        self._given = names.used

    def _wish_of_port(self, wire: str) -> str:
        for alias, sig in self.module.aliases.items():
            if any(part.wire == wire for part in sig) and "." not in alias:
                return _plain(alias)
        return "port"

    def _name(self, wire: str) -> str:
        if wire not in self.names:
            self._serial += 1
            wish = f"{'n' if self.outer is None else 't'}{self._serial}"
            self.names[wire] = self._unnamed.take(wish if _anonymous(wire) else self._wish(wire))
        return self.names[wire]

    def _wish(self, wire: str) -> str:
        """Return the name that a wire should have; inside of a function that serves all lanes without number."""
        return _plain(wire) if self.outer is None else re.sub(r"_\d+$", "", _plain(wire))

    # --- functions

    def _find_guards(self) -> dict[str, object]:
        """Return the operators that matter to nothing but registers under one condition, with that condition.

        They are written as functions inside of that condition: a simulator then evaluates them only when the
        condition holds, and lanes that do the same share one text.
        """
        uses: dict[str, set[object]] = {}

        def use(sig: Sig, where: object) -> None:
            for part in sig:
                if part.wire in self.operators:
                    uses.setdefault(str(part.wire), set()).add(where)

        def visit(statements: Iterable[Statement], guard: object) -> None:
            for statement in statements:
                if isinstance(statement, Assign):
                    use(statement.value, guard)
                    continue
                use(statement.selector, None)
                for patterns, body in statement.cases:
                    visit(body, guard or (statement.selector, patterns))

        transparent = any(cell.parameters.get("TRANSPARENCY_MASK") for cell in self.module.cells)
        users: dict[str, list[str]] = {}
        for wire, cell in self.operators.items():
            for port, sig in cell.ports.items():
                for part in sig if port != "Y" else ():
                    if part.wire in self.operators:
                        users.setdefault(str(part.wire), []).append(wire)
        for register in self.module.registers:
            use(register.reset, None)
            visit(register.statements, None)
        for sig in self.module.connections.values():
            use(sig, None)
        for cell in self.module.cells:
            if cell.kind.startswith("\\") or cell.kind in ("$memrd_v2", "$memwr_v2"):
                enables = list(_runs(cell.ports["EN"])) if cell.kind == "$memwr_v2" else []
                alone = len(enables) == 1 and not transparent
                for port, sig in cell.ports.items():
                    use(sig, (enables[0][2], ("1",)) if port == "DATA" and alone else None)
        result: dict[str, object] = {}
        for wire in self._readers_first(users):
            guards = set(uses.get(wire, ())) | {result.get(user) for user in users.get(wire, ())}
            if len(guards) == 1 and None not in guards and wire not in self.module.ports:
                (result[wire],) = guards
        return result

    def _readers_first(self, users: dict[str, list[str]]) -> list[str]:
        """Return the operators, each behind all that read it."""
        order: list[str] = []
        done: set[str] = set()
        for start in self.operators:
            stack = [(start, False)]
            while stack:
                wire, ready = stack.pop()
                if ready:
                    order.append(wire)
                elif wire not in done:
                    done.add(wire)
                    stack.append((wire, True))
                    stack += [(user, False) for user in users.get(wire, ()) if user not in done]
        return order

    def _assigned(self, target: str, value: Sig) -> str:
        """Return what a register is assigned, with calls for what no wire holds."""
        groups: list[list[Bits]] = []
        for part in value:
            if groups and part.wire in self._guards and groups[-1][-1].wire == part.wire:
                groups[-1].append(part)
            else:
                groups.append([part])
        texts = [
            self._call(target, tuple(group)) if group[0].wire in self._guards else self.sig(tuple(group))
            for group in groups
        ]
        if not any(part.wire in self._guards for part in value):
            return self.sig(value)
        return texts[0] if len(texts) == 1 else "{" + ", ".join(reversed(texts)) + "}"

    def _call(self, target: str, result: Sig) -> str:
        """Return an expression for bits of an operator that is written inside of a condition."""
        root = str(result[0].wire)
        cone: dict[str, Cell] = {}
        leaves: dict[str, list[tuple[int, int]]] = {}
        pending = [root]
        while pending:
            wire = pending.pop()
            if wire in cone:
                continue
            cone[wire] = self.operators[wire]
            for port, sig in sorted(self.operators[wire].ports.items()):
                for part in sig if port != "Y" else ():
                    if part.wire in self._guards:
                        pending.append(str(part.wire))
                    elif part.wire is not None:
                        leaves.setdefault(part.wire, []).append((part.low, part.low + part.width))
        inner = [wire for wire in cone if wire != root]
        if (
            result == self.module.whole(root)
            and all(self._single(wire) for wire in cone)
            and all(self._inlined(wire) for wire in inner)
        ):
            text = self._text(root)
            if len(text) <= INLINE_UP_TO:
                return text
        pseudo = Netlist(root)
        arguments: list[Bits] = []
        taken = _Names(self._given)
        replaced: dict[str, list[tuple[Bits, str]]] = {}
        for wire, ranges in leaves.items():
            for low, high in _unions(ranges):
                wish = "a" if _anonymous(wire) else re.sub(r"_\d+$", "", _plain(wire))
                name = "\\" + taken.take(f"{wish}_in" if wish in self._given else wish)
                pseudo.ports[name], pseudo.widths[name] = "input", high - low
                arguments.append(Bits(wire, low, high - low))
                replaced.setdefault(wire, []).append((arguments[-1], name))

        def inside(sig: Sig) -> Sig:
            parts = []
            for part in sig:
                for argument, name in replaced.get(part.wire or "", ()):
                    if argument.low <= part.low < argument.low + argument.width:
                        part = Bits(name, part.low - argument.low, part.width)
                        break
                parts.append(part)
            return joined(parts)

        for wire, cell in cone.items():
            pseudo.widths[wire] = self.module.widths[wire]
            ports = {port: sig if port == "Y" else inside(sig) for port, sig in cell.ports.items()}
            pseudo.cells.append(Cell(cell.kind, cell.name, cell.parameters, ports))
        pseudo.cells.reverse()
        pseudo.ports[_RESULT], pseudo.widths[_RESULT] = "output", width_of(result)
        pseudo.connections[_RESULT] = result
        text = _Writer(pseudo, outer=self._given).function()
        if text not in self._functions:
            base = re.sub(r"_\d+$", "", self.names[target])
            self._functions[text] = self._unnamed.take(f"next_{base}")
        values = ", ".join(self.sig((argument,)) for argument in arguments)
        return f"{self._functions[text]}({values})"

    def function(self) -> str:
        """Return this module, which has one output and no state, as a function with a blank for its name."""
        module, widths = self.module, self.module.widths
        lines = []
        for wire, text in self._in_order():
            lines += self._wrapped(f"{self._name(wire)} = {text};", 3)
        locals_ = [
            f"    reg {_range(widths[wire])}{name};"
            for wire, name in self.names.items()
            if wire not in module.ports
        ]
        unused = self._unused_bits()
        if unused:
            locals_.append("    reg unused_bits;")
            lines += self._wrapped(f"unused_bits = &{self.sig((*unused, Bits(None, 0, 1)))};", 3)
        inputs = ", ".join(
            f"input {_range(widths[wire])}{self.names[wire]}"
            for wire, way in module.ports.items()
            if way == "input"
        )
        head = self._wrapped(f"function automatic {_range(widths[_RESULT])}{_RESULT}({inputs});", 1)
        return "\n".join([*head, *locals_, "    begin", *lines, "    end", "  endfunction"])

    # --- expressions

    def _inlined(self, wire: str) -> bool:
        """Return whether a wire is written where it is used."""
        return self._single(wire) and len(self._text(wire)) <= INLINE_UP_TO

    def _single(self, wire: str) -> bool:
        """Return whether a wire has no name and is used once, as a whole."""
        return (
            _anonymous(wire)
            and wire in self.operators
            and self._uses[wire] == 1
            and wire not in self._fixed
            and wire not in self.names
        )

    def _text(self, wire: str) -> str:
        """Return the expression of an operator."""
        if wire not in self._texts:
            self._texts[wire] = self._operator(self.operators[wire])
        return self._texts[wire]

    def _operator(self, cell: Cell) -> str:
        ports, kind = cell.ports, cell.kind
        if kind == "$mux":
            condition, yes = self._operand(ports["S"]), self._operand(ports["B"])
            return f"{condition} ? {yes} : {self._operand(ports['A'], mux=True)}"
        if kind in _UNARY:
            return f"{_UNARY[kind]}{self._operand(ports['A'], 'unary')}"
        if kind == "$part":
            # An index is as wide as it takes to name every bit.
            index = self.sig(resized(ports["B"], (width_of(ports["A"]) - 1).bit_length()))
            return f"{self._name(cell.wire('A'))}[{index} +: {width_of(ports['Y'])}]"
        if kind == "$sshr":
            return f"$signed({self.sig(ports['A'])}) >>> {self._operand(ports['B'])}"
        if cell.flag("SIGNED"):
            return f"$signed({self.sig(ports['A'])}) {_BINARY[kind]} $signed({self.sig(ports['B'])})"
        left, right = self._operand(ports["A"], kind), self._operand(ports["B"])
        return f"{left} {_BINARY[kind]} {right}"

    def _operand(self, sig: Sig, kind: str = "", *, mux: bool = False) -> str:
        """Return an operand, in parentheses where it needs some."""
        wire = sig[0].wire if len(sig) == 1 else None
        if wire is None or not self._inlined(wire):
            return self.sig(sig)
        inner = self.operators[wire].kind
        if (mux and inner == "$mux") or (kind == inner and kind in ("$and", "$or", "$xor", "$add")):
            return self._text(wire)
        if inner in ("$not", "$part") and kind != "unary":
            return self._text(wire)
        return f"({self._text(wire)})"

    def sig(self, sig: Sig) -> str:
        """Return bits side by side as a name, a constant, an expression or a concatenation."""
        parts = [(part, 1) for part in sig]
        merged: list[tuple[Bits, int]] = []
        for part, count in parts:
            if merged and merged[-1][0] == part and part.wire is not None:
                merged[-1] = (part, merged[-1][1] + count)
            else:
                merged.append((part, count))
        texts = [
            self._part(part) if count == 1 else f"{{{count}{{{self._part(part)}}}}}" for part, count in merged
        ]
        if len(texts) == 1:
            return texts[0]
        return "{" + ", ".join(reversed(texts)) + "}"

    def _part(self, part: Bits) -> str:
        if part.wire is None:
            return _number(part.low, part.width)
        width = self.module.widths[part.wire]
        if part.width == width:
            return self._text(part.wire) if self._inlined(part.wire) else self._name(part.wire)
        name = self._name(part.wire)
        if part.width == 1:
            return f"{name}[{part.low}]"
        return f"{name}[{part.low + part.width - 1}:{part.low}]"

    # --- module

    def write(self) -> str:
        module = self.module
        ports = [self._port(wire) for wire in sorted(module.ports, key=lambda w: w not in ("\\clk", "\\rst"))]
        self.lines = [f"module {self.name} ("]
        self.lines += [f"  {port}," for port in ports[:-1]] + [f"  {ports[-1]}", ");"]
        wires, memory_ports, clocked = self._wires(), self._memory_ports(), self._clocked()
        functions = [line for text, name in self._functions.items() for line in _named_function(text, name)]
        body = [
            self._memories(),
            self._declarations(),
            wires,
            functions,
            self._instances(),
            self._initial(),
            memory_ports,
            clocked,
            self._unused(),
        ]
        for part in body:
            if part:
                self.lines += [*part, ""]
        if self.lines[-1] == "":
            self.lines.pop()
        self.lines.append("endmodule")
        return "\n".join(self.lines) + "\n"

    def _port(self, wire: str) -> str:
        kind = self.module.ports[wire]
        if wire in self.registers or wire in self.clocked_reads:
            kind += " reg"
        return f"{kind} {_range(self.module.widths[wire])}{self.names[wire]}"

    def _memories(self) -> list[str]:
        return [
            f"  reg {_range(memory.width)}{self.names[wire]} [0:{memory.depth - 1}];"
            for wire, memory in self.module.memories.items()
        ]

    def _declarations(self) -> list[str]:
        widths = self.module.widths
        result = [
            f"  reg {_range(widths[wire])}{self._name(wire)};"
            for wire in (*self.registers, *sorted(self.clocked_reads))
            if wire not in self.module.ports
        ]
        for cell in self.module.cells:
            if cell.kind.startswith("\\"):
                for port in cell.outputs:
                    wire = cell.wire(port) if port in cell.ports else ""
                    if wire and wire not in self.module.ports:
                        result.append(f"  wire {_range(widths[wire])}{self.names[wire]};")
        return result

    def _wires(self) -> list[str]:
        result: list[str] = []
        for wire, text in self._in_order():
            if wire in self.module.ports:
                result += self._wrapped(f"assign {self.names[wire]} = {text};", 1)
            else:
                result += self._wrapped(
                    f"wire {_range(self.module.widths[wire])}{self._name(wire)} = {text};", 1
                )
        return result

    def _in_order(self) -> Iterator[tuple[str, str]]:
        """Return every combinational wire that is written, with its value, behind those it reads."""
        module = self.module
        asynchronous = {
            wire: cell
            for wire, cell in self.cell_of.items()
            if cell.kind == "$memrd_v2" and wire not in self.clocked_reads
        }
        sources: dict[str, list[Sig]] = {wire: [sig] for wire, sig in module.connections.items()}
        for wire, cell in self.operators.items():
            if wire not in self._guards:
                sources[wire] = [sig for port, sig in cell.ports.items() if port != "Y"]
        for wire, cell in asynchronous.items():
            sources[wire] = [cell.ports["ADDR"]]
        done: set[str] = set()
        for start in sources:
            stack = [(start, False)]
            while stack:
                wire, ready = stack.pop()
                if not ready:
                    if wire in done or wire not in sources:
                        continue
                    done.add(wire)
                    stack.append((wire, True))
                    stack += [
                        (part.wire, False)
                        for sig in reversed(sources[wire])
                        for part in reversed(sig)
                        if part.wire is not None and part.wire not in done
                    ]
                elif wire in self.operators:
                    if not self._inlined(wire):
                        yield wire, self._text(wire)
                elif wire in asynchronous:
                    yield wire, self._read(asynchronous[wire])
                else:
                    yield wire, self.sig(module.connections[wire])

    def _wrapped(self, text: str, depth: int) -> list[str]:
        lead = "  " * depth
        if len(text) + len(lead) <= COLUMNS:
            return [lead + text]
        return textwrap.wrap(
            text,
            COLUMNS,
            initial_indent=lead,
            subsequent_indent=lead + "    ",
            break_long_words=False,
            break_on_hyphens=False,
        )

    def _instances(self) -> list[str]:
        result = []
        for cell in self.module.cells:
            if not cell.kind.startswith("\\"):
                continue
            child = self.writers.get(cell.kind)
            kind = child.name if child else cell.kind[1:]
            inner = {port: child.names[f"\\{port}"] if child else port for port in cell.ports}
            parameters = ", ".join(f".{name}({_literal(value)})" for name, value in cell.parameters.items())
            lines = [
                line
                for port, sig in cell.ports.items()
                for line in self._wrapped(f".{inner[port]}({self.sig(sig)}),", 2)
            ]
            lines[-1] = lines[-1][:-1]
            head = f"  {kind} #({parameters})" if parameters else f"  {kind}"
            result += [f"{head} {self.instance_names[cell.name]} (", *lines, "  );"]
        return result

    def _initial(self) -> list[str]:
        lines: list[str] = []
        loops = []
        for wire, memory in self.module.memories.items():
            name = self.names[wire]
            if memory.contents == 0:
                loops.append((name, memory))
                continue
            mask = (1 << memory.width) - 1
            for index in range(memory.depth):
                value = memory.contents >> index * memory.width & mask
                lines.append(f"    {name}[{index}] = {_number(value, memory.width)};")
        for wire in self.registers:
            value, width = self.module.initial.get(wire, 0), self.module.widths[wire]
            lines.append(f"    {self._name(wire)} = {_number(value, width)};")
        result = []
        if loops:
            count = self._unnamed.take("index")
            result.append(f"  integer {count};")
            for name, memory in loops:
                lines.append(f"    for ({count} = 0; {count} < {memory.depth}; {count} = {count} + 1)")
                lines.append(f"      {name}[{count}] = {_number(0, memory.width)};")
        return [*result, "  initial begin", *lines, "  end"] if lines else []

    def _read(self, cell: Cell) -> str:
        memory = self.names[str(cell.parameters["MEMID"])]
        address = cell.ports["ADDR"]
        return f"{memory}[{self.sig(address) if address else 0}]"

    def _memory_ports(self) -> list[str]:
        """Write the clocked ports of the memories; those with the same enable stand in one block."""
        writes: dict[tuple[str, str], list[str]] = {}
        reads: dict[tuple[str, str], list[str]] = {}
        for cell in self.module.cells:
            if cell.kind == "$memwr_v2":
                edge = self._edge(cell.ports["CLK"], cell.flag("CLK_POLARITY"))
                for enable, line in self._memory_write(cell):
                    writes.setdefault((edge, enable), []).append(line)
            elif cell.kind == "$memrd_v2" and cell.flag("CLK_ENABLE"):
                edge = self._edge(cell.ports["CLK"], cell.flag("CLK_POLARITY"))
                enable = self._condition(cell.ports["EN"])
                reads.setdefault((edge, enable), []).extend(self._memory_read(cell))
        result: list[str] = []
        for (edge, enable), lines in [*writes.items(), *reads.items()]:
            if result:
                result.append("")
            result.append(f"  always @({edge}) begin")
            if enable:
                result += self._wrapped(f"if ({enable}) begin", 2)
            for line in lines:
                result += self._wrapped(line, 3 if enable else 2)
            result += ["    end", "  end"] if enable else ["  end"]
        return result

    def _edge(self, clock: Sig, rising: bool) -> str:
        return f"{'posedge' if rising else 'negedge'} {self.sig(clock)}"

    def _condition(self, enable: Sig) -> str:
        """Return a condition; empty if it always holds."""
        return "" if value_of(enable) == 1 else self.sig(enable)

    def _memory_write(self, cell: Cell) -> Iterator[tuple[str, str]]:
        """Return conditions and what is written under them."""
        data, memory = cell.ports["DATA"], str(cell.parameters["MEMID"])
        for low, high, enable in _runs(cell.ports["EN"]):
            if value_of(enable) != 0:
                part = "" if (low, high) == (0, width_of(data)) else f"[{high - 1}:{low}]"
                value = self._assigned(memory, cut(data, low, high - low))
                yield self._condition(enable), f"{self._read(cell)}{part} <= {value};"

    def _memory_read(self, cell: Cell) -> list[str]:
        name = self._name(cell.wire("DATA"))
        result = [f"{name} <= {self._read(cell)};"]
        mask = int(cell.parameters.get("TRANSPARENCY_MASK", 0))
        for writer in self.module.cells:
            if writer.kind != "$memwr_v2" or writer.parameters["MEMID"] != cell.parameters["MEMID"]:
                continue
            if not mask >> int(writer.parameters["PORTID"]) & 1:
                continue
            data = writer.ports["DATA"]
            same = f"{self.sig(writer.ports['ADDR'])} == {self.sig(cell.ports['ADDR'])}"
            for low, high, enable in _runs(writer.ports["EN"]):
                part = "" if (low, high) == (0, width_of(data)) else f"[{high - 1}:{low}]"
                condition = same if value_of(enable) == 1 else f"{self.sig(enable)} && {same}"
                value = self.sig(cut(data, low, high - low))
                result.append(f"if ({condition}) {name}{part} <= {value};")
        return result

    def _clocked(self) -> list[str]:
        groups: dict[object, list[Register]] = {}
        for register in self.module.registers:
            key = (register.clock, register.rising, register.reset, register.asynchronous)
            groups.setdefault(key, []).append(register)
        result: list[str] = []
        for registers in groups.values():
            if result:
                result.append("")
            result += self._block(registers)
        return result

    def _block(self, registers: list[Register]) -> list[str]:
        first = registers[0]
        edges = self._edge(first.clock, first.rising)
        nodes = _merged([(register.wire, register.statements) for register in registers])
        if not first.reset:
            return [f"  always @({edges}) begin", *self._nodes(nodes, 2), "  end"]
        if first.asynchronous:
            edges += f" or posedge {self.sig(first.reset)}"
        resets = [
            f"      {self._name(register.wire)} <= "
            f"{_number(register.reset_value, self.module.widths[register.wire])};"
            for register in registers
        ]
        return [
            f"  always @({edges}) begin",
            f"    if ({self.sig(first.reset)}) begin",
            *resets,
            "    end else begin",
            *self._nodes(nodes, 3),
            "    end",
            "  end",
        ]

    def _nodes(self, nodes: list[Write | Choice], depth: int) -> list[str]:
        result: list[str] = []
        for node in nodes:
            if isinstance(node, Choice):
                result += self._choice(node, depth)
                continue
            value = node.assign.value
            target = self._part(Bits(node.wire, node.assign.low, width_of(value)))
            result += self._wrapped(f"{target} <= {self._assigned(node.wire, value)};", depth)
        return result

    def _choice(self, choice: Choice, depth: int) -> list[str]:
        lead, selector, cases = "  " * depth, choice.selector, choice.cases
        if width_of(selector) == 1:
            result = self._wrapped(f"if ({self.sig(selector)}) begin", depth)
            result += self._nodes(cases[0][1], depth + 1)
            if len(cases) > 1:
                rest = self._nodes(cases[1][1], depth)
                if len(cases[1][1]) == 1 and rest[0].startswith(f"{lead}if "):
                    return [*result, f"{lead}end else {rest[0].strip()}", *rest[1:]]
                result += [f"{lead}end else begin", *self._nodes(cases[1][1], depth + 1)]
            return [*result, f"{lead}end"]
        result = [f"{lead}case ({self.sig(selector)})"]
        for patterns, body in cases:
            width = width_of(selector)
            labels = ", ".join(f"{width}'b{pattern}" for pattern in patterns)
            if body:
                result.append(f"{lead}  {labels or 'default'}: begin")
                result += [*self._nodes(body, depth + 2), f"{lead}  end"]
            else:
                result.append(f"{lead}  {labels or 'default'}: ;")
        if cases[-1][0]:
            result.append(f"{lead}  default: ;")
        return [*result, f"{lead}endcase"]

    def _unused(self) -> list[str]:
        """Name the bits that nothing reads, so that linters know that they are meant."""
        parts = self._unused_bits()
        if not parts:
            return []
        name = self._unnamed.take("unused")
        return self._wrapped(f"wire {name} = &{self.sig((*parts, Bits(None, 0, 1)))};", 1)

    def _unused_bits(self) -> list[Bits]:
        read = _read_bits(self.module)
        parts: list[Bits] = []
        for wire in (*self.module.ports, *self.registers, *self.cell_of, *self.module.connections):
            if wire not in self.names or wire in self._guards or self.module.ports.get(wire) == "output":
                continue
            width = self.module.widths[wire]
            at = 0
            while at < width:
                low = at
                while at < width and not read[wire] >> at & 1:
                    at += 1
                if at > low:
                    parts.append(Bits(wire, low, at - low))
                at += 1
        return parts


def _named_function(text: str, name: str) -> list[str]:
    """Return the lines of a function, whose text has a blank for its name, under its own name."""
    return text.replace(_RESULT, name).split("\n")


def _unions(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges with those that overlap made one."""
    result: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if result and low < result[-1][1]:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    return result


def _runs(enable: Sig) -> Iterator[tuple[int, int, Sig]]:
    """Return the stretches of equal bits: first bit, end, the bit."""
    bits = [
        Bits(part.wire, part.low + bit, 1) if part.wire else Bits(None, part.low >> bit & 1, 1)
        for part in enable
        for bit in range(part.width)
    ]
    low = 0
    for index in range(1, len(bits) + 1):
        if index == len(bits) or bits[index] != bits[low]:
            yield low, index, (bits[low],)
            low = index


def _literal(value: int | str) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _set_outputs(modules: dict[str, Netlist]) -> None:
    """Say of each cell which of its ports are outputs."""
    for module in modules.values():
        driven = {wire for wire, way in module.ports.items() if way == "input"}
        driven |= {cell.wire("Y") for cell in module.cells if "Y" in cell.ports and cell.kind[0] == "$"}
        driven |= {cell.wire("Q") for cell in module.cells if cell.kind in ("$dff", "$adff")}
        driven |= {cell.wire("DATA") for cell in module.cells if cell.kind == "$memrd_v2"}
        driven |= set(module.processes)
        for cell in module.cells:
            if cell.kind in modules:
                ports = modules[cell.kind].ports
                cell.outputs = tuple(port[1:] for port, way in ports.items() if way == "output")
            elif cell.kind.startswith("\\"):
                cell.outputs = tuple(
                    port
                    for port, sig in cell.ports.items()
                    if len(sig) == 1 and sig[0].wire is not None and sig[0].wire not in driven
                )
            else:
                cell.outputs = {"$memrd_v2": ("DATA",), "$memwr_v2": ()}.get(cell.kind, ("Y",))


def _flattened(modules: dict[str, Netlist], top: str) -> Netlist:
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
        result.processes |= {name(wire): _mapped(body, moved) for wire, body in module.processes.items()}
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


def _cleaned(text: str, top: str, *, flat: bool) -> dict[str, Netlist]:
    """Read RTLIL and return the modules that are to be written, the top module first."""
    modules = {module.name: module for module in _Reader(text).modules()}
    if flat:
        modules = {top: _flattened(modules, top)}
    else:
        _merge_ports(modules)
    _set_outputs(modules)
    for module in modules.values():
        _Cleaner(module, keep_names=not flat).run()
    _Pruner(modules, top)
    for module in modules.values():
        _split_fields(module)
        while flat and _split_wide(module):
            pass
    modules[top].is_top = True
    used = {cell.kind for module in modules.values() for cell in module.cells} | {top}
    return {name: module for name, module in modules.items() if name in used}


def verilog_from_rtlil(text: str, top: str, *, flat: bool = False) -> str:
    """Return RTLIL as written by Amaranth as Verilog.

    Parameters
    ----------
    text : str
        The RTLIL.
    top : str
        Name of the top module, with which the names of all others begin.
    flat : bool
        Whether to make one module of all of them. It simulates faster and reads worse.

    Raises
    ------
    RtlilError
        If the RTLIL holds cells that this writer does not know.
    """
    modules = _cleaned(text, f"\\{top}", flat=flat)
    names = _Names()
    writers: dict[str, _Writer] = {}
    for name, module in modules.items():
        writers[name] = _Writer(module, names.take(_plain(name)), writers)
    return "\n".join(writer.write() for writer in writers.values())


def port_name(path: tuple[str | int, ...]) -> str:
    """Return the name of a port: the members of the signature from the outside in, joined by underscores."""
    return "_".join(str(part) for part in path)


def component_rtlil(component: Component, name: str) -> str:
    """Return the RTLIL of a component with the ports of its signature, ``clk`` and ``rst``."""
    ways = {In: PortDirection.Input, Out: PortDirection.Output}
    ports = {
        port_name(path): (Value.cast(value), ways[member.flow])
        for path, member, value in component.signature.flatten(component)
    }
    text: str = rtlil.convert(component, name=name, ports=ports, emit_src=False)
    return text


def component_verilog(component: Component, name: str, *, flat: bool = False) -> str:
    """Return the Verilog of a component with the ports of its signature, ``clk`` and ``rst``.

    With `flat` it is one module instead of a hierarchy, which simulates faster.
    """
    return verilog_from_rtlil(component_rtlil(component, name), name, flat=flat)
