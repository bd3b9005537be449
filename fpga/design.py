# SPDX-License-Identifier: BSD-2-Clause
"""The chip that a board carries: an array, or a core, behind the host link."""

from __future__ import annotations

from collections.abc import Sequence

from erbium.fpga.boards import Board, flash_of, small_flash
from erbium.fpga.core_plan import core_of
from erbium.hdl.chip import ErbiumChip
from erbium.hdl.core.chip import ErbiumCore
from erbium.hdl.flash.link import FlashPort
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
    *,
    from_flash: bool = False,
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
    from_flash : bool
        Whether it learns from the flash of the board, too.

    Raises
    ------
    ValueError
        If the baud rate cannot be made from the clock.
    DescriptionError
        If it is to learn from a flash that Erbium knows nothing of.
    """
    # Before anything is made that would then go unused.
    bit_period(clock, baud_rate)
    port = flash_port(board) if from_flash else None
    return ErbiumChip(network, hardware, clock, baud_rate, board.buffer_bytes, weights, flash=port)


def flash_port(board: Board) -> FlashPort:
    """Return how the chip of a board is joined to its flash.

    Raises
    ------
    DescriptionError
        If Erbium knows nothing of it.
    """
    memory = flash_of(board)
    if small_flash(board):
        return FlashPort(1, memory.data_at, small=True, spram=True)
    return FlashPort(memory.lanes, memory.data_at)


def core_chip(board: Board, clock: int, baud_rate: int) -> ErbiumCore:
    """Return the chip with the core of a board; see :func:`chip`."""
    bit_period(clock, baud_rate)
    return ErbiumCore(core_of(board), clock, baud_rate, board.buffer_bytes)
