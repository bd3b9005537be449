# SPDX-License-Identifier: BSD-2-Clause
"""What happens to boards in service, on a simulated one: resets, lost lines, noise, floods, loss of power."""

from __future__ import annotations

import enum
from collections.abc import Callable

import numpy as np

from erbium.fpga.driver_protocol import Read, frame
from erbium.fpga.simulated_line import SimulatedLine
from erbium.fpga.transport import LineLostError
from erbium.hdl.registers import WORD_BYTES, WindowNumber

NOISY_BYTES = 400
"""Bytes that noise lasts for, both ways."""

NOISE = 1 / 8
"""Share of these that come with a bit turned over."""

MOST_FLOOD = 3_000
"""Bytes of a flood, at most, each way."""

MOST_AWAY = 20_000
"""Clocks, at most, that a board goes on by itself while its line is away."""


class Trouble(enum.Enum):
    """What happens to a board in service.

    Members
    -------
    RESET : its reset is pressed; memories keep what they hold
    LOST : the line is gone until somebody opens it again; the board goes on meanwhile
    NOISE : bits of bytes turn over for a while, both ways
    FLOOD : bytes that are nobody's fill the line both ways, among them requests that are well formed
    KILLED : it loses its power; another one starts in its place, with empty memories
    """

    RESET = "reset"
    LOST = "lost line"
    NOISE = "noise"
    FLOOD = "flood"
    KILLED = "killed"


class TroubledBoard:
    """A simulated board to which something happens now and then.

    Parameters
    ----------
    power_on : callable
        Returns the line of a chip that was just configured.
    seed : int
        Of when and what.

    Attributes
    ----------
    happened : int
        How often something has.
    """

    def __init__(self, power_on: Callable[[], SimulatedLine], seed: int) -> None:
        self._power_on = power_on
        self._draw = np.random.default_rng(seed)
        self.chip = power_on()
        self.happened = 0
        self._planned: tuple[Trouble, int] | None = None
        self._noisy = 0
        self._current: TroubledLine | None = None

    def plan(self, trouble: Trouble, most_clocks: int) -> None:
        """Have something happen within so many clocks of the chip, at any of them."""
        self._planned = trouble, self.chip.clocks + int(self._draw.integers(0, most_clocks))

    def open(self) -> TroubledLine:
        """Open the line again; one that was open before is lost."""
        self._current = TroubledLine(self)
        return self._current

    def close(self) -> None:
        """Give the simulation back."""
        self._current = None
        self.chip.close()

    def check(self, line: TroubledLine) -> None:
        """Raise :class:`LineLostError` unless this is the line that is open."""
        if line is not self._current:
            raise LineLostError(f"{self.chip.name} is gone")

    def write(self, data: bytes) -> None:
        """Put bytes on the line to the chip."""
        self.chip.write(self._spoiled(data))

    def step(self, clocks: int) -> bytes:
        """Run so many clocks, or until a frame has come or something has happened."""
        if self._planned is None:
            return self._spoiled(self.chip.step(clocks))
        trouble, at = self._planned
        data = self.chip.step(min(clocks, max(at - self.chip.clocks, 0)))
        if self.chip.clocks < at:
            return self._spoiled(data)
        self._planned = None
        self.happened += 1
        match trouble:
            case Trouble.RESET:
                self.chip.reset()
            case Trouble.LOST:
                self.chip.unplug()
                self.chip.step(int(self._draw.integers(0, MOST_AWAY)))
                self._current = None
                return b""
            case Trouble.NOISE:
                self._noisy = NOISY_BYTES
            case Trouble.FLOOD:
                self.chip.write(self._flood())
                return data + self._flood()
            case Trouble.KILLED:
                self.chip.close()
                self.chip = self._power_on()
                self._current = None
                return b""
        return self._spoiled(data)

    def _spoiled(self, data: bytes) -> bytes:
        """Return bytes with some bits turned over, if there is noise."""
        n_noisy = min(self._noisy, len(data))
        self._noisy -= n_noisy
        values = np.frombuffer(data, dtype=np.uint8).copy()
        bits = np.uint8(1) << self._draw.integers(0, 8, n_noisy).astype(np.uint8)
        values[:n_noisy] ^= np.where(self._draw.random(n_noisy) < NOISE, bits, np.uint8(0))
        return values.tobytes()

    def _flood(self) -> bytes:
        """Return bytes that are nobody's."""
        draw = self._draw
        request = frame(Read(WindowNumber.REGISTERS, int(draw.integers(0, 12)), 1, WORD_BYTES).message(1))
        data = draw.bytes(int(draw.integers(1, MOST_FLOOD)))
        middle = int(draw.integers(0, len(data)))
        return data[:middle] + b"\0" + 20 * request + data[middle:]


class TroubledLine:
    """The line to a :class:`TroubledBoard`: a :class:`erbium.fpga.transport.Transport`.

    Parameters
    ----------
    board : TroubledBoard
    """

    def __init__(self, board: TroubledBoard) -> None:
        self._board = board
        self.name, self.baud_rate = board.chip.name, board.chip.baud_rate

    def read(self, timeout: float) -> bytes:
        """Return what comes within so many seconds of the chip, or until it certainly has nothing more to say."""
        self._board.check(self)
        chip = self._board.chip
        deadline = chip.clocks + int(chip.pending * 10 * chip.clock_frequency / chip.baud_rate)
        deadline += min(int(timeout * chip.clock_frequency), chip.quiet)
        while True:
            chip = self._board.chip
            data = self._board.step(max(deadline - chip.clocks, 0))
            self._board.check(self)
            if data or chip.clocks >= deadline:
                return data

    def write(self, data: bytes) -> None:
        """Put bytes on the line to the chip."""
        self._board.check(self)
        self._board.write(data)

    def now(self) -> float:
        """Return the seconds of the chip since power-on."""
        self._board.check(self)
        return self._board.chip.now()

    def close(self) -> None:
        """Leave the board as it is."""
