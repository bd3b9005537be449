# SPDX-License-Identifier: BSD-2-Clause
"""Reference model of a layer: row passes and the tick sweep of one population, and plasticity words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from erbium.sw_model.constants import (
    STREAM_BLANK_NEURON,
    STREAM_BLANK_SYNAPSE,
    STREAM_NOISE,
    STREAM_PLASTICITY,
    Array,
    salt,
)
from erbium.sw_model.faults import LayerFaults
from erbium.sw_model.network import Network
from erbium.sw_model.neuron import Population, Sweep
from erbium.sw_model.programs import DescriptionError
from erbium.sw_model.rng import Generator, mixed_bytes
from erbium.sw_model.rules import ErbpRule


@dataclass
class LayerCounters:
    """What a layer has done, in learning and inference together.

    Attributes
    ----------
    spikes : int
        Spikes sent.
    synaptic_operations : int
        Synapses walked by row passes that transmit, the bias row included (blanked ones too: they are read).
    rows_learned : int
        Row passes that were allowed to learn while at least one neuron had a nonzero plasticity word.
    weights_changed : int
        Synapses whose weight became another one.
    """

    spikes: int = 0
    synaptic_operations: int = 0
    rows_learned: int = 0
    weights_changed: int = 0


@singledispatch
def plasticity_word(rule: object, states: Array) -> Array:
    """Return the plasticity word of each neuron that is learned and not silent.

    A rule of one's own is added by ``plasticity_word.register``.

    Parameters
    ----------
    rule : ThreeFactorRule
    states : ndarray of int64, shape (n_states, n_neurons)
        Before the reset.

    Raises
    ------
    DescriptionError
        If the model does not know the rule.
    """
    raise DescriptionError(
        f"the model does not know the plasticity rule {type(rule).__name__}; it needs a plasticity_word in "
        "sw_model/layer.py"
    )


@plasticity_word.register
def _(rule: ErbpRule, states: Array) -> Array:
    gate = (states[0] >= rule.gate_lower) & (states[0] < rule.gate_upper)
    return np.where(gate, states[rule.modulator], 0)


class LayerModel:
    """One layer of a network; what is common to both learners.

    Parameters
    ----------
    network : Network
    number : int
        0-based number of the layer.
    faults : LayerFaults, optional
        What is broken.

    Attributes
    ----------
    weights : ndarray of int64, shape (n_rows, n_neurons)
        Row k holds all synapses of presynaptic neuron k; with eRBP the last row is the bias.
    word : ndarray of int64, shape (n_neurons,)
        Plasticity words.
    """

    def __init__(self, network: Network, number: int, faults: LayerFaults | None = None) -> None:
        self.number = number
        self.layer = network.layers[number]
        self.n_rows = network.n_rows(number)
        self.faults = faults
        self.population = Population(self.layer.program, self.layer.n_neurons)
        self.weights = np.empty((self.n_rows, self.layer.n_neurons), dtype=np.int64)
        self.load(network.initial_weights()[number])
        self.rate = self.layer.full_rate
        self.counters = LayerCounters()
        process = number + 1
        self.plasticity_draws = Generator(salt(process, STREAM_PLASTICITY))
        self.synapse_draws = Generator(salt(process, STREAM_BLANK_SYNAPSE))
        self.neuron_draws = Generator(salt(process, STREAM_BLANK_NEURON))
        self.noise_draws = Generator(salt(process, STREAM_NOISE))
        self.begin(seed=0, learn=False)

    def load(self, weights: Array) -> None:
        """Replace all weights; ValueError for those of another shape."""
        if np.shape(weights) != self.weights.shape:
            raise ValueError(
                f"weights of layer {self.number + 1} have shape {np.shape(weights)}, not {self.weights.shape}"
            )
        self.weights[:] = weights
        if self.faults is not None:
            self.weights[:] = self.faults.loaded(self.weights)

    def begin(self, seed: int, learn: bool) -> None:
        """Start a sample."""
        self.learn = learn
        self.tick_number = 0
        self.population.begin()
        self.word = np.zeros(self.layer.n_neurons, dtype=np.int64)
        for draws in (self.plasticity_draws, self.synapse_draws, self.neuron_draws, self.noise_draws):
            draws.seed(seed)
        self.silent = np.zeros(self.layer.n_neurons, dtype=bool)
        if learn and self.layer.neuron_keep < 256:
            self.silent = (
                mixed_bytes(self.neuron_draws.draw(), self.layer.n_neurons) >= self.layer.neuron_keep
            )
        if self.faults is not None:
            self.faults.begin(seed)
            self.silent |= self.faults.dead
            self.population.x = self.faults.held_states(self.population.x)
            if learn:
                self.faults.upset_weights(self.weights)

    def tick(self, spikes: Array) -> None:
        """Take the presynaptic spikes of one tick, ascending."""
        for k in spikes if self.faults is None else self.faults.received(spikes):
            self.row(int(k))

    def row(self, k: int) -> None:
        """Row pass of presynaptic neuron `k`: transmit its weights."""
        self._transmit(self.weights[k], self._kept())

    def _kept(self) -> Array:
        """Return which synapses of a row are not blanked out."""
        layer = self.layer
        if layer.synapse_keep < 256:
            return mixed_bytes(self.synapse_draws.draw(), layer.n_neurons) < layer.synapse_keep
        return np.ones(layer.n_neurons, dtype=bool)

    def _transmit(self, weights: Array, kept: Array) -> None:
        self.population.add(0, np.where(kept, self.layer.transmitted(weights), 0))
        self.counters.synaptic_operations += self.layer.n_neurons

    def _change(self, k: int, delta: Array) -> None:
        """Take `delta` from the weights of row k and clamp them."""
        weights = self.weights[k]
        new = np.clip(weights - delta, self.layer.weight_min, self.layer.weight_max)
        if self.faults is not None:
            new = self.faults.held(new, k)
        self.counters.rows_learned += 1
        self.counters.weights_changed += int((new != weights).sum())
        self.weights[k] = new

    def sweep(self) -> Array:
        """Run the neurons for one tick; return the spikes, ascending."""
        noise = None
        if self.layer.program.uses_noise:
            noise = np.array([self.noise_draws.noise() for _ in range(self.layer.n_neurons)])
        if self.faults is not None:
            self.faults.upset_states(self.population.x)
        result = self.population.sweep(self.tick_number, noise, self.silent)
        if self.faults is not None:
            self.population.x = self.faults.held_states(self.population.x)
        self._after_sweep(result)
        self.tick_number += 1
        spikes = np.flatnonzero(result.spikes)
        self.counters.spikes += spikes.size
        return spikes

    def teach(self, label: int) -> None:
        """Take part in the teaching of a label, in learning."""

    def feedback(self, errors: list[int]) -> None:
        """Take the error spikes of one tick."""

    def replay(self, word: Array) -> Array | None:
        """Learn from plasticity words after the sample; return those of the layer below, if any."""
        raise NotImplementedError

    def _after_sweep(self, result: Sweep) -> None:
        """Let a learner look at what the sweep of this tick did."""
