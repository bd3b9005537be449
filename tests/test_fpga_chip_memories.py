# SPDX-License-Identifier: BSD-2-Clause
"""The memories that a plan knows of are those of the elaborated design, one by one and in its order."""

import subprocess
import sys
import time

import pytest

from erbium.fpga.boards import BOARDS, board
from erbium.fpga.chip_memories import chip_memories
from erbium.fpga.design import chip
from erbium.fpga.inventory import other_memories
from erbium.fpga.planner import _hardware, plan
from erbium.gen.presets import PRESETS, erbp_network, preset
from erbium.sw_model.network import Hardware

CHEAP = ("tiny", "first-spike-tiny", "erbp-digits", "first-spike-digits")
"""Presets whose designs are small, each on every board."""

SEVERAL = (
    ("ulx3s-85f", "erbp-mnist-200"),
    ("ecpix5-85f", "erbp-mnist-200"),
    ("ulx3s-85f", "erbp-mnist-200-200"),
    ("ulx3s-85f", "first-spike-mnist-24x24-640"),
    ("ulx3s-25f", "erbp-mnist-500"),
    ("icebreaker", "erbp-mnist-160"),
    ("icebreaker", "first-spike-mnist-20x20-320"),
    ("tang-nano-9k", "erbp-mnist-100"),
)


def compare(described, network, hardware, *, from_flash=False):
    design = chip(described, network, hardware, described.clock, described.baud_rate, from_flash=from_flash)
    planned = chip_memories(described, network, hardware, from_flash=from_flash)
    # The order in which parts are made says nothing.
    assert sorted(planned, key=str) == sorted(other_memories(design), key=str)


@pytest.mark.parametrize("described", BOARDS.values(), ids=BOARDS)
@pytest.mark.parametrize("name", CHEAP)
def test_cheap_presets_on_every_board(described, name):
    planned = plan(described, preset(name).network)
    compare(described, planned.network, planned.hardware)


@pytest.mark.parametrize("name", ["tiny", "first-spike-mnist-24x24-640"])
def test_a_chip_that_reads_its_flash(name):
    described = board("ulx3s-85f")
    planned = plan(described, preset(name).network, from_flash=True)
    compare(described, planned.network, planned.hardware, from_flash=True)
    beside = plan(described, preset(name).network, planned.lanes)
    assert planned.logic.luts - beside.logic.luts == 2_600


@pytest.mark.parametrize(("where", "name"), SEVERAL)
def test_several_others(where, name):
    planned = plan(board(where), preset(name).network)
    compare(board(where), planned.network, planned.hardware)


@pytest.mark.parametrize("lanes", [1, 2, 3, 5, 17, 33])
@pytest.mark.parametrize("name", ["tiny", "first-spike-tiny"])
def test_any_number_of_lanes(name, lanes):
    for where in ("ulx3s-85f", "icebreaker"):
        network = preset(name).network
        compare(board(where), network, _hardware(board(where), network, lanes))


def test_hardware_that_no_board_has():
    network = erbp_network("mine", (37,), n_inputs=91, n_classes=7)
    for hardware in (Hardware(lanes=9, fifo_depth=5), Hardware(lanes=64, encoder_pixels=1, begin_pieces=3)):
        compare(board("ulx3s-25f"), network, hardware)


def test_every_preset_is_planned_in_a_few_seconds(run):
    begin = time.monotonic()
    code, out, _ = run("plan ulx3s-85f")
    assert time.monotonic() - begin < 5
    assert code == 0
    first, *rows = out.splitlines()
    assert first.split() == ["preset", "fits", "lanes", "RAM/208", "LUT/83,640", "FF/83,640"]
    assert [row.split()[0] for row in rows] == list(PRESETS)
    assert {row.split()[1] for row in rows} <= {"yes", "no"}
    for row, planned in zip(
        rows, (plan(board("ulx3s-85f"), each.network) for each in PRESETS.values()), strict=True
    ):
        assert row.split()[2:] == [str(planned.lanes)] + [
            f"{need.need:,}" for need in planned.needs if need.name != "SPRAMs"
        ]
        assert len(row) <= 80


def test_a_plan_loads_only_what_it_needs():
    """The first row is on the screen within a second: what takes longer to load than to plan stays out."""
    text = """
import sys
from erbium.cli import main
try:
    main(["plan", "ulx3s-85f"])
except SystemExit:
    pass
print(*{name.partition(".")[0] for name in sys.modules})
"""
    said = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout
    loaded = set(said.splitlines()[-1].split())
    assert {"erbium", "numpy", "amaranth"} <= loaded
    assert not loaded & {
        "numba",
        "scipy",
        "sklearn",
        "matplotlib",
        "jinja2",
        "requests",
        "pooch",
        "dask",
        "serial",
    }


def test_rows_come_one_by_one():
    """The first one long before the last: nothing is kept until the end."""
    with subprocess.Popen(
        [sys.executable, "-c", "from erbium.cli import main; main(['plan', 'ulx3s-85f'])"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        first = time.monotonic()
        process.stdout.read()
        assert time.monotonic() > first
        assert process.wait(60) == 0
