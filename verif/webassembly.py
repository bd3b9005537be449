# SPDX-License-Identifier: BSD-2-Clause
"""The hardware as WebAssembly: the C++ of the netlist and the harness of the library, for a browser or a WASI run time.

It needs nothing of the place where it runs: no system, no C++ library, no import. The compiler is Zig's, from the
package index.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

from erbium.gen.vectors.accept import UnknownCellError
from erbium.gen.vectors.source import SUPPORT, vector_source
from erbium.gen.verilog import TOP, component_rtlil
from erbium.sw_model import cache
from erbium.sw_model.distribution import pip_install
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.temporary import temporary_folder
from erbium.verif.environment import tool_environment
from erbium.verif.files import locked
from erbium.verif.library import HARNESS, ports_header
from erbium.verif.processes import COMPILE_SECONDS, run_within
from erbium.verif.simulators import ToolError
from erbium.verif.verilate import sources_hash, tell_compiling
from erbium.verif.watched import WatchedArray

COMPILER = "ziglang"
"""The package with the compiler."""

EXPORTS = (
    "chip_access",
    "chip_clocks",
    "chip_collision",
    "chip_counters",
    "chip_logged",
    "chip_missed",
    "chip_new",
    "chip_run",
    "chip_watch",
    "memory_room",
)
"""What can be called from outside."""

# As the library for this machine (erbium.verif.vectors), and without anything that a browser has not.
_FLAGS = (
    *("-target", "wasm32-freestanding", "-msimd128", "-mbulk-memory"),
    *("-O2", "-fno-vectorize", "-fno-slp-vectorize", "-fno-strict-aliasing", "-std=c++17", "-Wno-psabi"),
    *("-ffreestanding", "-fno-exceptions", "-fno-rtti", "-nostdlib", "-nostdinc++", "-s"),
    "-Wl,--no-entry",
    *(f"-Wl,--export={name}" for name in EXPORTS),
)

_HEADERS = {
    "cstdint": "#pragma once\n#include <stdint.h>\n",
    # The compiler makes an instruction of WebAssembly of each.
    "cstring": "#pragma once\n#define memcpy __builtin_memcpy\n#define memset __builtin_memset\n",
    "verilated.h": f'#pragma once\n#include "{SUPPORT.name}"\n',
}

_MEMORY = Path(__file__).with_name("webassembly.cpp")


def require_compiler() -> str:
    """Return the version of the compiler.

    Raises
    ------
    ToolError
        If it is not installed.
    """
    if importlib.util.find_spec(COMPILER) is None:
        raise ToolError(
            f"the chip is compiled to WebAssembly by Zig, and the package {COMPILER!r} is not installed; get it with "
            f"'{pip_install(COMPILER)}'"
        )
    return importlib.metadata.version(COMPILER)


def webassembly(network: Network, hardware: Hardware, cache_dir: Path | None = None) -> Path:
    """Return the array as a module of WebAssembly, compiling it if the cache has none.

    It exports :data:`EXPORTS`, the functions of ``harness.cpp``, and ``memory``, and imports nothing.

    Parameters
    ----------
    network : Network
    hardware : Hardware
    cache_dir : Path, optional
        Where it is kept; default is that of :mod:`erbium.sw_model.cache`.

    Raises
    ------
    ToolError
        If the compiler is missing or fails, or if the netlist holds something that the vectorised simulation does not
        know.
    """
    version = require_compiler()
    own = (Path(__file__), HARNESS, _MEMORY, SUPPORT, Path(__file__).with_name("watched.py"))
    key = (sorted(asdict(hardware).items()), sources_hash(*own), version)
    file = f"{network.digest}-{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.wasm"
    places = [cache_dir] if cache_dir else list(cache.places())
    for place in places:
        if (place / "webassembly" / file).exists():
            return place / "webassembly" / file
    target = places[0] / "webassembly" / file
    tell_compiling()
    with locked(target):
        if not target.exists():
            _compile(network, hardware, target)
    return target


def _compile(network: Network, hardware: Hardware, target: Path) -> None:
    """Generate and compile an array; `target` appears only when it is complete."""
    watched = WatchedArray(network, hardware)
    header = ports_header(network) + watched.header()
    try:
        source = vector_source(component_rtlil(watched, TOP), TOP, "Varray")
    except UnknownCellError as error:
        raise ToolError(f"the array of {network.name!r} cannot be had as WebAssembly: {error}") from None
    with temporary_folder(target.parent, "build-") as folder:
        texts = {"Varray.h": source.header, "Varray.cpp": source.body, "array_ports.h": header, **_HEADERS}
        for name, text in texts.items():
            (folder / name).write_text(text)
        for path in (SUPPORT, HARNESS, _MEMORY):
            shutil.copy(path, folder)
        # Zig remembers what it compiled by the names of the files: absolute ones are never those of another array.
        units = [folder.absolute() / name for name in ("Varray.cpp", HARNESS.name, _MEMORY.name)]
        kept = {f"ZIG_{kind}_CACHE_DIR": str(folder.absolute() / "zig") for kind in ("GLOBAL", "LOCAL")}
        command: list[str | Path] = [
            *(sys.executable, "-m", COMPILER, "c++", *_FLAGS),
            f"-I{folder.absolute()}",
            *units,
            *("-o", "array.wasm"),
        ]
        done = run_within(COMPILE_SECONDS, command, folder, tool_environment() | kept)
        if done.returncode:
            raise ToolError(f"{COMPILER} failed while compiling the array:\n{done.stdout}{done.stderr}")
        os.replace(folder / "array.wasm", target)
