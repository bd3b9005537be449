# SPDX-License-Identifier: BSD-2-Clause
"""The whole class in C++, with the interface of one that Verilator makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from erbium.gen.netlist.bits import Sig
from erbium.gen.netlist.loops import take_loops_apart
from erbium.gen.netlist.module import Netlist
from erbium.gen.vectors.accept import UnknownCellError, check, check_loops
from erbium.gen.vectors.activity import Supports, Unit, Wakes, shared
from erbium.gen.vectors.changes import Changes
from erbium.gen.vectors.classes import Classes
from erbium.gen.vectors.graph import READ
from erbium.gen.vectors.guards import Value, Values
from erbium.gen.vectors.lanes import computed_class, packed_class, table
from erbium.gen.vectors.layout import Layout
from erbium.gen.vectors.merge import merge
from erbium.gen.vectors.operators import operator_lines
from erbium.gen.vectors.primitives import replace_primitives
from erbium.gen.vectors.reads import clock_reads
from erbium.gen.vectors.recognise import recognise
from erbium.gen.vectors.registers import scalar_units, set_lines, unit_lines, words_of_memory, write_groups
from erbium.gen.vectors.schedule import in_order
from erbium.gen.vectors.split import split
from erbium.gen.vectors.text import WORD, Text, mask, number, unsigned, words
from erbium.gen.verilog import cleaned

CLOCK = "\\clk"

SUPPORT = Path(__file__).with_name("vectors.h")
"""The header that the generated code includes."""


@dataclass(frozen=True)
class Source:
    """A class in C++.

    Attributes
    ----------
    header, body : str
        ``NAME.h`` and ``NAME.cpp``.
    facts : dict
        What was found on the way, for people: how many registers and operators there are, and how many of them are in
        classes.
    """

    header: str
    body: str
    facts: dict[str, int]


def vector_source(rtlil: str, top: str, name: str) -> Source:
    """Return a netlist as a C++ class.

    Parameters
    ----------
    rtlil : str
        As Amaranth writes it.
    top : str
        Name of the top module.
    name : str
        Of the class.

    Raises
    ------
    UnknownCellError
        If it holds something that this generator does not know.
    """
    module = cleaned(rtlil, f"\\{top}", flat=True)[f"\\{top}"]
    return source_of(module, name)


def source_of(module: Netlist, name: str) -> Source:
    """Return a flat module, which is changed on the way, as a C++ class."""
    replace_primitives(module)
    check(module, CLOCK)
    for wire in module.ports:
        if module.widths[wire] > WORD:
            raise UnknownCellError(f"the port {wire[1:]!r} has more than {WORD} bits")
    take_loops_apart(module)
    clock_reads(module)
    merge(module)
    origin = split(module)
    merge(module)
    check_loops(module)
    recognise(module, Classes(module, origin).place)
    return _Source(module, Classes(module, origin), name).write()


class _Source:
    def __init__(self, module: Netlist, classes: Classes, name: str) -> None:
        self._module, self._classes, self._name = module, classes, name
        self._numbers: dict[tuple[int, ...], str] = {}
        self._values = Values(module, classes)
        self._supports = Supports(self._values)
        self._text = Text(module, classes, self._values, self._compute)
        self._cells = {cell.wire("Y"): cell for cell in module.cells if "Y" in cell.ports}
        self._cells |= {cell.wire("DATA"): cell for cell in module.cells if cell.kind == READ}
        self._changes = Changes(self._text, self._supports, self._numbers)
        self._layout: Layout
        self._units = 0

    def _compute(self, value: Value) -> list[str]:
        """Return the lines that compute a value."""
        if isinstance(value, str):
            return operator_lines(self._text, self._cells[value])
        what, index = value
        if what == "bits":
            return packed_class(self._text, index)
        if self._classes.every[index].is_state:
            return []
        return computed_class(self._text, self._numbers, index)

    def write(self) -> Source:
        """Return the class: first all units are known, then what wakes them, then their text is written."""
        supports, text = self._supports, self._text
        scalars = shared(scalar_units(text, supports), supports)
        groups = in_order([*self._changes.groups(), *write_groups(text, supports)])
        formed = [(wire, sig, *supports.of([sig])) for wire, sig in self._outputs()]
        outputs = shared([Unit(reads, 0, work, [(wire, sig)]) for wire, sig, reads, work in formed], supports)
        reads = [unit.reads for unit in scalars]
        reads += [sum(supports.bit(source) for source in group.reads) for group, _ in groups]
        text.wakes = Wakes(supports, reads, [unit.reads for unit in outputs])
        # In the order of the text: registers, of which there is a copy from before, then lanes in place, and memories.
        step: list[str] = []
        for place, unit in enumerate(scalars):
            step += self._when_awake(place, unit_lines(text, unit))
        self._layout = Layout(text)
        copies: list[str] = []
        ends: list[str] = []
        for place, (group, cut) in enumerate(groups, len(scalars)):
            if cut and group.apart is not None:
                copies += self._changes.copies(group)
                early, late = group.apart()
                step += self._when_awake(place, early)
                ends += late
            else:
                step += self._when_awake(place, group.direct())
        copies += [f"bool {name} = false;" for name in self._changes.late_names()]
        settle: list[str] = []
        for place, unit in enumerate(outputs, WORD * text.wakes.n_steps):
            values = text.begin((sig, ()) for _, sig in unit.members)
            lines = [f"this->{wire[1:]} = {text.value(sig)};" for wire, sig in unit.members]
            settle += self._when_awake(place, values + lines)
        self._units = len(reads) + len(outputs)
        return Source(self._header(), self._body([*copies, *step, *ends], settle), self._facts())

    def _when_awake(self, unit: int, lines: list[str]) -> list[str]:
        """Return the lines of a unit, which are left out where nothing that it reads has changed."""
        return [f"if ({self._text.wakes.condition(unit)}) {{", *(f"  {line}" for line in lines), "}"]

    def _ports(self, way: str) -> list[str]:
        return [wire for wire, direction in self._module.ports.items() if direction == way]

    def _outputs(self) -> Iterable[tuple[str, Sig]]:
        for wire in self._ports("output"):
            sig = self._module.connections.get(wire)
            driven = wire in self._cells or wire in self._text.names or wire in self._classes.place
            if sig is not None or driven:
                yield wire, sig if sig is not None else self._module.whole(wire)

    def _inputs(self) -> list[str]:
        """Return the inputs but for the clock, the widest first, so that nothing lies between them."""
        inputs = [wire for wire in self._ports("input") if wire != CLOCK]
        return sorted(inputs, key=lambda wire: -int(unsigned(self._module.widths[wire])[1:]))

    def _header(self) -> str:
        module, name = self._module, self._name
        state = [f"    {line}" for line in self._layout.fields()]
        inputs = self._inputs()
        fields = [f"  {unsigned(module.widths[wire])} {wire[1:]} = 0;" for wire in inputs]
        size = sum(int(unsigned(module.widths[wire])[1:]) // 8 for wire in inputs)
        if size % 8:
            fields.append(f"  u8 rest_[{-size % 8}] = {{}};")
        members = [
            f"  {unsigned(module.widths[wire])} {wire[1:]} = 0;"
            for wire in module.ports
            if wire not in inputs
        ]
        for index, one in enumerate(self._classes.every):
            lanes = len(one.wires)
            if one.is_state:
                members.append(
                    f"  V{one.stored} v{index}[vectors({lanes})];  // {one.wires[0][1:]} and so on"
                )
            if one.node.kind == "memory":
                members.append(f"  V{one.stored} m{index}[{one.node.shape[2]}][vectors({lanes})];")
        for memory, place in self._scalar_memories():
            it = module.memories[memory]
            end = "" if it.width <= WORD else f"[{words(it.width)}]"
            members.append(
                f"  {unsigned(it.width) if it.width <= WORD else 'u64'} {place}[{it.depth}]{end};  // {memory[1:]}"
            )
        wakes = self._text.wakes
        asleep = " | ".join(f"awake_[{k}]" for k in range(wakes.n_steps, wakes.n_words)) or "0"
        return "\n".join(
            [
                "#pragma once",
                '#include "vectors.h"',
                *(line for values, table_name in self._numbers.items() for line in table(table_name, values)),
                f"struct alignas(8) {name}Inputs {{",
                *fields,
                "};",
                f"struct {name} : {name}Inputs {{",
                "  struct alignas(BLOCK) State {",
                *state,
                "  };",
                *members,
                f"  {name}Inputs last_;",
                "  State state_;",
                "  State old_;",
                f"  u64 awake_[{max(wakes.n_words, 1)}];",
                "  u8 clock_ = 0;",
                f"  explicit {name}(VerilatedContext*) {{ start(); settle(); }}",
                "  void start();",
                "  void notice();",
                "  void settle();",
                "  void step();",
                "  void final() {}",
                "  void eval() {",
                "    const bool rises = clk && !clock_;",
                "    clock_ = clk;",
                f"    if (!same<sizeof({name}Inputs)>(static_cast<{name}Inputs*>(this), &last_)) notice();",
                "    if (rises) step();",
                f"    if ({asleep}) settle();",
                "  }",
                "};",
                "",
            ]
        )

    def _scalar_memories(self) -> list[tuple[str, str]]:
        inside = {
            str(cell.parameters["MEMID"])
            for cell in self._module.cells
            if cell.kind == READ and cell.wire("DATA") in self._classes.place
        }
        return [(memory, f"q{k}") for memory, k in self._memory_numbers().items() if memory not in inside]

    def _memory_numbers(self) -> dict[str, int]:
        return {memory: k for k, memory in enumerate(self._module.memories)}

    def _body(self, step: list[str], settle: list[str]) -> str:
        wakes = self._text.wakes
        steps, outputs = range(wakes.n_steps), range(wakes.n_steps, wakes.n_words)
        notice = [f"u64 wake{k} = 0;" for k in range(wakes.n_words)]
        for wire in self._inputs():
            notice.append(f"if ({wire[1:]} != last_.{wire[1:]}) {{ {wakes.text(('wire', wire))} }}")
        notice += [f"awake_[{k}] |= wake{k};" for k in range(wakes.n_words)]
        functions = {
            "start": self._start(),
            "notice": [*notice, "last_ = *this;"],
            "settle": [
                "const State& was_ = state_;",
                *(f"const u64 run{k} = awake_[{k}];" for k in outputs),
                *(f"awake_[{k}] = 0;" for k in outputs),
                *settle,
            ],
            "step": [
                "const State& was_ = old_;",
                *(f"const u64 run{k} = awake_[{k}];" for k in steps),
                *(f"u64 wake{k} = 0;" for k in range(wakes.n_words)),
                *step,
                *self._layout.changes(),
                *(f"awake_[{k}] = wake{k};" for k in steps),
                *(f"awake_[{k}] |= wake{k};" for k in outputs),
            ],
        }
        lines = [f'#include "{self._name}.h"']
        for function, body in functions.items():
            lines += [f"void {self._name}::{function}() {{", *(f"  {line}" for line in body), "}"]
        return "\n".join([*lines, ""])

    def _start(self) -> list[str]:
        """Return the lines that give everything its first value."""
        module, text = self._module, self._text
        lines = ["memset(&state_, 0, sizeof state_);", "memset(awake_, 0xff, sizeof awake_);"]
        for wire, name in text.names.items():
            if value := module.initial.get(wire, 0):
                lines += set_lines(f"state_.{name}", value, module.widths[wire])
        for index, one in enumerate(self._classes.every):
            if one.node.kind == "memory":
                lines += [f"memset(v{index}, 0, sizeof v{index});", f"memset(m{index}, 0, sizeof m{index});"]
                lines += self._lane_contents(index)
            elif one.is_state:
                lines += self._changes.constant(index, initial=True)
        for memory, place in self._scalar_memories():
            it = module.memories[memory]
            lines.append(f"memset({place}, 0, sizeof {place});")
            for at, value in words_of_memory(it.contents, it.width, it.depth):
                lines += set_lines(f"{place}[{at}]", value, it.width)
        return [*lines, "old_ = state_;"]

    def _lane_contents(self, index: int) -> Iterable[str]:
        one = self._classes.every[index]
        _, width, depth = one.node.shape
        for lane, wire in enumerate(one.wires):
            for at, value in words_of_memory(self._classes.contents[wire], width, depth):
                held = mask(16) if width == 1 else value
                yield f"reinterpret_cast<u{one.stored}*>(m{index}[{at}])[{lane}] = {number(held)};"

    def _facts(self) -> dict[str, int]:
        kinds = Counter(node.kind for node in self._classes.graph.values())
        return {
            "wires": len(self._classes.graph),
            "registers": kinds["register"],
            "classes": len(self._classes.every),
            "wires in classes": len(self._classes.place),
            "units": self._units,
        }
