# SPDX-License-Identifier: BSD-2-Clause
"""Compiled loops of the fast path for faults: what :mod:`erbium.sw_model.faults` says, for both learners.

The learners' kernels take :class:`FaultArrays`, or None. Numba compiles them once for each of the two types and
leaves out what stands behind ``if f is not None`` where there is None: a chip without faults runs the loops that
it always ran.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from erbium.sw_model.fast_kernels import Array, saturate16, xorshift32

DIGEST = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
"""Digest of this file, for the cache of those who call it; see :mod:`erbium.sw_model.fast_kernels`."""

EVENTS, WEIGHT_UPSETS, STATE_UPSETS = range(3)

FAULT_LAYER = np.dtype(
    [
        (name, np.int64)
        for name in (
            "weight_width",
            "weight_bits",  # of the whole memory
            "weight_whole",  # upsets per learned sample, and the fraction of one more in 1/2**32
            "weight_fraction",
            "state_bits",
            "state_whole",  # the same per tick
            "state_fraction",
            "drop_below",
            "duplicate_below",
        )
    ]
)
"""Faults of one layer and of the channel before it."""


class FaultArrays(NamedTuple):
    """Faults in arrays, and what changes of them while samples run.

    Attributes
    ----------
    layers : ndarray of FAULT_LAYER, shape (n_layers,)
    weight_keep, weight_set : ndarray of int16, shape (rows of all layers, lanes)
        What is written to a weight is held as ``(w & keep) | set``.
    state_keep, state_set : ndarray of int32, shape (n_layers, 4, lanes)
    alive : ndarray of int32, shape (n_layers, lanes)
        0 for dead neurons.
    salts : ndarray of int64, shape (n_layers, 3)
    draws : ndarray of int64, shape (n_layers, 3)
        States of the random number generators.
    received : ndarray of int64, shape (n_layers, 2 * n)
        Events that arrived at each layer: in this tick, or with first spikes in this sample.
    ticks : ndarray of int64, shape (n_layers, 2 * n)
        Their ticks.
    n_received, n_seen : ndarray of int64, shape (n_layers,)
        How many arrived, and of how many spikes of the channel.
    delta : ndarray of int16, shape (lanes,)
        What a row loses.
    """

    layers: Array
    weight_keep: Array
    weight_set: Array
    state_keep: Array
    state_set: Array
    alive: Array
    salts: Array
    draws: Array
    received: Array
    ticks: Array
    n_received: Array
    n_seen: Array
    delta: Array


@njit(nogil=True, forceinline=True)
def inverted(value: Any, bit: int, width: int) -> Any:
    """Invert a bit of a number in two's complement; the bits above `width` follow the sign bit."""
    return value ^ (-(1 << bit) if bit == width - 1 else 1 << bit)


@njit(nogil=True)
def hold_states(number: int, layer: Any, keep: Array, set_: Array, x: Array) -> None:
    """Let stuck bits have their way with the states of a layer."""
    for state in range(layer.n_states):
        for i in range(layer.lanes):
            x[number, state, i] = (x[number, state, i] & keep[number, state, i]) | set_[number, state, i]


@njit(nogil=True)
def upset_states(number: int, layer: Any, f: FaultArrays, x: Array) -> None:
    """Invert bits of the states of a layer, before a sweep."""
    fault, draws = f.layers[number], f.draws
    if fault.state_whole == 0 and fault.state_fraction == 0:
        return
    draw = xorshift32(draws[number, STATE_UPSETS])
    for _ in range(fault.state_whole + (draw < fault.state_fraction)):
        draw = xorshift32(draw)
        place = (draw * fault.state_bits) >> 32
        cell, bit = place >> 4, place & 15
        state, i = cell // layer.n_neurons, cell % layer.n_neurons
        value = inverted(int(x[number, state, i]), bit, 16)
        x[number, state, i] = (value & f.state_keep[number, state, i]) | f.state_set[number, state, i]
    draws[number, STATE_UPSETS] = draw


@njit(nogil=True)
def upset_weights(number: int, layer: Any, f: FaultArrays, weights: Array) -> None:
    """Invert bits of the weights of a layer, before a sample is learned."""
    fault, draws = f.layers[number], f.draws
    if fault.weight_whole == 0 and fault.weight_fraction == 0:
        return
    draw = xorshift32(draws[number, WEIGHT_UPSETS])
    for _ in range(fault.weight_whole + (draw < fault.weight_fraction)):
        draw = xorshift32(draw)
        place = (draw * fault.weight_bits) >> 32
        cell, bit = place // fault.weight_width, place % fault.weight_width
        row, i = layer.first_row + cell // layer.n_neurons, cell % layer.n_neurons
        value = inverted(int(weights[row, i]), bit, fault.weight_width)
        weights[row, i] = (value & f.weight_keep[row, i]) | f.weight_set[row, i]
    draws[number, WEIGHT_UPSETS] = draw


@njit(nogil=True)
def begin_faults(
    number: int, layer: Any, f: FaultArrays, seed: int, learn: bool, weights: Array, x: Array, active: Array
) -> None:
    """Start a sample in one layer, whose neurons have begun it."""
    for stream in range(3):
        state = (seed + f.salts[number, stream]) & 0xFFFF_FFFF
        f.draws[number, stream] = state if state != 0 else f.salts[number, stream]
    f.n_received[number] = 0
    f.n_seen[number] = 0
    for i in range(layer.lanes):
        active[number, i] &= f.alive[number, i]
    hold_states(number, layer, f.state_keep, f.state_set, x)
    if learn:
        upset_weights(number, layer, f, weights)


@njit(nogil=True)
def receive(number: int, f: FaultArrays, channels: Array, end: int, tick: int) -> None:
    """Append what arrives of the spikes of a channel that the layer behind it has not seen, up to `end`."""
    fault, received, ticks = f.layers[number], f.received, f.ticks
    n, draw = f.n_received[number], f.draws[number, EVENTS]
    for k in range(f.n_seen[number], end):
        times = 1
        if fault.duplicate_below > 0:
            draw = xorshift32(draw)
            if draw < fault.drop_below:
                times = 0
            elif draw < fault.duplicate_below:
                times = 2
        for _ in range(times):
            received[number, n] = channels[number, k]
            ticks[number, n] = tick
            n += 1
    f.n_received[number], f.n_seen[number], f.draws[number, EVENTS] = n, end, draw


@njit(nogil=True)
def learn_row_held(
    weights: Array,
    row: int,
    delta: Array,
    lowest: np.int16,
    highest: np.int16,
    lanes: int,
    keep: Array,
    set_: Array,
) -> int:
    """Take `delta` from a row, clamp it and let stuck bits have their way; return the weights that changed."""
    changed = np.int16(0)
    for i in range(lanes):
        weight = weights[row, i]
        new = min(max(np.int16(saturate16(weight - delta[i])), lowest), highest)
        new = np.int16((new & keep[row, i]) | set_[row, i])
        changed = np.int16(changed + (np.int16(1) if new != weight else np.int16(0)))
        weights[row, i] = new
    return int(changed)
