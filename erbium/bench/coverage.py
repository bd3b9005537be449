# SPDX-License-Identifier: BSD-2-Clause
"""Which lines of the generated Verilog the benches reach, which bits go up and down, and which corners they come to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from erbium.bench.display import Display
from erbium.bench.kept import Kept
from erbium.bench.request import Request
from erbium.bench.result import Row
from erbium.bench.work import Advance, Task, carry_out
from erbium.verif import points
from erbium.verif.coverage import CONFIGURATIONS, QUICK, Coverage, Hole, Point, covered, holes, share
from erbium.verif.points import waived
from erbium.verif.registry import REGISTRY
from erbium.verif.simulators import find_verilator

SEED = 1
"""Of stimuli and stalls."""

TARGETS = {"line": 97, "toggle": 95, "points": 100}
"""Of functional points all are asked but those that cannot be reached, which are waived with a reason."""

_KINDS = {"line": "lines", "toggle": "toggles", "points": "points"}
"""Each quantity, and what of :class:`Coverage` it counts."""

_DEFINED = Path(points.__file__)
"""What the functional points are."""

_LISTED = 40
"""Holes of a component that the record lists, the largest; it says how many there are."""


def measure(request: Request, display: Display) -> list[Row]:
    """Run the benches with counters; return what they cover."""
    ids = [f"{request.bench}/{quantity}" for quantity in TARGETS]
    selected = request.select(ids)
    find_verilator().require()
    cases = {name: list(those) for name, those in (QUICK if request.quick else CONFIGURATIONS).items()}
    names = list(cases)
    tasks = [Task(name, len(cases[name]), run, (name, cases[name], request)) for name in names]
    found: list[Coverage] = carry_out(tasks, request.n_processes, display)
    by_name = dict(zip(names, found, strict=True))
    return [row for row in _rows(request, ids, by_name, cases) if row.id in selected]


def run(advance: Advance, name: str, cases: Sequence[str], request: Request) -> Coverage:
    """Return what the benches of one component cover, each of its configurations kept when it is done."""
    kept, entry, whole = Kept.of(request), REGISTRY[name], Coverage()
    for case_name in cases:
        case = entry.case(case_name)
        digest = hashlib.sha256(entry.bench_file(case).read_bytes() + _DEFINED.read_bytes()).hexdigest()
        key = kept.key(f"coverage {name} {case_name}", name, case_name, digest, SEED)
        done = kept.load(key)
        if done is None:
            one = covered(entry, case, SEED)
            kept.save(key, {kind: _packed(getattr(one, kind)) for kind in _KINDS.values()})
        else:
            one = Coverage(*(_unpacked(done[kind]) for kind in _KINDS.values()))
        whole.add(one)
        advance(1)
    return whole


def _packed(points: dict[Point, bool]) -> list[list[Any]]:
    return [[*point, int(reached)] for point, reached in points.items()]


def _unpacked(rows: list[list[Any]]) -> dict[Point, bool]:
    return {Point(*row[:3]): bool(row[3]) for row in rows}


def _rows(
    request: Request, ids: list[str], found: dict[str, Coverage], cases: dict[str, list[str]]
) -> list[Row]:
    rows = []
    for row_id, (quantity, target) in zip(ids, TARGETS.items(), strict=True):
        every = {name: getattr(one, _KINDS[quantity]) for name, one in found.items()}
        reasons = {
            name: {point.what: why for point in one if (why := waived(name, point.what))}
            for name, one in every.items()
            if quantity == "points"
        }
        # What is waived and reached all the same counts: then the reason is wrong, and the row says so.
        counted = {
            name: {
                point: there
                for point, there in one.items()
                if there or point.what not in reasons.get(name, {})
            }
            for name, one in every.items()
        }
        table = [
            {
                "component": name,
                "cases": cases[name],
                "points": len(one),
                "reached": sum(one.values()),
                "share": round(share(one), 1),
                "holes": len(gaps := holes(one)),
                "largest": [_listed(hole) for hole in gaps[:_LISTED]],
            }
            | (
                {
                    "waived": {
                        what: why for what, why in reasons[name].items() if not _met(every[name], what)
                    },
                    "waived_and_reached": [what for what in reasons[name] if _met(every[name], what)],
                }
                if quantity == "points"
                else {}
            )
            for name, one in counted.items()
        ]
        reached, total = (sum(row[key] for row in table) for key in ("reached", "points"))
        rows.append(
            Row(
                row_id,
                round(100 * reached / total, 1),
                "%",
                request.command(row_id),
                None if request.quick else target,
                "at least",
                {
                    "quick": request.quick,
                    "seed": SEED,
                    "points": total,
                    "reached": reached,
                    "components": table,
                },
            )
        )
    return rows


def _met(every: dict[Point, bool], what: str) -> bool:
    return any(there for point, there in every.items() if point.what == what)


def _listed(hole: Hole) -> dict[str, Any]:
    return dict(hole._asdict())
