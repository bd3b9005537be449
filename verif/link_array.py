# SPDX-License-Identifier: BSD-2-Clause
"""The compiled model of the array, as the model of the host link drives it."""

from __future__ import annotations

import numpy as np

from erbium.hdl.registers import counter_names, performance_names
from erbium.sw_model.network import Network
from erbium.verif.link_model import Sample


class ModelledArray:
    """An array for :class:`erbium.verif.link_model.LinkModel`."""

    def __init__(self, network: Network) -> None:
        # Here, for it takes longer to load than most benches take, and each of them reads the registry.
        from erbium.sw_model.fast import FastArray

        self._network, self._array = network, FastArray(network)
        self._names, self._unknown = counter_names(network), len(performance_names(network))
        self._before = self._array.counters()

    def row(self, layer: int, number: int) -> list[int]:
        """Return the weights of a row."""
        return [int(weight) for weight in self._array.weights[layer][number]]

    def set_row(self, layer: int, number: int, weights: list[int]) -> None:
        """Replace the weights of a row."""
        every = self._array.weights
        every[layer][number] = weights
        self._array.load(every)

    def run(self, sample: Sample) -> tuple[int, int, int]:
        """Process a sample."""
        settings = dict(sample.settings)
        image = np.zeros((1, self._network.n_inputs), dtype=np.uint8)
        for address, value in sample.pixels:
            image[0, address] = value
        n_ticks, self._array.decide_after = settings.pop("n_ticks"), settings.pop("decide_after")
        self._array.set_rates(list(settings.values()))
        labels = np.array([sample.label]) if sample.learn else None
        seeds = np.array([sample.seed], dtype=np.uint32)
        found = self._array.run(image, seeds, labels, n_ticks=n_ticks)
        return int(found.answers[0]), int(found.ticks[0]), int(found.ticks_to_decision[0])

    def counters(self) -> list[int | None]:
        """Return the counters since the last reset; those of clocks are not known."""
        now = self._array.counters()
        return [*(now[name] - self._before[name] for name in self._names), *[None] * self._unknown]

    def reset(self) -> None:
        """Begin to count anew."""
        self._before = self._array.counters()
