# SPDX-License-Identifier: BSD-2-Clause
"""What a user of the package reaches for: help, versions, TAB, and what a notebook shows."""

import os
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import erbium
from erbium import summary

TINY = erbium.preset("tiny").network


def test_bare_erbium_prints_its_help_as_help(run):
    code, out, err = run("")
    assert (code, err) == (0, "")
    assert out == run("--help")[1]
    assert "train" in out


def test_the_package_is_a_command():
    found = subprocess.run(
        [sys.executable, "-m", "erbium", "version"], capture_output=True, text=True, check=True
    )
    assert found.stdout == f"erbium {erbium.__version__}\n"


def test_version_and_names_for_tab():
    assert erbium.__version__ == summary.version()
    assert {*erbium.__all__, "__version__"} <= set(dir(erbium))
    for name in dir(erbium):
        getattr(erbium, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        erbium.nothing  # noqa: B018


def test_a_notebook_shows_networks_and_results():
    network = replace(TINY)
    object.__setattr__(
        network, "name", "<b>&"
    )  # a description refuses it; the page has to be safe without that
    page = network._repr_html_()
    assert "&lt;b&gt;&amp;</b> 16-12-4" in page
    assert TINY.digest in page
    assert page.count("<tr>") == 1 + len(TINY.layers)
    with erbium.open_chip(TINY, "reference") as chip:
        results = chip.infer(np.zeros((12, 16), dtype=np.uint8))
    page = results._repr_html_()
    assert "12 samples, the first 10 of them" in page
    assert page.count("<tr>") == 11
    assert "ticks to decision" in page


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("erbium tra", "train"),
        ("erbium show first-spike-t", "first-spike-tiny"),
        ("erbium plan ulx3s-8", "ulx3s-85f"),
        ("erbium train tiny --data tiny", "tiny-digits"),
        ("erbium eval run.npz --data fash", "fashion-mnist"),
    ],
)
def test_the_shell_completes(words, expected):
    parts = words.split()
    variables = {"_ERBIUM_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(parts) - 1)}
    found = subprocess.run(
        [sys.executable, "-m", "erbium"],
        capture_output=True,
        text=True,
        env=os.environ | variables,
        check=False,
    )
    assert f"plain,{expected}" in found.stdout.splitlines()


def test_the_links_of_the_wheel_are_links():
    """A wheel has `label, address` in one line, so a label with a comma would be cut there."""
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    assert project["urls"]
    for label, address in project["urls"].items():
        assert "," not in label
        assert len(label) <= 32
        assert address.startswith("https://")
        assert " " not in address
