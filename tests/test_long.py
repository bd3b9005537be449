# SPDX-License-Identifier: BSD-2-Clause
"""The short form of the tests: what it leaves out, and how that is run."""

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CONFTEST = (HERE / "conftest.py").read_text()


@pytest.fixture
def project(tmp_path):
    """A project with this conftest, one long function, a case that is long, and a long mark."""
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "conftest.py").write_text(CONFTEST)
    (tests / "long.txt").write_text("# why\ntest_some.py::test_slow\ntest_some.py::test_case[b*]\n")
    (tests / "test_some.py").write_text(
        "import pytest\n"
        "def test_quick(): pass\n"
        "def test_slow(): pass\n"
        "@pytest.mark.parametrize('x', ['a', 'b1', 'b2'])\ndef test_case(x): pass\n"
        "@pytest.mark.long\ndef test_marked(): pass\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = tests\nmarkers = long: x\n")
    return tmp_path


def run(project, *options):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    result = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=300, check=False)
    return result.returncode, result.stdout + result.stderr


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_whole_run_leaves_long_ones_out(project, workers):
    code, said = run(project, *workers)
    assert code == 0
    assert "2 passed" in said
    code, said = run(project, "--all", *workers)
    assert code == 0
    assert "6 passed" in said


def test_it_says_so(project):
    _, said = run(project, "-v")
    assert "the short form: what is marked long is left to `make test-all`" in said
    assert "4 deselected" in said


@pytest.mark.parametrize(
    ("options", "passed"),
    [
        (("-k", "slow"), 1),
        (("tests/test_some.py",), 6),
        (("tests/test_some.py::test_case",), 3),
        (("-m", "long"), 4),
    ],
)
def test_what_is_asked_for_by_name_runs(project, options, passed):
    code, said = run(project, *options)
    assert code == 0
    assert f"{passed} passed" in said


def test_a_line_without_a_test_is_an_error(project):
    table = project / "tests" / "long.txt"
    table.write_text(table.read_text() + "test_some.py::test_gone\n")
    code, said = run(project)
    assert code != 0
    assert "long.txt: no test is called test_some.py::test_gone" in said
