# SPDX-License-Identifier: BSD-2-Clause
"""What both compiled paths of a graph share: weights by projection, and counters by name."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from erbium.sw_model.constants import Array
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.fast_kernels import ROWS_LEARNED, SPIKES, SYNAPTIC_OPERATIONS, WEIGHTS_CHANGED
from erbium.sw_model.graph_fast.tables import Layout

_COLUMNS = {
    "spikes": SPIKES,
    "synaptic_operations": SYNAPTIC_OPERATIONS,
    "rows_learned": ROWS_LEARNED,
    "weights_changed": WEIGHTS_CHANGED,
}


class CompiledGraph:
    """A graph whose weights lie in one array, one projection after the other.

    Parameters
    ----------
    graph : Graph
    layout : Layout
        Where the parts lie.
    weights : ndarray of int, shape (layout.n_rows or 1, layout.lanes)
        Filled with the initial weights, and kept.
    """

    def __init__(self, graph: Graph, layout: Layout, weights: Array) -> None:
        self.graph, self._layout, self._weights = graph, layout, weights
        self._stored = {projection.name: projection for projection in layout.stored}
        self.load({name: graph.initial_weights(projection) for name, projection in self._stored.items()})

    @property
    def weights(self) -> dict[str, Array]:
        """Weights by projection, int16 of shape ``(source size, target size)``, as copies."""
        return {name: self._part(name).astype(np.int16) for name in self._stored}

    def load(self, weights: Mapping[str, Array]) -> None:
        """Replace the weights of the projections that are named; of the others nothing changes."""
        self.graph.check_weights(weights)
        for name, values in weights.items():
            part = self._part(name)
            if np.shape(values) != part.shape:
                raise ValueError(
                    f"weights of projection {name!r} have shape {np.shape(values)}, not {part.shape}"
                )
            part[:] = np.where(self.graph.synapses(self._stored[name]), values, 0)

    def _part(self, name: str) -> Array:
        """Return the view of a projection's weights."""
        first, count = self._layout.rows[name]
        size = self.graph.size_of(self._stored[name].target)
        part: Array = self._weights[first : first + count, :size]
        return part

    def _named_counters(self, populations: Array) -> dict[str, int]:
        """Return the counters of the populations by name, from int64 of shape ``(n_populations, 4)``."""
        result: dict[str, int] = {}
        for population, row in zip(self.graph.populations, populations, strict=True):
            counted = _COLUMNS if self.graph.stored(population.name) else {"spikes": SPIKES}
            result |= {f"{population.name}_{name}": int(row[column]) for name, column in counted.items()}
        return result
