# SPDX-License-Identifier: BSD-2-Clause
"""How many block RAMs a memory takes: as many as Yosys takes."""

import json
import subprocess

import pytest
from amaranth.back import rtlil

from erbium.fpga import tools
from erbium.fpga.memories import (
    Memory,
    blocks_of,
    lut_ram_cells,
    take,
)
from erbium.hdl.synapse_memory import SynapseMemory

MEASURED = [
    # What Yosys 0.70 made of SynapseMemory(rows, bits), without defined collisions.
    ("ecp5", 784, 512, 29),
    ("ecp5", 785, 512, 29),
    ("ecp5", 3140, 512, 100),
    ("ecp5", 4096, 512, 114),
    ("ecp5", 785, 128, 8),
    ("ecp5", 64, 512, 15),
    ("ecp5", 2000, 128, 15),
    ("ecp5", 6280, 256, 95),
    ("ice40", 65, 32, 2),
    ("ice40", 785, 16, 4),
    ("ice40", 256, 16, 1),
    ("ice40", 400, 20, 3),
    ("ice40", 17, 48, 3),
    ("gowin", 785, 64, 4),
    ("gowin", 65, 64, 2),
    ("gowin", 1600, 36, 4),
    ("gowin", 3140, 64, 14),
    ("gowin", 6280, 32, 13),
]

_SYNTHESIS = {
    "ecp5": ("synth_ecp5", ("DP16KD",)),
    "ice40": ("synth_ice40", ("SB_RAM40_4K",)),
    "gowin": ("synth_gowin -noiopads", ("SDPB", "SDPX9B", "DPX9B")),
}


@pytest.mark.parametrize(("family", "depth", "width", "blocks"), MEASURED)
def test_blocks(family, depth, width, blocks):
    assert blocks_of(family, depth, width) == blocks


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "depth", "width"), [("ecp5", 1570, 72), ("ice40", 700, 20), ("gowin", 600, 40)]
)
def test_blocks_as_yosys_counts_them(family, depth, width, tmp_path):
    command, kinds = _SYNTHESIS[family]
    (tmp_path / "m.il").write_text(rtlil.convert(SynapseMemory(depth, width), name="top"))
    script = f"""
        read_rtlil m.il
        setparam -set COLLISION_X_MASK 1'1 t:$memrd_v2
        {command} -top top -run begin:map_ffs
        tee -o m.json stat -json
    """
    (tmp_path / "m.ys").write_text(script)
    yosys = str(tools.find("yosys").require())
    subprocess.run([yosys, "-q", "m.ys"], cwd=tmp_path, check=True)
    cells = json.loads((tmp_path / "m.json").read_text())["design"]["num_cells_by_type"]
    assert sum(cells.get(kind, 0) for kind in kinds) == blocks_of(family, depth, width)


@pytest.mark.parametrize(
    ("family", "memory", "expected"),
    [
        ("ecp5", Memory("m", 17, 48), ("LUT RAM", 24)),
        ("ecp5", Memory("m", 33, 48), ("LUT RAM", 36)),
        ("ecp5", Memory("m", 64, 18), ("LUT RAM", 20)),
        ("ecp5", Memory("m", 17, 512), ("LUT RAM", 256)),
        ("ecp5", Memory("m", 128, 10), ("block RAM", 1)),
        ("ecp5", Memory("m", 10, 1024, "rom"), ("LUTs", 1024)),
        ("ecp5", Memory("m", 256, 8, "rom"), ("LUTs", 128)),
        ("ecp5", Memory("m", 512, 8, "rom"), ("block RAM", 1)),
        ("ecp5", Memory("m", 75, 128, "rom"), ("block RAM", 4)),
        ("ecp5", Memory("m", 4, 72, "distributed"), ("LUT RAM", 18)),
        # The ninth bits hold weights: nine bits each cost no more than eight.
        ("ecp5", Memory("m", 785, 2 * 8, "ecp5"), ("block RAM", 1)),
        ("ecp5", Memory("m", 785, 2 * 9, "ecp5"), ("block RAM", 1)),
        ("ecp5", Memory("m", 784, 512, "ecp5"), ("block RAM", 29)),
        ("ecp5", Memory("m", 3140, 512, "ecp5"), ("block RAM", 114)),
        ("gowin", Memory("m", 40, 48), ("LUT RAM", 36)),
        ("gowin", Memory("m", 128, 10), ("LUT RAM", 24)),
        ("gowin", Memory("m", 65, 64), ("block RAM", 2)),
        ("ice40", Memory("m", 8, 8), ("flip-flops", 64)),
        ("ice40", Memory("m", 4, 20), ("flip-flops", 80)),
        ("ice40", Memory("m", 10, 7), ("block RAM", 1)),
        ("ice40", Memory("m", 15, 48, read_ports=2), ("block RAM", 6)),
        ("ice40", Memory("m", 250, 4, "rom"), ("LUTs", 64)),
        ("ice40", Memory("m", 4, 72, "distributed"), ("flip-flops", 288)),
        # 785 rows of 160 weights in words of four: the four blocks of an iCE40 UltraPlus, and no more.
        ("ice40", Memory("m", 785 * 40, 32, "spram"), ("SPRAM", 4)),
        ("ice40", Memory("m", 16_385, 17, "spram"), ("SPRAM", 4)),
        ("ice40", Memory("m", 785 * 160, 8, "spram"), ("SPRAM", 4)),
        ("ice40", Memory("m", 131_073, 8, "spram"), ("SPRAM", 5)),
    ],
)
def test_what_holds_a_memory(family, memory, expected):
    assert take(family, memory) == expected


def test_lut_ram():
    assert lut_ram_cells(16, 4) == 1
    assert lut_ram_cells(17, 5) == 4
