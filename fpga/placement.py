# SPDX-License-Identifier: BSD-2-Clause
"""Reads what nextpnr reports: frequency, critical path, what is used of what there is."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from erbium.fpga.boards import Family

MHZ = 1_000_000

_BELS: dict[Family, dict[str, tuple[str, ...]]] = {
    # What the report calls the things; several are added up. The first tells how many there are.
    "ecp5": {
        "LUTs": ("TRELLIS_COMB",),
        "flip-flops": ("TRELLIS_FF",),
        "block RAMs": ("DP16KD",),
        "DSPs": ("MULT18X18D",),
    },
    "ice40": {
        "LUTs": ("ICESTORM_LC",),
        "block RAMs": ("ICESTORM_RAM",),
        "SPRAMs": ("ICESTORM_SPRAM",),
        "DSPs": ("ICESTORM_DSP",),
    },
    "gowin": {
        "LUTs": ("LUT4", "ALU"),
        "flip-flops": ("DFF",),
        "block RAMs": ("BSRAM",),
        "DSPs": ("MULT18X18", "MULT9X9", "MULT36X36"),
    },
}

_LUTS_PER_RAM16 = 4


@dataclass(frozen=True)
class Use:
    """How many of something are used, and how many there are."""

    used: int
    available: int


@dataclass(frozen=True)
class Timing:
    """The slowest clock.

    Attributes
    ----------
    fmax, constraint : float
        What was reached and what was asked for, MHz.
    begin, end : str
        Where the critical path begins and ends.
    """

    fmax: float
    constraint: float
    begin: str
    end: str

    @property
    def met(self) -> bool:
        """Whether it is fast enough."""
        return self.fmax >= self.constraint

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self) | {"met": self.met}


def timing_of(report: dict[str, Any]) -> Timing:
    """Return the timing of the clock that is nearest to missing its constraint.

    Raises
    ------
    ValueError
        If nextpnr found no clock.
    """
    clocks: dict[str, dict[str, float]] = report["fmax"]
    if not clocks:
        raise ValueError("nextpnr found no clock in the design")
    name, figures = min(clocks.items(), key=lambda item: item[1]["achieved"] / item[1]["constraint"])
    begin = end = ""
    for path in report["critical_paths"]:
        if path["path"] and path["from"].endswith(f" {name}") and path["to"].endswith(f" {name}"):
            begin = signal_name(path["path"][0]["from"]["cell"])
            end = signal_name(path["path"][-1]["to"]["cell"])
    return Timing(round(figures["achieved"], 2), round(figures["constraint"], 2), begin, end)


def signal_name(cell: str) -> str:
    """Return the signal that gave a cell its name: Yosys hangs on what it made of it."""
    return re.split(
        r"\$|_(?:TRELLIS|SB|DFF|DP16KD|LUT\d|CCU2C|PFUMX|L6MUX|ALU|MUX2|DPR16)", cell, maxsplit=1
    )[0]


def uses_of(family: Family, report: dict[str, Any], log: str) -> dict[str, Use]:
    """Return what is used of LUTs, flip-flops, block RAMs, SPRAMs and DSPs.

    Parameters
    ----------
    family : str
    report : dict
        Of nextpnr.
    log : str
        Of nextpnr: an iCE40 has cells with a LUT and a flip-flop each, and only there it says how many hold which.
    """
    bels: dict[str, dict[str, int]] = report["utilization"]
    uses = {}
    for name, kinds in _BELS[family].items():
        used = sum(bels.get(kind, {"used": 0})["used"] for kind in kinds)
        uses[name] = Use(used, bels[kinds[0]]["available"])
    if family == "gowin":
        ram = bels.get("RAM16SDP4", {"used": 0})["used"] * _LUTS_PER_RAM16
        uses["LUTs"] = Use(uses["LUTs"].used + ram, uses["LUTs"].available)
    if family == "ice40":
        found = re.findall(r"(\d+) LCs used as (?:LUT4 and DFF|DFF only)", log)
        uses["flip-flops"] = Use(sum(map(int, found)), uses["LUTs"].available)
    uses.setdefault("SPRAMs", Use(0, 0))
    return uses
