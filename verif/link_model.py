# SPDX-License-Identifier: BSD-2-Clause
"""What the host link answers to a sequence of frames, and what it does to the array, in plain Python.

It shares the numbers of :mod:`erbium.hdl.registers` with the hardware, and nothing else.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from cobs import cobs

from erbium.hdl.registers import (
    ERROR_REPLY,
    EVENT_BYTES,
    HISTORY,
    NIBBLES,
    REPLY_BIT,
    Control,
    ErrorCode,
    PixelFormat,
    RegisterMap,
    Request,
    Status,
    Window,
    WindowNumber,
    counter_names,
    performance_names,
    rate_names,
)

SAMPLE_REPLY = Request.SAMPLE | REPLY_BIT


class Sample(NamedTuple):
    """A sample as the array gets it: pixels that are not 0, value by address, and the settings that hold."""

    seed: int
    label: int
    learn: int
    pixels: tuple[tuple[int, int], ...]
    settings: tuple[tuple[str, int], ...]


class LinkedArray(Protocol):
    """The array that the model drives."""

    def row(self, layer: int, number: int) -> list[int]:
        """Return the weights of a row."""

    def set_row(self, layer: int, number: int, weights: list[int]) -> None:
        """Replace the weights of a row."""

    def run(self, sample: Sample) -> tuple[int, int, int]:
        """Process a sample; return answer, ticks and ticks to decision."""

    def counters(self) -> list[int | None]:
        """Return all counters in the order of their registers; None for those that are not known."""

    def reset(self) -> None:
        """Reset everything but the weights."""


class Reply(NamedTuple):
    """One reply; a byte that depends on the time at which it is sent is None."""

    kind: int
    tag: int
    body: tuple[int | None, ...]

    def accepts(self, message: bytes) -> bool:
        """Whether a message is this reply."""
        expected = (self.kind, self.tag, *self.body)
        return len(message) == len(expected) and all(
            want in (None, got) for want, got in zip(expected, message, strict=True)
        )


class _RefusedError(Exception):
    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code)
        self.code = code


def frame_of(message: bytes) -> bytes:
    """Return a message as it goes over the line."""
    return bytes(cobs.encode(message + zlib.crc32(message).to_bytes(4, "little"))) + b"\0"


def message_of(frame: bytes) -> bytes:
    """Return the message of a frame without its zero byte.

    Raises
    ------
    ValueError
        If the frame is damaged.
    """
    found = bytes(cobs.decode(frame))
    if len(found) < 5 or zlib.crc32(found[:-4]).to_bytes(4, "little") != found[-4:]:
        raise ValueError(f"{frame.hex()} is no frame")
    return found[:-4]


def _unstuffed(frame: bytes) -> tuple[bytes, bool]:
    """Return the bytes in a frame, and whether its last group is whole."""
    found = bytearray()
    at = 0
    while at < len(frame):
        length = frame[at]
        group = frame[at + 1 : at + length]
        found += group
        if len(group) < length - 1:
            return bytes(found), False
        at += length
        if length < 255 and at < len(frame):
            found.append(0)
    return bytes(found), True


def _number(octets: Sequence[int]) -> int:
    return int.from_bytes(bytes(octets), "little")


class LinkModel:
    """The link, one frame after the other.

    Parameters
    ----------
    registers : RegisterMap
    array : LinkedArray

    Attributes
    ----------
    settings : dict of str to int
    next_turn, last_error, refused : int
    resets : int
        Soft resets.
    """

    def __init__(self, registers: RegisterMap, array: LinkedArray) -> None:
        self.registers, self.array = registers, array
        self.last_error = self.refused = self.resets = 0
        self._reset()

    def _reset(self) -> None:
        names = ("n_ticks", "decide_after", *rate_names(self.registers.network))
        self.settings = {name: self.registers[name].reset for name in names}
        self.next_turn = self.last_error = self.refused = 0
        self._results: dict[int, bytes] = {}

    def take(self, frame: bytes, *, settled: bool = True, timed_out: bool = False) -> Reply:
        """Take a frame without its zero byte, and return the reply.

        Parameters
        ----------
        frame : bytes
            At least one byte.
        settled : bool
            Whether all samples before it have been answered.
        timed_out : bool
            Whether silence followed instead of a zero byte.
        """
        tag = 0
        try:
            message = self._message(frame, timed_out=timed_out)
            tag = message[1] if len(message) > 1 else 0
            return self._answer(message, settled)
        except _RefusedError as refusal:
            self.last_error = refusal.code
            self.refused = min(self.refused + 1, (1 << self.registers["refused"].width) - 1)
            return Reply(ERROR_REPLY, tag, (int(refusal.code),))

    def _message(self, frame: bytes, *, timed_out: bool) -> bytes:
        if timed_out:
            raise _RefusedError(ErrorCode.TIMED_OUT)
        found, whole = _unstuffed(frame)
        message, crc = found[:-4], found[-4:]
        if len(message) > self.registers.max_message:
            raise _RefusedError(ErrorCode.TOO_LONG)
        if not whole:
            raise _RefusedError(ErrorCode.MALFORMED)
        if not message:
            raise _RefusedError(ErrorCode.TOO_SHORT)
        if zlib.crc32(message) != _number(crc):
            raise _RefusedError(ErrorCode.DAMAGED)
        return message

    def _answer(self, message: bytes, settled: bool) -> Reply:
        if message[0] not in list(Request):
            raise _RefusedError(ErrorCode.UNKNOWN_REQUEST)
        if len(message) < 2:
            raise _RefusedError(ErrorCode.BAD_LENGTH)
        kind, tag = Request(message[0]), message[1]
        body: tuple[int | None, ...] = ()
        if kind == Request.READ:
            body = self._read(message[2:], settled)
        elif kind == Request.WRITE:
            self._write(message[2:])
        else:
            body = self._sample(message[2:])
        return Reply(kind | REPLY_BIT, tag, body)

    def _window(self, number: int) -> Window:
        for window in self.registers.windows:
            if window.number == number:
                return window
        raise _RefusedError(ErrorCode.UNKNOWN_WINDOW)

    # --- READ ----------------------------------------------------------------------------------------

    def _read(self, rest: bytes, settled: bool) -> tuple[int | None, ...]:
        if len(rest) != 5 or not _number(rest[3:5]):
            raise _RefusedError(ErrorCode.BAD_LENGTH)
        window = self._window(rest[0])
        first, count = _number(rest[1:3]), _number(rest[3:5])
        if first + count > window.entries:
            raise _RefusedError(ErrorCode.OUT_OF_WINDOW)
        read: list[int | None] = []
        for entry in range(first, first + count):
            if window.number == WindowNumber.REGISTERS:
                read += self._word(entry, settled)
            elif window.number == WindowNumber.RESULTS:
                read += self._result(entry, settled)
            else:
                layer = window.number - WindowNumber.WEIGHTS
                size = window.entry_bytes // self.registers.populations[layer].n_neurons
                for weight in self.array.row(layer, entry):
                    read += weight.to_bytes(size, "little", signed=True)
        return tuple(read)

    def _word(self, address: int, settled: bool) -> list[int | None]:
        for register in self.registers:
            if not register.address <= address < register.address + register.words:
                continue
            name = register.name
            value: int | None
            if name in ("status", "turns_done") or name.startswith("count_"):
                value = self._timed(name) if settled else None
            elif name in ("last_error", "refused", "next_turn"):
                value = int(getattr(self, name))
            else:
                value = self.settings.get(name, register.value or 0)
            if value is None:
                size = -(-register.width // 8)
                octets: list[int | None] = [
                    None if place < size else 0 for place in range(4 * register.words)
                ]
            else:
                octets = list(value.to_bytes(4 * register.words, "little"))
            at = 4 * (address - register.address)
            return octets[at : at + 4]
        return [0] * 4

    def _timed(self, name: str) -> int | None:
        """Return a register that depends on the array."""
        if name == "status":
            return int(Status.IDLE)
        if name == "turns_done":
            return self.next_turn
        network = self.registers.network
        names = counter_names(network) + performance_names(network)
        return self.array.counters()[names.index(name.removeprefix("count_"))]

    def _result(self, entry: int, settled: bool) -> list[int | None]:
        if not settled or entry not in self._results:
            return [None, 0, None, None, None, None, 0, 0]
        found = self._results[entry]
        return [found[0], 0, *found[1:5], 0, 0]

    # --- WRITE ---------------------------------------------------------------------------------------

    def _write(self, rest: bytes) -> None:
        if len(rest) < 4:
            raise _RefusedError(ErrorCode.BAD_LENGTH)
        window = self._window(rest[0])
        first, entries = _number(rest[1:3]), rest[3:]
        count, odd = divmod(len(entries), window.entry_bytes)
        if odd or (count > 1 and window.number == WindowNumber.REGISTERS):
            raise _RefusedError(ErrorCode.BAD_LENGTH)
        if first + count > window.entries:
            raise _RefusedError(ErrorCode.OUT_OF_WINDOW)
        if not window.writable:
            raise _RefusedError(ErrorCode.READ_ONLY)
        if window.number == WindowNumber.REGISTERS:
            self._write_register(first, _number(entries))
            return
        layer = window.number - WindowNumber.WEIGHTS
        n_neurons = self.registers.populations[layer].n_neurons
        width = self.registers.populations[layer].weight_width
        size = window.entry_bytes // n_neurons
        weights = []
        for place in range(count * n_neurons):
            bits = _number(entries[size * place : size * (place + 1)]) & (1 << width) - 1
            weights.append(bits - (1 << width) if bits >> width - 1 else bits)
        for row in range(count):
            self.array.set_row(layer, first + row, weights[row * n_neurons : (row + 1) * n_neurons])

    def _write_register(self, address: int, value: int) -> None:
        found = [register for register in self.registers if register.address == address]
        if not found or not found[0].writable:
            raise _RefusedError(ErrorCode.READ_ONLY)
        register = found[0]
        if not register.low <= value <= register.high:
            raise _RefusedError(ErrorCode.BAD_VALUE)
        if register.name != "control":
            self.settings[register.name] = value
        elif value & Control.SOFT_RESET:
            self._reset()
            self.array.reset()
            self.resets += 1
        elif value & Control.CLEAR_ERRORS:
            self.last_error = self.refused = 0

    # --- SAMPLE --------------------------------------------------------------------------------------

    def _sample(self, rest: bytes) -> tuple[int | None, ...]:
        network = self.registers.network
        if len(rest) < 7:
            raise _RefusedError(ErrorCode.BAD_LENGTH)
        turn, flags, label = rest[:3]
        pixels, nibbles = PixelFormat(flags >> 1 & 3), bool(flags & NIBBLES)
        full = pixels in (PixelFormat.BYTES, PixelFormat.RUNS)
        if flags >> 4 or (nibbles and not (self.registers.takes_nibbles and full)):
            raise _RefusedError(ErrorCode.BAD_FORMAT)
        if label >= network.n_classes:
            raise _RefusedError(ErrorCode.BAD_LABEL)
        if turn != self.next_turn:
            raise _RefusedError(ErrorCode.OUT_OF_TURN)
        found = self._pixels(pixels, rest[7:], nibbles)
        settings = tuple(self.settings.items())
        sample = Sample(_number(rest[3:7]), label, flags & 1, tuple(found), settings)
        answer, ticks, decision = self.array.run(sample)
        result = bytes([answer]) + ticks.to_bytes(2, "little") + decision.to_bytes(2, "little")
        self._results[turn % HISTORY] = result
        self.next_turn = (turn + 1) % 256
        return (turn, *result)

    def _pixels(self, pixels: PixelFormat, octets: bytes, nibbles: bool) -> list[tuple[int, int]]:
        """Return address and value of the pixels that are not 0."""
        n_inputs = self.registers.n_inputs
        if pixels == PixelFormat.EVENTS:
            return self._events(octets)
        if pixels == PixelFormat.RUNS:
            octets = self._run_values(octets, nibbles)
        elif nibbles:
            if len(octets) != (n_inputs + 1) // 2:
                raise _RefusedError(ErrorCode.BAD_LENGTH)
            octets = self._halves(octets, n_inputs)
        if len(octets) != ((n_inputs + 7) // 8 if pixels == PixelFormat.BITS else n_inputs):
            raise _RefusedError(ErrorCode.BAD_LENGTH)
        if pixels == PixelFormat.BITS:
            octets = bytes(255 * (octets[k // 8] >> k % 8 & 1) for k in range(n_inputs))
        return [(address, value) for address, value in enumerate(octets) if value]

    def _halves(self, octets: bytes, count: int) -> bytes:
        """Return the values of nibbles, the lower one of a byte first; a spare one is ignored."""
        return bytes(17 * (octets[k // 2] >> 4 * (k % 2) & 15) for k in range(count))

    def _run_values(self, octets: bytes, nibbles: bool) -> bytes:
        """Return the values of all pixels; where runs are cut short or too long, they are not as many as there are."""
        found = b""
        while octets:
            head, octets = octets[0], octets[1:]
            if head < 128:
                found += bytes(head + 1)
                continue
            count = head - 127
            size = (count + 1) // 2 if nibbles else count
            values, octets = octets[:size], octets[size:]
            if len(values) < size:
                raise _RefusedError(ErrorCode.BAD_LENGTH)
            found += self._halves(values, count) if nibbles else values
        return found

    def _events(self, octets: bytes) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        after = -1
        for at in range(0, len(octets), EVENT_BYTES):
            event = octets[at : at + EVENT_BYTES]
            if len(event) < EVENT_BYTES:
                raise _RefusedError(ErrorCode.BAD_LENGTH)
            address, value = _number(event[:2]), event[2]
            if not after < address < self.registers.n_inputs:
                raise _RefusedError(ErrorCode.BAD_EVENT)
            after = address
            if value:
                found.append((address, value))
        return found
