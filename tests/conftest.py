# SPDX-License-Identifier: BSD-2-Clause
"""What every test shares: which ones are long, and that one whose simulator is not there fails in CI."""

import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from erbium import cli
from erbium.verif import simulators

# Hundreds of simulations and commands start Python, and without bytecode each of them compiles all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


LONG = Path(__file__).with_name("long.txt")
"""The tests that take long, a pattern in each line."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--all``: the long tests, too."""
    parser.addoption("--all", action="store_true", help="the long tests, too (make test-all)")


def is_whole(config: pytest.Config) -> bool:
    """Whether nothing was asked for by name: no file, no ``-k``, no ``-m``."""
    if hasattr(config, "workerinput"):
        return bool(config.workerinput["whole"])
    named = config.option.keyword or config.option.markexpr
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and not named


@pytest.fixture(scope="session")
def short(pytestconfig: pytest.Config) -> bool:
    """Whether this is the whole of the short form (``make test``)."""
    return is_whole(pytestconfig) and not pytestconfig.option.all


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist whether the run is whole: it is given the paths as if they had been named."""
    node.workerinput["whole"] = is_whole(node.config)


def leave_long_ones_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what ``long.txt`` names, and leave what is marked out of a whole run; what is asked for by name runs."""
    patterns = [line for line in LONG.read_text().splitlines() if line and not line.startswith("#")]
    whole = is_whole(config)
    for pattern in patterns:
        exact = re.compile(
            r"(.*/)?" + re.escape(pattern).replace(r"\*", ".*") + ("" if "[" in pattern else r"(\[.*)?")
        )
        named = [item for item in items if exact.fullmatch(item.nodeid)]
        if whole and not named:
            raise pytest.UsageError(f"{LONG.name}: no test is called {pattern}")
        for item in named:
            item.add_marker("long")
    if whole and not config.option.all:
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("long")])
        items[:] = [item for item in items if not item.get_closest_marker("long")]


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say that it is the short form, and how to get the other."""
    if is_whole(config) and not config.option.all:
        return "the short form: what is marked long is left to `make test-all` and to being asked for by name"
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long ones out, and skip what wants a simulator that is missing; say how to get it."""
    leave_long_ones_out(config, items)
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
