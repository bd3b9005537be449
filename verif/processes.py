# SPDX-License-Identifier: BSD-2-Clause
"""Programs that are run to their end, or to a limit in time: none is waited for without one."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from erbium.verif.environment import tool_environment
from erbium.verif.simulators import ToolError

COMPILE_SECONDS = 3_600
"""How long a compiler or a synthesis for simulation may take: many times what the largest preset takes on a slow
machine."""


def run_within(
    seconds: float,
    command: Sequence[str | Path],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program, and return its exit code and what it wrote.

    Parameters
    ----------
    seconds : float
        How long it may take.
    command : sequence
        Program and arguments.
    cwd : Path, optional
        Folder to run it in.
    env : mapping, optional
        Its environment; by default :func:`erbium.verif.environment.tool_environment`.

    Raises
    ------
    ToolError
        If it has not ended by then. It is stopped then, as it is by whatever else stops this function, with all that
        it has started.
    """
    words = [str(word) for word in command]
    # A group of its own: what the program has started holds its pipes open, and would be waited for.
    with subprocess.Popen(
        words,
        cwd=cwd,
        env=tool_environment() if env is None else env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        process_group=0,
    ) as process:
        try:
            out, err = process.communicate(timeout=seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise ToolError(
                f"{Path(words[0]).name} was stopped after {seconds:g} s without an end; try again on a machine that "
                "has less to do, or with a smaller network"
            ) from None
    return subprocess.CompletedProcess(words, process.returncode, out, err)
