# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the frames; the models are the library ``cobs`` and :func:`zlib.crc32`."""

from __future__ import annotations

import zlib
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import cocotb
from cobs import cobs

from erbium.hdl.cobs import MessageByte
from erbium.hdl.frame import FrameOutcome, FrameStatus
from erbium.verif.benches.cobs import PACES, decoded, marked, messages
from erbium.verif.codecs import Packer
from erbium.verif.registry import current
from erbium.verif.scoreboard import MismatchError, expect_equal, repeat_hint
from erbium.verif.streams import PATIENCE, STALLS, Harness

PACE = 5
"""Clocks per byte."""

Outcome = tuple[str, bytes]
"""Status of a frame and its message, which is empty unless it was verified."""


def with_crc(message: bytes) -> bytes:
    """Return a message and its CRC."""
    return message + zlib.crc32(message).to_bytes(4, "little")


def frame_of(message: bytes) -> bytes:
    """Return the bytes on the line."""
    return bytes(cobs.encode(with_crc(message))) + b"\0"


class Model:
    """What is said of the frames in a sequence of bytes."""

    def __init__(self, max_length: int) -> None:
        self._max_length = max_length
        self._pending = b""

    def feed(self, line: bytes) -> list[Outcome]:
        """Return the outcomes of the frames that end in these bytes."""
        *ended, self._pending = (self._pending + line).split(b"\0")
        return [self._outcome(frame) for frame in ended if frame]

    def silence(self) -> list[Outcome]:
        """Return the outcome if the line falls silent."""
        outcomes = [("TIMED_OUT", b"")] if self._pending else []
        self._pending = b""
        return outcomes

    def _outcome(self, frame: bytes) -> Outcome:
        found, whole = decoded(frame)
        message = found[:-4]
        if len(found) > self._max_length + 4:
            return ("TOO_LONG", b"")
        if not whole:
            return ("MALFORMED", b"")
        if not message:
            return ("TOO_SHORT", b"")
        return ("VERIFIED", message) if with_crc(message) == found else ("DAMAGED", b"")


class Receiver:
    """A line into a receiver, and a reader of its messages."""

    def __init__(self, dut: Any, stall: str, taken: str | None = None) -> None:
        options = current().options
        self.max_length: int = options["max_length"]
        self.timeout: int = options["timeout"]
        self.harness = Harness(dut, stall)
        self.random = self.harness.random
        self.harness.set(skip=0, outcome_o_ready=0)
        self.input = self.harness.drive("byte_i")
        self.harness.stall = stall if taken is None else taken
        self.bytes: list[tuple[int, int]] = []
        byte = Packer(MessageByte())
        self._monitor = self.harness.monitor(
            "message_o",
            lambda bits: self.bytes.append((byte.unpack(bits)["byte"], byte.unpack(bits)["last"])),
        )
        self._packer = Packer(FrameOutcome(self.max_length))
        self.model = Model(self.max_length)
        self.expected: deque[Outcome] = deque()
        self.statuses: list[str] = []
        self._plan: int | None = None
        self._ready = self._eager = False
        self.reads = True

    def send(self, line: bytes) -> None:
        """Send bytes."""
        self.input.send(*line)
        self.expected.extend(self.model.feed(line))

    async def clock(self) -> bool:
        """Do a clock; read the message that is offered, all of it or a part, and take the outcome."""
        await self.harness.edge()
        self.harness.set(outcome_o_ready=int(self._ready))
        moved = await self.harness.settle()
        if not self.harness.get("outcome_o_valid"):
            expect_equal("bytes without an outcome", [], self.bytes)
            self._ready = self.reads and self._eager
            return moved
        number = len(self.statuses)
        got = self._packer.unpack(self.harness.get("outcome_o_payload"))
        status, message = self.expected[0] if self.expected else ("nothing more", b"")
        expect_equal("status", status, FrameStatus(got["status"]).name, frame=number)
        expect_equal("length", len(message), got["length"], frame=number)
        if self._ready:
            # A byte that passes in this clock is the last one that can.
            whole = [(byte, int(place == len(message) - 1)) for place, byte in enumerate(message)]
            expect_equal("message", whole[: len(self.bytes)], self.bytes, frame=number)
            self.statuses.append(status)
            self.expected.popleft()
            self.bytes.clear()
            self._monitor.clear()
            self._plan = None
            # Some outcomes are taken in their first clock.
            self._ready = self._eager = self.reads and self.random.random() < 0.15
            return True
        if self._plan is None:
            partly = self.random.random() < 0.15
            self._plan = self.random.randrange(len(message) + 1) if partly else len(message)
        self._ready = self.reads and len(self.bytes) >= self._plan and self.random.random() < 0.5
        return moved

    async def until(self, condition: Callable[[], bool]) -> None:
        """Do clocks until the condition holds."""
        still = 0
        while not condition():
            still = 0 if await self.clock() else still + 1
            if still > PATIENCE:
                raise MismatchError(f"no token passed for {PATIENCE} clocks\n{repeat_hint()}")

    async def silence(self) -> None:
        """Send everything, and nothing for long enough."""
        await self.until(lambda: not self.input.left)
        self.expected.extend(self.model.silence())
        for _ in range(self.timeout + 2):
            await self.clock()

    async def finish(self) -> None:
        """Read everything."""
        await self.until(lambda: not self.input.left and not self.expected)
        for _ in range(60):
            await self.clock()

    def message(self) -> bytes:
        """Return a message that fits."""
        length = self.random.choice((1, self.max_length, self.random.randint(1, self.max_length)))
        zeros = self.random.choice((0.0, 0.02, 0.5, 1.0))
        return bytes(
            0 if self.random.random() < zeros else self.random.randrange(1, 256) for _ in range(length)
        )

    def damaged(self, frame: bytes) -> bytes:
        """Return a frame to which something has happened on its way."""
        line = bytearray(frame)
        kind = self.random.choice(("flip", "flips", "drop", "insert", "cut", "burst", "swap"))
        place = self.random.randrange(len(line))
        if kind == "flip":
            line[place] ^= 1 << self.random.randrange(8)
        elif kind == "flips":
            for _ in range(self.random.randint(2, 9)):
                line[self.random.randrange(len(line))] ^= 1 << self.random.randrange(8)
        elif kind == "drop":
            del line[place]
        elif kind == "insert":
            line.insert(place, self.random.choice((0, line[place], self.random.randrange(256))))
        elif kind == "cut":
            line[place:] = b"\0"
        elif kind == "burst":
            line[place : place + 3] = self.random.randbytes(3)
        else:
            line[place:] = line[place:-1][::-1] + b"\0"
        return bytes(line)

    def wrong(self) -> bytes:
        """Return a frame that was sent wrong."""
        message = self.message()
        beyond = self.random.choice((1, 2, 3, 4, 5, 300)) + self.max_length
        return self.random.choice(
            (
                frame_of(self.random.randbytes(beyond)),
                frame_of(b"\0" * beyond),
                frame_of(self.random.randbytes(beyond))[:-2] + b"\0",
                cobs.encode(self.random.randbytes(self.random.randrange(5))) + b"\0",
                frame_of(b""),
                cobs.encode(message + zlib.crc32(message).to_bytes(4, "big")) + b"\0",
                cobs.encode(message + b"\0\0\0\0") + b"\0",
                b"\0" * self.random.randint(1, 40),
                self.random.randbytes(self.random.randint(1, 40)),
            )
        )


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def received(dut: Any, stall: str) -> None:
    """Good frames among damaged, wrong and unfinished ones (receiver only)."""
    if hasattr(dut, "message_i_valid"):
        return
    tb = Receiver(dut, stall)
    await tb.harness.reset()
    n_frames = max(20, 2000 // (tb.max_length + 20))
    for _ in range(n_frames):
        frame, kind = frame_of(tb.message()), tb.random.random()
        if kind < 0.45:
            tb.send(frame)
        elif kind < 0.7:
            tb.send(tb.damaged(frame))
        elif kind < 0.95:
            tb.send(tb.wrong())
        else:
            tb.send(frame[: tb.random.randrange(len(frame))])
            await tb.silence()
    # Whatever was left unfinished is ended; the next good frame works.
    tb.send(b"\0" + frame_of(b"!"))
    await tb.finish()
    expect_equal("the last frame", "VERIFIED", tb.statuses[-1])
    tb.harness.log(f"statuses {Counter(tb.statuses)}")


@cocotb.test()
async def every_status(dut: Any) -> None:
    """Each status, and a good frame behind each (receiver only)."""
    if hasattr(dut, "message_i_valid"):
        return
    tb = Receiver(dut, "0")
    await tb.harness.reset()
    message = tb.message()
    frame = frame_of(message)
    mistaken = bytes([message[0] ^ 0x10]) + message[1:]
    for line in (
        frame[:-2] + b"\0",
        cobs.encode(mistaken + with_crc(message)[-4:]) + b"\0",
        frame_of(bytes(tb.max_length + 1)),
        frame_of(b""),
        frame[:-1],
    ):
        tb.send(line)
        if line[-1]:
            await tb.silence()
        tb.send(frame)
    await tb.finish()
    wrong = ["MALFORMED", "DAMAGED", "TOO_LONG", "TOO_SHORT", "TIMED_OUT"]
    expect_equal("statuses", [name for status in wrong for name in (status, "VERIFIED")], tb.statuses)


@cocotb.test()
async def flipped_bits(dut: Any) -> None:
    """One frame with each of its bits flipped in turn: none is taken for a message (receiver only)."""
    if hasattr(dut, "message_i_valid"):
        return
    tb = Receiver(dut, "0")
    await tb.harness.reset()
    message = bytes(tb.random.randrange(256) for _ in range(min(tb.max_length, 20)))
    frame = frame_of(message)
    for bit in range(8 * (len(frame) - 1)):
        line = bytearray(frame)
        line[bit >> 3] ^= 1 << (bit & 7)
        tb.send(bytes(line))
    await tb.finish()
    expect_equal("messages", 0, tb.statuses.count("VERIFIED"))


@cocotb.test()
async def time_out(dut: Any) -> None:
    """The last clock in which the next byte may come (receiver only)."""
    if hasattr(dut, "message_i_valid"):
        return
    tb = Receiver(dut, "0")
    await tb.harness.reset()
    tb.reads = False
    frame = frame_of(b"\x05")
    for silent in (tb.timeout - 1, tb.timeout):
        tb.input.send(*frame[:3])
        await tb.until(lambda: not tb.input.left)
        tb.harness.set(outcome_o_ready=0)
        await tb.harness.run_for(silent)
        expect_equal("outcome_o_valid", 0, tb.harness.get("outcome_o_valid"), silent=silent)
        tb.input.send(*frame[3:])
        if silent < tb.timeout:
            tb.expected.append(("VERIFIED", b"\x05"))
        else:
            # The rest is a frame of its own.
            tb.expected.extend([("TIMED_OUT", b""), *Model(tb.max_length).feed(frame[3:])])
        tb.reads = True
        await tb.finish()
        tb.reads = False
    # The line may rest for as long as it likes between frames.
    await tb.harness.run_for(3 * tb.timeout)
    expect_equal("outcome_o_valid", 0, tb.harness.get("outcome_o_valid"))


@cocotb.test()
async def two_buffers(dut: Any) -> None:
    """While one message waits the next one is received up to its end; the third one waits (receiver only)."""
    if hasattr(dut, "message_i_valid"):
        return
    tb = Receiver(dut, "0")
    await tb.harness.reset()
    for _ in range(3):
        tb.reads = False
        frames = [frame_of(tb.message()) for _ in range(3)]
        for frame in frames:
            tb.send(frame)
        for _ in range(PACE * sum(map(len, frames)) + 2 * tb.timeout):
            await tb.clock()
        # The message of the first frame was read, but its outcome was not taken.
        expect_equal("bytes that wait", 1 + len(frames[2]), tb.input.left)
        tb.reads = True
        await tb.finish()


@cocotb.test()
async def slow_reader(dut: Any) -> None:
    """Long messages that come in faster than they are read wait for room (receiver only)."""
    if hasattr(dut, "message_i_valid"):
        return
    tb = Receiver(dut, "0", "0.98")
    await tb.harness.reset()
    for _ in range(4):
        tb.send(frame_of(tb.random.randbytes(tb.max_length)))
    await tb.finish()


@cocotb.test()
async def measured(dut: Any) -> None:
    """The length of a message, byte by byte, before it is read (receiver only)."""
    if hasattr(dut, "message_i_valid"):
        return
    harness = Harness(dut)
    source = harness.drive("byte_i")
    harness.set(skip=0, outcome_o_ready=0, message_o_ready=0)
    await harness.reset()
    max_length = current().options["max_length"]
    for length in (1, max_length // 2 + 1, max_length):
        message = harness.random.randbytes(length)
        source.send(*frame_of(message))
        await harness.run_until(lambda: bool(harness.get("message_o_valid")))
        for place in range(length):
            byte, last = message[0], int(place == length - 1)
            expect_equal("byte", byte | last << 8, harness.get("message_o_payload"), place=place)
            harness.set(skip=1 - last)
            await harness.run_for(1)
        found: list[int] = []
        harness.set(message_o_ready=1)
        while len(found) < length:
            if harness.get("message_o_valid"):
                found.append(harness.get("message_o_payload") & 0xFF)
            await harness.run_for(1)
        expect_equal("message", list(message), found)
        harness.set(outcome_o_ready=1, message_o_ready=0)
        await harness.run_for(1)
        harness.set(outcome_o_ready=0)


@cocotb.test()
async def reset(dut: Any) -> None:
    """A reset forgets frames, received or not (receiver only)."""
    if hasattr(dut, "message_i_valid"):
        return
    tb = Receiver(dut, "0")
    await tb.harness.reset()
    tb.harness.set(outcome_o_ready=0)
    for whole in range(3):
        tb.input.send(*frame_of(tb.message()) * whole, *frame_of(tb.message())[:4])
        await tb.harness.run_for((tb.max_length + 10) * (whole + 1))
        tb.harness.clear()
        tb.bytes.clear()
        await tb.harness.reset()
        tb.send(frame_of(tb.message()))
        await tb.finish()


@cocotb.test()
async def pace(dut: Any) -> None:
    """One byte per 5 clocks in, and one out at the same time (receiver only)."""
    if hasattr(dut, "message_i_valid"):
        return
    tb = Receiver(dut, "0")
    await tb.harness.reset()
    message = tb.random.randbytes(tb.max_length)
    for _ in range(4):
        tb.input.send(*frame_of(message))
    clocks = tb.input.left
    last = 1 << 8
    taken = 0
    for _ in range(PACE * clocks + 4):
        # The outcome is taken with the last byte of its message.
        await tb.harness.edge()
        ends = tb.harness.get("message_o_valid") and tb.harness.get("message_o_payload") & last
        tb.harness.set(outcome_o_ready=int(bool(ends)))
        await tb.harness.settle()
        if ends:
            expect_equal("message", list(message), [byte for byte, _ in tb.bytes])
            tb.bytes.clear()
            taken += 1
    expect_equal("bytes left", 0, tb.input.left)
    # All but the last message were read before the last byte of the line came.
    expect_equal("messages read in time", True, taken >= 3)


@cocotb.test()
@cocotb.parametrize(pace=PACES)
async def sent(dut: Any, pace: tuple[str, str]) -> None:
    """Messages through the sender, byte by byte, and their clocks (sender only)."""
    if not hasattr(dut, "message_i_valid"):
        return
    harness = Harness(dut, pace[0])
    source = harness.drive("message_i")
    harness.stall = pace[1]
    harness.check("byte_o", int)
    await harness.reset()
    clocks = 0
    for message in messages(harness.random):
        source.send(*marked(message))
        harness.board.channel("byte_o").expect_all(frame_of(message), message=message[:20])
        clocks += 6 * (len(message) + 5)
    start = harness.clocks
    await harness.run_until(lambda: not source.left)
    if pace == ("0", "0"):
        used = harness.clocks - start
        expect_equal("at most the clocks that it says", True, used <= clocks, used=used, limit=clocks)
    await harness.finish()
