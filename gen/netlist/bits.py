# SPDX-License-Identifier: BSD-2-Clause
"""Signals of a netlist: bits of wires and constants, side by side."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


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


def plain_name(name: str) -> str:
    """Return a name of the source as a Verilog identifier, without the numbers that Amaranth appends."""
    name = re.sub(r"\$\d+", "", name.lstrip("\\"))
    name = re.sub(r"\W+", "_", name).strip("_")
    name = re.sub(r"__+", "_", name)
    return f"n_{name}" if not name or name[0].isdigit() else name


def unions(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges with those that overlap made one."""
    result: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if result and low < result[-1][1]:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    return result
