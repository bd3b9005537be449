# SPDX-License-Identifier: BSD-2-Clause
"""Says that the model is being compiled, where Numba really does so and does not read the result from disk.

Whatever compiles tells the logger ``erbium``, at the level INFO; the command line prints that on stderr.
"""

from __future__ import annotations

import logging
from functools import cache

from numba.core import event

KIND = "numba:compile"
"""What Numba calls the compilation of a function; reading one from its cache is none."""


class _Listener(event.Listener):
    """Hears of each function that is compiled; those that it calls are compiled within its own time."""

    def __init__(self) -> None:
        self._depth = 0

    def on_start(self, event: event.Event) -> None:
        ours = event.data["dispatcher"].py_func.__module__.startswith("erbium.")
        if self._depth == 0 and ours:
            logging.getLogger("erbium").info(
                "Compiling the model, which takes a minute; the next time it comes out of the cache."
            )
        self._depth += 1

    def on_end(self, event: event.Event) -> None:
        self._depth -= 1


@cache
def announce() -> None:
    """Have it said from now on."""
    event.register(KIND, _Listener())  # type: ignore[no-untyped-call]
