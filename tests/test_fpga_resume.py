# SPDX-License-Identifier: BSD-2-Clause
"""Boards that are reset, lost or killed while they learn: they are brought back to where they stood."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from erbium.bench.request import load_named
from erbium.fpga import driver_resume
from erbium.fpga.driver import BoardArray
from erbium.fpga.driver_resume import ResumingBoard
from erbium.fpga.transport import BoardLostError, LineLostError, LinkError
from erbium.gen.presets import preset
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.constants import sample_seeds
from erbium.verif.equality import assert_same_results, assert_same_state
from erbium.verif.model_board import ModelBoard

TINY = preset("tiny").network
DATA = load_named("tiny").train


def batch(first: int, count: int) -> tuple[Any, Any, Any]:
    """Return images, seeds and labels."""
    here = slice(first, first + count)
    return DATA.images[here], sample_seeds(TINY.seed, True, first, count), DATA.labels[here]


class GoneError(LineLostError):
    """The line is gone, as the driver knows it."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)


class Boards:
    """Boards one after the other: each goes away after so many frames of the host; the last one stays."""

    def __init__(self, *frames: int) -> None:
        self.lines = [ModelBoard(TINY, vanish_after=after, gone=GoneError) for after in frames]
        self.lines += [ModelBoard(TINY)]
        self.opened = 0

    def open(self) -> BoardArray:
        self.opened += 1
        return BoardArray(TINY, self.lines[min(self.opened, len(self.lines)) - 1])


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_resume, "PIECE", 4)
    monkeypatch.setattr(driver_resume, "_PAUSE", 0.0)


def work(board: ResumingBoard) -> None:
    """Learn at two rates, infer, load and learn again, beside the model."""
    model = ArrayModel(TINY)
    for number in range(4):
        rates = TINY.scaled_rates((1.0, 0.3)[number % 2])
        board.set_rates(rates)
        model.set_rates(rates)
        images, seeds, labels = batch(10 * number, 10)
        assert_same_results(board.run(images, seeds, labels), model.run(images, seeds, labels))
        board.decide_after = model.prediction.decide_after = 1
        assert_same_results(board.run(images, seeds, n_ticks=3), model.run(images, seeds, n_ticks=3))
        board.decide_after = model.prediction.decide_after = TINY.decide_after
        if number == 1:
            assert_same_state(board, model)
            board.load([values[::-1] for values in board.weights])
            model.load([values[::-1] for values in model.weights])
    assert_same_state(board, model)


@pytest.mark.parametrize("after", [12, 39, 77, 110])
def test_a_board_that_goes_away_at_any_time(after: int) -> None:
    boards = Boards(after, after + 40)
    board = ResumingBoard(boards.open, wait=5.0)
    work(board)
    assert board.resumed == boards.opened - 1 > 0


def test_weights_are_read_back_so_that_little_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # By the number of samples, and not by how long reading takes on this machine.
    monkeypatch.setattr(driver_resume, "READ_SHARE", 1 << 40)
    board = ResumingBoard(Boards(100).open, wait=5.0, most_samples=8)
    work(board)
    assert board.resumed == 1
    assert 0 < board.redone <= 8


def test_a_board_that_does_not_come_back_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        now, slept = 0.0, 0.0

        def monotonic(self) -> float:
            return self.now

        def sleep(self, seconds: float) -> None:
            self.now += 0.25
            self.slept += 0.25

    clock, boards = Clock(), Boards(60)
    monkeypatch.setattr(driver_resume, "time", clock)

    def open_once() -> BoardArray:
        if boards.opened:
            raise LineLostError("the line to COM7 is gone")
        return boards.open()

    board = ResumingBoard(open_once, wait=10.0)
    with pytest.raises(BoardLostError, match="it did not come back in 10 s: the line to COM7 is gone"):
        work(board)
    assert 10.0 <= clock.slept <= 10.5


def test_a_reset_in_the_middle_of_the_first_sample_is_noticed() -> None:
    class Reset(ModelBoard):
        """Is reset when the first sample to learn has arrived, which it learns in part: then it is sent again."""

        pressed = False

        def read(self, timeout: float) -> bytes:
            if not self.pressed and any(label is not None for _, _, label, _, _ in self._samples):
                self.pressed = True
                weights = self.array.weights
                weights[0][0, 0] ^= 1
                self.array.load(weights)
                self.reset()
            return super().read(timeout)

    with pytest.raises(BoardLostError, match="the board was reset or somebody else talked to it"):
        BoardArray(TINY, Reset(TINY)).run(*batch(0, 3))
    line = Reset(TINY)
    board = ResumingBoard(lambda: BoardArray(TINY, line), wait=5.0)
    work(board)
    assert (line.pressed, board.resumed) == (True, 1)


def test_a_board_that_does_not_come_back() -> None:
    boards = Boards(60)
    boards.lines[-1] = ModelBoard(TINY, vanish_after=0, gone=GoneError)
    board = ResumingBoard(boards.open, wait=0.05)
    with pytest.raises(BoardLostError, match=r"unplugged.*; it did not come back in 0\.05 s: "):
        work(board)


def test_without_a_wait_a_loss_is_final() -> None:
    boards = Boards(60)
    with pytest.raises(BoardLostError, match="unplugged"):
        work(ResumingBoard(boards.open, wait=0))
    assert boards.opened == 1


def test_a_board_that_is_lost_again_and_again() -> None:
    boards = Boards(*[40] * 20)
    with pytest.raises(BoardLostError, match="unplugged"):
        work(ResumingBoard(boards.open, wait=5.0))
    assert boards.opened <= 3 * driver_resume.LOSSES


def test_answers_that_change_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    # Else a slow machine reads the weights back just before, and there is nothing to do again.
    monkeypatch.setattr(driver_resume, "READ_SHARE", 1 << 40)
    boards = Boards(60)
    broken = boards.lines[1]

    def wrong(*arguments: Any, **more: Any) -> Any:
        results = run(*arguments, **more)
        results.answers[:] = (results.answers + 1) % TINY.n_classes
        return results

    run, broken.array.run = broken.array.run, wrong  # type: ignore[method-assign]
    broken.reset = lambda: None  # type: ignore[method-assign]
    with pytest.raises(LinkError, match="answers samples that it does again otherwise than before"):
        work(ResumingBoard(boards.open, wait=5.0))


@pytest.mark.verilator
@pytest.mark.slow
def test_the_bench(run: Callable[[str], tuple[int, str, str]]) -> None:
    code, out, _ = run("bench service --quick --jobs 1 --only service/tiny-reset --only service/tiny-killed")
    assert code == 0
    assert out.count("exactly 0") == 2


@pytest.mark.verilator
@pytest.mark.slow
def test_the_bench_finds_a_host_that_forgets(
    run: Callable[[str], tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgets(self: ResumingBoard) -> None:
        self._since = []
        catch_up(self)

    catch_up = ResumingBoard._catch_up
    monkeypatch.setattr(ResumingBoard, "_catch_up", forgets)
    code, out, _ = run("bench service --quick --jobs 1 --only service/tiny-killed")
    assert code == 1
    assert "service/tiny-killed/differing-integers misses its target" in out
