# SPDX-License-Identifier: BSD-2-Clause
"""A pseudo-terminal with a simulated board at its other end: programs open it like any serial port."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import tty

from erbium.fpga.simulated_line import SimulatedLine

STEP = 20_000
"""Clocks of one turn: some milliseconds, so that what the host writes does not wait long."""

_BLOCK = 4096


class SimulatedPort:
    """Serves the line of a simulated chip at a pseudo-terminal.

    The clock runs while there is something to do: it stops when neither side has sent a byte for longer than any
    sample takes, and goes on with the next byte.

    Parameters
    ----------
    line : SimulatedLine
        It is closed with the port.

    Attributes
    ----------
    path : str
        What programs open.
    """

    def __init__(self, line: SimulatedLine) -> None:
        self._line = line
        self._master, self._slave = os.openpty()
        # Bytes as they are; and kept open here, so that the board stays when a program lets go of it.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._to_host = b""
        self._silent = 0
        self._stop = False
        self._thread: threading.Thread | None = None

    def serve(self) -> None:
        """Carry bytes until an exception, such as that of Ctrl-C, or until :meth:`close` in another thread."""
        while not self._stop:
            rests = self._silent > self._line.quiet and not self._line.pending and not self._to_host
            self._take(0.1 if rests else 0.0)
            if self._line.pending or not rests:
                self._turn()

    def start(self) -> None:
        """Carry bytes in a thread of its own until :meth:`close`."""
        self._thread = threading.Thread(target=self.serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the board: whoever has the port open loses it."""
        self._stop = True
        if self._thread is not None:
            self._thread.join()
        os.close(self._slave)
        os.close(self._master)
        self._line.close()

    def _take(self, seconds: float) -> None:
        """Take what the host has written, and give it what did not fit before."""
        # A full line is read no further, nor is a host heard that takes no replies: it has to wait, as on a slow port.
        full = self._line.pending >= _BLOCK or len(self._to_host) >= _BLOCK
        reads = [] if full else [self._master]
        writes = [self._master] if self._to_host else []
        readable, writable, _ = select.select(reads, writes, [], seconds)
        if readable:
            with contextlib.suppress(BlockingIOError):
                self._line.write(os.read(self._master, _BLOCK))
                self._silent = 0
        if writable:
            self._give()

    def _turn(self) -> None:
        data = self._line.step(STEP)
        self._silent = 0 if data else self._silent + STEP
        if data:
            self._to_host += data
            self._give()

    def _give(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._to_host = self._to_host[os.write(self._master, self._to_host) :]
