# SPDX-License-Identifier: BSD-2-Clause
"""The generated hardware of a graph, with the interface of the graph's reference model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from erbium.hdl.population import EnginePopulation
from erbium.hdl.tokens import NO_ANSWER as NO_ANSWER_OF_CHIP
from erbium.sw_model.constants import Array
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.graph_model.readout import NO_ANSWER
from erbium.sw_model.results import Results


class Hardware(Protocol):
    """A chip, simulated or on a board, whose weights are the rows of its memories."""

    populations: tuple[EnginePopulation, ...]

    @property
    def weights(self) -> list[Array]:
        """What the memories hold."""

    def load(self, weights: Sequence[Array]) -> None:
        """Replace it."""

    def run(
        self, images: Array, seeds: Array, labels: Array | None = None, *, n_ticks: int | None = None
    ) -> Results:
        """Present samples."""

    def set_rates(self, rates: Sequence[int]) -> None:
        """Set the learning rate of each population."""

    def counters(self) -> dict[str, int]:
        """Return the counters."""


class GraphChip:
    """A chip of a graph, as :class:`erbium.sw_model.graph_model.array.GraphModel` is called: parts by their names.

    Parameters
    ----------
    graph : Graph
    chip : Hardware
        Such as :class:`erbium.verif.library.RtlChip` or :class:`erbium.fpga.driver.BoardArray` of the graph.
    """

    def __init__(self, graph: Graph, chip: Hardware) -> None:
        self.graph, self.chip = graph, chip

    def set_rates(self, rates: Mapping[str, int]) -> None:
        """Set learning rates by name (:attr:`Graph.rates`); those that are not named are full."""
        values = []
        for population in self.chip.populations:
            projection = population.feedback_projection
            name = population.name if projection is None else projection.name
            values.append(rates.get(name, population.rate.full))
        self.chip.set_rates(values)

    def run(
        self, images: Array, seeds: Array, labels: Array | None = None, *, n_ticks: int | None = None
    ) -> Results:
        """Present samples in order, as the chip does."""
        results = self.chip.run(images, seeds, labels, n_ticks=n_ticks)
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
