# SPDX-License-Identifier: BSD-2-Clause
"""What a synthesis has to know of this hardware: commands for Yosys behind ``read_rtlil``."""

from __future__ import annotations

from erbium.hdl.fork import SHORT_ATTRIBUTE
from erbium.hdl.lane_group import COPY_ATTRIBUTE

_READS = "t:$memrd_v2 r:CLK_ENABLE=1 %i"
_UNMASKED = f"{_READS} */r:COLLISION_X_MASK=1'0 %i"

COLLISIONS_ARE_FREE = (
    f"setparam -set COLLISION_X_MASK 1'1 {_UNMASKED}",
    f"select -assert-none {_UNMASKED}",
)
"""No memory is read where it is written, so no flip-flops are to be spent on what would be read then."""

KEEP_COPIES = (f"setattr -set keep 1 a:{COPY_ATTRIBUTE} %ci1:+[Q] t:* %i",)
"""The copies of the control signals in the groups of lanes stay apart."""


SHORT_MEMORIES_OF_LOGIC = (f'setattr -set ram_style "distributed" a:{SHORT_ATTRIBUTE}',)
"""For an FPGA whose logic cells can be RAM, such as the ECP5: short queues are made of them, not of block RAM."""

PREPARATION = ("proc", *COLLISIONS_ARE_FREE, *KEEP_COPIES)
"""The commands to be given between reading the design and ``synth_...``."""
