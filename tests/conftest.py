# SPDX-License-Identifier: BSD-2-Clause
"""What every test shares: a test whose simulator is not there is skipped, except in CI, where it fails."""

import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from erbium import cli
from erbium.verif import simulators

# Hundreds of simulations and commands start Python, and without bytecode each of them compiles all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked ``icarus`` or ``verilator`` where that simulator is missing; say how to get it."""
    longest_first(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    if os.environ.get("CI", "").lower() in ("true", "1"):
        return
    for marker, tool in (("icarus", simulators.find_icarus()), ("verilator", simulators.find_verilator())):
        if not tool.found:
            reason = f"{tool.name} {tool.oldest} or newer was not found; get it with '{tool.hint}'"
            for item in items:
                if item.get_closest_marker(marker):
                    item.add_marker(pytest.mark.skip(reason=reason))


def longest_first(items: list[pytest.Item], workers: int) -> None:
    """Bring what takes long to the front of each worker's share, so that none is left with it at the end.

    The workers of pytest-xdist begin with equal parts of the list; one that is through takes over the end of another's.
    """
    if workers == 1:
        return
    marked = [item for item in items if item.get_closest_marker("slow")]
    simulated = [item for item in items if item not in marked and "test_component[" in item.name]
    others = [item for item in items if item not in marked and item not in simulated]
    at = [len(others) * k // workers for k in range(workers + 1)]
    # Neighbours stay together where they are quick: many share what the first one of them compiles.
    shares = [
        [*marked[k::workers], *simulated[k::workers], *others[at[k] : at[k + 1]]] for k in range(workers)
    ]
    ordered = [item for share in shares for item in share]
    assert sorted(map(id, ordered)) == sorted(map(id, items)), "a test was lost, or is there twice"
    items[:] = ordered


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
