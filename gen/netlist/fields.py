# SPDX-License-Identifier: BSD-2-Clause
"""Splits wires that are only used in parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from erbium.gen.netlist.bits import Bits, Sig, unions
from erbium.gen.netlist.clean import Cleaner
from erbium.gen.netlist.module import Netlist, Register
from erbium.gen.netlist.prune import indexed_wires
from erbium.gen.netlist.statements import restricted, sigs_of


def split_fields(module: Netlist) -> None:
    """Make one register per field of a register of which only some fields are read."""
    fields: dict[str, dict[str, Bits]] = {}
    for alias, sig in module.aliases.items():
        base, _, rest = alias.partition(".")
        if rest and not set(rest) & set(".[") and len(sig) == 1 and sig[0].wire == base:
            fields.setdefault(base, {})[f"{base}_{rest}"] = sig[0]
    read, indexed = read_bits(module), indexed_wires(module)
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
                    restricted(register.statements, part.low, part.width),
                    register.reset,
                    register.reset_value >> part.low & mask,
                    register.asynchronous,
                )
            )
            pieces.append(Bits(name, 0, part.width))
        replaced[wire] = tuple(pieces)
    module.registers = registers
    cleaner = Cleaner(module)
    cleaner.replaced = replaced
    cleaner.apply()


WIDE = 64
"""Registers of more bits are split where what reads them allows it."""


def split_wide(module: Netlist) -> bool:
    """Make a register per lane of a register that is read lane by lane; say whether there was one.

    A simulator moves such registers at once where they are copied, and need not cut them out of a word.
    """
    reads: dict[str, list[tuple[int, int]]] = {}
    indexed = indexed_wires(module)
    for sig in all_read(module):
        for part in sig:
            if part.wire is not None and part.width <= WIDE:
                reads.setdefault(part.wire, []).append((part.low, part.low + part.width))
    replaced: dict[str, Sig] = {}
    registers = []
    for register in module.registers:
        wire, width = register.wire, module.widths[register.wire]
        ranges = unions(reads.get(wire, []))
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
                    restricted(register.statements, low, high - low),
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
    cleaner = Cleaner(module)
    cleaner.replaced = replaced
    cleaner.apply()
    return True


def read_bits(module: Netlist) -> Counter[str]:
    """Return, for each wire, the mask of bits that something in the module reads."""
    read: Counter[str] = Counter()
    for sig in all_read(module):
        for part in sig:
            if part.wire is not None:
                read[part.wire] |= (1 << part.width) - 1 << part.low
    for wire, direction in module.ports.items():
        if direction == "output":
            read[wire] = (1 << module.widths[wire]) - 1
    return read


def all_read(module: Netlist) -> Iterator[Sig]:
    """Return every value that is read in the module."""
    for cell in module.cells:
        for port, sig in cell.ports.items():
            if port not in cell.outputs:
                yield sig
    for register in module.registers:
        yield register.clock
        yield register.reset
        yield from sigs_of(register.statements)
    yield from module.connections.values()
