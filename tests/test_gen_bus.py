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
from erbium.gen.driver_export import driver_header
from erbium.gen.export import file_names
from erbium.gen.presets import PRESETS, preset
from erbium.gen.register_page import code_table
from erbium.hdl.bus_map import BusError, BusMap
from erbium.hdl.registers import RegisterMap, Status
from erbium.sw_model.constants import sample_seeds
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


needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")


def write_driver(folder, network, name, bus="wishbone"):
    """Write header and driver of an export."""
    plan = BusMap(RegisterMap(network, Hardware(lanes=4), 50_000_000))
    (folder / f"{name}.h").write_text(c_header(network, name, bus_header(plan, bus, name.upper())))
    (folder / f"{name}_driver.h").write_text(driver_header(network, plan, bus, name))
    return plan


def compiled(folder, program, *options):
    (folder / "main.c").write_text(program)
    subprocess.run(["cc", *STRICT, *options, "main.c"], cwd=folder, check=True)


@needs_cc
def test_the_program_of_the_page_compiles(tmp_path):
    write_driver(tmp_path, preset("tiny").network, "erbium")
    (program,) = re.findall(r"```c\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert (
        '#include "erbium_driver.h" /* erbium verilog tiny --lanes 4 --bus wishbone --name erbium */'
        in program
    )
    compiled(tmp_path, program, "-c")


@needs_cc
@pytest.mark.parametrize("bus", BUSES)
def test_drivers_live_in_one_program(bus, tmp_path):
    """Two learners, another number of layers; each is included twice, and C++ takes them, too."""
    names = {"one": "tiny", "two": "first-spike-tiny", "deep": "erbp-mnist-200-200"}
    for name, of in names.items():
        write_driver(tmp_path, preset(of).network, name, bus)
    includes = "".join(f'#include "{name}_driver.h"\n' for name in names)
    compiled(tmp_path, f"{includes * 2}int main(void) {{ return 0; }}\n")
    subprocess.run(["c++", "-Wall", "-Wextra", "-Werror", "-x", "c++", "main.c"], cwd=tmp_path, check=True)


@needs_cc
@pytest.mark.parametrize("name", ["tiny", "first-spike-tiny", "erbp-mnist-500-12bit-best"])
def test_the_driver_reads_and_writes_what_the_map_says(name, tmp_path):
    """On a memory in which every word holds its number; and the seeds and weights are Python's."""
    network = preset(name).network
    plan = write_driver(tmp_path, network, "a")
    settings = [register for register in plan.registers if register.writable]
    lines = [f'printf("{r.name} %llu\\n", (unsigned long long)a_get_{r.name}(m));' for r in plan.registers]
    for register in settings:
        lines += [
            f"a_set_{register.name}(m, 7000000);",
            f'printf("set %d\\n", m[{plan.register(register.name)} / 4] == 7000000);',
        ]
    cells = [(k, 2, n - 1) for k, n in enumerate(layer.n_neurons for layer in network.layers)]
    n_words = (max(plan.weight(*cell) for cell in cells) + 4) // 4
    for layer, row, neuron in cells:
        lines += [
            f'a_get_row(m, {layer}, {row}, row); printf("read %d\\n", row[{neuron}]);',
            f"row[{neuron}] = -3; a_put_row(m, {layer}, {row}, row);",
            f'printf("wrote %d\\n", (int)m[{plan.weight(layer, row, neuron)} / 4]);',
            f'printf("weight %d\\n", a_initial_weight({layer}, {row * (neuron + 1) + neuron}));',
        ]
    lines += [f'printf("seed %u\\n", a_sample_seed({learn}, 70000));' for learn in (0, 1)]
    body = "\n    ".join(lines)
    compiled(
        tmp_path,
        f"""#include <stdio.h>
#include "a_driver.h"
static uint32_t m[{n_words}];
static int32_t row[1024];
int main(void)
{{
    for (uint32_t k = 0; k < {n_words}; k++)
        m[k] = k;
    m[A_BUS_REGISTER_STATUS / 4] |= A_STATUS_IDLE;
    {body}
    return 0;
}}
""",
        "-Wno-conversion",
        "-o",
        "main",
    )
    said = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout.splitlines()
    expected = []
    for register in plan.registers:
        low = plan.register(register.name) // 4
        value = low | (low + 1) << 32 if register.words == 2 else low
        expected.append(f"{register.name} {value | Status.IDLE if register.name == 'status' else value}")
    expected += ["set 1"] * len(settings)
    weights = network.initial_weights()
    for cell in cells:
        expected += [
            f"read {plan.weight(*cell) // 4}",
            "wrote -3",
            f"weight {weights[cell[0]][cell[1]][cell[2]]}",
        ]
    expected += [f"seed {sample_seeds(network.seed, learn, 70000, 1)[0]}" for learn in (False, True)]
    assert said == expected


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
