# SPDX-License-Identifier: BSD-2-Clause
"""A checked download into the user's cache, which gives up within seconds where there is no network."""

import hashlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from erbium.sw_model import cache
from erbium.sw_model.datasets.folder import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS
from erbium.sw_model.temporary import lock, sweep

# Seconds. A mirror that does not answer at all is given up after the first, one that stops in the middle of a
# file after the second; the third ends the search for mirrors even while the system's resolver still waits.
_ANSWER_TIMEOUT = 3.0
_STALL_TIMEOUT = 10.0
_SEARCH_TIMEOUT = 4.0

# A mirror that sends, but too slowly or too much, is given up, too: bytes per second after a first while, and bytes.
_SLOWEST, _WHILE = 4_096, 20.0
_LARGEST = 1 << 27


class UnavailableError(Exception):
    """The remote data set cannot be had now; the message says why, as part of a sentence."""


@dataclass(frozen=True)
class Remote:
    """A data set that can be downloaded as four gzipped IDX files.

    Attributes
    ----------
    name : str
        Name of the data set, and of its folder in the cache.
    mirrors : sequence of str
        Addresses of folders that hold the same files, each ending in a slash, in the order to try them.
    checksums : mapping of str to str
        For each standard file name (without ``.gz``) the checksum of its gzipped file as ``algorithm:hex``.
    """

    name: str
    mirrors: Sequence[str]
    checksums: Mapping[str, str]


# The smallest file comes first, so that useless mirrors are found out early.
MNIST = Remote(
    name="MNIST",
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://raw.githubusercontent.com/fgnt/mnist/master/",
    ),
    checksums={
        TEST_LABELS: "md5:ec29112dd5afa0611ce80d1b7f02629c",
        TRAIN_LABELS: "md5:d53e105ee54ea40749a09fcbcd1e9432",
        TEST_IMAGES: "md5:9fb629c4189551a2d022fa330f9573f3",
        TRAIN_IMAGES: "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
    },
)

FASHION_MNIST = Remote(
    name="Fashion-MNIST",
    mirrors=(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    ),
    checksums={
        TEST_LABELS: "md5:bb300cfdad3c16e7a12a480ee83cd310",
        TRAIN_LABELS: "md5:25c81989df183df01b3e8a0aad5dffbe",
        TEST_IMAGES: "md5:bef4ecab320f06d8554ea6380940ec79",
        TRAIN_IMAGES: "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    },
)

REMOTES = {remote.name.lower(): remote for remote in (MNIST, FASHION_MNIST)}
"""Data sets by the names that may stand where a folder is named."""


def _is_intact(path: Path, checksum: str) -> bool:
    algorithm, _, expected = checksum.partition(":")
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest() == expected


def _answering_mirrors(mirrors: Sequence[str], file_name: str) -> list[str]:
    """Mirrors that answer at all, in their order.

    All are asked at the same time, in threads that may be left behind: there is no time-out on a name
    look-up, and one dead mirror after the other would cost the user their patience.
    """
    import requests

    answered: set[str] = set()

    def ask(mirror: str) -> None:
        try:
            requests.head(mirror + file_name, timeout=_ANSWER_TIMEOUT, allow_redirects=True).close()
        except (OSError, ValueError):
            return
        answered.add(mirror)

    threads = [threading.Thread(target=ask, args=(mirror,), daemon=True) for mirror in mirrors]
    end = time.monotonic() + _SEARCH_TIMEOUT
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return [mirror for mirror in mirrors if mirror in answered]


def _download(url: str, output_file: str, pooch: object) -> None:
    """Fetch an address into a file, as pooch wants it done; what comes too slowly is given up."""
    import requests

    # `identity`: a server must not wrap or unwrap the gzip whose checksum is known.
    with (
        requests.get(
            url,
            stream=True,
            timeout=(_ANSWER_TIMEOUT, _STALL_TIMEOUT),
            headers={"Accept-Encoding": "identity"},
        ) as answer,
        open(output_file, "wb") as file,
    ):
        lock(file)
        answer.raise_for_status()
        begin, count = time.monotonic(), 0
        # What has come, however little: whole blocks would take a slow mirror hours, and this would not be reached.
        while block := answer.raw.read1(1 << 16):
            file.write(block)
            count += len(block)
            if count > _LARGEST:
                raise requests.RequestException("too large")
            if (time.monotonic() - begin - _WHILE) * _SLOWEST > count:
                raise requests.Timeout("too slow")


def _fetch_file(mirrors: Sequence[str], file_name: str, checksum: str, folder: Path) -> None:
    """Bring one file into the folder from the first mirror that has it intact."""
    import pooch
    import requests
    import urllib3

    reasons: list[str] = []
    for mirror in mirrors:
        try:
            # pooch downloads to a temporary name and renames it only after the check.
            pooch.retrieve(
                mirror + file_name, known_hash=checksum, fname=file_name, path=folder, downloader=_download
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            # The second kind is what reading at one's own pace gives.
            answer = getattr(error, "response", None)
            status = "" if answer is None else f" {answer.status_code}"
            reasons.append(f"{mirror}: {type(error).__name__}{status}")
        except ValueError:
            reasons.append(f"{mirror}: wrong checksum")
        else:
            return
    raise UnavailableError(f"no mirror gave an intact {file_name} ({', '.join(reasons)})")


def fetch(remote: Remote, cache_dir: Path | None, *, allow_download: bool) -> dict[str, Path]:
    """Paths of the four intact files in the cache, downloaded where they are missing or damaged.

    Parameters
    ----------
    remote : Remote
        What to fetch.
    cache_dir : Path or None
        Where downloads are kept; None for the place this system has for them.
    allow_download : bool
        Whether the network may be used; the cache always is.

    Returns
    -------
    dict of str to Path
        Path of each file by its standard name.

    Raises
    ------
    UnavailableError
        If the files are neither in the cache nor to be had. Files that were fetched so far stay in the cache.
    """
    places = list(cache.places()) if cache_dir is None else [cache_dir]
    folders = [place / remote.name.lower() for place in places]
    folder = folders[0]
    try:
        # The one that is written comes last, so that what follows speaks of it.
        for each in reversed(folders):
            paths = {name: each / f"{name}.gz" for name in remote.checksums}
            needed = [name for name in paths if not _is_intact(paths[name], remote.checksums[name])]
            if not needed:
                return paths
        if not allow_download:
            raise UnavailableError(f"downloads are off and the cache {folder} does not hold it intact")
        # What a download left that was killed.
        sweep(folder, "tmp*")
        mirrors = _answering_mirrors(remote.mirrors, paths[needed[0]].name)
        if not mirrors:
            raise UnavailableError("no mirror answered")
        for name in needed:
            _fetch_file(mirrors, paths[name].name, remote.checksums[name], folder)
    except OSError as error:
        raise UnavailableError(f"the cache {folder} cannot be used: {error.strerror or error}") from error
    return paths
