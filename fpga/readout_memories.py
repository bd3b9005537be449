# SPDX-License-Identifier: BSD-2-Clause
"""The memories of the readout of a chip, for each kind of readout, and that of a queue with several readers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import singledispatch

from amaranth.hdl import Shape
from amaranth.utils import bits_for, ceil_log2

from erbium.fpga.memories import Memory, MemoryKind
from erbium.hdl.fork import SHORT_BITS
from erbium.hdl.neuron_unit import NeuronLayout
from erbium.hdl.plan import LayerPlan
from erbium.hdl.tokens import FeedbackToken
from erbium.sw_model.description.parts import FirstSpike, SpikeCount
from erbium.sw_model.network import Hardware, Network


def fork_memory(
    name: str, shape: object, depth: int, room: int = 1, readers: int = 1, *, prompt: bool = False
) -> Memory:
    """Return the memory of a :class:`erbium.hdl.fork.Fork`."""
    bits = ceil_log2(max(depth + (1 << ceil_log2(room)) - 1, 4))
    kind: MemoryKind = "distributed" if prompt and bits <= SHORT_BITS else "generic"
    return Memory(f"{name}.memory", 1 << bits, int(Shape.cast(shape).width), kind, read_ports=readers)


@singledispatch
def readout_memories(readout: object, network: Network, hardware: Hardware) -> Iterator[Memory]:
    """Yield the memories of a readout, in the order of the design."""
    raise NotImplementedError(f"the memories of the readout {type(readout).__name__} are unknown")


@readout_memories.register
def _(readout: SpikeCount, network: Network, hardware: Hardware) -> Iterator[Memory]:
    token, classes = FeedbackToken(2 * network.n_classes), network.n_classes
    errors = 2 * sum(NeuronLayout(program).size for program, _ in network.error.populations(classes).values())
    at_once = LayerPlan(network, len(network.layers) - 1, hardware).classes_at_once
    places, width = -(-classes // at_once), bits_for(network.n_ticks) + errors
    yield Memory("array.prediction.classes", max(places, 2), at_once * width)
    # The encoder, and each layer with feedback; in turn they share a port.
    readers = 1 if hardware.short_pipelines else 1 + sum(layer.feedback != "none" for layer in network.layers)
    depth = (readout.delay + 2) * (classes + 2) + 1
    prompt = at_once > 1
    yield fork_memory("array.prediction.queue", token, depth, classes + 3, readers, prompt=prompt)


@readout_memories.register
def _(readout: FirstSpike, network: Network, hardware: Hardware) -> Iterator[Memory]:
    yield fork_memory(
        "array.feedback.fork", FeedbackToken(2 * network.n_classes), 2 * (readout.delay + 2) + 1
    )
