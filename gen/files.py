# SPDX-License-Identifier: BSD-2-Clause
"""Output files that are there completely or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
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
        # The temporary name says nothing to the user.
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
