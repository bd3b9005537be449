# SPDX-License-Identifier: BSD-2-Clause
"""Orders what changes the lanes in a clock: nothing is written before all have read it.

Vectors are changed in place, as a second copy of all of them would cost more than the clock. Where some read each
other in a ring, one of them is computed early into a copy, and put in its place when all are through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Place = Any
"""What is read and written: registers, the lanes of a class, rows or words of a memory."""


@dataclass(frozen=True)
class Group:
    """Classes that change together.

    Parameters
    ----------
    reads, writes : frozenset of Place
    direct : callable
        Returns lines that change them in place.
    apart : callable, optional
        Returns lines that compute what is new into a copy, and lines that put it in its place; without it a ring cannot
        be cut here.
    cost : int
        Of the copy.
    copied : bool
        Whether it must be done in two parts even where there is no ring.
    """

    reads: frozenset[Place]
    writes: frozenset[Place]
    direct: Callable[[], list[str]]
    apart: Callable[[], tuple[list[str], list[str]]] | None = None
    cost: int = 0
    copied: bool = False


def in_order(groups: Sequence[Group]) -> list[tuple[Group, bool]]:
    """Return groups so that each reads what no earlier one has changed, and whether it is cut apart.

    Raises
    ------
    AssertionError
        For a ring of groups of which none can be cut, which memories and registers never make.
    """
    left, result = list(groups), []
    while left:
        # A group is ready if no other one that is left still has to read what it changes.
        ready = [
            group
            for group in left
            if group.copied or not any(other is not group and other.reads & group.writes for other in left)
        ]
        if ready:
            chosen, cut = ready[0], ready[0].copied
        else:
            # Only a cut of what others of the ring wait for helps.
            ring = [
                group
                for group in left
                if group.apart and any(other is not group and other.writes & group.reads for other in left)
            ]
            assert ring, "a ring of lanes cannot be cut"
            chosen, cut = min(ring, key=lambda group: group.cost), True
        left.remove(chosen)
        result.append((chosen, cut))
    return result
