# SPDX-License-Identifier: BSD-2-Clause
"""The files of ``erbium verilog``: accepted by every tool, complete, deterministic, consistent with each other."""

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from erbium.gen import export as export_module
from erbium.gen.export import ExportOptions, export
from erbium.gen.presets import erbp_network, first_spike_network, preset
from erbium.gen.verilog import component_rtlil
from erbium.hdl.array import ErbiumArray
from erbium.sw_model.network import Hardware, Network
from erbium.verif.simulators import every_verilator, find_icarus, lint

TOP = "erbium"
OPTIONS = ExportOptions(name=TOP)
CI = os.environ.get("CI", "").lower() in ("true", "1")

SMALL: dict[str, Any] = {"n_inputs": 10, "n_classes": 4, "n_ticks": 8}
FIRST_SPIKE: dict[str, Any] = {**SMALL, "margin": 3, "deadline": 6}
NETWORKS: dict[str, tuple[Network, Hardware]] = {
    "tiny-4": (preset("tiny").network, Hardware(lanes=4)),
    "tiny-1-latency-3": (preset("tiny").network, Hardware(lanes=1, memory_latency=3)),
    "three-hidden": (erbp_network("deep", (7, 5, 6), **SMALL), Hardware(lanes=5)),
    "one-layer": (erbp_network("flat", (), **SMALL), Hardware(lanes=3)),
    "blank-out": (erbp_network("blank", (9,), synapse_keep=200, neuron_keep=200, **SMALL), Hardware(lanes=3)),
    "noise": (erbp_network("noise", (6,), noise_shift=1, **SMALL), Hardware(lanes=3)),
    "lif-12-bit": (
        erbp_network("lif", (6,), leak_shift=4, synapse_shift=2, refractory=2, weight_width=12, **SMALL),
        Hardware(lanes=6),
    ),
    "phase-wide": (
        erbp_network("phase", (6,), encoder="phase", n_inputs=9, n_classes=3, weight_width=5),
        Hardware(lanes=4),
    ),
    "first-spike-tiny": (preset("first-spike-tiny").network, Hardware(lanes=4)),
    "first-spike-tiny-1-latency-3": (
        preset("first-spike-tiny").network,
        Hardware(lanes=1, memory_latency=3),
    ),
    "first-spike-three-hidden": (
        first_spike_network("deep", (7, 5, 6), thresholds=(300, 250, 250, 200), **FIRST_SPIKE),
        Hardware(lanes=5),
    ),
    "first-spike-one-layer": (
        first_spike_network("flat", (), thresholds=(300,), **FIRST_SPIKE),
        Hardware(lanes=64),
    ),
    "first-spike-levels": (
        first_spike_network(
            "levels",
            (17,),
            thresholds=(300, 200),
            **(FIRST_SPIKE | {"n_classes": 5}),
            current_shifts=(4, 3),
            levels=((200, 0), (100, 1), (0, 5)),
            weight_width=12,
            earliest_only=True,
        ),
        Hardware(lanes=17),
    ),
}


@pytest.fixture(params=NETWORKS, scope="module")
def network(request: pytest.FixtureRequest) -> tuple[Network, Hardware]:
    return NETWORKS[request.param]


@pytest.fixture(scope="module")
def exported(
    network: tuple[Network, Hardware], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """Export a network once for all tests of its files; return the folder and the manifest."""
    folder = tmp_path_factory.mktemp("exported")
    return folder, export(*network, folder, OPTIONS)


@pytest.mark.verilator
def test_every_verilator_lints_without_a_warning(exported: tuple[Path, dict[str, Any]]) -> None:
    found = {
        tool.version: lint([exported[0] / f"{TOP}.v"], TOP, verilator=tool) for tool in every_verilator()
    }
    assert found == dict.fromkeys(found, "")
    assert found


@pytest.mark.skipif(
    not CI, reason="only CI must have a second Verilator; 'apt-get install verilator' gives one"
)
def test_ci_lints_with_the_verilator_of_its_system_too() -> None:
    # What Debian has is years older than the wheel, and warns of more.
    assert len(every_verilator()) >= 2


@pytest.mark.icarus
def test_icarus_accepts(exported: tuple[Path, dict[str, Any]]) -> None:
    command = [str(find_icarus().require()), "-g2005", "-Wall", "-t", "null", f"{TOP}.v"]
    done = subprocess.run(command, cwd=exported[0], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    warnings = [line for line in done.stderr.splitlines() if "timescale" not in line]
    assert warnings == []


def test_no_multiplier(network: tuple[Network, Hardware]) -> None:
    assert not re.search(r"cell \$(mul|div|mod|pow|macc)", component_rtlil(ErbiumArray(*network), TOP))


def test_the_same_bytes_twice(
    network: tuple[Network, Hardware], exported: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    first, _ = exported
    export(*network, tmp_path, OPTIONS)
    names = sorted(path.name for path in first.iterdir())
    assert names == [f"{TOP}.core", f"{TOP}.h", f"{TOP}.json", f"{TOP}.v"]
    for name in names:
        assert (first / name).read_bytes() == (tmp_path / name).read_bytes()
        assert str(first).encode() not in (first / name).read_bytes()


def test_the_manifest_says_what_the_verilog_has(
    network: tuple[Network, Hardware], exported: tuple[Path, dict[str, Any]]
) -> None:
    folder, described = exported
    assert json.loads((folder / f"{TOP}.json").read_text()) == json.loads(json.dumps(described))
    text = (folder / f"{TOP}.v").read_text()
    header = text[text.index(f"module {TOP} (") :].split(");")[0]
    found = {}
    for direction, width, name in re.findall(r"(input|output)\s+(?:reg\s+)?(?:\[(\d+):0\]\s+)?(\w+)", header):
        found[name] = (direction[: -len("put")], int(width or 0) + 1)
    listed = {port["name"]: (port["direction"], port["width"]) for port in described["ports"]}
    assert listed == found
    assert all(port["meaning"] for port in described["ports"])
    for name, stream in described["streams"].items():
        assert stream["width"] == listed[f"{name}_payload"][1]
        for fields in stream["layouts"].values():
            assert all(field["low"] + field["width"] <= stream["width"] for field in fields)
    for name, digest in described["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert Network.from_json(json.dumps(described["network"])) == network[0]
    header = (folder / f"{TOP}.h").read_text()
    counters = re.findall(r"#define ERBIUM_COUNTER_(\w+) (\d+)", header)
    names = described["counters"] + described["performance_counters"]
    assert [(name.lower(), int(number)) for name, number in counters] == [(n, k) for k, n in enumerate(names)]


def test_a_c_compiler_takes_the_header(tmp_path: Path) -> None:
    export(*NETWORKS["tiny-4"], tmp_path, OPTIONS)
    (tmp_path / "main.c").write_text(
        f'#include "{TOP}.h"\nint main(void) {{ return ERBIUM_DIGEST == 0 || ERBIUM_LAYER1_ROWS != 17; }}\n'
    )
    subprocess.run(["cc", "-Wall", "-Werror", "main.c", "-o", "main"], cwd=tmp_path, check=True)
    subprocess.run([tmp_path / "main"], check=True)


def test_the_rate_of_each_layer_is_named(tmp_path: Path) -> None:
    for name, learner, rates in (("tiny-4", "gain", (12, 8)), ("first-spike-tiny", "rate", (65536, 65536))):
        described = export(*NETWORKS[name], tmp_path / name, OPTIONS)
        ports = {port["name"]: port for port in described["ports"]}
        header = (tmp_path / name / f"{TOP}.h").read_text()
        for number, rate in enumerate(rates, 1):
            assert f"layer {number}" in ports[f"{learner}_{number}"]["meaning"]
            assert ports[f"{learner}_{number}"]["meaning"].endswith(f", 0 to {rate}")
            assert re.search(rf"#define ERBIUM_LAYER{number}_{learner.upper()} {rate}\b", header)
        assert ("the last one is the bias" in header) == (learner == "gain")
        assert ("first-spike" in name) == ("updates" in described["counters"])


def test_files_of_others_stay_and_a_failure_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / f"{TOP}.v").write_text("old")

    def fail(*_: object, **__: object) -> str:
        raise RuntimeError("out of ideas")

    monkeypatch.setattr(export_module, "core_file", fail)
    with pytest.raises(RuntimeError, match="out of ideas"):
        export(*NETWORKS["tiny-4"], tmp_path, OPTIONS)
    assert (tmp_path / f"{TOP}.v").read_text() == "old"
    monkeypatch.undo()
    export(*NETWORKS["tiny-4"], tmp_path, OPTIONS)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert not list(tmp_path.glob(".*"))


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "taken"
    path.write_text("")
    with pytest.raises(OSError, match="taken"):
        export(*NETWORKS["tiny-4"], path, OPTIONS)
