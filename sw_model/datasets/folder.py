# SPDX-License-Identifier: BSD-2-Clause
"""A data set from four IDX files: find them, check them against each other, split them."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erbium.sw_model.datasets.idx import GZIP_MAGIC, Kind, problem, read_idx
from erbium.sw_model.datasets.split import Dataset, check_every_class, make_dataset

TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"
FILE_NAMES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)

# One image in six of the training file: 10,000 of MNIST's 60,000, as many as it has for the test.
VALIDATION_DIVISOR = 6

_SAME_SET = "take all four files from the same data set"


def _spellings(name: str) -> tuple[str, ...]:
    """Names under which the file goes around, the preferred one first."""
    dotted = name.replace("-idx", ".idx")
    return name, dotted, f"{name}.gz", f"{dotted}.gz"


def find_files(folder: Path, named_by: str) -> dict[str, Path]:
    """The four files of a folder by their standard names.

    Parameters
    ----------
    folder : Path
        Where to look; not searched in depth.
    named_by : str
        What named this folder, for the error texts.

    Raises
    ------
    DatasetError
        If the folder or one of the files is missing.
    """
    four = f"the four IDX files {', '.join(FILE_NAMES)} (each may end in .gz)"
    way_out = "point --data or ERBIUM_DATA at a folder that holds them"
    where = f"{folder} (named by {named_by})"
    if not folder.exists():
        raise problem(where, "no such folder", f"a folder with {four}", way_out)
    if not folder.is_dir():
        hint = (
            f"name its folder, {folder.parent}" if _plain(folder.name) in map(_plain, FILE_NAMES) else way_out
        )
        raise problem(where, "a file", f"a folder with {four}", hint)
    try:
        is_empty = not any(folder.iterdir())
    except OSError as error:
        raise problem(
            where, f"that it cannot be listed ({error.strerror})", four, "check its permissions"
        ) from error
    if is_empty:
        raise problem(where, "an empty folder", four, way_out)
    paths: dict[str, Path] = {}
    for name in FILE_NAMES:
        candidates = [folder / spelling for spelling in _spellings(name)]
        path = next((p for p in candidates if p.is_file()), None)
        if path is None:
            raise problem(where, f"no file {name}", four, _near_miss(folder, name) or f"add it, or {way_out}")
        paths[name] = path
    return paths


def _plain(name: str) -> str:
    """Return what is left of a file's name without its case, its marks and what is appended."""
    stem = re.sub(r"(\.(gz|gzip|z|zip|bz2|xz|tar|bin|txt|download|part|crdownload))*$", "", name.lower())
    return re.sub(r"[^a-z0-9]", "", re.sub(r"\s*\(\d+\)$", "", stem))


def _near_miss(folder: Path, name: str) -> str:
    """Return what to do about something that nearly is the file, or nothing: as part of a sentence."""
    try:
        entries = sorted(folder.iterdir())
        below = [path for path in entries if path.is_dir()]
        below += [path for parent in below for path in sorted(parent.iterdir()) if path.is_dir()]
    except OSError:
        return ""
    for sub in below:
        if all(any((sub / spelling).is_file() for spelling in _spellings(each)) for each in FILE_NAMES):
            return f"look in {sub}, which holds all four"
    for path in entries:
        if _plain(path.name) != _plain(name):
            continue
        if path.is_dir():
            inside = next(
                (file for file in sorted(path.iterdir()) if _plain(file.name) == _plain(name)), None
            )
            file = f", move {inside} out of it" if inside is not None else ""
            return f"{path.name} is a folder and not the file{file}"
        return f"there is {path.name}: {_rename(path, name)}"
    pictures = sum(path.suffix.lower() in (".png", ".jpg", ".jpeg", ".bmp") for path in entries)
    if pictures:
        return (
            f"there are {pictures:,} pictures, which write_idx of erbium.sw_model.datasets turns into such files once "
            "they are an array"
        )
    return ""


def _rename(path: Path, name: str) -> str:
    with path.open("rb") as file:
        start = file.read(6)
    for magic, what in ((b"PK", "a zip"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz")):
        if start.startswith(magic):
            return f"it is {what}, so unpack it to {name}"
    return f"rename it to {name}{'.gz' if start.startswith(GZIP_MAGIC) else ''}"


def _read_pair(image_path: Path, label_path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    kinds: tuple[tuple[Path, Kind], ...] = ((image_path, "images"), (label_path, "labels"))
    images, labels = (read_idx(path, kind) for path, kind in kinds)
    if len(images) != len(labels):
        raise problem(
            label_path,
            f"{len(labels)} labels",
            f"{len(images)}, one per image of {image_path.name}",
            _SAME_SET,
        )
    return images, labels


def _check_labels(path: Path, labels: NDArray[Any]) -> None:
    """Refuse labels that do not number two or more classes from 0."""
    present = np.unique(labels)
    if len(present) == 1:
        raise problem(
            path, f"the label {present[0]} only", "at least two classes", "use a data set with more classes"
        )
    if present[0] > 0:
        raise problem(
            path,
            f"labels from {present[0]} to {present[-1]}",
            "classes that are numbered from 0",
            f"subtract {present[0]} from the labels of both files: "
            f"write_idx(FILE, read_idx(FILE, 'labels') - {present[0]}), both of erbium.sw_model.datasets",
        )


def read_files(paths: dict[str, Path], *, name: str, source: str) -> Dataset:
    """Read four IDX files; the last sixth of the training file becomes the validation split.

    Parameters
    ----------
    paths : dict
        Path of each of `FILE_NAMES`.
    name, source : str
        As in `Dataset`.

    Returns
    -------
    Dataset
        Images in the order of their files: 50,000 / 10,000 / 10,000 for MNIST.

    Raises
    ------
    DatasetError
        If a file is damaged, or the four do not belong together.
    """
    images, labels = _read_pair(paths[TRAIN_IMAGES], paths[TRAIN_LABELS])
    test_images, test_labels = _read_pair(paths[TEST_IMAGES], paths[TEST_LABELS])
    size, test_size = images.shape[1:], test_images.shape[1:]
    if test_size != size:
        raise problem(
            paths[TEST_IMAGES],
            f"images of {test_size[0]} x {test_size[1]} pixels",
            f"{size[0]} x {size[1]} as in {paths[TRAIN_IMAGES].name}",
            _SAME_SET,
        )
    largest = int(labels.max())
    _check_labels(paths[TRAIN_LABELS], labels)
    if int(test_labels.max()) > largest:
        index = int(np.argmax(test_labels > largest))
        raise problem(
            paths[TEST_LABELS],
            f"the label {test_labels[index]} at index {index}",
            f"0 to {largest} as in {paths[TRAIN_LABELS].name}",
            _SAME_SET,
        )
    n_validation = len(images) // VALIDATION_DIVISOR
    if n_validation == 0:
        raise problem(
            paths[TRAIN_IMAGES],
            f"{len(images)} images",
            f"at least {VALIDATION_DIVISOR}, as one in {VALIDATION_DIVISOR} is kept for validation",
            "use a larger training file",
        )
    cut = len(images) - n_validation
    check_every_class(paths[TRAIN_LABELS], labels[:cut], labels)
    return make_dataset(
        name=name,
        source=source,
        notice="",
        size=(size[0], size[1]),
        train=(images[:cut], labels[:cut]),
        validation=(images[cut:], labels[cut:]),
        test=(test_images, test_labels),
    )
