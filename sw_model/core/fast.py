# SPDX-License-Identifier: BSD-2-Clause
"""The core, compiled, behind the interface of the reference model of a graph."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from erbium.sw_model.compiling import announce
from erbium.sw_model.constants import Array
from erbium.sw_model.core import kernels
from erbium.sw_model.core.tables import Places, Tables, n_pixels, tables_of
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import Projection
from erbium.sw_model.fast_kernels import ROWS_LEARNED, SPIKES, SYNAPTIC_OPERATIONS, WEIGHTS_CHANGED
from erbium.sw_model.graph_model.drive import NOTHING, Drive
from erbium.sw_model.programs import MAX_STATES
from erbium.sw_model.results import SampleModel, SampleResult

announce()


class CoreModel(SampleModel):
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
        self.graph, self._probes = graph, probes
        self._places = Places(graph)
        self._tables = tables_of(graph, self._places)
        self._state = _new_state(graph, self._places, self._tables)
        self._samples = self._ticks = 0
        self._fresh = True
        self.spikes: dict[str, Array] = {}
        self.states: dict[str, Array] = {}
        self.load({name: graph.initial_weights(p) for name, p in self._stored().items()})

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
        image = np.ascontiguousarray(image)
        if image.dtype != np.uint8 or image.shape != (graph.n_pixels,):
            raise ValueError(
                f"the image is {image.dtype} of shape {image.shape}; it must be uint8 of shape ({graph.n_pixels},)"
            )
        if label is not None and not 0 <= label < max(graph.n_classes, 1):
            raise ValueError(f"label is {label}; it must be from 0 to {max(graph.n_classes, 1) - 1}")
        learn = drive.learns(label)
        raster = np.zeros((ticks, self._places.n_neurons), dtype=np.bool_)
        probe = np.zeros((ticks if self._probes else 0, MAX_STATES, self._places.n_neurons), dtype=np.int16)
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
        answer, run, decision = (int(n) for n in self._state.outcome[kernels.ANSWER :])
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
            first = self._places.neurons[population.name]
            columns = slice(first, first + population.size)
            self.spikes[population.name] = raster[:, columns]
            if self._probes:
                self.states[population.name] = probe[:, : population.program.n_states, columns]

    def counters(self) -> dict[str, int]:
        """Return all counters by name."""
        result = {
            "samples": self._samples,
            "ticks": self._ticks,
            "input_spikes": int(self._state.outcome[kernels.INPUT]),
        }
        columns = {
            "spikes": SPIKES,
            "synaptic_operations": SYNAPTIC_OPERATIONS,
            "rows_learned": ROWS_LEARNED,
            "weights_changed": WEIGHTS_CHANGED,
        }
        for population, row in zip(self.graph.populations, self._state.counters, strict=True):
            counted = columns if self.graph.stored(population.name) else {"spikes": SPIKES}
            result |= {f"{population.name}_{name}": int(row[column]) for name, column in counted.items()}
        return result

    def set_rates(self, rates: Mapping[str, int]) -> None:
        """Set learning rates by name, each 0 ... its full rate (:attr:`Graph.rates`)."""
        full = self.graph.rates
        for name, rate in rates.items():
            if name not in full or not 0 <= rate <= full[name]:
                known = ", ".join(f"{key} (0 to {value})" for key, value in full.items())
                raise ValueError(f"rate {name!r} is set to {rate}; the graph has {known or 'no rates'}")
            place = [p.name for p in self._places.ordered].index(name)
            self._tables.projections["weight"][place] = rate

    @property
    def weights(self) -> dict[str, Array]:
        """Weights by projection, int16 of shape ``(source size, target size)``, as copies."""
        return {name: self._part(name).astype(np.int16) for name in self._stored()}

    def load(self, weights: Mapping[str, Array]) -> None:
        """Replace the weights of the projections that are named; of the others nothing changes."""
        stored = self._stored()
        for name, values in weights.items():
            if name not in stored:
                raise ValueError(
                    f"there are no weights of a projection {name!r}; there are {', '.join(stored)}"
                )
            part = self._part(name)
            if np.shape(values) != part.shape:
                raise ValueError(
                    f"weights of projection {name!r} have shape {np.shape(values)}, not {part.shape}"
                )
            part[:] = np.where(self.graph.synapses(stored[name]), values, 0)

    def _stored(self) -> dict[str, Projection]:
        return {p.name: p for p in self._places.ordered if p.name in self._places.rows}

    def _part(self, name: str) -> Array:
        """Return the view of a projection's weights."""
        first, count = self._places.rows[name]
        part: Array = self._state.weights[
            first : first + count, : self.graph.size_of(self._stored()[name].target)
        ]
        return part


def _new_state(graph: Graph, places: Places, tables: Tables) -> kernels.State:
    """Return what changes while a graph runs, all of it cleared."""
    n, columns, slots = places.n_neurons, places.columns, int(tables.network[0]["n_slots"])
    rows = max(sum(count for _, count in places.rows.values()), 1)
    longest = max(part.size for part in graph.writers) + 4
    pixels = n_pixels(graph)

    def zeros(*shape: int) -> Array:
        return np.zeros(shape, dtype=np.int64)

    state = kernels.State(
        x=zeros(MAX_STATES, n),
        u=zeros(2, n),
        refractory=zeros(n),
        word=zeros(n),
        history=zeros(n),
        silent=np.zeros(n, dtype=np.bool_),
        weights=zeros(rows, columns),
        last=zeros(rows),
        pending=np.zeros(rows, dtype=np.bool_),
        draws=zeros(len(graph.populations), 5),
        source_draws=zeros(len(graph.sources)),
        spikes=zeros(len(graph.writers) * slots, longest),
        n_spikes=zeros(len(graph.writers) * slots),
        heard=zeros(len(graph.modulators)),
        pixels=zeros(pixels),
        values=zeros(pixels),
        phase=zeros(pixels),
        n_pixels=zeros(len(graph.sources)),
        step=zeros(columns),
        kept=np.zeros(columns, dtype=np.bool_),
        counts=zeros(int(tables.network[0]["n_classes"])),
        stops=np.zeros(int(tables.network[0]["stop_delay"]), dtype=np.bool_),
        counters=zeros(len(graph.populations), 4),
        outcome=zeros(5),
    )
    for population in graph.populations:
        first = places.neurons[population.name]
        for k, initial in enumerate(population.program.initial):
            state.x[k, first : first + population.size] = initial
    return state
