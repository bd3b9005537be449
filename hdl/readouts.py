# SPDX-License-Identifier: BSD-2-Clause
"""Readouts as parts of an array: what names an answer, what stops a sample, and what is learned at its end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from types import NoneType

from amaranth.hdl import Cat, Const, Module, Value
from amaranth.lib import stream
from amaranth.lib.wiring import connect

from erbium.hdl.counter_bank import Count
from erbium.hdl.first_spike_prediction import FirstSpikePrediction
from erbium.hdl.fork import Queue
from erbium.hdl.layer import LayerEngine
from erbium.hdl.population import error_population
from erbium.hdl.prediction import PredictionUnit
from erbium.hdl.sample_count import SampleCount
from erbium.hdl.tokens import EventToken, FeedbackToken
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import FirstSpike, Projection, SpikeCount
from erbium.sw_model.network import Hardware


class ReadoutPart:
    """A readout as hardware; this one has none: a sample has all its ticks and no answer.

    Parameters
    ----------
    graph : Graph
    hardware : Hardware

    Attributes
    ----------
    reads_sweeps : bool
        It takes the sweeps of a population, with membranes; else the events of the last one.
    stops : bool
        Encoders listen to it.
    """

    def __init__(self, graph: Graph, hardware: Hardware) -> None:
        self.graph, self.hardware = graph, hardware
        self.errors = error_population(graph)
        self.stops = graph.readout is not None
        self.reads_sweeps = self.stops or self.errors is not None

    def sends(self, projection: Projection | None) -> bool:
        """Return whether the spikes of a projection come from the unit: those of error neurons."""
        return (
            projection is not None
            and self.errors is not None
            and projection.source == self.errors.population.name
        )

    def build(self, m: Module, listeners: int, last: LayerEngine) -> None:
        """Add the unit, with so many readers of its feedback; without one it reads the last population."""
        if self.reads_sweeps:
            m.submodules.prediction = self.unit = PredictionUnit(self.graph, self.hardware, max(listeners, 1))
            if not listeners:
                m.d.comb += self.unit.feedback_o[0].ready.eq(1)
        else:
            m.submodules.prediction = self.unit = SampleCount(
                EventToken(last.plan.n_neurons, begin_pieces=self.hardware.begin_pieces)
            )

    def feedback(self) -> Sequence[stream.Interface]:
        """Return the streams of feedback, one for each listener."""
        return self.unit.feedback_o if self.reads_sweeps else []

    def limits(self, m: Module, n_ticks: Value, decide_after: Value) -> None:
        """Take what the host may set."""
        if self.reads_sweeps:
            m.d.comb += self.unit.decide_after.eq(decide_after)

    def counts(self) -> dict[str, tuple[Value, Count]]:
        """Return what is counted, by name."""
        counted = {"samples": (self.unit.samples, Count())}
        if self.errors is not None:
            counted[f"{self.errors.population.name}_spikes"] = (self.unit.error_spikes, Count())
        return counted

    def learn(self, m: Module, engines: Sequence[LayerEngine]) -> None:
        """Wire what is learned at the end of a sample."""

    def busy(self, engines: Sequence[LayerEngine]) -> Value:
        """Return whether something is learned after the result."""
        return Const(0)


class FirstSpikePart(ReadoutPart):
    """The first spike, and errors that go back from population to population after a sample."""

    def build(self, m: Module, listeners: int, last: LayerEngine) -> None:
        """Add the unit and the queue of its one listener."""
        assert self.graph.readout is not None
        m.submodules.prediction = self.unit = unit = FirstSpikePrediction(self.graph, self.hardware)
        shape = FeedbackToken(2 * self.graph.n_classes)
        m.submodules.feedback = self._queue = Queue(shape, 2 * (self.graph.readout.delay + 2) + 1)
        connect(m, unit.feedback_o, self._queue.token_i)

    def feedback(self) -> Sequence[stream.Interface]:
        """Return the stream to the encoder."""
        return [self._queue.token_o]

    def limits(self, m: Module, n_ticks: Value, decide_after: Value) -> None:
        """Take what the host may set."""
        super().limits(m, n_ticks, decide_after)
        m.d.comb += self.unit.n_ticks.eq(n_ticks)

    def counts(self) -> dict[str, tuple[Value, Count]]:
        """Return what is counted, by name."""
        return {"samples": (self.unit.samples, Count()), "updates": (self.unit.updates, Count())}

    def learn(self, m: Module, engines: Sequence[LayerEngine]) -> None:
        """Send the errors to the last population, and from each one to the one before it."""
        connect(m, self.unit.error_o, engines[-1].error_i)
        for above, below in zip(engines[1:], engines, strict=False):
            connect(m, above.error_o, below.error_i)

    def busy(self, engines: Sequence[LayerEngine]) -> Value:
        """Return whether an engine still learns."""
        return Cat(*[engine.busy for engine in engines]).any()


@singledispatch
def readout_part(readout: object, graph: Graph, hardware: Hardware) -> ReadoutPart:
    """Return the hardware of a readout; ``None`` is one that says nothing."""
    raise NotImplementedError(f"the hardware does not know the readout {type(readout).__name__}")


@readout_part.register(NoneType)
@readout_part.register(SpikeCount)
def _(readout: SpikeCount | None, graph: Graph, hardware: Hardware) -> ReadoutPart:
    return ReadoutPart(graph, hardware)


@readout_part.register
def _(readout: FirstSpike, graph: Graph, hardware: Hardware) -> ReadoutPart:
    return FirstSpikePart(graph, hardware)
