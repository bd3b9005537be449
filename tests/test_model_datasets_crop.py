# SPDX-License-Identifier: BSD-2-Clause
"""The middle of each image: the right pixels, the right digest, one sentence for images that are too small."""

import numpy as np
import pytest

from erbium.sw_model.datasets import DatasetError, middle
from erbium.sw_model.datasets.sources import load_digits
from erbium.sw_model.datasets.split import make_dataset


def numbered(height, width):
    """Images whose pixels are numbered from 0, and one more from image to image."""
    first = np.arange(height * width, dtype=np.uint8).reshape(1, height, width)
    images = first + np.arange(3, dtype=np.uint8)[:, None, None]
    split = (images, np.arange(3, dtype=np.uint8))
    return make_dataset(
        name="numbers",
        source="a test",
        notice="look",
        size=(height, width),
        train=split,
        validation=split,
        test=split,
    )


@pytest.mark.parametrize(
    ("size", "side", "rows", "columns"),
    [
        ((6, 6), 4, slice(1, 5), slice(1, 5)),
        ((5, 5), 4, slice(0, 4), slice(0, 4)),
        ((7, 6), 4, slice(1, 5), slice(1, 5)),
        ((4, 8), 4, slice(0, 4), slice(2, 6)),
        ((3, 3), 1, slice(1, 2), slice(1, 2)),
    ],
)
def test_the_middle(size, side, rows, columns):
    whole = numbered(*size)
    cut = middle(whole, side)
    assert (cut.height, cut.width, cut.n_pixels, cut.n_classes) == (side, side, side * side, 3)
    assert (cut.name, cut.source, cut.notice) == (f"numbers (middle {side} x {side})", "a test", "look")
    for name in ("train", "validation", "test"):
        mine, other = getattr(cut, name), getattr(whole, name)
        expected = other.images.reshape(-1, *size)[:, rows, columns].reshape(len(other), -1)
        assert np.array_equal(mine.images, expected)
        assert np.array_equal(mine.labels, other.labels)
        assert not mine.images.flags.writeable
    assert cut.digest != whole.digest
    assert middle(whole, side).digest == cut.digest


def test_the_whole_image_is_the_data_set_itself():
    digits = load_digits()
    assert middle(digits, 0) is digits
    assert middle(digits, 8) is digits


def test_images_that_are_too_small():
    with pytest.raises(DatasetError, match=r"numbers have 4 x 6 pixels and the middle 5 x 5 .*; get some"):
        middle(numbered(4, 6), 5, "get some")
