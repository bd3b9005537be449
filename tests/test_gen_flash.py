# SPDX-License-Identifier: BSD-2-Clause
"""Data for a board's flash: what is written is read back, and nothing that is damaged is taken for data."""

import random
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from erbium.gen.flash_image import (
    FlashError,
    FlashPass,
    FlashRun,
    binarised,
    block,
    flash_image,
    read_image,
    sample_payload,
)
from erbium.gen.presets import erbp_network, preset
from erbium.hdl.flash.layout import (
    HEADER,
    Fault,
    PixelKind,
    block_octets,
    most_sample_octets,
    octets_of,
    pass_fields,
)
from erbium.hdl.registers import flash_registers
from erbium.hdl.runs import pixels_of, run_octets
from erbium.sw_model.datasets import Split
from erbium.sw_model.datasets.sources import load_tiny_digits
from erbium.sw_model.programs import DescriptionError

TINY = preset("tiny").network
ROOM = 1 << 20


def made(pixels=PixelKind.BITS, network=TINY, n_train=30, n_test=7, at=0x1000):
    """Return a run on the tiny digits and its bytes."""
    data = load_tiny_digits()
    splits = {}
    for name, split, count in (("train", data.train, n_train), ("test", data.test, n_test)):
        first = Split(split.images[:count], split.labels[:count])
        splits[name] = binarised(first) if pixels is PixelKind.BITS else first
    rates = network.rates
    passes = (
        FlashPass(True, "train", 0, n_train, 0, network.n_ticks, 0, 1, rates),
        FlashPass(False, "test", 0, n_test, 0, network.n_ticks, 2, 0, rates),
        FlashPass(True, "train", 5, 2 * n_train, 70_000, 9, 0, 4, tuple(rate // 2 for rate in rates)),
    )
    run = FlashRun(network, 4, 4, pixels, splits, network.initial_weights(), passes)
    return run, flash_image(run, at, ROOM)


@pytest.mark.parametrize("pixels", PixelKind)
@pytest.mark.parametrize("width", [8, 12])
def test_what_is_written_is_read_back(pixels, width):
    network = erbp_network("wide", (6,), n_inputs=16, n_classes=4, n_ticks=16, weight_width=width)
    run, octets = made(pixels, network)
    found = read_image(octets, network)
    assert (found.height, found.width, found.pixels) == (4, 4, pixels)
    for mine, other in zip(run.weights, found.weights, strict=True):
        np.testing.assert_array_equal(mine, other)
    names = dict(zip((one.split for one in found.passes), (one.split for one in run.passes), strict=True))
    assert tuple(replace(one, split=names[one.split]) for one in found.passes) == run.passes
    for name, split in found.splits.items():
        np.testing.assert_array_equal(split.images, run.splits[names[name]].images)
        np.testing.assert_array_equal(split.labels, run.splits[names[name]].labels)


@pytest.mark.parametrize("pixels", PixelKind)
def test_a_wrong_bit_anywhere_is_noticed(pixels):
    _, octets = made(pixels)
    draw = random.Random(1)
    for place in [*range(70), *(draw.randrange(len(octets)) for _ in range(200))]:
        damaged = bytearray(octets)
        damaged[place] ^= 1 << draw.randrange(8)
        with pytest.raises(FlashError) as error:
            read_image(bytes(damaged), TINY)
        assert error.value.fault is not Fault.NONE


def test_what_is_no_data_for_this_network_is_refused():
    _, octets = made()
    with pytest.raises(FlashError, match=r"no data of Erbium .*erbium flash BOARD NETWORK --data") as error:
        read_image(b"\xff" * 1000, TINY)
    assert error.value.fault is Fault.NO_DATA
    other = preset("first-spike-tiny").network
    with pytest.raises(FlashError, match=f"digest {TINY.digest} and 'first-spike-tiny'") as error:
        read_image(octets, other)
    assert error.value.fault is Fault.OTHER_NETWORK
    head = block_octets(octets_of(HEADER))
    payload = bytearray(octets[2 : head - 4])
    payload[4] = 9
    with pytest.raises(FlashError, match="have version 9 and this Erbium writes and reads 1") as error:
        read_image(block(bytes(payload)) + octets[head:], TINY)
    assert error.value.fault is Fault.OTHER_VERSION


def test_what_is_too_much_is_told():
    run, octets = made()
    assert flash_image(run, 0, len(octets))
    with pytest.raises(
        FlashError,
        match=rf"37 samples of 'tiny' take {len(octets):,} bytes and the flash has {len(octets) - 1:,} .*fewer",
    ):
        flash_image(run, 0, len(octets) - 1)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"height": 2}, "2 x 4 pixels, and network 'tiny' takes 16"),
        ({"height": 256}, "at most 255 x 255"),
        ({"splits": {"train": Split(np.ones((1, 16), np.uint8), np.zeros(1, np.uint8))}}, "are 0 or 255"),
        ({"splits": {"train": Split(np.zeros((1, 16), np.uint8), np.full(1, 4, np.uint8))}}, "a label 4,"),
    ],
)
def test_what_no_chip_takes_is_not_written(change, says):
    run, _ = made()
    with pytest.raises(ValueError, match=says):
        replace(run, **change)


@pytest.mark.parametrize("change", [{"count": 0}, {"count": 1 << 24}, {"first": -1}, {"shift": 5}])
def test_a_pass_that_no_chip_can_do(change):
    run, _ = made()
    with pytest.raises(DescriptionError):
        replace(run.passes[0], **change)


@given(st.lists(st.one_of(st.just(0), st.integers(0, 255)), min_size=1, max_size=400))
def test_runs_of_any_pixels(pixels):
    octets = run_octets(bytes(pixels))
    assert pixels_of(octets, len(pixels)) == bytes(pixels)
    assert pixels_of(octets, len(pixels) + 9) == bytes(pixels) + bytes(9)
    assert 1 + len(octets) <= most_sample_octets(len(pixels), PixelKind.RUNS)


@pytest.mark.parametrize(
    ("octets", "says"), [(b"\x85\1\2", "within a run"), (b"\x7f", "more than 100 pixels")]
)
def test_runs_that_are_wrong(octets, says):
    with pytest.raises(ValueError, match=says):
        pixels_of(octets, 100)


def test_samples_are_as_long_as_said():
    image = np.full(16, 255, np.uint8)
    assert len(sample_payload(image, 3, PixelKind.BITS)) == most_sample_octets(16, PixelKind.BITS) == 3
    assert len(sample_payload(image, 3, PixelKind.RUNS)) == most_sample_octets(16, PixelKind.RUNS) == 18


def test_fields_lie_one_behind_the_other():
    for fields in (HEADER, pass_fields(3)):
        assert [field.at for field in fields[1:]] == [field.end for field in fields[:-1]]
    assert all(re.fullmatch("flash_[a-z]+", register.name) for register in flash_registers())
