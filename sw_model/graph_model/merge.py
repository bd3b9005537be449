# SPDX-License-Identifier: BSD-2-Clause
"""Reference model of a tick merge: in which order the rows of several channels are walked."""

from __future__ import annotations

from collections.abc import Sequence


def merged(
    inputs: Sequence[Sequence[Sequence[int]]], delays: Sequence[int], first_rows: Sequence[int]
) -> list[list[int]]:
    """Return the rows of each tick.

    Parameters
    ----------
    inputs : sequence of sequence of sequence of int
        For each channel the spikes of each tick, as they were written. All have as many ticks.
    delays : sequence of int
        Of each channel, in ticks.
    first_rows : sequence of int
        Row that address 0 of each channel becomes.

    Returns
    -------
    list of list of int
        For each tick the rows of channel 0, then those of channel 1, and so on.
    """
    return [
        [
            first + address
            for ticks, delay, first in zip(inputs, delays, first_rows, strict=True)
            if tick >= delay
            for address in ticks[tick - delay]
        ]
        for tick in range(len(inputs[0]))
    ]
