# SPDX-License-Identifier: BSD-2-Clause
"""Compiled loops of the fast path for eRBP: what :mod:`erbium.sw_model.array` says, for a batch of samples.

The layout and the habits are those of :mod:`erbium.sw_model.fast_kernels`. One more keeps the loops fast: most
rows have nothing to learn, and whether a random ``r`` can change a weight follows from the smallest and the
largest plasticity word.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from erbium.sw_model import fast_fault_kernels
from erbium.sw_model.fast_fault_kernels import (
    FaultArrays,
    begin_faults,
    hold_states,
    learn_row_held,
    receive,
    upset_states,
)
from erbium.sw_model.fast_kernels import (
    ANSWER,
    BLANK_SYNAPSE,
    DIGEST,
    ENCODER,
    INPUT_SPIKES,
    LAYER_FIELDS,
    NOISE,
    OWN_COUNTER,
    PLASTICITY,
    ROWS_LEARNED,
    SAMPLES,
    SPIKES,
    SYNAPTIC_OPERATIONS,
    TICKS,
    TICKS_RUN,
    TICKS_TO_DECISION,
    WEIGHTS_CHANGED,
    Array,
    begin_neurons,
    best_class,
    count_from,
    count_to,
    draw_noise,
    mixed,
    reset_states,
    saturate16,
    seed_generators,
    transmit,
    transmit_scaled,
    update_states,
    xorshift32,
)

LAYER = np.dtype(
    [
        (name, np.int64)
        for name in (
            *LAYER_FIELDS,
            "bias_row",  # counted from first_row
            "has_rule",
            "gate_lower",
            "gate_upper",
            "modulator",
            "first_tick",
            "rounding_shift",
            "has_feedback",
            "synapse_keep",
        )
    ]
)
"""One layer of a network."""

NETWORK = np.dtype(
    [
        (name, np.int64)
        for name in (
            "n_layers",
            "n_classes",
            "phase",
            "margin",
            "quiet_ticks",
            "delay",
            "error_weight",
            "error_threshold",
        )
    ]
)
"""What is common to all layers."""


class Description(NamedTuple):
    """A network in arrays. Nothing here changes while samples run.

    Attributes
    ----------
    network : ndarray of NETWORK, shape (1,)
    layers : ndarray of LAYER, shape (n_layers,)
    operations : ndarray of OPERATION, shape (n_layers, 16)
    variables : ndarray of VARIABLE, shape (n_layers, 4)
    feedback : ndarray of int8, shape (n_layers, n_classes, lanes)
    neuron_constants : ndarray of uint16, shape (lanes,)
    salts : ndarray of int64, shape (n_layers + 1, 5)
        By process (0 the encoder) and stream.
    start_phase : ndarray of int64, shape (n_inputs,)
    """

    network: Array
    layers: Array
    operations: Array
    variables: Array
    feedback: Array
    neuron_constants: Array
    salts: Array
    start_phase: Array


class State(NamedTuple):
    """What changes while samples run, except the weights; cleared by each sample.

    Attributes
    ----------
    x, y : ndarray of int32, shape (n_layers, 4, lanes)
        State variables, and the sums of a tick.
    u : ndarray of int16, shape (n_layers, 2, lanes)
        Ports.
    whole, rest : ndarray of int16, shape (n_layers, lanes)
        Plasticity words, in the two parts of :func:`form_words`.
    word_range : ndarray of int64, shape (n_layers, 2)
        A lower bound that is at most 0 and an upper bound that is at least 0, both tight beyond 0.
    active : ndarray of int32, shape (n_layers, lanes)
        1 for neurons that take part in the sample.
    refractory, noise, fires : ndarray of int32
        Shapes (n_layers, lanes), (n_layers, 1, lanes) and (lanes,).
    draws : ndarray of int64, shape (n_layers + 1, 5)
        States of the random number generators.
    spikes : ndarray of int64, shape (n_layers + 1, n)
        Channels: the spikes of the encoder, then of each layer, with room for the bias row and more.
    n_spikes : ndarray of int64, shape (n_layers + 1,)
    row_draws : ndarray of int64, shape (n,)
        Blank-out draw of each row pass of a tick.
    pixels, values, phase : ndarray of int64, shape (n_inputs + 4,)
        Addresses, values and accumulators of the nonzero pixels.
    counts, fired : ndarray of int64, shape (n_classes,)
        Output spikes of the sample and of the tick.
    error_states : ndarray of int64, shape (2 * n_classes,)
    errors : ndarray of int64, shape (delay, 2 * n_classes)
        Error spikes under way.
    n_errors, stops : ndarray of int64, shape (delay,)
    """

    x: Array
    y: Array
    u: Array
    whole: Array
    rest: Array
    word_range: Array
    active: Array
    refractory: Array
    noise: Array
    fires: Array
    draws: Array
    spikes: Array
    n_spikes: Array
    row_draws: Array
    pixels: Array
    values: Array
    phase: Array
    counts: Array
    fired: Array
    error_states: Array
    errors: Array
    n_errors: Array
    stops: Array


# --- Input ------------------------------------------------------------------------------------------------


@njit(nogil=True)
def begin_image(image: Array, start_phase: Array, pixels: Array, values: Array, phase: Array) -> int:
    """List the nonzero pixels, then pixels of value 0 up to a whole group; return their number."""
    n = 0
    for address in range(image.size):
        pixels[n] = address
        values[n] = image[address]
        phase[n] = start_phase[address]
        n += image[address] != 0
    for rest in range(n, n + 4):
        values[rest] = 0
        phase[rest] = 0
    return n


@njit(nogil=True)
def encode_bernoulli(
    n_pixels: int, pixels: Array, values: Array, draw: int, channels: Array
) -> tuple[int, int]:
    """Write the addresses of the pixels that spike; return their number and the last draw."""
    n = 0
    for group in range(0, n_pixels, 4):
        draw = xorshift32(draw)
        for j in range(4):
            channels[0, n] = pixels[group + j]
            n += ((draw >> (8 * j)) & 0xFF) < values[group + j]
    return n, draw


@njit(nogil=True)
def encode_phase(n_pixels: int, pixels: Array, values: Array, phase: Array, channels: Array) -> int:
    """Write the addresses of the pixels that spike; return their number."""
    n = 0
    for j in range(n_pixels):
        total = phase[j] + values[j]
        phase[j] = total & 0xFF
        channels[0, n] = pixels[j]
        n += total > 0xFF
    return n


# --- Row passes -------------------------------------------------------------------------------------------


@njit(nogil=True)
def transmit_blanked(
    u: Array,
    number: int,
    weights: Array,
    channels: Array,
    start: int,
    end: int,
    first_row: int,
    lanes: int,
    factor: int,
    keep: int,
    constants: Array,
    row_draws: Array,
) -> None:
    """Add what is kept of rows of weights of any width to port 0, in order."""
    factor32, limit = np.int32(factor), np.uint16(keep << 8)
    for k in range(start, end):
        a = first_row + channels[number, k]
        low, high = np.uint16(row_draws[k] & 0xFFFF), np.uint16(row_draws[k] >> 16)
        for i in range(lanes):
            weight = np.int16(np.int32(weights[a, i] * factor32) >> 16)
            kept = weight if mixed(low, high, constants[i]) < limit else np.int16(0)
            u[number, 0, i] = saturate16(u[number, 0, i] + kept)


@njit(nogil=True)
def learn_row(
    weights: Array,
    row: int,
    whole: Array,
    rest: Array,
    number: int,
    limit: int,
    lowest: int,
    highest: int,
    lanes: int,
) -> int:
    """Let one row learn; return the number of weights that changed.

    A word moves its weight by ``whole``, and by 1 more where ``rest`` is above `limit`.
    """
    limit16, low, high = np.int16(limit), np.int16(lowest), np.int16(highest)
    changed = np.int16(0)
    for i in range(lanes):
        weight = weights[row, i]
        carry = np.int16(1) if rest[number, i] > limit16 else np.int16(0)
        delta = np.int16(whole[number, i] + carry)
        new = min(max(np.int16(saturate16(weight - delta)), low), high)
        changed = np.int16(changed + (np.int16(1) if new != weight else np.int16(0)))
        weights[row, i] = new
    return int(changed)


@njit(nogil=True)
def learn_row_blanked(
    weights: Array,
    row: int,
    whole: Array,
    rest: Array,
    number: int,
    limit: int,
    lowest: int,
    highest: int,
    lanes: int,
    keep: int,
    constants: Array,
    row_draw: int,
) -> int:
    """Let what is kept of one row learn; return the number of weights that changed."""
    limit16, low, high = np.int16(limit), np.int16(lowest), np.int16(highest)
    draw_low, draw_high = np.uint16(row_draw & 0xFFFF), np.uint16(row_draw >> 16)
    keep_limit = np.uint16(keep << 8)
    changed = np.int16(0)
    for i in range(lanes):
        weight = weights[row, i]
        carry = np.int16(1) if rest[number, i] > limit16 else np.int16(0)
        delta = np.int16(whole[number, i] + carry)
        kept = delta if mixed(draw_low, draw_high, constants[i]) < keep_limit else np.int16(0)
        new = min(max(np.int16(saturate16(weight - kept)), low), high)
        changed = np.int16(changed + (np.int16(1) if new != weight else np.int16(0)))
        weights[row, i] = new
    return int(changed)


@njit(nogil=True, forceinline=True)
def transmit_rows(
    number: int,
    layer: Any,
    u: Array,
    weights: Array,
    channels: Array,
    n_rows: int,
    constants: Array,
    draws: Array,
    row_draws: Array,
) -> None:
    """Add all rows of a tick to port 0: the spikes of the channel before the layer, and the bias row."""
    lanes, first, keep, factor = layer.lanes, layer.first_row, layer.synapse_keep, layer.transmit_factor
    if keep < 256:
        draw = draws[number + 1, BLANK_SYNAPSE]
        for k in range(n_rows):
            draw = xorshift32(draw)
            row_draws[k] = draw
        draws[number + 1, BLANK_SYNAPSE] = draw
        transmit_blanked(
            u, number, weights, channels, 0, n_rows, first, lanes, factor, keep, constants, row_draws
        )
    elif factor != 1 << 16:
        transmit_scaled(u, number, weights, channels, 0, n_rows, first, lanes, factor)
    else:
        transmit(u, number, weights, channels, 0, n_rows, first, lanes)


@njit(nogil=True, forceinline=True)
def learn_rows(
    number: int,
    layer: Any,
    whole: Array,
    rest: Array,
    word_range: Array,
    weights: Array,
    channels: Array,
    n_rows: int,
    constants: Array,
    draws: Array,
    row_draws: Array,
) -> int:
    """Let all rows of a tick learn; return the number of weights that changed.

    Each row comes up at most once in a tick, so all may transmit before the first one learns.
    """
    lanes, first, keep, shift = layer.lanes, layer.first_row, layer.synapse_keep, layer.rounding_shift
    lowest, highest = layer.weight_min, layer.weight_max
    low, high, mask = word_range[number, 0], word_range[number, 1], (1 << shift) - 1
    draw, changed = draws[number + 1, PLASTICITY], 0
    for k in range(n_rows):
        draw = xorshift32(draw)
        r = draw & mask
        if low + r >= 0 and high + r <= mask:
            continue  # (word + r) >> shift is 0 for every word in low ... high
        row = first + channels[number, k]
        if keep < 256:
            changed += learn_row_blanked(
                weights,
                row,
                whole,
                rest,
                number,
                mask - r,
                lowest,
                highest,
                lanes,
                keep,
                constants,
                row_draws[k],
            )
        else:
            changed += learn_row(weights, row, whole, rest, number, mask - r, lowest, highest, lanes)
    draws[number + 1, PLASTICITY] = draw
    return changed


@njit(nogil=True)
def pass_rows_with_faults(
    number: int,
    layer: Any,
    f: FaultArrays,
    u: Array,
    whole: Array,
    rest: Array,
    word_range: Array,
    weights: Array,
    n_rows: int,
    armed: bool,
    constants: Array,
    draws: Array,
    row_draws: Array,
) -> int:
    """Let the rows that arrived transmit and learn; return the number of weights that changed.

    One after the other: a row that comes up twice transmits in the second pass what it learned in the first.
    """
    received, delta = f.received, f.delta
    lanes, first, keep, shift = layer.lanes, layer.first_row, layer.synapse_keep, layer.rounding_shift
    factor, limit = layer.transmit_factor, np.uint16(keep << 8)
    lowest, highest = np.int16(layer.weight_min), np.int16(layer.weight_max)
    low, high, mask = word_range[number, 0], word_range[number, 1], (1 << shift) - 1
    draw, blank, changed = draws[number + 1, PLASTICITY], draws[number + 1, BLANK_SYNAPSE], 0
    for k in range(n_rows):
        if keep < 256:
            blank = xorshift32(blank)
            row_draws[k] = blank
            transmit_blanked(
                u, number, weights, received, k, k + 1, first, lanes, factor, keep, constants, row_draws
            )
        else:
            transmit_scaled(u, number, weights, received, k, k + 1, first, lanes, factor)
        if not armed:
            continue
        draw = xorshift32(draw)
        r = draw & mask
        if low + r >= 0 and high + r <= mask:
            continue  # nothing is to be added to any weight, and what the memory holds it holds again
        limit16 = np.int16(mask - r)
        for i in range(lanes):
            carry = np.int16(1) if rest[number, i] > limit16 else np.int16(0)
            delta[i] = np.int16(whole[number, i] + carry)
        if keep < 256:
            blank_low, blank_high = np.uint16(blank & 0xFFFF), np.uint16(blank >> 16)
            for i in range(lanes):
                if mixed(blank_low, blank_high, constants[i]) >= limit:
                    delta[i] = 0
        changed += learn_row_held(
            weights,
            first + received[number, k],
            delta,
            lowest,
            highest,
            lanes,
            f.weight_keep,
            f.weight_set,
        )
    draws[number + 1, PLASTICITY], draws[number + 1, BLANK_SYNAPSE] = draw, blank
    return changed


@njit(nogil=True)
def add_feedback(
    u: Array,
    number: int,
    feedback: Array,
    errors: Array,
    slot: int,
    n_errors: int,
    gain: int,
    lanes: int,
) -> None:
    """Add error spikes to port 1, in order. Error neuron 2c raises, 2c + 1 lowers what it reaches."""
    for k in range(n_errors):
        amount = np.int32(-gain if errors[slot, k] & 1 else gain)
        column = errors[slot, k] >> 1
        for i in range(lanes):
            total = np.int32(u[number, 1, i] + np.int32(amount * feedback[number, column, i]))
            u[number, 1, i] = min(max(total, np.int32(-32768)), np.int32(32767))


# --- The tick sweep ---------------------------------------------------------------------------------------


@njit(nogil=True)
def form_words(
    number: int, layer: Any, x: Array, active: Array, whole: Array, rest: Array, word_range: Array
) -> None:
    """Form the plasticity words of a layer in two parts, and their range.

    ``(word + r) >> shift`` is ``whole = word >> shift``, and 1 more if ``rest``, the bits below, and r carry.
    """
    low, high, modulator = np.int32(0), np.int32(0), layer.modulator
    lower, upper = np.int32(layer.gate_lower), np.int32(layer.gate_upper)
    # Again a multiplication, for a shift by a variable: the word has 16 bits and the shift is 2 ... 14.
    factor, mask = np.int32(1 << (14 - layer.rounding_shift)), np.int32((1 << layer.rounding_shift) - 1)
    for i in range(layer.lanes):
        v = x[number, 0, i]
        gate = (v >= lower) & (v < upper) & (active[number, i] != 0)
        value = x[number, modulator, i] if gate else np.int32(0)
        whole[number, i] = np.int16(np.int32(value * factor) >> 14)
        rest[number, i] = np.int16(value & mask)
        low, high = min(low, value), max(high, value)
    word_range[number, 0], word_range[number, 1] = low, high


@njit(nogil=True, forceinline=True)
def fire(
    number: int,
    layer: Any,
    variables: Array,
    x: Array,
    refractory: Array,
    active: Array,
    fires: Array,
    channels: Array,
) -> int:
    """Write the addresses of the neurons that spike, reset them, count down; return their number."""
    lanes, threshold, to = layer.lanes, np.int32(layer.threshold), number + 1
    if layer.adaptive:
        for i in range(lanes):
            raised = np.int32(threshold + x[number, 1, i])
            fires[i] = (x[number, 0, i] >= raised) & (active[number, i] != 0)
    else:
        for i in range(lanes):
            fires[i] = (x[number, 0, i] >= threshold) & (active[number, i] != 0)
    if layer.refractory > 0:
        full, reset, hold = np.int32(layer.refractory), np.int32(variables[number, 0].reset_value), layer.hold
        for i in range(lanes):
            resting = refractory[number, i] > 0
            fires[i] = np.int32(0) if resting else fires[i]
            x[number, 0, i] = reset if resting and hold else x[number, 0, i]
            refractory[number, i] = full if fires[i] else np.int32(refractory[number, i] - resting)
    n = 0
    for i in range(layer.n_neurons):
        channels[to, n] = i
        n += fires[i]
    reset_states(number, layer, variables, x, channels, 0, n)
    return n


# --- Prediction -------------------------------------------------------------------------------------------


@njit(nogil=True, forceinline=True)
def count_spikes(channels: Array, channel: int, n: int, counts: Array, fired: Array) -> int:
    """Count the output spikes of a tick, flag the neurons that fired; return the highest count."""
    fired[:] = 0
    for k in range(n):
        fired[channels[channel, k]] = 1
    most = 0
    for c in range(counts.size):
        counts[c] += fired[c]
        most = max(most, counts[c])
    return most


@njit(nogil=True, forceinline=True)
def error_spikes(
    states: Array, fired: Array, label: int, weight: int, threshold: int, errors: Array, slot: int
) -> int:
    """Run the error neurons for one tick, write the addresses of those that spike, return their number."""
    n = 0
    for c in range(fired.size):
        push = weight * (fired[c] - (1 if c == label else 0))
        for side in range(2):
            neuron = 2 * c + side
            state = max(states[neuron] + (-push if side else push), 0)
            if state >= threshold:
                state -= threshold
                errors[slot, n] = neuron
                n += 1
            states[neuron] = state
    return n


# --- Samples ----------------------------------------------------------------------------------------------


@njit(nogil=True, forceinline=True)
def begin_words(
    number: int, layer: Any, whole: Array, rest: Array, word_range: Array, refractory: Array
) -> None:
    """Clear the plasticity words and the refractory counters of a layer."""
    for i in range(layer.lanes):
        whole[number, i] = 0
        rest[number, i] = 0
        refractory[number, i] = 0
    word_range[number, 0] = 0
    word_range[number, 1] = 0


@njit(nogil=True, forceinline=True)
def run_sample(
    d: Description,
    s: State,
    weights: Array,
    gains: Array,
    image: Array,
    seed: int,
    label: int,
    learn: bool,
    n_ticks: int,
    decide_after: int,
    counters: Array,
    layer_counters: Array,
    result: Array,
    f: Any,
) -> None:
    """Present one sample; learn it if asked to."""
    # Taken apart here, once: numba counts a reference, with an atomic instruction, wherever an array is taken
    # out of a tuple; in the loops below that would cost as much as the work.
    layers, operations, variables, feedback = d.layers, d.operations, d.variables, d.feedback
    constants, network = d.neuron_constants, d.network[0]
    x, y, u, active = s.x, s.y, s.u, s.active
    whole, rest, word_range = s.whole, s.rest, s.word_range
    refractory, noise, fires, draws, row_draws = s.refractory, s.noise, s.fires, s.draws, s.row_draws
    channels, n_spikes, pixels, values, phase = s.spikes, s.n_spikes, s.pixels, s.values, s.phase
    counts, fired, error_states = s.counts, s.fired, s.error_states
    errors, n_errors, stops = s.errors, s.n_errors, s.stops
    n_layers, delay = network.n_layers, network.delay
    last = n_layers - 1

    seed_generators(draws, d.salts, seed)
    for number in range(n_layers):
        layer = layers[number]
        begin_neurons(number, layer, variables, constants, learn, x, u, active, draws)
        begin_words(number, layer, whole, rest, word_range, refractory)
        if f is not None:
            begin_faults(number, layer, f, seed, learn, weights, x, active)
    counts[:] = 0
    error_states[:] = 0
    n_errors[:] = 0
    stops[:] = 0
    n_pixels = begin_image(image, d.start_phase, pixels, values, phase)

    decision, answer, quiet, tick = -1, 0, 0, 0
    while tick < n_ticks:
        slot = tick % delay
        if network.phase:
            n = encode_phase(n_pixels, pixels, values, phase, channels)
        else:
            n, draws[0, ENCODER] = encode_bernoulli(n_pixels, pixels, values, draws[0, ENCODER], channels)
        n_spikes[0] = n
        counters[INPUT_SPIKES] += n

        for number in range(n_layers):
            layer = layers[number]
            learns = learn and layer.has_rule != 0
            any_word = word_range[number, 0] < 0 or word_range[number, 1] > 0
            armed = learns and tick >= layer.first_tick and any_word
            if f is None:
                n_rows = n_spikes[number] + 1
                channels[number, n_rows - 1] = layer.bias_row
                transmit_rows(number, layer, u, weights, channels, n_rows, constants, draws, row_draws)
            else:
                f.n_received[number] = 0
                f.n_seen[number] = 0
                receive(number, f, channels, n_spikes[number], tick)
                n_rows = f.n_received[number] + 1
                f.received[number, n_rows - 1] = layer.bias_row
                layer_counters[number, WEIGHTS_CHANGED] += pass_rows_with_faults(
                    number,
                    layer,
                    f,
                    u,
                    whole,
                    rest,
                    word_range,
                    weights,
                    n_rows,
                    armed,
                    constants,
                    draws,
                    row_draws,
                )
                upset_states(number, layer, f, x)
            layer_counters[number, SYNAPTIC_OPERATIONS] += n_rows * layer.n_neurons
            if armed:
                layer_counters[number, ROWS_LEARNED] += n_rows
            if f is None and armed:
                layer_counters[number, WEIGHTS_CHANGED] += learn_rows(
                    number,
                    layer,
                    whole,
                    rest,
                    word_range,
                    weights,
                    channels,
                    n_rows,
                    constants,
                    draws,
                    row_draws,
                )
            if learn and number == last:
                u[number, 0, label] = saturate16(u[number, 0, label] - network.margin)
            if layer.has_feedback and n_errors[slot] > 0:
                add_feedback(u, number, feedback, errors, slot, n_errors[slot], gains[number], layer.lanes)
            if layer.uses_noise:
                draw = draws[number + 1, NOISE]
                draws[number + 1, NOISE] = draw_noise(noise, number, layer.n_neurons, draw)
            update_states(number, layer, operations, variables, x, y, u, noise, tick)
            if learns:
                form_words(number, layer, x, active, whole, rest, word_range)
            n = fire(number, layer, variables, x, refractory, active, fires, channels)
            if f is not None:
                hold_states(number, layer, f.state_keep, f.state_set, x)
            n_spikes[number + 1] = n
            layer_counters[number, SPIKES] += n

        most = count_spikes(channels, n_layers, n_spikes[n_layers], counts, fired)
        # The slot of the feedback loop that this tick has read is free for what it writes.
        stop_now, stop = stops[slot], False
        if learn:
            n = error_spikes(
                error_states, fired, label, network.error_weight, network.error_threshold, errors, slot
            )
            n_errors[slot] = n
            counters[OWN_COUNTER] += n
            if tick >= 1:
                quiet = 0 if n else quiet + 1
            stop = 0 < network.quiet_ticks <= quiet
        else:
            if decision < 0 and 0 < decide_after <= most:
                decision = tick
                answer = best_class(counts, x, last)
            stop = decision >= 0
        stops[slot] = stop
        tick += 1
        if stop_now:
            break
    counters[SAMPLES] += 1
    counters[TICKS] += tick
    result[ANSWER] = answer if decision >= 0 else best_class(counts, x, last)
    result[TICKS_RUN] = tick
    result[TICKS_TO_DECISION] = decision + 1 if decision >= 0 else tick


def cached(digest: str) -> Any:
    """Return the loop over a batch; `digest` is that of the kernels it calls from elsewhere."""

    @njit(nogil=True, cache=True)
    def run_batch(
        d: Description,
        s: State,
        weights: Array,
        gains: Array,
        images: Array,
        seeds: Array,
        labels: Array,
        learn: bool,
        n_ticks: int,
        decide_after: int,
        counters: Array,
        layer_counters: Array,
        results: Array,
        f: FaultArrays | None,
    ) -> None:
        """Present samples in order.

        Parameters
        ----------
        d : Description
        s : State
        weights : ndarray of int16, shape (rows of all layers, lanes)
            Changed in place when learning.
        gains : ndarray of int64, shape (n_layers,)
        images : ndarray of uint8, shape (n, n_inputs)
        seeds, labels : ndarray of int64, shape (n,)
        learn : bool
        n_ticks, decide_after : int
        counters : ndarray of int64, shape (4,)
        layer_counters : ndarray of int64, shape (n_layers, 4)
        results : ndarray of int64, shape (n, 3 + 1 + n_layers)
            Answers, ticks, and ticks to the decision; spikes of the encoder and of each layer.
        f : FaultArrays or None
        """
        _ = digest
        for k in range(images.shape[0]):
            spikes = results[k, results.shape[1] - layer_counters.shape[0] - 1 :]
            count_from(counters, layer_counters, spikes)
            run_sample(
                d,
                s,
                weights,
                gains,
                images[k],
                seeds[k],
                labels[k],
                learn,
                n_ticks,
                decide_after,
                counters,
                layer_counters,
                results[k],
                f,
            )
            count_to(counters, layer_counters, spikes)

    return run_batch


OWN_DIGEST = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
"""Digest of this file, for kernels elsewhere that call these."""

run_batch = cached(DIGEST + fast_fault_kernels.DIGEST)
