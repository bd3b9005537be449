# SPDX-License-Identifier: BSD-2-Clause
"""The chip of a bitstream behind its serial line: it learns over UART bits, and every integer is the model's."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from erbium.bench.request import load_named
from erbium.checkpoint import Checkpoint, CheckpointError
from erbium.chip import open_chip
from erbium.fpga.driver import BoardArray
from erbium.fpga.simulated import longest_silence, simulated_board
from erbium.fpga.simulated_port import SimulatedPort
from erbium.fpga.transport import BoardLostError, BoardMismatchError
from erbium.fpga.transport_serial import SerialTransport
from erbium.gen.presets import preset
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.constants import sample_seeds
from erbium.sw_model.network import Hardware, Network
from erbium.train import Trainer
from erbium.verif.equality import assert_same_results, assert_same_state

pytestmark = [pytest.mark.verilator, pytest.mark.slow]

BOARD = "ulx3s-85f"
TINY = preset("tiny").network
FIRST_SPIKE = preset("first-spike-tiny").network
DATA = load_named("tiny")


def work(board: BoardArray, network: Network, n_learn: int = 60) -> None:
    """Learn and infer on the board and on the model, and compare everything."""
    model = ArrayModel(network)
    assert_same_state(board, model)
    for number, factor in enumerate((1.0, 0.3)):
        rates = network.scaled_rates(factor)
        board.set_rates(rates)
        model.set_rates(rates)
        images, labels = DATA.train.images[:n_learn], DATA.train.labels[:n_learn]
        seeds = sample_seeds(network.seed, True, number * n_learn, n_learn)
        assert_same_results(board.run(images, seeds, labels), model.run(images, seeds, labels))
        assert_same_state(board, model)
        board.decide_after = model.prediction.decide_after = 1
        assert_same_results(
            board.run(images[:20], seeds[:20], n_ticks=3), model.run(images[:20], seeds[:20], n_ticks=3)
        )
        board.decide_after = model.prediction.decide_after = network.decide_after
    assert_same_state(board, model)


@pytest.mark.parametrize("network", [TINY, FIRST_SPIKE], ids=["erbp", "first-spike"])
def test_learning_over_the_bits_of_a_serial_line(network: Network) -> None:
    line = simulated_board(BOARD, network)
    for _ in range(2):
        # The second time on a chip that has learned before: it starts like a new one.
        board = BoardArray(network, line)
        work(board, network)
        assert board.retries == 0
        assert board.performance()["cycles"] > 0
    board.close()


def test_noise_on_the_line_changes_nothing() -> None:
    line = simulated_board(BOARD, TINY)

    class Noisy:
        """Damages a frame of the host, and a reply, now and then."""

        name = "the noisy line"
        baud_rate = 9_600

        def __init__(self) -> None:
            self.count = 0

        def read(self, timeout: float) -> bytes:
            return self._spoiled(line.read(timeout))

        def write(self, data: bytes) -> None:
            line.write(self._spoiled(data))

        def now(self) -> float:
            return line.now()

        def close(self) -> None:
            line.close()

        def _spoiled(self, data: bytes) -> bytes:
            self.count += 1
            if self.count % 37 or len(data) < 3:
                return data
            return b"" if self.count % 3 == 0 else data[:1] + bytes([data[1] ^ 0x41]) + data[2:]

    board = BoardArray(TINY, Noisy())
    work(board, TINY)
    assert board.retries > 0
    board.close()


def test_another_network_is_refused() -> None:
    line = simulated_board(BOARD, TINY)
    with pytest.raises(
        BoardMismatchError, match=r"holds 'tiny' .* and 'first-spike-tiny' has digest .*; run 'tiny'"
    ):
        BoardArray(FIRST_SPIKE, line)


def test_a_pseudo_terminal_is_a_serial_port() -> None:
    port = SimulatedPort(simulated_board(BOARD, TINY))
    port.start()
    board = BoardArray(TINY, SerialTransport(port.path))
    work(board, TINY)
    images = DATA.train.images[:50]
    port.close()
    with pytest.raises(BoardLostError, match=f"{port.path} is gone .*; .* samples of the last batch"):
        board.run(images, sample_seeds(1, False, 0, 50))
    board.close()


@contextmanager
def simulator(name: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run ``erbium simulate``; yield the process and the path of its port."""
    command = [sys.executable, "-m", "erbium.cli", "simulate", BOARD, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.terminate()


def kill_after(process: subprocess.Popen[str], path: Path, position: int) -> None:
    """Kill the simulated board as soon as a checkpoint holds so many images."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with suppress(OSError, CheckpointError):
            if Checkpoint.load(path).position >= position:
                break
        time.sleep(0.02)
    process.kill()


def test_a_board_that_dies_in_the_middle_of_a_run(
    run: Callable[[str], tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("erbium.board_run.SAVE_SECONDS", 0.0)
    monkeypatch.setattr("erbium.board_run.SAVE_SHARE", 0)
    path = Path("run.npz")
    with simulator("tiny") as (process, port):
        killer = threading.Thread(target=kill_after, args=(process, path, 100))
        killer.start()
        code, _, err = run(f"run {port} tiny --images 400 --checkpoint {path} --test-images 20 --wait 0.5")
        killer.join()
        assert code == 2
        assert f"erbium: {port} is gone" in err
        assert "; it did not come back in 0.5 s: " in err
    held = Checkpoint.load(path).position
    assert 100 <= held < 400
    assert f"run.npz holds the run after {held:,} images, to carry on: erbium run {port} tiny" in err
    with simulator("tiny") as (_, port):
        code, out, _ = run(f"run {port} tiny --checkpoint {path} --resume --test-images 20 --compare")
        assert code == 0
        assert f"carries on at {held:,} of 400 images" in out
        assert "bit-exact: " in out
    saved = Checkpoint.load(path)
    with open_chip(TINY) as chip:
        trainer = Trainer(chip, DATA, saved.plan)
        for _ in trainer.run():
            pass
        for got, expected in zip(saved.weights, chip.weights, strict=True):
            np.testing.assert_array_equal(got, expected)
        assert (saved.counters, saved.curve) == (trainer.counters, tuple(trainer.curve))


@pytest.mark.parametrize("network", ["tiny", "first-spike-tiny"])
def test_a_run_on_a_simulated_board(run: Callable[[str], tuple[int, str, str]], network: str) -> None:
    code, out, err = run(f"run sim:{BOARD} {network} --images 100 --test-images 30")
    assert code == 0
    # What is compiled, unless the cache has it.
    assert all(line.startswith("Compiling the ") for line in err.splitlines())
    assert "learned per second by the simulation; a board is much faster" in " ".join(out.split())
    assert "on the simulated ULX3S 85F, " in out
    assert "bit-exact: " in out
    assert "retries 0 frames sent again" in " ".join(out.split())
    limits = re.findall(
        r"^(\w+) is limited by the (line|array): an image takes [\d.]+ bytes, of which", out, re.MULTILINE
    )
    assert [work for work, _ in limits] == ["Learning", "Testing"]


def test_the_bench(run: Callable[[str], tuple[int, str, str]]) -> None:
    only = "board-link/first-spike-tiny/differing"
    code, out, _ = run(f"bench board-link --quick --jobs 1 --only {only}")
    assert code == 0
    assert out.count("exactly 0") == 2


def test_silence_is_longer_than_any_sample() -> None:
    network = preset("erbp-mnist-200").network
    assert longest_silence(TINY, Hardware(), 75_000_000) == 4_500_000
    assert longest_silence(network, Hardware(lanes=1), 12_000_000) == 4 * 32 * (785 * 200 + 201 * 10)
