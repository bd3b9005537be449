# SPDX-License-Identifier: BSD-2-Clause
"""Random frames for the host link: good, wrong, damaged and unfinished ones."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from erbium.hdl.registers import (
    NIBBLES,
    Control,
    PixelFormat,
    RegisterMap,
    Request,
    Window,
    WindowNumber,
    pixel_bytes,
)
from erbium.hdl.runs import RUN_LIMIT
from erbium.verif.link_model import LinkModel, frame_of

_MOST_ROWS = 6
"""Rows of weights that are read at once, but for rare reads of whole windows."""


def read(tag: int, window: int, first: int, count: int) -> bytes:
    """Return a message that asks for entries."""
    return struct.pack("<BBBHH", Request.READ, tag, window, first, count)


def write(tag: int, window: int, first: int, entries: bytes) -> bytes:
    """Return a message that brings entries."""
    return struct.pack("<BBBH", Request.WRITE, tag, window, first) + entries


def write_register(tag: int, address: int, value: int) -> bytes:
    """Return a message that writes a register."""
    return write(tag, WindowNumber.REGISTERS, address, value.to_bytes(4, "little"))


def sample(tag: int, turn: int, flags: int, label: int, seed: int, pixels: bytes) -> bytes:
    """Return a message with a sample."""
    return struct.pack("<BBBBBI", Request.SAMPLE, tag, turn, flags, label, seed) + pixels


def events(pixels: list[tuple[int, int]]) -> bytes:
    """Return the events of pixels, each address and value."""
    return b"".join(struct.pack("<HB", *pixel) for pixel in pixels)


class Traffic:
    """Makes lines: bytes as they come, with or without the zero byte at their end.

    Parameters
    ----------
    draw : random.Random
    model : LinkModel
        Knows the turn, and the limits of everything.
    resets : float
        Share of soft resets among the lines.
    """

    def __init__(self, draw: random.Random, model: LinkModel, *, resets: float = 0.01) -> None:
        self._draw, self._model, self._resets = draw, model, resets
        self.registers: RegisterMap = model.registers

    def line(self) -> bytes:
        """Return the next line."""
        draw, chance = self._draw, self._draw.random()
        if chance < self._resets:
            value = Control.SOFT_RESET | draw.randrange(2) * Control.CLEAR_ERRORS
            return frame_of(write_register(draw.randrange(256), self.registers["control"].address, value))
        kinds: list[tuple[float, Callable[[], bytes]]] = [
            (0.6, lambda: frame_of(self.message())),
            (0.78, lambda: frame_of(self.wrong())),
            (0.92, lambda: self.damaged(frame_of(self.message()))),
            (0.95, self.noise),
            (0.98, lambda: frame_of(draw.randbytes(draw.randint(1, 12)))),
            (1.0, self.unfinished),
        ]
        return next(make for most, make in kinds if chance <= most)()

    def message(self) -> bytes:
        """Return a message that is right, or nearly so."""
        kind = self._draw.choice((self._read, self._write, self._sample, self._sample))
        return kind()

    def _window(self) -> Window:
        return self._draw.choice(self.registers.windows)

    def _read(self) -> bytes:
        draw, window = self._draw, self._window()
        first = draw.randrange(window.entries)
        most = window.entries - first
        if window.number >= WindowNumber.WEIGHTS and draw.random() < 0.9:
            most = min(most, _MOST_ROWS)
        return read(draw.randrange(256), window.number, first, draw.randint(1, most))

    def _write(self) -> bytes:
        draw, window = self._draw, self._window()
        if window.number < WindowNumber.WEIGHTS:
            writable = [
                register for register in self.registers if register.writable and register.name != "control"
            ]
            register = draw.choice(writable)
            value = draw.choice((register.low, register.high, draw.randint(register.low, register.high)))
            return write_register(draw.randrange(256), register.address, value)
        first = draw.randrange(window.entries)
        room = (self.registers.max_message - 5) // window.entry_bytes
        count = draw.randint(1, max(1, min(window.entries - first, room)))
        octets = draw.randbytes(count * window.entry_bytes)
        return write(draw.randrange(256), window.number, first, octets)

    def _sample(self) -> bytes:
        draw, n_inputs = self._draw, self.registers.n_inputs
        kind = draw.choice(list(PixelFormat))
        may_halve = self.registers.takes_nibbles and kind in (PixelFormat.BYTES, PixelFormat.RUNS)
        nibbles = may_halve and draw.random() < 0.5
        if kind == PixelFormat.EVENTS:
            addresses = sorted(
                draw.sample(range(n_inputs), draw.randint(0, min(n_inputs, n_inputs // 3 + 1)))
            )
            pixels = events(
                [(address, draw.choice((0, 1, 255, draw.randrange(256)))) for address in addresses]
            )
        elif kind == PixelFormat.RUNS:
            pixels = self._runs(nibbles)
        else:
            count = pixel_bytes(kind, n_inputs, nibbles=nibbles)
            pixels = bytes(draw.randrange(256) if draw.random() < 0.5 else 0 for _ in range(count))
        turn = self._model.next_turn if draw.random() < 0.9 else draw.randrange(256)
        label = draw.randrange(self.registers.n_classes)
        flags = NIBBLES * nibbles | kind << 1 | draw.randrange(2)
        return sample(draw.randrange(256), turn, flags, label, draw.getrandbits(32), pixels)

    def _runs(self, nibbles: bool) -> bytes:
        """Return the runs of a sample, of any length; now and then they are a few pixels too many or too few."""
        draw, found = self._draw, b""
        left = self.registers.n_inputs
        if draw.random() < 0.1:
            left = max(1, left + draw.randint(-3, 3))
        while left:
            count = draw.randint(1, min(left, draw.choice((1, 4, RUN_LIMIT))))
            if draw.random() < 0.5:
                found += bytes([count - 1])
            else:
                size = -(-count // 2) if nibbles else count
                values = bytes(draw.choice((0, 1, 255, draw.randrange(256))) for _ in range(size))
                found += bytes([RUN_LIMIT + count - 1]) + values
            left -= count
        return found

    def wrong(self) -> bytes:
        """Return a message that was damaged before its CRC was taken, or one that was never right."""
        draw = self._draw
        message = bytearray(self.message())
        kind = draw.choice(("byte", "byte", "header", "cut", "longer", "far", "value", "long"))
        if kind == "byte":
            message[draw.randrange(len(message))] = draw.choice((0, 1, 255, draw.randrange(256)))
        elif kind == "header":
            place = draw.randrange(min(len(message), 9))
            message[place] = (message[place] + draw.choice((-1, 1, 16, 128))) % 256
        elif kind == "cut":
            del message[draw.randint(1, len(message)) :]
        elif kind == "longer":
            message += draw.randbytes(draw.choice((1, 2, 3, 4, 8)))
        elif kind == "far":
            window = self._window()
            first = draw.choice((window.entries - 1, window.entries, window.entries + 1, 255, 256, 65535))
            count = draw.choice((0, 1, 2, window.entries, 65535))
            message = bytearray(read(draw.randrange(256), window.number, first, count))
        elif kind == "value":
            register = draw.choice([register for register in self.registers if register.name != "control"])
            value = draw.choice((register.high + 1, max(register.low - 1, 0), draw.getrandbits(32)))
            message = bytearray(write_register(draw.randrange(256), register.address, value))
        else:
            message = bytearray(draw.randbytes(self.registers.max_message + draw.choice((0, 1, 2, 40))))
        return bytes(message)

    def damaged(self, frame: bytes) -> bytes:
        """Return a frame to which something has happened on its way."""
        draw, line = self._draw, bytearray(frame)
        place = draw.randrange(len(line))
        kind = draw.choice(("flip", "flips", "drop", "insert", "cut", "burst", "swap"))
        if kind == "flip":
            line[place] ^= 1 << draw.randrange(8)
        elif kind == "flips":
            for _ in range(draw.randint(2, 9)):
                line[draw.randrange(len(line))] ^= 1 << draw.randrange(8)
        elif kind == "drop":
            del line[place]
        elif kind == "insert":
            line.insert(place, draw.choice((0, line[place], draw.randrange(256))))
        elif kind == "cut":
            line[place:] = b"\0"
        elif kind == "burst":
            line[place : place + 3] = draw.randbytes(3)
        else:
            line[place:] = line[place:-1][::-1] + b"\0"
        return bytes(line)

    def noise(self) -> bytes:
        """Return bytes that mean nothing."""
        draw = self._draw
        return draw.choice((b"\0" * draw.randint(1, 9), draw.randbytes(draw.randint(1, 40)) + b"\0"))

    def unfinished(self) -> bytes:
        """Return the beginning of a frame."""
        frame = frame_of(self.message())
        return frame[: self._draw.randrange(1, len(frame))]
