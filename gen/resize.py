# SPDX-License-Identifier: BSD-2-Clause
"""A network with other hidden layers, and with inputs and classes as some data has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from erbium.sw_model.network import Network
from erbium.sw_model.programs import DescriptionError


def resized(network: Network, hidden: Sequence[int], n_inputs: int, n_classes: int) -> Network:
    """Return `network` with other sizes; all else stays: programs, rules, widths, blank-out.

    Parameters
    ----------
    network : Network
        Its hidden layers are the patterns of the new ones, in order.
    hidden : sequence of int
        Neurons of the new hidden layers.
    n_inputs, n_classes : int

    Raises
    ------
    DescriptionError
        If the network has no hidden layer to go by, or the sizes make no network.

    Notes
    -----
    Hidden layers of an eRBP network after those of the pattern learn at half the rate of the first and their weights
    start smaller, as in :func:`erbium.gen.presets.erbp_network`. The first threshold of a first-spike network grows
    with the square root of the inputs, as a sum of as many random weights does. The others depend on how many neurons
    of the layer before spike and when, which learning decides: so a first-spike network keeps its number of layers.
    """
    *patterns, output = network.layers
    if not patterns:
        raise DescriptionError(
            f"--hidden takes the hidden layers of network {network.name!r} as patterns and it has none; "
            "start from another preset"
        )
    network.error.check_depth(network, hidden)
    layers = []
    for number, size in enumerate(hidden):
        layer = patterns[min(number, len(patterns) - 1)]
        layer = network.error.resized(layer, number, n_inputs / network.n_inputs)
        if number > 0 and len(patterns) == 1:
            layer = replace(layer, gain=layer.gain // 2, weight_bound=min(layer.weight_bound, 16))
        if n_classes % 2 and layer.feedback == "sign":
            # Feedback of +1 and -1 adds up to 0 over an even number of classes only.
            layer = replace(layer, feedback="wide", gain=layer.gain * 2 // 3)
        layers.append(replace(layer, n_neurons=size))
    shape = (n_inputs, *hidden, n_classes)
    return replace(
        network,
        name=f"{network.error.stem}-{'-'.join(map(str, shape))}",
        n_inputs=n_inputs,
        layers=(*layers, replace(output, n_neurons=n_classes)),
    )
