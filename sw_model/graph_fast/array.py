# SPDX-License-Identifier: BSD-2-Clause
"""The compiled path of a graph, behind the interface of the reference model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from erbium.sw_model import fast_kernels
from erbium.sw_model.compiling import announce
from erbium.sw_model.constants import Array
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.graph_fast import kernels
from erbium.sw_model.graph_fast.compiled import CompiledGraph
from erbium.sw_model.graph_fast.tables import Layout, fixed_weight, n_places, tables_of
from erbium.sw_model.programs import MAX_STATES
from erbium.sw_model.results import Results

announce()


class FastGraph(CompiledGraph):
    """A graph, compiled: :class:`erbium.sw_model.graph_model.array.GraphModel` without the view into each tick.

    Answers, ticks, counters and weights are the same integers. The first use on a machine compiles for some seconds;
    later ones read the result from disk.

    Parameters
    ----------
    graph : Graph

    Attributes
    ----------
    decide_after : int
        Output spikes of one neuron that end an inference, 0 for never; at first the readout's.

    Raises
    ------
    DescriptionError
        For a rule or readout that the compiled path does not know.
    """

    def __init__(self, graph: Graph) -> None:
        layout = Layout(graph)
        super().__init__(graph, layout, np.zeros((max(layout.n_rows, 1), layout.lanes), dtype=np.int16))
        self._tables = tables_of(graph, layout)
        self._state = _new_state(graph, layout)
        self.decide_after = graph.readout.decide_after if graph.readout is not None else 0
        self._rates = np.array([fixed_weight(p) for p in layout.fixed], dtype=np.int64)
        self._counters = np.zeros(4, dtype=np.int64)
        self._population_counters = np.zeros((len(graph.populations), 4), dtype=np.int64)

    def set_rates(self, rates: Mapping[str, int]) -> None:
        """Set learning rates by name, each 0 ... its full rate (:attr:`Graph.rates`)."""
        self.graph.check_rates(rates)
        for name, rate in rates.items():
            self._rates[self._layout.rates[name]] = rate

    def run(
        self, images: Array, seeds: Array, labels: Array | None = None, *, n_ticks: int | None = None
    ) -> Results:
        """Present samples in order; learn them if there are labels.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, n_pixels)
        seeds : ndarray of uint32, shape (n,)
        labels : ndarray of int, shape (n,), optional
        n_ticks : int, optional
            Longest presentation; default is the graph's.

        Raises
        ------
        ValueError
            For arrays of another shape, or labels that are no class.
        """
        images, seeds = np.asarray(images), np.array(seeds, dtype=np.int64)
        if images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != self.graph.n_pixels:
            raise ValueError(
                f"images are {images.dtype} of shape {images.shape}; they must be uint8 of shape "
                f"(n, {self.graph.n_pixels})"
            )
        targets = np.zeros(len(images), np.int64) if labels is None else np.array(labels, dtype=np.int64)
        if seeds.shape != (len(images),) or targets.shape != (len(images),):
            raise ValueError(
                f"there are {len(images)} images, seeds of shape {seeds.shape} and labels of shape {targets.shape}"
            )
        if targets.size and not 0 <= targets.min() <= targets.max() < max(self.graph.n_classes, 1):
            raise ValueError(f"labels must be from 0 to {max(self.graph.n_classes, 1) - 1}")
        images = np.ascontiguousarray(self.graph.seen(images)).view()
        images.flags.writeable = False
        table = np.zeros((len(images), 3), dtype=np.int64)
        kernels.run_batch(
            self._tables,
            self._state,
            self._weights,
            self._rates,
            images,
            seeds,
            targets,
            labels is not None,
            n_ticks or self.graph.n_ticks,
            self.decide_after,
            self._counters,
            self._population_counters,
            table,
        )
        return Results(table[:, 0], table[:, 1], table[:, 2])

    def counters(self) -> dict[str, int]:
        """Return all counters by name."""
        result = {
            "samples": int(self._counters[fast_kernels.SAMPLES]),
            "ticks": int(self._counters[fast_kernels.TICKS]),
            "input_spikes": int(self._counters[fast_kernels.INPUT_SPIKES]),
        }
        return result | self._named_counters(self._population_counters)


def _new_state(graph: Graph, layout: Layout) -> kernels.State:
    """Return what changes while samples run, all of it cleared."""
    n, lanes = len(graph.populations), layout.lanes
    slots = 1 + max(projection.delay for projection in graph.projections)
    longest = max(part.size for part in graph.writers) + 4
    places = n_places(graph)
    rows = max(sum(graph.size_of(p.source) for p in graph.onto(q.name)) for q in graph.populations)
    delay = graph.readout.delay if graph.readout is not None else 1

    def zeros(dtype: type, *shape: int) -> Array:
        return np.zeros(shape, dtype=dtype)

    return kernels.State(
        x=zeros(np.int32, n, MAX_STATES, lanes),
        y=zeros(np.int32, n, MAX_STATES, lanes),
        u=zeros(np.int16, n, 2, lanes),
        whole=zeros(np.int16, n, lanes),
        rest=zeros(np.int16, n, lanes),
        word_range=zeros(np.int64, n, 2),
        active=zeros(np.int32, n, lanes),
        refractory=zeros(np.int32, n, lanes),
        noise=zeros(np.int32, n, 1, lanes),
        fires=zeros(np.int32, lanes),
        draws=zeros(np.int64, n + 1, 5),
        source_draws=zeros(np.int64, len(graph.sources)),
        spikes=zeros(np.int32, len(graph.writers) * slots, longest),
        n_spikes=zeros(np.int64, len(graph.writers) * slots),
        rows=zeros(np.int64, rows + 1),
        row_draws=zeros(np.int64, rows + 1),
        ends=zeros(np.int64, len(graph.projections)),
        which=zeros(np.int64, len(graph.projections)),
        pixels=zeros(np.int64, places),
        values=zeros(np.int64, places),
        phase=zeros(np.int64, places),
        n_pixels=zeros(np.int64, len(graph.sources)),
        counts=zeros(np.int64, graph.n_classes if graph.readout is not None else 1),
        stops=zeros(np.int64, delay),
    )
