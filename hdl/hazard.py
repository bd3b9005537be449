# SPDX-License-Identifier: BSD-2-Clause
"""What must not come too close together in a pipeline."""

from __future__ import annotations

from typing import NamedTuple


class HazardError(Exception):
    """What is read may not be written yet: a fault of a plan, never of a description."""


class Hazard(NamedTuple):
    """Something is written on the way of one slot and read on the way of a later one.

    Members
    -------
    what : for people
    gap : clocks from the one slot to the other at least, without those that the layer waits after a sweep
    needs : clocks that it has to be
    settles : the layer waits in between
    """

    what: str
    gap: int
    needs: int
    settles: bool = True
