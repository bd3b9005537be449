# SPDX-License-Identifier: BSD-2-Clause
"""Reference model of the readouts: what names an answer, ends a sample, and says what is to be learned at its end."""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch

import numpy as np

from erbium.sw_model.constants import Array
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import FirstSpike, SpikeCount
from erbium.sw_model.first_spike import NEVER

NO_ANSWER = -1
"""Answer of a graph without a readout."""


class ReadoutModel:
    """What all readouts share; without one a sample has all its ticks and no answer.

    Attributes
    ----------
    answer : int
    decision_tick : int or None
        Tick at which an early decision was made.
    delay : int
        Ticks until a stop takes effect.
    """

    def __init__(self) -> None:
        self.delay, self.decide_after = 1, 0
        self.begin(learn=False, label=0)

    def begin(self, learn: bool, label: int) -> None:
        """Start a sample; the label matters in learning only."""
        self.learn, self.label, self.tick_number = learn, label, 0
        self.answer = NO_ANSWER
        self.decision_tick: int | None = None

    def tick(self, spikes: Mapping[str, Array], states: Mapping[str, Array]) -> bool:
        """Look at the spikes and states 0 of one tick, by population; return whether the sample is to stop."""
        return False

    def end(self) -> tuple[str, Array] | None:
        """End the sample; return a population and what it is to learn, or ``None``."""
        return None

    def counters(self) -> dict[str, int]:
        """Return the counters of the readout, by name."""
        return {}


class CountingModel(ReadoutModel):
    """Counts the spikes of one population; the class with most spikes is the answer."""

    def __init__(self, graph: Graph, population: str) -> None:
        self.population, self.n_classes = population, graph.size_of(population)
        super().__init__()

    def begin(self, learn: bool, label: int) -> None:
        """Start a sample."""
        super().begin(learn, label)
        self.counts = np.zeros(self.n_classes, dtype=np.int64)
        self.answer = 0

    def tick(self, spikes: Mapping[str, Array], states: Mapping[str, Array]) -> bool:
        """Count; name the answer until it is decided."""
        self.counts[spikes[self.population]] += 1
        if self.decision_tick is None:
            self.answer = int(np.lexsort((-states[self.population], -self.counts))[0])
        stop = self._stop(spikes)
        self.tick_number += 1
        return stop

    def _stop(self, spikes: Mapping[str, Array]) -> bool:
        raise NotImplementedError


class SpikeCountModel(CountingModel):
    """A class that has spiked often enough decides an inference; silence ends a learned sample."""

    def __init__(self, graph: Graph, readout: SpikeCount) -> None:
        super().__init__(graph, readout.population)
        self.readout = readout
        self.delay, self.decide_after = readout.delay, readout.decide_after

    def begin(self, learn: bool, label: int) -> None:
        """Start a sample."""
        super().begin(learn, label)
        self.quiet = 0

    def _stop(self, spikes: Mapping[str, Array]) -> bool:
        if self.learn:
            if self.readout.quiet and self.tick_number >= 1:
                self.quiet = 0 if spikes[self.readout.quiet].size else self.quiet + 1
            return 0 < self.readout.quiet_ticks <= self.quiet
        if self.decision_tick is None and 0 < self.decide_after <= self.counts.max():
            self.decision_tick = self.tick_number
        return self.decision_tick is not None


class FirstSpikeReadout(CountingModel):
    """The first spike decides; the plasticity words of the classes follow from the ticks of their spikes."""

    def __init__(self, graph: Graph, readout: FirstSpike) -> None:
        self.updates = 0
        super().__init__(graph, readout.population)
        self.readout = readout
        self.delay, self.decide_after = readout.delay, readout.decide_after

    def begin(self, learn: bool, label: int) -> None:
        """Start a sample."""
        super().begin(learn, label)
        self.spike_tick = np.full(self.n_classes, NEVER, dtype=np.int64)

    def counters(self) -> dict[str, int]:
        """Return how many samples were to change something."""
        return {"updates": self.updates}

    def _stop(self, spikes: Mapping[str, Array]) -> bool:
        now = spikes[self.population]
        self.spike_tick[now] = self.tick_number
        if self.decision_tick is None and now.size:
            self.decision_tick = self.tick_number
        if not self.learn:
            return self.decide_after > 0 and self.decision_tick is not None
        # The last tick that can matter is known once the label has spiked; the stop is sent the delay ahead.
        last = int(self.spike_tick[self.label]) + self.readout.margin - 1
        return self.tick_number >= last - self.delay and last < NEVER

    def end(self) -> tuple[str, Array] | None:
        """Return the plasticity words of the classes, +1 later or -1 earlier, or ``None``."""
        if not self.learn:
            return None
        target = int(self.spike_tick[self.label])
        wrong = (self.spike_tick != NEVER) & (self.spike_tick < target + self.readout.margin)
        wrong[self.label] = False
        if not wrong.any() and target < self.readout.deadline:
            return None
        self.updates += 1
        if self.readout.earliest_only and wrong.any():
            wrong = np.arange(wrong.size) == int(np.argmin(np.where(wrong, self.spike_tick, NEVER)))
        word: Array = wrong.astype(np.int64)
        word[self.label] = -1
        return self.population, word


@singledispatch
def readout_model(readout: object, graph: Graph) -> ReadoutModel:
    """Return the model of a readout; ``None`` is one that says nothing."""
    assert readout is None
    return ReadoutModel()


@readout_model.register
def _(readout: SpikeCount, graph: Graph) -> ReadoutModel:
    return SpikeCountModel(graph, readout)


@readout_model.register
def _(readout: FirstSpike, graph: Graph) -> ReadoutModel:
    return FirstSpikeReadout(graph, readout)
