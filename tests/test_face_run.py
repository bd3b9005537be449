# SPDX-License-Identifier: BSD-2-Clause
"""``erbium run`` on the board in Python: it learns, compares, keeps checkpoints, and carries on."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from erbium.bench.request import load_named
from erbium.checkpoint import Checkpoint
from erbium.chip import open_chip
from erbium.fpga import driver_open
from erbium.fpga.driver_open import Target
from erbium.fpga.transport import LineLostError
from erbium.gen.presets import preset
from erbium.limits import Limit
from erbium.sw_model.constants import sample_seeds
from erbium.sw_model.programs import DescriptionError
from erbium.train import Trainer
from erbium.verif.model_board import Fault, ModelBoard

TINY = preset("tiny").network
FIRST_SPIKE = preset("first-spike-tiny").network

Run = Callable[[str], tuple[int, str, str]]


class GoneError(LineLostError):
    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModelBoard], list[tuple[str, int]]]:
    """Put a board at every port; return the ports that are opened, with their baud rates."""
    opened: list[tuple[str, int]] = []

    def plug(board: ModelBoard) -> list[tuple[str, int]]:
        def open_port(port: str, baud_rate: int) -> ModelBoard:
            opened.append((port, baud_rate))
            board.baud_rate = baud_rate
            return board

        monkeypatch.setattr(driver_open, "SerialTransport", open_port)
        return opened

    return plug


def weights_of_the_model(checkpoint: Checkpoint) -> list[Any]:
    """Return what the model has after the same run."""
    with open_chip(checkpoint.network) as chip:
        trainer = Trainer(chip, load_named(checkpoint.network.name), checkpoint.plan)
        for _ in trainer.run(until=checkpoint.position):
            pass
        # The board may have gone away in the evaluation that is due here.
        if checkpoint.curve and checkpoint.curve[-1].position == checkpoint.position:
            assert trainer.counters == checkpoint.counters
            assert trainer.curve == list(checkpoint.curve)
        return chip.weights


def check_against_the_model(path: str, position: int) -> None:
    saved = Checkpoint.load(Path(path))
    assert saved.position == position
    for got, expected in zip(saved.weights, weights_of_the_model(saved), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("network", [TINY, FIRST_SPIKE], ids=["erbp", "first-spike"])
def test_a_run_beside_the_model(run: Run, plug: Any, network: Any) -> None:
    opened = plug(ModelBoard(network, buffer_bytes=256))
    code, out, err = run(f"run COM7@9600 {network.name} --images 60 --test-images 20 --compare")
    assert (code, err) == (0, "")
    assert opened == [("COM7", 9600)]
    assert "bit-exact: " in out
    assert "beside the model" in out
    assert " % of 20 test images, inferred on the board" in " ".join(out.split())
    assert "retries 0 frames sent again" in " ".join(out.split())
    octets = {"tiny": r"\d\d\.\d", "first-spike-tiny": r"17\.0"}[network.name]
    line = rf"over the line: an image takes {octets} bytes, of which 9,600 baud carry \d\d images/s; the board counts"
    assert re.findall(rf"^(\w+) {line} no clocks", out, re.MULTILINE) == ["Learning", "Testing"]
    check_against_the_model(f"{network.name}.npz", 60)


def test_the_slower_of_line_and_array_limits() -> None:
    counted = {"line_bytes": 2_000, "cycles": 80_000}
    limit = Limit.of(counted, 10, 1_000_000, 80_000_000)
    assert limit == Limit(200.0, 500.0, 10_000.0)
    assert limit.sentence("Learning", 1_000_000, 80_000_000) == (
        "Learning is limited by the line: an image takes 200.0 bytes, of which 1,000,000 baud carry 500 images/s, and "
        "the array does 10,000 images/s at 80 MHz."
    )
    slow = Limit.of(counted | {"cycles": 8_000_000}, 10, 1_000_000, 80_000_000)
    assert slow is not None
    assert (slow.array_images_per_second, slow.limited_by) == (100.0, "array")
    assert Limit.of({"line_bytes": 0, "cycles": 7}, 0, 1_000_000, 80_000_000) is None
    uncounted = Limit.of({"line_bytes": 5}, 1, 1_000_000, 80_000_000)
    assert uncounted is not None
    assert uncounted.facts()["limited_by"] is None


def test_a_difference_is_found(run: Run, plug: Any) -> None:
    (wrong_seed,) = sample_seeds(TINY.seed, True, 30, 1)

    class Wrong(ModelBoard):
        def _process(self) -> None:
            is_it = self._samples[0][-1] == wrong_seed
            super()._process()
            if is_it:
                weights = self.array.weights
                weights[1][2, 3] += 1
                self.array.load(weights)

    plug(Wrong(TINY))
    code, out, _ = run("run COM7@9600 tiny --images 60 --compare")
    assert code == 1
    assert "NOT bit-exact" in out
    assert f"first difference: sample 30 (seed {wrong_seed:#010x}): layer 2, row 2, neuron 3" in out


def test_a_bad_line_costs_time_and_nothing_else(run: Run, plug: Any) -> None:
    faults = dict.fromkeys(range(3, 500, 7), Fault.DAMAGE)
    plug(ModelBoard(TINY, faults=faults, reply_faults=faults))
    code, out, _ = run("run COM7@9600 tiny --images 60 --test-images 5 --no-compare")
    assert code == 0
    assert "retries 0" not in " ".join(out.split())
    check_against_the_model("tiny.npz", 60)


def test_a_board_that_goes_away_in_the_middle(run: Run, plug: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("erbium.board_run.SAVE_SECONDS", 0.0)
    monkeypatch.setattr("erbium.board_run.SAVE_SHARE", 0)
    plug(ModelBoard(TINY, vanish_after=350, gone=GoneError))
    code, _, err = run("run COM7@9600 tiny --images 200 --test-images 5 --wait 1")
    assert code == 2
    assert "erbium: the board was unplugged; " in err
    held = Checkpoint.load(Path("tiny.npz")).position
    assert 0 < held < 200
    assert f"tiny.npz holds the run after {held} images, to carry on: erbium run COM7@9600 tiny" in err
    check_against_the_model("tiny.npz", held)
    plug(ModelBoard(TINY))
    code, out, _ = run(err.split("to carry on: erbium ")[1])
    assert code == 0
    assert f"carries on at {held} of 200 images" in out
    check_against_the_model("tiny.npz", 200)


def test_ctrl_c_leaves_a_checkpoint(run: Run, plug: Any) -> None:
    class Interrupted(ModelBoard):
        def _process(self) -> None:
            super()._process()
            if self.array.counters()["samples"] == 150:
                os.kill(os.getpid(), signal.SIGINT)

    plug(Interrupted(TINY))
    code, _, err = run("run COM7@9600 tiny --images 200 --test-images 5")
    assert code == 130
    held = Checkpoint.load(Path("tiny.npz")).position
    assert f"Stopped after {held} of 200 images; tiny.npz holds the run after {held} images" in err
    check_against_the_model("tiny.npz", held)
    plug(ModelBoard(TINY))
    code, _, _ = run("run COM7@9600 tiny --resume --test-images 5 --compare")
    assert code == 0
    check_against_the_model("tiny.npz", 200)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("COM7 tiny --images 5 --epochs 1", "--images 5 and --epochs 1 both set the length"),
        ("COM7 tiny --resume --images 5", "the checkpoint decides length and seed of a resumed run"),
        ("COM7 tiny --images 0", "--images is 0; it must be from 1"),
        ("COM7 tiny --test-images 999999", "--test-images is 999999; it must be from 0 to"),
        ("COM7 nothing", "there is no preset 'nothing'"),
        ("sim:toaster tiny", "there is no board 'toaster'; there are ulx3s-85f"),
        ("@9600 tiny", "the name of the port is empty"),
        ("COM7 tiny --checkpoint nowhere/x.npz", "nowhere: no such folder"),
        ("COM7 tiny --resume", "tiny.npz: no such file"),
        ("/dev/ttyNONE tiny", "there is no port /dev/ttyNONE"),
    ],
)
def test_a_mistake_is_one_sentence(run: Run, words: str, text: str) -> None:
    code, out, err = run(f"run {words}")
    assert (code, out) == (2, "")
    assert err.startswith("erbium: ")
    assert text in err
    assert err.count("\n") == 1


def test_a_checkpoint_is_not_overwritten(run: Run, plug: Any) -> None:
    plug(ModelBoard(TINY))
    for flag, expected in (("", 0), ("", 2), ("--overwrite", 0)):
        code, _, err = run(f"run COM7@9600 tiny --images 9 --test-images 0 {flag}")
        assert code == expected
        assert ("tiny.npz is there already; add --resume" in err) == (expected == 2)


def test_targets() -> None:
    assert Target.of("/dev/ttyUSB0") == Target("/dev/ttyUSB0", False)
    assert Target.of("/dev/ttyUSB0@3000000") == Target("/dev/ttyUSB0", False, 3_000_000)
    assert Target.of("rfc2217://me@host:4000") == Target("rfc2217://me@host:4000", False)
    assert Target.of("sim:icebreaker") == Target("icebreaker", True)
    with pytest.raises(DescriptionError, match="the name of the port is empty"):
        Target.of("")


def test_the_baud_rate_is_found(run: Run, plug: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    board = ModelBoard(TINY)

    class Deaf(ModelBoard):
        def write(self, data: bytes) -> None:
            pass

    tried = []

    def open_port(port: str, baud_rate: int) -> ModelBoard:
        tried.append(baud_rate)
        return board if baud_rate == 3_000_000 else Deaf(TINY)

    monkeypatch.setattr(driver_open, "SerialTransport", open_port)
    assert driver_open.open_line(Target("COM7", False), TINY) is board
    assert tried == [1_000_000, 2_000_000, 3_000_000]
    plug(Deaf(TINY))
    code, _, err = run("run COM7 tiny")
    assert code == 2
    assert (
        "nothing on COM7 answers at 1,000,000, 2,000,000, 3,000,000, 4,000,000 baud; check the cable" in err
    )


def test_the_other_commands_take_a_board(run: Run, plug: Any) -> None:
    plug(ModelBoard(TINY))
    images = load_named("tiny").test.images[:20]
    with open_chip(TINY, "board:COM7@9600") as chip, open_chip(TINY) as model:
        assert chip.backend == "board"
        np.testing.assert_array_equal(chip.infer(images).answers, model.infer(images).answers)
