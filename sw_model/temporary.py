# SPDX-License-Identifier: BSD-2-Clause
"""Files and folders that are there for a while. What a process leaves that was killed, the next one removes.

Each is locked as long as its process lives: the system gives a lock back however a process ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator
from glob import escape
from pathlib import Path
from typing import IO

FRESH_SECONDS = 10.0
"""What is younger is left alone: its process may be about to lock it."""

_LOCK = ".lock"


def lock(file: IO[bytes]) -> None:
    """Mark a file as in use until it is closed."""
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def temporary_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Make a folder, and remove it with all that is in it at the end.

    Parameters
    ----------
    parent : Path
        Made if it is not there.
    prefix : str
        How the names begin of all folders there that may be removed if nobody uses them.
    """
    parent.mkdir(parents=True, exist_ok=True)
    sweep(parent, f"{escape(prefix)}*")
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        with open(folder / _LOCK, "wb") as file:
            lock(file)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(parent: Path, pattern: str) -> None:
    """Remove the temporary files and folders that nobody uses any more.

    Parameters
    ----------
    parent : Path
    pattern : str
        As in :meth:`pathlib.Path.glob`.
    """
    for path in parent.glob(pattern):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime >= FRESH_SECONDS and _is_left(path):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_left(path: Path) -> bool:
    """Return whether no process uses a temporary file or folder."""
    if path.is_dir():
        path = path / _LOCK
        if not path.exists():
            return True
    with open(path, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
