# SPDX-License-Identifier: BSD-2-Clause
"""From the netlist to a library without Verilator: C++ that is vectorised over the lanes, for the machine at hand."""

from __future__ import annotations

import concurrent.futures
import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from erbium.gen.vectors.accept import UnknownCellError
from erbium.gen.vectors.source import SUPPORT, vector_source
from erbium.sw_model import cache
from erbium.sw_model.temporary import temporary_folder
from erbium.verif.files import locked
from erbium.verif.processes import COMPILE_SECONDS, run_within
from erbium.verif.simulators import ToolError, find_cxx, output_of
from erbium.verif.verilate import Design, tell_compiling

# Lanes are vectors already, and what the compiler makes of the rest costs more than it gives. Elements of vectors are
# read one by one, too, which is another type.
COMPILE_FLAGS = ("-O2", "-fno-tree-vectorize", "-fno-strict-aliasing", "-fPIC", "-std=c++17", "-Wno-psabi")

NATIVE = "-march=native"


def machine_flags(compiler: Path) -> tuple[tuple[str, ...], str]:
    """Return the flags that suit this machine, and a text that is another one on a machine with other instructions.

    The text is what the compiler defines with these flags, so it names the compiler's version, too.
    """
    for flags in ((NATIVE,), ()):
        macros = output_of(str(compiler), *flags, "-dM", "-E", "-x", "c++", os.devnull)
        if "#define __cplusplus" in macros:
            return flags, "\n".join(sorted(macros.splitlines()))
    raise ToolError(
        f"{compiler} does not compile C++; get another compiler with '{find_cxx().hint or 'CXX=g++'}'."
    )


def vector_library(
    design: Design,
    rtlil: Callable[[], str],
    folder: str,
    name: str,
    key: Sequence[object],
    cache_dir: Path | None = None,
) -> Path:
    """Return the compiled library of a design, compiling it if the cache has none.

    Parameters
    ----------
    design : Design
    rtlil : callable
        Returns the netlist; called only if there is no library in the cache.
    folder, name : str
        Where in the cache, and how the name of its file begins.
    key : sequence
        All that decides what the library does; the compiler and the machine are added.
    cache_dir : Path, optional
        Default is that of :mod:`erbium.sw_model.cache`.

    Raises
    ------
    UnknownCellError
        If the netlist holds something that the generator does not know. That is remembered in the cache, too.
    ToolError
        If the C++ compiler is missing or fails.
    """
    compiler = find_cxx().require()
    flags, machine = machine_flags(compiler)
    text = repr((*key, SUPPORT.read_text(), COMPILE_FLAGS, flags, machine))
    file = f"{name}-vectors-{hashlib.sha256(text.encode()).hexdigest()[:16]}.so"
    places = [cache_dir] if cache_dir else list(cache.places())
    for place in places:
        if (place / folder / file).exists():
            return place / folder / file
    target = places[0] / folder / file
    refused = target.with_suffix(".unknown")
    if not target.exists() and not refused.exists():
        tell_compiling()
    if not target.exists():
        with locked(target):
            if refused.exists():
                raise UnknownCellError(refused.read_text())
            if not target.exists():
                try:
                    _compile(design, rtlil(), target, compiler, flags)
                except UnknownCellError as error:
                    refused.write_text(str(error))
                    raise
    return target


def _compile(design: Design, rtlil: str, target: Path, compiler: Path, flags: tuple[str, ...]) -> None:
    """Generate and compile a design; `target` appears only when it is complete."""
    source = vector_source(rtlil, design.top, design.prefix)
    with temporary_folder(target.parent, "build-") as folder:
        texts = {
            f"{design.prefix}.h": source.header,
            f"{design.prefix}.cpp": source.body,
            # What a harness includes besides the class that Verilator would make.
            "verilated.h": f'#pragma once\n#include "{SUPPORT.name}"\n',
            **design.headers,
        }
        for file, text in texts.items():
            (folder / file).write_text(text)
        shutil.copy(SUPPORT, folder)
        shutil.copy(design.harness, folder / "harness.cpp")
        command: list[str | Path] = [compiler, *COMPILE_FLAGS, *flags, "-I."]
        units = (f"{design.prefix}.cpp", "harness.cpp")
        with concurrent.futures.ThreadPoolExecutor(len(units)) as pool:
            list(pool.map(lambda unit: _run([*command, "-c", unit, "-o", f"{unit}.o"], folder), units))
        _run([compiler, "-shared", "-o", "design.so", *(f"{unit}.o" for unit in units)], folder)
        os.replace(folder / "design.so", target)


def _run(command: Sequence[str | Path], folder: Path) -> None:
    done = run_within(COMPILE_SECONDS, command, folder)
    if done.returncode:
        raise ToolError(f"{command[0]} failed while compiling the array:\n{done.stdout}{done.stderr}")
