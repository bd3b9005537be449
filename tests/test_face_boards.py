# SPDX-License-Identifier: BSD-2-Clause
"""``erbium boards``, ``plan``, ``build``, ``flash`` and ``erbium bench boards``, as a user sees them."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from erbium import bench, cycles
from erbium.bench import boards as bench_boards
from erbium.bench.request import Request
from erbium.fpga import build as the_build
from erbium.fpga.boards import BOARDS, board
from erbium.fpga.build import folder_of
from erbium.fpga.placement import Timing, Use
from erbium.fpga.report import BuildReport, Cycles
from erbium.gen.presets import preset
from erbium.sw_model.network import Hardware

TINY = preset("tiny").network
NAMES = ("LUTs", "flip-flops", "block RAMs", "SPRAMs", "DSPs")


def report(**changes):
    made = BuildReport(
        board="ulx3s-25f",
        title="ULX3S 25F",
        device="LFE5U-25F",
        preset="tiny",
        digest=TINY.digest,
        shape=TINY.shape,
        hardware={},
        lanes=12,
        clock=75_000_000,
        baud_rate=3_000_000,
        buffer_bytes=2048,
        seed=1,
        reached=(93.5,),
        timing=Timing(93.5, 75.0, "a", "b"),
        uses={name: Use(6_000, 24_000) if name != "SPRAMs" else Use(0, 0) for name in NAMES},
        seconds={"synthesis": 1.0, "place and route": 119.0},
        tools={"yosys": "0.70"},
        bitstream="erbium.bit",
        bitstream_bytes=1,
        bitstream_sha256="",
        command="erbium build ulx3s-25f tiny",
        version="0.1.0",
        cycles=Cycles(750.0, 500.0, 300, "tiny digits", 30.0),
    )
    return replace(made, **changes)


def test_boards(run):
    code, out, _ = run("boards")
    assert code == 0
    for described in BOARDS.values():
        assert described.name in out
        assert described.title in out


def test_plan(run):
    code, out, _ = run("plan ulx3s-25f tiny --lanes 4")
    assert code == 0
    assert "tiny on ULX3S 25F (LFE5U-25F): 4, 4 lanes" in out
    assert "layer1_synapses" in out
    assert "of 56" in out


def test_a_plan_that_does_not_fit(run):
    code, out, err = run("plan ulx3s-25f erbp-mnist-500 --lanes 16")
    assert code == 2
    assert "layer1_synapses" in out
    assert "erbp-mnist-500 with 16 lanes needs" in err
    assert "the largest hidden layer that fits has" in err


@pytest.mark.parametrize("command", ["plan", "build", "flash"])
def test_an_unknown_board(run, command):
    code, _, err = run(f"{command} ulx4s tiny")
    assert code == 2
    assert err.startswith("erbium: there is no board 'ulx4s'; there are ulx3s-85f")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("--clock 0.1", "--clock is 100000"),
        ("--baud 1", "--baud is 1"),
        ("--seed -1", "--seed is -1"),
        ("--lanes 0", "--lanes is 0"),
    ],
)
def test_options_out_of_range(run, options, complaint):
    code, _, err = run(f"build icebreaker first-spike-tiny {options}")
    assert code == 2
    assert complaint in err


def test_a_build_that_is_good(run, monkeypatch):
    monkeypatch.setattr(the_build, "build", lambda request, show, measure: report())
    code, out, _ = run("build ulx3s-25f tiny")
    assert code == 0
    assert "93.5 MHz reached" in out
    assert (
        "The files are in build/boards/ulx3s-25f/tiny; 'erbium flash ulx3s-25f tiny' loads the bitstream."
        in out
    )


def test_a_build_that_misses(run, monkeypatch):
    problem = "75 MHz were asked for and 60 MHz reached"
    monkeypatch.setattr(the_build, "build", lambda request, show, measure: report(problems=(problem,)))
    code, out, err = run("build ulx3s-25f tiny")
    assert code == 1
    assert f"NOT TO BE USED: {problem}" in out
    assert problem in err


def test_stages_are_shown(run, monkeypatch):
    def build(request, show, measure):
        show("synthesis", None)
        show("synthesis", 12.5)
        return report()

    monkeypatch.setattr(the_build, "build", build)
    _, _, err = run("build ulx3s-25f tiny")
    assert "synthesis" in err
    assert "12.5 s" in err


def test_flash_without_a_bitstream(run):
    code, _, err = run("flash icebreaker tiny")
    assert code == 2
    assert (
        "build/boards/icebreaker/tiny holds no bitstream; build it with 'erbium build icebreaker tiny'" in err
    )


def test_the_table(run, tmp_path):
    folder = tmp_path / folder_of(board("ulx3s-25f"), "tiny")
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(report().to_json())
    code, out, _ = run("boards --table")
    assert code == 0
    assert out.splitlines()[2] == (
        "| ULX3S 25F | tiny | 12 | 75 MHz (93.5) | 6,000 (25 %) | 6,000 (25 %) | 6,000 (25 %) | 100,000, 150,000 "
        "| 10,000 | 2.0 min | `erbium build ulx3s-25f tiny` |"
    )


@pytest.mark.parametrize(("problems", "ok"), [((), True), (("over budget",), False)])
def test_the_bench(monkeypatch, problems, ok):
    monkeypatch.setattr(bench_boards, "run", lambda advance, *arguments: report(problems=problems))
    outcome = bench.measure(Request("boards", quick=True, jobs=1))
    row, speed = outcome.rows
    assert row.id == "boards/ulx3s-25f/tiny/fmax"
    assert (row.value, row.unit) == (93.5, "MHz")
    assert speed.id == "boards/ulx3s-25f/tiny/training-images-per-s"
    # A clock that was not reached carries no image.
    assert (speed.value, speed.unit) == (100_000 if ok else 0, "images/s")
    assert outcome.ok is ok
    assert row.extra["images_per_second"]["training"] == 100_000
    text = io.StringIO()
    outcome.show(Console(file=text, width=80))
    assert "93.5" in text.getvalue()
    assert "…" not in text.getvalue()
    json.loads(outcome.to_json())


def test_one_row_of_a_bitstream_is_enough(monkeypatch):
    monkeypatch.setattr(bench_boards, "run", lambda advance, *arguments: report())
    only = ("boards/ulx3s-25f/tiny/training-images-per-s",)
    outcome = bench.measure(Request("boards", quick=True, jobs=1, only=only))
    assert [row.id for row in outcome.rows] == list(only)


def test_what_is_published_exists():
    assert set(bench_boards.SPEEDS) <= set(bench_boards.FIGURES)
    for board_name, preset_name in (*bench_boards.FIGURES, *bench_boards.QUICK_FIGURES):
        assert board(board_name).name == board_name
        assert preset(preset_name).network.name == preset_name


@pytest.mark.verilator
def test_cycles_are_counted_by_the_simulated_chip():
    hardware = Hardware(lanes=12)
    found = cycles.measure_cycles(TINY, hardware)
    assert found is not None
    assert found == cycles.measure_cycles(TINY, hardware)
    assert found.data == "tiny digits"
    assert found.samples == 300
    assert 100 < found.inference < 2_000
    assert 100 < found.training < 2_000


def test_no_cycles_of_a_network_that_is_no_preset():
    assert cycles.measure_cycles(replace(TINY, seed=2), Hardware()) is None
    assert cycles.measure_cycles(replace(TINY, name="mine"), Hardware()) is None


@pytest.mark.parametrize(
    ("name", "image", "pixels"),
    [
        ("erbp-mnist-200", np.full(784, 9), 784),
        ("erbp-mnist-200", np.eye(1, 784)[0], 3),
        ("first-spike-mnist-600", np.full(784, 255), 98),
        ("first-spike-mnist-600", np.full(784, 100), 0),
    ],
)
def test_bytes_of_a_frame(name, image, pixels):
    length = 14 + pixels
    images = image.reshape(1, -1).astype(np.uint8)
    assert cycles._link_bytes(preset(name).network, images) == length + -(-length // 254)
