# SPDX-License-Identifier: BSD-2-Clause
"""Compiled loops of the fast path for the first-spike learner: what :mod:`erbium.sw_model.first_spike` says.

The layout and the habits are those of :mod:`erbium.sw_model.fast_kernels`. As no neuron spikes twice, a channel
holds the spikes of the whole sample, and each tick appends to it: what was transmitted can be replayed, and what
came before the decision is a number of spikes. Spike ticks are int16, which the causal masks are made of.
"""

from __future__ import annotations

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
    DIGEST,
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
    reset_states,
    saturate16,
    seed_generators,
    transmit,
    transmit_scaled,
    update_states,
    xorshift32,
)

NEVER = 32767
"""Spike tick of a neuron that has not spiked; ticks end at 4095."""

OUT_OF_REACH = 1 << 20
"""What no membrane reaches, whatever an adaptive threshold adds to it."""

BLOCK = 32
"""Neurons that are looked at together for a spike."""

# Hidden errors: the learner's own, and those it is compared with.
SIGN_POPCOUNT, EXACT_GRADIENT, EXACT_SIGN, RANDOM_SIGNS = range(4)
# Columns of the results behind the common ones: spikes on each channel until the decision.
SPIKES_TO_DECISION = TICKS_TO_DECISION + 1

LAYER = np.dtype(
    [
        (name, np.int64)
        for name in (
            *LAYER_FIELDS,
            "step",
            "ramp",  # whether the program is the one of `ramp`
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
            "n_ticks",
            "delay",
            "margin",
            "deadline",
            "earliest_only",
            "hidden_error",
        )
    ]
)
"""What is common to all layers."""

LEVEL = np.dtype([(name, np.int64) for name in ("lowest", "end", "tick")])
"""Pixels ``lowest ... end - 1`` spike at `tick`."""


class Description(NamedTuple):
    """A network in arrays. Nothing here changes while samples run.

    Attributes
    ----------
    network : ndarray of NETWORK, shape (1,)
    layers : ndarray of LAYER, shape (n_layers,)
    levels : ndarray of LEVEL, shape (n_levels,)
    operations : ndarray of OPERATION, shape (n_layers, 16)
    variables : ndarray of VARIABLE, shape (n_layers, 4)
    neuron_constants : ndarray of uint16, shape (lanes,)
    salts : ndarray of int64, shape (n_layers + 1, 5)
        By process (0 the encoder) and stream.
    negative : ndarray of bool, shape (rows, n_classes)
        Signs that stand for those of the last layer's weights; looked at for RANDOM_SIGNS only.
    """

    network: Array
    layers: Array
    levels: Array
    operations: Array
    variables: Array
    neuron_constants: Array
    salts: Array
    negative: Array


class State(NamedTuple):
    """What changes while samples run, except the weights; cleared by each sample.

    Attributes
    ----------
    x, y : ndarray of int32, shape (n_layers, 4, lanes)
        State variables, and the sums of a tick.
    u : ndarray of int16, shape (n_layers, 2, lanes)
        Ports.
    active : ndarray of int32, shape (n_layers, lanes)
        1 for neurons that take part in the sample.
    limit : ndarray of int32, shape (n_layers, lanes)
        Threshold of each neuron that may still spike, OUT_OF_REACH of the others.
    noise : ndarray of int32, shape (n_layers, 1, lanes)
    spike_tick : ndarray of int16, shape (n_layers, lanes)
        Tick of each neuron's spike, or NEVER.
    word : ndarray of int16, shape (n_layers, lanes)
        Plasticity words.
    delta : ndarray of int16, shape (lanes,)
        What a row loses.
    amount : ndarray of int64, shape (lanes,)
        EXACT_GRADIENT: what the rows of the hidden layer lose, in 1/65536.
    slope : ndarray of float64, shape (n_classes,)
        Exact gradients: sum of the causal weights of each output.
    gradient : ndarray of float64, shape (lanes,)
        Exact gradients of the hidden neurons.
    draws : ndarray of int64, shape (n_layers + 1, 5)
        States of the random number generators.
    spikes : ndarray of int64, shape (n_layers + 1, n)
        Channels: the spikes of the sample from the encoder, then of each layer.
    ticks : ndarray of int64, shape (n_layers + 1, n)
        Their ticks.
    n_spikes : ndarray of int64, shape (n_layers + 1,)
    counts : ndarray of int64, shape (n_classes,)
        Output spikes of the sample.
    stops : ndarray of int64, shape (delay,)
        Decisions to stop that are under way.
    """

    x: Array
    y: Array
    u: Array
    active: Array
    limit: Array
    noise: Array
    spike_tick: Array
    word: Array
    delta: Array
    amount: Array
    slope: Array
    gradient: Array
    draws: Array
    spikes: Array
    ticks: Array
    n_spikes: Array
    counts: Array
    stops: Array


# --- The tick ---------------------------------------------------------------------------------------------


@njit(nogil=True)
def encode(image: Array, level: Any, channels: Array, start: int) -> int:
    """Append the pixels of a level to the encoder's channel; return the number of its spikes."""
    lowest, end, n = level.lowest, level.end, start
    for address in range(image.size):
        channels[0, n] = address
        n += lowest <= image[address] < end
    return n


@njit(nogil=True)
def ramp(number: int, lanes: int, variables: Array, x: Array, u: Array) -> None:
    """Update the states of the program ``x0 += x1 + u0; x1 += u0``, and clear its port.

    Nothing is shifted, so that nothing is rounded: this is what :func:`update_states` gives, in one pass.
    """
    lower0, upper0 = np.int32(variables[number, 0].lower), np.int32(variables[number, 0].upper)
    lower1, upper1 = np.int32(variables[number, 1].lower), np.int32(variables[number, 1].upper)
    for i in range(lanes):
        current = np.int32(x[number, 1, i] + np.int32(u[number, 0, i]))
        x[number, 0, i] = min(max(np.int32(x[number, 0, i] + current), lower0), upper0)
        x[number, 1, i] = min(max(current, lower1), upper1)
        u[number, 0, i] = 0


@njit(nogil=True, forceinline=True)
def begin_limits(number: int, layer: Any, active: Array, limit: Array) -> None:
    """Set what the membranes have to reach; what does not take part never gets there."""
    threshold, out_of_reach = np.int32(layer.threshold), np.int32(OUT_OF_REACH)
    for i in range(layer.lanes):
        limit[number, i] = threshold if active[number, i] != 0 else out_of_reach


@njit(nogil=True)
def fire(
    number: int,
    layer: Any,
    variables: Array,
    x: Array,
    limit: Array,
    spike_tick: Array,
    channels: Array,
    ticks: Array,
    start: int,
    tick: int,
) -> int:
    """Append the neurons that spike to the layer's channel and reset them; return the number of its spikes.

    A neuron that has spiked rests for the rest of the sample, as the description makes sure.
    """
    to, n = number + 1, start
    if layer.adaptive:
        for i in range(layer.n_neurons):
            channels[to, n] = i
            n += x[number, 0, i] >= np.int32(limit[number, i] + x[number, 1, i])
    else:
        for block in range(0, layer.lanes, BLOCK):
            n_here = np.int32(0)
            for j in range(BLOCK):
                at = np.uint64(block + j)  # without a sign it needs no check for counting from the end
                n_here += np.int32(1) if x[number, 0, at] >= limit[number, at] else np.int32(0)
            if n_here > 0:
                for j in range(BLOCK):
                    at = np.uint64(block + j)
                    channels[to, n] = at
                    n += x[number, 0, at] >= limit[number, at]
    if layer.hold:
        reset = np.int32(variables[number, 0].reset_value)
        for k in range(start):
            x[number, 0, channels[to, k]] = reset
    for k in range(start, n):
        ticks[to, k] = tick
        spike_tick[number, channels[to, k]] = tick
        limit[number, channels[to, k]] = OUT_OF_REACH
    reset_states(number, layer, variables, x, channels, start, n)
    return n


@njit(nogil=True, forceinline=True)
def last_tick(label_tick: int, margin: int) -> int:
    """Return the last tick that can matter to the errors, or NEVER as long as the label has not spiked."""
    return label_tick + margin - 1 if label_tick != NEVER else NEVER


# --- Learning behind the sample ---------------------------------------------------------------------------


@njit(nogil=True)
def output_words(network: Any, spike_tick: Array, word: Array, label: int) -> bool:
    """Form the plasticity words of the outputs; return whether the sample is to change something."""
    last = network.n_layers - 1
    target, earliest = spike_tick[last, label], -1
    for c in range(network.n_classes):
        tick = spike_tick[last, c]
        wrong = c != label and tick != NEVER and tick < last_tick(target, network.margin) + 1
        word[last, c] = wrong
        if wrong and (earliest < 0 or tick < spike_tick[last, earliest]):
            earliest = c
    if earliest < 0 and target < network.deadline:
        return False
    if network.earliest_only and earliest >= 0:
        word[last, :] = 0
        word[last, earliest] = 1
    word[last, label] = -1
    return True


@njit(nogil=True)
def vote(
    number: int,
    layer: Any,
    weights: Array,
    channels: Array,
    ticks: Array,
    n_spikes: int,
    spike_tick: Array,
    word: Array,
) -> bool:
    """Form the plasticity words of the layer before by sign-popcount; return whether any is not 0."""
    any_word = False
    word[number - 1, :] = 0
    for k in range(n_spikes):
        row, tick = layer.first_row + channels[number, k], np.int16(ticks[number, k])
        ahead = np.int16(0)
        for i in range(layer.lanes):
            ballot = np.int16(-word[number, i] if weights[row, i] < 0 else word[number, i])
            ahead = np.int16(ahead + (ballot if tick <= spike_tick[number, i] else np.int16(0)))
        word[number - 1, channels[number, k]] = 1 if ahead > 0 else -int(ahead < 0)
        any_word |= ahead != 0
    return any_word


@njit(nogil=True)
def learn_row(weights: Array, row: int, delta: Array, lowest: np.int16, highest: np.int16, lanes: int) -> int:
    """Take `delta` from a row and clamp it; return the number of weights that changed."""
    changed = np.int16(0)
    for i in range(lanes):
        weight = weights[row, i]
        new = min(max(np.int16(saturate16(weight - delta[i])), lowest), highest)
        changed = np.int16(changed + (np.int16(1) if new != weight else np.int16(0)))
        weights[row, i] = new
    return int(changed)


@njit(nogil=True)
def learn_rows(
    number: int,
    layer: Any,
    weights: Array,
    channels: Array,
    ticks: Array,
    n_spikes: int,
    spike_tick: Array,
    word: Array,
    delta: Array,
    rate: int,
    draw: int,
) -> tuple[int, int]:
    """Replay the spikes of the channel before a layer; return the rows touched and the weights changed."""
    lanes, step = layer.lanes, np.int16(layer.step)
    lowest, highest = np.int16(layer.weight_min), np.int16(layer.weight_max)
    rows, changed, masked = 0, 0, -1
    for k in range(n_spikes):
        draw = xorshift32(draw)
        if draw & 0xFFFF >= rate:
            continue
        if ticks[number, k] != masked:
            masked = ticks[number, k]
            tick = np.int16(masked)
            for i in range(lanes):
                delta[i] = np.int16(step * word[number, i]) if tick <= spike_tick[number, i] else np.int16(0)
        rows += 1
        changed += learn_row(weights, layer.first_row + channels[number, k], delta, lowest, highest, lanes)
    return rows, changed


# --- Hidden errors for comparison -------------------------------------------------------------------------


@njit(nogil=True)
def vote_by(
    negative: Array,
    layer: Any,
    channels: Array,
    ticks: Array,
    n_spikes: int,
    spike_tick: Array,
    word: Array,
) -> bool:
    """Form the plasticity words of the hidden layer by sign-popcount of other signs than the weights'."""
    any_word = False
    word[0, :] = 0
    for k in range(n_spikes):
        ahead = 0
        for c in range(layer.n_neurons):
            if ticks[1, k] <= spike_tick[1, c]:
                ahead += -word[1, c] if negative[channels[1, k], c] else word[1, c]
        word[0, channels[1, k]] = 1 if ahead > 0 else -int(ahead < 0)
        any_word |= ahead != 0
    return any_word


@njit(nogil=True)
def differentiate(
    layer: Any,
    weights: Array,
    channels: Array,
    ticks: Array,
    n_spikes: int,
    spike_tick: Array,
    word: Array,
    n_ticks: int,
    slope: Array,
    gradient: Array,
) -> None:
    """Compute the exact gradients of the hidden neurons that spiked, in the order of their spikes."""
    factor = layer.transmit_factor
    for c in range(layer.n_neurons):
        total = 0
        for k in range(n_spikes):
            if ticks[1, k] <= spike_tick[1, c]:
                total += (int(weights[layer.first_row + channels[1, k], c]) * factor) >> 16
        slope[c] = total
        if spike_tick[1, c] == NEVER or total <= 0:
            slope[c] = max(slope[c], layer.threshold / n_ticks)
    for k in range(n_spikes):
        row = layer.first_row + channels[1, k]
        gradient[k] = 0.0
        for c in range(layer.n_neurons):
            if ticks[1, k] <= spike_tick[1, c] and word[1, c] != 0:
                weight = (int(weights[row, c]) * factor) >> 16
                gradient[k] += word[1, c] * weight / slope[c]


@njit(nogil=True)
def scale_gradient(
    channels: Array, n_spikes: int, gradient: Array, step: int, word: Array, amount: Array
) -> bool:
    """Turn gradients into steps whose mean magnitude is `step`, and signs; return whether any is not 0."""
    total, n = 0.0, 0
    for k in range(n_spikes):
        total += abs(gradient[k])
        n += gradient[k] != 0.0
    word[0, :] = 0
    amount[:] = 0
    for k in range(n_spikes):
        if gradient[k] != 0.0:
            word[0, channels[1, k]] = 1 if gradient[k] > 0.0 else -1
            amount[channels[1, k]] = int(np.floor(65536.0 * step * gradient[k] * n / total + 0.5))
    return n > 0


@njit(nogil=True)
def learn_rows_rounded(
    layer: Any,
    weights: Array,
    channels: Array,
    ticks: Array,
    n_spikes: int,
    spike_tick: Array,
    amount: Array,
    rate: int,
    draw: int,
) -> tuple[int, int]:
    """Replay the input spikes; the upper half of a row's random number rounds its steps."""
    rows, changed = 0, 0
    for k in range(n_spikes):
        draw = xorshift32(draw)
        if draw & 0xFFFF >= rate:
            continue
        rows += 1
        row, r = layer.first_row + channels[0, k], draw >> 16
        for i in range(layer.n_neurons):
            if ticks[0, k] <= spike_tick[0, i]:
                weight = int(weights[row, i])
                new = min(max(weight - ((amount[i] + r) >> 16), layer.weight_min), layer.weight_max)
                changed += new != weight
                weights[row, i] = new
    return rows, changed


# --- With faults ------------------------------------------------------------------------------------------


@njit(nogil=True)
def vote_row(
    number: int, layer: Any, weights: Array, row: int, tick: np.int16, spike_tick: Array, word: Array
) -> int:
    """Return how many more neurons of a layer vote "later" than "earlier" on a row."""
    ahead = np.int16(0)
    for i in range(layer.lanes):
        ballot = np.int16(-word[number, i] if weights[row, i] < 0 else word[number, i])
        ahead = np.int16(ahead + (ballot if tick <= spike_tick[number, i] else np.int16(0)))
    return int(ahead)


@njit(nogil=True)
def learn_behind_with_faults(
    d: Description,
    s: State,
    weights: Array,
    rates: Array,
    label: int,
    counters: Array,
    layer_counters: Array,
    f: FaultArrays,
) -> None:
    """Learn what is known only at the end of a sample, from the events that arrived.

    Row by row: one that comes up twice votes the second time with the weights that it learned the first time.
    """
    network, spike_tick, word, draws, delta = d.network[0], s.spike_tick, s.word, s.draws, f.delta
    if not output_words(network, spike_tick, word, label):
        return
    counters[OWN_COUNTER] += 1
    for number in range(network.n_layers - 1, -1, -1):
        layer, draw = d.layers[number], draws[number + 1, PLASTICITY]
        lowest, highest, step = np.int16(layer.weight_min), np.int16(layer.weight_max), np.int16(layer.step)
        if number > 0:
            word[number - 1, :] = 0
        for k in range(f.n_received[number]):
            address, tick = f.received[number, k], np.int16(f.ticks[number, k])
            row = layer.first_row + address
            if number > 0:
                ahead = vote_row(number, layer, weights, row, tick, spike_tick, word)
                word[number - 1, address] = 1 if ahead > 0 else -int(ahead < 0)
            draw = xorshift32(draw)
            if draw & 0xFFFF >= rates[number]:
                continue
            for i in range(layer.lanes):
                delta[i] = np.int16(step * word[number, i]) if tick <= spike_tick[number, i] else np.int16(0)
            layer_counters[number, ROWS_LEARNED] += 1
            layer_counters[number, WEIGHTS_CHANGED] += learn_row_held(
                weights, row, delta, lowest, highest, layer.lanes, f.weight_keep, f.weight_set
            )
        if number > 0 and not np.any(word[number - 1] != 0):
            break


# --- Samples ----------------------------------------------------------------------------------------------


@njit(nogil=True)
def learn_behind(
    d: Description, s: State, weights: Array, rates: Array, label: int, counters: Array, layer_counters: Array
) -> None:
    """Learn what is known only at the end of a sample, from the outputs down."""
    network, layers, negative = d.network[0], d.layers, d.negative
    channels, ticks, n_spikes, spike_tick = s.spikes, s.ticks, s.n_spikes, s.spike_tick
    word, delta, amount, draws = s.word, s.delta, s.amount, s.draws
    kind = network.hidden_error
    if not output_words(network, spike_tick, word, label):
        return
    counters[OWN_COUNTER] += 1
    for number in range(network.n_layers - 1, -1, -1):
        layer, n = layers[number], n_spikes[number]
        # The words of the layer before come from the weights before the update.
        more = False
        if number > 0:
            if kind == SIGN_POPCOUNT:
                more = vote(number, layer, weights, channels, ticks, n, spike_tick, word)
            elif kind == RANDOM_SIGNS:
                more = vote_by(negative, layer, channels, ticks, n, spike_tick, word)
            else:
                differentiate(
                    layer,
                    weights,
                    channels,
                    ticks,
                    n,
                    spike_tick,
                    word,
                    network.n_ticks,
                    s.slope,
                    s.gradient,
                )
                more = scale_gradient(channels, n, s.gradient, layers[0].step, word, amount)
        draw = draws[number + 1, PLASTICITY]
        if number == 0 and kind == EXACT_GRADIENT:
            rows, changed = learn_rows_rounded(
                layer, weights, channels, ticks, n, spike_tick, amount, rates[0], draw
            )
        else:
            rows, changed = learn_rows(
                number, layer, weights, channels, ticks, n, spike_tick, word, delta, rates[number], draw
            )
        layer_counters[number, ROWS_LEARNED] += rows
        layer_counters[number, WEIGHTS_CHANGED] += changed
        if not more:
            break


@njit(nogil=True, forceinline=True)
def run_sample(
    d: Description,
    s: State,
    weights: Array,
    rates: Array,
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
    layers, operations, variables, levels = d.layers, d.operations, d.variables, d.levels
    constants, network = d.neuron_constants, d.network[0]
    x, y, u, active, limit, noise, draws = s.x, s.y, s.u, s.active, s.limit, s.noise, s.draws
    channels, ticks, n_spikes, spike_tick = s.spikes, s.ticks, s.n_spikes, s.spike_tick
    counts, stops = s.counts, s.stops
    n_layers, delay = network.n_layers, network.delay
    last = n_layers - 1

    seed_generators(draws, d.salts, seed)
    for number in range(n_layers):
        begin_neurons(number, layers[number], variables, constants, learn, x, u, active, draws)
        if f is not None:
            begin_faults(number, layers[number], f, seed, learn, weights, x, active)
        begin_limits(number, layers[number], active, limit)
    spike_tick[:] = NEVER
    n_spikes[:] = 0
    counts[:] = 0
    stops[:] = 0

    decision, answer, level, tick = -1, 0, 0, 0
    while tick < n_ticks:
        slot = tick % delay
        start = n_spikes[0]
        if level < levels.size and levels[level].tick == tick:
            n_spikes[0] = encode(image, levels[level], channels, start)
            level += 1
            for k in range(start, n_spikes[0]):
                ticks[0, k] = tick

        for number in range(n_layers):
            layer, end = layers[number], n_spikes[number]
            if f is not None:
                begin = f.n_received[number]
                receive(number, f, channels, end, tick)
                transmit_scaled(
                    u,
                    number,
                    weights,
                    f.received,
                    begin,
                    f.n_received[number],
                    layer.first_row,
                    layer.lanes,
                    layer.transmit_factor,
                )
                upset_states(number, layer, f, x)
            elif layer.transmit_factor != 1 << 16:
                factor = layer.transmit_factor
                transmit_scaled(
                    u, number, weights, channels, start, end, layer.first_row, layer.lanes, factor
                )
            else:
                transmit(u, number, weights, channels, start, end, layer.first_row, layer.lanes)
            if layer.uses_noise:
                draw = draws[number + 1, NOISE]
                draws[number + 1, NOISE] = draw_noise(noise, number, layer.n_neurons, draw)
            if layer.ramp:
                ramp(number, layer.lanes, variables, x, u)
            else:
                update_states(number, layer, operations, variables, x, y, u, noise, tick)
            start = n_spikes[number + 1]
            n_spikes[number + 1] = fire(
                number, layer, variables, x, limit, spike_tick, channels, ticks, start, tick
            )
            if f is not None:
                hold_states(number, layer, f.state_keep, f.state_set, x)

        for k in range(start, n_spikes[n_layers]):
            counts[channels[n_layers, k]] = 1
        if decision < 0 and n_spikes[n_layers] > 0:
            decision = tick
            answer = best_class(counts, x, last)
            for number in range(n_layers):
                result[SPIKES_TO_DECISION + number] = n_spikes[number]
        # The slot of the feedback loop that this tick has read is free for what it writes.
        stop_now = stops[slot]
        if learn:
            end_tick = last_tick(spike_tick[last, label], network.margin)
            stops[slot] = end_tick != NEVER and tick >= end_tick - delay
        else:
            stops[slot] = decide_after > 0 and decision >= 0
        tick += 1
        if stop_now:
            break

    counters[SAMPLES] += 1
    counters[TICKS] += tick
    counters[INPUT_SPIKES] += n_spikes[0]
    for number in range(n_layers):
        layer_counters[number, SPIKES] += n_spikes[number + 1]
        n_rows = n_spikes[number] if f is None else f.n_received[number]
        layer_counters[number, SYNAPTIC_OPERATIONS] += n_rows * layers[number].n_neurons
    result[ANSWER] = answer if decision >= 0 else best_class(counts, x, last)
    result[TICKS_RUN] = tick
    result[TICKS_TO_DECISION] = decision + 1 if decision >= 0 else tick
    if decision < 0:
        for number in range(n_layers):
            result[SPIKES_TO_DECISION + number] = n_spikes[number]
    if learn and f is None:
        learn_behind(d, s, weights, rates, label, counters, layer_counters)
    if learn and f is not None:
        learn_behind_with_faults(d, s, weights, rates, label, counters, layer_counters, f)


def cached(digest: str) -> Any:
    """Return the loop over a batch; `digest` is that of the kernels it calls from elsewhere."""

    @njit(nogil=True, cache=True)
    def run_batch(
        d: Description,
        s: State,
        weights: Array,
        rates: Array,
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
        rates : ndarray of int64, shape (n_layers,)
        images : ndarray of uint8, shape (n, n_inputs)
        seeds, labels : ndarray of int64, shape (n,)
        learn : bool
        n_ticks, decide_after : int
        counters : ndarray of int64, shape (4,)
        layer_counters : ndarray of int64, shape (n_layers, 4)
        results : ndarray of int64, shape (n, 3 + n_layers + 1 + n_layers)
            Answers, ticks, ticks to the decision, and spikes until then of the encoder and each hidden layer; spikes of
            the encoder and of each layer in the whole sample.
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
                rates,
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


run_batch = cached(DIGEST + fast_fault_kernels.DIGEST)
