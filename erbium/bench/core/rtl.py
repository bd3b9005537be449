# SPDX-License-Identifier: BSD-2-Clause
"""The tasks on the core in hardware, in short, beside the model: how many integers differ."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from erbium.bench.core import bandit, lines, sequence, xor, yin_yang
from erbium.sw_model.constants import Array
from erbium.sw_model.core.fast import CoreModel
from erbium.sw_model.description.chain import chain
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.graph_model.drive import NOTHING, Drive
from erbium.sw_model.results import SampleResult
from erbium.verif.core_library import SMALL, CoreRtl

POINTS = 12


class Beside:
    """The model and the core in hardware, which do the same samples.

    Parameters
    ----------
    graph : Graph
    core : CoreRtl
        The graph is loaded into it.

    Attributes
    ----------
    samples, clocks : int
        So far, and the core's clocks in them.
    differing : int
        Spikes, states, answers and ticks of samples that differ so far.
    """

    def __init__(self, graph: Graph, core: CoreRtl) -> None:
        self.model, self.core = CoreModel(graph, probes=True), core
        core.load_graph(graph)
        self.samples = self.clocks = self.differing = 0

    @property
    def spikes(self) -> dict[str, Array]:
        """Those of the last sample, from the hardware."""
        return self.core.spikes

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
        self.clocks += self.core.clocks
        self.differing += expected != got
        for mine, others in ((self.model.spikes, self.core.spikes), (self.model.states, self.core.states)):
            self.differing += sum(different(mine[name], others[name]) for name in mine)
        return got

    def close(self) -> int:
        """Return how many integers differ: those so far, weights, and counters."""
        weights = self.core.weights
        self.differing += sum(different(mine, weights[name]) for name, mine in self.model.weights.items())
        counters = self.core.counters()
        return self.differing + sum(counters[name] != value for name, value in self.model.counters().items())


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
    found: dict[str, list[int]] = {}

    def task(name: str, do: Callable[[Callable[[Graph], Beside]], object]) -> None:
        made: list[Beside] = []

        def make(graph: Graph) -> Beside:
            made.append(Beside(graph, core))
            return made[-1]

        do(make)
        (chip,) = made
        found[name] = [chip.close(), chip.samples, chip.clocks]

    task("xor", lambda make: xor.solves(seed, epochs=scale, tests=1, make=make))
    task("bandit", lambda make: bandit.blocks(seed, n_blocks=2, trials=10 * scale, make=make))
    task("sequence", lambda make: sequence.detectors(seed, learned=10 * scale, tested=2, make=make))
    task("lines", lambda make: lines.shares(seed, learned=20 * scale, counted=10, make=make))
    task("yin-yang", lambda make: _yin_yang(seed, POINTS * scale, make))
    core.close()
    return sum(values[0] for values in found.values()), found


def _yin_yang(seed: int, count: int, make: Callable[[Graph], Beside]) -> None:
    chip = make(chain(yin_yang.network(seed)))
    (values, labels), (others, _) = yin_yang.points(count, 42), yin_yang.points(count // 4, 40)
    for number, (image, label) in enumerate(zip(yin_yang.coded(values), labels, strict=True)):
        chip.sample(image, seed=number, label=int(label))
    for number, image in enumerate(yin_yang.coded(np.asarray(others))):
        chip.sample(image, seed=number)
