# SPDX-License-Identifier: BSD-2-Clause
"""Folders of generated files that several processes share."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from erbium.verif.processes import COMPILE_SECONDS
from erbium.verif.simulators import ToolError

BUILD_VARIABLE = "ERBIUM_BENCH_BUILD"

LOCK_SECONDS = COMPILE_SECONDS
"""How long another process may keep a folder: as long as a compiler may take."""

LOOK_SECONDS = 0.05
"""How often a folder is tried that another process keeps."""


def build_folder() -> Path:
    """Return the folder of everything that is built for benches and proofs."""
    return Path(os.environ.get(BUILD_VARIABLE, "build/benches")).resolve()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes away from a folder.

    The system gives a lock back when its process ends, however it does.

    Raises
    ------
    ToolError
        If another process keeps the folder for too long.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.parent / f"{folder.name}.lock"
    deadline = time.monotonic() + LOCK_SECONDS
    with open(path, "w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ToolError(
                        f"another process has kept {path} for {LOCK_SECONDS:g} s; end that one, which "
                        f"'fuser {path}' names"
                    ) from None
            time.sleep(LOOK_SECONDS)
        yield
