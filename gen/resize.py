# SPDX-License-Identifier: BSD-2-Clause
"""A network with other hidden layers, and with inputs and classes as some data has them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from erbium.sw_model.network import Layer, Network
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
    Hidden layers behind the first one are as the builders of :mod:`erbium.gen.presets` have them: with eRBP
    the gain is half of the first layer's and the weights start smaller. The first threshold of a first-spike network
    grows with the square root of the inputs, as a sum of as many random weights does.
    """
    *patterns, output = network.layers
    if not patterns:
        raise DescriptionError(
            f"--hidden takes the hidden layers of network {network.name!r} as patterns and it has none; "
            "start from another preset"
        )
    layers = []
    for number, size in enumerate(hidden):
        layer = patterns[min(number, len(patterns) - 1)]
        if number == 0 and network.is_first_spike:
            layer = _with_threshold(layer, layer.program.threshold * math.sqrt(n_inputs / network.n_inputs))
        elif number >= len(patterns) == 1:
            layer = _later(layer, output, network.is_first_spike)
        if n_classes % 2 and layer.feedback == "sign":
            # Feedback of +1 and -1 adds up to 0 over an even number of classes only.
            layer = replace(layer, feedback="wide", gain=layer.gain * 2 // 3)
        layers.append(replace(layer, n_neurons=size))
    shape = (n_inputs, *hidden, n_classes)
    return replace(
        network,
        name=f"{'first-spike' if network.is_first_spike else 'erbp'}-{'-'.join(map(str, shape))}",
        n_inputs=n_inputs,
        layers=(*layers, replace(output, n_neurons=n_classes)),
    )


def _later(first: Layer, output: Layer, first_spike: bool) -> Layer:
    """Return the pattern of a hidden layer behind the first one."""
    if first_spike:
        return _with_threshold(first, output.program.threshold)
    return replace(first, gain=first.gain // 2, weight_bound=min(first.weight_bound, 16))


def _with_threshold(layer: Layer, threshold: float) -> Layer:
    return replace(layer, program=replace(layer.program, threshold=max(1, round(threshold))))
