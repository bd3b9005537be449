# SPDX-License-Identifier: BSD-2-Clause
"""Reports of builds, what is read from nextpnr, and budgets."""

from dataclasses import replace

import pytest

from erbium.fpga.budgets import Budget, breaches, read_budgets
from erbium.fpga.placement import Timing, Use, signal_name, timing_of, uses_of
from erbium.fpga.report import BuildReport, Cycles, read_report

REPORT = BuildReport(
    board="ulx3s-85f",
    title="ULX3S 85F",
    device="LFE5U-85F",
    preset="erbp-mnist-200",
    digest="0123456789abcdef",
    shape=(784, 200, 10),
    hardware={"lanes": 64},
    lanes=64,
    clock=75_000_000,
    baud_rate=3_000_000,
    buffer_bytes=4096,
    seed=1,
    reached=(60.0,),
    timing=Timing(90.0, 75.0, "a.b", "c.d"),
    uses={
        "LUTs": Use(40_000, 83_640),
        "flip-flops": Use(20_000, 83_640),
        "block RAMs": Use(110, 208),
        "SPRAMs": Use(0, 0),
        "DSPs": Use(0, 156),
    },
    seconds={"synthesis": 60.0, "place and route": 600.0, "packing": 5.0},
    tools={"yosys": "0.70"},
    bitstream="erbium.bit",
    bitstream_bytes=1_000_000,
    bitstream_sha256="ab",
    command="erbium build ulx3s-85f erbp-mnist-200",
    version="0.1.0",
    cycles=Cycles(15_000.0, 7_500.0, 300, "MNIST", 300.0),
)

PATH = {
    "from": "posedge clk",
    "to": "posedge clk",
    "path": [
        {"from": {"cell": "chip.array.layer1.sum_TRELLIS_FF_Q_3"}, "to": {"cell": "x"}},
        {"from": {"cell": "x"}, "to": {"cell": "chip.array.layer1.state_LUT4_Z_1"}},
    ],
}


def nextpnr(achieved=90.0, constraint=75.0):
    return {
        "fmax": {"clk": {"achieved": achieved, "constraint": constraint}},
        "critical_paths": [{"from": "async", "to": "posedge clk", "path": []}, PATH],
        "utilization": {},
    }


def test_images_per_second():
    assert REPORT.speeds() == {
        "training": 5_000,
        "inference": 10_000,
        "training_at_fmax": 6_000,
        "inference_at_fmax": 12_000,
        "serial_port": 1_000,
    }
    assert replace(REPORT, cycles=None).speeds() == {}


@pytest.mark.parametrize("report", [REPORT, replace(REPORT, cycles=None, problems=("too slow",))])
def test_there_and_back(report):
    assert BuildReport.from_json(report.to_json()) == report


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "erbium-build", "format_version": 1}'])
def test_what_is_no_report(text, tmp_path):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(ValueError, match=r"report\.json: no report of a build"):
        read_report(tmp_path)


def test_no_report_at_all(tmp_path):
    assert read_report(tmp_path) is None


def test_the_text_names_what_matters():
    text = REPORT.to_text()
    for part in (
        "784-200-10, digest 0123456789abcdef",
        "75 MHz; 90 MHz reached",
        "a.b to c.d",
        "LUTs           40,000 of 83,640 (48 %)",
        "5,000 training, 10,000 inference",
        "place and route 600 s",
        "erbium build ulx3s-85f erbp-mnist-200",
    ):
        assert part in text
    assert "SPRAMs" not in text
    assert "NOT TO BE USED: too slow" in replace(REPORT, problems=("too slow",)).to_text()
    assert "not measured" in replace(REPORT, cycles=None).to_text()


def test_timing():
    timing = timing_of(nextpnr())
    assert timing == Timing(90.0, 75.0, "chip.array.layer1.sum", "chip.array.layer1.state")
    assert timing.met
    assert not timing_of(nextpnr(achieved=74.99)).met


def test_the_clock_that_is_nearest_to_missing_counts():
    report = nextpnr()
    report["fmax"]["other"] = {"achieved": 30.0, "constraint": 25.0}
    assert timing_of(report).fmax == 90.0
    report["fmax"]["other"] = {"achieved": 24.0, "constraint": 25.0}
    assert timing_of(report).fmax == 24.0


def test_a_design_without_a_clock():
    with pytest.raises(ValueError, match="no clock"):
        timing_of({"fmax": {}, "critical_paths": []})


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("s.rest_TRELLIS_FF_Q_1_CE_LUT4_Z_D", "s.rest"),
        ("s.left_SB_DFFESR_Q_D_SB_LUT4_O_LC", "s.left"),
        ("chip.queue.storage.0.0$DPRAM_COMB2", "chip.queue.storage.0.0"),
        ("chip.plain", "chip.plain"),
    ],
)
def test_names_of_signals(cell, name):
    assert signal_name(cell) == name


def bels(**counts):
    return {
        "utilization": {name: {"used": used, "available": there} for name, (used, there) in counts.items()}
    }


def test_uses_of_an_ecp5():
    found = uses_of(
        "ecp5",
        bels(TRELLIS_COMB=(100, 24288), TRELLIS_FF=(60, 24288), DP16KD=(3, 56), MULT18X18D=(0, 28)),
        "",
    )
    assert found == {
        "LUTs": Use(100, 24288),
        "flip-flops": Use(60, 24288),
        "block RAMs": Use(3, 56),
        "DSPs": Use(0, 28),
        "SPRAMs": Use(0, 0),
    }


def test_uses_of_an_ice40():
    log = "Info: 34 LCs used as LUT4 only\nInfo: 37 LCs used as LUT4 and DFF\nInfo: 22 LCs used as DFF only\n"
    report = bels(ICESTORM_LC=(102, 5280), ICESTORM_RAM=(6, 30), ICESTORM_SPRAM=(4, 4), ICESTORM_DSP=(0, 8))
    found = uses_of("ice40", report, log)
    assert found["LUTs"] == Use(102, 5280)
    assert found["flip-flops"] == Use(59, 5280)
    assert found["SPRAMs"] == Use(4, 4)


def test_uses_of_a_gowin():
    report = bels(
        LUT4=(100, 8640),
        ALU=(50, 6480),
        RAM16SDP4=(2, 270),
        DFF=(67, 6480),
        BSRAM=(1, 26),
        MULT18X18=(0, 20),
        MULT9X9=(0, 40),
        MULT36X36=(0, 5),
    )
    assert uses_of("gowin", report, "")["LUTs"] == Use(158, 8640)


BUDGET = {("ulx3s-85f", "erbp-mnist-200"): Budget(80.0, {"LUTs": 40_000, "block RAMs": 110})}


def test_a_build_within_its_budget():
    assert breaches(REPORT, BUDGET) == []
    assert breaches(replace(REPORT, preset="tiny"), BUDGET) == []


def test_each_breach_is_named():
    report = replace(
        REPORT, timing=Timing(79.5, 75.0, "", ""), uses=REPORT.uses | {"LUTs": Use(40_001, 83_640)}
    )
    assert breaches(report, BUDGET) == [
        "79.5 MHz reached and the budget is at least 80 MHz",
        "40,001 LUTs used and the budget is at most 40,000",
    ]


def test_a_budget_is_for_the_lanes_that_it_names():
    few = replace(REPORT, timing=Timing(79.5, 75.0, "", ""))
    for lanes, number in ((64, 1), (200, 0)):
        budgets = {key: replace(budget, lanes=lanes) for key, budget in BUDGET.items()}
        assert len(breaches(few, budgets)) == number


def test_the_budgets_that_are_shipped_can_be_read():
    for budget in read_budgets().values():
        assert budget.fmax > 0
        assert budget.ceilings


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('["ulx4s".tiny]\nfmax = 1', "there is no such board or preset"),
        ("[icebreaker.tiny]\nlutts = 1", "there is no budget for lutts"),
    ],
)
def test_a_budget_for_what_there_is_not(text, complaint, tmp_path):
    (tmp_path / "budgets.toml").write_text(text)
    with pytest.raises(ValueError, match=complaint):
        read_budgets(tmp_path / "budgets.toml")
