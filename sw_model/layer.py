# SPDX-License-Identifier: BSD-2-Clause
"""Reference model of a layer: row passes, feedback and the tick sweep of one population."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erbium.sw_model.constants import (
    STREAM_BLANK_NEURON,
    STREAM_BLANK_SYNAPSE,
    STREAM_NOISE,
    STREAM_PLASTICITY,
    Array,
    salt,
)
from erbium.sw_model.network import Network
from erbium.sw_model.neuron import Population
from erbium.sw_model.rng import Generator, mixed_bytes


@dataclass
class LayerCounters:
    """What a layer has done, in learning and inference together.

    Attributes
    ----------
    spikes : int
        Spikes sent.
    synaptic_operations : int
        Synapses walked by row passes, the bias row included (blanked synapses too: they are read).
    rows_learned : int
        Row passes in which at least one neuron had a nonzero plasticity word.
    weights_changed : int
        Synapses whose weight became another one.
    """

    spikes: int = 0
    synaptic_operations: int = 0
    rows_learned: int = 0
    weights_changed: int = 0


class LayerModel:
    """One layer of a network.

    Parameters
    ----------
    network : Network
    number : int
        0-based number of the layer.

    Attributes
    ----------
    weights : ndarray of int64, shape (n_rows, n_neurons)
        Row k holds all synapses of presynaptic neuron k; the last row is the bias.
    word : ndarray of int64, shape (n_neurons,)
        Plasticity words formed by the last sweep.
    """

    def __init__(self, network: Network, number: int) -> None:
        self.layer = network.layers[number]
        self.n_rows = network.n_rows(number)
        self.margin = network.margin
        self.population = Population(self.layer.program, self.layer.n_neurons)
        self.weights = network.initial_weights()[number].astype(np.int64)
        self.feedback_weights = network.feedback_weights(number).astype(np.int64)
        self.gain = self.layer.gain
        self.counters = LayerCounters()
        process = number + 1
        self.plasticity_draws = Generator(salt(process, STREAM_PLASTICITY))
        self.synapse_draws = Generator(salt(process, STREAM_BLANK_SYNAPSE))
        self.neuron_draws = Generator(salt(process, STREAM_BLANK_NEURON))
        self.noise_draws = Generator(salt(process, STREAM_NOISE))
        self.begin(seed=0, learn=False)

    def begin(self, seed: int, learn: bool) -> None:
        """Start a sample."""
        self.learn = learn
        self.tick = 0
        self.population.begin()
        self.word = np.zeros(self.layer.n_neurons, dtype=np.int64)
        for draws in (self.plasticity_draws, self.synapse_draws, self.neuron_draws, self.noise_draws):
            draws.seed(seed)
        self.silent = np.zeros(self.layer.n_neurons, dtype=bool)
        if learn and self.layer.neuron_keep < 256:
            self.silent = (
                mixed_bytes(self.neuron_draws.draw(), self.layer.n_neurons) >= self.layer.neuron_keep
            )

    def row(self, k: int) -> None:
        """Row pass of presynaptic neuron `k`: transmit the old weights, then learn."""
        layer, weights = self.layer, self.weights[k]
        kept = np.ones(layer.n_neurons, dtype=bool)
        if layer.synapse_keep < 256:
            kept = mixed_bytes(self.synapse_draws.draw(), layer.n_neurons) < layer.synapse_keep
        self.population.add(0, np.where(kept, self._transmitted(weights), 0))
        self.counters.synaptic_operations += layer.n_neurons
        rule = layer.rule
        if rule is not None and self.learn and self.tick >= rule.first_tick and self.word.any():
            shift = layer.rounding_shift
            r = self.plasticity_draws.draw() & ((1 << shift) - 1)
            delta = np.where(kept, (self.word + r) >> shift, 0)
            new = np.clip(weights - delta, layer.weight_min, layer.weight_max)
            self.counters.rows_learned += 1
            self.counters.weights_changed += int((new != weights).sum())
            self.weights[k] = new

    def _transmitted(self, weights: Array) -> Array:
        width = self.layer.weight_width
        return weights >> (width - 8) if width >= 8 else weights << (8 - width)

    def teach(self, label: int) -> None:
        """Take the margin from port 0 of the label's neuron (output layer, learning only)."""
        push = np.zeros(self.layer.n_neurons, dtype=np.int64)
        push[label] = -self.margin
        self.population.add(0, push)

    def feedback(self, errors: list[int]) -> None:
        """Add error spikes to port 1. Error neuron 2c raises, 2c + 1 lowers the dendrites that it reaches."""
        if self.layer.feedback == "none":
            return
        for neuron in errors:
            sign = -1 if neuron & 1 else 1
            self.population.add(1, sign * self.gain * self.feedback_weights[:, neuron >> 1])

    def sweep(self) -> Array:
        """Run the neurons for one tick and form the plasticity words; return the spikes, ascending."""
        layer = self.layer
        noise = None
        if layer.program.uses_noise:
            noise = np.array([self.noise_draws.noise() for _ in range(layer.n_neurons)])
        result = self.population.sweep(self.tick, noise, self.silent)
        if layer.rule is not None and self.learn:
            v, u = result.before_reset[0], result.before_reset[layer.rule.modulator]
            gate = (v >= layer.rule.gate_lower) & (v < layer.rule.gate_upper) & ~self.silent
            self.word = np.where(gate, u, 0)
        self.tick += 1
        spikes = np.flatnonzero(result.spikes)
        self.counters.spikes += spikes.size
        return spikes
