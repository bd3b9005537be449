# SPDX-License-Identifier: BSD-2-Clause
"""Frames and messages of the host link as the host writes and reads them; see :mod:`erbium.hdl.registers`."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from cobs import cobs

from erbium.hdl.registers import (
    ERROR_REPLY,
    EVENT_BYTES,
    NIBBLES,
    REPLY_BIT,
    RESULT_BYTES,
    ErrorCode,
    PixelFormat,
    Request,
    weight_bytes,
)
from erbium.hdl.runs import nibble_octets, run_octets
from erbium.sw_model.constants import Array
from erbium.sw_model.rules.pixels import rounded

if TYPE_CHECKING:
    from erbium.sw_model.description.graph import Graph

CRC_BYTES = 4
LONGEST_FRAME = 1 << 17
"""Bytes without an end of frame after which they count as noise."""

SAMPLE_REPLY_BYTES = 6


def frame(message: bytes) -> bytes:
    """Return a message as it goes over the line: with its CRC-32, stuffed, and with a zero byte at the end."""
    stuffed: bytes = cobs.encode(message + zlib.crc32(message).to_bytes(CRC_BYTES, "little"))
    return stuffed + b"\0"


def message_of(stuffed: bytes) -> bytes | None:
    """Return the message of a frame without its zero byte, or None if the frame is damaged."""
    try:
        data: bytes = cobs.decode(stuffed)
    except cobs.DecodeError:
        return None
    message, crc = data[:-CRC_BYTES], data[-CRC_BYTES:]
    if not message or zlib.crc32(message) != int.from_bytes(crc, "little"):
        return None
    return message


class FrameSplitter:
    """Cuts the bytes of a line into messages."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes | None]:
        """Return the messages that `data` completes; None stands for a damaged frame."""
        self._rest += data
        *frames, rest = self._rest.split(b"\0")
        self._rest = rest
        found = [message_of(bytes(stuffed)) for stuffed in frames if stuffed]
        if len(self._rest) > LONGEST_FRAME:
            self._rest.clear()
            found.append(None)
        return found

    def __len__(self) -> int:
        """Bytes of the frame that has begun."""
        return len(self._rest)

    def clear(self) -> None:
        """Forget the beginning of an unfinished frame."""
        self._rest.clear()


@dataclass(frozen=True)
class Read:
    """Request to read `count` entries of a window, which have `entry_bytes` bytes each."""

    window: int
    first: int
    count: int
    entry_bytes: int

    @property
    def kind(self) -> Request:
        """Type of the request."""
        return Request.READ

    @property
    def reply_bytes(self) -> int:
        """Bytes that the reply brings."""
        return self.count * self.entry_bytes

    def message(self, tag: int) -> bytes:
        """Return the message."""
        return bytes([self.kind, tag, self.window]) + _u16(self.first) + _u16(self.count)


@dataclass(frozen=True)
class Write:
    """Request to write entries of a window, from `first` on."""

    window: int
    first: int
    entries: bytes

    @property
    def kind(self) -> Request:
        """Type of the request."""
        return Request.WRITE

    @property
    def reply_bytes(self) -> int:
        """Bytes that the reply brings."""
        return 0

    def message(self, tag: int) -> bytes:
        """Return the message."""
        return bytes([self.kind, tag, self.window]) + _u16(self.first) + self.entries


@dataclass(frozen=True)
class Reply:
    """A reply of the chip: its type, the tag of what it answers, and what follows."""

    kind: int
    tag: int
    payload: bytes

    @classmethod
    def of(cls, message: bytes) -> Reply | None:
        """Read a reply; None if it is too short to be one."""
        return cls(message[0], message[1], message[2:]) if len(message) >= 2 else None

    def answers(self, request: Read | Write) -> bool:
        """Whether type and length are those of the reply to `request`."""
        return self.kind == request.kind | REPLY_BIT and len(self.payload) == request.reply_bytes

    @property
    def is_result(self) -> bool:
        """Whether it is the result of a sample."""
        return self.kind == Request.SAMPLE | REPLY_BIT and len(self.payload) == SAMPLE_REPLY_BYTES

    @property
    def is_refusal(self) -> bool:
        """Whether a frame was refused."""
        return self.kind == ERROR_REPLY and len(self.payload) == 1

    @property
    def code(self) -> ErrorCode | int:
        """Why a frame was refused."""
        code = self.payload[0]
        return ErrorCode(code) if code in ErrorCode.__members__.values() else code


@dataclass(frozen=True)
class Outcome:
    """Result of one sample."""

    answer: int
    ticks: int
    ticks_to_decision: int

    @classmethod
    def of(cls, body: bytes) -> Outcome:
        """Read the five bytes of a result."""
        return cls(body[0], _int(body[1:3]), _int(body[3:5]))


def entry_body(entry: bytes) -> bytes:
    """Return the five bytes of a result out of an entry of the window of results."""
    assert len(entry) == RESULT_BYTES
    return entry[:1] + entry[2:6]


def sample_message(
    tag: int,
    turn: int,
    seed: int,
    label: int | None,
    image: Array,
    lowest: int = 1,
    *,
    one_bit: bool = False,
    nibbles: bool = False,
) -> bytes:
    """Return the message of one sample.

    Parameters
    ----------
    tag, turn : int
        0 ... 255.
    seed : int
        32 bits.
    label : int, optional
        Class to learn; None infers.
    image : ndarray of uint8, shape (n_inputs,)
    lowest : int
        Smallest value that can spike; pixels below it are sent as 0.
    one_bit : bool
        Whether all other values are one to the chip; they are sent as 255.
    nibbles : bool
        Whether the chip sees the upper half of a pixel only; two are sent in a byte.
    """
    pixels, data = pack_pixels(image, lowest, one_bit=one_bit, nibbles=nibbles)
    flags = (label is not None) | pixels << 1
    if nibbles and pixels in (PixelFormat.RUNS, PixelFormat.BYTES):
        flags |= NIBBLES
    return bytes([Request.SAMPLE, tag, turn, flags, label or 0]) + seed.to_bytes(4, "little") + data


def messages_of(graph: Graph) -> Callable[[int, int, int, int | None, Array], bytes]:
    """Return :func:`sample_message` for a chip of a graph, which says what is seen of a pixel."""
    return partial(
        sample_message,
        lowest=graph.lowest_pixel,
        one_bit=graph.one_bit_pixels,
        nibbles=graph.pixel_bits == 4,
    )


def pack_pixels(
    image: Array, lowest: int = 1, *, one_bit: bool = False, nibbles: bool = False
) -> tuple[PixelFormat, bytes]:
    """Return the pixels of a sample in the format that takes the fewest bytes; see :func:`sample_message`.

    Byte stuffing makes none of them longer than another.
    """
    image = np.where(image >= lowest, 255 if one_bit else image, 0).astype(np.uint8)
    if nibbles:
        image = rounded(image, 4)
    places = np.flatnonzero(image)
    octets = (image >> 4 if nibbles else image).tobytes()
    events = np.zeros((len(places), EVENT_BYTES), dtype=np.uint8)
    events[:, 0], events[:, 1], events[:, 2] = places & 0xFF, places >> 8, image[places]
    ways = [
        (PixelFormat.EVENTS, events.tobytes()),
        (PixelFormat.RUNS, run_octets(octets, nibbles=nibbles)),
        (PixelFormat.BYTES, nibble_octets(octets) if nibbles else octets),
    ]
    if (image[places] == 255).all():
        ways.insert(0, (PixelFormat.BITS, np.packbits(image == 255, bitorder="little").tobytes()))
    return min(ways, key=lambda way: len(way[1]))


def pack_weights(rows: Array, weight_width: int) -> bytes:
    """Return rows of weights as a window of weights takes them."""
    return rows.astype("<i2" if weight_bytes(weight_width) == 2 else "i1").tobytes()


def unpack_weights(data: bytes, n_neurons: int, weight_width: int) -> Array:
    """Return rows of weights, int16 of shape ``(n, n_neurons)``."""
    kind = "<i2" if weight_bytes(weight_width) == 2 else "i1"
    return np.frombuffer(data, dtype=kind).reshape(-1, n_neurons).astype(np.int16)


def _u16(value: int) -> bytes:
    return value.to_bytes(2, "little")


def _int(data: bytes) -> int:
    return int.from_bytes(data, "little")
