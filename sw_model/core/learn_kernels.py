# SPDX-License-Identifier: BSD-2-Clause
"""How the weights of a row learn, compiled, and the pass over all rows at the end of a sample.

The latter is what :class:`erbium.sw_model.graph_model.rules.EndModel` says.
"""

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
def learn_row(
    s: State, number: int, group: Any, projection: Any, row: int, n: int, factor: int, sign: int, every: bool
) -> None:
    """Add ``sign * ((factor * step + r) >> rounding)`` to the kept synapses of a row, with one r for all of them.

    Without `every`, a row of which no step differs from 0 stays as it is; it has drawn its number.
    """
    counters, draws, kept, step, weights = s.counters, s.draws, s.kept, s.step, s.weights
    draw = xorshift32(draws[number, PLASTICITY])
    draws[number, PLASTICITY] = draw
    r, r2 = draw & ((1 << group.rounding) - 1), draw >> 25
    changed, some = 0, every
    for i in range(n):
        some |= step[i] != 0
    if not some:
        return
    for i in range(n):
        if not kept[i]:
            continue
        delta = sign * ((factor * step[i] + r) >> group.rounding)
        old = weights[row, i]
        if group.soft and r2 >= (projection.highest - old if delta > 0 else old - projection.lowest):
            delta = 0
        new = min(max(old + delta, projection.lowest), projection.highest)
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
            learn_row(s, number, group, projection, row, n, factor, 1, True)
