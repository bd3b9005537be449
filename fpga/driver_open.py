# SPDX-License-Identifier: BSD-2-Clause
"""Boards by the names that people give them: a serial port, ``auto``, or ``sim:`` and a board to be simulated."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Sequence
from dataclasses import dataclass

from erbium.fpga.boards import BOARDS, board
from erbium.fpga.driver import BoardArray, Probe, other_network, probe
from erbium.fpga.transport import LineLostError, NoAnswerError, PortError, Transport
from erbium.fpga.transport_serial import SerialTransport, ports
from erbium.sw_model.network import Network
from erbium.sw_model.programs import DescriptionError

SIMULATED = "sim:"

AUTO = "auto"
"""The port that holds the network's chip, whichever it is."""


@dataclass(frozen=True)
class Target:
    """What is to be opened.

    Parameters
    ----------
    name : str
        Serial port, simulated board, or :data:`AUTO`.
    simulated : bool
    baud_rate : int, optional
        Of a serial port; without it those of all boards are tried.
    """

    name: str
    simulated: bool
    baud_rate: int | None = None

    @classmethod
    def of(cls, text: str) -> Target:
        """Read ``sim:BOARD``, ``PORT``, ``PORT@BAUD``, ``auto`` or ``auto@BAUD``.

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
                "the name of the port is empty; name one such as /dev/ttyUSB0, auto to look for it, or sim:BOARD for a "
                "simulated board"
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
    if target.name == AUTO:
        return _found(target, network)
    if target.baud_rate is not None:
        return SerialTransport(target.name, target.baud_rate)
    line, here = _asked(target.name, _rates(target))
    if line is not None:
        return line
    rates = ", ".join(f"{rate:,}" for rate in _rates(target))
    if here.heard:
        raise NoAnswerError(
            f"something else talks on {target.name}, and no Erbium chip answers at {rates} baud; name the board's "
            f"port, or load a bitstream of {network.name!r}; if it was built for another baud rate, name that as "
            f"{target.name}@BAUD"
        )
    raise NoAnswerError(
        f"nothing on {target.name} answers at {rates} baud; check the cable, and "
        f"that the board holds a bitstream of {network.name!r} and is out of reset; if it was built for another baud "
        f"rate, name that as {target.name}@BAUD"
    )


def _rates(target: Target) -> list[int]:
    """Return the baud rates to ask at: the one that was named, or those of all boards."""
    if target.baud_rate is not None:
        return [target.baud_rate]
    return sorted({each.baud_rate for each in BOARDS.values()})


def _asked(port: str, rates: Sequence[int]) -> tuple[Transport | None, Probe]:
    """Return the line on which something speaks the protocol, and what was found; each rate takes a second or two."""
    heard = False
    for rate in rates:
        line = SerialTransport(port, rate)
        try:
            here = probe(line)
        except BaseException:
            line.close()
            raise
        if here.answers:
            return line, here
        heard |= here.heard
        line.close()
    return None, Probe(heard=heard)


def _found(target: Target, network: Network) -> Transport:
    """Ask all ports at the same time, and return the line to the one that holds the network's chip."""
    names = ports()
    if not names:
        raise PortError(
            f"there is no serial port to find a board on; plug the board in, or simulate one with {SIMULATED}BOARD"
        )

    def ask(port: str) -> tuple[Transport | None, str]:
        try:
            line, here = _asked(port, _rates(target))
        except (PortError, LineLostError) as error:
            return None, str(error)
        if line is None:
            return None, f"{port}: {'something else talks there' if here.heard else 'nothing answers'}"
        if here.digest == network.digest:
            return line, port
        line.close()
        return None, other_network(port, here.digest, network) if here.digest else f"{port}: no Erbium chip"

    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        asked = list(pool.map(ask, names))
    lines = [line for line, _ in asked if line is not None]
    if len(lines) == 1:
        return lines[0]
    for line in lines:
        line.close()
    if lines:
        raise NoAnswerError(
            f"{len(lines)} boards hold {network.name!r}: {', '.join(line.name for line in lines)}; name the port of one"
        )
    raise NoAnswerError(
        f"no port holds a chip of {network.name!r} ({'; '.join(text for _, text in asked)}); load its bitstream with "
        f"'erbium flash BOARD {network.name}', or name the port as PORT@BAUD"
    )
