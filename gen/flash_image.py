# SPDX-License-Identifier: BSD-2-Clause
"""Data for a board's flash: written from samples, weights and passes, and read back with every check a chip makes.

The layout is that of :mod:`erbium.hdl.flash.layout`. What is written is a run: the chip loads the weights, learns and
tests as the passes say, and stops. :func:`play` has a model do the same.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from erbium.hdl.flash.layout import (
    COUNT_BITS,
    CRC_BYTES,
    HEADER,
    LENGTH_BYTES,
    MAGIC,
    MAX_PASSES,
    MAX_SHIFT,
    VERSION,
    Fault,
    PassKind,
    PixelKind,
    block_octets,
    octets_of,
    pack,
    pass_fields,
    unpack,
)
from erbium.hdl.registers import weight_bytes
from erbium.hdl.runs import pixels_of, run_octets
from erbium.sw_model import constants
from erbium.sw_model.constants import Array
from erbium.sw_model.datasets import Split, move_images
from erbium.sw_model.network import Network
from erbium.sw_model.programs import DescriptionError, check_range
from erbium.sw_model.results import Results

THRESHOLD = 128
"""A pixel from here on is a set bit, which stands for 255; one below is black."""

MAX_SIDE = 255
"""Pixels of the height and the width of an image, at most."""


class FlashError(DescriptionError):
    """Data that a flash cannot hold, or that a chip does not take; one sentence, and for the latter the chip's code.

    Attributes
    ----------
    fault : Fault
        What the chip would say; ``NONE`` of data that were never written.
    """

    def __init__(self, text: str, fault: Fault = Fault.NONE) -> None:
        super().__init__(text)
        self.fault = fault


@dataclass(frozen=True)
class FlashPass:
    """What is to be done with a split of the samples.

    Parameters
    ----------
    learn : bool
        Whether its samples are learned; else they are inferred, and the right answers counted.
    split : str
        Name of the split.
    start : int
        Place in the split of the first sample; behind the last one comes the first one again.
    count : int
        Samples, at least 1.
    first : int
        Number of the first sample, which decides its seed and its shift.
    n_ticks : int
        Longest presentation.
    decide_after : int
        Output spikes that settle an inference, 0 for never.
    shift : int
        Images are moved by up to so many pixels in each direction, 0 ... 4.
    rates : tuple of int
        Learning rate of each layer.
    """

    learn: bool
    split: str
    start: int
    count: int
    first: int
    n_ticks: int
    decide_after: int
    shift: int
    rates: tuple[int, ...]

    def __post_init__(self) -> None:
        check_range("samples of a pass", self.count, 1, (1 << COUNT_BITS) - 1)
        check_range("number of the first sample", self.first, 0, (1 << 32) - 1)
        check_range("shift", self.shift, 0, MAX_SHIFT, " pixels")


@dataclass(frozen=True)
class FlashRun:
    """What a chip does with the data in its flash.

    Parameters
    ----------
    network : Network
    height, width : int
        Of an image, in pixels.
    pixels : PixelKind
    splits : mapping of Split
        By name; as the chip sees them: where pixels are bits, each is 0 or 255.
    weights : sequence of ndarray
        That it starts with.
    passes : tuple of FlashPass
    """

    network: Network
    height: int
    width: int
    pixels: PixelKind
    splits: Mapping[str, Split]
    weights: Sequence[Array]
    passes: tuple[FlashPass, ...]

    def __post_init__(self) -> None:
        if not (1 <= self.height <= MAX_SIDE and 1 <= self.width <= MAX_SIDE):
            raise FlashError(
                f"the images have {self.height} x {self.width} pixels, and a chip takes at most {MAX_SIDE} x "
                f"{MAX_SIDE} from its flash; use smaller ones"
            )
        if self.height * self.width != self.network.n_inputs:
            raise FlashError(
                f"the images have {self.height} x {self.width} pixels, and network {self.network.name!r} takes "
                f"{self.network.n_inputs}; use another network or other data"
            )
        check_range("passes", len(self.passes), 0, MAX_PASSES - 2 - len(self.weights))
        for split in self.splits.values():
            worst = int(split.labels.max(initial=0))
            if worst >= self.network.n_classes:
                raise FlashError(
                    f"there is a label {worst}, and network {self.network.name!r} tells {self.network.n_classes} "
                    "classes apart; use another network or other data"
                )
            levels = np.isin(split.images, (0, 255)).all()
            if self.pixels is PixelKind.BITS and not levels:
                raise FlashError("pixels of one bit are 0 or 255; binarise the images first")


def binarised(split: Split) -> Split:
    """Return a split whose pixels are 255 from :data:`THRESHOLD` on, and 0 below."""
    images = np.where(split.images >= THRESHOLD, 255, 0).astype(np.uint8)
    return Split(images, split.labels)


def block(payload: bytes) -> bytes:
    """Return a block: the length of a payload, the payload, and the CRC-32 of both."""
    body = len(payload).to_bytes(LENGTH_BYTES, "little") + payload
    return body + zlib.crc32(body).to_bytes(CRC_BYTES, "little")


def sample_payload(image: Array, label: int, pixels: PixelKind) -> bytes:
    """Return the payload of a sample: its label and its pixels."""
    if pixels is PixelKind.BITS:
        return bytes([label]) + np.packbits(image > 0, bitorder="little").tobytes()
    return bytes([label]) + run_octets(image.tobytes().rstrip(b"\0"))


def row_payload(row: Array, weight_width: int) -> bytes:
    """Return the payload of a row of weights: two's complement, of one byte each, or two beyond 8 bits."""
    return row.astype("<i1" if weight_bytes(weight_width) == 1 else "<i2").tobytes()


def flash_image(run: FlashRun, data_at: int, room: int) -> bytes:
    """Return what is to be written into a flash.

    Parameters
    ----------
    run : FlashRun
    data_at : int
        Address at which it will begin.
    room : int
        Bytes from there to the end of the flash.

    Raises
    ------
    FlashError
        If it is more than there is room for.
    """
    network = run.network
    fields = pass_fields(len(network.layers))
    head, each = block_octets(octets_of(HEADER)), block_octets(octets_of(fields))
    n_passes = len(run.weights) + len(run.passes) + 1
    at = data_at + head + n_passes * each
    body = bytearray()
    rows_at = []
    for layer, values in zip(network.layers, run.weights, strict=True):
        rows_at.append(at + len(body))
        for weights in values:
            body += block(row_payload(weights, layer.weight_width))
    places: dict[str, list[int]] = {}
    for name, split in run.splits.items():
        places[name] = starts = []
        for image, label in zip(split.images, split.labels, strict=True):
            starts.append(at + len(body))
            body += block(sample_payload(image, int(label), run.pixels))
    end = at + len(body)
    if end - data_at > room:
        samples = sum(map(len, run.splits.values()))
        fewer = "fewer images" if run.pixels is PixelKind.BITS else "fewer images, or keep them as bits"
        raise FlashError(
            f"{samples:,} samples of {network.name!r} take {end - data_at:,} bytes and the flash has {room:,} behind "
            f"the bitstream; write {fewer}"
        )
    header = {
        "magic": int.from_bytes(MAGIC, "little"),
        "version": VERSION,
        "digest": int(network.digest, 16),
        "pixels": run.pixels,
        "height": run.height,
        "width": run.width,
        "end": end,
    }
    table = []
    for number, start in enumerate(rows_at):
        rows = network.n_rows(number)
        where = {"start": start, "base": start, "until_base": rows, "size": rows, "count": rows}
        table.append({"kind": PassKind.WEIGHTS, "layer": number} | where)
    table += [_record(run, one, places[one.split]) for one in run.passes]
    table.append({"kind": PassKind.STOP})
    out = bytearray(block(pack(HEADER, header)))
    for number, record in enumerate(table, 1):
        out += block(pack(fields, record | {"next": data_at + head + number * each}))
    return bytes(out + body)


def _record(run: FlashRun, one: FlashPass, starts: Sequence[int]) -> dict[str, int]:
    """Return the fields of a pass."""
    check_range("place of the first sample", one.start, 0, len(starts) - 1, ", of the split")
    seed = run.network.seed
    return {
        "kind": PassKind.LEARN if one.learn else PassKind.TEST,
        "n_ticks": one.n_ticks,
        "decide_after": one.decide_after,
        "shift": one.shift,
        "start": starts[one.start],
        "base": starts[0],
        "until_base": len(starts) - one.start,
        "size": len(starts),
        "count": one.count,
        "first": one.first,
        "seed_state": constants.sample_seed_state(seed, one.learn),
        "shift_state": constants.image_shift_state(seed),
        **{f"rate_{number}": rate for number, rate in enumerate(one.rates, 1)},
    }


class _Blocks:
    """Reads blocks out of the bytes of a flash."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self.data_at = self.at = 0

    def take(self, what: str, fault: Fault = Fault.DAMAGED_BLOCK) -> bytes:
        """Return the next payload."""
        start = self.at - self.data_at
        length = int.from_bytes(self._octets[start : start + LENGTH_BYTES], "little")
        body = self._octets[start : start + LENGTH_BYTES + length]
        crc = self._octets[start + LENGTH_BYTES + length :][:CRC_BYTES]
        if start < 0 or len(body) < LENGTH_BYTES + 1 or zlib.crc32(body).to_bytes(CRC_BYTES, "little") != crc:
            raise FlashError(f"the checksum of {what} is wrong; write the data again", fault)
        self.at += block_octets(length)
        return body[LENGTH_BYTES:]


def read_image(octets: bytes, network: Network) -> FlashRun:
    """Return the run that the bytes of a flash hold, from where its data begin, checked as a chip checks it.

    Raises
    ------
    FlashError
        If there are no data, if they are damaged, or for another network or another version of Erbium.
    """
    start = octets[LENGTH_BYTES : LENGTH_BYTES + len(MAGIC)]
    if start != MAGIC:
        raise FlashError(
            "there are no data of Erbium in the flash; write them with 'erbium flash BOARD NETWORK --data DATA'",
            Fault.NO_DATA,
        )
    blocks = _Blocks(octets)
    head = unpack(HEADER, blocks.take("the header of the data", Fault.DAMAGED_HEADER))
    if head["version"] != VERSION:
        raise FlashError(
            f"the data in the flash have version {head['version']} and this Erbium writes and reads {VERSION}; write "
            "them again",
            Fault.OTHER_VERSION,
        )
    if head["digest"] != int(network.digest, 16):
        raise FlashError(
            f"the data in the flash are for a network with digest {head['digest']:016x} and {network.name!r} has "
            f"{network.digest}; write them again for this one",
            Fault.OTHER_NETWORK,
        )
    records = list(_records(blocks, network))
    weights = []
    for number, record in enumerate(record for record in records if record["kind"] == PassKind.WEIGHTS):
        blocks.at = record["start"]
        layer = network.layers[number]
        kind = "<i1" if weight_bytes(layer.weight_width) == 1 else "<i2"
        rows = [
            np.frombuffer(blocks.take(f"row {row} of layer {number + 1}"), kind)
            for row in range(record["count"])
        ]
        weights.append(np.stack(rows).astype(np.int16))
    played = [record for record in records if record["kind"] in (PassKind.LEARN, PassKind.TEST)]
    pixels = PixelKind(head["pixels"])
    names = {record["base"]: f"split {number}" for number, record in enumerate(played)}
    sizes = {record["base"]: record["size"] for record in played}
    found = {base: _split(blocks, base, sizes[base], pixels, network.n_inputs) for base in sizes}
    passes = tuple(
        FlashPass(
            record["kind"] == PassKind.LEARN,
            names[record["base"]],
            record["size"] - record["until_base"],
            record["count"],
            record["first"],
            record["n_ticks"],
            record["decide_after"],
            record["shift"],
            tuple(record[f"rate_{number + 1}"] for number in range(len(network.layers))),
        )
        for record in played
    )
    splits = {names[base]: split for base, split in found.items()}
    return FlashRun(network, head["height"], head["width"], pixels, splits, weights, passes)


def _records(blocks: _Blocks, network: Network) -> Iterator[dict[str, int]]:
    """Yield the passes up to that which ends the run."""
    fields = pass_fields(len(network.layers))
    for number in range(MAX_PASSES):
        payload = blocks.take(f"pass {number}")
        if len(payload) != octets_of(fields) or payload[0] not in tuple(PassKind):
            raise FlashError(
                f"pass {number} is none of this network; write the data again", Fault.WRONG_BLOCK
            )
        record = unpack(fields, payload)
        if number == 0:
            # Addresses are those of the flash, of which only the data are at hand.
            blocks.data_at = record["next"] - blocks.at
        yield record
        if record["kind"] == PassKind.STOP:
            return
        blocks.at = record["next"]


def _split(blocks: _Blocks, base: int, size: int, pixels: PixelKind, n_inputs: int) -> Split:
    """Return the samples of a split."""
    blocks.at = base
    images, labels = np.zeros((size, n_inputs), np.uint8), np.zeros(size, np.uint8)
    for number in range(size):
        payload = blocks.take(f"sample {number}")
        labels[number] = payload[0]
        try:
            images[number] = np.frombuffer(_unpacked(payload[1:], pixels, n_inputs), np.uint8)
        except ValueError as error:
            raise FlashError(f"{error}; write the data again", Fault.WRONG_BLOCK) from None
    return Split(images, labels)


def _unpacked(octets: bytes, pixels: PixelKind, n_inputs: int) -> bytes:
    """Return the pixels of a sample."""
    if pixels is PixelKind.RUNS:
        return pixels_of(octets, n_inputs)
    if len(octets) != -(-n_inputs // 8):
        raise ValueError(f"the bits of a sample are not {n_inputs} pixels")
    bits = np.unpackbits(np.frombuffer(octets, np.uint8), bitorder="little")[:n_inputs]
    return bytes(bits * 255)


class Engine(Protocol):
    """What a run is played on: a model of an array."""

    decide_after: int

    def set_rates(self, rates: Sequence[int], /) -> None:
        """Set the learning rate of each layer."""

    def run(
        self, images: Array, seeds: Array, labels: Array | None = None, *, n_ticks: int | None = None
    ) -> Results:
        """Present samples in order."""

    def load(self, weights: Sequence[Array]) -> None:
        """Replace all weights."""


def samples_of(run: FlashRun, one: FlashPass) -> tuple[Array, Array, Array]:
    """Return images, labels and seeds of the samples of a pass: what the chip gives its array."""
    split = run.splits[one.split]
    index = np.arange(one.start, one.start + one.count) % len(split)
    images: Array = split.images[index]
    down, right = constants.image_shifts(run.network.seed, one.first, one.count, one.shift)
    images = move_images(images, run.height, run.width, down, right, one.shift)
    seeds = constants.sample_seeds(run.network.seed, one.learn, one.first, one.count)
    return images, split.labels[index], seeds


def play(run: FlashRun, engine: Engine) -> list[int]:
    """Have a model do what the chip does with the data; return the right answers of each pass."""
    engine.load(run.weights)
    rights = []
    for one in run.passes:
        images, labels, seeds = samples_of(run, one)
        engine.set_rates(one.rates)
        engine.decide_after = one.decide_after
        taught = labels.astype(np.int64) if one.learn else None
        results = engine.run(images, seeds, taught, n_ticks=one.n_ticks)
        rights.append(int((results.answers == labels).sum()))
    return rights
