# SPDX-License-Identifier: BSD-2-Clause
"""Where the images come from: a folder the user names, else MNIST, else the part of it that comes along."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from erbium.sw_model.datasets.download import MNIST, REMOTES, Remote, UnavailableError, fetch
from erbium.sw_model.datasets.folder import find_files, read_files
from erbium.sw_model.datasets.idx import DatasetError
from erbium.sw_model.datasets.mnist_part import load_part
from erbium.sw_model.datasets.split import Dataset, Labels, Split, make_dataset

DATA_VARIABLE = "ERBIUM_DATA"

DIGITS, TINY_DIGITS, PART = "digits", "tiny-digits", "mnist-12000"
"""What the data sets that come along are called where a folder could be named."""


def load_digits(notice: str = "") -> Dataset:
    """The 1797 handwritten digits of 8 x 8 pixels that come with scikit-learn.

    Of every seven images of a class, in the order of the file, five are for training, one for validation
    and one for the test: 1290 / 255 / 252 images, the proportions of MNIST, with every class in each split.
    Pixel values 0 to 16 are scaled to 0 to 255 and rounded.

    Parameters
    ----------
    notice : str
        As in `Dataset`.

    Notes
    -----
    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI repository, 1998.
    """
    # Here, because scikit-learn takes a second to import.
    from sklearn.datasets import load_digits as load_bundled

    bundled = load_bundled()
    images = ((bundled.images.astype(np.int64) * 255 + 8) // 16).astype(np.uint8)
    labels = bundled.target.astype(np.uint8)
    place = np.empty(len(labels), dtype=np.int64)  # of each image in the sequence of its class
    for label in range(10):
        members = np.flatnonzero(labels == label)
        place[members] = np.arange(len(members))
    turn = place % 7
    train, validation, test = turn < 5, turn == 5, turn == 6
    return make_dataset(
        name="digits",
        source="the 8x8 digits of scikit-learn",
        notice=notice,
        size=(8, 8),
        train=(images[train], labels[train]),
        validation=(images[validation], labels[validation]),
        test=(images[test], labels[test]),
    )


def load_tiny_digits() -> Dataset:
    """The digits 0 to 3 at 4 x 4 pixels, each the mean of four pixels of the 8 x 8 digits: for the smallest presets."""
    digits = load_digits()

    def shrunk(split: Split) -> tuple[NDArray[np.uint8], Labels]:
        few = split.labels < 4
        blocks = split.images[few].reshape(-1, 4, 2, 4, 2).astype(np.int64)
        return ((blocks.sum(axis=(2, 4)) + 2) // 4).astype(np.uint8), split.labels[few]

    return make_dataset(
        name="tiny digits",
        source=digits.source,
        notice="",
        size=(4, 4),
        train=shrunk(digits.train),
        validation=shrunk(digits.validation),
        test=shrunk(digits.test),
    )


BUNDLED: dict[str, Callable[[], Dataset]] = {
    DIGITS: load_digits,
    TINY_DIGITS: load_tiny_digits,
    PART: load_part,
}
"""Data sets that need no download, by the names that may stand where a folder is named."""

OWN_DATA = {64: DIGITS, 16: TINY_DIGITS}
"""Of these, those that are for networks of so many inputs."""


def _printable(text: str) -> str:
    """Return a file's name without what a page, a table or a terminal would take for something else than text."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def load(
    folder: str | Path | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    allow_download: bool = True,
    cache_dir: Path | None = None,
    remote: Remote = MNIST,
    n_inputs: int | None = None,
) -> Dataset:
    """Load the data set the user named, else MNIST, else the 12,000 images of it that come with Erbium.

    Parameters
    ----------
    folder : str or Path, optional
        Folder with four IDX files under MNIST's names, gzipped or not (`--data` on the command line). A name out
        of ``mnist`` and ``fashion-mnist`` that is no folder here is downloaded, ``digits`` are scikit-learn's,
        ``tiny-digits`` four of them at 4 x 4 pixels, ``mnist-12000`` the part of MNIST that comes with Erbium.
    environ : mapping of str to str
        Environment; ERBIUM_DATA names the folder if the argument does not. Empty counts as unset.
    allow_download : bool
        Whether data may be fetched; when it is in the cache already, no network is used anyway.
    cache_dir : Path, optional
        Where downloads are kept instead of the user's cache.
    remote : Remote
        What to fetch when nothing is named.
    n_inputs : int, optional
        Inputs of the network that is to see the data: if `folder` is not given, those of the smallest networks bring
        their own data, unless ERBIUM_DATA names some of their size.

    Returns
    -------
    Dataset
        Its `notice` is a sentence to show when the part of MNIST had to stand in, else empty.

    Raises
    ------
    DatasetError
        If a named folder does not hold a usable data set, or a named data set cannot be had: what the user
        asked for is never replaced.
    """
    if folder is None and n_inputs in OWN_DATA:
        if not environ.get(DATA_VARIABLE):
            return BUNDLED[OWN_DATA[n_inputs]]()
        found = load(environ=environ)
        return found if found.n_pixels == n_inputs else BUNDLED[OWN_DATA[n_inputs]]()
    named_by = "--data"
    if folder is None and environ.get(DATA_VARIABLE):
        folder, named_by = Path(environ[DATA_VARIABLE]), DATA_VARIABLE
    name = None if folder is None or Path(folder).exists() else str(folder)
    if name in BUNDLED:
        return BUNDLED[name]()
    if folder is not None and name not in REMOTES:
        folder = Path(folder).expanduser()
        return read_files(
            find_files(folder, named_by),
            name=_printable(folder.resolve().name) or "a folder",
            source=f"the folder {_printable(str(folder))}",
        )
    if name in REMOTES:
        remote = REMOTES[name]
    try:
        paths = fetch(remote, cache_dir, allow_download=allow_download)
    except UnavailableError as reason:
        if name is not None:
            raise DatasetError(
                f"{remote.name} (named by {named_by}) is not available ({reason}); try again with a network, or "
                f"point --data or {DATA_VARIABLE} at a folder with its four IDX files"
            ) from None
        return load_part(
            f"{remote.name} is not available ({reason}), so the 12,000 images of MNIST that come with Erbium stand in "
            f"and accuracies are not those of all of {remote.name}; point --data or {DATA_VARIABLE} at a folder with "
            "the four IDX files to use other data."
        )
    cache = next(iter(paths.values())).parent
    return read_files(paths, name=remote.name, source=f"the download in {cache}")
