# SPDX-License-Identifier: BSD-2-Clause
"""Boards by the names that people give them: a serial port, or ``sim:`` and a board that is to be simulated."""

from __future__ import annotations

from dataclasses import dataclass

from erbium.fpga.boards import BOARDS, board
from erbium.fpga.driver import BoardArray, answers
from erbium.fpga.transport import NoAnswerError, Transport
from erbium.fpga.transport_serial import SerialTransport
from erbium.sw_model.network import Network
from erbium.sw_model.programs import DescriptionError

SIMULATED = "sim:"


@dataclass(frozen=True)
class Target:
    """What is to be opened.

    Parameters
    ----------
    name : str
        Serial port, or simulated board.
    simulated : bool
    baud_rate : int, optional
        Of a serial port; without it those of all boards are tried.
    """

    name: str
    simulated: bool
    baud_rate: int | None = None

    @classmethod
    def of(cls, text: str) -> Target:
        """Read ``sim:BOARD``, ``PORT`` or ``PORT@BAUD``.

        Raises
        ------
        DescriptionError
            If there is no such board, or no name at all.
        """
        if text.startswith(SIMULATED):
            return cls(board(text.removeprefix(SIMULATED)).name, True)
        port, at, baud_rate = text.rpartition("@")
        if at and baud_rate.isdigit() and int(baud_rate):
            text = port
        else:
            baud_rate = ""
        if not text:
            raise DescriptionError(
                "the name of the port is empty; name one such as /dev/ttyUSB0, or sim:BOARD for a simulated board"
            )
        return cls(text, False, int(baud_rate) if baud_rate else None)


def open_board(target: Target, network: Network) -> BoardArray:
    """Open a board that holds `network`, with the network's initial weights.

    Raises
    ------
    PortError
        If the port cannot be opened.
    NoAnswerError, BoardMismatchError
        If there is no chip of the network.
    DescriptionError, ToolError
        If the board cannot be simulated.
    """
    return BoardArray(network, open_line(target, network))


def open_line(target: Target, network: Network) -> Transport:
    """Open the line to a board, at the baud rate at which it answers."""
    if target.simulated:
        # It needs the hardware; a board does not.
        from erbium.fpga.simulated import simulated_board

        return simulated_board(target.name, network)
    if target.baud_rate is not None:
        return SerialTransport(target.name, target.baud_rate)
    rates = sorted({each.baud_rate for each in BOARDS.values()})
    for rate in rates:
        line = SerialTransport(target.name, rate)
        if answers(line):
            return line
        line.close()
    raise NoAnswerError(
        f"nothing on {target.name} answers at {', '.join(f'{rate:,}' for rate in rates)} baud; check the cable, and "
        f"that the board holds a bitstream of {network.name!r} and is out of reset; if it was built for another baud "
        f"rate, name that as {target.name}@BAUD"
    )
