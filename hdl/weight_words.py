# SPDX-License-Identifier: BSD-2-Clause
"""Trained weights as the words that a synapse memory holds."""

from __future__ import annotations

from collections.abc import Sequence

from erbium.hdl.population import engine_populations
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.network import Network

LayerWeights = Sequence[Sequence[int]]
"""Weights of one layer: rows of neurons, as ``Network.initial_weights`` has them."""


def check_weights(network: Network | Graph, weights: Sequence[LayerWeights]) -> None:
    """Raise ``ValueError`` unless there is a weight for each synapse of a network, and each is in its range."""
    populations, name = engine_populations(network), network.name
    if len(weights) != len(populations):
        raise ValueError(f"there are weights for {len(weights)} layers; {name!r} has {len(populations)}")
    for number, (population, rows) in enumerate(zip(populations, weights, strict=True)):
        shape = population.n_rows, population.n_neurons
        if len(rows) != shape[0] or any(len(row) != shape[1] for row in rows):
            raise ValueError(
                f"the weights of layer {number + 1} are not {shape[0]} rows of {shape[1]}, as {name!r} has them"
            )
        low, high = population.weight_min, population.weight_max
        for value in (int(value) for row in rows for value in row):
            if not low <= value <= high:
                raise ValueError(
                    f"a weight of layer {number + 1} is {value}; it must be from {low} to {high}"
                )


def memory_words(rows: LayerWeights, lanes: int, stride: int, width: int) -> list[int]:
    """Return what the memory of a layer holds, address by address.

    A word holds the weights of `lanes` neighbouring neurons in two's complement of `width` bits, the first one in its
    lowest bits. A row begins at a multiple of `stride`; lanes and words without a neuron are 0.
    """
    mask = (1 << width) - 1
    words = []
    for row in rows:
        values = [int(value) & mask for value in row]
        for first in range(0, stride * lanes, lanes):
            words.append(
                sum(value << lane * width for lane, value in enumerate(values[first : first + lanes]))
            )
    return words


def holds_contents(kind: str) -> bool:
    """Whether a kind of memory, one of ``MEMORY_KINDS``, can hold weights from the configuration on."""
    return kind != "spram"
