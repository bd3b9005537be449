# SPDX-License-Identifier: BSD-2-Clause
"""Runs of pixels, as samples have them in a flash and on the serial line.

A byte n below 128 stands for n + 1 black pixels; one from 128 on for n - 127 pixels whose values follow, a byte each.
Needs no hardware library.
"""

from __future__ import annotations

import re

RUN_LIMIT = 128
"""Pixels of one run, at most: its first byte says which kind, and how many."""

_RUNS = re.compile(rb"\0+|[^\0]+(?:\0[^\0]+)*")
"""Black pixels, or others. A lone black pixel between two others stays within their run, where two runs more would be
no shorter."""


def run_octets(pixels: bytes) -> bytes:
    """Return pixels as runs."""
    out = bytearray()
    for found in _RUNS.finditer(pixels):
        run = found[0]
        black = not run[0]
        for start in range(0, len(run), RUN_LIMIT):
            part = run[start : start + RUN_LIMIT]
            out.append(len(part) - 1 if black else len(part) - 1 + RUN_LIMIT)
            out += b"" if black else part
    return bytes(out)


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
