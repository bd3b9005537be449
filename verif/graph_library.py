# SPDX-License-Identifier: BSD-2-Clause
"""The generated hardware of a graph, with the interface of the graph's reference model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from erbium.hdl.tokens import NO_ANSWER as NO_ANSWER_OF_CHIP
from erbium.sw_model.array import Results
from erbium.sw_model.constants import Array
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.graph_model.readout import NO_ANSWER
from erbium.sw_model.network import Hardware
from erbium.verif.library import ArraySimulator, RtlChip


class RtlGraph:
    """The simulated chip of a graph, as :class:`erbium.sw_model.graph_model.array.GraphModel` is called.

    Parameters
    ----------
    graph : Graph
    hardware : Hardware, optional
    cache_dir : Path, optional
        Where compiled libraries are kept.
    simulator : str, optional
        See :func:`erbium.verif.library.build`.

    Raises
    ------
    DescriptionError
        If no array can be built for the graph.
    ToolError
        If there is no library in the cache and no simulator to make one.
    """

    def __init__(
        self,
        graph: Graph,
        hardware: Hardware | None = None,
        *,
        cache_dir: Path | None = None,
        simulator: ArraySimulator | None = None,
    ) -> None:
        self.graph = graph
        self.chip = RtlChip(graph, hardware, cache_dir=cache_dir, simulator=simulator)

    def set_rates(self, rates: Mapping[str, int]) -> None:
        """Set learning rates by name (:attr:`Graph.rates`); those that are not named are full."""
        values = []
        for population in self.chip.populations:
            projection = population.feedback_projection
            name = population.name if projection is None else projection.name
            values.append(rates.get(name, population.rate.full))
        self.chip.set_rates(values)

    def run(self, images: Array, seeds: Array, labels: Array | None = None, **options: Any) -> Results:
        """Present samples in order, see :meth:`RtlChip.run`."""
        results = self.chip.run(images, seeds, labels, **options)
        if self.graph.readout is None:
            assert (results.answers == NO_ANSWER_OF_CHIP).all()
            return Results(np.full_like(results.answers, NO_ANSWER), results.ticks, results.ticks_to_decision)
        return results

    def counters(self) -> dict[str, int]:
        """Return the counters that the model has, too, by name."""
        return self.chip.counters()

    @property
    def weights(self) -> dict[str, Array]:
        """Weights by projection, int16 of shape ``(source size, target size)``."""
        result: dict[str, Array] = {}
        for population, rows in zip(self.chip.populations, self.chip.weights, strict=True):
            result |= population.weights_in(rows)
        return result

    def load(self, weights: Mapping[str, Array]) -> None:
        """Replace the weights of the projections that are named; of the others nothing changes."""
        both = self.weights | dict(weights)
        self.chip.load([population.rows_of(both) for population in self.chip.populations])
