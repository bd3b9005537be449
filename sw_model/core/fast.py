# SPDX-License-Identifier: BSD-2-Clause
"""The core, compiled, behind the interface of the reference model of a graph."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from erbium.sw_model.compiling import announce
from erbium.sw_model.constants import Array
from erbium.sw_model.core import kernels
from erbium.sw_model.core.state import ANSWER, INPUT, State
from erbium.sw_model.core.tables import Tables, tables_of
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.graph_fast.compiled import CompiledGraph
from erbium.sw_model.graph_fast.tables import Layout, n_places
from erbium.sw_model.graph_model.drive import NOTHING, Drive
from erbium.sw_model.programs import MAX_STATES
from erbium.sw_model.results import SampleModel, SampleResult

announce()


class CoreModel(CompiledGraph, SampleModel):
    """A graph on the core: :class:`erbium.sw_model.graph_model.array.GraphModel`, compiled.

    Answers, ticks, spikes, states, weights and counters are the same integers. The first use on a machine compiles for
    some seconds; later ones read the result from disk.

    Parameters
    ----------
    graph : Graph
    probes : bool
        Whether :attr:`states` are kept.

    Attributes
    ----------
    spikes : dict of ndarray of bool, shape (ticks, size)
        Of the last sample, by population.
    states : dict of ndarray of int16, shape (ticks, n_states, size)
        Of the last sample after each sweep, by population; empty without probes.

    Raises
    ------
    DescriptionError
        For a rule or readout that the core does not have.
    """

    def __init__(self, graph: Graph, *, probes: bool = False) -> None:
        layout = Layout(graph)
        self._tables, self._probes = tables_of(graph, layout), probes
        self._state = _new_state(graph, layout, self._tables)
        super().__init__(graph, layout, self._state.weights)
        self._samples = self._ticks = 0
        self._fresh = True
        self.spikes: dict[str, Array] = {}
        self.states: dict[str, Array] = {}

    def sample(
        self,
        image: Array,
        *,
        seed: int,
        label: int | None = None,
        n_ticks: int | None = None,
        drive: Drive = NOTHING,
    ) -> SampleResult:
        """Present one sample; learn it if it has a label, or the drive says so.

        Parameters
        ----------
        image : ndarray of uint8, shape (n_pixels,)
        seed : int
            32-bit seed of the sample.
        label : int, optional
        n_ticks : int, optional
            Longest presentation; default is the graph's.
        drive : Drive, optional

        Raises
        ------
        ValueError
            For an image of another shape, a label that is no class, or a drive that does not fit the graph.
        """
        graph, ticks = self.graph, n_ticks or self.graph.n_ticks
        drive.check(graph)
        image = graph.check_sample(image, label)
        learn = drive.learns(label)
        raster = np.zeros((ticks, self._layout.n_neurons), dtype=np.bool_)
        probe = np.zeros((ticks if self._probes else 0, MAX_STATES, self._layout.n_neurons), dtype=np.int16)
        kernels.run_sample(
            self._tables,
            self._state,
            image,
            int(seed),
            -1 if label is None else int(label),
            learn,
            drive.clear or self._fresh,
            drive.factor if learn else 0,
            ticks,
            np.array([drive.values.get(m.name, 0) for m in graph.modulators], dtype=np.int64),
            np.array([drive.gains.get(m.name, 0) for m in graph.modulators], dtype=np.int64),
            self._events(drive, ticks),
            raster,
            probe,
        )
        self._fresh = False
        answer, run, decision = (int(n) for n in self._state.outcome[ANSWER:])
        self._samples += 1
        self._ticks += run
        self._keep(raster[:run], probe[:run])
        return SampleResult(answer, run, decision)

    def _events(self, drive: Drive, ticks: int) -> Array:
        sources = self.graph.event_sources
        events = np.zeros((ticks if drive.events else 0, sum(s.size for s in sources)), dtype=np.bool_)
        at = 0
        for source in sources:
            given = drive.events.get(source.name)
            if given is not None:
                part = np.asarray(given)[:ticks]
                events[: len(part), at : at + source.size] = part
            at += source.size
        return events

    def _keep(self, raster: Array, probe: Array) -> None:
        for population in self.graph.populations:
            first = self._layout.first_neuron[population.name]
            columns = slice(first, first + population.size)
            self.spikes[population.name] = raster[:, columns]
            if self._probes:
                self.states[population.name] = probe[:, : population.program.n_states, columns]

    def counters(self) -> dict[str, int]:
        """Return all counters by name."""
        result = {
            "samples": self._samples,
            "ticks": self._ticks,
            "input_spikes": int(self._state.outcome[INPUT]),
        }
        return result | self._named_counters(self._state.counters)

    def set_rates(self, rates: Mapping[str, int]) -> None:
        """Set learning rates by name, each 0 ... its full rate (:attr:`Graph.rates`)."""
        self.graph.check_rates(rates)
        places = [projection.name for projection in self._layout.ordered]
        for name, rate in rates.items():
            self._tables.projections["weight"][places.index(name)] = rate


def _new_state(graph: Graph, layout: Layout, tables: Tables) -> State:
    """Return what changes while a graph runs, all of it cleared."""
    n, lanes, slots = layout.n_neurons, layout.lanes, int(tables.network[0]["n_slots"])
    rows = max(layout.n_rows, 1)
    longest = max(part.size for part in graph.writers) + 4
    places = n_places(graph)

    def zeros(*shape: int) -> Array:
        return np.zeros(shape, dtype=np.int64)

    state = State(
        x=zeros(MAX_STATES, n),
        u=zeros(2, n),
        refractory=zeros(n),
        word=zeros(n),
        history=zeros(n),
        silent=np.zeros(n, dtype=np.bool_),
        weights=zeros(rows, lanes),
        last=zeros(rows),
        pending=np.zeros(rows, dtype=np.bool_),
        draws=zeros(len(graph.populations), 5),
        source_draws=zeros(len(graph.sources)),
        spikes=zeros(len(graph.writers) * slots, longest),
        n_spikes=zeros(len(graph.writers) * slots),
        heard=zeros(len(graph.modulators)),
        pixels=zeros(places),
        values=zeros(places),
        phase=zeros(places),
        n_pixels=zeros(len(graph.sources)),
        step=zeros(lanes),
        kept=np.zeros(lanes, dtype=np.bool_),
        counts=zeros(int(tables.network[0]["n_classes"])),
        stops=np.zeros(int(tables.network[0]["stop_delay"]), dtype=np.bool_),
        counters=zeros(len(graph.populations), 4),
        outcome=zeros(5),
    )
    for population in graph.populations:
        first = layout.first_neuron[population.name]
        for k, initial in enumerate(population.program.initial):
            state.x[k, first : first + population.size] = initial
    return state
