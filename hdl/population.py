# SPDX-License-Identifier: BSD-2-Clause
"""What one engine is asked to do of a graph: a population whose synapses lie in a memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple

import numpy as np

from erbium.sw_model.constants import Array
from erbium.sw_model.description.chain import graph_of
from erbium.sw_model.description.connect import Dense, Identity, RandomSigns, Stored
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import LOADED, Constant, Population, Projection, Source
from erbium.sw_model.network import Network
from erbium.sw_model.programs import NeuronProgram
from erbium.sw_model.rules import GAIN, LatencyEncoder, Rule

FeedbackCode = Literal["none", "sign", "wide", "direct"]
"""How the fixed matrix of port 1 is kept: one bit, three bits for -3 ... 3, one bit for 0 and 1."""


def engine_names(graph: Graph) -> tuple[str, ...]:
    """Return the populations that have an engine, in order: those on which stored weights end."""
    return tuple(population.name for population in graph.populations if graph.stored(population.name))


def read_population(graph: Graph) -> str:
    """Return the population whose spikes and membranes are read: by the readout, or by error neurons; "" for none."""
    if graph.readout is not None:
        return graph.readout.population
    error = error_population(graph)
    return error.read if error is not None else ""


class Rate(NamedTuple):
    """Learning rate of a population: its name, its bits, and its largest value, which is the full rate.

    That is the amplitude of an error spike, or the probability in 1/65536 that a replayed row is touched.
    """

    name: str
    width: int
    full: int


@dataclass(frozen=True)
class ErrorPopulation:
    """Error neurons: a population without weights of its own, two neurons for each one of another population.

    Parameters
    ----------
    population : Population
    read : str
        Whose spikes it compares with the label.
    weight : int
        What a spike, or a label, adds to a neuron and takes from the other one of its pair.
    """

    population: Population
    read: str
    weight: int


def error_population(graph: Graph) -> ErrorPopulation | None:
    """Return the error neurons of a graph that :func:`erbium.hdl.fit.check_hardware` lets pass, if it has some."""
    for population in graph.populations:
        incoming = graph.onto(population.name)
        if not graph.stored(population.name):
            taken = next(p for p in incoming if graph.source(p.source) is None)
            assert isinstance(taken.connect, Identity)
            return ErrorPopulation(population, taken.source, taken.connect.weight)
    return None


def readout_counters(graph: Graph) -> list[str]:
    """Return what is counted beside the engines: error spikes, or samples that change something."""
    error = error_population(graph)
    counted = list(graph.readout.counters) if graph.readout is not None else []
    return counted + ([f"{error.population.name}_spikes"] if error is not None else [])


def longest_delay(graph: Graph) -> int:
    """Return the ticks of feedback that can be under way to populations and sources."""
    error = error_population(graph)
    delays = [p.delay for p in graph.projections if error is not None and p.source == error.population.name]
    return max([*delays, graph.readout.delay if graph.readout is not None else 1])


@dataclass(frozen=True)
class EnginePopulation:
    """A population and the projections that end on it, as an engine has them.

    ================ ====================================================================================
    projection       in the engine
    ================ ====================================================================================
    stored           rows of one memory, in the order of the list; events of its channel name them
    last of them,    the bias row, which no event names: it is walked at every tick
    from one neuron
    that is constant
    from a label     the margin, after the rows
    onto port 1      the feedback port
    ================ ====================================================================================

    Parameters
    ----------
    graph : Graph
    number : int
        0-based among those that have an engine.
    """

    graph: Graph
    number: int

    @cached_property
    def population(self) -> Population:
        """Of the description."""
        return self.graph.population(engine_names(self.graph)[self.number])

    @property
    def name(self) -> str:
        """Its name."""
        return self.population.name

    @property
    def program(self) -> NeuronProgram:
        """Of its neurons."""
        return self.population.program

    @property
    def n_neurons(self) -> int:
        """Its neurons."""
        return self.population.size

    @property
    def neuron_keep(self) -> int:
        """Neuron blank-out: kept with this probability, in 1/256."""
        return self.population.keep

    @property
    def process(self) -> int:
        """Number of the population in the constants of random streams."""
        return self.population.process

    # --- rows ----------------------------------------------------------------------------------------

    @cached_property
    def stored(self) -> tuple[Projection, ...]:
        """Projections whose weights lie in the memory, in the order of their rows."""
        return self.graph.stored(self.name)

    @cached_property
    def bias(self) -> Projection | None:
        """The one of which each tick walks the only row."""
        last = self.stored[-1]
        source = self.graph.source(last.source)
        constant = source is not None and isinstance(source.encoder, Constant) and source.size == 1
        plain = last.delay == 0 and last.when == "always"
        return last if constant and plain and len(self.stored) > 1 else None

    @cached_property
    def rows(self) -> tuple[Projection, ...]:
        """The projections whose rows are named by events."""
        return self.stored[: len(self.stored) - (self.bias is not None)]

    @cached_property
    def first_rows(self) -> tuple[int, ...]:
        """The row at which each of them begins."""
        sizes = [self.graph.size_of(projection.source) for projection in self.rows]
        return tuple(sum(sizes[:k]) for k in range(len(sizes)))

    @cached_property
    def n_inputs(self) -> int:
        """Rows that are named by events."""
        return sum(self.graph.size_of(projection.source) for projection in self.rows)

    @property
    def n_rows(self) -> int:
        """All rows."""
        return self.n_inputs + (self.bias is not None)

    @cached_property
    def _connect(self) -> Dense:
        connect = self.stored[0].connect
        assert isinstance(connect, Stored)
        return connect

    @property
    def weight_width(self) -> int:
        """Bits of a weight."""
        return self._connect.width

    @property
    def synapse_keep(self) -> int:
        """Synaptic blank-out: kept with this probability, in 1/256."""
        return self._connect.keep

    @cached_property
    def rule(self) -> Rule | None:
        """By which its weights learn."""
        return self.graph.rule_of(self.name)

    @property
    def weight_min(self) -> int:
        """Smallest weight."""
        return self.graph.weight_bounds(self.stored[0])[0]

    @property
    def weight_max(self) -> int:
        """Largest weight."""
        return self.graph.weight_bounds(self.stored[0])[1]

    @property
    def rounding_shift(self) -> int:
        """Right shift of the stochastic rounding; also the number of bits of its random number."""
        return 18 - self.weight_width

    # --- what is fixed -------------------------------------------------------------------------------

    @cached_property
    def label(self) -> Projection | None:
        """The projection by which the label's neuron is held back."""
        return next((p for p in self._fixed if p.port == 0), None)

    @property
    def margin(self) -> int:
        """What the label's neuron is held back by in each tick of a learned sample."""
        connect = self.label.connect if self.label is not None else None
        return -connect.weight if isinstance(connect, Identity) else 0

    @cached_property
    def feedback_projection(self) -> Projection | None:
        """The projection onto port 1."""
        return next((p for p in self._fixed if p.port == 1), None)

    @property
    def _fixed(self) -> tuple[Projection, ...]:
        return tuple(p for p in self.graph.onto(self.name) if not isinstance(p.connect, Stored))

    @property
    def _feedback_connect(self) -> Identity | RandomSigns | None:
        if self.feedback_projection is None:
            return None
        connect = self.feedback_projection.connect
        assert isinstance(connect, (Identity, RandomSigns))
        return connect

    @property
    def feedback(self) -> FeedbackCode:
        """How its matrix is kept."""
        connect = self._feedback_connect
        if isinstance(connect, RandomSigns):
            return "sign" if connect.largest == 1 else "wide"
        return "none" if connect is None else "direct"

    @property
    def pairs(self) -> bool:
        """Whether its events come from neurons 2c and 2c + 1 with the same column c and opposite signs."""
        return self._feedback_connect is not None and self._feedback_connect.pairs == "source"

    @cached_property
    def feedback_weights(self) -> Array:
        """Its matrix, a row per neuron and a column per source neuron, or per pair of them."""
        assert self.feedback_projection is not None
        matrix = self.graph.fixed_weights(self.feedback_projection)
        return matrix[:: 1 + self.pairs].T

    @property
    def feedback_addresses(self) -> int:
        """Source neurons of the feedback."""
        assert self.feedback_projection is not None
        return self.graph.size_of(self.feedback_projection.source)

    @property
    def feedback_delay(self) -> int:
        """Ticks from an error spike to the sweep that takes it."""
        assert self.feedback_projection is not None
        return self.feedback_projection.delay

    @property
    def gain(self) -> int:
        """Amplitude of one error spike at the full learning rate."""
        return self._feedback_connect.weight if self._feedback_connect is not None else 0

    # --- where it stands -----------------------------------------------------------------------------

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """Sources whose spikes are rows, without those that spike at every tick."""
        found = (self.graph.source(projection.source) for projection in self.rows)
        return tuple(s for s in found if s is not None and isinstance(s.encoder, LOADED))

    @property
    def is_first(self) -> bool:
        """Whether all its rows belong to sources."""
        return len(self.sources) == len(self.rows)

    @property
    def is_read(self) -> bool:
        """Whether the membranes of its neurons are read."""
        return read_population(self.graph) == self.name

    @property
    def spikes_once(self) -> bool:
        """Whether its neurons spike once in a sample, and learn by when they did."""
        return self.graph.spikes_once

    @property
    def rate(self) -> Rate:
        """Its learning rate as the host sets it."""
        name, width, _ = GAIN if self.rule is None else self.rule.rate
        own = 0 if self.rule is None else self.rule.full_rate
        return Rate(f"{name}_{self.number + 1}", width, own or self.gain)

    @cached_property
    def inputs_come(self) -> frozenset[int]:
        """The ticks in which presynaptic spikes of a sample can come; empty if they are not known."""
        encoders = [source.encoder for source in self.sources]
        if not self.is_first or self.bias is not None or any(projection.delay for projection in self.rows):
            return frozenset()
        if not all(isinstance(encoder, LatencyEncoder) for encoder in encoders):
            return frozenset()
        return frozenset(at for e in encoders if isinstance(e, LatencyEncoder) for _, at in e.levels)

    @cached_property
    def events_timed(self) -> bool:
        """Whether spikes on the way to it carry their tick: those of a source, which are replayed."""
        return self.spikes_once and self.is_first

    def rows_of(self, weights: Mapping[str, Array]) -> Array:
        """Return the rows of the memory, int16 ``(n_rows, n_neurons)``, from the weights of the projections."""
        return np.concatenate([weights[projection.name] for projection in self.stored]).astype(np.int16)

    def weights_in(self, rows: Array) -> dict[str, Array]:
        """Return the weights of the projections from the rows of the memory."""
        sizes = [self.graph.size_of(projection.source) for projection in self.stored]
        parts = np.split(rows, np.cumsum(sizes)[:-1])
        return {projection.name: part for projection, part in zip(self.stored, parts, strict=True)}

    def initial_rows(self) -> Array:
        """Return the initial rows of the memory."""
        return self.rows_of({p.name: self.graph.initial_weights(p) for p in self.stored})


@lru_cache(maxsize=64)
def engine_populations(network: Network | Graph) -> tuple[EnginePopulation, ...]:
    """Return the populations of a network that have an engine, in order."""
    graph = graph_of(network)
    return tuple(EnginePopulation(graph, number) for number in range(len(engine_names(graph))))
