# SPDX-License-Identifier: BSD-2-Clause
"""Checkpoints: replaced as a whole, refused when damaged or another run's, and a run resumes without loss."""

import io
import json
import os
import shlex
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from erbium import checkpoint as module
from erbium.checkpoint import Checkpoint, CheckpointError
from erbium.chip import open_chip
from erbium.gen.files import replacing, write_text
from erbium.gen.presets import Recipe, preset
from erbium.interrupt import Interruption
from erbium.sw_model import datasets
from erbium.sw_model.datasets import write_idx
from erbium.train import Plan, Trainer

TINY = preset("tiny").network
PLAN = Plan(Recipe(shift=1), total=30, evaluate_at=(0, 10, 30), n_evaluate=4, n_ticks=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set of 4 x 4 pixels and 4 classes."""
    path = tmp_path_factory.mktemp("noise")
    random = np.random.default_rng(2)
    for name, n in (("train", 60), ("t10k", 12)):
        write_idx(path / f"{name}-images-idx3-ubyte", random.integers(0, 256, (n, 4, 4), dtype=np.uint8))
        write_idx(path / f"{name}-labels-idx1-ubyte", (np.arange(n) % 4).astype(np.uint8))
    return path


@pytest.fixture(scope="module")
def data(folder):
    return datasets.load(folder)


@pytest.fixture(scope="module")
def half(data):
    """The state of a run at half of its way."""
    with open_chip(TINY, "reference") as chip:
        trainer = Trainer(chip, data, PLAN)
        for _ in trainer.run(15):
            pass
        return Checkpoint.of(trainer)


def assert_same(mine, other):
    for name in ("network", "plan", "data_name", "data_digest", "position", "counters", "work", "curve"):
        assert getattr(mine, name) == getattr(other, name), name
    for a, b in zip(mine.weights, other.weights, strict=True):
        assert a.dtype == b.dtype == np.int16
        assert np.array_equal(a, b)


def test_there_and_back(half, tmp_path):
    half.save(tmp_path / "a.npz")
    assert_same(Checkpoint.load(tmp_path / "a.npz"), half)
    assert half.position == 15
    assert [point.position for point in half.curve] == [0, 10]
    assert os.listdir(tmp_path) == ["a.npz"]


def test_a_resumed_run_is_the_uninterrupted_one(half, data, tmp_path):
    half.save(tmp_path / "a.npz")
    with open_chip(TINY, "model") as chip, open_chip(TINY, "reference") as other:
        for _ in (resumed := Checkpoint.load(tmp_path / "a.npz").resume(chip, data)).run():
            pass
        for _ in (whole := Trainer(other, data, PLAN)).run():
            pass
        assert_same(Checkpoint.of(resumed), Checkpoint.of(whole))


def test_a_failed_write_leaves_the_old_file_and_nothing_else(half, tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    half.save(path)
    content = path.read_bytes()

    def fail(file, **arrays):
        file.write(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="No space left") as caught:
        half.save(path)
    assert caught.value.filename == str(path)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["a.npz"]


def test_the_old_file_stands_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "x.txt"
    write_text(path, "old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:
        raise KeyboardInterrupt
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["x.txt"]
    with pytest.raises(FileNotFoundError) as caught:
        write_text(tmp_path / "none" / "x.txt", "")
    assert caught.value.filename == str(tmp_path / "none" / "x.txt")


def test_every_truncation_is_noticed(half, tmp_path):
    half.save(tmp_path / "a.npz")
    content = (tmp_path / "a.npz").read_bytes()
    path = tmp_path / "b.npz"
    for length in [*range(0, 40), *range(40, len(content), 61), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match="is damaged or no checkpoint") as caught:
            Checkpoint.load(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_no_changed_byte_changes_the_run(half, tmp_path):
    half.save(tmp_path / "a.npz")
    content = (tmp_path / "a.npz").read_bytes()
    path = tmp_path / "b.npz"
    refused = 0
    for place in range(0, len(content), 3):
        for flip in (0x01, 0xFF):
            damaged = bytearray(content)
            damaged[place] ^= flip
            path.write_bytes(damaged)
            try:
                found = Checkpoint.load(path)
            except CheckpointError:
                refused += 1
            else:
                # Some bytes of a zip, such as its time stamps, mean nothing to us.
                assert_same(found, half)
    assert refused > 0.8 * 2 * len(content) / 3


def test_another_file(tmp_path):
    path = tmp_path / "x"
    for content in (b"", b"hello\n", b"PK\x03\x04"):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="is damaged or no checkpoint"):
            Checkpoint.load(path)
    np.savez(tmp_path / "x.npz", record=np.array(json.dumps({"format": "other"})), checksum=np.array("1"))
    with pytest.raises(
        CheckpointError, match=r"x.npz is no checkpoint: its format is not 'erbium-checkpoint'"
    ):
        Checkpoint.load(tmp_path / "x.npz")
    with np.printoptions(), open(tmp_path / "y.npz", "wb") as file:
        np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(CheckpointError, match="is damaged or no checkpoint"):
        Checkpoint.load(tmp_path / "y.npz")
    with pytest.raises(FileNotFoundError):
        Checkpoint.load(tmp_path / "z.npz")


def change_record(path, change):
    """Write the checkpoint at `path` anew with another record and the checksum that belongs to it."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    record = json.loads(str(arrays["record"]))
    change(record)
    text = json.dumps(record)
    weights = [arrays[f"layer{k}"] for k in range(1, len(arrays) - 1)]
    arrays |= {"record": np.array(text), "checksum": np.array(module._checksum(text, weights))}
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda r: r.update(version=2),
            "is a checkpoint of version 2 and this Erbium reads version 1; use the Erbium",
        ),
        (lambda r: r.update(version=None), "version None"),
        (lambda r: r.pop("position"), r"does not understand \('position'\)"),
        (lambda r: r["plan"].update(total=-1), "number of images to learn is -1"),
        (lambda r: r["plan"].update(colour="red"), "colour"),
        (lambda r: r["network"].update(seed=7), "its content has"),
        (lambda r: r.update(curve=[{"a": 1}]), "does not understand"),
        (lambda r: r.update(counters=[1]), "does not understand"),
    ],
)
def test_a_record_of_another_kind(half, tmp_path, change, text):
    half.save(tmp_path / "a.npz")
    change_record(tmp_path / "a.npz", change)
    with pytest.raises(CheckpointError, match=text) as caught:
        Checkpoint.load(tmp_path / "a.npz")
    assert "\n" not in str(caught.value)


def test_a_record_that_was_edited(half, tmp_path):
    path = tmp_path / "a.npz"
    half.save(path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(path, **arrays | {"layer1": arrays["layer1"] + np.int16(1)})
    with pytest.raises(
        CheckpointError, match=r"a.npz is damaged: its checksum is \w+ and its content has \w+; r"
    ):
        Checkpoint.load(path)


def test_another_network_or_data_set_names_both_digests(half, data, tmp_path):
    path = tmp_path / "a.npz"
    half.check_network(replace(TINY, name="the-same-by-another-name"), path)
    other = replace(TINY, seed=2)
    with pytest.raises(
        CheckpointError, match=f"{TINY.digest}, not of 'tiny' with digest {other.digest}; leave"
    ):
        half.check_network(other, path)
    half.check_dataset(data, path, "find it")
    changed = replace(data, digest="0123456789abcdef")
    with pytest.raises(
        CheckpointError, match=f"digest {data.digest}, .* with digest 0123456789abcdef; find it"
    ):
        half.check_dataset(changed, path, "find it")


# The command line in a process of its own: what a user's Ctrl-C does.


def erbium(*words, cwd, **more):
    command = [sys.executable, "-m", "erbium.cli", *map(str, words)]
    return subprocess.Popen(
        command,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **more,
    )


TRAIN = ("train", "tiny", "--images", 250, "--shift", 1, "--evaluate-every", 100, "--backend", "reference")


def interrupted(folder, tmp_path, number, twice=False):
    process = erbium(*TRAIN, "--data", folder, "--checkpoint", "a.npz", cwd=tmp_path)
    # The first evaluation comes before the first image; then it learns.
    assert "learns 250 images" in process.stderr.readline()
    assert "0 images learned" in process.stderr.readline()
    process.send_signal(number)
    if twice:
        process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_the_command_that_it_prints(folder, tmp_path, number, code):
    returncode, out, err = interrupted(folder, tmp_path, number)
    assert returncode == code, err
    assert out == ""
    assert "Traceback" not in err
    last = err.strip().splitlines()[-1]
    assert last.startswith("Stopped after ")
    assert "of 250 images; the checkpoint is a.npz, to carry on: erbium train" in last
    position = Checkpoint.load(tmp_path / "a.npz").position
    assert position < 250
    assert f"Stopped after {position:,} of" in last

    resume = shlex.split(last.split("to carry on: ")[1])
    assert resume[0] == "erbium"
    resumed = erbium(*resume[1:], cwd=tmp_path)
    whole = erbium(*TRAIN, "--data", folder, "--checkpoint", "b.npz", cwd=tmp_path)
    for process in (resumed, whole):
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    mine, other = Checkpoint.load(tmp_path / "a.npz"), Checkpoint.load(tmp_path / "b.npz")
    assert mine.position == 250
    assert [point.position for point in mine.curve] == [0, 100, 200, 250]
    assert_same(mine, other)


def test_a_signal_in_the_middle_of_a_write_to_the_terminal(monkeypatch):
    read, write = os.pipe()

    class Terminal(io.RawIOBase):
        def writable(self):
            return True

        def fileno(self):
            return write

        def write(self, data):
            # The buffer above this file is busy now and takes nothing else.
            signal.raise_signal(signal.SIGTERM)
            return len(data)

    terminal = io.TextIOWrapper(io.BufferedWriter(Terminal()), encoding="utf-8")
    with Interruption() as stop:
        monkeypatch.setattr(sys, "stderr", terminal)
        print("progress", file=sys.stderr, flush=True)
    monkeypatch.undo()
    os.close(write)
    with open(read, encoding="utf-8") as said:
        assert said.read() == "\nStopping after this batch; once more stops at once.\n"
    assert stop.number == signal.SIGTERM


def test_a_second_ctrl_c_leaves_a_good_checkpoint(folder, tmp_path):
    returncode, _, err = interrupted(folder, tmp_path, signal.SIGINT, twice=True)
    assert returncode == 130
    assert "Traceback" not in err
    assert Checkpoint.load(tmp_path / "a.npz").position < 250
    assert os.listdir(tmp_path) == ["a.npz"]
