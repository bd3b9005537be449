# SPDX-License-Identifier: BSD-2-Clause
"""The cache: one variable moves all of it, and nothing needs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from erbium import doctor
from erbium.sw_model import cache
from erbium.sw_model.datasets import mnist_part, sources

MOVED = ("ERBIUM_CACHE", "ERBIUM_CACHE_UNWRITABLE", "NUMBA_CACHE_DIR", "YOWASP_CACHE_DIR", "MPLCONFIGDIR")


def python(code: str, tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, with an environment that says nothing of caches but `variables`."""
    env = {name: value for name, value in os.environ.items() if name not in (*MOVED, "XDG_CACHE_HOME")}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=env | {"TMPDIR": str(tmp_path)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


WHERE = """
import json, os, erbium, matplotlib, numba
from erbium.sw_model import cache
print(json.dumps([str(cache.folder()), numba.config.CACHE_DIR, os.environ.get("YOWASP_CACHE_DIR"),
                  matplotlib.get_cachedir()]))
"""


def test_one_variable_moves_all_of_it(tmp_path):
    kept = tmp_path / "kept"
    done = python(WHERE, tmp_path, ERBIUM_CACHE=str(kept))
    assert done.stderr == ""
    assert json.loads(done.stdout) == [
        str(kept),
        *(str(kept / name) for name in ("numba", "yowasp", "matplotlib")),
    ]


def test_what_the_user_says_of_another_package_stays(tmp_path):
    other = str(tmp_path / "other")
    done = python(WHERE, tmp_path, ERBIUM_CACHE=str(tmp_path / "kept"), NUMBA_CACHE_DIR=other)
    assert json.loads(done.stdout)[1] == other


def test_a_home_that_may_be_written_is_left_as_it_is(tmp_path):
    done = python(WHERE, tmp_path, HOME=str(tmp_path))
    assert json.loads(done.stdout)[0] == str(tmp_path / ".cache/erbium")
    assert json.loads(done.stdout)[2] is None


@pytest.mark.parametrize("variables", [{"HOME": "/dev/null"}, {"ERBIUM_CACHE": "/dev/null/cache"}])
def test_a_cache_that_may_not_be_written(tmp_path, variables):
    """Not even root may write there."""
    done = python(WHERE, tmp_path, **variables)
    stand_in = tmp_path / f"erbium-cache-{os.getuid()}"
    assert json.loads(done.stdout) == [
        str(stand_in),
        *(str(stand_in / name) for name in ("numba", "yowasp", "matplotlib")),
    ]
    refused = variables.get("ERBIUM_CACHE", "/dev/null/.cache/erbium")
    assert done.stderr == (
        f"The cache {refused} may not be written, so {stand_in} stands in; ERBIUM_CACHE=FOLDER names another one.\n"
    )
    assert stand_in.stat().st_mode & 0o777 == 0o700


def test_a_temporary_cache_that_others_may_write_is_not_taken(tmp_path):
    stand_in = tmp_path / f"erbium-cache-{os.getuid()}"
    stand_in.mkdir()
    stand_in.chmod(0o777)
    done = python(WHERE, tmp_path, HOME="/dev/null")
    taken = json.loads(done.stdout)[0]
    assert taken != str(stand_in)
    assert taken.startswith(str(tmp_path / "erbium-cache-"))
    assert not Path(taken).exists(), "it ends with its process"


@pytest.mark.slow
def test_training_without_a_cache(tmp_path):
    words = "train first-spike-digits --data digits --images 50"
    code = f"from erbium.cli import main; main({words.split()!r})"
    done = python(code, tmp_path, HOME="/dev/null")
    assert done.returncode == 0
    assert done.stderr.startswith("The cache /dev/null/.cache/erbium may not be written, so ")
    assert list((tmp_path / f"erbium-cache-{os.getuid()}").rglob("*.nbc"))


def test_what_is_kept_where_it_may_not_be_written_is_found(tmp_path, monkeypatch):
    """An administrator's cache that users may only read."""
    monkeypatch.setenv("ERBIUM_CACHE", str(tmp_path / "mine"))
    monkeypatch.setenv(cache.ORIGINAL, str(tmp_path / "shared"))
    assert list(cache.places()) == [tmp_path / "mine", tmp_path / "shared"]
    asked = []
    monkeypatch.setattr(
        "erbium.sw_model.datasets.download._is_intact", lambda path, checksum: asked.append(path)
    )
    assert sources.load(environ={}, allow_download=False).name == mnist_part.NAME
    assert {path.parent for path in asked} == {tmp_path / "mine/mnist", tmp_path / "shared/mnist"}


def test_doctor_sees_it(tmp_path, monkeypatch):
    monkeypatch.setenv("ERBIUM_CACHE", str(tmp_path))
    monkeypatch.delenv(cache.ORIGINAL, raising=False)
    row = doctor._cache()
    assert (row.found, row.where) == (True, str(tmp_path))
    monkeypatch.setenv(cache.ORIGINAL, "/home/x")
    row = doctor._cache()
    assert not row.found
    assert row.hint.startswith(
        "/home/x may not be written, so a temporary folder stands in; ERBIUM_CACHE=<folder>"
    )


@pytest.mark.parametrize(
    "words",
    [
        "--help",
        "presets",
        "show tiny",
        "boards",
        "plan ulx3s-25f tiny",
        "doctor",
        "train --help",
        "eval none.npz",
        "run COM7 x",
    ],
)
def test_nothing_loads_matplotlib_where_nothing_is_drawn(words, tmp_path):
    code = (
        "import sys\nfrom erbium.cli import main\n"
        f"try: main({words.split()!r})\nexcept SystemExit: pass\n"
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert python(code, tmp_path).returncode == 0


@pytest.mark.slow
def test_training_and_evaluating_load_no_matplotlib(tmp_path):
    code = (
        "import sys\nfrom erbium.cli import main\n"
        "for words in ('train erbp-digits --data digits --images 20', 'eval erbp-digits.npz --data digits'):\n"
        "  try: main(words.split())\n  except SystemExit as end: assert not end.code\n"
        "sys.exit('matplotlib' in sys.modules)"
    )
    done = python(code, tmp_path)
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0)
