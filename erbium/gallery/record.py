# SPDX-License-Identifier: BSD-2-Clause
"""Run a behaviour on a machine and by its equations, tick by tick."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from erbium.gallery.behaviours import Behaviour
from erbium.sw_model.constants import STREAM_NOISE, Array, salt
from erbium.sw_model.core.fast import CoreModel
from erbium.sw_model.description.connect import Identity
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import Events, Population, Projection, Source
from erbium.sw_model.graph_model.drive import Drive
from erbium.sw_model.results import SampleResult
from erbium.sw_model.rng import Generator

BITS = 12
"""Of a drive in two's complement: each is a source of events, whose weight is what the bit is worth."""
SEED = 1


class Machine(Protocol):
    """What runs a graph: the compiled core, or a chip behind the same methods."""

    spikes: dict[str, Array]
    states: dict[str, Array]

    def sample(
        self, image: Array, *, seed: int, n_ticks: int | None = None, drive: Drive = ...
    ) -> SampleResult:
        """Run for so many ticks; `spikes` and `states` are then those of each of them."""


@dataclass(frozen=True)
class Recording:
    """A behaviour, twice.

    Attributes
    ----------
    behaviour : Behaviour
    states : ndarray of int16, shape (ticks, n_states)
        Of the machine, after each sweep.
    spikes : ndarray of int64
        Its ticks with a spike.
    float_states : ndarray of float64, shape (ticks, n_states)
    float_spikes : ndarray of int64
    """

    behaviour: Behaviour
    states: Array
    spikes: Array
    float_states: Array
    float_spikes: Array

    @property
    def equal_counts(self) -> bool:
        """Whether both have the same number of spikes."""
        return self.spikes.size == self.float_spikes.size

    @property
    def farthest(self) -> int | None:
        """Ticks by which spikes of the same number differ at most; ``None`` without spikes or with other counts."""
        if not self.equal_counts or not self.spikes.size:
            return None
        return int(np.abs(self.spikes - self.float_spikes).max())


def graph_of(behaviour: Behaviour) -> Graph:
    """Return one neuron, and a source of events for each bit of its drive."""
    worth = [1 << bit for bit in range(BITS - 1)] + [-(1 << (BITS - 1))]
    return Graph(
        behaviour.name,
        tuple(Source(f"bit_{bit}", 1, Events()) for bit in range(BITS)),
        (Population("neuron", 1, behaviour.program),),
        tuple(Projection(f"bit_{bit}", "neuron", Identity(weight=value)) for bit, value in enumerate(worth)),
        n_ticks=len(behaviour.drive),
        seed=SEED,
    )


def events_of(drive: tuple[int, ...]) -> Mapping[str, Array]:
    """Return the events of a drive, by source; ValueError for one that its bits do not hold."""
    values = np.array(drive)
    limit = 1 << (BITS - 1)
    if values.min() < -limit or values.max() >= limit:
        raise ValueError(
            f"the drive is from {values.min()} to {values.max()}; it must be from {-limit} to {limit - 1}"
        )
    return {f"bit_{bit}": ((values >> bit) & 1).astype(np.bool_)[:, None] for bit in range(BITS)}


def model(graph: Graph) -> Machine:
    """Return the compiled model of the core."""
    return CoreModel(graph, probes=True)


def record(behaviour: Behaviour, machine: Callable[[Graph], Machine] = model) -> Recording:
    """Run a behaviour; `machine` makes what runs its graph."""
    graph = graph_of(behaviour)
    chip = machine(graph)
    chip.sample(
        np.zeros(0, dtype=np.uint8), seed=SEED, drive=Drive(learn=False, events=events_of(behaviour.drive))
    )
    noise = Generator(salt(graph.populations[0].process, STREAM_NOISE))
    noise.seed(SEED)
    float_states, float_spikes = behaviour.equations.run(
        behaviour.drive, [noise.noise() for _ in behaviour.drive]
    )
    return Recording(
        behaviour,
        chip.states["neuron"][:, :, 0],
        np.flatnonzero(chip.spikes["neuron"][:, 0]),
        float_states[:, : behaviour.program.n_states],
        np.flatnonzero(float_spikes),
    )
