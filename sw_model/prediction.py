# SPDX-License-Identifier: BSD-2-Clause
"""Reference model of the prediction unit: readout, errors, and the decision to stop a sample."""

from __future__ import annotations

import numpy as np

from erbium.sw_model.constants import Array
from erbium.sw_model.network import Network
from erbium.sw_model.neuron import Population


class PredictionModel:
    """Counts output spikes, names the answer, decides when a sample ends; what is common to both learners.

    The answer is the class with most spikes; ties go to the larger membrane after the last sweep, then to
    the lower index. An early decision settles it.

    Attributes
    ----------
    counts : ndarray of int64, shape (n_classes,)
        Output spikes of this sample.
    answer : int
        Class that the readout names.
    decision_tick : int or None
        Tick at which an early decision was made.
    decide_after : int
        In inference a sample stops when an output neuron has spiked so often; 0: never.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.decide_after = network.decide_after
        self.begin(learn=False, label=0)

    def begin(self, learn: bool, label: int) -> None:
        """Start a sample; the label matters in learning only."""
        self.learn, self.label, self.tick_number = learn, label, 0
        self.counts = np.zeros(self.network.n_classes, dtype=np.int64)
        self.answer = 0
        self.decision_tick: int | None = None

    def tick(self, spikes: Array, v: Array) -> tuple[list[int], bool]:
        """Take the output spikes (addresses) and membranes of one tick.

        Returns
        -------
        errors : list of int
            Addresses of the error neurons that spike, ascending; empty without error neurons, or in inference.
        stop : bool
            Whether the sample is to stop.
        """
        self.counts[spikes] += 1
        if self.decision_tick is None:
            self.answer = int(np.lexsort((-v, -self.counts))[0])
        errors, stop = self._errors(spikes)
        self.tick_number += 1
        return errors, stop

    def finish(self) -> Array | None:
        """End the sample; return what the output layer is to learn behind it, or None."""
        return None

    def counters(self) -> dict[str, int]:
        """Return the counters of the learner, by name."""
        raise NotImplementedError

    def _errors(self, spikes: Array) -> tuple[list[int], bool]:
        raise NotImplementedError


class ErbpPrediction(PredictionModel):
    """Error neurons of eRBP; in inference with ``decide_after = K`` the K-th spike of a class decides."""

    def __init__(self, network: Network) -> None:
        # Error neurons in ascending order of address: false positive and false negative of class 0, of class 1 ...
        self.errors = Population(network.error_neurons.program, 2 * network.n_classes)
        self.error_spikes = 0
        super().__init__(network)

    def begin(self, learn: bool, label: int) -> None:
        """Start a sample; the label matters in learning only."""
        super().begin(learn, label)
        self.quiet = 0
        self.errors.begin()

    def counters(self) -> dict[str, int]:
        """Return the counters of the learner, by name."""
        return {"error_spikes": self.error_spikes}

    def _errors(self, spikes: Array) -> tuple[list[int], bool]:
        return self._learn_tick(spikes) if self.learn else self._infer_tick()

    def _learn_tick(self, spikes: Array) -> tuple[list[int], bool]:
        difference = np.zeros(self.network.n_classes, dtype=np.int64)
        difference[spikes] = 1
        difference[self.label] -= 1
        push = np.stack([difference, -difference], axis=1).ravel() * self.network.error_neurons.weight
        self.errors.add(0, push)
        errors = np.flatnonzero(self.errors.sweep(self.tick_number).spikes)
        self.error_spikes += errors.size
        if self.tick_number >= 1:
            self.quiet = 0 if errors.size else self.quiet + 1
        stop = 0 < self.network.quiet_ticks <= self.quiet
        return [int(neuron) for neuron in errors], stop

    def _infer_tick(self) -> tuple[list[int], bool]:
        if self.decision_tick is None and 0 < self.decide_after <= self.counts.max():
            self.decision_tick = self.tick_number
        return [], self.decision_tick is not None
