# SPDX-License-Identifier: BSD-2-Clause
"""The board behind a page that is served: one on the desk, or a simulated one, as bytes to and fro."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from erbium.fpga.boards import board
from erbium.fpga.driver import BoardArray
from erbium.fpga.driver_open import Target, open_line
from erbium.fpga.transport import Transport
from erbium.sw_model.network import Network


@contextmanager
def board_behind(target: Target, network: Network) -> Iterator[tuple[Transport, str]]:
    """Open the line to a board that holds `network`; yield it and what people call the board.

    Raises
    ------
    PortError, NoAnswerError, BoardMismatchError
        If there is no chip of the network.
    DescriptionError, ToolError
        If the board cannot be simulated.
    """
    if not target.simulated:
        line = open_line(target, network)
        # Whether it is the network's chip; the page brings it to a known state.
        BoardArray(network, line)
        try:
            yield line, f"the board on {line.name}"
        finally:
            line.close()
        return
    from erbium.fpga import planner
    from erbium.fpga.simulated import simulated_board
    from erbium.fpga.simulated_port import SimulatedPort

    described = board(target.name)
    planner.plan(described, network).require()
    port = SimulatedPort(simulated_board(target.name, network))
    port.start()
    try:
        line = open_line(Target(port.path, False, described.baud_rate), network)
        try:
            yield line, f"the simulated {described.title}"
        finally:
            line.close()
    finally:
        port.close()
