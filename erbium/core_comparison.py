# SPDX-License-Identifier: BSD-2-Clause
"""A core in hardware beside its model: how many integers differ."""

from __future__ import annotations

from typing import Any

from erbium.gen.core_chip import CoreChip
from erbium.sw_model.constants import Array
from erbium.sw_model.core.fast import CoreModel
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.graph_model.drive import NOTHING, Drive
from erbium.sw_model.results import SampleResult


class CoreComparison:
    """The model and the core in hardware, which do the same samples.

    Parameters
    ----------
    graph : Graph
    core : CoreChip
        With the graph loaded.
    probes : bool
        Whether the model keeps its states, for :meth:`_differing_states`.

    Attributes
    ----------
    samples, clocks : int
        So far, and the core's clocks in them.
    differing : int
        Spikes, states, answers and ticks of samples that differ so far.
    """

    core: Any

    def __init__(self, graph: Graph, core: CoreChip, *, probes: bool = False) -> None:
        self.model, self.core = CoreModel(graph, probes=probes), core
        self.samples = self.clocks = self.differing = 0

    @property
    def spikes(self) -> dict[str, Array]:
        """Those of the last sample, from the hardware."""
        spikes: dict[str, Array] = self.core.spikes
        return spikes

    def sample(
        self,
        image: Array,
        *,
        seed: int,
        label: int | None = None,
        n_ticks: int | None = None,
        drive: Drive = NOTHING,
    ) -> SampleResult:
        """Present a sample to both; return what the hardware answers."""
        expected, got = (
            chip.sample(image, seed=seed, label=label, n_ticks=n_ticks, drive=drive)
            for chip in (self.model, self.core)
        )
        self.samples += 1
        self.clocks += self._clocks()
        self.differing += expected != got
        if self._has_spikes(got):
            found = self.core.spikes
            self.differing += sum(
                different(spikes, found[name]) for name, spikes in self.model.spikes.items()
            )
        self.differing += self._differing_states()
        return got

    def _has_spikes(self, result: SampleResult) -> bool:
        """Return whether the core has all spikes of its last sample."""
        return True

    def _clocks(self) -> int:
        """Return the clocks of the last sample, if the core counts them."""
        return 0

    def _differing_states(self) -> int:
        """Return how many states of the last sample differ, of those that are compared."""
        return 0

    def end(self) -> int:
        """Return how many integers differ: those so far, weights, and counters."""
        weights = self.core.weights
        self.differing += sum(different(mine, weights[name]) for name, mine in self.model.weights.items())
        counters = self.core.counters()
        self.differing += sum(counters[name] != value for name, value in self.model.counters().items())
        return self.differing


class BoardComparison(CoreComparison):
    """The model and the core of a board: spikes are compared as far as the core keeps them."""

    def _has_spikes(self, result: SampleResult) -> bool:
        return result.ticks <= int(self.core.recorded_ticks)


def different(one: Array, other: Array) -> int:
    """Return how many integers of two arrays differ; all of the larger one if their shapes do."""
    return int((one != other).sum()) if one.shape == other.shape else max(one.size, other.size)
