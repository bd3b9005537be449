# SPDX-License-Identifier: BSD-2-Clause
"""What an export for a bus says of its addresses: SystemRDL, C header and manifest."""

import json
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from systemrdl.compiler import RDLCompiler
from systemrdl.node import FieldNode, MemNode, RegNode

from erbium.cli import main
from erbium.gen.bus_export import BUSES, bus_header, bus_manifest, system_rdl
from erbium.gen.c_header import c_header
from erbium.gen.export import file_names
from erbium.gen.presets import PRESETS, preset
from erbium.gen.register_page import code_table
from erbium.hdl.bus_map import BusError, BusMap
from erbium.hdl.registers import RegisterMap
from erbium.sw_model.network import Hardware
from erbium.verif.simulators import lint

PAGE = Path(__file__).parent.parent / "docs" / "soc.md"


def run(*words):
    with pytest.raises(SystemExit) as left:
        main(list(words))
    return left.value.code


def bus_map(name):
    return BusMap(RegisterMap(preset(name).network, Hardware(lanes=4), 50_000_000))


@pytest.mark.parametrize("bus", BUSES)
def test_a_compiler_reads_the_description_as_it_is_meant(bus, tmp_path):
    plan = bus_map("erbp-mnist-160")
    file = tmp_path / "map.rdl"
    file.write_text(system_rdl(plan, bus, "erbium_map"))
    compiler = RDLCompiler()
    compiler.compile_file(str(file))
    children = list(compiler.elaborate().top.children())
    registers = {node.inst_name: node for node in children if isinstance(node, RegNode)}
    assert list(registers) == [register.name for register in plan.registers]
    for register in plan.registers:
        node = registers[register.name]
        (field,) = node.fields()
        assert isinstance(field, FieldNode)
        assert (node.absolute_address, field.width) == (plan.register(register.name), register.width)
        assert field.is_sw_writable == register.writable
        if register.value is not None:
            assert field.get_property("reset") == register.value
    memories = {node.inst_name: node for node in children if isinstance(node, MemNode)}
    windows = {w["name"]: w for w in bus_manifest(plan, bus)["windows"] if w["name"] != "registers"}
    assert list(memories) == list(windows)
    assert ("samples" in windows) == (bus != "axi")
    for name, window in windows.items():
        assert memories[name].absolute_address == window["address"]
        assert memories[name].size == window["entries"] * window["stride"]


@pytest.mark.parametrize("name", PRESETS)
def test_windows_lie_apart_and_in_the_address_bits(name):
    plan = bus_map(name)
    spans = sorted((plan.base(w), plan.base(w) + w.entries * plan.stride(w)) for w in plan.windows)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert spans[-1][1] <= 1 << plan.address_bits
    for layer, population in enumerate(plan.registers.populations):
        last = plan.weight(layer, population.n_rows - 1, population.n_neurons - 1)
        window = plan.windows[3 + layer]
        assert last == plan.base(window) + (window.entries - 1) * plan.stride(window) + window.entry_bytes - 4


def test_the_page_tells_every_reason():
    assert code_table(BusError) in PAGE.read_text()


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_the_program_of_the_page_compiles(tmp_path):
    name = "erbium_wishbone_tiny_4lanes"
    assert f'#include "{name}.h"' in PAGE.read_text()
    network = preset("tiny").network
    plan = BusMap(RegisterMap(network, Hardware(lanes=4)))
    header = c_header(network, name, bus_header(plan, "wishbone", name.upper()))
    (tmp_path / f"{name}.h").write_text(header)
    (program,) = re.findall(r"```c\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "main.c").write_text(program)
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-c", "main.c"], cwd=tmp_path, check=True)


def test_the_header_has_the_addresses_of_the_manifest():
    plan = bus_map("tiny")
    header = "\n".join(bus_header(plan, "wishbone", "T"))
    for window in bus_manifest(plan, "wishbone")["windows"]:
        stem = f"T_BUS_{window['name'].upper()}" + ("_DATA" if window["name"] == "samples" else "")
        assert re.search(rf"^#define {stem} {window['address']:#x}\b", header, re.MULTILINE)
    assert "#define T_BUS_REGISTER_N_TICKS 0x44" in header
    assert json.dumps(bus_manifest(plan, "axi"))


@pytest.mark.verilator
@pytest.mark.parametrize("bus", BUSES)
def test_the_command_writes_what_lints(bus, tmp_path, capsys):
    assert run("verilog", "tiny", "-o", str(tmp_path), "--bus", bus, "--lanes", "3", "--name", "soc") == 0
    capsys.readouterr()
    assert {file.name for file in tmp_path.iterdir()} == set(file_names("soc", bus))
    assert lint([tmp_path / "soc.v"], "soc") == ""
    manifest = json.loads((tmp_path / "soc.json").read_text())
    assert manifest["bus"]["kind"] == bus
    assert "bus" not in manifest["streams"]
    ports = {port["name"]: port["width"] for port in manifest["ports"]}
    address = "s_axi_awaddr" if bus == "axi" else "wb_adr"
    assert ports[address] == manifest["bus"]["address_bits"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--bus", "axi", "--link"), "--bus is 'axi', and --link is a serial line in its place"),
        (("--bus", "axi", "--baud", "9600"), "--baud is that of a serial line; add --link"),
        (("--bus", "axi", "--clock", "-3"), "clock in Hz is -3000000; it must be from 1 to 4294967295"),
        (("--bus", "apb"), "'apb' is not one of"),
    ],
)
def test_what_does_not_go_together_is_refused(words, message, tmp_path, capsys):
    assert run("verilog", "tiny", "-o", str(tmp_path / "x"), *words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
