# SPDX-License-Identifier: BSD-2-Clause
"""Reference model of the readouts: what names an answer, ends a sample, and says what is to be learned at its end."""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch

from erbium.sw_model.constants import Array
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import FirstSpike, SpikeCount
from erbium.sw_model.first_spike import FirstSpikeDecision
from erbium.sw_model.prediction import SpikeCountDecision

NO_ANSWER = -1
"""Answer of a graph without a readout."""


class ReadoutModel:
    """A graph without a readout: a sample has all its ticks and no answer. Others have the same methods.

    Attributes
    ----------
    answer : int
    decision_tick : int or None
        Tick at which an early decision was made.
    decide_after : int
        In inference a sample stops when a class has spiked so often; 0: never.
    delay : int
        Ticks until a stop takes effect.
    """

    answer = NO_ANSWER
    decision_tick: int | None = None
    decide_after, delay = 0, 1

    def begin(self, learn: bool, label: int) -> None:
        """Start a sample; the label matters in learning only."""
        self.learn = learn

    def tick(self, spikes: Mapping[str, Array], states: Mapping[str, Array]) -> bool:
        """Look at the spikes and states 0 of one tick, by population; return whether the sample is to stop."""
        return False

    def end(self) -> tuple[str, Array] | None:
        """End the sample; return a population and what it is to learn, or ``None``."""
        return None

    def counters(self) -> dict[str, int]:
        """Return the counters of the readout, by name."""
        return {}


class SpikeCountModel(SpikeCountDecision, ReadoutModel):
    """A class that has spiked often enough decides an inference; silence ends a learned sample."""

    def __init__(self, graph: Graph, readout: SpikeCount) -> None:
        self.readout = readout
        classes = graph.size_of(readout.population)
        super().__init__(classes, readout.decide_after, readout.delay, readout.quiet_ticks)

    def tick(self, spikes: Mapping[str, Array], states: Mapping[str, Array]) -> bool:
        """Count, listen; return whether the sample is to stop."""
        read, quiet = self.readout.population, self.readout.quiet
        self.count(spikes[read], states[read])
        return self.stops(silent=bool(quiet) and not spikes[quiet].size)


class FirstSpikeReadout(FirstSpikeDecision, ReadoutModel):
    """The first spike decides; the plasticity words of the classes follow from the ticks of their spikes."""

    def __init__(self, graph: Graph, readout: FirstSpike) -> None:
        self.population = readout.population
        super().__init__(graph.size_of(readout.population), readout.decide_after, readout.delay, readout)

    def tick(self, spikes: Mapping[str, Array], states: Mapping[str, Array]) -> bool:
        """Note who spiked first; return whether the sample is to stop."""
        self.count(spikes[self.population], states[self.population])
        return self.stops(spikes[self.population])

    def end(self) -> tuple[str, Array] | None:
        """Return the plasticity words of the classes, +1 later or -1 earlier, or ``None``."""
        word = self.finish()
        return None if word is None else (self.population, word)


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
