# SPDX-License-Identifier: BSD-2-Clause
"""One netlist with many faults in it, of which an input picks one: made by ``mutate`` of Yosys."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from erbium.gen.verilog import component_rtlil
from erbium.verif.files import locked
from erbium.verif.registry import REGISTRY
from erbium.verif.yosys import find_yosys, run_yosys

TOP = "bench_top"
SELECT = "mutant"
"""The input that picks a mutant by its number; 0 is none of them."""
SELECT_WIDTH = 12

MODES = ("inv", "const0", "const1", "cnot0", "cnot1")
"""What Yosys does to a bit: turn it over, hold it at 0 or 1, or turn it over where another bit is 0 or 1."""

_EVERY = 4
"""How many faults Yosys is asked for, for each that is wanted: some stand where none is to be."""

_NO_FAULT = {"$meminit", "$meminit_v2", "$scopeinfo"}
"""Cells without a signal that a fault could alter while the clock runs."""
_NO_PORT = {"CLK", "ARST"}
"""A fault of a clock is none of the description."""

# Where a fault lets several branches of a case be taken, the first one is: in the simulation as in the proof.
_LAST = ("pmuxtree", "opt_clean", "write_rtlil mutants.il", "write_verilog -noattr -norename mutants.v")


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Parameters
    ----------
    number : int
        By which it is picked.
    place : str
        The component that holds it, from the top down.
    cell : str
        Its kind of cell, as Yosys names it.
    wire : str
        The signal that it alters, with the number of the bit, or the cell where that has no name.
    port : str
        Which side of the cell.
    mode : str
        One of :data:`MODES`.
    command : str
        What Yosys is told.
    """

    number: int
    place: str
    cell: str
    wire: str
    port: str
    mode: str
    command: str


@dataclass(frozen=True)
class Planted:
    """A netlist with mutants.

    Parameters
    ----------
    folder : Path
        With ``mutants.v``, and ``flat.il``, the netlist without them.
    cells : int
        Of the netlist without mutants.
    mutants : tuple of Mutant
    """

    folder: Path
    cells: int
    mutants: tuple[Mutant, ...]

    @property
    def verilog(self) -> str:
        """The netlist as Verilog."""
        return (self.folder / "mutants.v").read_text()


def planted(component: str, case: str, count: int, seed: int, folder: Path) -> Planted:
    """Return a component with mutants.

    Parameters
    ----------
    component, case : str
        Of the registry.
    count : int
        Mutants that are wanted; there are fewer where the netlist has not so many bits.
    seed : int
        Of the sample.
    folder : Path
        Where it is kept; it is made again if anything that decides about it changes.

    Raises
    ------
    ToolError
        When there is no Yosys, or it fails.
    """
    entry = REGISTRY[component]
    rtlil = component_rtlil(entry.build(entry.case(case)), TOP)
    listing = f"mutate -list {_EVERY * count} -seed {seed} -o list.txt"
    commands = [
        "read_rtlil source.il",
        f"hierarchy -top {TOP}",
        *("proc", "flatten", "opt_clean"),
        "write_rtlil flat.il",
        listing,
    ]
    chosen = (count, MODES, sorted(_NO_FAULT), sorted(_NO_PORT), _LAST, [one.name for one in fields(Mutant)])
    state = "\n".join([str(find_yosys().version), repr(chosen), *commands, rtlil])
    key = hashlib.sha256(state.encode()).hexdigest()
    stamp = folder / "made.json"
    with locked(folder):
        if stamp.exists() and (made := json.loads(stamp.read_text()))["key"] == key:
            return Planted(folder, made["cells"], tuple(Mutant(**one) for one in made["mutants"]))
        folder.mkdir(parents=True, exist_ok=True)
        stamp.unlink(missing_ok=True)
        (folder / "source.il").write_text(rtlil)
        run_yosys(commands, folder, "list")
        kinds = _kinds((folder / "flat.il").read_text())
        mutants = _chosen((folder / "list.txt").read_text().splitlines(), kinds, count)
        plant = [mutant.command for mutant in mutants]
        run_yosys(["read_rtlil flat.il", *plant, *_LAST], folder, "plant")
        cells = sum(kind not in _NO_FAULT for kind in kinds.values())
        stamp.write_text(
            json.dumps({"key": key, "cells": cells, "mutants": [asdict(one) for one in mutants]})
        )
    return Planted(folder, cells, tuple(mutants))


def _kinds(rtlil: str) -> dict[str, str]:
    """Return the kind of each cell of a netlist."""
    return {name: kind for kind, name in re.findall(r"^  cell (\S+) (\S+)$", rtlil, re.MULTILINE)}


def _chosen(lines: list[str], kinds: dict[str, str], count: int) -> list[Mutant]:
    """Return the first mutants of a list that stand where a fault may be, no two the same."""
    chosen: dict[str, Mutant] = {}
    for line in lines:
        said = dict(re.findall(r"-(\w+) (\S+)", line))
        kind = kinds[said["cell"]]
        if kind in _NO_FAULT or said["port"] in _NO_PORT or said["mode"] not in MODES:
            continue
        number = len(chosen) + 1
        options = [f"-{name} {said[name]}" for name in ("mode", "module", "cell", "port", "portbit")]
        options += [f"-ctrlbit {said['ctrlbit']}"] if "ctrlbit" in said else []
        fault = " ".join(options)
        if fault in chosen:
            continue
        command = f"mutate -ctrl {SELECT} {SELECT_WIDTH} {number} {fault}"
        wire = f"{said['wire'].lstrip(chr(92))}[{said.get('wirebit', 0)}]" if "wire" in said else said["cell"]
        chosen[fault] = Mutant(
            number,
            _place(said["cell"]),
            kind,
            wire,
            f"{said['port']}[{said['portbit']}]",
            said["mode"],
            command,
        )
        if len(chosen) == count:
            break
    return list(chosen.values())


def _place(cell: str) -> str:
    """Return the path of the module that a cell of a flat netlist was in."""
    parts = re.findall(r"\\([^\\.$]+)(?:\$\d+)?\.", cell)
    return ".".join(parts)
