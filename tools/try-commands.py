# SPDX-License-Identifier: BSD-2-Clause
"""Types every command of README and documentation into an environment that has the wheel and none of its extras.

Each has to work, or to end with a hint that names the packages that are missing. A page is typed from its top to its
end in a folder of its own, on data of MNIST's size that are made up here. `make commands` runs it; `--quick`, which a
test runs, types a few, and links the packages of this environment in place of installing them.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

STAND_INS = {
    "PRESET": "tiny",
    "NETWORK": "erbp-digits",
    "BOARD": "icebreaker",
    "CHECKPOINT": "run.npz",
    "DIR": "out",
}
"""What a page leaves to the reader, and something that it may be."""

HELP_ONLY = {
    r"bench ": "measures for minutes or hours; tests run each of them on small cases",
    r"run (auto|/dev|PORT)|flash ": "needs a board",
    r"run sim:|demo|wave ": "compiles a simulated chip for minutes; tests run it",
    r"simulate |page .*--serve": "goes on until Ctrl-C",
    r".*(fashion-mnist|my-data)": "takes data from the web, or of the reader's own",
    r".*(bars\.|sign\.json|mine\.toml)": "takes a file that a tutorial makes; tests type the tutorials",
    r"verify NeuronUnit sign$": "a case that a tutorial adds",
    r".*snn\.n": "takes a network of another framework; tests bring some in",
    r".*--scheduler": "needs a cluster",
    r".* --seed 1$|.*--epochs 200": "trains for an hour",
    r".*\.\.\.|train --(json|resume)$|show --json$|run --json$": "an option, without what it works on",
}
"""Commands, without ``erbium``, of which only the help is asked for, and why."""

CHECKPOINTS = {"board.md": {"erbp-mnist-200.npz": "run.npz"}, "hardware.md": {"run.npz": "run.npz"}}
"""Checkpoints that pages work on and no command of theirs leaves: what stands in, of those that the README leaves."""

QUICK = ("--help", "presets", "show tiny", "doctor", "build ulx3s-25f tiny", "verify NeuronUnit lif")

SECONDS = 900
"""How long a command may take: the first one that learns compiles the model."""


def typed(program: str, *, mentions: bool = True) -> dict[Path, list[str]]:
    """Return what the pages tell people to type: lines of their blocks, then code in their text, each once a page."""
    found = {}
    for page in PAGES:
        text = page.read_text()
        lines = re.findall(rf"^(?: {{4}})?(?:\$ )?({program} [^#\n]*)", text, re.MULTILINE)
        if mentions:
            lines += re.findall(rf"`({program} [^`\n]*)`", text)
        found[page] = list(dict.fromkeys(line.strip() for line in lines))
    return found


@dataclass(frozen=True)
class Outcome:
    """How a command ended: ``ok``, ``hint`` (it names what is missing), ``help``, or ``FAILS``."""

    line: str
    verdict: str
    text: str
    seconds: float


class Place:
    """An environment with the wheel.

    Parameters
    ----------
    folder : Path
        Where it is made.
    linked : bool
        Whether the packages that Erbium needs are linked from this environment, in place of being installed.
    """

    def __init__(self, folder: Path, *, linked: bool) -> None:
        self.folder, self.venv, self.data = folder, folder / "venv", folder / "data"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", self.venv], check=True)
        wheel = _wheel(folder)
        _pip(self.venv, *(["--no-deps", "--no-index"] if linked else []), str(wheel))
        if linked:
            (site,) = (self.venv / "lib").glob("python*/site-packages")
            _link(site)
        _make_data(self.data)

    def type(self, line: str, where: Path) -> Outcome:
        """Type a command line, and judge how it ended."""
        words = [
            STAND_INS.get(word, word)
            for word in shlex.split(line.replace("--data DIR", f"--data {self.data}"))
        ]
        plain = any(re.match(rf"({pattern})", line.partition(" ")[2]) for pattern in HELP_ONLY)
        dry = line != "erbium --help" and (plain or (len(words) == 2 and words[1] in _WITH_ARGUMENTS))
        if dry:
            words = [*words[: 3 if words[1] == "bench" and len(words) > 2 else 2], "--help"]
        begin = time.monotonic()
        try:
            done = subprocess.run(
                words,
                cwd=where,
                env=self._environment(),
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Outcome(line, "FAILS", f"has not ended after {SECONDS} s", time.monotonic() - begin)
        seconds = time.monotonic() - begin
        if done.returncode == 0:
            return Outcome(line, "help" if dry else "ok", "", seconds)
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return Outcome(line, "hint" if is_hint(last) else "FAILS", last, seconds)

    def _environment(self) -> dict[str, str]:
        own = str(Path(sys.executable).parent)
        path = [place for place in os.environ.get("PATH", "").split(os.pathsep) if place != own]
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ERBIUM"))
        }
        return kept | {
            "PATH": os.pathsep.join([str(self.venv / "bin"), *path]),
            "VIRTUAL_ENV": str(self.venv),
            "ERBIUM_DATA": str(self.data),
            "ERBIUM_CACHE": str(self.folder / "cache"),
        }


_WITH_ARGUMENTS = ("build", "demo", "eval", "export", "flash", "page", "plan", "run", "show", "simulate", "sweep",
                   "train", "verify", "verilog", "wave")  # fmt: skip


def is_hint(text: str) -> bool:
    """Return whether a text names packages to install, each as an extra of this project wants it."""
    from packaging.requirements import Requirement

    named = {Requirement(each) for each in re.findall(r'"([^"]+)"', text.partition("pip install ")[2])}
    extras = PROJECT["optional-dependencies"].values()
    return bool(named) and named <= {Requirement(package) for packages in extras for package in packages}


def _wheel(folder: Path) -> Path:
    """Build the wheel from a copy: what an earlier build left in the checkout would go into it."""
    copy = folder / "checkout"
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    uv = _uv()
    command = (
        [uv, "build", "-q", "--wheel"] if uv else [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps"]
    )
    subprocess.run([*command, *(["-o"] if uv else ["-w"]), str(folder), str(copy)], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _uv() -> str | None:
    return shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


def _pip(venv: Path, *words: str) -> None:
    uv, python = _uv(), str(venv / "bin" / "python")
    if uv:
        command = [uv, "pip", "install", "-q", "-p", python]
    else:
        command = [sys.executable, "-m", "pip", "--python", python, "install", "-q"]
    subprocess.run([*command, *words], check=True)


def _link(site: Path) -> None:
    """Link all that Erbium needs without its extras, and what that needs, from this environment into another one."""
    for name in _closure(PROJECT["dependencies"]):
        for file in metadata.distribution(name).files or ():
            top, source = file.parts[0], Path(str(metadata.distribution(name).locate_file(file.parts[0])))
            if top not in ("..", "__pycache__") and source.exists() and not (site / top).exists():
                (site / top).symlink_to(source)


def _closure(requirements: list[str]) -> set[str]:
    from packaging.requirements import Requirement

    found: set[str] = set()
    waiting = [(Requirement(text), "") for text in requirements]
    while waiting:
        wanted, extra = waiting.pop()
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": extra}):
            continue
        known = wanted.name in found
        found.add(wanted.name)
        for each in ("", *wanted.extras):
            if each or not known:
                waiting += [(Requirement(text), each) for text in metadata.requires(wanted.name) or ()]
    return found


def _make_data(folder: Path) -> None:
    """Write a data set of MNIST's form: each class has a bright bar of its own, with noise."""
    from erbium.sw_model import datasets

    generator = np.random.default_rng(1)
    for name, count in (("train", 1260), ("t10k", 320)):
        labels = np.arange(count, dtype=np.uint8) % 10
        images = generator.integers(0, 40, (count, 28, 28), dtype=np.uint8)
        for k, label in enumerate(labels):
            images[k, 4 + 2 * label : 6 + 2 * label, 4:24] = 250
        folder.mkdir(exist_ok=True)
        datasets.write_idx(folder / f"{name}-images-idx3-ubyte", images)
        datasets.write_idx(folder / f"{name}-labels-idx1-ubyte", labels)


def _outcomes(place: Place, pages: list[str]) -> Iterator[tuple[str, Outcome]]:
    """Yield the page and the outcome of each command."""
    for page, lines in typed("erbium").items():
        if pages and page.name not in (*pages, "README.md"):
            continue
        where = place.folder / page.stem
        where.mkdir()
        for name, trained in CHECKPOINTS.get(page.name, {}).items():
            shutil.copy(place.folder / "README" / trained, where / name)
        for line in lines:
            yield page.name, place.type(line, where)


def main() -> int:
    """Type the commands; return 1 if one of them fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="*", help="names of pages besides README.md; default is all")
    parser.add_argument("--quick", action="store_true", help=f"only {', '.join(QUICK)}; nothing is fetched")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="erbium-commands-") as folder:
        place = Place(Path(folder), linked=options.quick)
        outcomes: Iterable[tuple[str, Outcome]]
        if options.quick:
            outcomes = (("", place.type(f"erbium {words}", Path(folder))) for words in QUICK)
        else:
            outcomes = _outcomes(place, options.pages)
        failed = 0
        for page, outcome in outcomes:
            print(f"{outcome.verdict:5} {outcome.seconds:5.1f} s  {page:16} {outcome.line}", flush=True)
            if outcome.text:
                print(f"      {outcome.text}", flush=True)
            failed += outcome.verdict == "FAILS"
    print(f"{failed} commands fail." if failed else "Every command works, or names what is missing.")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
