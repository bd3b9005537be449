# SPDX-License-Identifier: BSD-2-Clause
"""C++ of the operators that there are once."""

from __future__ import annotations

from erbium.gen.netlist.bits import Sig, width_of
from erbium.gen.netlist.module import Cell
from erbium.gen.vectors.graph import READ
from erbium.gen.vectors.recognise import ANY, COUNT, FEW, LOWEST
from erbium.gen.vectors.text import WORD, Text, mask, number, words

BITWISE = {"$and": "&", "$or": "|", "$xor": "^"}
ARITHMETIC = {"$add": "+", "$sub": "-", "$mul": "*"}
COMPARISONS = {"$eq": "==", "$ne": "!=", "$lt": "<", "$le": "<=", "$gt": ">", "$ge": ">="}
_WIDE_CALLS = {"$mul": "mul", "$shl": "shl", "$shr": "shr", "$sshr": "sshr", "$part": "shr"}


def operator_lines(text: Text, cell: Cell) -> list[str]:
    """Return the lines that compute the value of an operator."""
    if cell.kind == READ:
        return _read(text, cell)
    wire = cell.wire("Y")
    name, width = text.local(wire), text.module.widths[wire]
    if cell.kind == "$mux" and wire in text.guards.branches:
        return _branches(text, cell, name, width)
    if cell.kind in (LOWEST, FEW, ANY, COUNT):
        return [f"const u64 {name} = {_counted(text, cell)} & {number(mask(width))};"]
    operands = [sig for port, sig in cell.ports.items() if port not in ("S", "Y")]
    if width <= WORD and all(width_of(sig) <= WORD for sig in operands):
        return [f"const u64 {name} = {_narrow(text, cell, width)};"]
    return _wide(text, cell, name, width)


def _signed(value: str, width: int) -> str:
    return f"(i64({value} << {WORD - width}) >> {WORD - width})" if width < WORD else f"i64({value})"


def _narrow(text: Text, cell: Cell, width: int) -> str:
    """Return the value of an operator whose operands and value have at most 64 bits."""
    kind, ports = cell.kind, cell.ports
    a = text.value(ports["A"])
    b = text.value(ports["B"]) if "B" in ports else ""
    a_width, fits = width_of(ports["A"]), number(mask(width))
    if kind in BITWISE:
        return f"{a} {BITWISE[kind]} {b}"
    if kind in ARITHMETIC:
        return f"({a} {ARITHMETIC[kind]} {b}) & {fits}"
    if kind in COMPARISONS:
        if cell.flag("SIGNED"):
            a, b = _signed(a, a_width), _signed(b, a_width)
        return f"{a} {COMPARISONS[kind]} {b}"
    match kind:
        case "$not":
            return f"~{a} & {fits}"
        case "$neg":
            return f"(0 - {a}) & {fits}"
        case "$mux":
            return f"{text.value(ports['S'])} ? {b} : {a}"
        case "$reduce_or" | "$reduce_bool":
            return f"{a} != 0"
        case "$reduce_and":
            return f"{a} == {number(mask(a_width))}"
        case "$reduce_xor":
            return f"u64(__builtin_parityll({a}))"
        case "$shl":
            return f"({b} > 63 ? 0 : {a} << {b}) & {fits}"
        case "$shr" | "$part":
            return f"({b} > 63 ? 0 : {a} >> {b}) & {fits}"
        case "$sshr":
            return f"u64({_signed(a, a_width)} >> ({b} > 63 ? 63 : {b})) & {fits}"
    raise AssertionError(f"{kind} is accepted and not written")


def _wide(text: Text, cell: Cell, name: str, width: int) -> list[str]:
    """Return the lines of an operator with more than 64 bits somewhere."""
    kind, ports = cell.kind, cell.ports
    a = text.chunks(ports["A"])
    a_width = width_of(ports["A"])
    b = text.chunks(ports["B"]) if "B" in ports else []
    if kind in ("$reduce_or", "$reduce_bool"):
        return [f"const u64 {name} = ({' | '.join(a)}) != 0;"]
    if kind == "$reduce_xor":
        return [f"const u64 {name} = u64(__builtin_parityll({' ^ '.join(a)}));"]
    if kind == "$reduce_and":
        tests = [f"{one} == {number(mask(min(WORD, a_width - WORD * k)))}" for k, one in enumerate(a)]
        return [f"const u64 {name} = {' && '.join(tests)};"]
    if kind in ("$eq", "$ne"):
        differences = " | ".join(f"({x} ^ {y})" for x, y in zip(a, b, strict=True))
        return [f"const u64 {name} = ({differences}) {COMPARISONS[kind]} 0;"]
    if kind in COMPARISONS:
        call = f"less({{0}}, {{1}}, {len(a)}, {a_width if cell.flag('SIGNED') else 0})"
        first, second = (f"{name}_a", f"{name}_b") if kind in ("$lt", "$ge") else (f"{name}_b", f"{name}_a")
        inverse = "!" if kind in ("$le", "$ge") else ""
        return [
            *_arrays(name, {"a": a, "b": b}),
            f"const u64 {name} = {inverse}{call.format(first, second)};",
        ]
    if kind in _WIDE_CALLS:
        return _called(text, cell, name, width)
    lines, count = [], words(width)
    carries = {"$add": "add", "$sub": "sub", "$neg": "sub"}
    if kind in carries:
        lines.append(f"u64 {name}_c = 0;")
    condition = text.value(ports["S"]) if kind == "$mux" else ""
    for k in range(count):
        fits = number(mask(min(WORD, width - WORD * k)))
        if kind in BITWISE:
            value = f"{a[k]} {BITWISE[kind]} {b[k]}"
        elif kind == "$not":
            value = f"~{a[k]} & {fits}"
        elif kind == "$mux":
            value = f"{condition} ? {b[k]} : {a[k]}"
        elif kind == "$neg":
            value = f"sub(0, {a[k]}, {name}_c) & {fits}"
        else:
            value = f"{carries[kind]}({a[k]}, {b[k]}, {name}_c) & {fits}"
        lines.append(f"const u64 {name}_{k} = {value};")
    return lines


def _arrays(name: str, values: dict[str, list[str]]) -> list[str]:
    return [f"const u64 {name}_{end}[] = {{{', '.join(value)}}};" for end, value in values.items()]


def _called(text: Text, cell: Cell, name: str, width: int) -> list[str]:
    """Return the lines of a wide operator that is a call: a product or a shift."""
    a_width = width_of(cell.ports["A"])
    count = max(words(a_width), words(width))
    lines = _arrays(name, {"a": text.chunks(cell.ports["A"])})
    lines.append(f"u64 {name}_y[{count}];")
    if cell.kind == "$mul":
        lines += _arrays(name, {"b": text.chunks(cell.ports["B"])})
        lines.append(f"mul({name}_a, {name}_b, {name}_y, {count});")
    else:
        distance = _distance(text, cell.ports["B"])
        signed = f", {a_width}" if cell.kind == "$sshr" else ""
        lines.append(f"{_WIDE_CALLS[cell.kind]}({name}_a, {distance}, {name}_y, {count}{signed});")
    if width <= WORD:
        return [*lines, f"const u64 {name} = {name}_y[0] & {number(mask(width))};"]
    return lines + [
        f"const u64 {name}_{k} = {name}_y[{k}] & {number(mask(min(WORD, width - WORD * k)))};"
        for k in range(words(width))
    ]


def _distance(text: Text, sig: Sig) -> str:
    """Return a distance; what has more than 64 bits and is not 0 there is as good as the largest."""
    first, *rest = text.chunks(sig)
    return f"({' | '.join(rest)} ? ~u64(0) : {first})" if rest else first


def _counted(text: Text, cell: Cell) -> str:
    """Return what `recognise` has found."""
    chunks = text.chunks(cell.ports["A"])
    if cell.kind == ANY:
        return f"u64(({' | '.join(chunks)}) != 0)"
    if cell.kind in (FEW, COUNT):
        count = " + ".join(f"u64(__builtin_popcountll({chunk}))" for chunk in chunks)
        return f"few({count})" if cell.kind == FEW else f"({count})"
    result = number(int(cell.parameters["ZERO"]))
    for k, chunk in reversed(list(enumerate(chunks))):
        result = f"({chunk} ? {WORD * k} + u64(__builtin_ctzll({chunk})) : {result})"
    return result


def _branches(text: Text, cell: Cell, name: str, width: int) -> list[str]:
    """Return a multiplexer that computes only the side that is taken."""
    wire, count = cell.wire("Y"), words(width)
    names = [f"{name}_{k}" if width > WORD else name for k in range(count)]
    lines = [f"u64 {', '.join(names)};"]
    condition = text.value(cell.ports["S"])
    for port, head in (("B", f"if ({condition}) {{"), ("A", "} else {")):
        with text.inside((wire, (port,))) as inner:
            values = text.chunks(cell.ports[port])
            body = [*inner, *(f"{one} = {value};" for one, value in zip(names, values, strict=True))]
        lines += [head, *(f"  {line}" for line in body)]
    return [*lines, "}"]


def address(text: Text, cell: Cell) -> tuple[str, str]:
    """Return an address of a memory, and the condition that there is such a word; empty if there always is."""
    memory = text.module.memories[str(cell.parameters["MEMID"])]
    sig = cell.ports["ADDR"]
    at = text.value(sig)
    return at, "" if memory.depth >= 1 << width_of(sig) else f"{at} < {memory.depth}"


def _read(text: Text, cell: Cell) -> list[str]:
    """Return a read without a clock."""
    wire = cell.wire("DATA")
    name, width, memory = (
        text.local(wire),
        text.module.widths[wire],
        text.memories[str(cell.parameters["MEMID"])],
    )
    at, there = address(text, cell)
    fallback = "0ull"
    if width <= WORD:
        value = f"u64({memory}[{at}])"
        return [f"const u64 {name} = {f'{there} ? {value} : {fallback}' if there else value};"]
    return [
        f"const u64 {name}_{k} = {f'{there} ? {memory}[{at}][{k}] : {fallback}' if there else f'{memory}[{at}][{k}]'};"
        for k in range(words(width))
    ]
