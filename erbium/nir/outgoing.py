# SPDX-License-Identifier: BSD-2-Clause
"""A description of integers becomes a NIR graph.

What answers a sample is written as nodes; what only teaches (labels, error neurons, feedback, rules) has no node in NIR
and stands in the metadata, with everything else that makes the integers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from erbium.nir import metadata
from erbium.nir.files import nir_package
from erbium.nir.options import TICK_SECONDS
from erbium.sw_model.constants import Array
from erbium.sw_model.description.chain import graph_of
from erbium.sw_model.description.connect import Identity, RandomSigns, Stored
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import Constant, Label, Population, Projection
from erbium.sw_model.network import Network
from erbium.sw_model.programs import DescriptionError, NeuronProgram


@dataclass(frozen=True)
class Exported:
    """A NIR graph, and what its nodes cannot say.

    Attributes
    ----------
    graph : nir.NIRGraph
    notes : list of str
        The metadata say all of it.
    """

    graph: Any
    notes: list[str]


def to_nir(
    description: Network | Graph, weights: Sequence[Array] | Mapping[str, Array] | None = None
) -> Exported:
    """Write a network as a NIR graph.

    Parameters
    ----------
    description : Network or Graph
    weights : sequence of ndarray, or dict of ndarray, optional
        Of the layers of a network, or by projection of a graph; default are those that it begins with.
    """
    graph = graph_of(description)
    stored = {p.name: graph.initial_weights(p).astype(np.int64) for p in graph.projections if is_stored(p)}
    if weights is not None:
        stored |= by_projection(description, weights)
    exporter = _Exporter(graph, stored)
    nodes, edges = exporter.result()
    nir = nir_package()
    made = nir.NIRGraph(nodes, edges, type_check=False)
    made.metadata = metadata.written(metadata.with_weights(description, stored))
    return Exported(made, exporter.notes)


def is_stored(projection: Projection) -> bool:
    """Whether the weights of a projection lie in a memory."""
    return isinstance(projection.connect, Stored)


def by_projection(
    description: Network | Graph, weights: Sequence[Array] | Mapping[str, Array]
) -> dict[str, Array]:
    """Return weights by the names of projections: those of a layer are the rows of its inputs, then the bias row."""
    if isinstance(weights, Mapping):
        return {name: np.asarray(values, dtype=np.int64) for name, values in weights.items()}
    assert isinstance(description, Network)
    found: dict[str, Array] = {}
    before = "input"
    for number, values in enumerate(weights):
        rows = np.asarray(values, dtype=np.int64)
        name, size = f"layer{number + 1}", description.shape[number]
        found[f"{before}_to_{name}"] = rows[:size]
        if description.has_bias:
            found[f"bias_to_{name}"] = rows[size:]
        before = name
    return found


def by_layer(network: Network, stored: Mapping[str, Array]) -> list[Array]:
    """Return the weights of the layers of a network, int16."""
    found, before = [], "input"
    for number in range(len(network.layers)):
        name = f"layer{number + 1}"
        rows = [stored[f"{before}_to_{name}"]]
        if network.has_bias:
            rows.append(stored[f"bias_to_{name}"])
        found.append(np.vstack(rows).astype(np.int16))
        before = name
    return found


def factor(graph: Graph, projection: Projection) -> float:
    """Return what a stored weight of 1 is in the NIR graph, a power of two."""
    program = graph.population(projection.target).program
    width = projection.connect.width if isinstance(projection.connect, Stored) else 8
    return math.ldexp(_membrane_unit(program), 8 - width - _Neuron.of(program).shift)


def is_constant(graph: Graph, projection: Projection) -> bool:
    """Whether a projection begins at neurons that spike at every tick: a bias."""
    source = graph.source(projection.source)
    return source is not None and isinstance(source.encoder, Constant)


def answers(graph: Graph) -> list[Projection]:
    """Return the projections that take part in answering a sample, and not only in learning one."""
    labels = {source.name for source in graph.sources if isinstance(source.encoder, Label)}
    taught = {p.name for p in graph.populations if all(q.when == "learn" for q in graph.onto(p.name))}
    return [
        p
        for p in graph.projections
        if p.when == "always" and p.port == 0 and p.source not in labels | taught and p.target not in taught
    ]


def _membrane_unit(program: NeuronProgram) -> float:
    """Return what a membrane of 1 is: the power of two at which the threshold is more than 1/2 and at most 1."""
    return math.ldexp(1.0, -max(program.threshold - 1, 0).bit_length())


@dataclass(frozen=True)
class _Neuron:
    """What NIR can say of a neuron program.

    Attributes
    ----------
    leak : float
        Of the membrane, in a tick.
    synapse : float or None
        Leak of the state that a port adds to, and that the membrane takes.
    gain : float
        What of that state the membrane takes.
    shift : int
        By which the port is divided.
    whole : bool
        Whether that is all that the program does to its membrane.
    """

    leak: float
    synapse: float | None
    gain: float
    shift: int
    whole: bool

    @classmethod
    def of(cls, program: NeuronProgram) -> _Neuron:
        def from_to(source: str, destination: int) -> float:
            return sum(
                op.sign * 2.0**-op.shift
                for op in program.operations
                if op.source == source and op.destination == destination
            )

        shifts = [op.shift for op in program.operations if op.source == "u0"]
        shift = min(shifts, default=0)
        fed = [
            k
            for k in range(1, program.n_states)
            if from_to(f"x{k}", 0)
            and any(op.source == "u0" and op.destination == k for op in program.operations)
        ]
        others = {op.source for op in program.operations if op.destination == 0} - {
            "x0",
            "u0",
            *(f"x{k}" for k in fed),
        }
        others -= {"u1"}
        synapse = -from_to(f"x{fed[0]}", fed[0]) if fed else None
        leak = -from_to("x0", 0)
        whole = len(fed) <= 1 and not others and not program.adaptive and not any(program.initial)
        if synapse is None:
            whole = whole and from_to("u0", 0) == 2.0**-shift
        gain = from_to(f"x{fed[0]}", 0) if fed else 1.0
        if synapse is not None:
            # The membrane takes the current after this tick's leak and input where it takes both.
            whole = whole and gain == 1 - synapse and from_to("u0", 0) == from_to("u0", fed[0])
            gain = 1.0 if gain == 1 - synapse else gain
        in_range = 0 <= leak <= 1 and (synapse is None or 0 <= synapse <= 1)
        return cls(
            min(max(leak, 0.0), 1.0),
            None if synapse is None else min(max(synapse, 0.0), 1.0),
            gain,
            shift,
            whole and in_range,
        )


class _Exporter:
    def __init__(self, graph: Graph, stored: Mapping[str, Array]) -> None:
        self.graph, self.stored, self.nir = graph, stored, nir_package()
        self.nodes: dict[str, Any] = {}
        self.edges: list[tuple[str, str]] = []
        self.notes: list[str] = []
        self.entry: dict[str, str] = {}

    def result(self) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        graph, used = self.graph, answers(self.graph)
        pixels = [
            s
            for s in graph.sources
            if any(p.source == s.name for p in used) and not isinstance(s.encoder, Constant)
        ]
        if not pixels:
            raise DescriptionError(
                f"no source of pixels of {graph.name!r} reaches a population; a NIR graph begins at an input"
            )
        for source in pixels:
            self.nodes[source.name] = self.nir.Input(np.array([source.size]))
        kept = [p for p in graph.populations if any(q.target == p.name for q in used)]
        for population in kept:
            self._neurons(population)
        for population in kept:
            self._weights(population, [p for p in used if p.target == population.name], pixels[0].name)
        ends = (
            [graph.readout.population]
            if graph.readout is not None
            else [p.name for p in kept if not any(q.source == p.name and q.target != p.name for q in used)]
            or [kept[-1].name]
        )
        for name in ends:
            out = "output" if len(ends) == 1 else f"{name}_output"
            self.nodes[out] = self.nir.Output(np.array([graph.size_of(name)]))
            self.edges.append((name, out))
        dropped = [p.name for p in graph.projections if p not in used]
        if dropped:
            self.notes.append(f"{', '.join(dropped)}: for learning; in the metadata only")
        return self.nodes, self.edges

    def _neurons(self, population: Population) -> None:
        """Write a population: one node, or two where a synapse does not leak as CubaLIF has it."""
        program, size, dt, nir = population.program, population.size, TICK_SECONDS, self.nir
        found, unit = _Neuron.of(program), _membrane_unit(program)

        def all_of(value: float) -> Array:
            return np.full(size, value, dtype=np.float32)

        drift = program.bias[0] * unit
        spikes = program.threshold <= program.upper[0]
        ends: dict[str, Array] = {}
        if spikes:
            ends["v_threshold"] = all_of((program.threshold - 0.5) * unit)
            ends["v_reset"] = all_of(program.reset_value[0] * unit if program.reset_mode[0] == "set" else 0.0)
        membrane: dict[str, Array] = {"r": all_of(found.gain / (found.leak or dt))}
        if found.leak:
            membrane |= {"tau": all_of(dt / found.leak), "v_leak": all_of(drift / found.leak)}
        self.entry[population.name] = population.name
        if found.synapse and found.leak:
            kind = nir.CubaLIF if spikes else nir.CubaLI
            node = kind(
                tau_syn=all_of(dt / found.synapse),
                tau_mem=membrane.pop("tau"),
                w_in=all_of(1 / found.synapse),
                **membrane,
                **ends,
            )
        else:
            if found.leak:
                node = (nir.LIF if spikes else nir.LI)(**membrane, **ends)
            else:
                node = (nir.IF if spikes else nir.I)(**membrane, **ends)
            if found.synapse is not None:
                entry = f"{population.name}_synapse"
                self.entry[population.name] = entry
                if found.synapse:
                    leak = all_of(dt / found.synapse)
                    self.nodes[entry] = nir.LI(tau=leak, r=all_of(1 / found.synapse), v_leak=all_of(0.0))
                else:
                    self.nodes[entry] = nir.I(r=all_of(1 / dt))
                self.edges.append((entry, population.name))
        self.nodes[population.name] = node
        self._unsaid(population, found, spikes=spikes, drift=drift)

    def _unsaid(self, population: Population, found: _Neuron, *, spikes: bool, drift: float) -> None:
        program = population.program
        words = []
        if not found.whole:
            words.append(f"program {program.name!r}, of which the nodes have the leak and the threshold")
        if drift and not found.leak:
            words.append("a drift of its membrane")
        if spikes and program.reset_mode[0] != "set":
            words.append(f"its reset ({program.reset_mode[0]} {program.reset_value[0]})")
        if program.refractory:
            words.append(f"its refractory time of {program.refractory} ticks")
        if words:
            self.notes.append(f"{population.name}: {'; '.join(words)}: in the metadata only")

    def _weights(self, population: Population, incoming: Sequence[Projection], pixels: str) -> None:
        graph, constant = self.graph, np.zeros(population.size)
        for projection in incoming:
            if is_constant(graph, projection):
                constant += self._matrix(projection).sum(axis=0)
        has_bias = any(is_constant(graph, projection) for projection in incoming)
        order = [p.name for p in graph.populations]
        first = True
        for projection in incoming:
            if is_constant(graph, projection):
                continue
            weight = np.ascontiguousarray(self._matrix(projection).T, dtype=np.float32)
            if first and has_bias:
                self.nodes[projection.name] = self.nir.Affine(weight, constant.astype(np.float32))
            else:
                self.nodes[projection.name] = self.nir.Linear(weight)
            first = False
            back = projection.source in order and order.index(projection.source) >= order.index(
                projection.target
            )
            start = projection.source
            # A loop takes a tick in NIR, too.
            if delay := projection.delay - back:
                start = f"{projection.name}_delay"
                size = graph.size_of(projection.source)
                self.nodes[start] = self.nir.Delay(np.full(size, delay * TICK_SECONDS))
                self.edges.append((projection.source, start))
            self.edges += [(start, projection.name), (projection.name, self.entry[population.name])]
        if first:
            name = f"bias_to_{population.name}"
            zeros = np.zeros((population.size, graph.size_of(pixels)), dtype=np.float32)
            self.nodes[name] = self.nir.Affine(zeros, constant.astype(np.float32))
            self.edges += [(pixels, name), (name, self.entry[population.name])]

    def _matrix(self, projection: Projection) -> Array:
        if isinstance(projection.connect, (Identity, RandomSigns)):
            values = self.graph.fixed_weights(projection) * projection.connect.weight
        else:
            values = self.stored[projection.name]
        result: Array = values * factor(self.graph, projection)
        return result
