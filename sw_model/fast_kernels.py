# SPDX-License-Identifier: BSD-2-Clause
"""Compiled loops of the fast path that all learners share: random numbers, row passes, the tick sweep.

Everything lies in flat arrays that :mod:`erbium.sw_model.fast_common` prepares. The first axis of most is the
layer; the last is the neuron, padded to the same multiple of 32 in all layers, so that a loop over the neurons
of a layer is a whole number of vector instructions. Padding neurons have zero weights and are never active.

Two habits keep the loops fast. Numba computes in 64 bits, and LLVM goes back to 16 or 32 bits per lane only
if every intermediate value is cast to what it fits in; so the casts matter, and ``min(max(a + b, ...))`` on
int16 operands becomes one saturating instruction. And loops get whole arrays and indices, not slices, since
numba counts the references to each slice.

Numba's cache on disk notices changes of one file only, the one of the function that is cached. So nothing is
imported here from the rest of the model, and a learner's kernels make :data:`DIGEST` part of the cache's key.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, np.dtype[Any]]

DIGEST = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
"""Digest of this file.

A cached function that calls others from here is made by a function that takes the digest, and uses it: numba's
key of a compiled function holds the variables that the function takes from around it, but not what it calls.
"""

# Random number streams, in the order of the last axis of the learners' `draws`.
ENCODER, PLASTICITY, BLANK_SYNAPSE, BLANK_NEURON, NOISE = range(5)
# Kinds of source of an operation.
FROM_STATE, FROM_PORT, FROM_NOISE = range(3)
# Reset modes.
RESET_NONE, RESET_SET, RESET_ADD, RESET_MAX = range(4)
# Columns of the layers' counters.
SPIKES, SYNAPTIC_OPERATIONS, ROWS_LEARNED, WEIGHTS_CHANGED = range(4)
# Entries of the array's counters; the last is the learner's own.
SAMPLES, TICKS, INPUT_SPIKES, OWN_COUNTER = range(4)
# First columns of the results; a learner may have more.
ANSWER, TICKS_RUN, TICKS_TO_DECISION = range(3)

LAYER_FIELDS = (
    "n_neurons",
    "lanes",  # n_neurons, rounded up to whole vectors
    "first_row",  # of its rows in the weight array
    "n_states",
    "n_ports",
    "n_operations",
    "threshold",
    "adaptive",
    "refractory",
    "hold",
    "uses_noise",
    "weight_min",
    "weight_max",
    "transmit_factor",  # a weight w transmits (w * factor) >> 16
    "neuron_keep",
)
"""What is known of a layer whatever its learner is; a learner adds fields of its own."""

OPERATION = np.dtype([(name, np.int64) for name in ("destination", "kind", "index", "shift", "sign")])
"""One operation of a neuron program."""

VARIABLE = np.dtype(
    [(name, np.int64) for name in ("bias", "lower", "upper", "reset_mode", "reset_value", "initial")]
)
"""One state variable of a neuron program."""


# --- Random numbers ---------------------------------------------------------------------------------------


@njit(nogil=True, forceinline=True)
def xorshift32(state: int) -> int:
    """Advance a nonzero 32-bit state by one draw."""
    state ^= (state << 13) & 0xFFFF_FFFF
    state ^= state >> 17
    state ^= (state << 5) & 0xFFFF_FFFF
    return state


@njit(nogil=True, forceinline=True)
def seed_generators(draws: Array, salts: Array, seed: int) -> None:
    """Restart all generators from the seed of a sample."""
    for process in range(salts.shape[0]):
        for stream in range(salts.shape[1]):
            state = (seed + salts[process, stream]) & 0xFFFF_FFFF
            draws[process, stream] = state if state != 0 else salts[process, stream]


@njit(nogil=True, forceinline=True)
def mixed(low: Any, high: Any, constant: Any) -> Any:
    """Return 256 times the byte that a neuron derives from a draw of its layer, and some bits below it."""
    return np.uint16(np.uint16(low ^ constant) + high)


# --- Row passes -------------------------------------------------------------------------------------------


@njit(nogil=True, forceinline=True)
def saturate16(value: Any) -> Any:
    """Clip to the int16 range."""
    return min(max(value, -32768), 32767)


@njit(nogil=True)
def transmit(
    u: Array,
    number: int,
    weights: Array,
    channels: Array,
    start: int,
    end: int,
    first_row: int,
    lanes: int,
) -> None:
    """Add rows of 8-bit weights to port 0, in order; four at a time, to move the port less often.

    The rows are those of spikes ``start ... end - 1`` of the channel before the layer.
    """
    k = start
    while k + 4 <= end:
        a, b = first_row + channels[number, k], first_row + channels[number, k + 1]
        c, d = first_row + channels[number, k + 2], first_row + channels[number, k + 3]
        for i in range(lanes):
            total = saturate16(u[number, 0, i] + weights[a, i])
            total = saturate16(total + weights[b, i])
            total = saturate16(total + weights[c, i])
            u[number, 0, i] = saturate16(total + weights[d, i])
        k += 4
    while k < end:
        a = first_row + channels[number, k]
        for i in range(lanes):
            u[number, 0, i] = saturate16(u[number, 0, i] + weights[a, i])
        k += 1


@njit(nogil=True)
def transmit_scaled(
    u: Array,
    number: int,
    weights: Array,
    channels: Array,
    start: int,
    end: int,
    first_row: int,
    lanes: int,
    factor: int,
) -> None:
    """Add rows of weights of any width to port 0, in order."""
    factor32 = np.int32(factor)
    for k in range(start, end):
        a = first_row + channels[number, k]
        for i in range(lanes):
            weight = np.int16(np.int32(weights[a, i] * factor32) >> 16)
            u[number, 0, i] = saturate16(u[number, 0, i] + weight)


# --- The tick sweep ---------------------------------------------------------------------------------------


@njit(nogil=True, forceinline=True)
def begin_neurons(
    number: int,
    layer: Any,
    variables: Array,
    constants: Array,
    learn: bool,
    x: Array,
    u: Array,
    active: Array,
    draws: Array,
) -> None:
    """Clear states and ports of a layer, and draw the neurons that take part in the sample."""
    for state in range(layer.n_states):
        initial = variables[number, state].initial
        for i in range(layer.lanes):
            x[number, state, i] = initial
    for i in range(layer.lanes):
        u[number, 0, i] = 0
        u[number, 1, i] = 0
    if learn and layer.neuron_keep < 256:
        draw = xorshift32(draws[number + 1, BLANK_NEURON])
        low, high = np.uint16(draw & 0xFFFF), np.uint16(draw >> 16)
        limit = np.uint16(layer.neuron_keep << 8)
        for i in range(layer.n_neurons):
            active[number, i] = mixed(low, high, constants[i]) < limit
    else:
        for i in range(layer.n_neurons):
            active[number, i] = 1


@njit(nogil=True)
def add_term(
    y: Array, number: int, destination: int, source: Array, index: int, shift: int, sign: int, lanes: int
) -> None:
    """Add ``sign * ((source << 8) >> shift)``, which is ``sign * ((source << 15 - shift) >> 7)``, to a sum.

    The latter is a multiplication and a constant shift: LLVM turns a shift by a variable into 64-bit lanes.
    """
    factor, sign32 = np.int32(1 << (15 - shift)), np.int32(sign)
    for i in range(lanes):
        term = np.int32(np.int32(source[number, index, i] * factor) >> 7)
        y[number, destination, i] += np.int32(sign32 * term)


@njit(nogil=True, forceinline=True)
def reverse8(tick: int) -> int:
    """Return the low 8 bits of the tick number in reversed order."""
    result = 0
    for bit in range(8):
        result |= ((tick >> bit) & 1) << (7 - bit)
    return result


@njit(nogil=True, forceinline=True)
def update_states(
    number: int,
    layer: Any,
    operations: Array,
    variables: Array,
    x: Array,
    y: Array,
    u: Array,
    noise: Array,
    tick: int,
) -> None:
    """Compute the states of a layer before any reset, and clear its ports."""
    lanes, n_states = layer.lanes, layer.n_states
    for state in range(n_states):
        bias = np.int32(variables[number, state].bias)
        for i in range(lanes):
            y[number, state, i] = np.int32(np.int32(x[number, state, i] + bias) << 8)
    for k in range(layer.n_operations):
        operation = operations[number, k]
        to, kind, index = operation.destination, operation.kind, operation.index
        shift, sign = operation.shift, operation.sign
        if kind == FROM_STATE:
            add_term(y, number, to, x, index, shift, sign, lanes)
        elif kind == FROM_PORT:
            add_term(y, number, to, u, index, shift, sign, lanes)
        else:
            add_term(y, number, to, noise, 0, shift, sign, lanes)
    dither = np.int32(reverse8(tick))
    for state in range(n_states):
        # The clip bounds lie in the int16 range, so one clip does the work of the saturation, too.
        lower = np.int32(variables[number, state].lower)
        upper = np.int32(variables[number, state].upper)
        for i in range(lanes):
            rounded = np.int32(np.int32(y[number, state, i] + dither) >> 8)
            x[number, state, i] = min(max(rounded, lower), upper)
    for port in range(layer.n_ports):
        for i in range(lanes):
            u[number, port, i] = 0


@njit(nogil=True)
def draw_noise(noise: Array, number: int, n_neurons: int, draw: int) -> int:
    """Draw the noise of each neuron; return the last draw."""
    for i in range(n_neurons):
        draw = xorshift32(draw)
        total = (draw & 0xFF) + ((draw >> 8) & 0xFF) + ((draw >> 16) & 0xFF) + (draw >> 24)
        noise[number, 0, i] = total - 510
    return draw


@njit(nogil=True, forceinline=True)
def reset_states(
    number: int, layer: Any, variables: Array, x: Array, channels: Array, start: int, end: int
) -> None:
    """Reset the states of the neurons that spikes ``start ... end - 1`` of the layer's channel name."""
    to = number + 1
    for state in range(layer.n_states):
        mode, value = variables[number, state].reset_mode, variables[number, state].reset_value
        if mode == RESET_SET:
            for k in range(start, end):
                x[number, state, channels[to, k]] = value
        elif mode == RESET_ADD:
            for k in range(start, end):
                x[number, state, channels[to, k]] = saturate16(x[number, state, channels[to, k]] + value)
        elif mode == RESET_MAX:
            for k in range(start, end):
                x[number, state, channels[to, k]] = max(x[number, state, channels[to, k]], value)


# --- Readout ----------------------------------------------------------------------------------------------


@njit(nogil=True)
def best_class(counts: Array, x: Array, last: int) -> int:
    """Return the class with most spikes; ties go to the larger membrane, then to the lower index."""
    best = 0
    for c in range(1, counts.size):
        ahead = counts[c] - counts[best]
        if ahead > 0 or (ahead == 0 and x[last, 0, c] > x[last, 0, best]):
            best = c
    return best


# --- Spikes of one sample -----------------------------------------------------------------------------------


@njit(nogil=True)
def count_from(counters: Array, layer_counters: Array, spikes: Array) -> None:
    """Begin to count the spikes of a sample: those of the encoder and of each layer, in `spikes`."""
    spikes[0] = -counters[INPUT_SPIKES]
    for number in range(layer_counters.shape[0]):
        spikes[number + 1] = -layer_counters[number, SPIKES]


@njit(nogil=True)
def count_to(counters: Array, layer_counters: Array, spikes: Array) -> None:
    """End what :func:`count_from` began."""
    spikes[0] += counters[INPUT_SPIKES]
    for number in range(layer_counters.shape[0]):
        spikes[number + 1] += layer_counters[number, SPIKES]
