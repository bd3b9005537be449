# SPDX-License-Identifier: BSD-2-Clause
"""The system of examples/litex: its processor teaches the array digits, and all is as the model has it."""

import importlib.util
import logging
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from erbium.gen.presets import preset

CI = bool(os.environ.get("CI"))
EXAMPLE = Path(__file__).parent.parent / "examples" / "litex"
THERE = all(importlib.util.find_spec(name) for name in ("litex", "pythondata_cpu_vexriscv", "ziglang"))
needs_litex = pytest.mark.skipif(
    not THERE and not CI, reason="not installed: pip install 'erbium-snn[litex]' has LiteX and VexRiscv"
)
LANES = "4"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program as a module."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    spec = importlib.util.spec_from_file_location("litex_example", EXAMPLE / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "litex_example", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(logging.root.manager, "disable", logging.root.manager.disable)
    return module


def called(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, EXAMPLE / "run.py", *words]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=900, check=False)


@pytest.mark.slow
@pytest.mark.verilator
@needs_litex
def test_its_processor_learns_a_hundred_digits_as_the_model_does(tmp_path, example):
    done = called("--lanes", LANES, "--build", tmp_path / "build")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(
        r"^100 digits learned and 50 tested, \d+ of these right, in [\d,]+ clocks$", done.stdout, re.M
    )
    assert done.stdout.endswith("\nPASS: all answers, all ticks and 4,810 weights are those of the model\n")

    # The same system: a digit that is labelled otherwise is learned otherwise, and the comparison says so.
    network = preset("erbp-digits").network
    digits = example.choose(network, 8, 4)
    expected = example.model(network, digits)
    folder = tmp_path / "build"
    library = example.build(network, int(LANES), folder)
    example.firmware(network, digits, folder)
    found, _ = example.simulate(library, folder)
    assert example.differences(expected, found) == []
    labels = np.where(np.arange(12) == 5, (digits.labels + 1) % 10, digits.labels)
    example.firmware(network, replace(digits, labels=labels), folder)
    other, _ = example.simulate(library, folder)
    wrong = example.differences(expected, other)
    assert any(re.match(r"row \d+, weight \d+ is -?\d+ and not -?\d+$", sentence) for sentence in wrong)

    # What the bus refuses, the firmware sees; the simulation ends with what it says.
    example.firmware(network, replace(digits, labels=np.where(np.arange(12) == 5, 10, digits.labels)), folder)
    with pytest.raises(example.ExampleError, match="the firmware says: sending a digit is 13 and not 0"):
        example.simulate(library, folder)


def test_every_number_that_differs_is_named(example):
    expected = example.Outcome("d", ["1:2", "3:4"], ["5:6"], [["0", "7", "8"], ["1", "9"]], "3")
    assert example.differences(expected, expected) == []
    for found, sentence in (
        (replace(expected, digest="e"), "digest is e and not d"),
        (replace(expected, samples="2"), "samples is 2 and not 3"),
        (replace(expected, learned=["1:2"]), "learned digit 1 gives None and not 3:4"),
        (replace(expected, tested=["5:7"]), "tested digit 0 gives 5:7 and not 5:6"),
        (replace(expected, weights=[["0", "7", "8"], ["1", "8"]]), "row 1, weight 0 is 8 and not 9"),
        (replace(expected, weights=[["0", "7", "8"], ["0", "9"]]), "row 1, weight 0 is 9 and not 9"),
        (replace(expected, weights=[["0", "7", "8"]]), "row 1, weight 0 is None and not 9"),
        (replace(expected, weights=[["0", "7"], ["1", "9"]]), "row 0, weight 1 is None and not 8"),
    ):
        assert example.differences(expected, found) == [sentence]


@needs_litex
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--network", "none"), "there is no preset 'none'; there are erbp-mnist-100"),
        (("--network", "first-spike-mnist-20x20-320"), "has 400 inputs, and the digits of"),
        (("--learn", "0"), "--learn is 0; it must be from 1 to 1000"),
        (("--test", "253"), "--test is 253; it must be from 1 to 252"),
        (("--lanes", "0"), "lanes is 0; it must be from 1 to"),
        (("--build", str(EXAMPLE)), f"{EXAMPLE} holds other files; name an empty folder with --build"),
    ],
)
def test_what_cannot_be_done_ends_in_a_sentence(words, message, tmp_path, example, capsys):
    assert example.main(["--build", str(tmp_path / "build"), *words]) == 1
    said = capsys.readouterr()
    assert (said.err.count("\n"), said.err.startswith("run.py: ")) == (1, True)
    assert message in said.err


def test_what_is_missing_is_named_with_its_versions(tmp_path, example, capsys, monkeypatch):
    monkeypatch.setattr(example, "not_installed", lambda *names: ["litex"])
    assert example.main(["--build", str(tmp_path / "build")]) == 1
    assert re.fullmatch(
        r'run\.py: not installed: litex; get it with: pip install "litex>=[\d.]+"\n', capsys.readouterr().err
    )


@needs_litex
def test_only_an_export_for_wishbone_is_a_peripheral(tmp_path, example):
    from litex.build.generic_platform import GenericPlatform
    from peripheral import Erbium  # type: ignore[import-not-found,unused-ignore]

    file = tmp_path / "erbium.json"
    for text, kind in (('{"bus": {"kind": "axi"}}', "'axi'"), ("{}", "None")):
        file.write_text(text)
        with pytest.raises(
            ValueError, match=f"is an export with the bus {kind}; make one with --bus wishbone"
        ):
            Erbium(GenericPlatform("simulation", []), file)
