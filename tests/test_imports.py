# SPDX-License-Identifier: BSD-2-Clause
"""Imports run one way, from the face down; every file says under which licence it is.

The direction keeps the two sides honest: the hardware cannot borrow the model's answers, and the model runs
where there is no hardware tool at all.
"""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

SPDX = "# SPDX-License-Identifier: BSD-2-Clause"

FOLDERS = {
    # folder: the layer, which is the package that it is installed as
    "sw_model": "erbium.sw_model",
    "hdl": "erbium.hdl",
    "gen": "erbium.gen",
    "verif": "erbium.verif",
    "fpga": "erbium.fpga",
    "erbium": "erbium",
}

BELOW = {
    # layer: the layers that it may import, besides itself
    "erbium.sw_model": set(),
    "erbium.hdl": {"erbium.sw_model"},
    "erbium.gen": {"erbium.sw_model", "erbium.hdl"},
    "erbium.verif": {"erbium.sw_model", "erbium.hdl", "erbium.gen"},
    # A simulated board needs the simulators of verif; verif needs nothing of a board.
    "erbium.fpga": {"erbium.sw_model", "erbium.hdl", "erbium.gen", "erbium.verif"},
    "erbium": {"erbium.sw_model", "erbium.hdl", "erbium.gen", "erbium.verif", "erbium.fpga"},
}

DESCRIPTION = {f"erbium.sw_model.{name}" for name in ("network", "reach", "programs", "constants")} | {
    f"erbium.sw_model.{folder}{name}"
    for folder in ("description", "rules")
    for name in ("", *(f".{path.stem}" for path in (ROOT / "sw_model" / folder).glob("[a-z]*.py")))
}
"""The network description: all that the hardware may know of the model; it imports nothing else either."""

WITHOUT_AMARANTH = ("erbium.sw_model", "erbium.fpga.driver", "erbium.fpga.transport")
"""Modules, by the beginning of their names, that run where Amaranth is not installed."""

SIBLINGS = {"tests", "tools", "examples", *FOLDERS} - {"erbium"}
"""Folders of the repository: importable from its root by accident, and not from anywhere else."""


def module_name(path: Path) -> str:
    """Return the name under which the file `path`, relative to the root, is imported."""
    parts = [FOLDERS[path.parts[0]], *path.with_suffix("").parts[1:]]
    return ".".join(parts).removesuffix(".__init__")


def layer_of(module: str) -> str:
    return next((layer for layer in FOLDERS.values() if f"{module}.".startswith(f"{layer}.")), "")


def is_module(name: str) -> bool:
    """Whether `name` is a module of this project, rather than something inside one."""
    layer = layer_of(name)
    folder = next(folder for folder, package in FOLDERS.items() if package == layer)
    path = ROOT.joinpath(folder, *name.removeprefix(layer).strip(".").split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def imported(tree: ast.AST) -> list[tuple[int, str]]:
    """Return line and name of everything imported anywhere in `tree`; a relative name begins with a dot."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            if node.level or layer_of(base) == "":
                found.append((node.lineno, base))
            else:
                # `from erbium.sw_model import network` imports erbium.sw_model.network.
                names = [f"{base}.{alias.name}" for alias in node.names]
                found += [(node.lineno, name if is_module(name) else base) for name in names]
    return found


def complaint(importer: str, name: str) -> str | None:
    """Say what is wrong with the module `importer` importing `name`, if anything is."""
    if name.startswith("."):
        return "relative import; write the whole name"
    top = name.split(".", maxsplit=1)[0]
    if top in SIBLINGS:
        return (
            f"the folder {top} is installed as erbium.{top}" if top in FOLDERS else f"{top} is not installed"
        )
    if top in ("amaranth", "amaranth_boards") and importer.startswith(WITHOUT_AMARANTH):
        return "this module runs without Amaranth"
    layer, target = layer_of(importer), layer_of(name)
    if target and target != layer and target not in BELOW[layer]:
        return f"{layer} is below {target}"
    if target == "erbium.sw_model":
        if layer == "erbium.hdl" and name not in DESCRIPTION:
            return f"the hardware knows only {', '.join(sorted(DESCRIPTION))}"
        if importer in DESCRIPTION and name not in DESCRIPTION:
            return "the network description stands alone"
    return None


def violations(importer: str, source: str) -> list[str]:
    """Return one line for each import in `source` that the module `importer` must not have."""
    problems = []
    for line, name in imported(ast.parse(source)):
        if problem := complaint(importer, name):
            problems.append(f"line {line}: {importer} imports {name}: {problem}")
    return problems


def files(*folders: str) -> list[Path]:
    return sorted(
        path.relative_to(ROOT)
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if "__pycache__" not in path.parts
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_direction(folder):
    problems = []
    for path in files(folder):
        source = (ROOT / path).read_text(encoding="utf-8")
        problems += [f"{path}, {problem}" for problem in violations(module_name(path), source)]
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("folder", [*FOLDERS, "tests", "tools", "examples"])
def test_licence(folder):
    without = [
        str(path)
        for path in files(folder)
        if not (ROOT / path).read_text(encoding="utf-8").startswith(SPDX + "\n")
    ]
    assert not without, f"the first line must be '{SPDX}' in {', '.join(without)}"


def test_every_package_is_listed():
    with open(ROOT / "pyproject.toml", "rb") as file:
        setuptools = tomllib.load(file)["tool"]["setuptools"]
    assert setuptools["package-dir"] == {package: folder for folder, package in FOLDERS.items()}
    packages = {module_name(path) for path in files(*FOLDERS) if path.name == "__init__.py"}
    assert packages == set(setuptools["packages"])


def test_every_file_is_in_a_package():
    homeless = [
        str(path)
        for path in files(*FOLDERS)
        if not all((ROOT / folder / "__init__.py").is_file() for folder in list(path.parents)[:-1])
    ]
    assert not homeless, f"no __init__.py beside {', '.join(homeless)}"


def test_the_model_loads_no_amaranth():
    modules = [module_name(path) for path in files(*FOLDERS)]
    light = [name for name in modules if name.startswith(WITHOUT_AMARANTH)]
    script = f"import sys\nfor name in {light}: __import__(name)\nassert 'amaranth' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(
    ("importer", "source", "expected"),
    [
        ("erbium.sw_model.layer", "import amaranth", "runs without Amaranth"),
        ("erbium.sw_model.layer", "from amaranth.lib import wiring", "runs without Amaranth"),
        ("erbium.fpga.transport_serial", "import amaranth", "runs without Amaranth"),
        ("erbium.sw_model.layer", "from erbium.hdl import layer", "erbium.sw_model is below erbium.hdl"),
        ("erbium.sw_model.layer", "def f():\n    import erbium.gen.presets", "line 2: .* below erbium.gen"),
        ("erbium.hdl.layer", "from erbium.sw_model.layer import Layer", "the hardware knows only"),
        ("erbium.hdl.layer", "from erbium.sw_model import network, layer", "imports erbium.sw_model"),
        ("erbium.hdl.layer", "import erbium.sw_model", "the hardware knows only"),
        ("erbium.hdl.layer", "from erbium.gen.presets import preset", "erbium.hdl is below erbium.gen"),
        ("erbium.gen.presets", "import erbium.verif.simulators", "erbium.gen is below erbium.verif"),
        ("erbium.verif.simulators", "import erbium.fpga.boards", "erbium.verif is below erbium.fpga"),
        ("erbium.fpga.boards", "from erbium.cli import main", "erbium.fpga is below erbium"),
        ("erbium.verif.simulators", "from erbium import doctor", "erbium.verif is below erbium"),
        ("erbium.gen.presets", "import erbium", "erbium.gen is below erbium"),
        ("erbium.sw_model.network", "from erbium.sw_model.layer import Layer", "stands alone"),
        ("erbium.gen.presets", "from . import registry", "relative import"),
        ("erbium.gen.presets", "from hdl.layer import Layer", "installed as erbium.hdl"),
        ("erbium.gen.presets", "import tests.helpers", "is not installed"),
    ],
)
def test_a_wrong_import_is_caught(importer, source, expected):
    (problem,) = violations(importer, source)
    assert re.search(expected, problem), problem


@pytest.mark.parametrize(
    ("importer", "source"),
    [
        (
            "erbium.hdl.layer",
            "from erbium.sw_model.network import Network\nfrom erbium.sw_model import constants",
        ),
        ("erbium.hdl.layer", "from amaranth import *\nfrom erbium.hdl.lane import Lane"),
        ("erbium.sw_model.network", "from erbium.sw_model import constants, programs"),
        ("erbium.verif.simulators", "import numpy\nfrom erbium.gen import verilog"),
        ("erbium.cli", "from erbium.fpga import boards\nfrom erbium import doctor"),
        ("erbium.sw_model.layer", "import hdl_tools"),
    ],
)
def test_a_right_import_passes(importer, source):
    assert violations(importer, source) == []
