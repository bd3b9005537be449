# SPDX-License-Identifier: BSD-2-Clause
"""Compiled loops of the spike-time network: one layer at a time, for a batch of samples.

:mod:`erbium.sw_model.spike_time` says what they compute and where it comes from. Weights lie as
``weights[input, neuron]``, so that the synapse row of an input that spikes is added to all neurons in one
sequential pass. Everything is float64.

Two habits keep the loops fast. Inputs that spike at the same time form one group, in which only the weights
are summed; and where a group is the last one and most of the inputs are in it, which is what late pixels are,
its sum is the column sum minus what came before, and its gradient one vector, subtracted for the others.
No sum is reordered by the compiler, so results do not depend on the machine's vector width.

Nothing is imported from the rest of the model: Numba's cache on disk notices changes of this file only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, np.dtype[Any]]


@njit(nogil=True, cache=True)
def order_spikes(z: Array, z_max: float, order: Array, n_spikes: Array) -> None:
    """Write the inputs that spike, earliest first.

    Times that several inputs share are taken out group by group, without sorting: a binary image has two.

    Parameters
    ----------
    z : ndarray of float64, shape (n, n_inputs)
        exp(spike time); what is later than `z_max` does not count.
    z_max : float
    order : ndarray of int64, shape (n, n_inputs)
        Written: the inputs' indices; of each row only the first ``n_spikes`` entries.
    n_spikes : ndarray of int64, shape (n,)
        Written.
    """
    for sample in range(z.shape[0]):
        times, result = z[sample], order[sample]
        n = 0
        for i in range(times.size):
            if times[i] <= z_max:
                result[n] = i
                n += 1
        n_spikes[sample] = n
        rest = result[:n].copy()
        done = 0
        while done < n:
            earliest = np.inf
            for k in range(n - done):
                earliest = min(earliest, times[rest[k]])
            kept, first = 0, done
            for k in range(n - done):
                i = rest[k]
                if times[i] == earliest:
                    result[done + k - kept] = i
                else:
                    rest[kept] = i
                    kept += 1
            done = n - kept
            if done - first == 1:
                by_time = np.argsort(times[rest[:kept]], kind="mergesort")
                for k in range(kept):
                    result[done + k] = rest[by_time[k]]
                done = n


@njit(nogil=True, inline="always")
def end_of_group(times: Array, order: Array, start: int, n: int) -> int:
    """Return the place in `order` behind the inputs that spike together with the one at `start`."""
    end = start + 1
    while end < n and times[order[end]] == times[order[start]]:
        end += 1
    return end


@njit(nogil=True, inline="always")
def is_rest(start: int, end: int, n: int, n_inputs: int) -> bool:
    """Whether a group is better computed as everything except what came before it."""
    return end == n == n_inputs and start < end - start


@njit(nogil=True, cache=True)
def forward(
    z_in: Array,
    order: Array,
    n_spikes: Array,
    weights: Array,
    column_sums: Array,
    z_max: float,
    z_out: Array,
    excess: Array,
    last_cause: Array,
) -> None:
    """Compute when the neurons of a layer spike.

    Parameters
    ----------
    z_in, order, n_spikes : ndarray
        As of `order_spikes`.
    weights : ndarray of float64, shape (n_inputs, n_neurons)
    column_sums : ndarray of float64, shape (n_neurons,)
        Sum of the weights over all inputs.
    z_max : float
        Neurons that would spike later do not.
    z_out : ndarray of float64, shape (n, n_neurons)
        Written: exp(spike time), infinity for a neuron that does not spike.
    excess : ndarray of float64, shape (n, n_neurons)
        Written: sum of the weights of the causal set, minus 1; for a neuron that does not spike, its membrane
        at `z_max`, minus 1.
    last_cause : ndarray of float64, shape (n, n_neurons)
        Written: z of the last input in the causal set; 0 for a neuron that does not spike.
    """
    n_inputs, n_neurons = weights.shape
    sums, moments, group = np.empty(n_neurons), np.empty(n_neurons), np.empty(n_neurons)
    for sample in range(z_in.shape[0]):
        times, places, n = z_in[sample], order[sample], n_spikes[sample]
        z, rest, cause = z_out[sample], excess[sample], last_cause[sample]
        sums[:] = 0.0
        moments[:] = 0.0
        z[:] = np.inf
        cause[:] = 0.0
        n_silent, start = n_neurons, 0
        while start < n and n_silent > 0:
            end = end_of_group(times, places, start, n)
            now = times[places[start]]
            following = times[places[end]] if end < n else z_max
            if is_rest(start, end, n, n_inputs):
                for j in range(n_neurons):
                    group[j] = column_sums[j] - sums[j]
            else:
                group[:] = 0.0
                for k in range(start, end):
                    row = places[k]
                    for j in range(n_neurons):
                        group[j] += weights[row, j]
            for j in range(n_neurons):
                sums[j] += group[j]
                moments[j] += now * group[j]
            # The membrane at z is sums - moments / z until the next input: it has reached 1 by then, or not.
            # A neuron that crossed 1 at `now`, but for a rounding, has crossed it, so there is no lower bound.
            for j in range(n_neurons):
                if cause[j] == 0.0 and sums[j] > 1.0 and moments[j] <= (sums[j] - 1.0) * following:
                    z[j] = min(max(moments[j] / (sums[j] - 1.0), now), following)
                    rest[j] = sums[j] - 1.0
                    cause[j] = now
                    n_silent -= 1
            start = end
        for j in range(n_neurons):
            if cause[j] == 0.0:
                rest[j] = sums[j] - moments[j] / z_max - 1.0


@njit(nogil=True, cache=True)
def backward(
    z_in: Array,
    order: Array,
    n_spikes: Array,
    weights: Array,
    z_out: Array,
    excess: Array,
    last_cause: Array,
    z_out_gradient: Array,
    weight_gradient: Array,
    z_in_gradient: Array,
    with_inputs: bool,
) -> None:
    """Carry the gradient with respect to the output times of a layer to its weights and its input times.

    Parameters
    ----------
    z_in, order, n_spikes, weights, z_out, excess, last_cause : ndarray
        As of `forward`.
    z_out_gradient : ndarray of float64, shape (n, n_neurons)
        dL/dz of the neurons; of those without a spike it is not looked at.
    weight_gradient : ndarray of float64, shape (n_inputs, n_neurons)
        Added to: dL/dw, summed over the samples.
    z_in_gradient : ndarray of float64, shape (n, n_inputs)
        Written if `with_inputs`: dL/dz of the inputs, 0 for those without a spike.
    with_inputs : bool
    """
    n_inputs, n_neurons = weights.shape
    slope, step, common = np.empty(n_neurons), np.empty(n_neurons), np.zeros(n_neurons)
    for sample in range(z_in.shape[0]):
        times, places, n = z_in[sample], order[sample], n_spikes[sample]
        z, rest, cause = z_out[sample], excess[sample], last_cause[sample]
        if with_inputs:
            z_in_gradient[sample] = 0.0
        # Inputs that are in no causal set of a neuron whose time matters are not visited.
        latest = 0.0
        for j in range(n_neurons):
            slope[j] = 0.0
            if cause[j] > 0.0 and z_out_gradient[sample, j] != 0.0:
                slope[j] = z_out_gradient[sample, j] / rest[j]
                latest = max(latest, cause[j])
        start = 0
        while start < n and times[places[start]] <= latest:
            end = end_of_group(times, places, start, n)
            now = times[places[start]]
            for j in range(n_neurons):
                step[j] = slope[j] * (now - z[j]) if now <= cause[j] else 0.0
            first, last = start, end
            if is_rest(start, end, n, n_inputs):
                first, last = 0, start
                for j in range(n_neurons):
                    common[j] += step[j]
                    step[j] = -step[j]
            for k in range(first, last):
                row = places[k]
                for j in range(n_neurons):
                    weight_gradient[row, j] += step[j]
            if with_inputs:
                for k in range(start, end):
                    row, total = places[k], 0.0
                    for j in range(n_neurons):
                        total += slope[j] * weights[row, j] if now <= cause[j] else 0.0
                    z_in_gradient[sample, row] = total
            start = end
    if common.any():
        for i in range(n_inputs):
            for j in range(n_neurons):
                weight_gradient[i, j] += common[j]


@njit(nogil=True, cache=True)
def descend(
    weights: Array, gradient: Array, scale: float, column_step: Array, decay: float, column_sums: Array
) -> None:
    """Move the weights down the gradient and clear it, in one pass over the memory.

    Parameters
    ----------
    weights : ndarray of float64, shape (n_inputs, n_neurons)
        Becomes ``(1 - decay) * weights - scale * gradient + column_step``.
    gradient : ndarray of float64, shape (n_inputs, n_neurons)
        Set to 0.
    scale, decay : float
    column_step : ndarray of float64, shape (n_neurons,)
    column_sums : ndarray of float64, shape (n_neurons,)
        Written: sum of the new weights over all inputs.
    """
    column_sums[:] = 0.0
    for i in range(weights.shape[0]):
        for j in range(weights.shape[1]):
            weight = (1.0 - decay) * weights[i, j] - scale * gradient[i, j] + column_step[j]
            weights[i, j] = weight
            column_sums[j] += weight
            gradient[i, j] = 0.0


@njit(nogil=True, cache=True)
def sum_of_squares(matrix: Array) -> float:
    """Return the squared Frobenius norm, summed column by column first: the same order on every machine."""
    columns = np.zeros(matrix.shape[1])
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            columns[j] += matrix[i, j] * matrix[i, j]
    total = 0.0
    for j in range(matrix.shape[1]):
        total += columns[j]
    return total
