# SPDX-License-Identifier: BSD-2-Clause
"""The one rule of all commands that write: nothing that is there is replaced unasked, or by two runs at a time."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from erbium.checkpoint import Checkpoint
from erbium.gen.files import OutputError, check_free, checkpoint_lock, locked
from erbium.sw_model.datasets import write_idx
from erbium.sweep import SweepError
from erbium.sweep.store import TABLE, Store


@pytest.fixture(autouse=True)
def data(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("data") / "noise"
    folder.mkdir()
    random = np.random.default_rng(2)
    for name, n in (("train", 60), ("t10k", 12)):
        write_idx(folder / f"{name}-images-idx3-ubyte", random.integers(0, 256, (n, 4, 4), dtype=np.uint8))
        write_idx(folder / f"{name}-labels-idx1-ubyte", (np.arange(n) % 4).astype(np.uint8))
    monkeypatch.setenv("ERBIUM_DATA", str(folder))
    return folder


TRAIN = "train tiny --images 20 --evaluate-images 5 --backend reference"
WRITERS = {
    "train": (TRAIN, "tiny.npz"),
    "train --report": (f"{TRAIN} --report here.html", "here.html"),
    "run": ("run sim:ulx3s-25f tiny", "tiny.npz"),
    "demo": ("demo --preset tiny --images 9 --backend reference", "erbium-demo.html"),
    "verilog": ("verilog tiny -o out", "out/erbium_array_tiny_64lanes.v"),
    "verilog, its manifest": ("verilog tiny -o out", "out/erbium_array_tiny_64lanes.json"),
    "build": ("build ulx3s-25f tiny", "build/boards/ulx3s-25f/tiny/report.json"),
    "build -o": ("build ulx3s-25f tiny -o there", "there/report.json"),
    "bench --json": ("bench lanes --quick --json here.json", "here.json"),
    "bench --report": ("bench papers --quick --report here.html", "here.html"),
    "bench --pictures": ("bench papers --quick --pictures here", "here/curve.svg"),
    "sweep": ("sweep tiny --over seed=1,2 --set images=20", "sweep-tiny/results.parquet"),
}


@pytest.mark.parametrize("name", WRITERS)
def test_no_command_replaces_what_is_there_unasked(run, tmp_path, name):
    command, place = WRITERS[name]
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"the results of weeks")
    before = sorted(p for p in tmp_path.rglob("*") if p.is_file() and p.parent.name != "points")
    begin = time.monotonic()
    code, out, err = run(command)
    assert (code, out) == (2, "")
    assert err.startswith("erbium: ") or "points over" in err
    assert path.name in err or path.parent.name in err
    assert "--overwrite" in err
    assert path.read_bytes() == b"the results of weeks"
    assert time.monotonic() - begin < 60
    after = {p for p in tmp_path.rglob("*") if p.is_file()} - set(before)
    assert {p.name for p in after} <= {"id"}, "something was written beside it"


@pytest.mark.parametrize("name", ["train", "train --report", "demo", "verilog"])
def test_what_is_there_is_replaced_when_asked(run, tmp_path, name):
    command, place = WRITERS[name]
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"old")
    code, _, err = run(f"{command} --overwrite")
    assert code == 0, err
    assert path.read_bytes() != b"old"


@pytest.mark.parametrize("command", [TRAIN, "run sim:ulx3s-25f tiny"])
def test_resume_and_overwrite_exclude_each_other(run, tmp_path, command):
    (tmp_path / "tiny.npz").write_bytes(b"old")
    code, out, err = run(f"{command} --resume --overwrite")
    assert (code, out) == (2, "")
    assert "--resume carries a run on and --overwrite starts it over; give one of them" in err
    assert (tmp_path / "tiny.npz").read_bytes() == b"old"


def test_a_sweep_goes_on_in_its_folder_and_no_other_one_does(tmp_path):
    store = Store(tmp_path / "here")
    store.claim("network a on data", overwrite=False)
    for name in (TABLE, "index.html", "curve.svg", "curve.png", "mine.txt"):
        (store.folder / name).write_text("of a")
    store.claim("network a on data", overwrite=False)  # more values of the same
    with pytest.raises(
        SweepError, match="holds the results of network a on data, and this is network b; add --over"
    ):
        store.claim("network b", overwrite=False)
    assert (store.folder / "curve.svg").exists()
    store.claim("network b", overwrite=True)
    left = {path.name for path in store.folder.iterdir() if path.is_file()}
    assert left == {"id", "about", "mine.txt"}, "plots of the other network stay beside the new table"


def test_a_place_is_checked_before_the_work(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="folder is a folder and a file is to be written there"):
        check_free(tmp_path / "folder", overwrite=True)
    with pytest.raises(FileNotFoundError):
        check_free(tmp_path / "none" / "file", overwrite=False)
    check_free(tmp_path / "none" / "file", overwrite=False, make_folders=True)
    (tmp_path / "file").touch()
    check_free(tmp_path / "file", overwrite=True)
    with pytest.raises(
        OutputError, match="file is there already; add --overwrite to replace it, or name another"
    ):
        check_free(tmp_path / "file", overwrite=False)


def test_a_lock_is_for_one(tmp_path):
    path = tmp_path / "run.npz"
    with checkpoint_lock(path):
        with (
            pytest.raises(
                OutputError, match=r"another run is at work on .*run\.npz; wait for its end, or name"
            ),
            checkpoint_lock(path),
        ):
            pass
        with checkpoint_lock(tmp_path / "other.npz"):
            pass
    assert list(tmp_path.iterdir()) == []
    with locked(tmp_path / "again", "busy"):
        pass


def hold(path):
    """Start a process that holds the lock of a checkpoint until it is killed."""
    code = (
        "import sys, time; from pathlib import Path; from erbium.gen.files import checkpoint_lock\n"
        "with checkpoint_lock(Path(sys.argv[1])):\n    print('locked', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


@pytest.mark.parametrize("command", [TRAIN, f"{TRAIN} --overwrite", "run sim:ulx3s-25f tiny"])
def test_two_runs_do_not_write_one_checkpoint(run, tmp_path, command):
    process = hold(tmp_path / "tiny.npz")
    try:
        code, out, err = run(command)
        assert (code, out) == (2, "")
        assert "another run is at work on tiny.npz; wait for its end, or name another --checkpoint" in err
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    code, _, err = run(TRAIN)
    assert code == 0, "a killed process left its lock behind"
    assert not list(tmp_path.glob(".*.lock"))


def test_a_lock_that_was_removed_meanwhile_is_taken_anew(tmp_path, monkeypatch):
    import fcntl

    real, path = fcntl.flock, tmp_path / "lock"
    calls: list[int] = []

    def flock(handle, how):
        if not calls:
            # The holder before removes the file between our opening and our locking.
            os.unlink(path)
        calls.append(handle)
        real(handle, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with locked(path, "busy"):
        assert len(calls) == 2
        assert path.exists()


# --- Another beginning, another end ---


def test_a_run_begins_with_the_weights_of_another(run, tmp_path):
    run(f"{TRAIN} --checkpoint first.npz")
    first = Checkpoint.load(Path("first.npz"))
    code, _, err = run(
        "train --init first.npz --images 1 --evaluate-images 0 --checkpoint next.npz --backend reference"
    )
    assert code == 0, err
    second = Checkpoint.load(Path("next.npz"))
    assert (second.network, second.position) == (first.network, 1)
    differing = sum(int((a != b).sum()) for a, b in zip(first.weights, second.weights, strict=True))
    fresh = first.network.initial_weights()
    assert differing < sum(int((a != b).sum()) for a, b in zip(fresh, second.weights, strict=True))
    code, _, err = run(
        "train first-spike-tiny --init first.npz --images 1 --checkpoint x.npz --backend reference"
    )
    assert code == 2
    assert (
        "first.npz has the weights of 'tiny' (16-12-4), which do not fit 'first-spike-tiny' (16-12-4)" in err
    )
    assert not Path("x.npz").exists()
    code, _, err = run("train tiny --init none.npz --images 1")
    assert (code, "none.npz: no such file" in err) == (2, True)
    code, _, err = run("train --init first.npz --resume --checkpoint first.npz")
    assert (code, "--resume carries a run on and --init begins another one" in err) == (2, True)


def test_a_finished_run_goes_on_for_longer(run, tmp_path):
    run(f"{TRAIN} --checkpoint a.npz")
    code, _, err = run("train --checkpoint a.npz --resume --epochs 1 --backend reference")
    assert code == 0, err
    assert "The run of 20 images goes on to 50; the schedule of the learning rate spans all of them" in err
    saved = Checkpoint.load(Path("a.npz"))
    assert (saved.position, saved.plan.total, saved.plan.recipe.epochs) == (50, 50, 1)
    assert [point.position for point in saved.curve] == sorted({point.position for point in saved.curve})
    assert saved.curve[-1].position == 50
    code, _, err = run("train --checkpoint a.npz --resume --images 30 --backend reference")
    assert code == 2
    assert "a.npz is a run of 50 images and has learned 50 of them, and 30 were asked for" in err
    assert "test error" in run("train --checkpoint a.npz --resume --images 50 --backend reference")[1]
