# SPDX-License-Identifier: BSD-2-Clause
"""Where things are kept that would only take time to make again: compiled arrays and kernels, downloads.

One variable, ``ERBIUM_CACHE``, moves all of it, that of the packages used here, too. A cache is no need: where its
folder may not be written, a temporary one takes its place.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, MutableMapping
from functools import cache
from pathlib import Path

import platformdirs

VARIABLE = "ERBIUM_CACHE"

OTHERS = {"NUMBA_CACHE_DIR": "numba", "YOWASP_CACHE_DIR": "yowasp", "MPLCONFIGDIR": "matplotlib"}
"""Variables of the packages that keep something, and the folder that each gets in the cache."""

ORIGINAL = "ERBIUM_CACHE_UNWRITABLE"
"""Tells the processes that this one starts which folder may not be written, in which there may be something to read."""


def folder() -> Path:
    """Return the folder that is written: ``ERBIUM_CACHE``, or the user's cache."""
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("erbium"))


def places() -> Iterator[Path]:
    """Yield the folders in which something may be found, the one that is written first."""
    yield folder()
    if original := os.environ.get(ORIGINAL):
        yield Path(original)


def prepare(environ: MutableMapping[str, str] = os.environ) -> None:
    """Find a folder that may be written, and let the packages used here keep what they keep in it.

    Does nothing where the user's own cache may be written, which all of them use by themselves. It is called before
    any of them is loaded, because they look only once.
    """
    named = bool(environ.get(VARIABLE))
    usual = folder()
    if not is_writable(usual):
        import logging

        environ[VARIABLE] = str(_temporary())
        environ[ORIGINAL] = str(usual)
        logging.getLogger("erbium").warning(
            "The cache %s may not be written, so %s stands in; %s=FOLDER names another one.",
            usual,
            environ[VARIABLE],
            VARIABLE,
        )
    elif not named:
        return
    for variable, name in OTHERS.items():
        environ.setdefault(variable, str(folder() / name))


def is_writable(path: Path) -> bool:
    """Whether a folder may be written, or made if it is not there."""
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path.is_dir() and os.access(path, os.W_OK | os.X_OK)


@cache
def _temporary() -> Path:
    """Return the user's temporary cache, the same one the next time: what is compiled need not be compiled again."""
    import atexit
    import contextlib
    import tempfile

    from erbium.sw_model.temporary import temporary_folder

    path = Path(tempfile.gettempdir()) / f"erbium-cache-{os.getuid()}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
        # Libraries are loaded from here: nobody else may have put them there.
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022:
            return path
    except OSError:
        pass
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(temporary_folder(Path(tempfile.gettempdir()), "erbium-cache-own-"))
