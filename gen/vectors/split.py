# SPDX-License-Identifier: BSD-2-Clause
"""Splits what is used lane by lane: registers, bitwise operators and memories become one for each lane."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping
from itertools import groupby, pairwise

from erbium.gen.netlist.bits import Bits, Sig, cut, unions, value_of, width_of
from erbium.gen.netlist.module import Assign, Cell, Memory, Netlist, Register, Statement
from erbium.gen.netlist.prune import indexed_wires
from erbium.gen.netlist.statements import BITWISE, CARRYING, SHIFTING, sigs_of
from erbium.gen.vectors.graph import (
    WRITE,
    Ports,
    flat_statements,
    memory_ports,
    operators,
    part_of,
    read_ranges,
    replace,
    single_enable,
)

MIN_LANES = 8
"""So many that are alike are worth a vector."""

WORD = 64
"""What is wider does not fit in a register of the processor, so that splitting it always helps."""

Edges = list[int]

_NUMERIC = (*CARRYING, *SHIFTING, "$lt", "$le", "$gt", "$ge")


def split(module: Netlist) -> dict[str, str]:
    """Split until nothing is left that is used lane by lane; return parts of registers, and what each was a part of."""
    whole: dict[str, str] = {}
    # Memories come last, as what reads them says where their lanes are.
    while any([_registers(module, whole), _bitwise(module)]) or _memories(module):
        pass
    return whole


def _registers(module: Netlist, origin: dict[str, str]) -> bool:
    """Split registers that are assigned lane by lane, and wide ones that are read so."""
    reads, whole = read_ranges(module), _whole_operands(module) | indexed_wires(module) | set(module.ports)
    decoded = {
        wire
        for wire, cell in operators(module).items()
        if cell.kind == "$eq" and value_of(cell.ports["B"]) is not None
    }
    replaced: dict[str, Sig] = {}
    registers = []
    places_of = {
        register.wire: _register_edges(module, register, reads, whole) for register in module.registers
    }
    forms = {
        register.wire: (*places_of[register.wire], flat_statements(register.statements)[0])
        for register in module.registers
    }
    lanes = _lanes_of_forms(forms, places_of)
    for register in module.registers:
        wire, width = register.wire, module.widths[register.wire]
        places = places_of[wire]
        # The bits of a decoder are a word: one shift makes them all.
        is_decoder = len(places) == width + 1 and all(
            part.wire in decoded
            for sig in sigs_of(register.statements)
            if width_of(sig) == width
            for part in sig
        )
        if len(places) == 2 or is_decoder or not (width > WORD or wire in lanes):
            registers.append(register)
            continue
        pieces = []
        for low, high in pairwise(places):
            piece = _new_wire(module, wire, low, high - low)
            origin[piece] = origin.get(wire, wire)
            registers.append(part_of(module, register, piece, low))
            pieces.append(Bits(piece, 0, high - low))
        replaced[wire] = tuple(pieces)
    module.registers = registers
    replace(module, replaced)
    return bool(replaced)


def _register_edges(
    module: Netlist, register: Register, reads: Mapping[str, set[tuple[int, int]]], whole: Collection[str]
) -> Edges:
    """Return where parts of a register that are assigned or read as words begin and end."""
    wire, width = register.wire, module.widths[register.wire]
    edges = {0, width}
    if wire not in whole:
        edges |= _assigned_edges(register.statements)
        ranges = reads.get(wire, set())
        if width > WORD or (0, width) not in ranges:
            edges |= _read_edges(ranges)
    return sorted(edges)


def _bitwise(module: Netlist) -> bool:
    """Split bitwise operators between the lanes of what they read, and of what reads them."""
    reads, whole = read_ranges(module), _whole_operands(module) | indexed_wires(module) | set(module.ports)
    replaced: dict[str, Sig] = {}
    places_of: dict[str, Edges] = {}
    forms: dict[str, Hashable] = {}
    for wire, cell in operators(module).items():
        if cell.kind in BITWISE and wire not in whole:
            edges = {0, module.widths[wire]} | _read_edges(reads.get(wire, ()))
            for port in "AB":
                edges |= _part_edges(cell.ports.get(port, ()))
            places_of[wire] = sorted(edges)
            forms[wire] = (cell.kind, *places_of[wire])
    lanes = _lanes_of_forms(forms, places_of)
    cells = []
    for cell in module.cells:
        wire = cell.wire("Y") if "Y" in cell.ports else ""
        places = places_of.get(wire, [])
        # Single bits stay together, in words of bits.
        bits = {high - low for low, high in pairwise(places)} == {1}
        if len(places) < 3 or bits or not (module.widths[wire] > WORD or wire in lanes):
            cells.append(cell)
            continue
        pieces = []
        for low, high in pairwise(places):
            piece = _new_wire(module, wire, low, high - low)
            ports = {
                port: sig if port == "S" else cut(sig, low, high - low)
                for port, sig in cell.ports.items()
                if port != "Y"
            }
            cells.append(Cell(cell.kind, piece, {}, {**ports, "Y": module.whole(piece)}))
            pieces.append(Bits(piece, 0, high - low))
        replaced[wire] = tuple(pieces)
    module.cells = cells
    replace(module, replaced)
    return bool(replaced)


def _memories(module: Netlist) -> bool:
    """Split memories that are read lane by lane; memories with the same addresses count as one, side by side."""
    reads = read_ranges(module)
    groups: dict[object, list[str]] = {}
    every = memory_ports(module)
    for name, ports in every.items():
        # A port of no bits, or one that is split already, is nothing to split.
        if ports.simple and module.memories[name].width > 1 and "#" not in name:
            (read,), (write,) = ports.reads, ports.writes
            same = (module.memories[name].depth, read.ports["ADDR"], read.ports["EN"], write.ports["ADDR"])
            groups.setdefault(same, []).append(name)
    replaced: dict[str, Sig] = {}
    for names in groups.values():
        replaced |= _split_memory(module, names, every, reads)
    replace(module, replaced)
    return bool(replaced)


def _split_memory(
    module: Netlist, names: list[str], ports: dict[str, Ports], reads: dict[str, set[tuple[int, int]]]
) -> dict[str, Sig]:
    """Split memories that lie side by side at the same addresses, if lanes read them; return what is read."""
    edges, at = {0}, 0
    starts: dict[str, int] = {}
    every: set[tuple[int, int]] = set()
    for name in names:
        output = ports[name].reads[0].wire("DATA")
        starts[output] = at
        every |= {(at + low, at + high) for low, high in reads.get(output, ())}
        at += module.memories[name].width
        edges.add(at)
    # What is read as one, over the border of two memories, is one.
    joint = _joint_reads(module, starts) if len(names) > 1 else ()
    crossing = {edge for low, high in joint for edge in range(low + 1, high)}
    edges = (edges - crossing) | {edge for edge in _read_edges(every) if edge not in crossing} | {0, at}
    places = _with_words_of_bits(sorted(edges), every)
    if not _mostly_uniform(places):
        return {}
    (first, *_) = names
    read, write = ports[first].reads[0], ports[first].writes[0]
    data = tuple(part for name in names for part in ports[name].writes[0].ports["DATA"])
    enables = tuple(part for name in names for part in ports[name].writes[0].ports["EN"])
    contents = (
        [
            _side_by_side([module.memories[name] for name in names], word)
            for word in range(module.memories[first].depth)
        ]
        if any(module.memories[name].contents for name in names)
        else []
    )
    if any(single_enable(cut(enables, low, high - low)) is None for low, high in pairwise(places)):
        return {}
    gone = {id(cell) for name in names for cell in (*ports[name].reads, *ports[name].writes)}
    module.cells = [cell for cell in module.cells if id(cell) not in gone]
    pieces: list[Bits] = []
    for low, high in pairwise(places):
        width = high - low
        name = f"{first}#{low}"
        mask = (1 << width) - 1
        column = sum((word >> low & mask) << width * k for k, word in enumerate(contents))
        module.memories[name] = Memory(width, module.memories[first].depth, column)
        wire = _new_wire(module, f"{first}.data", low, width)
        ways = {"MEMID": name}
        port = {**read.ports, "DATA": module.whole(wire)}
        module.cells.append(Cell(read.kind, f"{name}.read", {**read.parameters, **ways}, port, ("DATA",)))
        port = {**write.ports, "DATA": cut(data, low, width), "EN": cut(enables, low, 1) * width}
        module.cells.append(Cell(WRITE, f"{name}.write", {**write.parameters, **ways}, port, ()))
        pieces.append(Bits(wire, 0, width))
    for name in names:
        del module.memories[name]
    whole = tuple(pieces)
    return {wire: cut(whole, at, module.widths[wire]) for wire, at in starts.items()}


def _joint_reads(module: Netlist, starts: dict[str, int]) -> Iterable[tuple[int, int]]:
    """Return the ranges of memories side by side that some value takes over a border."""
    for cell in module.cells:
        for port, sig in cell.ports.items():
            if port not in cell.outputs:
                yield from _joint(sig, starts)
    for register in module.registers:
        for sig in sigs_of(register.statements):
            yield from _joint(sig, starts)


def _joint(sig: Sig, starts: dict[str, int]) -> Iterable[tuple[int, int]]:
    if sum(part.wire in starts for part in sig) < 2 or width_of(sig) > WORD:
        return
    for part, following in pairwise(sig):
        if part.wire in starts and following.wire in starts:
            low, next_low = starts[str(part.wire)] + part.low, starts[str(following.wire)] + following.low
            if low + part.width == next_low:
                yield low, next_low + following.width


def _side_by_side(memories: list[Memory], word: int) -> int:
    value, at = 0, 0
    for memory in memories:
        value |= (memory.contents >> word * memory.width & (1 << memory.width) - 1) << at
        at += memory.width
    return value


def _new_wire(module: Netlist, wire: str, low: int, width: int) -> str:
    name = f"{wire}#{low}"
    while name in module.widths:
        name += "'"
    module.widths[name] = width
    return name


def _assigned_edges(statements: Iterable[Statement]) -> set[int]:
    edges: set[int] = set()
    for statement in statements:
        if isinstance(statement, Assign):
            edges |= {statement.low, statement.low + width_of(statement.value)}
            edges |= _part_edges(statement.value, statement.low)
        else:
            for _, body in statement.cases:
                edges |= _assigned_edges(body)
    return edges


def _part_edges(sig: Sig, at: int = 0) -> set[int]:
    """Return where the parts of a value begin and end, if two of them are no constants."""
    edges: set[int] = set()
    if sum(part.wire is not None for part in sig) > 1:
        for part in sig:
            edges |= {at, at + part.width}
            at += part.width
    return edges


def _read_edges(ranges: Iterable[tuple[int, int]]) -> set[int]:
    """Return where what is read of a wire as a word begins and ends."""
    return {edge for pair in unions([r for r in ranges if r[1] - r[0] <= WORD]) for edge in pair}


def _whole_operands(module: Netlist) -> set[str]:
    """Return the wires that an operator takes as one wide number, which parts would not make cheaper."""
    result: set[str] = set()
    for cell in module.cells:
        if cell.kind in _NUMERIC:
            for port, sig in cell.ports.items():
                if port not in cell.outputs and width_of(sig) > WORD:
                    result |= {str(part.wire) for part in sig if part.wire}
    return result


def _lanes_of_forms(forms: Mapping[str, Hashable], places: Mapping[str, Edges]) -> set[str]:
    """Return the wires that are lanes and nothing else: many in one wire, or a few in each of many of one form."""
    count: Counter[Hashable] = Counter()
    for wire, form in forms.items():
        count[form] += len(places[wire]) - 1
    return {
        wire
        for wire, form in forms.items()
        if count[form] >= MIN_LANES and len({high - low for low, high in pairwise(places[wire])}) == 1
    }


def _with_words_of_bits(places: Edges, ranges: Iterable[tuple[int, int]]) -> Edges:
    """Return the edges but for those between many single bits that something reads as a word, too."""
    result = places[:1]
    for width, group in groupby(pairwise(places), lambda pair: pair[1] - pair[0]):
        run = list(group)
        first, last = run[0][0], run[-1][1]
        if (
            width == 1
            and len(run) >= MIN_LANES
            and any(low <= first and last <= high for low, high in ranges)
        ):
            result.append(last)
        else:
            result += [high for _, high in run]
    return result


def _mostly_uniform(places: Edges) -> bool:
    """Whether there are lanes, of one field or of several."""
    widths = Counter(high - low for low, high in pairwise(places))
    return bool(widths) and widths.most_common(1)[0][1] >= MIN_LANES
