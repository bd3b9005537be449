# SPDX-License-Identifier: BSD-2-Clause
"""The tutorials, typed as they stand: files written, sources edited, commands run, and what they print compared."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent

NOT_RUN = {
    "erbium build icebreaker": "minutes of place and route; tests/test_fpga_build.py builds",
    "erbium flash": "needs a board",
    "erbium run /dev/": "needs a board",
}
"""Commands of which `tests/test_docs_commands.py` checks the words alone, and why."""


class Step(NamedTuple):
    """A block of code: what the text before it says to do with it."""

    kind: str
    path: str
    below: str
    code: str


def steps(page: str) -> Iterator[Step]:
    """Yield the blocks of a page: files (`As ...`), edits (`At the end of ...`, `In ..., below ...`) and commands."""
    for block in re.finditer(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        language, code = block[1], block[2]
        said = page[: block.start()].rstrip().rsplit("\n", 2)[-2:]
        text = " ".join(said)
        if language == "console":
            yield Step("commands", "", "", code)
        elif found := re.search(r"As `([^`]+)`:$", text):
            yield Step("file", found[1], "", code)
        elif found := re.search(r"At the end of `([^`]+)`(?: \([^)]*\))?:$", text):
            yield Step("edit", found[1], "", code)
        elif found := re.search(r"In `([^`]+)`, below `(\w+)`:$", text):
            yield Step("edit", found[1], found[2], code)
        else:
            raise ValueError(f"the page does not say where this goes:\n{code}")


def copy_of_the_package(folder: Path) -> dict[str, Path]:
    """Lay the folders of the repository out as the package that they are installed as; return where each one is."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        folders: dict[str, str] = tomllib.load(file)["tool"]["setuptools"]["package-dir"]
    places = {}
    for package, source in folders.items():
        places[source] = folder.joinpath(*package.split("."))
        shutil.copytree(
            ROOT / source, places[source], dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    return places


def edit(path: Path, below: str, code: str) -> None:
    """Put code at the end of a file, or below the statement that makes a name, with the string that explains it."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    at = len(lines)
    if below:
        body = ast.parse(text).body
        (k,) = [
            k
            for k, node in enumerate(body)
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == below
        ]
        documented = isinstance(body[k + 1], ast.Expr)
        at = body[k + documented].end_lineno or 0
    path.write_text("".join([*lines[:at], "\n\n", code, "\n", *lines[at:]]), encoding="utf-8")


def commands(code: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each command of a block with the lines that it is said to print."""
    for part in re.split(r"^\$ ", code, flags=re.MULTILINE)[1:]:
        command, *lines = part.strip().splitlines()
        yield command, lines


def words(line: str) -> str:
    return " ".join(line.split())


def printed(line: str, output: str) -> bool:
    """Whether a line is among those printed; spaces do not matter, and an ellipsis is anything."""
    pattern = re.escape(words(line)).replace("…", ".*")
    return any(re.fullmatch(pattern, words(found)) for found in output.splitlines())


def follow(page: Path, folder: Path) -> int:
    """Do what a page says in an empty folder; return the number of commands that were run."""
    todo = list(steps(page.read_text(encoding="utf-8")))
    environment = dict(os.environ)
    environment.pop("ERBIUM_DATA", None)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment["PYTHONWARNINGS"] = "default"
    places: dict[str, Path] = {}
    if any(step.kind == "edit" for step in todo):
        places = copy_of_the_package(folder / "source")
        environment["PYTHONPATH"] = str(folder / "source")
    work = folder / "work"
    work.mkdir()
    run = 0
    for step in todo:
        if step.kind == "file":
            (work / step.path).write_text(step.code, encoding="utf-8")
        elif step.kind == "edit":
            source, _, name = step.path.partition("/")
            edit(places[source] / name, step.below, step.code)
        else:
            for command, lines in commands(step.code):
                if any(command.startswith(start) for start in NOT_RUN):
                    continue
                done = subprocess.run(
                    command,
                    shell=True,
                    cwd=work,
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                output = done.stdout + done.stderr
                assert done.returncode == 0, f"$ {command}\n{output}"
                assert "Warning" not in output, f"$ {command}\n{output}"
                missing = [line for line in lines if not printed(line, output)]
                assert not missing, f"$ {command}\nshould print {missing}, and printed:\n{output}"
                run += 1
    return run


@pytest.mark.slow
@pytest.mark.verilator
def test_train_your_own_network_and_put_it_on_a_board(tmp_path: Path) -> None:
    assert follow(ROOT / "docs" / "tutorial-train.md", tmp_path) == 8


@pytest.mark.slow
@pytest.mark.icarus
@pytest.mark.verilator
def test_add_a_plasticity_rule(tmp_path: Path) -> None:
    assert follow(ROOT / "docs" / "tutorial-rule.md", tmp_path) == 4


def test_a_tutorial_that_is_wrong_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("As `one.py`:\n\n```python\nprint(1)\n```\n\n```console\n$ python one.py\n2\n```\n")
    with pytest.raises(AssertionError, match=r"should print \['2'\]"):
        follow(page, tmp_path)
