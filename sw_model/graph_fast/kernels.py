# SPDX-License-Identifier: BSD-2-Clause
"""Compiled loops of a graph: what :mod:`erbium.sw_model.graph_model.array` says, for a batch of samples.

The layout and the habits are those of :mod:`erbium.sw_model.fast_kernels`. A channel is a ring of lists of spikes, one
list for each tick that its longest delay can hold. All rows of a tick transmit before the first one learns, for each
comes up once. Rows of consecutive projections that differ in nothing else are walked together.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from erbium.sw_model import fast_erbp_kernels, fast_kernels
from erbium.sw_model.fast_erbp_kernels import begin_words, form_words, learn_row, learn_row_blanked
from erbium.sw_model.fast_kernels import (
    ANSWER,
    BLANK_SYNAPSE,
    INPUT_SPIKES,
    NOISE,
    PLASTICITY,
    RESET_ADD,
    RESET_MAX,
    RESET_SET,
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
    draw_noise,
    mixed,
    saturate16,
    seed_generators,
    update_states,
    xorshift32,
)
from erbium.sw_model.graph_fast.tables import BERNOULLI, CONSTANT, LABEL, LATENCY, PHASE, SPIKE_COUNT, Tables


class State(NamedTuple):
    """What changes while samples run, except weights and rates; cleared by each sample.

    Attributes
    ----------
    x, y : ndarray of int32, shape (n_populations, 4, lanes)
        State variables, and the sums of a tick.
    u : ndarray of int16, shape (n_populations, 2, lanes)
        Ports.
    whole, rest : ndarray of int16, shape (n_populations, lanes)
        Plasticity words, in the two parts of ``form_words``.
    word_range : ndarray of int64, shape (n_populations, 2)
    active, refractory : ndarray of int32, shape (n_populations, lanes)
    noise : ndarray of int32, shape (n_populations, 1, lanes)
    fires : ndarray of int32, shape (lanes,)
    draws : ndarray of int64, shape (n_populations + 1, 5)
    source_draws : ndarray of int64, shape (n_sources,)
    spikes : ndarray of int32, shape (n_writers * n_slots, n)
        Channels.
    n_spikes : ndarray of int64, shape (n_writers * n_slots,)
    rows, row_draws : ndarray of int64, shape (n,)
        Rows that a population walks in a tick, and the blank-out draw of each.
    ends, which : ndarray of int64, shape (n_projections,)
        Where each run of rows that are alike ends, and a projection that says what they are.
    pixels, values, phase : ndarray of int64, shape (places,)
        Addresses, values and accumulators of the pixels of each source; ``values`` of a latency encoder are ticks.
    n_pixels : ndarray of int64, shape (n_sources,)
    counts : ndarray of int64, shape (n_classes,)
    stops : ndarray of int64, shape (stop_delay,)
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
    source_draws: Array
    spikes: Array
    n_spikes: Array
    rows: Array
    row_draws: Array
    ends: Array
    which: Array
    pixels: Array
    values: Array
    phase: Array
    n_pixels: Array
    counts: Array
    stops: Array


# --- sources ------------------------------------------------------------------------------------------------


@njit(nogil=True)
def begin_source(
    source: Any, image: Array, start_phase: Array, levels: Array, pixels: Array, values: Array, phase: Array
) -> int:
    """List the pixels of a source that can spike; return their number."""
    n, first = 0, source.first_place
    for address in range(source.size):
        pixel = image[source.first_pixel + address]
        pixels[first + n] = address
        values[first + n] = pixel
        phase[first + n] = start_phase[address]
        if source.encoder == LATENCY:
            values[first + n] = -1
            for level in range(source.first_level + source.n_levels - 1, source.first_level - 1, -1):
                if pixel >= levels[level, 0]:
                    values[first + n] = levels[level, 1]
            n += values[first + n] >= 0
        else:
            n += pixel != 0
    for rest in range(n, n + 4):
        values[first + rest] = 0
        phase[first + rest] = 0
    return n


@njit(nogil=True)
def encode(
    source: Any,
    n_pixels: int,
    pixels: Array,
    values: Array,
    phase: Array,
    draw: int,
    tick: int,
    label: int,
    learn: bool,
    spikes: Array,
    to: int,
) -> tuple[int, int]:
    """Write the addresses that spike in this tick, ascending; return their number and the last draw."""
    n, first = 0, source.first_place
    if source.encoder == BERNOULLI:
        for group in range(first, first + n_pixels, 4):
            draw = xorshift32(draw)
            for j in range(4):
                spikes[to, n] = pixels[group + j]
                n += ((draw >> (8 * j)) & 0xFF) < values[group + j]
    elif source.encoder == PHASE:
        for j in range(first, first + n_pixels):
            total = phase[j] + values[j]
            phase[j] = total & 0xFF
            spikes[to, n] = pixels[j]
            n += total > 0xFF
    elif source.encoder == LATENCY:
        for j in range(first, first + n_pixels):
            spikes[to, n] = pixels[j]
            n += values[j] == tick
    elif source.encoder == CONSTANT:
        for k in range(source.size):
            spikes[to, k] = k
        n = source.size
    elif source.encoder == LABEL and learn:
        spikes[to, 0] = label
        n = 1
    return n, draw


# --- row passes ---------------------------------------------------------------------------------------------


@njit(nogil=True)
def transmit(
    u: Array, number: int, port: int, weights: Array, rows: Array, start: int, end: int, lanes: int
) -> None:
    """Add rows of 8-bit weights to a port, in order; four at a time, to move the port less often."""
    k = start
    while k + 4 <= end:
        a, b, c, d = rows[k], rows[k + 1], rows[k + 2], rows[k + 3]
        for i in range(lanes):
            total = saturate16(u[number, port, i] + weights[a, i])
            total = saturate16(total + weights[b, i])
            total = saturate16(total + weights[c, i])
            u[number, port, i] = saturate16(total + weights[d, i])
        k += 4
    while k < end:
        a = rows[k]
        for i in range(lanes):
            u[number, port, i] = saturate16(u[number, port, i] + weights[a, i])
        k += 1


@njit(nogil=True)
def transmit_scaled(
    u: Array,
    number: int,
    port: int,
    weights: Array,
    rows: Array,
    start: int,
    end: int,
    lanes: int,
    factor: int,
) -> None:
    """Add rows of weights of any width to a port, in order."""
    factor32 = np.int32(factor)
    for k in range(start, end):
        a = rows[k]
        for i in range(lanes):
            weight = np.int16(np.int32(weights[a, i] * factor32) >> 16)
            u[number, port, i] = saturate16(u[number, port, i] + weight)


@njit(nogil=True)
def transmit_blanked(
    u: Array,
    number: int,
    port: int,
    weights: Array,
    rows: Array,
    start: int,
    end: int,
    lanes: int,
    factor: int,
    keep: int,
    constants: Array,
    row_draws: Array,
) -> None:
    """Add what is kept of rows of weights of any width to a port, in order."""
    factor32, limit = np.int32(factor), np.uint16(keep << 8)
    for k in range(start, end):
        a, draw = rows[k], row_draws[k]
        low, high = np.uint16(draw & 0xFFFF), np.uint16(draw >> 16)
        for i in range(lanes):
            weight = np.int16(np.int32(weights[a, i] * factor32) >> 16)
            kept = weight if mixed(low, high, constants[i]) < limit else np.int16(0)
            u[number, port, i] = saturate16(u[number, port, i] + kept)


@njit(nogil=True)
def add_fixed(
    u: Array,
    number: int,
    port: int,
    fixed: Array,
    spikes: Array,
    at: int,
    n: int,
    first_row: int,
    weight: int,
    lanes: int,
) -> None:
    """Add fixed rows, times one weight, to a port, in order."""
    weight32 = np.int32(weight)
    for k in range(n):
        a = first_row + spikes[at, k]
        for i in range(lanes):
            total = np.int32(u[number, port, i] + np.int32(weight32 * fixed[a, i]))
            u[number, port, i] = min(max(total, np.int32(-32768)), np.int32(32767))


@njit(nogil=True)
def learn_row_sparse(
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
    there: Array,
) -> int:
    """Let the synapses of a row that are there, and not blanked out, learn; return how many weights changed."""
    changed, keep_limit = 0, np.uint16((keep << 8) & 0xFFFF)
    low, high = np.uint16(row_draw & 0xFFFF), np.uint16(row_draw >> 16)
    for i in range(lanes):
        kept = there[row, i] and (keep == 256 or mixed(low, high, constants[i]) < keep_limit)
        if kept:
            delta = int(whole[number, i]) + (1 if rest[number, i] > limit else 0)
            new = min(max(int(weights[row, i]) - delta, lowest), highest)
            changed += new != weights[row, i]
            weights[row, i] = new
    return changed


@njit(nogil=True, forceinline=True)
def transmit_rows(
    number: int,
    population: Any,
    projection: Any,
    u: Array,
    weights: Array,
    rows: Array,
    start: int,
    end: int,
    constants: Array,
    draws: Array,
    row_draws: Array,
) -> None:
    """Add rows of one tick, alike in all but their source, to their port."""
    port, lanes, keep, factor = projection.port, population.lanes, projection.keep, projection.transmit_factor
    if keep < 256:
        draw = draws[number + 1, BLANK_SYNAPSE]
        for k in range(start, end):
            draw = xorshift32(draw)
            row_draws[k] = draw
        draws[number + 1, BLANK_SYNAPSE] = draw
        transmit_blanked(
            u, number, port, weights, rows, start, end, lanes, factor, keep, constants, row_draws
        )
    elif factor == 1 << 16:
        transmit(u, number, port, weights, rows, start, end, lanes)
    else:
        transmit_scaled(u, number, port, weights, rows, start, end, lanes, factor)


@njit(nogil=True, forceinline=True)
def learn_rows(
    number: int,
    population: Any,
    projection: Any,
    whole: Array,
    rest: Array,
    word_range: Array,
    weights: Array,
    there: Array,
    constants: Array,
    draws: Array,
    row_draws: Array,
    rows: Array,
    start: int,
    end: int,
) -> int:
    """Let rows of one tick, alike in all but their source, learn; return the number of weights that changed."""
    mask = (1 << population.rounding_shift) - 1
    low, high = word_range[number, 0], word_range[number, 1]
    lowest, highest, lanes, keep = (
        projection.weight_min,
        projection.weight_max,
        population.lanes,
        projection.keep,
    )
    draw, changed = draws[number + 1, PLASTICITY], 0
    for k in range(start, end):
        draw = xorshift32(draw)
        r = draw & mask
        if low + r >= 0 and high + r <= mask:
            continue  # (word + r) >> shift is 0 for every word in low ... high
        row, limit, blank = rows[k], mask - r, row_draws[k]
        if projection.sparse:
            changed += learn_row_sparse(
                weights,
                row,
                whole,
                rest,
                number,
                limit,
                lowest,
                highest,
                lanes,
                keep,
                constants,
                blank,
                there,
            )
        elif keep < 256:
            changed += learn_row_blanked(
                weights, row, whole, rest, number, limit, lowest, highest, lanes, keep, constants, blank
            )
        else:
            changed += learn_row(weights, row, whole, rest, number, limit, lowest, highest, lanes)
    draws[number + 1, PLASTICITY] = draw
    return changed


@njit(nogil=True)
def synapses_of(row_size: Array, rows: Array, start: int, end: int) -> int:
    """Return the synapses of rows of sparse projections."""
    total = 0
    for k in range(start, end):
        total += row_size[rows[k]]
    return total


# --- the tick sweep -----------------------------------------------------------------------------------------


@njit(nogil=True, forceinline=True)
def fire(
    number: int,
    population: Any,
    variables: Array,
    x: Array,
    refractory: Array,
    active: Array,
    fires: Array,
    spikes: Array,
    to: int,
) -> int:
    """Write the addresses of the neurons that spike, reset them, count down; return their number."""
    lanes, threshold = population.lanes, np.int32(population.threshold)
    if population.adaptive:
        for i in range(lanes):
            raised = np.int32(threshold + x[number, 1, i])
            fires[i] = (x[number, 0, i] >= raised) & (active[number, i] != 0)
    else:
        for i in range(lanes):
            fires[i] = (x[number, 0, i] >= threshold) & (active[number, i] != 0)
    if population.refractory > 0:
        full, reset = np.int32(population.refractory), np.int32(variables[number, 0].reset_value)
        hold = population.hold
        for i in range(lanes):
            resting = refractory[number, i] > 0
            fires[i] = np.int32(0) if resting else fires[i]
            x[number, 0, i] = reset if resting and hold else x[number, 0, i]
            refractory[number, i] = full if fires[i] else np.int32(refractory[number, i] - resting)
    n = 0
    for i in range(population.n_neurons):
        spikes[to, n] = i
        n += fires[i]
    for state in range(population.n_states):
        mode, value = variables[number, state].reset_mode, variables[number, state].reset_value
        if mode == RESET_SET:
            for k in range(n):
                x[number, state, spikes[to, k]] = value
        elif mode == RESET_ADD:
            for k in range(n):
                x[number, state, spikes[to, k]] = saturate16(x[number, state, spikes[to, k]] + value)
        elif mode == RESET_MAX:
            for k in range(n):
                x[number, state, spikes[to, k]] = max(x[number, state, spikes[to, k]], value)
    return n


# --- samples ------------------------------------------------------------------------------------------------


@njit(nogil=True, forceinline=True)
def run_sample(
    t: Any,
    s: Any,
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
) -> None:
    """Present one sample; learn it if asked to."""
    # Taken apart here, once: numba counts a reference, with an atomic instruction, wherever an array is taken out of a
    # tuple; in the loops below that would cost as much as the work.
    network, sources, populations, projections = t.network[0], t.sources, t.populations, t.projections
    operations, variables, fixed, there, row_size = t.operations, t.variables, t.fixed, t.there, t.row_size
    levels, constants, source_salts, start_phase = t.levels, t.neuron_constants, t.source_salts, t.start_phase
    x, y, u, whole, rest, word_range = s.x, s.y, s.u, s.whole, s.rest, s.word_range
    active, refractory, noise, fires, draws = s.active, s.refractory, s.noise, s.fires, s.draws
    source_draws, spikes, n_spikes, row_draws = s.source_draws, s.spikes, s.n_spikes, s.row_draws
    pixels, values, phase, n_pixels = s.pixels, s.values, s.phase, s.n_pixels
    counts, stops, rows, ends, which = s.counts, s.stops, s.rows, s.ends, s.which
    slots, n_sources, n_populations = network.n_slots, network.n_sources, network.n_populations

    seed_generators(draws, t.salts, seed)
    for k in range(n_sources):
        draw = (seed + source_salts[k]) & 0xFFFF_FFFF
        source_draws[k] = draw if draw != 0 else source_salts[k]
        if sources[k].encoder <= LATENCY:
            n_pixels[k] = begin_source(sources[k], image, start_phase, levels, pixels, values, phase)
    for number in range(n_populations):
        population = populations[number]
        begin_neurons(number, population, variables, constants, learn, x, u, active, draws)
        begin_words(number, population, whole, rest, word_range, refractory)
    counts[:] = 0
    stops[:] = 0
    decision, answer, quiet, tick = -1, 0, 0, 0
    while tick < n_ticks:
        slot = tick % slots
        for k in range(n_sources):
            source, to = sources[k], k * slots + slot
            n, source_draws[k] = encode(
                source, n_pixels[k], pixels, values, phase, source_draws[k], tick, label, learn, spikes, to
            )
            n_spikes[to] = n
            if source.encoder <= LATENCY:
                counters[INPUT_SPIKES] += n

        for number in range(n_populations):
            population = populations[number]
            first, last = population.first_projection, population.first_projection + population.n_projections
            learns = learn and population.has_rule != 0
            any_word = word_range[number, 0] < 0 or word_range[number, 1] > 0
            armed = learns and tick >= population.first_tick and any_word
            n_rows, start, runs = 0, 0, 0
            for j in range(first, last):
                projection = projections[j]
                at = projection.writer * slots + (tick - projection.delay) % slots
                n = n_spikes[at]
                if tick < projection.delay or (projection.only_learning and not learn):
                    n = 0
                row = projection.first_row
                if not projection.stored:
                    if n:
                        weight = rates[projection.rate]
                        add_fixed(
                            u, number, projection.port, fixed, spikes, at, n, row, weight, population.lanes
                        )
                    continue
                for k in range(n):
                    rows[n_rows + k] = row + spikes[at, k]
                n_rows += n
                if projection.goes_on:
                    continue
                transmit_rows(
                    number,
                    population,
                    projection,
                    u,
                    weights,
                    rows,
                    start,
                    n_rows,
                    constants,
                    draws,
                    row_draws,
                )
                walked = (n_rows - start) * population.n_neurons
                if projection.sparse:
                    walked = synapses_of(row_size, rows, start, n_rows)
                layer_counters[number, SYNAPTIC_OPERATIONS] += walked
                ends[runs], which[runs], start, runs = n_rows, j, n_rows, runs + 1
            if armed:
                start = 0
                for run in range(runs):
                    projection = projections[which[run]]
                    if projection.learns:
                        layer_counters[number, ROWS_LEARNED] += ends[run] - start
                        layer_counters[number, WEIGHTS_CHANGED] += learn_rows(
                            number,
                            population,
                            projection,
                            whole,
                            rest,
                            word_range,
                            weights,
                            there,
                            constants,
                            draws,
                            row_draws,
                            rows,
                            start,
                            ends[run],
                        )
                    start = ends[run]
            if population.uses_noise:
                draw = draws[number + 1, NOISE]
                draws[number + 1, NOISE] = draw_noise(noise, number, population.n_neurons, draw)
            update_states(number, population, operations, variables, x, y, u, noise, tick)
            if learns:
                form_words(number, population, x, active, whole, rest, word_range)
            to = population.writer * slots + slot
            n = fire(number, population, variables, x, refractory, active, fires, spikes, to)
            n_spikes[to] = n
            layer_counters[number, SPIKES] += n

        stop = False
        if network.readout == SPIKE_COUNT:
            at, most = populations[network.read].writer * slots + slot, 0
            for k in range(n_spikes[at]):
                counts[spikes[at, k]] += 1
            for c in range(counts.size):
                most = max(most, counts[c])
            if learn:
                if network.quiet >= 0 and tick >= 1:
                    silent = n_spikes[populations[network.quiet].writer * slots + slot] == 0
                    quiet = quiet + 1 if silent else 0
                stop = 0 < network.quiet_ticks <= quiet
            else:
                if decision < 0 and 0 < decide_after <= most:
                    decision = tick
                    answer = best_class(counts, x, network.read)
                stop = decision >= 0
        stop_now = stops[tick % network.stop_delay]
        stops[tick % network.stop_delay] = stop
        tick += 1
        if stop_now:
            break
    counters[SAMPLES] += 1
    counters[TICKS] += tick
    if network.readout != SPIKE_COUNT:
        answer = -1
    elif decision < 0:
        answer = best_class(counts, x, network.read)
    result[ANSWER] = answer
    result[TICKS_RUN] = tick
    result[TICKS_TO_DECISION] = decision + 1 if decision >= 0 else tick


def cached(digest: str) -> Any:
    """Return the loop over a batch; `digest` is that of the kernels it calls from elsewhere."""

    @njit(nogil=True, cache=True)
    def run_batch(
        t: Tables,
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
    ) -> None:
        """Present samples in order.

        Parameters
        ----------
        t : Tables
        s : State
        weights : ndarray of int16, shape (rows, lanes)
            Changed in place when learning.
        rates : ndarray of int64, shape (n,)
            Weights of identities and random signs.
        images : ndarray of uint8, shape (n, n_pixels)
        seeds, labels : ndarray of int64, shape (n,)
        learn : bool
        n_ticks, decide_after : int
        counters : ndarray of int64, shape (4,)
        layer_counters : ndarray of int64, shape (n_populations, 4)
        results : ndarray of int64, shape (n, 3)
            Answers, ticks, and ticks to the decision.
        """
        _ = digest
        for k in range(images.shape[0]):
            run_sample(
                t,
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
            )

    return run_batch


OWN_DIGEST = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()

run_batch = cached(fast_kernels.DIGEST + fast_erbp_kernels.OWN_DIGEST)
