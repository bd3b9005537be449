# SPDX-License-Identifier: BSD-2-Clause
"""Runs of pixels, as samples have them in a flash and on the serial line.

A byte n below 128 stands for n + 1 black pixels; one from 128 on for n - 127 pixels whose values follow, a byte each.
Needs no hardware library.
"""

from __future__ import annotations

import re
from itertools import zip_longest

RUN_LIMIT = 128
"""Pixels of one run, at most: its first byte says which kind, and how many."""

_RUNS = re.compile(rb"\0+|[^\0]+(?:\0[^\0]+)*")
"""Black pixels, or others. A lone black pixel between two others stays within their run, where two runs more would be
no shorter."""

_RUNS_OF_NIBBLES = re.compile(rb"\0+|[^\0]+(?:\0{1,3}[^\0]+)*")
"""The same where two values are a byte: up to three black pixels take no more than two runs and the half byte that is
lost with them."""


def run_octets(pixels: bytes, *, nibbles: bool = False) -> bytes:
    """Return pixels as runs; with `nibbles` two values of 0 ... 15 in a byte, the first one in its lower half."""
    out = bytearray()
    for found in (_RUNS_OF_NIBBLES if nibbles else _RUNS).finditer(pixels):
        run = found[0]
        black = not run[0]
        for start in range(0, len(run), RUN_LIMIT):
            part = run[start : start + RUN_LIMIT]
            out.append(len(part) - 1 if black else len(part) - 1 + RUN_LIMIT)
            if not black:
                out += nibble_octets(part) if nibbles else part
    return bytes(out)


def nibble_octets(values: bytes) -> bytes:
    """Return values of 0 ... 15 as nibbles, two in a byte, the first one in its lower half; a spare one is 0."""
    return bytes(low | high << 4 for low, high in zip_longest(values[::2], values[1::2], fillvalue=0))


def pixels_of(octets: bytes, n_inputs: int) -> bytes:
    """Return the pixels of runs; what is missing at the end is black.

    Raises
    ------
    ValueError
        If they are more than `n_inputs`, or end within a run.
    """
    out, at = bytearray(), 0
    while at < len(octets):
        head = octets[at]
        count = head % RUN_LIMIT + 1
        at += 1
        if head < RUN_LIMIT:
            out += bytes(count)
        else:
            if at + count > len(octets):
                raise ValueError("the runs of a sample end within a run")
            out += octets[at : at + count]
            at += count
        if len(out) > n_inputs:
            raise ValueError(f"the runs of a sample have more than {n_inputs} pixels")
    return bytes(out) + bytes(n_inputs - len(out))
