# SPDX-License-Identifier: BSD-2-Clause
"""Ceilings of what a build may take and a floor of its frequency; a breach fails the build."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from erbium.fpga.boards import BOARDS, CORE
from erbium.fpga.report import BuildReport
from erbium.gen.presets import PRESETS

FILE = Path(__file__).with_name("budgets.toml")
CEILINGS = {"luts": "LUTs", "ffs": "flip-flops", "block_rams": "block RAMs", "spram_blocks": "SPRAMs"}
"""Keys of the file, and what the report calls them."""

FLOOR, LANES = "fmax", "lanes"


@dataclass(frozen=True)
class Budget:
    """What one preset may take on one board.

    Parameters
    ----------
    fmax : float
        In MHz; at least so much has to be reached.
    ceilings : dict of int
        At most so many, by the name that the report has for them.
    lanes : int, optional
        Of layer 1: a build with other lanes has no budget.
    """

    fmax: float
    ceilings: dict[str, int]
    lanes: int | None = None


@cache
def read_budgets(file: Path = FILE) -> dict[tuple[str, str], Budget]:
    """Return the budgets by board and preset.

    Raises
    ------
    ValueError
        If the file names a board, preset or key that there is not.
    """
    with open(file, "rb") as stream:
        data = tomllib.load(stream)
    budgets = {}
    for board, presets in data.items():
        for preset, keys in presets.items():
            where = f"{file.name}: {board}.{preset}"
            if board not in BOARDS or preset not in (*PRESETS, CORE):
                raise ValueError(f"{where}: there is no such board or preset")
            if unknown := set(keys) - {FLOOR, LANES, *CEILINGS}:
                raise ValueError(f"{where}: there is no budget for {', '.join(sorted(unknown))}")
            ceilings = {name: keys[key] for key, name in CEILINGS.items() if key in keys}
            budgets[board, preset] = Budget(keys.get(FLOOR, 0), ceilings, keys.get(LANES))
    return budgets


def breaches(report: BuildReport, budgets: dict[tuple[str, str], Budget] | None = None) -> list[str]:
    """Return a sentence for each budget that a build breaks; none if it has no budget.

    Parameters
    ----------
    report : BuildReport
    budgets : dict, optional
        By default those of ``budgets.toml``.
    """
    budget = (read_budgets() if budgets is None else budgets).get((report.board, report.preset))
    # What reads a flash takes cells and time that no budget knows of; the clock that was asked for is met in any case.
    if budget is None or budget.lanes not in (None, report.lanes) or report.from_flash:
        return []
    found = []
    if report.timing.fmax < budget.fmax:
        found.append(f"{report.timing.fmax:g} MHz reached and the budget is at least {budget.fmax:g} MHz")
    for name, most in budget.ceilings.items():
        if report.uses[name].used > most:
            found.append(f"{report.uses[name].used:,} {name} used and the budget is at most {most:,}")
    return found
