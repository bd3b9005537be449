# SPDX-License-Identifier: BSD-2-Clause
"""Trained weights as the words that a synapse memory holds."""

from __future__ import annotations

from collections.abc import Sequence

from erbium.sw_model.network import Hardware, Network

LayerWeights = Sequence[Sequence[int]]
"""Weights of one layer: rows of neurons, as ``Network.initial_weights`` has them."""


def check_weights(network: Network, weights: Sequence[LayerWeights]) -> None:
    """Raise ``ValueError`` unless there is a weight for each synapse of a network, and each is in its range."""
    if len(weights) != len(network.layers):
        raise ValueError(
            f"there are weights for {len(weights)} layers; {network.name!r} has {len(network.layers)}"
        )
    for number, (layer, rows) in enumerate(zip(network.layers, weights, strict=True)):
        shape = network.n_rows(number), layer.n_neurons
        if len(rows) != shape[0] or any(len(row) != shape[1] for row in rows):
            raise ValueError(
                f"the weights of layer {number + 1} are not {shape[0]} rows of {shape[1]}, as {network.name!r} has them"
            )
        for value in (int(value) for row in rows for value in row):
            if not layer.weight_min <= value <= layer.weight_max:
                raise ValueError(
                    f"a weight of layer {number + 1} is {value}; it must be from {layer.weight_min} to "
                    f"{layer.weight_max}"
                )


def memory_words(network: Network, hardware: Hardware, number: int, rows: LayerWeights) -> list[int]:
    """Return what the memory of a layer (counted from 0) holds, address by address.

    A word holds the weights of `lanes` neighbouring neurons in two's complement, the first one in its lowest bits. A
    row begins at a multiple of ``hardware.stride_of``; lanes and words without a neuron are 0.
    """
    layer, lanes = network.layers[number], hardware.lanes_of(network, number)
    stride, width = hardware.stride_of(network, number), layer.weight_width
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
