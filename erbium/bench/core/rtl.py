# SPDX-License-Identifier: BSD-2-Clause
"""The tasks on the core in hardware, in short, beside the model: how many integers differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from erbium.bench.core import bandit, lines, sequence, xor, yin_yang
from erbium.gen.core_chip import CoreChip
from erbium.sw_model.constants import Array
from erbium.sw_model.core.fast import CoreModel
from erbium.sw_model.description.chain import chain
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.graph_model.drive import NOTHING, Drive
from erbium.sw_model.results import SampleResult
from erbium.verif.core_library import SMALL, CoreRtl

POINTS = 12

Make = Callable[[Graph], "Beside"]
"""Makes the core of a graph."""


class Beside:
    """The model and the core in hardware, which do the same samples.

    Parameters
    ----------
    graph : Graph
    core : CoreChip
        The graph is loaded into it.

    Attributes
    ----------
    samples, clocks : int
        So far, and the core's clocks in them.
    differing : int
        Spikes, states, answers and ticks of samples that differ so far.
    """

    core: Any

    def __init__(self, graph: Graph, core: CoreChip) -> None:
        self.model, self.core = CoreModel(graph, probes=True), core
        core.load_graph(graph)
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
        found = self.core.spikes
        self.differing += sum(different(spikes, found[name]) for name, spikes in self.model.spikes.items())
        self.differing += self._differing_states()
        return got

    def _clocks(self) -> int:
        """Return the clocks of the last sample."""
        return int(self.core.clocks)

    def _differing_states(self) -> int:
        """Return how many states of the last sample differ."""
        found = self.core.states
        return sum(different(states, found[name]) for name, states in self.model.states.items())

    def close(self) -> int:
        """Return how many integers differ: those so far, weights, and counters."""
        weights = self.core.weights
        self.differing += sum(different(mine, weights[name]) for name, mine in self.model.weights.items())
        counters = self.core.counters()
        self.differing += sum(counters[name] != value for name, value in self.model.counters().items())
        return self.differing


def different(one: Array, other: Array) -> int:
    """Return how many integers of two arrays differ; all of the larger one if their shapes do."""
    return int((one != other).sum()) if one.shape == other.shape else max(one.size, other.size)


def differing_integers(seed: int, *, quick: bool) -> tuple[int, dict[str, list[int]]]:
    """Do each task in short on one simulated core.

    Returns
    -------
    int
        Integers that differ from the model's.
    dict of list of int
        By task: what differs, samples, clocks of the core.
    """
    core = CoreRtl(xor.network(seed), SMALL, probes=True)
    scale = 1 if quick else 10
    found = do_tasks(
        lambda graph: Beside(graph, core),
        {
            "xor": lambda make: xor.solves(seed, epochs=scale, tests=1, make=make),
            "bandit": lambda make: bandit.blocks(seed, n_blocks=2, trials=10 * scale, make=make),
            "sequence": lambda make: sequence.detectors(seed, learned=10 * scale, tested=2, make=make),
            "lines": lambda make: lines.shares(seed, learned=20 * scale, counted=10, make=make),
            "yin-yang": lambda make: points_of(seed, POINTS * scale, make),
        },
    )
    core.close()
    return sum(values[0] for values in found.values()), found


def do_tasks(
    make: Make, tasks: Mapping[str, Callable[[Make], object]], clocks: Callable[[], int] | None = None
) -> dict[str, list[int]]:
    """Do tasks one after the other on what `make` makes, one for each; return what differs, samples, clocks.

    `clocks` counts those of a board; without it a core counts its own.
    """
    found: dict[str, list[int]] = {}
    for name, do in tasks.items():
        made: list[Beside] = []

        def kept(graph: Graph, made: list[Beside] = made) -> Beside:
            made.append(make(graph))
            return made[-1]

        before = clocks() if clocks else 0
        do(kept)
        (chip,) = made
        differing = chip.close()
        found[name] = [differing, chip.samples, clocks() - before if clocks else chip.clocks]
    return found


def points_of(seed: int, count: int, make: Make) -> None:
    """Learn some points of Yin-Yang, and answer a quarter as many."""
    chip = make(chain(yin_yang.network(seed)))
    (values, labels), (others, _) = yin_yang.points(count, 42), yin_yang.points(count // 4, 40)
    for number, (image, label) in enumerate(zip(yin_yang.coded(values), labels, strict=True)):
        chip.sample(image, seed=number, label=int(label))
    for number, image in enumerate(yin_yang.coded(np.asarray(others))):
        chip.sample(image, seed=number)
