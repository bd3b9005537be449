# SPDX-License-Identifier: BSD-2-Clause
"""Reference model of what names the answer of a sample and decides when it ends: of layers in a row, and of graphs."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from erbium.sw_model.constants import Array


class Decision:
    """Counts the spikes of each class and names the answer; what is common to both readouts.

    The answer is the class with most spikes; ties go to the larger membrane after the last sweep, then to
    the lower index. An early decision settles it.

    Parameters
    ----------
    n_classes : int
    decide_after : int
        In inference a sample stops when an output neuron has spiked so often; 0: never.
    delay : int
        Ticks until a stop takes effect.

    Attributes
    ----------
    counts : ndarray of int64, shape (n_classes,)
        Output spikes of this sample.
    answer : int
        Class that the readout names.
    decision_tick : int or None
        Tick at which an early decision was made.
    """

    def __init__(self, n_classes: int, decide_after: int, delay: int) -> None:
        self.n_classes, self.decide_after, self.delay = n_classes, decide_after, delay
        self.begin(learn=False, label=0)

    def begin(self, learn: bool, label: int) -> None:
        """Start a sample; the label matters in learning only."""
        self.learn, self.label, self.tick_number = learn, label, 0
        self.counts = np.zeros(self.n_classes, dtype=np.int64)
        self.answer = 0
        self.decision_tick: int | None = None

    def count(self, spikes: Array, v: Array) -> None:
        """Take the output spikes (addresses) and membranes of one tick."""
        self.counts[spikes] += 1
        if self.decision_tick is None:
            self.answer = int(np.lexsort((-v, -self.counts))[0])


class SpikeCountDecision(Decision):
    """The K-th spike of a class decides an inference, with ``decide_after = K``; silence ends a learned sample.

    Parameters
    ----------
    n_classes, decide_after, delay : int
        See :class:`Decision`.
    quiet_ticks : int
        Consecutive ticks of silence, from tick 1 on, that end a learned sample; 0: never.
    """

    def __init__(self, n_classes: int, decide_after: int, delay: int, quiet_ticks: int) -> None:
        self.quiet_ticks = quiet_ticks
        super().__init__(n_classes, decide_after, delay)

    def begin(self, learn: bool, label: int) -> None:
        """Start a sample; the label matters in learning only."""
        super().begin(learn, label)
        self.quiet = 0

    def stops(self, *, silent: bool) -> bool:
        """End a tick that was silent or not; return whether the sample is to stop."""
        number, self.tick_number = self.tick_number, self.tick_number + 1
        if self.learn:
            if number >= 1:
                self.quiet = self.quiet + 1 if silent else 0
            return 0 < self.quiet_ticks <= self.quiet
        if self.decision_tick is None and 0 < self.decide_after <= self.counts.max():
            self.decision_tick = number
        return self.decision_tick is not None


class PredictionModel(Protocol):
    """The prediction unit of layers in a row: a decision, and the errors of a learner."""

    answer: int
    decision_tick: int | None
    decide_after: int

    def begin(self, learn: bool, label: int) -> None:
        """Start a sample; the label matters in learning only."""

    def tick(self, spikes: Array, v: Array) -> tuple[list[int], bool]:
        """Take the output spikes (addresses) and membranes of one tick.

        Returns
        -------
        errors : list of int
            Addresses of the error neurons that spike, ascending; empty without error neurons, or in inference.
        stop : bool
            Whether the sample is to stop.
        """

    def finish(self) -> Array | None:
        """End the sample; return what the output layer is to learn after it, or None."""

    def counters(self) -> dict[str, int]:
        """Return the counters of the learner, by name."""
