# SPDX-License-Identifier: BSD-2-Clause
"""The shift of training images equals a naive loop, and is fast enough to run on every batch."""

import time

import numpy as np
import pytest

from erbium.sw_model.datasets import shift_images


def shift_one_by_one(images, height, width, dy, dx):
    out = np.zeros_like(images)
    for k, image in enumerate(images.reshape(-1, height, width)):
        for y in range(height):
            for x in range(width):
                if 0 <= y - dy[k] < height and 0 <= x - dx[k] < width:
                    out[k, y * width + x] = image[y - dy[k], x - dx[k]]
    return out


@pytest.mark.parametrize(("height", "width"), [(5, 3), (3, 5), (1, 1), (1, 4), (4, 1), (2, 2), (8, 8)])
@pytest.mark.parametrize("dtype", [np.int64, np.int8])
def test_the_shift_equals_the_loop(height, width, dtype):
    rng = np.random.default_rng(3)
    images = rng.integers(1, 256, (90, height * width), dtype=np.uint8)
    dy, dx = (rng.permutation(np.arange(90) % 9) // part % 3 - 1 for part in (1, 3))
    before = images.copy()
    shifted = shift_images(images, height, width, dy.astype(dtype), dx.astype(dtype))
    assert np.array_equal(shifted, shift_one_by_one(images, height, width, dy, dx))
    assert np.array_equal(images, before)
    assert shifted.dtype == np.uint8
    assert shifted.flags.writeable


def test_no_shift_and_no_images():
    images = np.arange(12, dtype=np.uint8).reshape(2, 6)
    zero = np.zeros(2, dtype=np.int64)
    assert np.array_equal(shift_images(images, 2, 3, zero, zero), images)
    assert shift_images(images[:0], 2, 3, zero[:0], zero[:0]).shape == (0, 6)


def test_the_shift_is_fast():
    rng = np.random.default_rng(4)
    images = rng.integers(0, 256, (50_000, 784), dtype=np.uint8)
    dy, dx = rng.integers(-1, 2, (2, 50_000))
    # The best of three, as other tests run on the same machine.
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        shift_images(images, 28, 28, dy, dx)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.5


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"dy": np.array([0, 2])}, "dy: found 2, expected -1, 0 or 1"),
        ({"dx": np.array([-2, 0])}, "dx: found -2, expected -1, 0 or 1"),
        ({"dx": np.array([255, 0], dtype=np.uint8)}, "dx: found 255, expected -1, 0 or 1"),
        (
            {"dy": np.array([0.0, 1.0])},
            r"dy: found float64 of shape \(2,\), expected integers of shape \(2,\)",
        ),
        ({"dx": np.array([0])}, r"dx: found int64 of shape \(1,\), expected integers of shape \(2,\)"),
        ({"height": 3}, r"images: found uint8 of shape \(2, 6\), expected uint8 of shape \(2, 9\)"),
        ({"images": np.zeros((2, 6))}, "images: found float64"),
    ],
)
def test_the_shift_checks_its_arguments(changes, expected):
    arguments = {
        "images": np.zeros((2, 6), dtype=np.uint8),
        "height": 2,
        "width": 3,
        "dy": np.array([0, 1]),
        "dx": np.array([0, 1]),
    }
    with pytest.raises(ValueError, match=expected):
        shift_images(**(arguments | changes))
