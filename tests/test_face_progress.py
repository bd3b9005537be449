# SPDX-License-Identifier: BSD-2-Clause
"""Long silent stretches say what they do, on a terminal and without one."""

import io

import pytest
from rich.console import Console

from erbium import board_run
from erbium.progress import doing


@pytest.mark.parametrize("terminal", [True, False])
def test_what_takes_long_is_said(capsys, terminal):
    text = io.StringIO()
    with doing(Console(file=text, force_terminal=terminal, width=80), "Compiling."):
        pass
    assert ("Compiling." in text.getvalue()) is terminal
    assert capsys.readouterr() == ("", "" if terminal else "Compiling.\n")


def test_a_run_says_that_it_compiles(run, monkeypatch):
    def stop(*arguments):
        raise OSError(5, "enough")

    monkeypatch.setattr(board_run, "open_board", stop)
    _, out, err = run("run sim:ulx3s-85f tiny --images 5")
    assert out == ""
    assert err.startswith(
        "Compiling the simulated board, unless the cache has it, which may take minutes.\nerbium: enough"
    )
