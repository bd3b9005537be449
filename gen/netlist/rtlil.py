# SPDX-License-Identifier: BSD-2-Clause
"""Reads the RTLIL that Amaranth writes."""

from __future__ import annotations

from erbium.gen.netlist.bits import Bits, Sig, constant, joined
from erbium.gen.netlist.module import Assign, Cell, Memory, Netlist, Statement, Switch

_KINDS_TEXT = """
and or xor not mux add sub neg mul eq ne lt le gt ge divfloor modfloor shl shr sshr shift
reduce_or reduce_bool reduce_and reduce_xor dff adff memrd_v2 memwr_v2 meminit_v2
"""
_KINDS = frozenset(f"${name}" for name in _KINDS_TEXT.split())
"""Cells that this writer knows."""


class RtlilError(ValueError):
    """The netlist holds something that this writer does not know."""


class Reader:
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
                    if kind.startswith("$") and kind not in _KINDS:
                        raise RtlilError(
                            f"cells of kind {kind!r} cannot be written as Verilog by this writer"
                        )
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
