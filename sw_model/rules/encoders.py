# SPDX-License-Identifier: BSD-2-Clause
"""Encoders that have parameters."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from erbium.sw_model.programs import DescriptionError, check_range
from erbium.sw_model.rules.base import MAX_TICKS

MAX_LEVELS = 8


@dataclass(frozen=True)
class LatencyEncoder:
    """Input encoder: a pixel spikes once, the earlier the brighter it is.

    Parameters
    ----------
    levels : tuple of (int, int)
        Pairs of (smallest pixel value, tick), brightest first: a pixel spikes at the tick of the first level
        that it reaches, or never. The default is the binary image: 128 ... 255 at tick 0. ``((128, 0), (0, 5))``
        are the "late pixels" of the source, where dark pixels, black ones included, spike at a later tick.

    Notes
    -----
    Source: Mostafa, *Supervised learning based on temporal coding in spiking neural networks*,
    arXiv 1606.08165, section III.
    """

    levels: tuple[tuple[int, int], ...] = ((128, 0),)

    def __post_init__(self) -> None:
        check_range("number of levels of the latency encoder", len(self.levels), 1, MAX_LEVELS)
        for level in self.levels:
            if not isinstance(level, tuple) or len(level) != 2:
                raise DescriptionError(
                    f"level {level!r} of the latency encoder must be a pair (smallest pixel, tick)"
                )
            check_range("smallest pixel of a level", level[0], 0, 255)
            check_range("tick of a level", level[1], 0, MAX_TICKS - 1)
        for (bright, early), (dark, late) in pairwise(self.levels):
            if dark >= bright or late <= early:
                raise DescriptionError(
                    f"level {(dark, late)} of the latency encoder follows {(bright, early)}; the smallest pixel "
                    "must fall and the tick must rise from level to level"
                )

    @property
    def lowest(self) -> int:
        """Smallest pixel value that spikes at all."""
        return self.levels[-1][0]

    @property
    def last_tick(self) -> int:
        """Tick of the last level."""
        return self.levels[-1][1]
