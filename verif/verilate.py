# SPDX-License-Identifier: BSD-2-Clause
"""From Verilog to a library that Python can call: Verilator, the C++ compiler, and a cache of what they made."""

from __future__ import annotations

import concurrent.futures
import hashlib
import logging
import os
import platform
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import erbium.gen
import erbium.hdl
from erbium.sw_model import cache, constants, programs, rules
from erbium.sw_model import network as network_module
from erbium.sw_model.temporary import temporary_folder
from erbium.verif.files import locked
from erbium.verif.processes import COMPILE_SECONDS, run_within
from erbium.verif.simulators import ToolError, cell_models, find_cxx, find_verilator, verilator_env

# GCC 12's vectorizer of straight-line code adds up single-bit counters wrongly in what Verilator writes (seen with 17
# lanes: a test keeps watch); without it the array runs about a twentieth slower.
COMPILE_FLAGS = ("-O2", "-fno-tree-slp-vectorize", "-fPIC", "-std=c++17", "-DVL_TIME_CONTEXT")
_RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
# The run time of waveforms, and what it links to besides.
_TRACE_RUNTIME = {"": (), "vcd": ("verilated_vcd_c.cpp",), "fst": ("verilated_fst_c.cpp",)}
_TRACE_LIBRARIES = {"": (), "vcd": (), "fst": ("-lz", "-llz4")}
_LARGE = 100_000
"""Bytes of a source file from which on it is compiled by itself."""
VERILATOR_FLAGS = (
    "--cc",
    "-O3",
    "--x-assign",
    "fast",
    "--x-initial",
    "fast",
    "--no-assert",
    "--output-split",
    "20000",
    "-Wno-fatal",
    "-Wno-lint",
)


@dataclass(frozen=True)
class Design:
    """What is compiled.

    Parameters
    ----------
    top : str
        Name of the top module.
    prefix : str
        Name of the class that Verilator makes of it.
    verilog : callable
        Returns the source; called only if there is no library in the cache.
    harness : Path
        C++ file with the functions that Python calls.
    headers : mapping of str to str
        Names and texts of files that the harness includes.
    trace : str
        Format of the waveforms that it can write, ``"vcd"`` or ``"fst"``; empty for none, which is faster.
    """

    top: str
    prefix: str
    verilog: Callable[[], str]
    harness: Path
    headers: Mapping[str, str]
    trace: str = ""


def sources_hash(*further: Path) -> str:
    """Return a hash of all code that decides what a library does; `further` are files besides ``hdl`` and ``gen``."""
    files = [path for module in (erbium.hdl, erbium.gen) for path in _python_files(module)]
    files += [Path(str(module.__file__)) for module in (network_module, rules, programs, constants)]
    digest = hashlib.sha256()
    files += sorted(Path(__file__).parent.glob("cells/*.v"))
    for path in (*files, *further, Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _python_files(package: ModuleType) -> list[Path]:
    return sorted(Path(str(package.__file__)).parent.rglob("*.py"))


def cached_library(
    design: Design, folder: str, name: str, key: Sequence[object], cache_dir: Path | None = None
) -> Path:
    """Return the compiled library of a design, compiling it if the cache has none.

    Parameters
    ----------
    design : Design
    folder, name : str
        Where in the cache, and how the name of its file begins.
    key : sequence
        All that decides what the library does; Verilator's version and the machine are added.
    cache_dir : Path, optional
        Default is that of :mod:`erbium.sw_model.cache`.

    Raises
    ------
    ToolError
        If Verilator or the C++ compiler is missing or fails.
    """
    verilator = find_verilator()
    verilator.require()
    text = repr((*key, verilator.version, platform.machine()))
    file = f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.so"
    places = [cache_dir] if cache_dir else list(cache.places())
    for place in places:
        if (place / folder / file).exists():
            return place / folder / file
    target = places[0] / folder / file
    if not target.exists():
        tell_compiling()
        with locked(target):
            if not target.exists():
                _compile(design, target, _runtime(places[0] / "runtime", design.trace))
    return target


def tell_compiling() -> None:
    """Say what takes long, whether this process compiles or waits for one that does; the command line prints it."""
    logging.getLogger("erbium").info(
        "Compiling the simulated hardware, which takes seconds for a small network and minutes for a large one; the "
        "next time it comes out of the cache."
    )


def _run(command: Sequence[str | Path], cwd: Path, env: dict[str, str] | None = None) -> None:
    done = run_within(COMPILE_SECONDS, command, cwd, env)
    if done.returncode:
        raise ToolError(
            f"{Path(command[0]).name} failed while compiling the array:\n{done.stdout}{done.stderr}"
        )


def _include(env: Mapping[str, str], verilator: Path) -> Path:
    """Return the folder of Verilator's headers and of the sources of its run time."""
    places = [verilator.parent.parent, verilator.parent.parent / "share" / "verilator"]
    roots = [Path(env["VERILATOR_ROOT"])] if "VERILATOR_ROOT" in env else places
    return next((root for root in roots if (root / "include" / _RUNTIME[0]).exists()), roots[-1]) / "include"


def _compile_one(compiler: Path, include: Path, source: Path, folder: Path, *further: str) -> Path:
    """Compile a source file into a folder and return the object file."""
    result = folder / f"{source.stem}.o"
    includes = [f"-I{include}", f"-I{include}/vltstd", "-I."]
    _run([compiler, *COMPILE_FLAGS, *further, *includes, "-c", source, "-o", result], folder)
    return result


def _runtime(folder: Path, trace: str = "") -> list[Path]:
    """Return the objects of Verilator's run time, which takes as long to compile as a small array."""
    verilator, compiler = find_verilator(), find_cxx()
    include = _include(verilator_env(), verilator.require())
    made_by = (compiler.require(), compiler.version, include, verilator.version, COMPILE_FLAGS)
    # Without waveforms the key is what it was before there were any.
    key = (*made_by, trace) if trace else made_by
    kept = folder / hashlib.sha256(repr(key).encode()).hexdigest()[:16]
    with locked(kept):
        if not kept.exists():
            with temporary_folder(folder, "build-") as work:
                fresh = work / "objects"
                fresh.mkdir()
                for source in (*_RUNTIME, *_TRACE_RUNTIME[trace]):
                    _compile_one(compiler.require(), include, include / source, fresh)
                fresh.rename(kept)
    return sorted(kept.glob("*.o"))


def _units(folder: Path) -> tuple[list[Path], Path]:
    """Return what is to be compiled for speed, and what runs once: the latter in one piece, like all that is small.

    The compiler takes longer to read a header of Verilator than to compile most of what includes it.
    """
    fast: list[Path] = []
    slow: list[Path] = []
    for path in sorted(folder.glob("*.cpp")):
        (slow if path.stem.endswith("__Slow") else fast).append(path)
    large = [path for path in fast if path.stat().st_size > _LARGE]
    units = {"small": [path for path in fast if path not in large], "slow": slow}
    for unit, paths in units.items():
        lines = [f'#include "{path.name}"\n' for path in paths]
        (folder / f"{unit}.cpp").write_text("".join(lines))
    return [*large, folder / "small.cpp"], folder / "slow.cpp"


def _compile(design: Design, target: Path, runtime: Sequence[Path]) -> None:
    """Generate, translate and compile a design; `target` appears only when it is complete."""
    verilator = find_verilator().require()
    compiler = find_cxx().require()
    env = verilator_env()
    with temporary_folder(target.parent, "build-") as folder:
        verilog = design.verilog()
        (folder / "design.v").write_text(verilog)
        for header, text in design.headers.items():
            (folder / header).write_text(text)
        shutil.copy(design.harness, folder / "harness.cpp")
        names = ["--top-module", design.top, "--prefix", design.prefix]
        if design.trace:
            names += [f"--trace-{design.trace}"]
        _run(
            [verilator, *VERILATOR_FLAGS, *names, "-Mdir", ".", "design.v", *cell_models(verilog)],
            folder,
            env,
        )
        include = _include(env, verilator)
        fast, slow = _units(folder)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            once = pool.submit(_compile_one, compiler, include, slow, folder, "-O0")
            objects = list(pool.map(lambda source: _compile_one(compiler, include, source, folder), fast))
            # Behind the others: of an inline function that several have, the linker takes the first.
            objects += [*runtime, once.result()]
        _run(
            [compiler, "-shared", "-pthread", "-o", "design.so", *objects, *_TRACE_LIBRARIES[design.trace]],
            folder,
        )
        os.replace(folder / "design.so", target)
