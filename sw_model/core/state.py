# SPDX-License-Identifier: BSD-2-Clause
"""What changes while the core runs, in arrays; :mod:`erbium.sw_model.core.tables` has what does not."""

from __future__ import annotations

from typing import NamedTuple

from erbium.sw_model.constants import Array

NEVER = -(1 << 40)
"""Tick of the last spike of a row that has none."""

TICK, INPUT, ANSWER, TICKS_RUN, DECISION = range(5)
"""Places in the counts of a sample: ticks since the last clearing, spikes of encoded pixels, and the outcome."""


class State(NamedTuple):
    """What changes while a graph runs.

    Attributes
    ----------
    x : ndarray of int64, shape (4, n_neurons)
    u : ndarray of int64, shape (2, n_neurons)
    refractory, word, history : ndarray of int64, shape (n_neurons,)
    silent : ndarray of bool, shape (n_neurons,)
    weights : ndarray of int64, shape (n_rows, lanes)
    last : ndarray of int64, shape (n_rows,)
        Tick of the last spike of each row.
    pending : ndarray of bool, shape (n_rows,)
        Of a history rule: rows that have spiked and not expired; of an end rule: that have spiked in this sample.
    draws : ndarray of int64, shape (n_populations, 5)
    source_draws : ndarray of int64, shape (n_sources,)
    spikes : ndarray of int64, shape (n_writers * n_slots, longest)
    n_spikes : ndarray of int64, shape (n_writers * n_slots,)
    heard : ndarray of int64, shape (n_modulators,)
        Spikes of the tick before.
    pixels, values, phase : ndarray of int64, shape (places,)
    n_pixels : ndarray of int64, shape (n_sources,)
    step : ndarray of int64, shape (lanes,)
    kept : ndarray of bool, shape (lanes,)
    counts : ndarray of int64, shape (n_classes,)
    stops : ndarray of bool, shape (stop_delay,)
    counters : ndarray of int64, shape (n_populations, 4)
    outcome : ndarray of int64, shape (5,)
    """

    x: Array
    u: Array
    refractory: Array
    word: Array
    history: Array
    silent: Array
    weights: Array
    last: Array
    pending: Array
    draws: Array
    source_draws: Array
    spikes: Array
    n_spikes: Array
    heard: Array
    pixels: Array
    values: Array
    phase: Array
    n_pixels: Array
    step: Array
    kept: Array
    counts: Array
    stops: Array
    counters: Array
    outcome: Array
