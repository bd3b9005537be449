# SPDX-License-Identifier: BSD-2-Clause
"""The memories of a design, found by building it and looking: nothing that is forgotten can fail to fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from amaranth.hdl import Elaboratable, Fragment, Shape
from amaranth.hdl._mem import MemoryInstance

from erbium.fpga.memories import Memory, MemoryKind

_SYNAPSE_PATH = ("pipeline", "memory")


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
