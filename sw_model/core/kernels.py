# SPDX-License-Identifier: BSD-2-Clause
"""The loop of the core, compiled: what :mod:`erbium.sw_model.graph_model.array` says, in one walk over tables.

Histories are integers: bit j says whether a neuron spiked j + 1 ticks ago. Ticks are counted from the last sample that
cleared the network, and a channel is a ring of lists of spikes, one list for each tick that a delay can ask for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from erbium.sw_model import fast_kernels
from erbium.sw_model.core import learn_kernels
from erbium.sw_model.core.learn_kernels import finish, learn_row
from erbium.sw_model.core.state import ANSWER, DECISION, INPUT, NEVER, TICK, TICKS_RUN, State
from erbium.sw_model.core.tables import END, ERBP, HISTORY, Tables
from erbium.sw_model.fast_kernels import (
    BLANK_NEURON,
    BLANK_SYNAPSE,
    FROM_PORT,
    FROM_STATE,
    NOISE,
    RESET_ADD,
    RESET_MAX,
    RESET_SET,
    SPIKES,
    SYNAPTIC_OPERATIONS,
    Array,
    reverse8,
    saturate16,
    xorshift32,
)
from erbium.sw_model.graph_fast import kernels as graph_kernels
from erbium.sw_model.graph_fast.kernels import begin_source, encode
from erbium.sw_model.graph_fast.tables import EVENTS, LATENCY

# --- beginning --------------------------------------------------------------------------------------------------


@njit(nogil=True)
def seeded(seed: int, salt: int) -> int:
    """Return the state of a generator that begins anew."""
    state = (seed + salt) & 0xFFFF_FFFF
    return state if state != 0 else salt


@njit(nogil=True)
def clear(t: Tables, s: State, seed: int, learn: bool) -> None:
    """Let all that changes from tick to tick begin anew, but for states that last."""
    draws, heard, history, last, n_spikes = s.draws, s.heard, s.history, s.last, s.n_spikes
    outcome, pending, refractory, silent, source_draws = (
        s.outcome,
        s.pending,
        s.refractory,
        s.silent,
        s.source_draws,
    )
    u, word, x = s.u, s.word, s.x
    constants, groups, populations, salts, source_salts = (
        t.constants,
        t.groups,
        t.populations,
        t.salts,
        t.source_salts,
    )
    variables = t.variables
    outcome[TICK] = 0
    n_spikes[:] = 0
    heard[:] = 0
    last[:] = NEVER
    pending[:] = False
    word[:] = 0
    history[:] = 0
    refractory[:] = 0
    u[:] = 0
    for k in range(source_draws.size):
        source_draws[k] = seeded(seed, source_salts[k])
    for number in range(populations.size):
        population = populations[number]
        first, n, own = population.first, population.n, variables[population.group]
        for stream in range(draws.shape[1]):
            draws[number, stream] = seeded(seed, salts[number, stream])
        for state in range(groups[population.group].n_states):
            if not (population.lasting >> state) & 1:
                x[state, first : first + n] = own[state].initial
        silent[first : first + n] = False
        if learn and population.keep < 256:
            draw = xorshift32(draws[number, BLANK_NEURON])
            draws[number, BLANK_NEURON] = draw
            for i in range(n):
                silent[first + i] = mixed_byte(draw, constants[i]) >= population.keep


@njit(nogil=True)
def mixed_byte(draw: int, constant: int) -> int:
    """Return the byte that a neuron derives from a draw of its population."""
    return ((((draw & 0xFFFF) ^ constant) + (draw >> 16)) >> 8) & 0xFF


# --- rows -------------------------------------------------------------------------------------------------------


@njit(nogil=True)
def first_zone(spiked: int, zone1: int, zone2: int, height0: int, height1: int, height2: int) -> int:
    """Return the height of the first zone in which bit d of `spiked` says that there was a spike, d ticks away."""
    if spiked & ((1 << zone1) - 1):
        return height0
    if spiked & ((1 << zone2) - 1):
        return height1
    return height2 if spiked else 0


@njit(nogil=True)
def reversed_bits(history: int, age: int) -> int:
    """Return the youngest `age` bits of a history in the other order: from the row's spike onwards."""
    result = 0
    for j in range(age):
        result |= ((history >> j) & 1) << (age - 1 - j)
    return result


@njit(nogil=True)
def history_step(group: Any, word: int, history: int, age: int, causal: bool, spike: bool) -> int:
    """Return e of one synapse: the sum of the terms that this event has."""
    step, seen = 0, history & ((1 << age) - 1)
    if causal and seen:
        height = first_zone(
            reversed_bits(seen, age), group.zone1, group.zone2, group.causal0, group.causal1, group.causal2
        )
        step += height * (word if group.causal_by_word else 1)
    if spike:
        if seen:
            height = first_zone(
                seen, group.zone1, group.zone2, group.acausal0, group.acausal1, group.acausal2
            )
            step += height * (word if group.acausal_by_word else 1)
        step += group.presynaptic * (word if group.presynaptic_by_word else 1)
    return step


@njit(nogil=True)
def expire(
    s: State, t: Tables, number: int, group: Any, projection: Any, row: int, first: int, n: int, factor: int
) -> None:
    """Take the event that no spike of a row has followed for a whole window."""
    history, kept, pending, step, word = s.history, s.kept, s.pending, s.step, s.word
    there = t.there
    pending[row] = False
    if factor == 0 or not projection.learns:
        return
    for i in range(n):
        kept[i] = there[row, i]
        step[i] = history_step(group, word[first + i], history[first + i], group.window, True, False)
    learn_row(s, number, group, projection, row, n, factor, 1, False)


@njit(nogil=True)
def spike(
    s: State,
    t: Tables,
    number: int,
    group: Any,
    projection: Any,
    row: int,
    first: int,
    n: int,
    factor: int,
    learn: bool,
    tick: int,
) -> None:
    """Pass a row: transmit its old weights, then let them learn."""
    counters, draws, history, kept, last = s.counters, s.draws, s.history, s.kept, s.last
    pending, step, u, weights, word = s.pending, s.step, s.u, s.weights, s.word
    constants, there = t.constants, t.there
    for i in range(n):
        kept[i] = there[row, i]
        counters[number, SYNAPTIC_OPERATIONS] += kept[i]
    if projection.keep < 256:
        draw = xorshift32(draws[number, BLANK_SYNAPSE])
        draws[number, BLANK_SYNAPSE] = draw
        for i in range(n):
            kept[i] &= mixed_byte(draw, constants[i]) < projection.keep
    excess = projection.width - 8
    for i in range(n):
        if kept[i]:
            weight = weights[row, i]
            sent = weight >> excess if excess >= 0 else weight << -excess
            u[projection.port, first + i] = saturate16(u[projection.port, first + i] + sent)
    if group.rule == HISTORY and projection.stored:
        age = min(tick - last[row], group.window)
        causal = pending[row]
        last[row], pending[row] = tick, True
        if factor != 0 and projection.learns:
            for i in range(n):
                step[i] = history_step(group, word[first + i], history[first + i], age, causal, True)
            learn_row(s, number, group, projection, row, n, factor, 1, False)
    elif group.rule == ERBP and projection.learns and learn and tick >= group.first_tick:
        some = False
        for i in range(n):
            step[i] = word[first + i]
            some |= step[i] != 0
        if some:
            learn_row(s, number, group, projection, row, n, 1, -1, False)
    elif group.rule == END and projection.learns and learn:
        pending[row] = True


@njit(nogil=True)
def walk(
    s: State,
    t: Tables,
    number: int,
    group: Any,
    projection: Any,
    at: int,
    factor: int,
    learn: bool,
    tick: int,
) -> None:
    """Pass the rows of one projection in one tick, ascending, and of each row its expiry before its spike."""
    last, n_spikes, pending, spikes, u = s.last, s.n_spikes, s.pending, s.spikes, s.u
    fixed, populations = t.fixed, t.populations
    population = populations[number]
    first, n, first_row = population.first, population.n, projection.first_row
    count = 0 if projection.only_learning and not learn else n_spikes[at]
    if not projection.stored:
        for k in range(count):
            row = first_row + spikes[at, k]
            for i in range(n):
                total = u[projection.port, first + i] + projection.weight * fixed[row, i]
                u[projection.port, first + i] = saturate16(total)
        return
    if group.rule != HISTORY:
        for k in range(count):
            row = first_row + spikes[at, k]
            spike(s, t, number, group, projection, row, first, n, factor, learn, tick)
        return
    k, born = 0, tick - group.window
    for row in range(first_row, first_row + projection.n_rows):
        if last[row] == born and pending[row]:
            expire(s, t, number, group, projection, row, first, n, factor)
        if k < count and first_row + spikes[at, k] == row:
            spike(s, t, number, group, projection, row, first, n, factor, learn, tick)
            k += 1


# --- sweeps -----------------------------------------------------------------------------------------------------


@njit(nogil=True)
def word_of(group: Any, gated: int, x: int) -> Any:
    """Return M of a neuron from the state that the gate looks at and that of the term."""
    open_ = group.lower <= gated < group.upper
    word, shifted = group.inside if open_ else group.outside, x >> group.shift
    if group.term == 1 or (group.term == 2 and open_):
        word += shifted
    elif group.term == 3:
        word += group.offset - shifted
    return saturate16(word)


@njit(nogil=True)
def sweep(s: State, t: Tables, number: int, at: int, learn: bool, tick: int) -> None:
    """Run the program of a population once for each neuron, ascending; write who spikes."""
    counters, draws, history, n_spikes, refractory = s.counters, s.draws, s.history, s.n_spikes, s.refractory
    silent, spikes, u, word, x = s.silent, s.spikes, s.u, s.word, s.x
    groups, operations, populations, variables = t.groups, t.operations, t.populations, t.variables
    population = populations[number]
    group, program, own = groups[population.group], operations[population.group], variables[population.group]
    history_mask = (1 << group.window) - 1
    dither, count = reverse8(tick & 0xFF), 0
    kept = 0 if learn else population.plastic
    y = np.zeros(4, dtype=np.int64)
    for i in range(population.first, population.first + population.n):
        noise = 0
        if group.uses_noise:
            draw = xorshift32(draws[number, NOISE])
            draws[number, NOISE] = draw
            noise = (draw & 0xFF) + ((draw >> 8) & 0xFF) + ((draw >> 16) & 0xFF) + (draw >> 24) - 510
        for k in range(group.n_states):
            y[k] = (x[k, i] + own[k].bias) << 8
        for j in range(group.n_operations):
            operation = program[j]
            if operation.kind == FROM_STATE:
                source = x[operation.index, i]
            elif operation.kind == FROM_PORT:
                source = u[operation.index, i]
            else:
                source = noise
            y[operation.destination] += operation.sign * ((source << 8) >> operation.shift)
        for k in range(group.n_states):
            if not (kept >> k) & 1:
                value = saturate16((y[k] + dither) >> 8)
                x[k, i] = min(max(value, own[k].lower), own[k].upper)
        if group.rule in (HISTORY, END) or (group.rule == ERBP and learn):
            formed = word_of(group, x[group.gate, i], x[group.state, i])
            word[i] = 0 if silent[i] else formed
        resting = refractory[i] > 0
        threshold = group.threshold + (x[1, i] if group.adaptive else 0)
        fires = x[0, i] >= threshold and not resting and not silent[i]
        fires &= not (population.exclusive and count > 0)
        if resting and group.hold and not kept & 1:
            x[0, i] = own[0].reset_value
        refractory[i] -= resting
        history[i] = ((history[i] << 1) | fires) & history_mask
        u[0, i] = 0
        u[1, i] = 0
        if not fires:
            continue
        refractory[i] = group.refractory
        for k in range(group.n_states):
            mode, value = own[k].reset_mode, own[k].reset_value
            if (kept >> k) & 1:
                continue
            if mode == RESET_SET:
                x[k, i] = value
            elif mode == RESET_ADD:
                x[k, i] = saturate16(x[k, i] + value)
            elif mode == RESET_MAX:
                x[k, i] = max(x[k, i], value)
        spikes[at, count] = i - population.first
        count += 1
    n_spikes[at] = count
    counters[number, SPIKES] += count


# --- samples ----------------------------------------------------------------------------------------------------


@njit(nogil=True)
def modulate(s: State, t: Tables, tick: int, values: Array, gains: Array) -> None:
    """Add what the modulators bring in this tick."""
    heard, u = s.heard, s.u
    modulators, populations = t.modulators, t.populations
    for m in range(modulators.size):
        modulator = modulators[m]
        population = populations[modulator.population]
        value = values[m] if tick == 0 else 0
        brought = gains[m] * modulator.weight * heard[m]
        for i in range(population.first, population.first + population.n):
            total = saturate16(u[modulator.port, i] + value)
            u[modulator.port, i] = saturate16(total + brought)


@njit(nogil=True)
def best_class(s: State, first: int) -> int:
    """Return the class with most spikes; ties go to the larger state 0, then to the lower index."""
    counts, x = s.counts, s.x
    best = 0
    for c in range(1, counts.size):
        ahead = counts[c] - counts[best]
        if ahead > 0 or (ahead == 0 and x[0, first + c] > x[0, first + best]):
            best = c
    return best


def cached(digest: str) -> Any:
    """Return the loop over a sample; `digest` is that of the kernels that it calls from elsewhere."""

    @njit(nogil=True, cache=True)
    def run_sample(
        t: Tables,
        s: State,
        image: Array,
        seed: int,
        label: int,
        learn: bool,
        anew: bool,
        factor: int,
        n_ticks: int,
        values: Array,
        gains: Array,
        events: Array,
        raster: Array,
        probe: Array,
    ) -> None:
        """Present one sample.

        Parameters
        ----------
        t : Tables
        s : State
        image : ndarray of uint8, shape (n_pixels,)
        seed, label : int
        learn : bool
        anew : bool
            Whether the network is cleared.
        factor : int
            g of history rules; 0 without learning.
        n_ticks : int
        values, gains : ndarray of int64, shape (n_modulators,)
        events : ndarray of bool, shape (ticks, size of all sources of events)
        raster : ndarray of bool, shape (n_ticks, n_neurons)
            Written: who spiked.
        probe : ndarray of int16, shape (n_ticks or 0, 4, n_neurons)
            Written: states after each sweep.
        """
        _ = digest
        network, n_sources = t.network[0], t.sources.size
        slots = network.n_slots
        if anew:
            clear(t, s, seed, learn)
        for k in range(n_sources):
            if t.sources[k].encoder <= LATENCY:
                s.n_pixels[k] = begin_source(
                    t.sources[k], image, t.start_phase, t.levels, s.pixels, s.values, s.phase
                )
        s.counts[:] = 0
        s.stops[:] = False
        decision, answer, quiet, number = -1, -1, 0, 0
        while number < n_ticks:
            tick = s.outcome[TICK]
            slot, event = tick % slots, 0
            for k in range(n_sources):
                source, at = t.sources[k], k * slots + slot
                if source.encoder == EVENTS:
                    n = 0
                    if number < events.shape[0]:
                        for address in range(source.size):
                            s.spikes[at, n] = address
                            n += events[number, event + address]
                    s.n_spikes[at] = n
                    event += source.size
                    continue
                n, s.source_draws[k] = encode(
                    source,
                    s.n_pixels[k],
                    s.pixels,
                    s.values,
                    s.phase,
                    s.source_draws[k],
                    number,
                    label,
                    label >= 0,
                    s.spikes,
                    at,
                )
                s.n_spikes[at] = n
                if source.encoder <= LATENCY:
                    s.outcome[INPUT] += n
            modulate(s, t, number, values, gains)
            for p in range(t.populations.size):
                population = t.populations[p]
                group = t.groups[population.group]
                for j in range(
                    population.first_projection, population.first_projection + population.n_projections
                ):
                    projection = t.projections[j]
                    at = projection.writer * slots + (tick - projection.delay) % slots
                    walk(s, t, p, group, projection, at, factor, learn, tick)
                sweep(s, t, p, population.writer * slots + slot, learn, tick)
            for m in range(t.modulators.size):
                hears = t.modulators[m].hears
                s.heard[m] = s.n_spikes[hears * slots + slot] if hears >= 0 else 0
            for p in range(t.populations.size):
                population = t.populations[p]
                at = population.writer * slots + slot
                for k in range(s.n_spikes[at]):
                    raster[number, population.first + s.spikes[at, k]] = True
            if probe.shape[0]:
                probe[number] = s.x
            stop = False
            if network.reads >= 0:
                at, most = network.reads * slots + slot, 0
                for k in range(s.n_spikes[at]):
                    s.counts[s.spikes[at, k]] += 1
                for c in range(s.counts.size):
                    most = max(most, s.counts[c])
                if decision < 0:
                    answer = best_class(s, network.first_class)
                if learn:
                    if network.quiet >= 0 and number >= 1:
                        quiet = quiet + 1 if s.n_spikes[network.quiet * slots + slot] == 0 else 0
                    stop = 0 < network.quiet_ticks <= quiet
                else:
                    if decision < 0 and 0 < network.decide_after <= most:
                        decision = number
                    stop = decision >= 0
            ends = s.stops[number % network.stop_delay]
            s.stops[number % network.stop_delay] = stop
            number += 1
            s.outcome[TICK] += 1
            if ends:
                break
        for p in range(t.populations.size):
            if t.groups[t.populations[p].group].rule == END:
                finish(s, t, p, factor)
        s.outcome[ANSWER] = answer
        s.outcome[TICKS_RUN] = number
        s.outcome[DECISION] = decision + 1 if decision >= 0 else number

    return run_sample


run_sample = cached(fast_kernels.DIGEST + graph_kernels.OWN_DIGEST + learn_kernels.OWN_DIGEST)
