# SPDX-License-Identifier: BSD-2-Clause
"""C++ of what there is once: names, expressions, and blocks in which each value is computed when it is first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from erbium.gen.netlist.bits import Bits, Sig, cut, width_of
from erbium.gen.netlist.module import Netlist
from erbium.gen.vectors.classes import Classes
from erbium.gen.vectors.graph import READ, operators
from erbium.gen.vectors.guards import Guards, Path, Step, Uses, Value, Values

if TYPE_CHECKING:
    from erbium.gen.vectors.activity import Wakes

WORD = 64


def mask(width: int) -> int:
    """Return so many ones."""
    return (1 << width) - 1


def number(value: int) -> str:
    """Return a constant of 64 bits."""
    return f"{value:#x}ull" if value > 9 else f"{value}ull"


def words(width: int) -> int:
    """Return the words of 64 bits that hold so many."""
    return -(-width // WORD)


def unsigned(width: int) -> str:
    """Return the smallest unsigned type of so many bits."""
    return next(f"u{size}" for size in (8, 16, 32, 64) if width <= size)


@dataclass
class Block:
    """Lines of C++ under some conditions, and the values that they compute."""

    path: Path
    lines: list[str] = field(default_factory=list)
    done: set[Value] = field(default_factory=set)


Compute = Callable[[Value], list[str]]


class Text:
    """Writes expressions; what they need is computed on the way.

    Parameters
    ----------
    module : Netlist
    classes : Classes
    values : Values
    compute : callable
        Returns the lines that compute a value.

    Attributes
    ----------
    names : dict of str to str
        Of everything that keeps its value from clock to clock.
    guards : Guards
        Of the unit that is being written.
    wakes : Wakes
        What a change wakes; set when all units are known.
    """

    def __init__(self, module: Netlist, classes: Classes, values: Values, compute: Compute) -> None:
        self.module, self.classes, self._values = module, classes, values
        self.guards = Guards(values)
        self.wakes: Wakes
        self._compute = compute
        self._blocks: list[Block] = [Block(())]
        self.names = {
            register.wire: f"r{index}"
            for index, register in enumerate(module.registers)
            if register.wire not in classes.place
        }
        reads = [cell for cell in module.cells if cell.kind == READ]
        self.names |= {
            cell.wire("DATA"): f"d{index}"
            for index, cell in enumerate(reads)
            if cell.flag("CLK_ENABLE") and cell.wire("DATA") not in classes.place
        }
        wires = [*operators(module), *(cell.wire("DATA") for cell in reads if not cell.flag("CLK_ENABLE"))]
        self._local = {wire: f"n{index}" for index, wire in enumerate(wires)}
        self.memories = {name: f"q{index}" for index, name in enumerate(module.memories)}

    # --- blocks

    def begin(self, uses: Uses) -> list[str]:
        """Begin a unit that reads signals; return its lines, to which what is computed unconditionally goes."""
        self.guards = Guards(self._values, uses)
        self._blocks = [Block(())]
        return self._blocks[0].lines

    @contextmanager
    def inside(self, *steps: Step) -> Iterator[list[str]]:
        """Open a block under further conditions; its lines are what its body needs, and then what is added to it."""
        block = Block((*self._blocks[-1].path, *steps))
        self._blocks.append(block)
        try:
            yield block.lines
        finally:
            self._blocks.pop()

    def need(self, value: Value) -> None:
        """Have a value computed, in the innermost open block whose conditions all uses of it share."""
        if any(value in block.done for block in self._blocks):
            return
        path = self.guards.path.get(value, ())
        depth = max(k for k, block in enumerate(self._blocks) if path[: len(block.path)] == block.path)
        inner, self._blocks = self._blocks, self._blocks[: depth + 1]
        block = self._blocks[-1]
        block.done.add(value)
        lines = self._compute(value)
        block.lines += lines
        self._blocks = inner

    # --- expressions

    def local(self, wire: str) -> str:
        """Return the name of the variable that an operator's value is in; of wide ones, what it begins with."""
        return self._local[wire]

    def word(self, wire: str, k: int = 0) -> str:
        """Return word `k` of a wire."""
        wide = self.module.widths[wire] > WORD
        if wire in self.names:
            return f"was_.{self.names[wire]}[{k}]" if wide else f"u64(was_.{self.names[wire]})"
        if self.module.ports.get(wire) == "input":
            return f"u64(this->{wire[1:]})"
        self.need(wire)
        return f"{self._local[wire]}_{k}" if wide else self._local[wire]

    def part(self, part: Bits) -> str:
        """Return at most 64 bits of a wire or a constant."""
        if part.wire is None:
            return number(part.low)
        if part.wire in self.classes.place:
            return self._lane(part)
        k, low = divmod(part.low, WORD)
        text = self.word(part.wire, k)
        here = min(WORD, self.module.widths[part.wire] - WORD * k)
        if low:
            text = f"({text} >> {low})"
        if low + part.width > WORD:
            text = f"({text} | {self.word(part.wire, k + 1)} << {WORD - low})"
        if part.width < WORD and low + part.width != here:
            text = f"({text} & {number(mask(part.width))})"
        return text

    def _lane(self, part: Bits) -> str:
        """Return bits of one lane."""
        index, lane = self.classes.place[str(part.wire)]
        one = self.classes.every[index]
        if one.width == 1:
            self.need(("bits", index))
            return f"(b{index}[{lane // WORD}] >> {lane % WORD} & 1)"
        self.need(("array", index))
        text = f"u64(reinterpret_cast<const u{one.stored}*>(v{index})[{lane}])"
        if part.low:
            text = f"({text} >> {part.low})"
        return text if part.low + part.width == one.width else f"({text} & {number(mask(part.width))})"

    def value(self, sig: Sig) -> str:
        """Return a value of at most 64 bits."""
        texts: list[str] = []
        at = k = 0
        while k < len(sig):
            count, text = self._run(sig, k)
            if text:
                texts.append(f"({text} << {at})" if at else text)
            at += sum(part.width for part in sig[k : k + count])
            k += count
        return f"({' | '.join(texts)})" if len(texts) > 1 else (texts[0] if texts else "0ull")

    def _run(self, sig: Sig, k: int) -> tuple[int, str]:
        """Return how many parts from `k` on are written as one, and their text; nothing for zeros."""
        part = sig[k]
        if part.wire is None:
            return 1, number(part.low) if part.low else ""
        count = 1
        place = self.classes.place.get(part.wire)
        if place is not None and self.classes.every[place[0]].width == 1:
            while k + count < len(sig) and self.classes.place.get(str(sig[k + count].wire)) == (
                place[0],
                place[1] + count,
            ):
                count += 1
            if count > 1:
                self.need(("bits", place[0]))
                return count, f"cut(b{place[0]}, {place[1]}, {count})"
        while part.width == 1 and k + count < len(sig) and sig[k + count] == part:
            count += 1
        text = self.part(part)
        return count, text if count == 1 else f"((0 - {text}) & {number(mask(count))})"

    def chunk(self, sig: Sig, k: int) -> str:
        """Return word `k` of a value."""
        return self.value(cut(sig, WORD * k, min(WORD, width_of(sig) - WORD * k)))

    def chunks(self, sig: Sig) -> list[str]:
        """Return all words of a value."""
        return [self.chunk(sig, k) for k in range(words(width_of(sig)))]

    def matches(self, selector: Sig, patterns: tuple[str, ...]) -> str:
        """Return a condition."""
        text = self.value(selector)
        if width_of(selector) == 1:
            return text if patterns == TRUE_PATTERN else f"!{text}"
        tests = []
        for pattern in patterns:
            looked = int("".join("0" if digit == "-" else "1" for digit in pattern), 2)
            wanted = int(pattern.replace("-", "0"), 2)
            if looked == mask(len(pattern)):
                tests.append(f"{text} == {number(wanted)}")
            else:
                tests.append(f"({text} & {number(looked)}) == {number(wanted)}")
        return " || ".join(tests) or "false"


TRUE_PATTERN = ("1",)
