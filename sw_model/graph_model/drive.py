# SPDX-License-Identifier: BSD-2-Clause
"""What a host says of a sample besides pixels, seed and label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from erbium.sw_model.constants import Array
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.programs import STATE_MAX, STATE_MIN


@dataclass(frozen=True)
class Drive:
    """What a host says of a sample besides pixels, seed and label.

    Parameters
    ----------
    learn : bool or None
        Whether weights change; ``None``: if the sample has a label.
    clear : bool
        Whether states, ports, histories, timers, random numbers and delayed events begin anew. Otherwise the network
        runs on where the last sample ended; Phase and LatencyEncoder begin anew in any case.
    factor : int
        The factor g of history rules: -1, 0 or 1.
    events : dict of ndarray of bool, shape (ticks, size)
        By the name of a source of :class:`~erbium.sw_model.description.parts.Events`: who spikes at each tick. After
        the last one there is silence.
    values : dict of int
        By the name of a modulator: what is added once, at the first tick; int16.
    gains : dict of int
        By the name of a modulator that hears a population: -1, 0 or 1. Default is 0.
    """

    learn: bool | None = None
    clear: bool = True
    factor: int = 1
    events: Mapping[str, Array] = field(default_factory=dict)
    values: Mapping[str, int] = field(default_factory=dict)
    gains: Mapping[str, int] = field(default_factory=dict)

    def learns(self, label: int | None) -> bool:
        """Whether a sample with this label is learned."""
        return label is not None if self.learn is None else self.learn

    def check(self, graph: Graph) -> None:
        """Raise ``ValueError`` for what a graph does not have, and for numbers out of their ranges."""
        if self.factor not in (-1, 0, 1):
            raise ValueError(f"factor is {self.factor}; it must be -1, 0 or 1")
        sources = {source.name: source for source in graph.event_sources}
        for name, given in self.events.items():
            if name not in sources:
                raise ValueError(f"no source {name!r} takes events; {_those(sources)} do")
            shape, dtype = np.shape(given), np.asarray(given).dtype
            if len(shape) != 2 or shape[1] != sources[name].size or dtype != np.bool_:
                raise ValueError(
                    f"events of source {name!r} are {dtype} of shape {shape}; they must be bool of shape (ticks, "
                    f"{sources[name].size})"
                )
        known = {modulator.name for modulator in graph.modulators}
        for what, named, low, high in (
            ("value", self.values, STATE_MIN, STATE_MAX),
            ("gain", self.gains, -1, 1),
        ):
            for name, number in named.items():
                if name not in known:
                    raise ValueError(f"there is no modulator {name!r}; there are {_those(known)}")
                if not low <= number <= high:
                    raise ValueError(
                        f"{what} of modulator {name!r} is {number}; it must be from {low} to {high}"
                    )


NOTHING = Drive()
"""A sample that says nothing else."""


def _those(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
