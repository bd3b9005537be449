# SPDX-License-Identifier: BSD-2-Clause
"""Another device on the line: whatever it says, however often, every wait comes to an end in time."""

from __future__ import annotations

import contextlib
import os
import pty
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from serial.tools import list_ports

from erbium.bench.request import load_named
from erbium.fpga import driver_open
from erbium.fpga.driver import PROBE_SECONDS, BoardArray, Probe, probe
from erbium.fpga.driver_link import STALL_SECONDS
from erbium.fpga.driver_open import Target
from erbium.fpga.driver_protocol import LONGEST_FRAME, FrameSplitter, frame
from erbium.fpga.simulated_port import SimulatedPort
from erbium.fpga.transport import BoardLostError, LineLostError, NoAnswerError, PortError, Transport
from erbium.fpga.transport_serial import WRITE_SECONDS, SerialTransport
from erbium.gen.presets import preset
from erbium.sw_model.constants import sample_seeds
from erbium.verif.model_board import ModelBoard

TINY = preset("tiny").network

Run = Callable[[str], tuple[int, str, str]]

TALKERS = {
    "lines": (b"temperature 21.5 C\r\n", 0.2),
    "bytes": (b"U", 0.005),
    "zeros": (b"\0", 0.05),
    "noise": (bytes(range(1, 256)), 0.001),
    "damaged frames": (b"hello\0", 0.3),
    "frames of another": (frame(bytes([0x81, 0, 1, 2, 3])), 0.05),
}
"""What they say, and how often in seconds."""


class Talker:
    """A line on a clock of its own: a chip, until it is gone after some frames, and somebody else all the time."""

    name = "the line"
    baud_rate = 9_600

    def __init__(self, text: bytes, period: float, frames: int) -> None:
        self.board = ModelBoard(TINY, buffer_bytes=256)
        self.text, self.period, self.frames = text, period, frames
        self.seconds = 0.0
        self.gone_at: float | None = None

    def write(self, data: bytes) -> None:
        self.frames -= 1
        if self.frames < 0:
            self.gone_at = self.seconds if self.gone_at is None else self.gone_at
        else:
            self.board.write(data)

    def read(self, timeout: float) -> bytes:
        assert timeout <= STALL_SECONDS
        if self.gone_at is None and (data := self.board.read(timeout)):
            return data
        if timeout < self.period:
            self.seconds += timeout
            return b""
        self.seconds += self.period
        return self.text

    def now(self) -> float:
        return self.seconds

    def close(self) -> None:
        pass


@pytest.mark.parametrize("name", TALKERS)
def test_the_wait_for_a_chip_ends(name: str) -> None:
    line = Talker(*TALKERS[name], 0)
    with pytest.raises(NoAnswerError, match="what it sends cannot be read, as if it were another device"):
        BoardArray(TINY, line)
    assert line.seconds <= STALL_SECONDS + 1


@pytest.mark.parametrize("name", TALKERS)
def test_the_wait_in_the_middle_of_a_run_ends(name: str) -> None:
    line = Talker(*TALKERS[name], 60)
    board = BoardArray(TINY, line)
    images = np.zeros((500, TINY.n_inputs), dtype=np.uint8)
    with pytest.raises(BoardLostError, match="the line gives no answer") as caught:
        board.run(images, sample_seeds(1, True, 0, 500), np.zeros(500, dtype=np.int64))
    assert 0 < caught.value.n_done < 500
    assert line.gone_at is not None
    assert line.seconds - line.gone_at <= STALL_SECONDS + 1


@pytest.mark.parametrize("name", TALKERS)
def test_a_probe_is_short(name: str) -> None:
    line = Talker(*TALKERS[name], 0)
    assert probe(line) == Probe(heard=True)
    assert line.seconds <= PROBE_SECONDS + 0.5


def test_a_chip_is_heard_between_zeros() -> None:
    """Zeros end no frame that has not begun, and a lost request is repeated in spite of them."""
    line = Talker(b"\0", 0.05, 10**9)
    board = BoardArray(TINY, line)
    images = np.full((20, TINY.n_inputs), 255, dtype=np.uint8)
    assert len(board.run(images, sample_seeds(1, False, 0, 20)).answers) == 20


def test_what_is_kept_of_a_frame_without_end_is_bounded() -> None:
    splitter = FrameSplitter()
    damaged = 0
    for _ in range(100):
        damaged += splitter.feed(b"x" * 5_000).count(None)
        assert len(splitter) <= LONGEST_FRAME
    assert damaged == 100 * 5_000 // (27 * 5_000)


@contextmanager
def device(text: bytes, period: float) -> Iterator[str]:
    """Yield the path of a port at which somebody talks, and reads what comes."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    ended = threading.Event()

    def serve() -> None:
        while not ended.wait(period):
            with contextlib.suppress(OSError):
                os.read(master, 4096)
            with contextlib.suppress(OSError):
                os.write(master, text)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        ended.set()
        thread.join()
        os.close(slave)
        os.close(master)


def test_a_run_where_another_device_talks(run: Run) -> None:
    load_named("tiny")
    with device(*TALKERS["lines"]) as port:
        begin = time.monotonic()
        code, out, err = run(f"run {port} tiny --images 5")
        assert time.monotonic() - begin < 20
    assert (code, out) == (2, "")
    assert err.startswith(
        f"erbium: something else talks on {port}, and no Erbium chip answers at 1,000,000, "
    )
    assert err.count("\n") == 1


def test_a_device_that_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("erbium.fpga.transport_serial.WRITE_SECONDS", 0.2)
    master, slave = pty.openpty()
    tty.setraw(slave)
    line = SerialTransport(os.ttyname(slave))
    with pytest.raises(LineLostError, match=r"is gone .*timeout"):
        line.write(bytes(1_000_000))
    line.close()
    os.close(master)
    os.close(slave)
    assert WRITE_SECONDS < 20


def test_a_host_that_takes_no_replies_is_not_heard_further() -> None:
    """Else what the board answers would be kept without end."""

    class Chatty:
        """Answers each byte with a hundred."""

        pending, quiet, waiting = 0, 10**9, 0

        def write(self, data: bytes) -> None:
            self.waiting += 100 * len(data)

        def step(self, clocks: int) -> bytes:
            data, self.waiting = bytes(self.waiting), 0
            return data

        def close(self) -> None:
            pass

    port = SimulatedPort(Chatty())  # type: ignore[arg-type]
    port.start()
    host = os.open(port.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        with contextlib.suppress(BlockingIOError):
            os.write(host, bytes(1000))
        time.sleep(0.01)
    assert len(port._to_host) <= 4096 + 100 * 4096
    os.close(host)
    port.close()


class Ports:
    """Serial ports of a machine, and who is at them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **lines: Callable[[], Transport]) -> None:
        class Found:
            def __init__(self, device: str) -> None:
                self.device = device

        def open_port(port: str, baud_rate: int) -> Transport:
            return lines[port]()

        monkeypatch.setattr(list_ports, "comports", lambda: [Found(name) for name in lines])
        monkeypatch.setattr(driver_open, "SerialTransport", open_port)


def talking() -> Transport:
    return Talker(*TALKERS["lines"], 0)


def holding(name: str, port: str) -> Callable[[], Transport]:
    def make() -> Transport:
        board = ModelBoard(preset(name).network)
        board.name = port
        return board

    return make


def test_the_port_is_found(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Ports(monkeypatch, a=talking, b=holding("first-spike-tiny", "b"), c=holding("tiny", "c"))
    code, out, _ = run("run auto tiny --images 9 --test-images 2")
    assert code == 0
    assert "tiny (16-12-4" in out
    assert " on c, " in out


def test_no_port_and_none_that_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Target.of("auto")
    Ports(monkeypatch)
    with pytest.raises(PortError, match="there is no serial port to find a board on; plug the board in"):
        driver_open.open_line(target, TINY)
    Ports(monkeypatch, a=talking, b=holding("first-spike-tiny", "b"))
    with pytest.raises(
        NoAnswerError, match=r"no port holds a chip of 'tiny' .a: something else talks there; "
    ) as caught:
        driver_open.open_line(target, TINY)
    assert "the board on b holds 'first-spike-tiny'" in str(caught.value)
    assert "load its bitstream with 'erbium flash BOARD tiny'" in str(caught.value)


def test_two_boards_with_the_same_network(monkeypatch: pytest.MonkeyPatch) -> None:
    Ports(monkeypatch, a=holding("tiny", "a"), b=holding("tiny", "b"))
    with pytest.raises(NoAnswerError, match="2 boards hold 'tiny': a, b; name the port of one"):
        driver_open.open_line(Target.of("auto@9600"), TINY)
