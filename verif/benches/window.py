# SPDX-License-Identifier: BSD-2-Clause
"""What a spike window holds, clock by clock, while nothing holds it up: for the clocks that a component may take."""

from __future__ import annotations


class WindowClocks:
    """Counts of spikes in the two groups of :class:`erbium.hdl.spike_window.SpikeWindow`."""

    def __init__(self) -> None:
        self.front = self.back = 0

    @property
    def room(self) -> bool:
        """Whether a group may come in this clock."""
        return self.front <= 2 or not self.back

    def step(self, comes: int | None) -> None:
        """Do a clock: the lowest two spikes leave, and a group of so many comes, if it is there and there is room."""
        room, comes = self.room, comes or 0
        leave = min(2, self.front + self.back)
        of_front = min(leave, self.front)
        front, back = self.front - of_front, self.back - (leave - of_front)
        if not front:
            front, back = (back, comes) if back else (comes, 0)
        elif room:
            back = comes
        self.front, self.back = front, back
