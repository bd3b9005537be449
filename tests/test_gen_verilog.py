# SPDX-License-Identifier: BSD-2-Clause
"""The Verilog writer: the same behaviour as Amaranth's own simulator, readable names, logic where it belongs."""

import hashlib
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Cat, Module, Mux, Print, Shape, Signal, Value
from amaranth.lib import data
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component, In, Out
from amaranth.sim import Simulator

from erbium.gen import verilog
from erbium.gen.presets import erbp_network, preset
from erbium.gen.verilog import TOP, RtlilError, component_rtlil, component_verilog
from erbium.hdl.array import ErbiumArray
from erbium.sw_model.network import Hardware
from erbium.verif.random_hardware import Random
from erbium.verif.simulators import every_verilator, find_icarus, lint

CYCLES = 30
SEEDS = range(12)


def stimulus(seed: int, part: Component) -> list[dict[str, int]]:
    draw = random.Random(seed)
    rows = []
    for _ in range(CYCLES):
        row = {}
        for path, member, value in part.signature.flatten(part):
            if member.flow == In:
                width = len(Value.cast(value))
                edges = (0, (1 << width) - 1, 1 << (width - 1))
                row[str(path[0])] = draw.getrandbits(width) if draw.random() < 0.8 else draw.choice(edges)
        rows.append(row)
    return rows


def amaranth_says(seed: int) -> list[list[int]]:
    part, result = Random(seed), []
    simulator = Simulator(part)
    simulator.add_clock(1e-6)

    async def bench(context: Any) -> None:
        for row in stimulus(seed, part):
            for name, value in row.items():
                context.set(getattr(part, name), value)
            await context.delay(0.4e-6)
            outputs = (getattr(part, f"o{k}") for k in range(6))
            result.append([context.get(output) & ((1 << len(output)) - 1) for output in outputs])
            await context.tick()

    simulator.add_testbench(bench)
    simulator.run()
    return result


def icarus_says(seed: int, text: str, folder: Path) -> list[list[str]]:
    part = Random(seed)
    lines, ports = ["module tb;", "  reg clk = 0, rst = 0;"], [".clk(clk)", ".rst(rst)"]
    for path, member, value in part.signature.flatten(part):
        kind, width = "reg" if member.flow == In else "wire", len(Value.cast(value))
        lines.append(f"  {kind} [{width - 1}:0] \\{path[0]} ;")
        ports.append(f".\\{path[0]} (\\{path[0]} )")
    lines += [f"  part dut({', '.join(ports)});", "  initial begin"]
    for row in stimulus(seed, part):
        widths = {name: len(Value.cast(getattr(part, name))) for name in row}
        lines += [f"    \\{name}  = {widths[name]}'h{value:x};" for name, value in row.items()]
        lines.append(f'    #4 $display("{" ".join(["%b"] * 6)}", {", ".join(f"o{k}" for k in range(6))});')
        lines.append("    #1 clk = 1; #5 clk = 0;")
    lines += ["    $finish;", "  end", "endmodule"]
    (folder / "tb.v").write_text("\n".join(lines))
    (folder / "part.v").write_text(text)
    compiler = find_icarus().require()
    for command in ([str(compiler), "-g2005", "-o", "tb", "tb.v", "part.v"], ["vvp", "-n", "tb"]):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return [line.split() for line in done.stdout.splitlines() if re.fullmatch(r"[01xz ]+", line)]


# Amaranth warns of what nobody would write, such as a case that can never be.
drawn = pytest.mark.filterwarnings("ignore::Warning")


@drawn
@pytest.mark.icarus
@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_verilog_does_what_the_source_says(seed: int, flat: bool, tmp_path: Path) -> None:
    expected = amaranth_says(seed)
    found = icarus_says(seed, component_verilog(Random(seed), "part", flat=flat), tmp_path)
    assert len(found) == len(expected)
    for cycle, (bits, values) in enumerate(zip(found, expected, strict=True)):
        for output, (text, value) in enumerate(zip(bits, values, strict=True)):
            # What a memory reads is unknown in Verilog until its first clock.
            known = re.sub("[xz]", ".", text)
            assert re.fullmatch(known, f"{value:0{len(text)}b}"), f"cycle {cycle}, output o{output}"


@drawn
@pytest.mark.verilator
@pytest.mark.parametrize("flat", [False, True])
def test_widths_cases_and_latches_of_random_hardware(flat: bool, tmp_path: Path) -> None:
    for seed in range(3):
        path = tmp_path / f"part{seed}.v"
        path.write_text(component_verilog(Random(seed), f"part{seed}", flat=flat))
        # Random hardware compares things that cannot differ; nobody writes that.
        waive = ("DECLFILENAME", "CMPCONST", "UNSIGNED", "UNUSEDSIGNAL")
        assert lint([path], f"part{seed}", waive=waive) == ""


class Lanes(Component):
    """Four lanes of the same under one enable."""

    enable: In(1)  # type: ignore[valid-type]
    a: In(32)  # type: ignore[valid-type]
    b: In(32)  # type: ignore[valid-type]
    total: Out(32)  # type: ignore[valid-type]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for lane in range(4):
            a, b = (word.word_select(lane, 8).as_signed() for word in (self.a, self.b))
            sum_ = Signal(Shape(9, signed=True), name=f"sum_{lane}")
            register = Signal(8, name=f"register_{lane}")
            m.d.comb += [sum_.eq(a + b), self.total.word_select(lane, 8).eq(register)]
            with m.If(self.enable):
                m.d.sync += register.eq(Mux(sum_[8] == sum_[7], sum_[:8], Mux(sum_[8], 0x80, 0x7F)))
        return m


@pytest.mark.parametrize("flat", [False, True])
def test_what_only_an_enabled_register_uses_is_computed_under_its_enable(flat: bool) -> None:
    text = component_verilog(Lanes(), "lanes", flat=flat)
    # All lanes share one text, and no wire of the module is computed while the enable is low.
    assert len(re.findall("function automatic", text)) == 1
    assert len(re.findall(r"<= next_register\(", text)) == 4
    assert not re.search(r"^  wire \[8:0\]", text, re.MULTILINE)
    assert len(re.findall(r"if \(enable\)", text)) == 1


class Counter(Component):
    """Reads its own output."""

    count: Out(4)  # type: ignore[valid-type]
    wraps: Out(1)  # type: ignore[valid-type]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.count.eq(self.count + 1)
        m.d.comb += self.wraps.eq(self.count == 15)
        return m


class Outer(Component):
    """Reads one output of a part, and not the one that the part reads, too."""

    wraps: Out(1)  # type: ignore[valid-type]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.counter = counter = Counter()
        m.d.comb += self.wraps.eq(counter.wraps)
        return m


@pytest.mark.verilator
@pytest.mark.parametrize("flat", [False, True])
def test_an_output_that_only_its_own_module_reads_is_no_port(flat: bool, tmp_path: Path) -> None:
    text = component_verilog(Outer(), "outer", flat=flat)
    assert not re.search(r"output.* count\b", text)
    assert re.search(r"reg \[3:0\] \w*count;", text)
    (tmp_path / "outer.v").write_text(text)
    assert lint([tmp_path / "outer.v"], "outer", waive=["DECLFILENAME"]) == ""


class Tangle(Component):
    """A structure whose fields depend on each other, and no bit on itself; another module reads it."""

    a: In(4)  # type: ignore[valid-type]
    result: Out(4)  # type: ignore[valid-type]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pair = Signal(data.StructLayout({"low": 4, "high": 4, "more": 4}))
        m.d.comb += [
            pair.low.eq(self.a + 1),
            pair.high.eq(Mux(pair.low == 3, pair.low, 0)),
            pair.more.eq(~pair.high),
        ]
        m.d.sync += self.result.eq(pair.as_value().bit_select(self.a, 4) ^ pair.more)
        return m


@pytest.mark.verilator
@pytest.mark.parametrize("flat", [False, True])
def test_no_wire_depends_on_itself(flat: bool, tmp_path: Path) -> None:
    text = component_verilog(Tangle(), "tangle", flat=flat)
    statements = re.findall(r"(?:wire (?:\[\d+:0\] )?|assign )(\w+) = ([^;]+);", text)
    assert statements
    for wire, value in statements:
        assert not re.search(rf"\b{wire}\b", value), f"{wire} = {value}"
    (tmp_path / "tangle.v").write_text(text)
    for tool in every_verilator():
        assert lint([tmp_path / "tangle.v"], "tangle", waive=["DECLFILENAME"], verilator=tool) == ""


def test_a_cell_that_is_not_known_is_named() -> None:
    class Talker(Component):
        a: In(1)  # type: ignore[valid-type]

        def elaborate(self, platform: object) -> Module:
            m = Module()
            m.d.sync += Print(self.a)
            return m

    with pytest.raises(RtlilError, match=r"\$print"):
        component_verilog(Talker(), "talker")


@pytest.fixture(scope="module")
def array() -> str:
    return component_verilog(ErbiumArray(preset("tiny").network, Hardware(lanes=4)), TOP)


def test_names_are_those_of_the_source(array: str) -> None:
    names = re.findall(r"^module (\w+)", array, re.MULTILINE)
    assert names[0] == TOP
    assert all(name.startswith(f"{TOP}_") for name in names[1:])
    assert f"{TOP}_layer1_pipeline_memory" in names
    assert "\\" not in array  # no escaped identifier
    assert set(re.findall(r"\$\w+", array)) <= {"$signed"}


def test_registers_are_the_only_thing_that_is_clocked_and_nothing_else_is_procedural(array: str) -> None:
    assert not re.search(r"always @\*|always_comb|always_latch", array)
    assert all("posedge clk)" in line for line in array.splitlines() if "always" in line)


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("hidden", [(12,), (9, 5), (40,)])
def test_what_a_block_ram_reads_goes_straight_into_a_register(hidden: tuple[int, ...], flat: bool) -> None:
    """At most a choice between it and 0 lies on the way: the register's own reset."""
    network = erbp_network("deep", hidden, n_inputs=16, n_classes=4, n_ticks=8)
    text = component_rtlil(ErbiumArray(network, Hardware(lanes=2)), TOP)
    found = 0
    for module in verilog._cleaned(text, f"\\{TOP}", flat=flat).values():
        reads = {
            cell.wire("DATA")
            for cell in module.cells
            if cell.kind == "$memrd_v2"
            and cell.flag("CLK_ENABLE")
            and ".pipeline." in f"{module.name}.{cell.parameters['MEMID']}"
        }
        for cell in module.cells:
            clears = cell.kind == "$mux" and all(
                part.wire is None and not part.low for part in cell.ports["B"]
            )
            if not cell.kind.startswith("\\") and not clears:
                for port in set(cell.ports) - set(cell.outputs):
                    assert not reads & {part.wire for part in cell.ports[port]}, f"{module.name}: {cell.kind}"
        for sig in module.connections.values():
            assert not reads & {part.wire for part in sig}, module.name
        found += len(reads)
    assert found >= len(hidden) + 1


class PartlyWritten(Component):
    """A memory of which expressions enable the fields."""

    def __init__(self) -> None:
        super().__init__({"a": In(4), "b": In(4), "data": In(8), "read": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.store = store = Memory(shape=8, depth=2, init=[])
        read, write = store.read_port(), store.write_port(granularity=1)
        m.d.comb += [
            write.en.eq(Cat(self.a & self.b, self.a | self.b)),
            write.data.eq(self.data),
            self.read.eq(read.data),
        ]
        return m


@pytest.mark.icarus
@pytest.mark.parametrize("flat", [False, True])
def test_an_expression_that_enables_the_fields_of_a_word_has_a_wire(flat: bool, tmp_path: Path) -> None:
    (tmp_path / "part.v").write_text(component_verilog(PartlyWritten(), "part", flat=flat))
    command = [str(find_icarus().require()), "-g2005", "-t", "null", "part.v"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_text_does_not_depend_on_the_run() -> None:
    code = (
        "import hashlib; from erbium.gen.presets import preset; from erbium.gen.verilog import *;"
        "from erbium.hdl.array import ErbiumArray;"
        "text = component_verilog(ErbiumArray(preset('tiny').network), TOP);"
        "print(hashlib.sha256(text.encode()).hexdigest())"
    )
    here = component_verilog(ErbiumArray(preset("tiny").network), TOP)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": "77"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == hashlib.sha256(here.encode()).hexdigest()
