# SPDX-License-Identifier: BSD-2-Clause
"""Reference model of event-driven random backpropagation: layers that learn in row passes, and error neurons.

Source: Neftci and others, *Front. Neurosci.* 11:324 (2017).
"""

from __future__ import annotations

import numpy as np

from erbium.sw_model.constants import Array
from erbium.sw_model.faults import LayerFaults
from erbium.sw_model.layer import LayerModel, plasticity_word
from erbium.sw_model.network import Network
from erbium.sw_model.neuron import Population, Sweep
from erbium.sw_model.prediction import SpikeCountDecision
from erbium.sw_model.rules import ErrorNeurons, ThreeFactorRule


class ErbpLayer(LayerModel):
    """A layer that learns by event-driven random backpropagation, or not at all: in each row pass."""

    def __init__(self, network: Network, number: int, faults: LayerFaults | None = None) -> None:
        self.feedback_weights = network.feedback_weights(number).astype(np.int64)
        self.margin = network.margin
        super().__init__(network, number, faults)

    def tick(self, spikes: Array) -> None:
        """Take the presynaptic spikes of one tick, ascending, and the bias row after them."""
        super().tick(spikes)
        self.row(self.n_rows - 1)

    def row(self, k: int) -> None:
        """Row pass of presynaptic neuron `k`: transmit the old weights, then learn."""
        layer, rule, kept = self.layer, self.layer.rule, self._kept()
        self._transmit(self.weights[k], kept)
        if (
            isinstance(rule, ThreeFactorRule)
            and self.learn
            and self.tick_number >= rule.first_tick
            and self.word.any()
        ):
            shift = layer.rounding_shift
            r = self.plasticity_draws.draw() & ((1 << shift) - 1)
            self._change(k, np.where(kept, (self.word + r) >> shift, 0))

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
            self.population.add(1, sign * self.rate * self.feedback_weights[:, neuron >> 1])

    def _after_sweep(self, result: Sweep) -> None:
        rule = self.layer.rule
        if isinstance(rule, ThreeFactorRule) and self.learn:
            self.word = np.where(self.silent, 0, plasticity_word(rule, result.before_reset))


class ErbpPrediction(SpikeCountDecision):
    """Error neurons of eRBP; their silence ends a learned sample."""

    def __init__(self, network: Network) -> None:
        assert isinstance(network.error, ErrorNeurons)
        self.weight = network.error.weight
        # Error neurons in ascending order of address: false positive and false negative of class 0, of class 1 ...
        self.errors = Population(network.error.program, 2 * network.n_classes)
        self.error_spikes = 0
        super().__init__(network.n_classes, network.decide_after, network.feedback_delay, network.quiet_ticks)

    def begin(self, learn: bool, label: int) -> None:
        """Start a sample; the label matters in learning only."""
        super().begin(learn, label)
        self.errors.begin()

    def tick(self, spikes: Array, v: Array) -> tuple[list[int], bool]:
        """Take the output spikes and membranes of one tick; return the error spikes, and whether to stop."""
        self.count(spikes, v)
        errors = self._compared(spikes) if self.learn else []
        return errors, self.stops(silent=not errors)

    def finish(self) -> Array | None:
        """End the sample, after which there is nothing to learn."""
        return None

    def counters(self) -> dict[str, int]:
        """Return the counters of the learner, by name."""
        return {"error_spikes": self.error_spikes}

    def _compared(self, spikes: Array) -> list[int]:
        difference = np.zeros(self.n_classes, dtype=np.int64)
        difference[spikes] = 1
        difference[self.label] -= 1
        self.errors.add(0, np.stack([difference, -difference], axis=1).ravel() * self.weight)
        errors = np.flatnonzero(self.errors.sweep(self.tick_number).spikes)
        self.error_spikes += errors.size
        return [int(neuron) for neuron in errors]
