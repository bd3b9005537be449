# SPDX-License-Identifier: BSD-2-Clause
"""What a data set is for the rest of the project: three splits of labelled images and a digest of them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erbium.sw_model.datasets.idx import problem

Labels = NDArray[np.uint8] | NDArray[np.uint16]

# Names of the sets whose content is known, whatever the folder is called that holds them.
_KNOWN_NAMES = {
    "83b608bfbc805620": "MNIST",
    "307f61d8ee3933a5": "Fashion-MNIST",
}


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    # A view, so that an array of the caller keeps the flag it had.
    view = np.ascontiguousarray(array).view()
    view.setflags(write=False)
    return view


@dataclass(frozen=True, eq=False)
class Split:
    """Labelled images of one purpose, in the order of their file.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, height * width)
        Pixels 0 (background) to 255, row by row. Read-only.
    labels : ndarray of uint8 or uint16, shape (n,)
        Class of each image, 0 to n_classes - 1. Read-only.

    Raises
    ------
    ValueError
        If a shape or an element type differs from the above.
    """

    images: NDArray[np.uint8]
    labels: Labels

    def __post_init__(self) -> None:
        if self.images.ndim != 2 or self.images.dtype != np.uint8:
            raise ValueError(
                f"images: found {self.images.dtype} of shape {self.images.shape}, "
                "expected uint8 of shape (n, pixels)"
            )
        if self.labels.shape != self.images.shape[:1] or self.labels.dtype not in (np.uint8, np.uint16):
            raise ValueError(
                f"labels: found {self.labels.dtype} of shape {self.labels.shape}, "
                f"expected uint8 or uint16 of shape ({len(self.images)},)"
            )
        object.__setattr__(self, "images", _read_only(self.images))
        object.__setattr__(self, "labels", _read_only(self.labels))

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images of one size with labels, split by purpose.

    Attributes
    ----------
    name : str
        Short name for reports.
    source : str
        Where the data came from, in words.
    notice : str
        A sentence the user has to see when this is not the data they may expect, else empty.
    height, width : int
        Image size in pixels.
    n_classes : int
        Largest label of the training file plus one.
    train, validation, test : Split
        To learn from, to choose parameters by, and to report on.
    digest : str
        First 16 hexadecimal digits of a SHA-256 over sizes, pixels and labels of the three splits: equal for
        equal content wherever it came from. Checkpoints keep it, so that a resumed run refuses other data.
    """

    name: str
    source: str
    notice: str
    height: int
    width: int
    n_classes: int
    train: Split
    validation: Split
    test: Split
    digest: str

    @property
    def n_pixels(self) -> int:
        """Pixels of one image."""
        return self.height * self.width


def _digest(height: int, width: int, n_classes: int, splits: tuple[Split, ...]) -> str:
    sha = hashlib.sha256(f"{height} {width} {n_classes}".encode())
    for split in splits:
        sha.update(f" {len(split)}".encode())
        sha.update(split.images.data)
        # One element type for the labels: how a file stores them is not part of the content.
        sha.update(split.labels.astype("<u2").data)
    return sha.hexdigest()[:16]


def check_every_class(
    where: Path | str,
    train: Labels,
    labels: Labels,
    way_out: str = "put the images into another order, in which the classes are mixed",
) -> None:
    """Raise :class:`DatasetError` unless each class from 0 to the largest label has an image to learn from.

    Parameters
    ----------
    where : Path or str
        What holds the labels, for the sentence.
    train : ndarray
        Labels of the training split.
    labels : ndarray
        These, and those of the images that are kept for validation.
    way_out : str
        End of the sentence for a class that is only among the latter.
    """
    largest = int(labels.max())
    counts = np.bincount(train, minlength=largest + 1)
    missing = np.flatnonzero(counts == 0)
    if not missing.size:
        return
    some = ", ".join(map(str, missing[:5])) + (", ..." if missing.size > 5 else "")
    if np.isin(missing[0], labels):
        raise problem(
            where,
            f"images of class {missing[0]} only among those that are kept for validation",
            "some of each class to learn from",
            way_out,
        )
    raise problem(
        where,
        f"labels from 0 to {largest} and no image of class {some}",
        "an image of each class",
        "number the classes that there are from 0 without gaps",
    )


def make_dataset(
    *,
    name: str,
    source: str,
    notice: str,
    size: tuple[int, int],
    train: tuple[NDArray[np.uint8], Labels],
    validation: tuple[NDArray[np.uint8], Labels],
    test: tuple[NDArray[np.uint8], Labels],
) -> Dataset:
    """Bring images of shape (n, height, width) and their labels into a Dataset.

    Parameters
    ----------
    name, source, notice : str
        As in `Dataset`; the name gives way to the usual one of a set whose content is known.
    size : tuple of int
        Height and width in pixels.
    train, validation, test : tuple of ndarray
        Images and labels of each split.
    """
    height, width = size
    n_classes = 1 + max(int(labels.max()) for _, labels in (train, validation))

    def make_split(images: NDArray[np.uint8], labels: Labels) -> Split:
        small: Labels = labels.astype(np.uint8) if n_classes <= 256 else labels.astype(np.uint16)
        return Split(images.reshape(len(images), height * width), small)

    splits = (make_split(*train), make_split(*validation), make_split(*test))
    digest = _digest(height, width, n_classes, splits)
    return Dataset(
        name=_KNOWN_NAMES.get(digest, name),
        source=source,
        notice=notice,
        height=height,
        width=width,
        n_classes=n_classes,
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        digest=digest,
    )
