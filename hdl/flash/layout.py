# SPDX-License-Identifier: BSD-2-Clause
"""The layout of data in a board's flash, declared once.

The gateware, the writer, the driver, the simulated board and the tests all read it from here, so this module knows
nothing of any of them, and needs no hardware library.

The data are blocks, one after the other. A block is the number of bytes of its payload (2 bytes), the payload, and
the CRC-32 of both (that of ``zlib.crc32``). All numbers are little endian. The first block is the header, then one for
each pass, the last of which ends the run; then come rows of weights and samples, wherever the passes say.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from erbium.hdl.registers import RegisterMap, weight_bytes
from erbium.hdl.runs import RUN_LIMIT

MAGIC = b"ERBF"
"""First bytes of the header: tells Erbium's data from whatever else a flash holds."""

VERSION = 1
"""Of this layout; a chip takes no other one."""

LENGTH_BYTES, CRC_BYTES = 2, 4
"""Of a block, before and after its payload."""

MOST_PERCENT = 15
"""What the lights show of an error, at most: four bits."""

MAX_PASSES = 1 << 16
MAX_SHIFT = 4
"""Pixels by which an image can be moved in each direction."""

COUNT_BITS, ADDRESS_BITS = 24, 24
"""Bits of a number of samples in a pass, and of an address in the flash."""


class PixelKind(enum.IntEnum):
    """How the pixels of a sample are kept.

    Members
    -------
    BITS : one bit per pixel, the lowest first; a set bit stands for the value 255
    RUNS : runs (:mod:`erbium.hdl.runs`); what is missing at the end is black
    """

    BITS = 0
    RUNS = 1


class PassKind(enum.IntEnum):
    """What a pass does.

    Members
    -------
    STOP : nothing: the run is over
    WEIGHTS : loads the rows of a layer
    LEARN : learns samples
    TEST : infers samples, and counts the right answers
    """

    STOP = 0
    WEIGHTS = 1
    LEARN = 2
    TEST = 3


@dataclass(frozen=True)
class Field:
    """One number of a block: its name, its first byte, and its bytes."""

    name: str
    at: int
    octets: int

    @property
    def end(self) -> int:
        """The byte after it."""
        return self.at + self.octets


def _fields(*sizes: tuple[str, int]) -> tuple[Field, ...]:
    at, found = 0, []
    for name, octets in sizes:
        found.append(Field(name, at, octets))
        at += octets
    return tuple(found)


HEADER = _fields(
    ("magic", 4), ("version", 2), ("digest", 8), ("pixels", 1), ("width", 1), ("height", 1), ("end", 4)
)
"""The header: digest of the network, how pixels are kept, size of the images, and where the data end."""

_PASS = (
    ("kind", 1),  # of PassKind
    ("layer", 1),  # whose weights are loaded, from 0
    ("n_ticks", 2),  # longest presentation
    ("decide_after", 2),  # output spikes that settle an inference
    ("shift", 1),  # images are moved by up to so many pixels
    ("next", 4),  # address of the pass after this one
    ("start", 4),  # address of the first block
    ("base", 4),  # address to which it goes back after the last sample of the split
    ("until_base", 4),  # samples until then
    ("size", 4),  # samples of the split
    ("count", 4),  # samples, or rows, of this pass
    ("first", 4),  # number of the first sample
    ("seed_state", 8),  # of the hash of a sample's seed, before the number is in it
    ("shift_state", 8),  # the same of its shift
)


def pass_fields(n_layers: int) -> tuple[Field, ...]:
    """Return the fields of a pass: :data:`_PASS`, and the learning rate of each layer."""
    return _fields(*_PASS, *((f"rate_{number + 1}", 4) for number in range(n_layers)))


def octets_of(fields: tuple[Field, ...]) -> int:
    """Return the bytes of a payload."""
    return fields[-1].end


def pack(fields: tuple[Field, ...], values: Mapping[str, int]) -> bytes:
    """Return a payload; a field without a value is 0."""
    return b"".join(values.get(field.name, 0).to_bytes(field.octets, "little") for field in fields)


def unpack(fields: tuple[Field, ...], payload: bytes) -> dict[str, int]:
    """Return the fields of a payload by name."""
    return {field.name: int.from_bytes(payload[field.at : field.end], "little") for field in fields}


def block_octets(payload: int) -> int:
    """Return the bytes of a block with so many bytes of payload."""
    return LENGTH_BYTES + payload + CRC_BYTES


def most_sample_octets(n_inputs: int, pixels: PixelKind) -> int:
    """Return the bytes of the payload of a sample, at most: its label and its pixels."""
    if pixels is PixelKind.BITS:
        return 1 + -(-n_inputs // 8)
    return 1 + n_inputs + -(-n_inputs // RUN_LIMIT)


def longest_payload(registers: RegisterMap) -> int:
    """Return the bytes of the longest payload that a chip takes."""
    rows = [one.n_neurons * weight_bytes(one.weight_width) for one in registers.populations]
    samples = [most_sample_octets(registers.n_inputs, kind) for kind in PixelKind]
    passes = octets_of(pass_fields(len(registers.populations)))
    return max(*rows, *samples, passes, octets_of(HEADER))


class Fault(enum.IntEnum):
    """Why a run from the flash stopped. Nothing was learned from what was wrong.

    Members
    -------
    NONE : nothing is wrong
    NO_DATA : there is no header where the data begin
    DAMAGED_HEADER : the checksum of the header is wrong
    OTHER_VERSION : the data are of another version of the layout
    OTHER_NETWORK : the data are for another network
    DAMAGED_BLOCK : the checksum of a pass, a row of weights or a sample is wrong
    WRONG_BLOCK : a block is right and says what cannot be: its length, a label, a pixel, a kind of pass
    """

    NONE = 0
    NO_DATA = 1
    DAMAGED_HEADER = 2
    OTHER_VERSION = 3
    OTHER_NETWORK = 4
    DAMAGED_BLOCK = 5
    WRONG_BLOCK = 6


class RunState(enum.IntEnum):
    """What a run from the flash is at.

    Members
    -------
    RESTS : none was started since the last reset
    READS : the header or a pass is read
    LOADS : weights are loaded
    LEARNS : samples are learned
    TESTS : samples are inferred
    DONE : the last pass is over
    STOPPED : something was wrong; the fault says what
    """

    RESTS = 0
    READS = 1
    LOADS = 2
    LEARNS = 3
    TESTS = 4
    DONE = 5
    STOPPED = 6
