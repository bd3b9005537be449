# SPDX-License-Identifier: BSD-2-Clause
"""The benches on what Yosys makes of the hardware: every token, state, weight and counter as after no synthesis."""

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from amaranth.hdl import Module, Shape
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from erbium import cli
from erbium.verif import yosys
from erbium.verif.netlist import FAMILIES, netlist
from erbium.verif.registry import REGISTRY
from erbium.verif.run_bench import BenchError, Run, run_bench
from erbium.verif.simulators import ToolError, cell_models, cell_names, find_icarus
from erbium.verif.yosys import cell_library, run_yosys

pytestmark = pytest.mark.icarus

TESTS = "samples/stall=1|reset_in_mid_sample/clocks=1"
"""Learning and inference under random stalls, and a reset in between: gates take Icarus a while."""

ALSO = dict.fromkeys(("first-spike-tiny-spram", "first-spike-small"), "|weights_at_once")
"""Learning behind the sample, which has to be over when it says so."""


def run_of(component, case, family, **options):
    entry = REGISTRY[component]
    return Run(entry, entry.case(case), "icarus", family=family, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "family"),
    [
        # With fewer neuron units than lanes, as boards have it.
        ("units-ecp5", "ecp5"),
        ("first-spike-two-hidden-ecp5", "ecp5"),
        ("spram", "ice40"),
        ("first-spike-tiny-spram", "ice40"),
        ("first-spike-small", "ice40"),
    ],
)
def test_a_network_learns_after_synthesis_as_before(case, family):
    run = run_of("ErbiumArray", case, family, tests=TESTS + ALSO.get(case, ""))
    assert set(re.findall(r"\b(DP16KD|SB_SPRAM256KA)\b", run.source())) == {
        {"ecp5": "DP16KD", "ice40": "SB_SPRAM256KA"}[family]
    }
    run_bench(run)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("component", "case"),
    [
        ("WordFile", "depth-400"),
        ("WordRom", "700-words"),
        ("WordRom", "3000-words"),
        ("SynapseMemory", "latency-3"),
    ],
)
def test_inferred_memories(component, case, family):
    """Block RAM with contents and without, in words of several widths."""
    run = run_of(component, case, family)
    if case != "latency-3":
        assert re.search(r"\b(DP16KD|CHECKED_RAM40_4K) ", run.source())
    run_bench(run)


def with_a_fault(verilog):
    """Return a netlist in which one lookup table of the first layer's neurons says the opposite of what it should."""
    tables = list(re.finditer(r"INIT\(16'h([0-9a-f]+)\)\s*\) \\inner\.layer1\.\S*neurons", verilog))
    table = tables[len(tables) // 2]
    return f"{verilog[: table.start(1)]}{int(table[1], 16) ^ 0xFFFF:04x}{verilog[table.end(1) :]}"


@pytest.mark.slow
@pytest.mark.parametrize("family", ["ecp5", "ice40"])
def test_a_wrong_lookup_table_is_noticed(family):
    run = run_of("ErbiumArray", {"ecp5": "ecp5", "ice40": "spram"}[family], family, tests="samples/stall=0")
    verilog = with_a_fault(run.source())
    assert sum(a != b for a, b in zip(verilog, run.source(), strict=True)) in range(1, 5)
    with pytest.raises(BenchError, match="differs from the model"):
        run_bench(replace(run, variant="fault", verilog=verilog), again=False)


def test_the_command(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["verify", "WordRom", "five-words", "--netlist", "ice40"])
    assert ended.value.code == 0
    assert "WordRom five-words on ice40 passed under icarus" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["WordRm"], "'WordRm' is no component; did you mean 'WordRom'?"),
        (["WordRom", "fiv"], "'fiv' is no case of WordRom; there are five-words, 700-words"),
        (["WordRom", "five-words", "--netlist", "ecp"], "'ecp' is no family; did you mean 'ecp5'?"),
    ],
)
def test_a_wrong_name_gets_a_sentence(words, message, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["verify", *words])
    assert ended.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_without_a_component_all_are_listed(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["verify"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert all(name in out for name in REGISTRY)


def test_a_netlist_is_kept_until_it_changes():
    run = run_of("WordRom", "five-words", "ecp5")
    run.source()
    (log,) = run.folder.parent.glob("netlists/WordRom-five-words-ecp5/netlist.log")
    made = log.stat().st_mtime_ns
    run.source()
    assert log.stat().st_mtime_ns == made
    log.with_name("made").write_text("of something else")
    run.source()
    assert log.stat().st_mtime_ns > made


def test_no_yosys(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("YOSYS", raising=False)
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    with pytest.raises(ToolError, match=r"yosys was not found; get version 0\.40 or newer with 'pip install"):
        run_yosys(["help"], tmp_path, "help")
    with pytest.raises(ToolError, match="yosys was not found"):
        run_of("WordRom", "five-words", "ice40").source()


@pytest.mark.parametrize(
    ("says", "version"), [("Yosys 0.41 (git)", "0.41"), ("Yosys 0.9 (git)", None), ("", None)]
)
def test_a_yosys_on_the_path_goes_first_if_it_is_new_enough(says, version, tmp_path, monkeypatch):
    program = tmp_path / "yosys"
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    monkeypatch.delenv("YOSYS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    found = yosys.find_yosys()
    assert found.found
    assert (found.path == program) == (version is not None)
    if version:
        assert found.version == version
        with pytest.raises(ToolError, match="has not its files"):
            yosys.shared_folder()
    monkeypatch.setenv("YOSYS", str(program))
    assert yosys.find_yosys().path == program
    monkeypatch.setenv("YOSYS", str(tmp_path / "nowhere"))
    with pytest.raises(ToolError, match="yosys was not found; get it with 'unset YOSYS'"):
        yosys.find_yosys().require()


def test_a_yosys_that_fails_says_why(tmp_path):
    with pytest.raises(ToolError, match=r"(?s)Yosys stopped with exit code 1.*No such command: nonsense"):
        run_yosys(["nonsense"], tmp_path, "nonsense")


def test_cells():
    """Those of a netlist and what they are made of; none that Yosys only declares."""
    library = cell_library("ecp5/cells_sim.v", "  CCU2C #(\n  DP16KD #(\n", but=("DP16KD",))
    assert set(re.findall(r"^module (\w+)", library, re.MULTILINE)) == {"CCU2C", "LUT4", "LUT2"}
    with pytest.raises(ToolError, match="does not say how the cell DP16KD behaves"):
        cell_library("ecp5/cells_sim.v", "  DP16KD #(\n")
    assert "TRELLIS_FF" in cell_library("ecp5/cells_sim.v", "  TRELLIS_FF #(\n")
    assert "TRELLIS_FF" not in cell_library("ecp5/cells_sim.v", "  TRELLIS_FF #(\n", but=cell_names())
    assert [path.stem for path in cell_models("DP16KD a ();")] == ["DP16KD"]
    assert cell_models("module DP16KD ();") == []


class Products(wiring.Component):
    """A product of two wide numbers, and one with a short number."""

    def __init__(self):
        product = Out(Shape(24, signed=True))
        ports = {"a": In(Shape(8, signed=True)), "b": In(Shape(16, signed=True))}
        super().__init__(ports | {"wide": product, "short": product})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.wide.eq(self.a * self.b), self.short.eq(self.a[:7].as_signed() * self.b)]
        return m


def test_a_product_of_wide_numbers_is_a_multiplier_of_the_ecp5(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # Yosys sees no absolute path everywhere.
    text = netlist(Products(), "products", "ecp5", Path("netlist"))
    assert len(re.findall(r"\bMULT18X18D [^(]", text)) == 1
    pairs = [(a, b) for a in (-128, -64, -1, 0, 63, 64, 127) for b in (-32768, -3, 0, 1, 255, 32767)]
    given = "".join(f'a = {a}; b = {b}; #1 $display("%0d %0d", wide, short);' for a, b in pairs)
    Path("bench.v").write_text(
        f"""module bench;
            reg signed [7:0] a; reg signed [15:0] b;
            wire signed [23:0] wide, short;
            products products (.a(a), .b(b), .wide(wide), .short(short));
            initial begin {given} end
        endmodule
        {text}"""
    )
    sources = ["bench.v", *map(str, cell_models(text))]
    subprocess.run([find_icarus().require(), "-g2012", "-s", "bench", "-o", "bench", *sources], check=True)
    done = subprocess.run(["vvp", "-n", "bench"], check=True, capture_output=True, text=True)
    found = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert found == [(a * b, ((a + 64) % 128 - 64) * b) for a, b in pairs]


@pytest.mark.parametrize(
    ("write_address", "mask", "expected"),
    [(5, "0000", "x" * 4), (6, "0000", "0000"), (5, "ffff", "0000")],
)
def test_a_read_of_ice40_block_ram_where_it_is_written_is_unknown(write_address, mask, expected, tmp_path):
    models = cell_models("CHECKED_RAM40_4K ram (")
    library = cell_library("ice40/cells_sim.v", models[0].read_text())
    (tmp_path / "bench.v").write_text(
        f"""module bench;
            reg clock = 0;
            wire [15:0] data;
            CHECKED_RAM40_4K ram (
                .RDATA(data), .RCLK(clock), .RCLKE(1'b1), .RE(1'b1), .RADDR(11'd5),
                .WCLK(clock), .WCLKE(1'b1), .WE(1'b1), .WADDR(11'd{write_address}), .MASK(16'h{mask}),
                .WDATA(16'h1234));
            initial begin #1 clock = 1; #1 $display("%h", data); end
        endmodule
        `define NO_ICE40_DEFAULT_ASSIGNMENTS
        {library}"""
    )
    compiled = tmp_path / "bench"
    sources = [tmp_path / "bench.v", *models]
    subprocess.run([find_icarus().require(), "-g2005", "-s", "bench", "-o", compiled, *sources], check=True)
    done = subprocess.run(["vvp", "-n", compiled], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == expected
