# SPDX-License-Identifier: BSD-2-Clause
"""A serial port, or whatever else pyserial takes for one: a pseudo-terminal, ``rfc2217://``, ``socket://``."""

from __future__ import annotations

import contextlib
import errno
import time
from pathlib import Path
from typing import Any

import serial
from serial.tools import list_ports

from erbium.fpga.transport import LineLostError, PortError

BAUD_RATE = 1_000_000
"""What a board is built for unless it says otherwise."""

WRITE_SECONDS = 10.0
"""How long the other side may refuse to take bytes."""


class SerialTransport:
    """The line to a board.

    Parameters
    ----------
    port : str
        Device or URL.
    baud_rate : int

    Raises
    ------
    PortError
        If the port cannot be opened; the text says why, and the way out.
    """

    def __init__(self, port: str, baud_rate: int = BAUD_RATE) -> None:
        self.name, self.baud_rate = port, baud_rate
        # Nobody else on the same machine may talk in between; a network port settles that by itself.
        local: dict[str, Any] = {} if "://" in port else {"exclusive": True}
        if not port.startswith("rfc2217://"):
            # That one has a limit of its own, and refuses another.
            local["write_timeout"] = WRITE_SECONDS
        try:
            self._port = serial.serial_for_url(port, baudrate=baud_rate, timeout=1.0, **local)
        except (OSError, ValueError) as error:
            raise PortError(_why(port, baud_rate, error)) from None
        # USB adapters wait 16 ms for more bytes unless told not to; not every port can be told.
        with contextlib.suppress(OSError, ValueError, AttributeError, NotImplementedError):
            self._port.set_low_latency_mode(True)

    def read(self, timeout: float) -> bytes:
        """Return what has come; see :class:`erbium.fpga.transport.Transport`."""
        try:
            # Setting it is a system call of its own.
            if self._port.timeout != timeout:
                self._port.timeout = timeout
            data = bytes(self._port.read(max(1, self._port.in_waiting)))
            if data and (more := self._port.in_waiting):
                data += self._port.read(more)
        except Exception as error:
            raise self._lost(error) from None
        return data

    def now(self) -> float:
        """Return the time; see :class:`erbium.fpga.transport.Transport`."""
        return time.monotonic()

    def write(self, data: bytes) -> None:
        """Send bytes."""
        try:
            self._port.write(data)
        except Exception as error:
            raise self._lost(error) from None

    def close(self) -> None:
        """Give the port back."""
        with contextlib.suppress(OSError):
            self._port.close()

    def _lost(self, error: Exception) -> Exception:
        """Return what to raise: pyserial lets all kinds of things through when a device goes away."""
        if isinstance(error, (OSError, TypeError, ValueError)) or type(error).__module__ == "termios":
            return LineLostError(f"{self.name} is gone ({str(error) or type(error).__name__})")
        return error


def ports() -> list[str]:
    """Return the names of the serial ports of this machine."""
    return sorted(found.device for found in list_ports.comports())


def _why(port: str, baud_rate: int, error: Exception) -> str:
    """Say why a port cannot be opened, and what to do."""
    text = " ".join(str(error).split())
    match getattr(error, "errno", None):
        case errno.ENOENT | errno.ENODEV | errno.ENXIO:
            there = ", ".join(ports())
            return f"there is no port {port}; plug the board in and name its port; " + (
                f"there are {there}" if there else "at the moment there is none at all"
            )
        case errno.EACCES | errno.EPERM:
            return (
                f"you may not open {port}; join the group that owns it, mostly 'sudo usermod -aG dialout $USER', "
                "and log in again"
            )
        case errno.EBUSY | errno.EAGAIN:
            return f"{port} is in use by another program; close that one"
    if "://" not in port and not Path(port).is_char_device():
        return f"{port} is no serial port; name the board's"
    return f"{port} cannot be opened at {baud_rate:,} baud ({text}); check the name of the port and the baud rate"
