# SPDX-License-Identifier: BSD-2-Clause
"""The core in hardware: integers that differ from the model in the tasks, in short, and clocks beside an array."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import NamedTuple

import numpy as np

from erbium.bench.core import bandit, lines, sequence, xor, yin_yang
from erbium.core_comparison import CoreComparison, different
from erbium.sw_model.constants import sample_seeds
from erbium.sw_model.datasets.split import Dataset
from erbium.sw_model.description.chain import chain
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.machine import CoreHardware
from erbium.sw_model.graph_fast.array import FastGraph
from erbium.sw_model.network import Hardware, Network
from erbium.verif.core_library import SMALL, CoreRtl
from erbium.verif.library import RtlArray

POINTS = 12

Make = Callable[[Graph], CoreComparison]
"""Makes the core of a graph."""


class OnRtl(CoreComparison):
    """The model and the simulated core, whose states are compared after each sweep."""

    core: CoreRtl

    def _clocks(self) -> int:
        return self.core.clocks

    def _differing_states(self) -> int:
        found = self.core.states
        return sum(different(states, found[name]) for name, states in self.model.states.items())


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

    def made(graph: Graph) -> OnRtl:
        core.load_graph(graph)
        return OnRtl(graph, core, probes=True)

    found = do_tasks(
        made,
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


class Clocks(NamedTuple):
    """Clocks of a learned sample on a core and on an array, and how many weights of the core are not the model's."""

    core: float
    array: float
    differing_weights: int


def clocks_beside_array(network: Network, hardware: CoreHardware, data: Dataset, count: int) -> Clocks:
    """Let a core, loaded with a layered network, and an array with as many lanes learn the same samples.

    Parameters
    ----------
    network : Network
    hardware : CoreHardware
    data : Dataset
        The first `count` samples for training are learned, from the weights of the beginning.
    """
    images, labels = data.train.images[:count].reshape(count, -1), data.train.labels[:count]
    seeds = sample_seeds(network.seed, True, 0, count)
    graph = chain(network)
    model = FastGraph(graph)
    model.run(images, seeds, labels)
    with (
        closing(CoreRtl(graph, hardware)) as core,
        closing(RtlArray(network, Hardware(lanes=hardware.lanes))) as array,
    ):
        taken = 0
        for image, seed, label in zip(images, seeds, labels, strict=True):
            core.sample(image, seed=int(seed), label=int(label))
            taken += core.clocks
        array.run(images, seeds, labels)
        differing = sum(different(weights, model.weights[name]) for name, weights in core.weights.items())
        return Clocks(taken / count, array.cycles / count, differing)


def do_tasks(
    make: Make, tasks: Mapping[str, Callable[[Make], object]], clocks: Callable[[], int] | None = None
) -> dict[str, list[int]]:
    """Do tasks one after the other on what `make` makes, one for each; return what differs, samples, clocks.

    `clocks` counts those of a board; without it a core counts its own.
    """
    found: dict[str, list[int]] = {}
    for name, do in tasks.items():
        made: list[CoreComparison] = []

        def kept(graph: Graph, made: list[CoreComparison] = made) -> CoreComparison:
            made.append(make(graph))
            return made[-1]

        before = clocks() if clocks else 0
        do(kept)
        (chip,) = made
        differing = chip.end()
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
