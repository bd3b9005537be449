# SPDX-License-Identifier: BSD-2-Clause
"""The part of MNIST that comes with Erbium: 12,000 images, so that handwritten digits are learned without a network.

Images and labels are those of MNIST: Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database of handwritten
digits", under the licence Creative Commons Attribution-Share Alike 3.0. ``mnist-12000.txt`` says so beside the file.
"""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np

from erbium.sw_model.datasets.idx import DatasetError
from erbium.sw_model.datasets.split import Dataset, Split, make_dataset

FILE = Path(__file__).with_name("mnist-12000.xz")
"""Images, then labels, a byte each, of the three splits one after the other; tools/pack-mnist.py makes it."""

NAME = "MNIST, 12,000 images"

SIZES = (10_000, 1_000, 1_000)
"""Images of the splits: the first ones of MNIST's, to learn from, to choose by, and to report on."""

_SIDE = 28

# What the pixel before was, in four bits (lc), tells more about a pixel than its place among four (pb).
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "lp": 0, "pb": 0}]


def packed(dataset: Dataset) -> bytes:
    """Return the first images of all splits of MNIST as :data:`FILE` holds them.

    Raises
    ------
    DatasetError
        If it is not MNIST.
    """
    if dataset.name != "MNIST":
        raise DatasetError(f"{dataset.source} holds {dataset.name}; name a folder that holds MNIST")
    splits: list[tuple[Split, int]] = list(
        zip((dataset.train, dataset.validation, dataset.test), SIZES, strict=True)
    )
    images = b"".join(split.images[:size].tobytes() for split, size in splits)
    labels = b"".join(split.labels[:size].tobytes() for split, size in splits)
    return lzma.compress(images + labels, format=lzma.FORMAT_XZ, filters=_FILTERS)


def load_part(notice: str = "") -> Dataset:
    """The first 10,000 / 1,000 / 1,000 images of MNIST's training, validation and test images.

    Parameters
    ----------
    notice : str
        As in `Dataset`.

    Raises
    ------
    DatasetError
        If the file is missing or damaged.
    """
    total = sum(SIZES)
    try:
        data = np.frombuffer(lzma.decompress(FILE.read_bytes()), dtype=np.uint8)
        pixels, labels = data[:-total].reshape(total, _SIDE, _SIDE), data[-total:]
    except (OSError, lzma.LZMAError, ValueError) as error:
        raise DatasetError(
            f"{FILE} cannot be read ({error}); install Erbium anew, or point --data or ERBIUM_DATA at a folder with "
            "the four IDX files"
        ) from None
    ends = np.cumsum(SIZES)[:-1]
    train, validation, test = zip(np.split(pixels, ends), np.split(labels, ends), strict=True)
    return make_dataset(
        name=NAME,
        source="the part of MNIST that comes with Erbium",
        notice=notice,
        size=(_SIDE, _SIDE),
        train=train,
        validation=validation,
        test=test,
    )
