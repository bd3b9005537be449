# SPDX-License-Identifier: BSD-2-Clause
"""The gallery on the core in hardware, simulated: one compiled core, into which each behaviour's graph is loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from erbium.gallery.behaviours import Behaviour
from erbium.gallery.record import Recording, record
from erbium.sw_model.description.graph import Graph
from erbium.verif.core_library import SMALL, CoreRtl


def machine() -> Callable[[Graph], CoreRtl]:
    """Return what loads a graph into a core, compiled at the first one."""
    cores: list[CoreRtl] = []

    def load(graph: Graph) -> CoreRtl:
        if cores:
            cores[0].load_graph(graph)
        else:
            cores.append(CoreRtl(graph, SMALL, probes=True))
        return cores[0]

    return load


def differing(behaviours: Sequence[Behaviour], recordings: Sequence[Recording]) -> int:
    """Return how many states and spikes of recordings differ from those of the model."""
    count = 0
    for behaviour, recording in zip(behaviours, recordings, strict=True):
        model = record(behaviour)
        count += int((model.states != recording.states).sum())
        count += np.setxor1d(model.spikes, recording.spikes).size
    return count
