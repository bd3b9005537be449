# SPDX-License-Identifier: BSD-2-Clause
"""What every test shares: a test whose simulator is not there is skipped, except in CI, where it fails."""

import os
import shlex
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from erbium import cli
from erbium.verif import simulators


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked ``icarus`` or ``verilator`` where that simulator is missing; say how to get it."""
    if os.environ.get("CI", "").lower() in ("true", "1"):
        return
    for marker, tool in (("icarus", simulators.find_icarus()), ("verilator", simulators.find_verilator())):
        if not tool.found:
            reason = f"{tool.name} {tool.oldest} or newer was not found; get it with '{tool.hint}'"
            for item in items:
                if item.get_closest_marker(marker):
                    item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[str], tuple[int, str, str]]]:
    """Run a command line in an empty folder; return exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ERBIUM_TRACEBACK", raising=False)
    handler = signal.getsignal(signal.SIGTERM)

    def call(text: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            cli.main(shlex.split(text))
        out, err = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, out, err

    yield call
    signal.signal(signal.SIGTERM, handler)
