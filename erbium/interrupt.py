# SPDX-License-Identifier: BSD-2-Clause
"""Ctrl-C without loss: the first one asks a run to stop at the next safe point, the second one stops it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any, Self


class StoppedError(Exception):
    """The user stopped the run; the text says what was saved and how to carry on.

    Attributes
    ----------
    exit_code : int
        128 and the number of the signal, as a shell has it: 130 for Ctrl-C.
    """

    def __init__(self, text: str, number: int = signal.SIGINT) -> None:
        super().__init__(text)
        self.exit_code = 128 + number


class Interruption:
    """Within ``with Interruption() as stop``, SIGINT and SIGTERM set ``stop.number`` and do nothing else.

    The one who runs looks at it wherever stopping is safe. A second signal raises `KeyboardInterrupt`.

    Parameters
    ----------
    until : str, optional
        What is finished first, for people; without it nothing is said.

    Attributes
    ----------
    number : int
        The signal that came; 0 while there was none.
    """

    def __init__(self, until: str | None = "after this batch") -> None:
        self.until = until
        self.number = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        # Python delivers signals to the main thread only, and lets no other one ask for them.
        if threading.current_thread() is threading.main_thread():
            for which in (signal.SIGINT, signal.SIGTERM):
                self._before[which] = signal.signal(which, self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for which, handler in self._before.items():
            signal.signal(which, handler)

    def obey(self) -> None:
        """Let the signal that came, if there was one, do what it does outside."""
        if self.number:
            number, self.number = self.number, 0
            signal.signal(number, self._before[signal.Signals(number)])
            signal.raise_signal(number)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.number:
            raise KeyboardInterrupt
        self.number = number
        if self.until is not None:
            _say(f"\nStopping {self.until}; once more stops at once.\n")


def _say(text: str) -> None:
    """Write to standard error from a signal handler.

    Straight to the file: the signal may have come in the middle of a write to the buffered stream, which is in
    no state to take another one.
    """
    # Without a standard error there is nobody to tell, and the run stops all the same.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.write(sys.stderr.fileno(), text.encode())
