# SPDX-License-Identifier: BSD-2-Clause
"""Long silent stretches say what they do, on a terminal and without one."""

import io
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from erbium.progress import doing
from erbium.verif import vectors, verilate
from erbium.verif.simulators import ToolError

HARDWARE = (
    "Compiling the simulated hardware, which takes seconds for a small network and minutes for a large one; the next "
    "time it comes out of the cache.\n"
)
MODEL = "Compiling the model, which takes a minute; the next time it comes out of the cache.\n"

KERNEL = """
from numba import njit
@njit
def inner(x):
    return x + 1
@njit(cache=True)
def kernel(x):
    return inner(x) + inner(x)
"""

CALL = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
from erbium import cli
import erbium.sw_model.fast, erbium.sw_model.graph_fast.array, erbium.sw_model.spike_time
cli._print_log()
cli._print_log()
spec = spec_from_file_location(sys.argv[1], "code.py")
sys.modules[sys.argv[1]] = module = module_from_spec(spec)
spec.loader.exec_module(module)
assert module.kernel(1) == 4
assert module.kernel(1.5) == 5.0
"""


@pytest.mark.parametrize("terminal", [True, False])
def test_what_takes_long_is_shown_on_a_terminal(capsys, terminal):
    text = io.StringIO()
    with doing(Console(file=text, force_terminal=terminal, width=80), "Compiling."):
        pass
    assert ("Compiling." in text.getvalue()) is terminal
    assert capsys.readouterr() == ("", "")


def test_the_model_says_that_it_is_compiled_and_not_that_it_is_read(tmp_path):
    """On a small function, of two types: each is compiled once, with what it calls, and read after that."""
    (tmp_path / "code.py").write_text(KERNEL)

    def call(module):
        return subprocess.run(
            [sys.executable, "-c", CALL, module],
            cwd=tmp_path,
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            check=False,
        )

    found = call("erbium.sw_model.kernel")
    assert (found.returncode, found.stdout, found.stderr) == (0, "", 2 * MODEL)
    found = call("erbium.sw_model.kernel")
    assert (found.returncode, found.stderr) == (0, "")
    (tmp_path / "code.py").write_text(f"{KERNEL}\n# Changed, and the user's.\n")
    found = call("of_the_user")
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize(
    "words",
    [
        "train tiny --images 5 --backend rtl",
        "train tiny --images 5 --backend rtl:verilator",
        "run sim:ulx3s-85f tiny --images 5",
        "wave tiny --sample 0 -o tiny.vcd",
        "demo --preset tiny --data tiny-digits",
    ],
)
def test_the_hardware_says_that_it_is_compiled(run, monkeypatch, words, tmp_path):
    def stop(*arguments):
        raise ToolError("enough")

    monkeypatch.setenv("ERBIUM_CACHE", str(tmp_path / "cache"))
    for module in (verilate, vectors):
        monkeypatch.setattr(module, "_compile", stop)
    monkeypatch.setattr(verilate, "_runtime", lambda *arguments: [])
    code, _, err = run(words)
    assert code == 2
    assert err.count(HARDWARE) == 1
    assert err.endswith(f"{HARDWARE}erbium: enough\n")


def test_hardware_from_the_cache_says_nothing(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(verilate, "_compile", lambda design, target, runtime: target.write_bytes(b""))
    monkeypatch.setattr(verilate, "_runtime", lambda *arguments: [])
    caplog.set_level(logging.INFO, logger="erbium")
    design = verilate.Design("top", "Vtop", lambda: "", Path("harness.cpp"), {})
    for _ in range(2):
        verilate.cached_library(design, "rtl", "name", (), tmp_path)
    assert [f"{record.getMessage()}\n" for record in caplog.records] == [HARDWARE]
