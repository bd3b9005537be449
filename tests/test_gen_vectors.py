# SPDX-License-Identifier: BSD-2-Clause
"""The vectorised simulation, step by step: each finds what it is for, and a fault in it is noticed."""

from __future__ import annotations

import ctypes
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import memory
from amaranth.lib.wiring import Component, In, Out
from amaranth.sim import Simulator

from erbium.gen.netlist.bits import joined, width_of
from erbium.gen.netlist.module import Cell, Netlist
from erbium.gen.netlist.statements import restricted
from erbium.gen.presets import preset
from erbium.gen.vectors import activity, graph, merge, operators, reads, recognise, source, split
from erbium.gen.vectors.accept import UnknownCellError
from erbium.gen.vectors.bdd import Functions
from erbium.gen.vectors.classes import Classes
from erbium.gen.vectors.schedule import Group, in_order
from erbium.gen.vectors.source import SUPPORT, source_of, vector_source
from erbium.gen.verilog import cleaned, component_rtlil, verilog_from_rtlil
from erbium.hdl.serializer import few_bits, lowest_bit
from erbium.sw_model.network import Hardware
from erbium.verif import library
from erbium.verif.random_hardware import Random
from erbium.verif.simulators import ToolError, find_cxx
from erbium.verif.vectors import COMPILE_FLAGS, machine_flags
from erbium.verif.yosys import find_yosys, run_yosys

LANES = 20


class Lanes(Component):
    """Lanes that add, compare and keep; a memory of their words; control that is the same for all; a chain."""

    def __init__(self) -> None:
        super().__init__(
            {
                "x": In(8),
                "at": In(3),
                "go": In(1),
                "load": In(1),
                "sum": Out(8),
                "count": Out(5),
                "low": Out(5),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        store = memory.Memory(shape=LANES * 8, depth=8, init=[3 << 8 * k for k in range(8)])
        m.submodules.store = store
        read, write = store.read_port(), store.write_port()
        goes = [Signal(name=f"go_{k}") for k in range(4)]
        m.d.sync += [go.eq(self.go) for go in goes]
        m.d.comb += [read.addr.eq(self.at), read.en.eq(1), write.addr.eq(self.at), write.en.eq(goes[0])]
        kept, words, spikes = [], [], []
        chain = Signal(LANES * 8)
        with m.If(self.load):
            m.d.sync += chain.eq(Cat(chain[8:], self.x))
        for lane in range(LANES):
            value, spike = Signal(8, name=f"value_{lane}"), Signal(name=f"spike_{lane}")
            part = read.data[8 * lane : 8 * lane + 8]
            more = (part.as_signed() + self.x.as_signed())[:8]
            with m.If(goes[lane % 4]):
                kept_on = Mux(spike, chain[8 * lane : 8 * lane + 8], part - 1)
                m.d.sync += [value.eq(Mux(value > part, more, kept_on)), spike.eq(more.as_signed() < 5)]
            kept.append(value)
            words.append(value ^ self.x)
            spikes.append(spike)
        m.d.comb += write.data.eq(Cat(words))
        held = Signal(LANES)
        m.d.sync += held.eq(Cat(spikes))
        m.d.comb += [
            self.sum.eq(kept[0] ^ kept[7] ^ kept[LANES - 1]),
            self.count.eq(few_bits(m, held)),
            self.low.eq(lowest_bit(m, held)[1]),
        ]
        return m


def netlist(component: Component) -> Netlist:
    return cleaned(component_rtlil(component, "design"), "\\design", flat=True)["\\design"]


class Compiled:
    """A design as C++, which is given inputs and asked for outputs by name."""

    def __init__(self, component: Component, folder: Path, module: Netlist | None = None) -> None:
        rtlil = component_rtlil(component, "design")
        made = vector_source(rtlil, "design", "Vdesign") if module is None else source_of(module, "Vdesign")
        ports = list(_ports(component))
        self.facts = made.facts
        (folder / "Vdesign.h").write_text(made.header)
        (folder / "Vdesign.cpp").write_text(made.body)
        (folder / "vectors.h").write_text(SUPPORT.read_text())
        sets = "".join(
            f'    if (!strcmp(name, "{name}")) top->{name} = value;\n' for name in [*ports, "clk", "rst"]
        )
        gets = "".join(f'    if (!strcmp(name, "{name}")) return top->{name};\n' for name in ports)
        (folder / "main.cpp").write_text(
            '#include "Vdesign.h"\nextern "C" {\n'
            "void* make() { return new Vdesign(nullptr); }\n"
            f"void put(Vdesign* top, const char* name, u64 value) {{\n{sets}}}\n"
            f"u64 get(Vdesign* top, const char* name) {{\n{gets}    return 0;\n}}\n"
            "void eval(Vdesign* top) { top->eval(); }\n}\n"
        )
        compiler = find_cxx().require()
        flags = [*COMPILE_FLAGS, *machine_flags(compiler)[0], "-O1", "-shared", "-I."]
        command = [str(compiler), *flags, "Vdesign.cpp", "main.cpp", "-o", "design.so"]
        subprocess.run(command, cwd=folder, check=True)
        self._library = ctypes.CDLL(str(folder / "design.so"))
        self._library.make.restype = ctypes.c_void_p
        self._library.get.restype = ctypes.c_uint64
        self._top = ctypes.c_void_p(self._library.make())

    def put(self, name: str, value: int) -> None:
        self._library.put(self._top, name.encode(), ctypes.c_uint64(value))

    def get(self, name: str) -> int:
        return int(self._library.get(self._top, name.encode()))

    def eval(self) -> None:
        self._library.eval(self._top)


def _ports(component: Component) -> dict[str, Any]:
    return {path[0]: value for path, _, value in component.signature.flatten(component)}


def differences(
    component: Component, compiled: Compiled, clocks: int = 60, seed: int = 1, held: float = 0
) -> list[str]:
    """Return where Amaranth's simulator and the compiled design differ, given the same inputs.

    In a share `held` of the clocks an input stays what it was.
    """
    draw, found = random.Random(seed), []
    ports = _ports(component)
    inputs = [name for name, member in component.signature.members.items() if member.flow == In]

    async def bench(context: Any) -> None:
        compiled.put("rst", 0)
        for clock in range(clocks):
            for name in inputs:
                if held and clock and draw.random() < held:
                    continue
                width = len(ports[name])
                value = draw.getrandbits(width) if width and draw.random() < 0.8 else 0
                signed = ports[name].shape().signed and width and value >> width - 1
                context.set(ports[name], value - (1 << width) if signed else value)
                compiled.put(name, value)
            compiled.put("clk", 0)
            compiled.eval()
            for name in ports:
                if name not in inputs:
                    mine, width = compiled.get(name), len(ports[name])
                    other = context.get(ports[name]) & (1 << width) - 1
                    if mine != other:
                        found.append(f"clock {clock}: {name} is {mine:#x}, not {other:#x}")
            compiled.put("clk", 1)
            compiled.eval()
            await context.tick()

    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found


def test_lanes(tmp_path: Path) -> None:
    compiled = Compiled(Lanes(), tmp_path)
    # Values, spikes, the memory, the chain, and what they compute.
    assert compiled.facts["wires in classes"] >= 8 * LANES
    assert differences(Lanes(), compiled, 300) == []


@pytest.mark.filterwarnings("ignore::Warning")
@pytest.mark.parametrize("seed", range(6))
def test_random_hardware(seed: int, tmp_path: Path) -> None:
    component = Random(seed, widths=64)
    assert differences(component, Compiled(Random(seed, widths=64), tmp_path), 40, seed) == []


@pytest.mark.filterwarnings("ignore::Warning")
@pytest.mark.parametrize("seed", range(10, 16))
def test_hardware_that_often_stands_still(seed: int, tmp_path: Path) -> None:
    component = Random(seed, widths=64)
    compiled = Compiled(Random(seed, widths=64), tmp_path)
    assert differences(component, compiled, 200, seed, held=0.9) == []


def test_lanes_that_often_stand_still(tmp_path: Path) -> None:
    assert differences(Lanes(), Compiled(Lanes(), tmp_path), 600, held=0.8) == []


class Units(Component):
    """Words of two lanes in small memories that are read without a clock, as an array with fewer units than lanes."""

    GROUPS = 10

    _MustUse__silence = True

    def __init__(self) -> None:
        super().__init__(
            {"x": In(8), "at": In(2), "to": In(2), "go": In(1), "store": In(1), "clear": In(1), "sum": Out(8)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        total = Const(0, 8)
        for group in range(self.GROUPS):
            reads = []
            words = [Signal(16, name=f"word_{group}_{k}", reset_less=True) for k in range(2)]
            for k in range(2):
                store = memory.Memory(shape=16, depth=4, init=[997 * group + k] * 4)
                m.submodules[f"store_{group}_{k}"] = store
                read, write = store.read_port(domain="comb"), store.write_port()
                m.d.comb += [read.addr.eq(self.at), write.addr.eq(self.to), write.en.eq(self.store)]
                reads.append(read.data)
                more = [(words[k][8 * lane : 8 * lane + 8] + self.x)[:8] for lane in range(2)]
                m.d.comb += write.data.eq(Cat(more))
            # One is taken over when it is asked for, the other one in every clock, or 0 in its place.
            with m.If(self.go):
                m.d.sync += words[0].eq(reads[0])
            m.d.sync += words[1].eq(Mux(self.clear, 0, reads[1]))
            # Only one of these bits ever changes, and not in every group.
            silent = Signal(2, name=f"silent_{group}")
            m.d.sync += silent.eq(Cat(0, self.go if group % 2 else 0))
            for lane in range(2):
                value = Signal(8, name=f"value_{group}_{lane}")
                part = slice(8 * lane, 8 * lane + 8)
                m.d.sync += value.eq(Mux(silent[lane], self.x, words[0][part] + words[1][part]))
                total = total ^ value
        m.d.comb += self.sum.eq(total)
        return m


def test_units_in_words_of_few_lanes(tmp_path: Path) -> None:
    compiled = Compiled(Units(), tmp_path)
    # Both memories, what is stored in them, the values and how they are formed.
    assert compiled.facts["wires in classes"] >= 5 * 2 * Units.GROUPS
    assert differences(Units(), compiled, 300) == []


def test_a_read_without_a_clock_gets_one() -> None:
    module = netlist(Units())
    reads.clock_reads(module)
    ports = [cell for cell in module.cells if cell.kind == graph.READ]
    assert len(ports) == 2 * Units.GROUPS
    assert all(cell.flag("CLK_ENABLE") for cell in ports)


def test_a_fault_of_the_clocked_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A register that waits for a sign becomes one that does not.
    taken_over = reads._taken_over
    monkeypatch.setattr(reads, "_taken_over", lambda register: (reads.ALWAYS, taken_over(register)[1]))
    assert differences(Units(), Compiled(Units(), tmp_path), 300) != []


def test_a_fault_of_the_still_bits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    moving = merge._moving_bits
    monkeypatch.setattr(merge, "_moving_bits", lambda statements, initial: moving(statements, initial) & ~2)
    assert differences(Units(), Compiled(Units(), tmp_path), 300) != []


class Numbers(Component):
    """Numbers of which some never have their lowest bit, and one that never changes."""

    _MustUse__silence = True

    def __init__(self) -> None:
        super().__init__({"x": In(7), "sum": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        total = Const(0, 8)
        for lane in range(10):
            value, still = Signal(8, name=f"value_{lane}"), Signal(8, name=f"still_{lane}", init=lane)
            m.d.sync += [value.eq(Cat(0 if lane % 2 else self.x[0], self.x)), still.eq(lane)]
            total = (total ^ (value + still))[:8]
        m.d.comb += self.sum.eq(total)
        return m


def test_numbers_of_lanes_stay_alike(tmp_path: Path) -> None:
    module = netlist(Numbers())
    merge._without_still_bits(module)
    assert [module.widths[register.wire] for register in module.registers] == [8] * 10
    assert differences(Numbers(), Compiled(Numbers(), tmp_path), 50) == []


# --- a fault in a step is noticed


def faulty(tmp_path: Path) -> bool:
    """Whether the lanes differ from Amaranth's simulator, or cannot be compiled at all."""
    try:
        return differences(Lanes(), Compiled(Lanes(), tmp_path), 300) != []
    except (subprocess.CalledProcessError, AssertionError):
        return True


def test_a_fault_of_merging(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Operands that are not looked at make things equal that are not.
    monkeypatch.setattr(merge, "refined", lambda nodes, fixed: graph.refined(nodes, lambda bits: None))
    assert faulty(tmp_path)


def test_a_fault_of_splitting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(graph, "restricted", lambda statements, low, width: restricted(statements, 0, width))
    assert faulty(tmp_path)


def test_a_fault_of_classes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    part = Classes._part
    # Lanes that are gathered in another order than their own.
    wrong = lambda self, bits, groups: part(self, [*bits[1:], bits[0]], groups)  # noqa: E731
    monkeypatch.setattr(Classes, "_part", wrong)
    assert faulty(tmp_path)


def test_a_fault_of_the_schedule(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    backwards = lambda groups: [(group, False) for group, _ in reversed(in_order(groups))]  # noqa: E731
    monkeypatch.setattr(source, "in_order", backwards)
    assert faulty(tmp_path)


@pytest.mark.parametrize("forgotten", ["wire", "class", "rows"])
def test_a_fault_of_the_activity(forgotten: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = activity.Wakes.words
    asleep = lambda self, source: {} if source[0] == forgotten else words(self, source)  # noqa: E731
    monkeypatch.setattr(activity.Wakes, "words", asleep)
    assert differences(Lanes(), Compiled(Lanes(), tmp_path), 600, held=0.8) != []


def test_a_fault_of_the_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(operators.BITWISE, "$xor", "|")
    assert faulty(tmp_path)


# --- the steps


class Twins(Component):
    """Two counters that are equal, one that begins elsewhere, and operators that differ in what stands where."""

    _MustUse__silence = True

    def __init__(self) -> None:
        super().__init__({"x": In(8), "o": Out(8), "p": Out(16), "q": Out(16)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        one, two, other = Signal(8), Signal(8), Signal(8, init=1)
        m.d.sync += [count.eq(count + self.x) for count in (one, two, other)]
        zero = Const(0, 8)
        m.d.comb += [
            self.o.eq(one ^ two ^ other),
            self.p.eq(Cat(self.x, zero) + Cat(one, one)),
            self.q.eq(Cat(zero, self.x) + Cat(one, one)),
        ]
        return m


def test_twins_are_merged_and_nothing_else(tmp_path: Path) -> None:
    module = netlist(Twins())
    assert len(module.registers) == 3
    merge.merge(module)
    assert len(module.registers) == 2
    # A constant in the place of a wire is not that wire.
    assert differences(Twins(), Compiled(Twins(), tmp_path), 50) == []


def test_what_is_used_by_lane_is_split() -> None:
    module = netlist(Lanes())
    merge.merge(module)
    origin = split.split(module)
    assert [sum(whole == name for whole in origin.values()) for name in ("\\chain", "\\held")] == [LANES] * 2
    assert len(module.memories) == LANES


def test_the_order_of_changes() -> None:
    def group(reads: str, writes: str, **more: Any) -> Group:
        return Group(frozenset(reads), frozenset(writes), list, **more)

    first, second, third = group("b", "a"), group("c", "b"), group("", "c")
    assert in_order([third, second, first]) == [(first, False), (second, False), (third, False)]
    # In a ring the cheapest one goes first, into a copy.
    dear = group("b", "a", apart=lambda: ([], []), cost=3)
    cheap = group("a", "b", apart=lambda: ([], []), cost=1)
    assert in_order([dear, cheap]) == [(cheap, True), (dear, False)]
    with pytest.raises(AssertionError, match="ring"):
        in_order([group("b", "a"), group("a", "b")])


class Trees(Component):
    """What the serializer finds in a word of bits, how many there are, and what is nearly the same."""

    def __init__(self, width: int) -> None:
        self.width = width
        outputs = {"few": 2, "nearly": 2, "found": 1, "low": 8, "many": 7, "short": 3}
        super().__init__({"x": In(width), **{name: Out(bits) for name, bits in outputs.items()}})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        found, low = lowest_bit(m, self.x)
        few = few_bits(m, self.x)
        m.d.comb += [self.few.eq(few), self.found.eq(found), self.low.eq(low)]
        # One pattern of all is counted wrongly.
        m.d.comb += self.nearly.eq(Mux(self.x == 5, 1, few))
        # What has no room for all is not how many there are.
        for name in ("many", "short"):
            output, total = getattr(self, name), Const(0, 1)
            for bit in self.x:
                total = (total + bit)[: len(output)]
            m.d.comb += output.eq(total)
        return m


SPECIFICATION = {
    recognise.LOWEST: "integer k; always @* begin y = ZERO; for (k = N - 1; k >= 0; k = k - 1) if (a[k]) y = k; end",
    recognise.FEW: "integer k; always @* begin y = 0; for (k = 0; k < N; k = k + 1) if (a[k] && y < 3) y = y + 1; end",
    recognise.ANY: "always @* y = |a;",
    recognise.COUNT: "integer k; always @* begin y = 0; for (k = 0; k < N; k = k + 1) y = y + a[k]; end",
}


@pytest.mark.parametrize("width", [13, 64, 100])
def test_recognised_trees_are_proved_by_yosys_too(width: int, tmp_path: Path) -> None:
    find_yosys().require()
    module = netlist(Trees(width))
    merge.merge(module)
    trees = dict(graph.operators(module))
    found = recognise.recognise(module)
    assert {new.kind for _, new in found} >= {recognise.LOWEST, recognise.FEW, recognise.COUNT}
    for name in ("\\short", "\\nearly"):
        (driver,) = module.connections.get(name, module.whole(name))
        assert driver.wire in trees
        assert driver.wire not in {old.wire("Y") for old, _ in found}
    # What each tree was, cell by cell, beside what is said of it in other words.
    whole = verilog_from_rtlil(component_rtlil(Trees(width), "trees"), "trees", flat=True)
    (tmp_path / "trees.v").write_text(whole)
    for old, new in found:
        (asked,) = joined(new.ports["A"])
        source, first, count = asked.wire, asked.low, asked.width
        assert (source, first + count <= width) == ("\\x", True)
        outputs = {recognise.FEW: "few", recognise.ANY: "found", recognise.COUNT: "many"}
        if count != width or new.kind not in outputs:
            continue
        name, bits = outputs[new.kind], width_of(old.ports["Y"])
        (tmp_path / "said.v").write_text(
            f"module said #(parameter N = {count}, ZERO = 0) (input [N-1:0] a, output reg [{bits - 1}:0] y);\n"
            f"{SPECIFICATION[new.kind]}\nendmodule\n"
            f"module top(input [{width - 1}:0] x, output ok);\nwire [{bits - 1}:0] a, b;\n"
            f"trees t(.x(x), .{name}(a));\nsaid s(.a(x), .y(b));\nassign ok = a == b;\nendmodule\n"
        )
        commands = ["read_verilog trees.v said.v", "hierarchy -top top", "proc", "flatten", "opt"]
        run_yosys([*commands, "sat -verify -prove ok 1"], tmp_path, f"prove-{name}")


def test_equal_functions_are_one() -> None:
    functions = Functions()
    a, b, c = (functions.node(bit, 0, 1) for bit in range(3))
    both = functions.both(a, functions.either(b, c))
    assert both == functions.either(functions.both(a, b), functions.both(c, a))
    assert both != functions.either(functions.both(a, b), c)
    assert functions.variables([both]) == {0, 1, 2}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.cells.append(Cell("\\PLL", "pll", {}, {})), "the cell 'PLL' is not known"),
        (lambda m: setattr(m.registers[0], "rising", False), "another clock"),
        (lambda m: setattr(m.registers[0], "asynchronous", True), "does not wait for the clock"),
        (lambda m: m.widths.update({"\\x": 65}), "'x' has more than 64 bits"),
    ],
)
def test_what_is_not_known_is_refused(change: Any, words: str) -> None:
    module = netlist(Twins())
    change(module)
    with pytest.raises(UnknownCellError, match=words):
        source_of(module, "Vdesign")


def test_verilator_stands_in(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(*_: object) -> Path:
        raise UnknownCellError("the cell 'PLL' is not known")

    monkeypatch.setattr(library, "vector_library", refuse)
    monkeypatch.setattr(library, "cached_library", lambda *_: Path("verilated.so"))
    network = preset("tiny").network
    assert library.build(network, Hardware()) == Path("verilated.so")
    assert "Verilator simulates the array of 'tiny'" in caplog.text
    with pytest.raises(ToolError, match="take the backend 'rtl:verilator'"):
        library.build(network, Hardware(), simulator="vectors")
