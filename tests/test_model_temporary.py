# SPDX-License-Identifier: BSD-2-Clause
"""What a process leaves that was killed is removed by the next one; what is in use is not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from erbium.gen.files import write_text
from erbium.sw_model import temporary
from erbium.sw_model.temporary import temporary_folder

ROOT = Path(__file__).parent.parent


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def killed(code, folder):
    """Run code that prints a line when it is in the middle, and kill it there."""
    with subprocess.Popen([sys.executable, "-c", code], cwd=folder, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.send_signal(signal.SIGKILL)
    yield


IN_A_FOLDER = """
import time; from pathlib import Path
from erbium.sw_model.temporary import temporary_folder
with temporary_folder(Path("."), "build-") as folder:
    (folder / "half").write_text("x"); print("here", flush=True); time.sleep(60)
"""

IN_A_FILE = """
import time; from pathlib import Path
from erbium.gen.files import replacing
with replacing(Path("out.html")) as file:
    file.write(b"half"); print("here", flush=True); time.sleep(60)
"""


def test_a_folder_goes_at_the_end(tmp_path):
    with temporary_folder(tmp_path / "new", "build-") as folder:
        (folder / "file").write_text("x")
        assert names(tmp_path / "new") == [folder.name]
    with pytest.raises(ValueError, match="no"), temporary_folder(tmp_path / "new", "build-"):
        raise ValueError("no")
    assert names(tmp_path / "new") == []


def test_a_folder_of_a_killed_process(tmp_path, monkeypatch):
    monkeypatch.setattr(temporary, "FRESH_SECONDS", 0.0)
    steps = killed(IN_A_FOLDER, tmp_path)
    next(steps)
    (left,) = names(tmp_path)
    with temporary_folder(tmp_path, "build-"):
        assert left in names(tmp_path), "it is in use"
    next(steps)
    assert names(tmp_path) == [left]
    (tmp_path / "build").mkdir()
    with temporary_folder(tmp_path, "build-") as folder:
        assert names(tmp_path) == sorted(["build", folder.name])


def test_a_file_of_a_killed_process(tmp_path, monkeypatch):
    monkeypatch.setattr(temporary, "FRESH_SECONDS", 0.0)
    steps = killed(IN_A_FILE, tmp_path)
    next(steps)
    (left,) = names(tmp_path)
    assert left.startswith(".out.html.")
    write_text(tmp_path / "out.html", "first")
    assert left in names(tmp_path), "it is in use"
    next(steps)
    write_text(tmp_path / "out.html", "second")
    assert names(tmp_path) == ["out.html"]
    assert (tmp_path / "out.html").read_text() == "second"


def test_what_is_fresh_is_left_alone(tmp_path):
    """Its process may be about to lock it."""
    (tmp_path / "build-1").mkdir()
    old = tmp_path / "build-2"
    old.mkdir()
    os.utime(old, (time.time() - 60, time.time() - 60))
    with temporary_folder(tmp_path, "build-") as folder:
        assert names(tmp_path) == sorted(["build-1", folder.name])


def test_nothing_makes_temporary_things_that_are_not_swept():
    """Only here, in what writes files, and where a name is asked for."""
    for folder in ("sw_model", "gen", "hdl", "verif", "fpga", "erbium"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text()
            if path.name == "temporary.py":
                continue
            assert "TemporaryDirectory(" not in text, path
            assert "mkdtemp(" not in text, path
            assert "mkstemp(" not in text, path
