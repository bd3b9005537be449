# SPDX-License-Identifier: BSD-2-Clause
"""A graph as tables: what the compiled loops read, and nothing else.

A *writer* is a source or a population; writers are numbered in that order. The rows of all stored projections lie in
one array of weights, one projection after the other, in the order of the projections; the rows of identities and random
signs lie in another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np

from erbium.sw_model.constants import STREAM_ENCODER, Array, neuron_constants, salt
from erbium.sw_model.description.connect import Dense, Identity, RandomSigns
from erbium.sw_model.description.fit import parts_of_the_core
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import (
    LOADED,
    Bernoulli,
    Constant,
    Events,
    Label,
    Phase,
    Population,
    Projection,
    SpikeCount,
)
from erbium.sw_model.encoder import start_phase
from erbium.sw_model.fast_common import lanes_of, program_arrays, record
from erbium.sw_model.fast_erbp import rule_fields
from erbium.sw_model.fast_kernels import LAYER_FIELDS
from erbium.sw_model.programs import DescriptionError
from erbium.sw_model.rules import LatencyEncoder

BERNOULLI, PHASE, LATENCY, CONSTANT, LABEL, EVENTS = range(6)
NO_READOUT, SPIKE_COUNT = range(2)
READOUTS = {type(None): NO_READOUT, SpikeCount: SPIKE_COUNT}
"""Readouts that the compiled path of graphs knows."""


def _fields(*names: str) -> np.dtype[Any]:
    return np.dtype([(name, np.int64) for name in names])


SOURCE = _fields("encoder", "size", "first_pixel", "first_place", "first_level", "n_levels")
POPULATION = _fields(
    *LAYER_FIELDS,
    "writer",
    "first_projection",  # in the table of projections
    "n_projections",
    "has_rule",
    "gate_lower",
    "gate_upper",
    "modulator",
    "first_tick",
    "rounding_shift",
    "stored",  # whether weights in memory end on it: only then its rows are counted
)
PROJECTION = _fields(
    "writer",
    "port",
    "delay",
    "only_learning",
    "stored",
    "first_row",  # in the weights, or in the fixed rows
    "learns",
    "transmit_factor",
    "keep",
    "weight_min",
    "weight_max",
    "sparse",
    "goes_on",  # the next projection is stored and walked together with this one
    "rate",  # place of its weight in the rates; of fixed ones only
)
NETWORK = _fields(
    "n_sources",
    "n_populations",
    "n_slots",  # ticks that a channel may hold
    "n_classes",
    "readout",
    "read",  # population that is read out
    "quiet",  # population whose silence ends a sample, or -1
    "quiet_ticks",
    "stop_delay",
)


class Tables(NamedTuple):
    """A graph in arrays. Nothing here changes while samples run.

    Attributes
    ----------
    network, sources, populations, projections : structured ndarray
    operations, variables : structured ndarray, shapes (n_populations, 16) and (n_populations, 4)
    fixed : ndarray of int16, shape (fixed rows, lanes)
    there : ndarray of bool, shape (rows, lanes)
        Synapses of sparse projections; one row where there are none.
    row_size : ndarray of int64, shape (rows,)
        Synapses of each stored row.
    levels : ndarray of int64, shape (n, 2)
        Levels of latency encoders: smallest pixel, tick.
    neuron_constants : ndarray of uint16, shape (lanes,)
    salts : ndarray of int64, shape (n_populations + 1, 5)
        Of the populations, from row 1 on.
    source_salts : ndarray of int64, shape (n_sources,)
    start_phase : ndarray of int64, shape (places,)
    """

    network: Array
    sources: Array
    populations: Array
    projections: Array
    operations: Array
    variables: Array
    fixed: Array
    there: Array
    row_size: Array
    levels: Array
    neuron_constants: Array
    salts: Array
    source_salts: Array
    start_phase: Array


class Layout:
    """Where the parts of a graph lie in the tables.

    Attributes
    ----------
    lanes : int
        Neurons of the largest population, rounded up to whole vectors.
    ordered : tuple of Projection
        Sorted by the population on which they end, in the order in which they are walked.
    rows : dict of (int, int)
        First row and number of rows of each stored projection.
    rates : dict of int
        Place of each fixed projection's weight.
    first_neuron : dict of int
        First neuron of each population, where all neurons lie one after the other.
    n_neurons : int
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.lanes = max(lanes_of(population.size) for population in graph.populations)
        self.ordered = tuple(p for population in graph.populations for p in graph.onto(population.name))
        self.stored = [p for p in self.ordered if isinstance(p.connect, Dense)]
        self.fixed = [p for p in self.ordered if not isinstance(p.connect, Dense)]
        self.rows = self._places(self.stored)
        self.fixed_rows = self._places(self.fixed)
        self.rates = {p.name: place for place, p in enumerate(self.fixed)}
        self.n_rows = sum(count for _, count in self.rows.values())
        sizes = [population.size for population in graph.populations]
        firsts = accumulate(sizes, initial=0)
        self.first_neuron = {p.name: first for p, first in zip(graph.populations, firsts, strict=False)}
        self.n_neurons = sum(sizes)

    def _places(self, projections: list[Projection]) -> dict[str, tuple[int, int]]:
        places, at = {}, 0
        for projection in projections:
            count = self.graph.size_of(projection.source)
            places[projection.name] = (at, count)
            at += count
        return places

    def matrix(self, values: Mapping[str, Array], places: Mapping[str, tuple[int, int]], dtype: Any) -> Array:
        """Return the rows of several projections, one after the other, padded to whole vectors."""
        n_rows = sum(count for _, count in places.values())
        result = np.zeros((max(n_rows, 1), self.lanes), dtype=dtype)
        for name, rows in values.items():
            first, count = places[name]
            result[first : first + count, : rows.shape[1]] = rows
        return result


def tables_of(graph: Graph, layout: Layout) -> Tables:
    """Return the tables of a graph.

    Raises
    ------
    DescriptionError
        For a rule or readout that the compiled path does not know.
    """
    _check_parts(graph)
    populations = []
    projections: list[dict[str, int]] = []
    for population in graph.populations:
        incoming = graph.onto(population.name)
        populations.append(record(POPULATION, _population(graph, layout, population, len(projections))))
        projections += _run_together([_projection(graph, layout, p) for p in incoming])
    sources, levels = source_table(graph)
    programs = [program_arrays(population.program) for population in graph.populations]
    processes = [part.process for part in graph.populations]
    there = {p.name: graph.synapses(p) for p in layout.stored}
    return Tables(
        network=np.array([record(NETWORK, _network(graph))], dtype=NETWORK),
        sources=sources,
        populations=np.array(populations, dtype=POPULATION),
        projections=np.array([record(PROJECTION, values) for values in projections], dtype=PROJECTION),
        operations=np.stack([operations for operations, _ in programs]),
        variables=np.stack([variables for _, variables in programs]),
        fixed=layout.matrix(
            {p.name: graph.fixed_weights(p) for p in layout.fixed}, layout.fixed_rows, np.int16
        ),
        there=layout.matrix(there, layout.rows, np.bool_),
        row_size=np.concatenate([rows.sum(axis=1) for rows in there.values()] or [np.zeros(1, np.int64)]),
        levels=levels,
        neuron_constants=neuron_constants(layout.lanes).astype(np.uint16),
        salts=np.array([[salt(process, stream) for stream in range(5)] for process in [0, *processes]]),
        source_salts=np.array([salt(s.process, STREAM_ENCODER) for s in graph.sources]),
        start_phase=start_phase(np.arange(max(source.size for source in graph.sources) + 4)),
    )


def _check_parts(graph: Graph) -> None:
    """Raise for parts that only the core and the reference have."""
    for what, name in parts_of_the_core(graph):
        raise DescriptionError(
            f"the graph has a {what}, {name!r}; the compiled path of layered graphs has none: use CoreModel"
        )


def _network(graph: Graph) -> dict[str, int]:
    readout = graph.readout
    if type(readout) not in READOUTS:
        raise DescriptionError(
            f"the compiled path of graphs does not know the readout {type(readout).__name__}; use the reference"
        )
    names = [population.name for population in graph.populations]
    return {
        "n_sources": len(graph.sources),
        "n_populations": len(graph.populations),
        "n_slots": 1 + max(projection.delay for projection in graph.projections),
        "n_classes": graph.n_classes if readout else 0,
        "readout": READOUTS[type(readout)],
        "read": names.index(readout.population) if readout else -1,
        "quiet": names.index(readout.quiet) if readout and readout.quiet else -1,
        "quiet_ticks": readout.quiet_ticks if readout else 0,
        "stop_delay": readout.delay if readout else 1,
    }


def source_table(graph: Graph) -> tuple[Array, Array]:
    """Return the table of sources, and the levels of all latency encoders, int64 of shape ``(n, 2)``."""
    rows, levels, pixel, place = [], list[tuple[int, int]](), 0, 0
    codes = {Bernoulli: BERNOULLI, Phase: PHASE, LatencyEncoder: LATENCY, Constant: CONSTANT, Label: LABEL}
    codes[Events] = EVENTS
    for source in graph.sources:
        own = source.encoder.levels if isinstance(source.encoder, LatencyEncoder) else ()
        code = codes[type(source.encoder)]
        values = {
            "encoder": code,
            "size": source.size,
            "first_pixel": pixel,
            "first_place": place,
            "first_level": len(levels),
            "n_levels": len(own),
        }
        rows.append(record(SOURCE, values))
        levels += own
        if code in (BERNOULLI, PHASE, LATENCY):
            pixel += source.size
            place += source.size + 4  # an encoder writes up to a whole group
    return np.array(rows, dtype=SOURCE), np.array(levels or [(0, 0)], dtype=np.int64)


def _population(graph: Graph, layout: Layout, population: Population, first: int) -> dict[str, int]:
    program = population.program
    learning = [p.connect for p in graph.stored(population.name) if p.rule is not None]
    width = learning[0].width if learning and isinstance(learning[0], Dense) else 8
    names = [part.name for part in graph.writers]
    return {
        "n_neurons": population.size,
        "lanes": lanes_of(population.size),
        "first_row": 0,
        "n_states": program.n_states,
        "n_ports": program.n_ports,
        "n_operations": len(program.operations),
        "threshold": program.threshold,
        "adaptive": program.adaptive,
        "refractory": program.refractory,
        "hold": program.hold,
        "uses_noise": program.uses_noise,
        "weight_min": 0,
        "weight_max": 0,
        "transmit_factor": 0,
        "neuron_keep": population.keep,
        "writer": names.index(population.name),
        "first_projection": first,
        "n_projections": len(graph.onto(population.name)),
        **rule_fields(graph.rule_of(population.name)),
        "rounding_shift": 18 - width,
        "stored": bool(graph.stored(population.name)),
    }


def _projection(graph: Graph, layout: Layout, projection: Projection) -> dict[str, int]:
    connect = projection.connect
    names = [part.name for part in graph.writers]
    stored = isinstance(connect, Dense)
    low, high = graph.weight_bounds(projection) if stored else (0, 0)
    places = layout.rows if stored else layout.fixed_rows
    return {
        "writer": names.index(projection.source),
        "port": projection.port,
        "delay": projection.delay,
        "only_learning": projection.when == "learn",
        "stored": stored,
        "first_row": places[projection.name][0],
        "learns": projection.rule is not None,
        "transmit_factor": 1 << (24 - connect.width) if isinstance(connect, Dense) else 0,
        "keep": connect.keep if isinstance(connect, Dense) else 256,
        "weight_min": low,
        "weight_max": high,
        "sparse": stored and not graph.synapses(projection).all(),
        "rate": 0 if isinstance(connect, Dense) else layout.rates[projection.name],
    }


def _run_together(projections: list[dict[str, int]]) -> list[dict[str, int]]:
    """Say of each projection of a population whether the next one is walked together with it."""
    alike = ("port", "stored", "learns", "transmit_factor", "keep", "weight_min", "weight_max", "sparse")
    for values, after in pairwise(projections):
        values["goes_on"] = values["stored"] and all(values[name] == after[name] for name in alike)
    for values in projections:
        values.setdefault("goes_on", 0)
    return projections


def n_places(graph: Graph) -> int:
    """Return how many places the lists of pixels have: those of each source that encodes some, and a group more."""
    return sum(source.size + 4 for source in graph.sources if isinstance(source.encoder, LOADED))


def fixed_weight(projection: Projection) -> int:
    """Return the weight of an identity or of random signs."""
    assert isinstance(projection.connect, (Identity, RandomSigns))
    return projection.connect.weight
