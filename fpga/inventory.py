# SPDX-License-Identifier: BSD-2-Clause
"""The memories of a design, found by building it and looking: nothing that is forgotten can fail to fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from amaranth.hdl import Elaboratable, Fragment, Shape
from amaranth.hdl._mem import MemoryInstance

from erbium.fpga.memories import Memory, MemoryKind
from erbium.sw_model.network import Hardware, Network

SYNAPSES = "layer{}_synapses"
"""Name of the synapse memory of a layer, counted from 1."""

_SYNAPSE_PATH = ("pipeline", "memory")


def synapse_memories(network: Network, hardware: Hardware) -> list[Memory]:
    """Return the memories of the weights, one per layer: they depend on the description alone."""
    return [
        Memory(
            SYNAPSES.format(number + 1),
            network.n_rows(number) * hardware.stride_of(network, number),
            hardware.lanes_of(network, number) * layer.weight_width,
            cast(MemoryKind, hardware.memory_of(number)),
        )
        for number, layer in enumerate(network.layers)
    ]


def other_memories(design: Elaboratable) -> list[Memory]:
    """Return all memories of a chip or an array but those of the weights.

    Parameters
    ----------
    design : Elaboratable
        Built here, which takes about half a second.
    """
    return [memory for path, memory in _walk(Fragment.get(design, None), ()) if not _is_synapses(path)]


def _is_synapses(path: tuple[str, ...]) -> bool:
    """Whether a path leads into ``layerN.pipeline.memory``."""
    return any(
        path[at : at + 2] == _SYNAPSE_PATH and path[at - 1].startswith("layer") for at in range(1, len(path))
    )


def _walk(fragment: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Memory]]:
    """Yield each memory below a fragment with the path to it."""
    for below, name, _ in fragment.subfragments:
        here = (*path, name or "unnamed")
        if isinstance(below, MemoryInstance):
            width = Shape.cast(below._data.shape).width
            ports = len(below._read_ports)
            yield here, Memory(".".join(here), below._data.depth, width, _kind(below), ports)
        else:
            yield from _walk(below, here)


def _kind(memory: MemoryInstance) -> MemoryKind:
    if not memory._write_ports:
        return "rom"
    # No block RAM is read within the clock of the address.
    return "distributed" if any(port._domain == "comb" for port in memory._read_ports) else "generic"
