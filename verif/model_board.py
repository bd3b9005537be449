# SPDX-License-Identifier: BSD-2-Clause
"""A board in Python: the model behind the host link, on a line that can go wrong.

It reads requests and writes replies by its own code, so that a mistake of the driver meets no second one here.
"""

from __future__ import annotations

import enum
import time
import zlib
from collections import deque
from collections.abc import Iterator, Mapping

import numpy as np
from cobs import cobs

from erbium.hdl.registers import (
    ERROR_REPLY,
    HISTORY,
    REPLY_BIT,
    WORD_BYTES,
    Control,
    ErrorCode,
    PixelFormat,
    Register,
    RegisterMap,
    Request,
    Status,
    WindowNumber,
    counter_names,
    pixel_bytes,
    rate_names,
    weight_bytes,
)
from erbium.sw_model.fast import FastArray
from erbium.sw_model.network import Hardware, Network


class Fault(enum.Enum):
    """What happens to a frame on its way.

    Members
    -------
    DROP : it is lost
    DAMAGE : one of its bits is turned over
    DUPLICATE : it comes twice
    DELAY : it comes when the line has fallen silent (replies only; a request is damaged instead)
    """

    DROP = 0
    DAMAGE = 1
    DUPLICATE = 2
    DELAY = 3


class _RefusedError(Exception):
    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code.name)
        self.code = code


class ModelBoard:
    """A transport with the model at its other end.

    Parameters
    ----------
    network : Network
    faults, reply_faults : mapping of int to Fault
        What happens to which frame of the host, of the chip; frames are counted from 0.
    vanish_after : int, optional
        Frames of the host after which the line is gone.
    buffer_bytes : int
        Bytes of frames that it takes while it answers none.
    gone : type
        Exception that is raised when the line is gone.

    Attributes
    ----------
    array : FastArray
        What learns.
    overruns : int
        Frames that came although there was no room for them; they are lost.
    refusals : list of ErrorCode
    """

    name = "the model board"
    baud_rate = 1_000_000

    def __init__(
        self,
        network: Network,
        *,
        faults: Mapping[int, Fault] | None = None,
        reply_faults: Mapping[int, Fault] | None = None,
        vanish_after: int | None = None,
        buffer_bytes: int = 0,
        gone: type[Exception] = OSError,
    ) -> None:
        self.network = network
        self.array = FastArray(network)
        self.overruns = 0
        self.refusals: list[ErrorCode] = []
        self.closed = False
        self._registers = RegisterMap(network, Hardware(), 12_000_000, buffer_bytes)
        self._faults, self._reply_faults = dict(faults or {}), dict(reply_faults or {})
        self._vanish_after, self._buffer_bytes, self._gone = vanish_after, buffer_bytes, gone
        self._rest = b""
        self._n_frames = self._n_replies = 0
        self._out: deque[bytes] = deque()
        self._delayed: list[bytes] = []
        self._samples: deque[tuple[int, int, int | None, np.ndarray, int]] = deque()
        self._room: deque[int] = deque()
        self.reset()

    def reset(self) -> None:
        """Do what the chip does at a soft reset."""
        self._samples.clear()
        self._history = [bytes(8)] * HISTORY
        self._next_turn = self._turns_done = self._last_error = self._refused = 0
        self._settings = {register.name: register.reset for register in self._registers if register.writable}
        weights = self.array.weights
        self.array = FastArray(self.network)
        self.array.load(weights)

    # The line.

    def write(self, data: bytes) -> None:
        """Take bytes of the host."""
        *frames, self._rest = (self._rest + data).split(b"\0")
        for stuffed in frames:
            if stuffed:
                self._arrive(stuffed)

    def read(self, timeout: float) -> bytes:
        """Return one frame of the chip; a sample is processed when there is nothing else to send."""
        if self._vanish_after is not None and self._n_frames > self._vanish_after:
            raise self._gone(5, "the board was unplugged")
        while not self._out and self._samples:
            self._process()
        if self._out:
            return self._out.popleft()
        self._room.clear()
        self._out.extend(self._delayed)
        self._delayed.clear()
        return b""

    def now(self) -> float:
        """Return the time."""
        return time.monotonic()

    def close(self) -> None:
        """Give the line back."""
        self.closed = True

    def _arrive(self, stuffed: bytes) -> None:
        number = self._n_frames
        self._n_frames += 1
        if self._vanish_after is not None and number >= self._vanish_after:
            return
        fault = self._faults.get(number)
        if fault is Fault.DROP:
            return
        if fault in (Fault.DAMAGE, Fault.DELAY):
            stuffed = _damaged(stuffed, number)
        for _ in range(2 if fault is Fault.DUPLICATE else 1):
            # Nothing here takes time, so what waits is what was accepted and not answered.
            waiting = [size for size in self._room if size]
            if len(waiting) >= 2 and sum(waiting) + len(stuffed) + 1 > self._buffer_bytes:
                self.overruns += fault is None
                continue
            self._frame(stuffed)

    def _send(self, message: bytes) -> None:
        data = cobs.encode(message + zlib.crc32(message).to_bytes(4, "little"))
        fault = self._reply_faults.get(self._n_replies)
        self._n_replies += 1
        match fault:
            case Fault.DROP:
                return
            case Fault.DAMAGE:
                data = _damaged(data, self._n_replies)
            case Fault.DUPLICATE:
                self._out.append(data + b"\0")
            case Fault.DELAY:
                self._delayed.append(data + b"\0")
                return
        self._out.append(data + b"\0")

    # The messages.

    def _frame(self, stuffed: bytes) -> None:
        tag = 0
        try:
            try:
                data = cobs.decode(stuffed)
            except cobs.DecodeError:
                raise _RefusedError(ErrorCode.MALFORMED) from None
            message, crc = data[:-4], data[-4:]
            if len(data) > self._registers.max_message + 4:
                raise _RefusedError(ErrorCode.TOO_LONG)
            if len(data) <= 4:
                raise _RefusedError(ErrorCode.TOO_SHORT)
            if zlib.crc32(message).to_bytes(4, "little") != crc:
                raise _RefusedError(ErrorCode.DAMAGED)
            tag = message[1] if len(message) > 1 else 0
            self._request(message, len(stuffed) + 1)
        except _RefusedError as refused:
            self.refusals.append(refused.code)
            self._last_error = refused.code
            self._refused = min(self._refused + 1, 0xFFFF)
            self._send(bytes([ERROR_REPLY, tag, refused.code]))

    def _request(self, message: bytes, size: int) -> None:
        kind, tag, rest = message[0], message[1] if len(message) > 1 else 0, message[2:]
        if kind not in Request.__members__.values():
            raise _RefusedError(ErrorCode.UNKNOWN_REQUEST)
        if kind == Request.SAMPLE:
            self._accept(tag, rest, size)
            return
        if len(rest) < 3 or (kind == Request.READ and len(rest) != 5):
            raise _RefusedError(ErrorCode.BAD_LENGTH)
        number, first = rest[0], int.from_bytes(rest[1:3], "little")
        try:
            window = self._registers.window(number)
        except KeyError:
            raise _RefusedError(ErrorCode.UNKNOWN_WINDOW) from None
        entries = rest[3:]
        count = int.from_bytes(entries, "little")
        if kind == Request.WRITE:
            count, odd = divmod(len(entries), window.entry_bytes)
            if odd or count == 0 or (number == WindowNumber.REGISTERS and count != 1):
                raise _RefusedError(ErrorCode.BAD_LENGTH)
        elif count == 0:
            raise _RefusedError(ErrorCode.BAD_LENGTH)
        if first + count > window.entries:
            raise _RefusedError(ErrorCode.OUT_OF_WINDOW)
        if kind == Request.WRITE:
            if not window.writable:
                raise _RefusedError(ErrorCode.READ_ONLY)
            self._write_entries(number, first, count, entries)
            self._send(bytes([Request.WRITE | REPLY_BIT, tag]))
        else:
            data = b"".join(self._entries(number, first, count))
            self._send(bytes([Request.READ | REPLY_BIT, tag]) + data)

    def _entries(self, number: int, first: int, count: int) -> Iterator[bytes]:
        if number == WindowNumber.REGISTERS:
            words = self._words()
            for address in range(first, first + count):
                yield words.get(address, 0).to_bytes(WORD_BYTES, "little")
        elif number == WindowNumber.RESULTS:
            yield from self._history[first : first + count]
        else:
            self._finish()
            layer = number - WindowNumber.WEIGHTS
            kind = "<i2" if weight_bytes(self.network.layers[layer].weight_width) == 2 else "i1"
            for row in self.array.weights[layer][first : first + count]:
                yield row.astype(kind).tobytes()

    def _write_entries(self, number: int, first: int, count: int, entries: bytes) -> None:
        if number == WindowNumber.REGISTERS:
            self._write_register(first, int.from_bytes(entries, "little"))
            return
        self._finish()
        layer = number - WindowNumber.WEIGHTS
        width = self.network.layers[layer].weight_width
        kind = "<i2" if weight_bytes(width) == 2 else "i1"
        rows = np.frombuffer(entries, dtype=kind).reshape(count, -1).astype(np.int64)
        half = 1 << (width - 1)
        weights = self.array.weights
        weights[layer][first : first + count] = (rows + half) % (2 * half) - half
        self.array.load(weights)

    def _write_register(self, address: int, value: int) -> None:
        found = [register for register in self._registers if register.address == address]
        if not found or not found[0].writable:
            raise _RefusedError(ErrorCode.READ_ONLY)
        (register,) = found
        if not register.low <= value <= register.high:
            raise _RefusedError(ErrorCode.BAD_VALUE)
        if register.name == "control":
            if value & Control.CLEAR_ERRORS:
                self._last_error = self._refused = 0
            if value & Control.SOFT_RESET:
                self.reset()
        else:
            self._finish()
            self._settings[register.name] = value

    def _words(self) -> dict[int, int]:
        counts = self.array.counters()
        now = {
            "control": 0,
            "status": 0 if self._samples else int(Status.IDLE),
            "last_error": int(self._last_error),
            "refused": self._refused,
            "next_turn": self._next_turn,
            "turns_done": self._turns_done,
            **{name: value for name, value in self._settings.items() if name != "control"},
            **{f"count_{name}": counts[name] for name in counter_names(self.network)},
        }

        def value_of(register: Register) -> int:
            return now.get(register.name, 0) if register.value is None else register.value

        return {
            register.address + word: value_of(register) >> 32 * word & 0xFFFFFFFF
            for register in self._registers
            for word in range(register.words)
        }

    def _accept(self, tag: int, rest: bytes, size: int) -> None:
        if len(rest) < 7:
            raise _RefusedError(ErrorCode.BAD_LENGTH)
        turn, flags, label, seed, pixels = rest[0], rest[1], rest[2], rest[3:7], rest[7:]
        form, nibbles = PixelFormat(flags >> 1 & 3), flags >> 3
        with_nibbles = (PixelFormat.BYTES, PixelFormat.RUNS) if self.network.pixel_bits == 4 else ()
        if nibbles > 1 or (nibbles and form not in with_nibbles):
            raise _RefusedError(ErrorCode.BAD_FORMAT)
        image = self._image(form, pixels, 2 if nibbles else 1)
        if label >= self.network.n_classes:
            raise _RefusedError(ErrorCode.BAD_LABEL)
        if turn != self._next_turn:
            raise _RefusedError(ErrorCode.OUT_OF_TURN)
        self._next_turn = (turn + 1) % 256
        learned = label if flags & 1 else None
        self._samples.append((tag, turn, learned, image, int.from_bytes(seed, "little")))
        self._room.append(size)

    def _image(self, pixels: PixelFormat, data: bytes, pixels_of_a_byte: int) -> np.ndarray:
        n = self.network.n_inputs
        if pixels is PixelFormat.EVENTS:
            if len(data) % 3:
                raise _RefusedError(ErrorCode.BAD_LENGTH)
            image, before = np.zeros(n, dtype=np.uint8), -1
            for low, high, value in zip(data[::3], data[1::3], data[2::3], strict=True):
                place = low | high << 8
                if not before < place < n:
                    raise _RefusedError(ErrorCode.BAD_EVENT)
                image[place], before = value, place
            return image
        if pixels is PixelFormat.RUNS:
            data = _unpacked_runs(data, n, pixels_of_a_byte)
        elif len(data) != pixel_bytes(pixels, n, nibbles=pixels_of_a_byte == 2):
            raise _RefusedError(ErrorCode.BAD_LENGTH)
        elif pixels_of_a_byte == 2:
            data = _whole(data, n)
        values = np.frombuffer(data, dtype=np.uint8)
        if pixels is PixelFormat.BITS:
            values = 255 * np.unpackbits(values, bitorder="little")[:n]
        return values.astype(np.uint8)

    def _finish(self) -> None:
        while self._samples:
            self._process()

    def _process(self) -> None:
        tag, turn, label, image, seed = self._samples.popleft()
        if self._room:
            self._room.popleft()
        self.array.set_rates([self._settings[name] for name in rate_names(self.network)])
        self.array.decide_after = self._settings["decide_after"]
        labels = None if label is None else np.array([label])
        got = self.array.run(image[None], np.array([seed]), labels, n_ticks=self._settings["n_ticks"])
        answer = int(got.answers[0])
        ticks = b"".join(int(each[0]).to_bytes(2, "little") for each in (got.ticks, got.ticks_to_decision))
        self._history[turn % HISTORY] = bytes([answer, 0]) + ticks + bytes(2)
        self._turns_done = (turn + 1) % 256
        self._send(bytes([Request.SAMPLE | REPLY_BIT, tag, turn, answer]) + ticks)


def _whole(nibbles: bytes, n_pixels: int) -> bytes:
    """Return a value for each of two pixels in a byte."""
    return bytes(half * 17 for byte in nibbles for half in (byte & 15, byte >> 4))[:n_pixels]


def _unpacked_runs(data: bytes, n_pixels: int, pixels_of_a_byte: int) -> bytes:
    """Return a value for each pixel of runs."""
    values, at = bytearray(), 0
    while at < len(data):
        count = data[at] % 128 + 1
        if data[at] < 128:
            values += bytes(count)
            at += 1
            continue
        size = -(-count // pixels_of_a_byte)
        run = data[at + 1 :][:size]
        values += run if pixels_of_a_byte == 1 else _whole(run, count)
        at += 1 + size
    if at != len(data) or len(values) != n_pixels:
        raise _RefusedError(ErrorCode.BAD_LENGTH)
    return bytes(values)


def _damaged(data: bytes, place: int) -> bytes:
    """Return data with one bit turned over, but without a zero byte, which would make two frames of one."""
    place %= len(data)
    bit = 1 if data[place] != 1 else 2
    return data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]
