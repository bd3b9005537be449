# SPDX-License-Identifier: BSD-2-Clause
"""What the README tells people to type works."""

import re
import shlex
from pathlib import Path

import click
import numpy as np
import pytest

from erbium.cli import cli
from erbium.sw_model import datasets

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def erbium_commands() -> list[str]:
    """Return the ``erbium ...`` lines of the README's blocks and the commands of its tables."""
    lines = re.findall(r"^ {4}(erbium [^#\n]*)", README, re.MULTILINE)
    return [line.strip() for line in lines + re.findall(r"`(erbium [a-z][^`]*)`", README)]


def test_the_readme_names_commands() -> None:
    assert len(erbium_commands()) >= 6


@pytest.mark.parametrize("line", sorted(set(erbium_commands())))
def test_every_erbium_command_of_the_readme_is_understood(line: str) -> None:
    """The command line takes the words; nothing is run."""
    words = [word for word in shlex.split(line)[1:] if word != "…"]
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group):
        name = words.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"there is no command {name!r}"
        command = found
    words = [{"PRESET": "tiny", "NAME": "lanes"}.get(word, word) for word in words]
    command.parse_args(click.Context(command, info_name=command.name), words)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:`|^ {4})make ([a-z]+)", README, re.MULTILINE))))
def test_every_make_target_of_the_readme_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", README))))
def test_every_link_of_the_readme_leads_somewhere(link: str) -> None:
    assert link.startswith("http") or (ROOT / link).exists()


@pytest.mark.slow
@pytest.mark.verilator
def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a small data set of 8 x 8 images, so that nothing is downloaded."""
    generator = np.random.default_rng(1)
    for name, count in (("train", 1260), ("t10k", 120)):
        labels = np.arange(count, dtype=np.uint8) % 10
        images = np.zeros((count, 8, 8), dtype=np.uint8)
        images[np.arange(count), labels % 8] = generator.integers(100, 256, (count, 8))
        datasets.write_idx(tmp_path / f"{name}-images-idx3-ubyte", images)
        datasets.write_idx(tmp_path / f"{name}-labels-idx1-ubyte", labels)
    monkeypatch.setenv("ERBIUM_DATA", str(tmp_path))
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert len(names["answers"]) == 100  # type: ignore[arg-type]
