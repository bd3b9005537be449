# SPDX-License-Identifier: BSD-2-Clause
"""What carries the bytes between host and chip, and what can go wrong with a board."""

from __future__ import annotations

from typing import Protocol

from erbium.sw_model.results import Results


class LinkError(Exception):
    """A board that cannot be used; one sentence with what is wrong and the way out."""


class PortError(LinkError):
    """The port cannot be opened."""


class LineLostError(LinkError):
    """The line is gone: the board was unplugged, or whoever played it has ended."""


class NoAnswerError(LinkError):
    """The line is there, and all attempts came to nothing."""


class BoardResetError(LinkError):
    """The board is not where it was left: it was reset, or somebody else talked to it."""


class BoardMismatchError(LinkError):
    """What answers is not a chip of this network and protocol."""


class CoreFoundError(BoardMismatchError):
    """What answers is no array, but a core."""


class BoardLostError(LinkError):
    """The board went away in the middle of its work.

    Attributes
    ----------
    n_done : int
        Samples of the batch whose results had come, from the first one on: so many were learned with certainty.
    results : Results, optional
        Their results.
    """

    def __init__(self, text: str, n_done: int = 0, results: Results | None = None) -> None:
        super().__init__(text)
        self.n_done, self.results = n_done, results


class Transport(Protocol):
    """A line that carries bytes both ways, in order, if perhaps damaged or not at all."""

    @property
    def name(self) -> str:
        """What people call it, such as ``/dev/ttyUSB0``."""

    @property
    def baud_rate(self) -> int:
        """Bits per second."""

    def read(self, timeout: float) -> bytes:
        """Return the bytes that have come, at once if there are any; none only if none came within `timeout` seconds.

        Raises
        ------
        LineLostError
            If the line is gone.
        """

    def now(self) -> float:
        """Return seconds on the clock of the line, which stands still at times where that is simulated."""

    def write(self, data: bytes) -> None:
        """Send bytes.

        Raises
        ------
        LineLostError
            If the line is gone.
        """

    def close(self) -> None:
        """Give the line back."""
