# SPDX-License-Identifier: BSD-2-Clause
"""Groups of lanes, and the copies of control registers that each of them has of its own."""

from __future__ import annotations

GROUP_LANES = 16
"""Lanes of a group: few enough that the copies of the control signals reach them in time on a large FPGA."""

COPY_ATTRIBUTE = "lane_copy"
COPY = {COPY_ATTRIBUTE: 1}
"""Attribute of registers that are alike in all groups, and that a synthesis must not make one of."""


def lane_groups(lanes: int) -> list[int]:
    """Return the lanes of each group of a layer, as even as they can be."""
    count = -(-lanes // GROUP_LANES)
    return [(lanes + index) // count for index in range(count)]


def copies_of(lanes: int) -> dict[str, int]:
    """Return the attributes of a register that each group of a layer's lanes has of its own."""
    return COPY if lanes > GROUP_LANES else {}
