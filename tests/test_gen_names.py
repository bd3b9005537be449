# SPDX-License-Identifier: BSD-2-Clause
"""Names of networks and exports: what is written by them can live beside others, and nothing else is a name."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from erbium.gen.export import ExportOptions, SerialLine, default_name, export
from erbium.gen.presets import PRESETS, preset
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.programs import DescriptionError, check_name
from erbium.verif.simulators import find_icarus

TINY, OTHER = preset("tiny").network, preset("first-spike-tiny").network
NO_NAMES: list[object] = [
    "a */ b",
    "net # 2",
    "x\ny",
    "../up",
    "x: y",
    "größe",
    "",
    "-o",
    "1st",
    "a.b",
    "a/b",
    "x" * 65,
    "a\n",
    None,
    3,
]


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_is_no_plain_name_is_refused_when_the_description_is_read(name):
    content = json.loads(TINY.to_json()) | {"name": name}
    del content["digest"]
    with pytest.raises(DescriptionError, match=r"the name of the network is .* must begin with a letter"):
        Network.from_json(json.dumps(content))
    for key in ("name", "states"):
        content = json.loads(TINY.to_json())
        del content["digest"]
        program = content["layers"][0]["program"]
        program[key] = name if key == "name" else [name, *program["states"][1:]]
        with pytest.raises(
            DescriptionError, match=r"the name of (a neuron program|a state of program '.*') is "
        ):
            Network.from_json(json.dumps(content))


def test_plain_names_are_taken():
    for name in ("a", "erbp-mnist-200", "Mine_2", "x" * 64):
        assert replace(TINY, name=name).digest == TINY.digest
        check_name("it", name)
    with pytest.raises(DescriptionError, match="only such letters, digits and '_'"):
        check_name("it", "a-b", identifier=True)


@pytest.mark.parametrize("name", ["a b", "module", "a-b", "a__b", "a_", "../x", "always", "1a"])
def test_an_export_has_a_name_that_modules_and_macros_can_have(name, tmp_path):
    with pytest.raises(DescriptionError, match="the name of what is exported is"):
        export(TINY, Hardware(lanes=4), tmp_path, ExportOptions(name))
    assert not list(tmp_path.iterdir())


def test_every_preset_has_a_default_name_of_its_own():
    names = {
        default_name(item.network, Hardware(lanes=lanes), serial)
        for item in PRESETS.values()
        for lanes in (4, 64)
        for serial in (None, SerialLine())
    }
    assert len(names) == 4 * len(PRESETS)
    for name in names:
        ExportOptions(name)


THREE = (("a", TINY, 4), ("b", OTHER, 4), ("c", TINY, 8))


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Export three arrays by their default names; return the folder and the names."""
    folder = tmp_path_factory.mktemp("three")
    return folder, {
        key: export(network, Hardware(lanes=lanes), folder / key)["top"] for key, network, lanes in THREE
    }


@pytest.mark.icarus
def test_arrays_live_in_one_design(three):
    folder, names = three
    sources = [f"{key}/{name}.v" for key, name in names.items()]
    command = [str(find_icarus().require()), "-g2005", "-o", "design", *sources]
    command += [word for name in names.values() for word in ("-s", name)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def _compile(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "main.c").write_text(text)
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    assert compiler, "the tests need a C compiler"
    command = [compiler, "-Wall", "-Wextra", "-Werror", "main.c", "-o", "main"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_headers_live_in_one_program(three):
    folder, names = three
    includes = "".join(f'#include "{key}/{name}.h"\n' for key, name in names.items()) * 2
    values = ", ".join(f"(unsigned long long){name.upper()}_DIGEST" for name in names.values())
    text = f'{includes}#include <stdio.h>\nint main(void) {{ printf("%016llx %016llx %016llx\\n", {values}); }}\n'
    done = _compile(folder, text)
    assert (done.returncode, done.stderr) == (0, "")
    said = subprocess.run([folder / "main"], capture_output=True, text=True, check=True).stdout.split()
    assert said == [network.digest for _, network, _ in THREE]


def test_a_second_header_of_one_name_is_noticed(tmp_path):
    for key, network in (("a", TINY), ("b", OTHER)):
        export(network, Hardware(lanes=4), tmp_path / key, ExportOptions("mine"))
    done = _compile(tmp_path, '#include "a/mine.h"\n#include "b/mine.h"\nint main(void) { return 0; }\n')
    assert done.returncode
    assert "another mine.h came before this one" in done.stderr


def test_fusesoc_takes_the_cores_of_one_library_for_as_many(three, tmp_path):
    folder, names = three
    export(TINY, Hardware(lanes=4), folder / "d", ExportOptions("mine"))
    export(TINY, Hardware(lanes=4), folder / "e", ExportOptions(serial=SerialLine()))
    chip = default_name(TINY, Hardware(lanes=4), SerialLine())
    (tmp_path / "top.v").write_text("module top; endmodule\n")
    tops = [*names.values(), "mine", chip]
    (tmp_path / "top.core").write_text(
        "CAPI=2:\nname: me::top:1.0\nfilesets:\n  rtl:\n    files: [top.v]\n    file_type: verilogSource\n"
        f"    depend: [{', '.join(f'erbium::{name}' for name in tops)}]\n"
        "targets:\n  default:\n    filesets: [rtl]\n    toplevel: top\n    default_tool: icarus\n"
    )

    def fusesoc(*words: str) -> str:
        command = [sys.executable, "-m", "fusesoc.main", "--config", "none.conf", "--cores-root", str(folder)]
        done = subprocess.run(
            [*command, "--cores-root", ".", *words],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, "ERROR" in done.stderr) == (0, False), done.stderr
        return done.stdout

    listed = [line.split()[0] for line in fusesoc("core", "list").splitlines() if line.startswith("erbium")]
    assert listed == sorted(f"erbium::{name}:0.1.0" for name in tops)
    for name in tops:
        shown = fusesoc("core", "show", f"erbium::{name}")
        assert f"Erbium {'chip' if name == chip else 'array'} " in shown
    fusesoc("run", "--setup", "me::top")
    used = {path.name for path in tmp_path.glob("build/**/*.v")}
    assert used == {"top.v", *(f"{name}.v" for name in tops)}


def test_a_name_is_in_all_of_the_files(tmp_path):
    described = export(TINY, Hardware(lanes=4), tmp_path, ExportOptions("mine"))
    assert described["top"] == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.core", "mine.h", "mine.json", "mine.v"]
    for path in tmp_path.iterdir():
        assert "erbium_array" not in path.read_text()
    assert "MINE_LINK_MAX_MESSAGE" in (tmp_path / "mine.h").read_text()
