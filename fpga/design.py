# SPDX-License-Identifier: BSD-2-Clause
"""The chip that a board carries: an array, or a core, behind the host link."""

from __future__ import annotations

from collections.abc import Sequence

from erbium.fpga.boards import Board
from erbium.fpga.core_plan import core_of
from erbium.hdl.chip import ErbiumChip
from erbium.hdl.core.chip import ErbiumCore
from erbium.hdl.uart import bit_period
from erbium.hdl.weight_words import LayerWeights
from erbium.sw_model.network import Hardware, Network


def chip(
    board: Board,
    network: Network,
    hardware: Hardware,
    clock: int,
    baud_rate: int,
    weights: Sequence[LayerWeights] | None = None,
) -> ErbiumChip:
    """Return the chip of a board.

    Parameters
    ----------
    board : Board
    network : Network
    hardware : Hardware
    clock, baud_rate : int
        In Hz and bits per second.
    weights : sequence, optional
        Of :class:`erbium.hdl.array.ErbiumArray`.

    Raises
    ------
    ValueError
        If the baud rate cannot be made from the clock.
    """
    # Before anything is made that would then go unused.
    bit_period(clock, baud_rate)
    return ErbiumChip(network, hardware, clock, baud_rate, board.buffer_bytes, weights)


def core_chip(board: Board, clock: int, baud_rate: int) -> ErbiumCore:
    """Return the chip with the core of a board; see :func:`chip`."""
    bit_period(clock, baud_rate)
    return ErbiumCore(core_of(board), clock, baud_rate, board.buffer_bytes)
