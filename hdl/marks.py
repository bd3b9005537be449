# SPDX-License-Identifier: BSD-2-Clause
"""What a synthesis is told of single memories, as attributes that :mod:`erbium.gen.synthesis` looks for."""

COLLISION_ATTRIBUTE = "collision_free"
COLLISION_FREE = {COLLISION_ATTRIBUTE: 1}
"""Of a memory that is never read where it is being written, or whose data are not looked at then.

Whoever makes one sees to it. Without it a synthesis puts logic beside each bit of a wide memory.
"""

BLOCK_RAM = {"ram_style": "block"}
"""Of a memory that is wide and short, and would take as many wires as it has bits if it were made of logic cells."""
