# SPDX-License-Identifier: BSD-2-Clause
"""Boards by the names that people give them: a serial port, ``auto``, or ``sim:`` and a board to be simulated."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Sequence
from dataclasses import dataclass

from erbium.fpga.boards import BOARDS, board, flash_of
from erbium.fpga.core_array import CoreArray
from erbium.fpga.core_board import BoardCore
from erbium.fpga.driver import BoardArray, Probe, other_network, probe
from erbium.fpga.driver_flash import FlashArray
from erbium.fpga.transport import CoreFoundError, LineLostError, NoAnswerError, PortError, Transport
from erbium.fpga.transport_serial import SerialTransport, ports
from erbium.sw_model.network import Network
from erbium.sw_model.programs import DescriptionError

SIMULATED = "sim:"

CORE = ":core"
"""Follows the name of a simulated board that holds its core."""

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
    core : bool
        Of a simulated board, whether it holds its core; a port is asked.
    """

    name: str
    simulated: bool
    baud_rate: int | None = None
    core: bool = False

    @classmethod
    def of(cls, text: str) -> Target:
        """Read ``sim:BOARD``, ``sim:BOARD:core``, ``PORT``, ``PORT@BAUD``, ``auto`` or ``auto@BAUD``.

        Raises
        ------
        DescriptionError
            If there is no such board, or no name at all.
        """
        if text.startswith(SIMULATED):
            named = text.removeprefix(SIMULATED)
            return cls(board(named.removesuffix(CORE)).name, True, core=named.endswith(CORE))
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


def open_board(target: Target, network: Network) -> BoardArray | CoreArray:
    """Open a board that holds `network`, or a core, into which it is loaded; with the network's initial weights.

    Raises
    ------
    PortError
        If the port cannot be opened.
    NoAnswerError, BoardMismatchError
        If there is no chip of the network, and no core.
    DescriptionError, ToolError
        If the board cannot be simulated, or the network does not fit its core.
    """
    if not target.core:
        try:
            return BoardArray(network, open_line(target, network))
        except CoreFoundError:
            pass
    return CoreArray(network, open_line(target, network))


def open_flash(target: Target, network: Network, data: bytes | None) -> FlashArray:
    """Open a board whose chip learns from its flash.

    Parameters
    ----------
    target : Target
    network : Network
    data : bytes, optional
        Of a simulated board, what its flash holds where the chip looks for data.

    Raises
    ------
    PortError, NoAnswerError, BoardMismatchError, DescriptionError, ToolError
        Of :func:`open_board`.
    """
    if not target.simulated:
        return FlashArray(network, open_line(target, network))
    from erbium.fpga.simulated import simulated_board

    line = simulated_board(target.name, network, from_flash=True)
    if data is not None:
        line.write_flash(flash_of(board(target.name)).data_at, data)
    return FlashArray(network, line)


def open_core(target: Target) -> BoardCore:
    """Open a board that holds a core, with whatever network is loaded.

    Raises
    ------
    PortError, NoAnswerError, BoardMismatchError, CoreError, DescriptionError, ToolError
        Of :func:`open_board`.
    """
    return BoardCore(open_line(target, None))


def open_line(target: Target, network: Network | None) -> Transport:
    """Open the line to a board, at the baud rate at which it answers; without a network, to one with a core."""
    if target.simulated:
        # It needs the hardware; a board does not.
        from erbium.fpga.simulated import simulated_board, simulated_core_board

        if network is None or target.core:
            return simulated_core_board(target.name)
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
            f"port, or load a bitstream of {_wanted(network)}; if it was built for another baud rate, name that as "
            f"{target.name}@BAUD"
        )
    raise NoAnswerError(
        f"nothing on {target.name} answers at {rates} baud; check the cable, and "
        f"that the board holds a bitstream of {_wanted(network)} and is out of reset; if it was built for another baud "
        f"rate, name that as {target.name}@BAUD"
    )


def _wanted(network: Network | None) -> str:
    """Say which bitstream a board should hold."""
    return "a core" if network is None else repr(network.name)


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


def _found(target: Target, network: Network | None) -> Transport:
    """Ask all ports at the same time, and return the line to the one that holds the network's chip, or else a core."""
    names = ports()
    if not names:
        raise PortError(
            f"there is no serial port to find a board on; plug the board in, or simulate one with {SIMULATED}BOARD"
        )

    cores: list[Transport] = []

    def ask(port: str) -> tuple[Transport | None, str]:
        try:
            line, here = _asked(port, _rates(target))
        except (PortError, LineLostError) as error:
            return None, str(error)
        if line is None:
            return None, f"{port}: {'something else talks there' if here.heard else 'nothing answers'}"
        if network is not None and here.digest == network.digest:
            return line, port
        if here.is_core:
            cores.append(line)
            return None, f"{port}: a core"
        line.close()
        if here.digest and network is not None:
            return None, other_network(port, here.digest, network)
        return None, f"{port}: an array" if here.digest else f"{port}: no Erbium chip"

    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        asked = list(pool.map(ask, names))
    own = [line for line, _ in asked if line is not None]
    lines = own or cores
    for line in (*own, *cores):
        if [line] != lines:
            line.close()
    if len(lines) == 1:
        return lines[0]
    what = "a core" if network is None or not own else repr(network.name)
    if lines:
        raise NoAnswerError(
            f"{len(lines)} boards hold {what}: {', '.join(line.name for line in lines)}; name the port of one"
        )
    name = "core" if network is None else network.name
    raise NoAnswerError(
        f"no port holds a chip of {_wanted(network)} ({'; '.join(text for _, text in asked)}); load its bitstream with "
        f"'erbium flash BOARD {name}', or name the port as PORT@BAUD"
    )
