# SPDX-License-Identifier: BSD-2-Clause
"""What limits a board: the serial line that brings its images, or the array that takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

BITS_OF_A_BYTE = 10
"""On the line: a start bit, eight bits and a stop bit."""


@dataclass(frozen=True)
class Limit:
    """How fast a board was with some images, as counted while it did them.

    Parameters
    ----------
    bytes_per_image : float
        Of the frames that brought the images, those that were sent again among them.
    line_images_per_second : float
        That the line carries.
    array_images_per_second : float, optional
        That the array does by the clocks that it counted; None if it counts none.
    """

    bytes_per_image: float
    line_images_per_second: float
    array_images_per_second: float | None

    @classmethod
    def of(cls, effort: Mapping[str, int], n_images: int, baud_rate: int, clock: int) -> Limit | None:
        """Return it of what was counted for some images, or None if there were none.

        Parameters
        ----------
        effort : mapping of str to int
            ``line_bytes`` and, of an array, ``cycles``.
        n_images : int
        baud_rate, clock : int
            Bits per second of the line, and the array's clock in Hz.
        """
        octets, cycles = effort.get("line_bytes", 0), effort.get("cycles", 0)
        if not octets or not n_images:
            return None
        array = clock * n_images / cycles if cycles else None
        return cls(octets / n_images, baud_rate / BITS_OF_A_BYTE * n_images / octets, array)

    @property
    def limited_by(self) -> str | None:
        """``line`` or ``array``, whichever is slower; None if the array counts no clocks."""
        if self.array_images_per_second is None:
            return None
        return "line" if self.line_images_per_second < self.array_images_per_second else "array"

    def facts(self) -> dict[str, object]:
        """Return what ``--json`` prints."""
        return asdict(self) | {"limited_by": self.limited_by}

    def sentence(self, work: str, baud_rate: int, clock: int) -> str:
        """Say it of some work, such as ``Learning``."""
        line = (
            f"an image takes {self.bytes_per_image:,.1f} bytes, of which {baud_rate:,} baud carry "
            f"{self.line_images_per_second:,.0f} images/s"
        )
        if self.array_images_per_second is None:
            return f"{work} over the line: {line}; the board counts no clocks of its own."
        return (
            f"{work} is limited by the {self.limited_by}: {line}, and the array does "
            f"{self.array_images_per_second:,.0f} images/s at {clock / 1e6:g} MHz."
        )
