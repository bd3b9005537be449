# SPDX-License-Identifier: BSD-2-Clause
"""How large the core of a board is, and what of a graph fits into it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from erbium.fpga.boards import Board
from erbium.gen.core_image import CoreImage
from erbium.sw_model.description.codec import from_json, holds_graph
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.machine import CoreHardware
from erbium.sw_model.programs import DescriptionError

CORES: Mapping[str, CoreHardware] = {
    "ulx3s-85f": CoreHardware(
        lanes=32,
        units=4,
        weight_width=8,
        weight_words=8_192,
        neuron_words=32,
        spike_words=1_024,
        timer_words=256,
        table_words=512,
        heads=512,
        entries=1_024,
        pixels=1_024,
    ),
}
"""The core of each board that one is planned for."""


def core_of(board: Board) -> CoreHardware:
    """Return how large the core of a board is.

    Raises
    ------
    DescriptionError
        For a board without one.
    """
    if board.name not in CORES:
        raise DescriptionError(f"no core is planned for {board.name}; there is one for {', '.join(CORES)}")
    return CORES[board.name]


def core_image(board: Board, graph: Graph) -> CoreImage:
    """Return a graph laid out for the core of a board, also where it does not fit."""
    return CoreImage(graph, core_of(board), checked=False)


def graph_file(path: Path) -> Graph | None:
    """Read the description of a graph; ``None`` for a file that does not say of itself that it is one.

    Raises
    ------
    DescriptionError
        For a graph that cannot be.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    if not holds_graph(text):
        return None
    try:
        return from_json(text)
    except DescriptionError as error:
        raise DescriptionError(f"{path}: {error}") from None
