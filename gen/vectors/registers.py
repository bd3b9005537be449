# SPDX-License-Identifier: BSD-2-Clause
"""C++ of the registers and memories that there are once, which read the state before a clock and write the new one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from erbium.gen.netlist.bits import Sig, value_of, width_of
from erbium.gen.netlist.choices import Choice, Write, merged
from erbium.gen.netlist.module import Cell, Register
from erbium.gen.netlist.statements import sigs_of
from erbium.gen.vectors.activity import Supports, Unit
from erbium.gen.vectors.graph import Ports, memory_ports, single_enable
from erbium.gen.vectors.guards import (
    TRUE,
    Path,
    Uses,
    seen_writes,
    uses_of_read,
    uses_of_statements,
    uses_of_write,
)
from erbium.gen.vectors.operators import address
from erbium.gen.vectors.schedule import Group
from erbium.gen.vectors.text import WORD, Text, mask, number, words

Member = Register | Cell
"""A register, or a clocked read of a memory."""


def scalar_units(text: Text, supports: Supports) -> list[Unit]:
    """Return what there is once and has a state, each register and each read as a unit of its own."""
    place, every = text.classes.place, memory_ports(text.module)
    units = []
    for name, ports in every.items():
        for read in ports.reads:
            if read.flag("CLK_ENABLE") and read.wire("DATA") not in place:
                reads, work = supports.of(sig for sig, _ in uses_of_read(read, ports.writes))
                mine = supports.bit(("wire", read.wire("DATA")))
                units.append(Unit(reads | supports.bit(("memory", name)), mine, work, [read]))
    for register in text.module.registers:
        if register.wire not in place:
            reads, work = supports.of([*sigs_of(register.statements), register.reset])
            units.append(Unit(reads, supports.bit(("wire", register.wire)), work, [register]))
    return units


def unit_lines(text: Text, unit: Unit) -> list[str]:
    """Return the lines of a clock of what a unit has."""
    ports = memory_ports(text.module) if any(isinstance(one, Cell) for one in unit.members) else {}
    registers = [one for one in unit.members if isinstance(one, Register)]
    reads = [(str(one.parameters["MEMID"]), one) for one in unit.members if isinstance(one, Cell)]
    uses: list[tuple[Sig, Path]] = [(register.reset, ()) for register in registers]
    for register in registers:
        uses += uses_of_statements(register.statements)
    for name, read in reads:
        uses += uses_of_read(read, ports[name].writes)
    values, lines = text.begin(uses), []
    for name, read in reads:
        lines += _read(text, name, ports[name], read)
    lines += _nodes(text, merged([(register.wire, register.statements) for register in registers]))
    lines += _resets(text, registers)
    return values + lines


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _nodes(text: Text, nodes: list[Write | Choice]) -> list[str]:
    lines: list[str] = []
    for node in nodes:
        if isinstance(node, Write):
            lines += _assignment(text, node.wire, node.assign.low, node.assign.value)
        else:
            lines += _choice(text, node)
    return lines


def _choice(text: Text, choice: Choice) -> list[str]:
    lines: list[str] = []
    for patterns, body in choice.cases:
        # A case without pattern takes the rest.
        condition = text.matches(choice.selector, patterns) if patterns else ""
        with text.inside((choice.selector, patterns)) as inner:
            inner += _nodes(text, body)
        if lines:
            lines[-1] = f"}} else if ({condition}) {{" if condition else "} else {"
        else:
            lines.append(f"if ({condition or 'true'}) {{")
        lines += [*_indented(inner), "}"]
        if not patterns:
            break
    return lines


def _assignment(text: Text, wire: str, low: int, value: Sig) -> list[str]:
    width, name, part = text.module.widths[wire], text.names[wire], width_of(value)
    if part == width:
        if width <= WORD:
            return [f"state_.{name} = {text.value(value)};"]
        return [f"state_.{name}[{k}] = {chunk};" for k, chunk in enumerate(text.chunks(value))]
    if width <= WORD:
        kept = number(mask(width) & ~(mask(part) << low))
        return [f"state_.{name} = (state_.{name} & {kept}) | {text.value(value)} << {low};"]
    return [
        f"put(state_.{name}, {low + WORD * k}, {min(WORD, part - WORD * k)}, {chunk});"
        for k, chunk in enumerate(text.chunks(value))
    ]


def _resets(text: Text, registers: list[Register]) -> list[str]:
    groups: dict[Sig, list[Register]] = {}
    for register in registers:
        if register.reset:
            groups.setdefault(register.reset, []).append(register)
    lines = []
    for reset, members in groups.items():
        condition = text.value(reset)
        lines.append(f"if (__builtin_expect({condition}, 0)) {{")
        for register in members:
            name, width = text.names[register.wire], text.module.widths[register.wire]
            lines += _indented(set_lines(f"state_.{name}", register.reset_value, width))
        lines.append("}")
    return lines


def set_lines(place: str, value: int, width: int) -> list[str]:
    """Return the lines that give a place a constant."""
    if width <= WORD:
        return [f"{place} = {number(value)};"]
    return [f"{place}[{k}] = {number(value >> WORD * k & mask(WORD))};" for k in range(words(width))]


def _read(text: Text, name: str, ports: Ports, read: Cell) -> list[str]:
    """Return a clocked read, which comes before all writes."""
    wire, enable = read.wire("DATA"), read.ports["EN"]
    width, memory, target = text.module.widths[wire], text.memories[name], f"state_.{text.names[wire]}"
    seen = list(seen_writes(read, ports.writes))
    condition = text.value(enable)
    with text.inside((enable, TRUE)) as inner:
        at, there = address(text, read)
        targets = [target] if width <= WORD else [f"{target}[{k}]" for k in range(words(width))]
        places = [f"{memory}[{at}]" if width <= WORD else f"{memory}[{at}][{k}]" for k in range(words(width))]
        for one, place in zip(targets, places, strict=True):
            inner.append(f"{one} = {f'{there} ? {place} : 0' if there else place};")
        for write in seen:
            inner.append(f"if ({at} == {address(text, write)[0]}) {{")
            inner += _indented(_masked(text, targets, write))
            inner.append("}")
    return [f"if ({condition}) {{", *_indented(inner), "}"]


def _masked(text: Text, places: list[str], write: Cell) -> list[str]:
    """Return what puts the bits that are written into the words of a place."""
    lines = []
    for k, place in enumerate(places):
        enable, data = text.chunk(write.ports["EN"], k), text.chunk(write.ports["DATA"], k)
        lines.append(f"{{ const u64 e = {enable}; {place} = ({place} & ~e) | ({data} & e); }}")
    return lines


def write_groups(text: Text, supports: Supports) -> list[Group]:
    """Return the writes of the memories that are in no class.

    Those of memories that are read without a clock are one group, so that all of them see what was there before.
    """
    memories = {
        name: ports
        for name, ports in memory_ports(text.module).items()
        if ports.reads[0].wire("DATA") not in text.classes.place
    }
    early = [
        name for name, ports in memories.items() if not all(read.flag("CLK_ENABLE") for read in ports.reads)
    ]
    groups = [early, *([name] for name in memories if name not in early)]
    result = []
    for names in groups:
        writes = [(name, write) for name in names for write in memories[name].writes]
        if not writes:
            continue
        uses = [use for _, write in writes for use in uses_of_write(write, early=names == early)]
        reads, _ = supports.of(sig for sig, _ in uses)
        result.append(
            Group(
                frozenset(supports.listed(reads)),
                frozenset(("memory", name) for name in names),
                partial(_writes, text, writes, uses),
            )
        )
    return result


def _writes(text: Text, writes: Sequence[tuple[str, Cell]], uses: Uses) -> list[str]:
    values, lines = text.begin(uses), []
    for name, write in writes:
        lines += _write(text, name, write)
    return values + lines


def _write(text: Text, name: str, write: Cell) -> list[str]:
    data, memory = write.ports["DATA"], text.memories[name]
    width = width_of(data)
    enable = single_enable(write.ports["EN"])
    if enable is not None and value_of(enable) == 0:
        return []
    condition = text.value(enable) if enable is not None else "true"
    with text.inside(*([(enable, TRUE)] if enable is not None else [])) as inner:
        at, there = address(text, write)
        places = [f"{memory}[{at}]" if width <= WORD else f"{memory}[{at}][{k}]" for k in range(words(width))]
        if enable is None:
            body = _masked(text, places, write)
        else:
            body = [f"{place} = {text.chunk(data, k)};" for k, place in enumerate(places)]
        body.append(text.wakes.text(("memory", name)))
        inner += [f"if ({there}) {{", *_indented(body), "}"] if there else body
    return [f"if ({condition}) {{", *_indented(inner), "}"]


def words_of_memory(contents: int, width: int, depth: int) -> Iterable[tuple[int, int]]:
    """Return the places of a memory that are not 0 at first, with what is there."""
    for at in range(depth):
        value = contents >> at * width & mask(width)
        if value:
            yield at, value
