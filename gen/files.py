# SPDX-License-Identifier: BSD-2-Clause
"""Output files that are there completely or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from glob import escape
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from erbium.sw_model.temporary import lock, sweep


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Write a file under a temporary name beside `path`, and rename it at the end.

    Whoever looks at `path`, at whatever moment and after whatever accident, finds the old content or the new
    one. An error leaves the old one, and nothing else.
    """
    path = Path(path)
    sweep(path.parent, f".{escape(path.name)}.*.tmp")
    # The usual permissions and not the private ones of a temporary file; the umask cannot only be asked for.
    umask = os.umask(0)
    os.umask(umask)
    try:
        with NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False
        ) as file:
            try:
                lock(file)
                yield file
                file.flush()
                os.fsync(file.fileno())
                os.fchmod(file.fileno(), 0o666 & ~umask)
                os.replace(file.name, path)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as error:
        # The temporary name says nothing to the user. Not every library's error has a number.
        if error.errno is None:
            raise type(error)(f"{path}: {error}") from None
        raise type(error)(error.errno, error.strerror, str(path)) from None
    # The rename itself has to survive a power failure, too.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_text(path: Path, text: str) -> None:
    """Write a text file, completely or not at all."""
    with replacing(path) as file:
        file.write(text.encode())


class OutputError(ValueError):
    """A place that a command may not write to; one sentence with the place, what is wrong, and the way out."""


def check_free(*paths: Path, overwrite: bool, resume: bool = False, make_folders: bool = False) -> None:
    """Find out before the work that its results can be written, and that they replace nothing unasked.

    The one rule of all commands: what is there is replaced only with ``--overwrite``.

    Parameters
    ----------
    paths : Path
        Files that are to be written.
    overwrite : bool
        Whether they may replace others.
    resume : bool
        Whether the command knows ``--resume``, too.
    make_folders : bool
        Whether the command makes their folders.

    Raises
    ------
    OutputError
        If a file is there already, or a folder of its name is.
    FileNotFoundError
        If a folder is missing that the command does not make.
    """
    for path in paths:
        if path.is_dir():
            raise OutputError(f"{path} is a folder and a file is to be written there; name another file")
        if not make_folders and not path.parent.is_dir():
            raise FileNotFoundError(2, "No such folder", str(path.parent))
        if path.exists() and not overwrite:
            others = (
                "--resume to carry on from it, --overwrite to start over"
                if resume
                else "--overwrite to replace it"
            )
            raise OutputError(f"{path} is there already; add {others}, or name another place")


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Keep other processes out while something is written bit by bit.

    The lock is the system's: it ends with the process, however that ends. An empty file that a killed process left
    is taken over by the next one.

    Parameters
    ----------
    path : Path
        File that stands for the lock; removed at the end.
    what : str
        The sentence for whoever comes second.

    Raises
    ------
    OutputError
        If another process has the lock.
    """
    import fcntl

    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise OutputError(what) from None
        # Whoever had the lock before may have removed the file between our two calls.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.stat(path), os.fstat(handle)):
                break
        os.close(handle)
    try:
        yield
    finally:
        # Removed while it is locked: nobody else can hold it.
        with suppress(FileNotFoundError):
            os.unlink(path)
        os.close(handle)


def checkpoint_lock(path: Path) -> AbstractContextManager[None]:
    """Return the lock of a checkpoint: one run at a time writes it."""
    return locked(
        path.with_name(f".{path.name}.lock"),
        f"another run is at work on {path}; wait for its end, or name another --checkpoint",
    )
