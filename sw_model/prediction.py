# SPDX-License-Identifier: BSD-2-Clause
"""Reference model of the prediction unit: readout, errors, and the decision to stop a sample."""

from __future__ import annotations

import numpy as np

from erbium.sw_model.constants import Array
from erbium.sw_model.network import Network


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
        """End the sample; return what the output layer is to learn after it, or None."""
        return None

    def counters(self) -> dict[str, int]:
        """Return the counters of the learner, by name."""
        raise NotImplementedError

    def _errors(self, spikes: Array) -> tuple[list[int], bool]:
        raise NotImplementedError
