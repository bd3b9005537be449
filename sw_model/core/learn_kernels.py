# SPDX-License-Identifier: BSD-2-Clause
"""The pass at the end of a sample, compiled: what :class:`erbium.sw_model.graph_model.rules.EndModel` says."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from numba import njit

from erbium.sw_model.core.state import State
from erbium.sw_model.core.tables import Tables
from erbium.sw_model.fast_kernels import PLASTICITY, ROWS_LEARNED, WEIGHTS_CHANGED, xorshift32

OWN_DIGEST = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


@njit(nogil=True)
def pass_row(s: State, number: int, rounding: int, projection: Any, row: int, n: int, factor: int) -> None:
    """Add ``(factor * step + r) >> rounding`` to the kept synapses of a row, with one r for all of them."""
    counters, draws, kept, step, weights = s.counters, s.draws, s.kept, s.step, s.weights
    draw = xorshift32(draws[number, PLASTICITY])
    draws[number, PLASTICITY] = draw
    r, changed = draw & ((1 << rounding) - 1), 0
    for i in range(n):
        if kept[i]:
            old = weights[row, i]
            new = min(max(old + ((factor * step[i] + r) >> rounding), projection.lowest), projection.highest)
            changed += new != old
            weights[row, i] = new
    counters[number, ROWS_LEARNED] += 1
    counters[number, WEIGHTS_CHANGED] += changed


@njit(nogil=True)
def finish(s: State, t: Tables, number: int, factor: int) -> None:
    """Pass the rows of a population with an end rule, once, and forget which of them spiked; `factor` 0: only that."""
    kept, pending, step, weights, word = s.kept, s.pending, s.step, s.weights, s.word
    populations, there = t.populations, t.there
    population = populations[number]
    first, n, group = population.first, population.n, t.groups[population.group]
    some = False
    for i in range(n):
        some |= word[first + i] != 0
    for j in range(population.first_projection, population.first_projection + population.n_projections):
        projection = t.projections[j]
        if not projection.learns:
            continue
        for row in range(projection.first_row, projection.first_row + projection.n_rows):
            spiked = pending[row]
            pending[row] = False
            if not some or factor == 0 or not (spiked or group.every_row):
                continue
            for i in range(n):
                w, m = weights[row, i], word[first + i]
                kept[i] = there[row, i] and m != 0
                up = (projection.highest - w) << (group.rounding - group.up)
                down = (projection.lowest - w) << (group.rounding - group.down)
                step[i] = (up if spiked else down) * (1 if m > 0 else -1)
            pass_row(s, number, group.rounding, projection, row, n, factor)
