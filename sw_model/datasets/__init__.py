# SPDX-License-Identifier: BSD-2-Clause
"""Labelled images: any data set in MNIST's IDX form, MNIST or a part of it, or the digits that come with scikit-learn.

``load`` picks the source, ``Dataset`` is what it returns, ``middle`` cuts its images, ``hold_out`` splits
them anew, ``shift_images`` augments a batch, and ``write_idx`` turns arrays into files that ``load`` reads.
"""

from erbium.sw_model.datasets.augment import move_images, shift_images
from erbium.sw_model.datasets.crop import middle
from erbium.sw_model.datasets.download import FASHION_MNIST, MNIST, Remote
from erbium.sw_model.datasets.hold_out import hold_out
from erbium.sw_model.datasets.idx import DatasetError, read_idx, write_idx
from erbium.sw_model.datasets.sources import load
from erbium.sw_model.datasets.split import Dataset, Split

__all__ = [
    "FASHION_MNIST",
    "MNIST",
    "Dataset",
    "DatasetError",
    "Remote",
    "Split",
    "hold_out",
    "load",
    "middle",
    "move_images",
    "read_idx",
    "shift_images",
    "write_idx",
]
