# SPDX-License-Identifier: BSD-2-Clause
"""Reference model of a population and the projections that end on it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from erbium.sw_model.constants import (
    STREAM_BLANK_NEURON,
    STREAM_BLANK_SYNAPSE,
    STREAM_NOISE,
    STREAM_PLASTICITY,
    Array,
    salt,
)
from erbium.sw_model.description.connect import Dense, Identity, RandomSigns, Stored
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import Population, Projection
from erbium.sw_model.graph_model.rules import rule_model
from erbium.sw_model.layer import LayerCounters
from erbium.sw_model.neuron import Population as Neurons
from erbium.sw_model.rng import Generator, mixed_bytes


class SynapseModel:
    """The stored weights of one projection.

    Attributes
    ----------
    weights : ndarray of int64, shape (source size, target size)
    there : ndarray of bool, same shape
        Where a synapse is: all of a dense projection.
    """

    def __init__(self, graph: Graph, projection: Projection) -> None:
        assert isinstance(projection.connect, Dense)
        self.projection, self.connect = projection, projection.connect
        self.source, self.learns = projection.source, projection.rule is not None
        self.lowest, self.highest = graph.weight_bounds(projection)
        self.there = graph.synapses(projection)
        self.weights = graph.initial_weights(projection).astype(np.int64)

    def transmitted(self, k: int) -> Array:
        """Return what each synapse of row k adds to its port."""
        excess = self.connect.width - 8
        weights: Array = self.weights[k]
        return weights >> excess if excess >= 0 else weights << -excess

    def load(self, weights: Array) -> None:
        """Replace all weights; ValueError for those of another shape."""
        if np.shape(weights) != self.weights.shape:
            raise ValueError(
                f"weights of projection {self.projection.name!r} have shape {np.shape(weights)}, not "
                f"{self.weights.shape}"
            )
        self.weights[:] = np.where(self.there, weights, 0)


class FixedModel:
    """An identity or random signs: one weight, which may be a learning rate, times a fixed matrix."""

    def __init__(self, graph: Graph, projection: Projection) -> None:
        assert isinstance(projection.connect, (Identity, RandomSigns))
        self.projection, self.weight = projection, projection.connect.weight
        self.matrix = graph.fixed_weights(projection)


@dataclass
class PopulationCounters(LayerCounters):
    """What a population has done; without stored projections only its spikes are counted."""

    stored: bool = field(default=True, repr=False)

    def named(self, name: str) -> dict[str, int]:
        """Return the counters by name."""
        counted = {"spikes": self.spikes}
        if self.stored:
            counted |= {
                "synaptic_operations": self.synaptic_operations,
                "rows_learned": self.rows_learned,
                "weights_changed": self.weights_changed,
            }
        return {f"{name}_{what}": value for what, value in counted.items()}


class PopulationModel:
    """One population of a graph.

    Parameters
    ----------
    graph : Graph
    population : Population

    Attributes
    ----------
    neurons : erbium.sw_model.neuron.Population
        States and ports.
    synapses : dict of SynapseModel
        By the name of the projection.
    """

    def __init__(self, graph: Graph, population: Population) -> None:
        self.population, self.size = population, population.size
        self.neurons = Neurons(population.program, population.size)
        incoming = graph.onto(population.name)
        self.synapses = {p.name: SynapseModel(graph, p) for p in incoming if isinstance(p.connect, Stored)}
        self.fixed = {p.name: FixedModel(graph, p) for p in incoming if p.name not in self.synapses}
        self.counters = PopulationCounters(stored=bool(self.synapses))
        process = population.process
        self.plasticity_draws = Generator(salt(process, STREAM_PLASTICITY))
        self.synapse_draws = Generator(salt(process, STREAM_BLANK_SYNAPSE))
        self.neuron_draws = Generator(salt(process, STREAM_BLANK_NEURON))
        self.noise_draws = Generator(salt(process, STREAM_NOISE))
        self.rule = rule_model(graph.rule_of(population.name), self)

    def begin(self, seed: int, learn: bool, *, clear: bool = True, factor: int = 1) -> None:
        """Start a sample.

        Parameters
        ----------
        seed : int
        learn : bool
        clear : bool
            Whether all that changes from tick to tick begins anew, but for states that last.
        factor : int
            The factor g of history rules.
        """
        self.learn, self.factor = learn, factor
        if not clear:
            return
        self.tick_number = 0
        self.neurons.begin(self.population.lasting)
        for draws in (self.plasticity_draws, self.synapse_draws, self.neuron_draws, self.noise_draws):
            draws.seed(seed)
        self.silent = np.zeros(self.size, dtype=bool)
        if learn and self.population.keep < 256:
            self.silent = mixed_bytes(self.neuron_draws.draw(), self.size) >= self.population.keep
        self.rule.begin()

    def take(self, projection: Projection, spikes: Array) -> None:
        """Take the events of one projection in one tick: rows ascending, and of each its expiry before its spike."""
        if projection.when == "learn" and not self.learn:
            spikes = spikes[:0]
        if projection.name in self.fixed:
            fixed = self.fixed[projection.name]
            for k in spikes:
                self.neurons.add(projection.port, fixed.weight * fixed.matrix[k])
            return
        synapses = self.synapses[projection.name]
        due = self.rule.due(synapses)
        if not due.size:
            for k in spikes:
                self._row(synapses, int(k))
            return
        expires, spikes_now = set(due.tolist()), set(spikes.tolist())
        for k in sorted(expires | spikes_now):
            if k in expires:
                self.rule.expire(synapses, k)
            if k in spikes_now:
                self._row(synapses, k)

    def _row(self, synapses: SynapseModel, k: int) -> None:
        """Row pass: transmit the old weights, then let the rule look."""
        kept = synapses.there[k]
        if synapses.connect.keep < 256:
            kept = kept & (mixed_bytes(self.synapse_draws.draw(), self.size) < synapses.connect.keep)
        self.neurons.add(synapses.projection.port, np.where(kept, synapses.transmitted(k), 0))
        self.counters.synaptic_operations += int(synapses.there[k].sum())
        if synapses.learns:
            self.rule.row(synapses, k, kept)

    def change(self, synapses: SynapseModel, k: int, delta: Array) -> None:
        """Take `delta` from the weights of row k and clamp them."""
        weights = synapses.weights[k]
        new = np.where(synapses.there[k], np.clip(weights - delta, synapses.lowest, synapses.highest), 0)
        self.counters.rows_learned += 1
        self.counters.weights_changed += int((new != weights).sum())
        synapses.weights[k] = new

    def sweep(self) -> Array:
        """Run the neurons for one tick; return the spikes, ascending."""
        noise = None
        if self.population.program.uses_noise:
            noise = np.array([self.noise_draws.noise() for _ in range(self.size)])
        result = self.neurons.sweep(
            self.tick_number,
            noise,
            self.silent,
            exclusive=self.population.exclusive,
            kept=() if self.learn else self.population.plastic,
        )
        self.rule.sweep(result)
        self.tick_number += 1
        spikes = np.flatnonzero(result.spikes)
        self.counters.spikes += spikes.size
        return spikes
