# SPDX-License-Identifier: BSD-2-Clause
"""What a synthesis has to know of this hardware: commands for Yosys behind ``read_rtlil``."""

from __future__ import annotations

from erbium.hdl.fork import SHORT_ATTRIBUTE
from erbium.hdl.groups import COPY_ATTRIBUTE
from erbium.hdl.marks import COLLISION_ATTRIBUTE

_MARKED = f"a:{COLLISION_ATTRIBUTE} %m"
_READS = f"{_MARKED} */t:$memrd_v2 %i */r:CLK_ENABLE=1 %i"
_UNMASKED = f"{_READS} */r:COLLISION_X_MASK=1'0 %i"

MARKS_ARE_THERE = (f"select -assert-any {_MARKED}",)
"""For a whole chip, which has such memories: marks that got lost on the way would cost logic, and say nothing."""

COLLISIONS_ARE_FREE = (
    f"setparam -set COLLISION_X_MASK 1'1 {_UNMASKED}",
    f"select -assert-none {_UNMASKED}",
)
"""Memories that say so are not read where they are being written; each has a module of its own.

The benches check it, and the register ``status`` would tell of the weights. Yosys does not know, and would spend two
flip-flops and a multiplexer on each bit of a wide memory to be sure.
"""


_COPIES = f"w:* a:{COPY_ATTRIBUTE} %i %ci1:+[Q]"
COPIES_STAY = ("proc", f"setattr -set keep 1 {_COPIES} */t:$*dff* %i")
"""Groups of lanes carry registers of their own for what is the same in all: Yosys would make one of them."""


SHORT_MEMORIES_OF_LOGIC = (f'setattr -set ram_style "distributed" a:{SHORT_ATTRIBUTE}',)
"""For an FPGA whose logic cells can be RAM, such as the ECP5: short queues are made of them, not of block RAM."""

HARD_PRODUCTS = (
    "techmap -map +/mul2dsp.v -map +/lattice/dsp_map_18x18.v -D DSP_A_MAXWIDTH=18 -D DSP_B_MAXWIDTH=18 "
    "-D DSP_A_MINWIDTH=2 -D DSP_B_MINWIDTH=2 -D DSP_NAME=$__MUL18X18 "
    "*/t:$mul */r:A_WIDTH>=8 %i */r:B_WIDTH>=8 %i",
)
"""For an ECP5: products of two numbers of 8 bits and more are for its multipliers, those with short ones for logic."""

NAMES_APART = ("rename -hide w:*\\[*",)
"""Amaranth calls a part of an array ``x[7]`` beside the array ``x``; ``abc9`` takes one for a bit of the other."""

PREPARATION = (*COLLISIONS_ARE_FREE, *COPIES_STAY, *NAMES_APART)
"""The commands to be given between reading an array and ``synth_...``."""
