# SPDX-License-Identifier: BSD-2-Clause
"""The vectorised simulation, step by step: each finds what it is for, and a fault in it is noticed."""

from __future__ import annotations

import ctypes
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import memory
from amaranth.lib.wiring import Component, In, Out
from amaranth.sim import Simulator

from erbium.gen.netlist.module import Netlist
from erbium.gen.vectors.source import SUPPORT, source_of, vector_source
from erbium.gen.verilog import cleaned, component_rtlil
from erbium.hdl.serializer import few_bits, lowest_bit
from erbium.verif.random_hardware import Random
from erbium.verif.simulators import find_cxx
from erbium.verif.vectors import COMPILE_FLAGS, machine_flags

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


def differences(component: Component, compiled: Compiled, clocks: int = 60, seed: int = 1) -> list[str]:
    """Return where Amaranth's simulator and the compiled design differ, given the same inputs."""
    draw, found = random.Random(seed), []
    ports = _ports(component)
    inputs = [name for name, member in component.signature.members.items() if member.flow == In]

    async def bench(context: Any) -> None:
        compiled.put("rst", 0)
        for clock in range(clocks):
            for name in inputs:
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
