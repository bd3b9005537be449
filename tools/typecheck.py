# SPDX-License-Identifier: BSD-2-Clause
"""Run mypy over the project.

The folders ``sw_model``, ``hdl``, ... are installed as ``erbium.sw_model``, ``erbium.hdl``, ...
(``package-dir`` in ``pyproject.toml``), a mapping that mypy does not know. So this lays them out as that
package, with symbolic links under ``build/typing``, and turns the paths in mypy's answer back.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FARM = Path("build/typing")
OTHERS = ("tests", "tools", "docs")


def lay_out(package_dir: dict[str, str]) -> None:
    """Build the package ``erbium`` under `FARM` out of links to the folders of `package_dir`."""
    shutil.rmtree(ROOT / FARM, ignore_errors=True)
    top = ROOT / FARM / "erbium"
    top.mkdir(parents=True)
    for entry in sorted((ROOT / package_dir["erbium"]).iterdir()):
        if entry.name != "__pycache__":
            (top / entry.name).symlink_to(os.path.relpath(entry, top))
    for folder in OTHERS:
        (ROOT / FARM / folder).symlink_to(os.path.relpath(ROOT / folder, ROOT / FARM))
    for package, folder in package_dir.items():
        if package != "erbium":
            (top / package.removeprefix("erbium.")).symlink_to(os.path.relpath(ROOT / folder, top))


def main() -> int:
    """Check everything; return mypy's exit code."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        package_dir: dict[str, str] = tomllib.load(file)["tool"]["setuptools"]["package-dir"]
    lay_out(package_dir)
    targets = [str(FARM / name) for name in ("erbium", *OTHERS)]
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--explicit-package-bases", *sys.argv[1:], *targets],
        cwd=ROOT,
        env=os.environ | {"MYPYPATH": str(FARM)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    text = result.stdout
    for package, folder in package_dir.items():
        if package != "erbium":
            text = text.replace(f"{FARM}/{package.replace('.', '/')}/", f"{folder}/")
    print(text.replace(f"{FARM}/", ""), end="")
    return result.returncode


if __name__ == "__main__":
    sys.exit(main())
