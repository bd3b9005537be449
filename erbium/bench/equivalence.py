# SPDX-License-Identifier: BSD-2-Clause
"""Of how many components the netlist is proved to do what the source does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from erbium.bench.display import Display
from erbium.bench.request import Request
from erbium.bench.result import Row
from erbium.bench.work import Advance, Task, carry_out
from erbium.verif.equivalence import LEAVES, NotEquivalentError, compared, leaf
from erbium.verif.netlist import FAMILIES, FamilyName
from erbium.verif.simulators import ToolError
from erbium.verif.yosys import find_yosys

QUICK = ("Crc", "SampleCount")
"""What the short form proves."""


@dataclass(frozen=True)
class Compared:
    """What became of one netlist.

    Parameters
    ----------
    component, case, family : str
    points : int
        Bits that are proved equal.
    apart : tuple of str
        Inner signals that were left out.
    seconds : float
    failure : str
        Why it is not proved; empty if it is.
    """

    component: str
    case: str
    family: FamilyName
    points: int = 0
    apart: tuple[str, ...] = ()
    seconds: float = 0.0
    failure: str = ""


def compare(
    wanted: Sequence[tuple[str, str, FamilyName]], n_processes: int, display: Display
) -> list[Compared]:
    """Prove netlists of components in a case for a family, and return what became of each.

    Raises
    ------
    ToolError
        When Yosys is missing.
    """
    find_yosys().require()
    tasks = [Task(" ".join(one), 1, run, one) for one in wanted]
    found: list[Compared] = carry_out(tasks, n_processes, display)
    return found


def run(advance: Advance, component: str, case: str, family: FamilyName) -> Compared:
    """Prove one; a Yosys that fails or comes to no end is a failure of this one only."""
    try:
        proof = leaf(component, case, family)
    except (NotEquivalentError, ToolError) as error:
        found = Compared(component, case, family, failure=str(error))
    else:
        found = Compared(component, case, family, proof.points, proof.apart, round(proof.seconds, 1))
    advance(1)
    return found


def _asked(family: FamilyName, quick: bool) -> tuple[str, ...]:
    return QUICK if quick else tuple(compared(family))


def measure(request: Request, display: Display) -> list[Row]:
    """Prove all, or two components; one that is not proved counts for nothing."""
    asked = {family: _asked(family, request.quick) for family in FAMILIES}
    ids = {family: request.id(family, "components") for family in FAMILIES}
    unproved = f"{request.bench}/not-proved"
    selected = request.select([*ids.values(), unproved])
    wanted = [
        (name, LEAVES[name], family)
        for family in FAMILIES
        if {ids[family], unproved} & selected
        for name in asked[family]
    ]
    found = compare(wanted, request.n_processes, display)
    rows = []
    for family, row_id in ids.items():
        proved = [one for one in found if one.family == family and not one.failure]
        listed = [
            {
                "component": one.component,
                "case": one.case,
                "points": one.points,
                "apart": list(one.apart),
                "seconds": one.seconds,
            }
            for one in proved
        ]
        extra = {"quick": request.quick, "netlists": listed}
        rows.append(
            Row(
                row_id,
                len(proved),
                "components",
                request.command(row_id),
                len(asked[family]),
                "at least",
                extra,
            )
        )
    why = [one.failure for one in found if one.failure]
    for failure in why:
        display.say(failure)
    extra = {"quick": request.quick, "why": why}
    rows.append(Row(unproved, len(why), "netlists", request.command(unproved), 0, "exactly", extra))
    return [row for row in rows if row.id in selected]
