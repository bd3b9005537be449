# SPDX-License-Identifier: BSD-2-Clause
"""The host link's numbers in the documentation, the C header and the manifest are those of the gateware."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from erbium.gen.c_header import c_header
from erbium.gen.link_export import link_manifest
from erbium.gen.presets import preset
from erbium.gen.register_page import PAGE, meanings, rendered, tables
from erbium.hdl.registers import NIBBLES, Control, ErrorCode, PixelFormat, RegisterMap, Request, Status
from erbium.sw_model.network import Hardware

ROOT = Path(__file__).parent.parent
NETWORKS = ("tiny", "first-spike-tiny")


def test_the_page_is_up_to_date():
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    assert rendered(page) == page, "run 'python -m erbium.gen.register_page'"


def test_a_page_without_a_table_is_refused():
    with pytest.raises(ValueError, match="it must have each of"):
        rendered("<!-- generated: errors -->\n<!-- end -->\n")


@pytest.mark.parametrize("members", [Request, ErrorCode, PixelFormat, Status, Control])
def test_every_number_is_explained(members):
    assert list(meanings(members)) == list(members.__members__)


def test_every_register_is_in_a_table():
    for name, kind in (("erbp-mnist-160", "erbp"), ("first-spike-mnist-20x20-320", "first-spike")):
        for register in RegisterMap(preset(name).network, Hardware()):
            assert f"| {register.address} | `{register.name}` |" in tables()[f"registers-{kind}"]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_header_has_the_registers(name):
    registers = RegisterMap(preset(name).network, Hardware())
    defines = dict(re.findall(r"#define (\w+) (\w+)", c_header(preset(name).network, "erbium")))
    for register in registers:
        assert int(defines[f"ERBIUM_REGISTER_{register.name.upper()}"]) == register.address
    for window in registers.windows:
        assert int(defines[f"ERBIUM_WINDOW_{window.name.upper()}"]) == window.number
        assert int(defines[f"ERBIUM_WINDOW_{window.name.upper()}_ENTRY_BYTES"]) == window.entry_bytes
    assert int(defines["ERBIUM_ERROR_OUT_OF_TURN"]) == ErrorCode.OUT_OF_TURN
    assert int(defines["ERBIUM_REQUEST_SAMPLE"]) == Request.SAMPLE
    assert int(defines["ERBIUM_LINK_MAX_MESSAGE"]) == registers.max_message
    network = preset(name).network
    assert defines["ERBIUM_SEED"] == "UINT64_C"
    assert f"#define ERBIUM_SEED UINT64_C({network.seed})\n" in c_header(network, "erbium")
    assert int(defines["ERBIUM_FIRST_SPIKE"]) == network.error.spikes_once
    for number, layer in enumerate(network.layers, 1):
        assert int(defines[f"ERBIUM_LAYER{number}_WEIGHT_WIDTH"]) == layer.weight_width
        assert int(defines[f"ERBIUM_LAYER{number}_WEIGHT_BOUND"]) == layer.weight_bound


@pytest.mark.parametrize("name", NETWORKS)
def test_the_header_compiles(name, tmp_path):
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    assert compiler, "the tests need a C compiler"
    (tmp_path / "erbium.h").write_text(c_header(preset(name).network, "erbium"))
    source = tmp_path / "main.c"
    source.write_text('#include "erbium.h"\nint main(void) { return ERBIUM_REGISTER_MAGIC; }\n')
    command = [compiler, "-Wall", "-Wextra", "-Werror", "-pedantic", "-std=c99", "-fsyntax-only", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", NETWORKS)
def test_the_manifest_has_the_link(name):
    network = preset(name).network
    registers = RegisterMap(network, Hardware())
    link = link_manifest(registers)
    assert [(r["name"], r["address"], r["width"]) for r in link["registers"]] == [
        (r.name, r.address, r.width) for r in registers
    ]
    assert [w["number"] for w in link["windows"]] == [w.number for w in registers.windows]
    assert link["codes"]["error"]["BAD_EVENT"] == ErrorCode.BAD_EVENT
    assert link["max_message"] == registers.max_message
    assert (link["nibbles"], registers.takes_nibbles) == (0, False)
    halved = replace(network, pixel_bits=4)
    assert link_manifest(RegisterMap(halved, Hardware()))["nibbles"] == NIBBLES
    assert "#define ERBIUM_LINK_NIBBLES 8 " in c_header(halved, "erbium")
