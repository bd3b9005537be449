# SPDX-License-Identifier: BSD-2-Clause
"""Layers in a row, as a graph: what :class:`erbium.sw_model.network.Network` says, with nothing left implicit.

======================= ==============================================================================
of a layered network    in the graph
======================= ==============================================================================
encoder                 source ``input``
bias row                source ``bias``, a projection to each layer after the other rows
margin                  source ``label``, an identity of ``-margin`` on port 0 of the last layer
error neurons           population ``error``, neurons 2c and 2c + 1 for class c, active in learned samples
feedback                projections from ``error`` on port 1, with the feedback delay; scaled by the gain
quiet ticks             readout: silence of ``error``
first-spike errors      readout ``FirstSpike``
======================= ==============================================================================
"""

from __future__ import annotations

from functools import lru_cache

from erbium.sw_model.description.connect import Connectivity, Dense, Identity, RandomSigns, Uniform
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.learners import end_of_chain
from erbium.sw_model.description.parts import (
    Bernoulli,
    Constant,
    Encoder,
    Phase,
    Population,
    Projection,
    Source,
)
from erbium.sw_model.network import Layer, Network
from erbium.sw_model.rules import LatencyEncoder


def chain(network: Network) -> Graph:
    """Return the graph of a network of layers in a row: the same integers, random numbers and counters."""
    sources = [Source("input", network.n_inputs, _encoder(network), stream=0, pixel_bits=network.pixel_bits)]
    populations, projections = [], []
    before, last = "input", f"layer{len(network.layers)}"
    for number, layer in enumerate(network.layers):
        name = f"layer{number + 1}"
        populations.append(
            Population(name, layer.n_neurons, layer.program, layer.neuron_keep, stream=number + 1)
        )
        projections.append(Projection(before, name, _dense(layer, number, 0), rule=layer.rule))
        if network.has_bias:
            bias = _dense(layer, number, network.shape[number])
            projections.append(Projection("bias", name, bias, rule=layer.rule))
        if name == last and network.margin:
            projections.append(Projection("label", name, Identity(-network.margin), when="learn"))
        if layer.feedback != "none":
            projections.append(
                Projection(
                    "error",
                    name,
                    _feedback(layer, number),
                    port=1,
                    delay=network.feedback_delay,
                    when="learn",
                    scaled=True,
                )
            )
        before = name
    if network.has_bias:
        sources.append(Source("bias", 1, Constant()))
    end = end_of_chain(network.error, network, last)
    return Graph(
        name=network.name,
        sources=(*sources, *end.sources),
        populations=(*populations, *end.populations),
        projections=(*projections, *end.projections),
        readout=end.readout,
        n_ticks=network.n_ticks,
        seed=network.seed,
    )


@lru_cache(maxsize=64)
def graph_of(network: Network | Graph) -> Graph:
    """Return a network as a graph, formed once."""
    return chain(network) if isinstance(network, Network) else network


def _encoder(network: Network) -> Encoder:
    if isinstance(network.encoder, LatencyEncoder):
        return network.encoder
    return Bernoulli() if network.encoder == "bernoulli" else Phase()


def _dense(layer: Layer, number: int, first_row: int) -> Dense:
    """Rows of the layer's one matrix of initial weights, from `first_row` on."""
    return Dense(layer.weight_width, Uniform(layer.weight_bound, number, first_row), layer.synapse_keep)


def _feedback(layer: Layer, number: int) -> Connectivity:
    if layer.feedback == "direct":
        return Identity(layer.gain, pairs="source")
    return RandomSigns(layer.gain, 1 if layer.feedback == "sign" else 3, pairs="source", stream=number)
