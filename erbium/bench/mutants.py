# SPDX-License-Identifier: BSD-2-Clause
"""The mutation score: of faults sampled in the hardware, how many a bench notices or a solver proves harmless."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from erbium.bench.display import Display
from erbium.bench.request import Request
from erbium.bench.result import Limit, Row
from erbium.bench.work import Advance, Task, carry_out
from erbium.sw_model.temporary import temporary_folder
from erbium.verif.files import build_folder
from erbium.verif.mutants.campaign import verdicts
from erbium.verif.mutants.harmless import check_solver
from erbium.verif.mutants.table import QUICK, SUBJECTS, Subject
from erbium.verif.simulators import find_verilator
from erbium.verif.yosys import find_yosys

SEED = 1
"""Of the sample."""

KINDS = ("killed", "hang", "harmless", "survived")

_QUANTITIES = ("sampled", "score", *KINDS)


def measure(request: Request, display: Display) -> list[Row]:
    """Sample, run, prove; return the score."""
    ids = [f"{request.bench}/{quantity}" for quantity in _QUANTITIES]
    selected = request.select(ids)
    find_yosys().require()
    find_verilator().require()
    check_solver()
    subjects = QUICK if request.quick else SUBJECTS
    with _folder(request.keep) as folder:
        tasks = [Task(one.name, one.count, run, (one, folder)) for one in subjects]
        found: list[list[dict[str, Any]]] = carry_out(tasks, request.n_processes, display)
    return [row for row in _rows(request, ids, subjects, found) if row.id in selected]


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    build_folder().mkdir(parents=True, exist_ok=True)
    with temporary_folder(build_folder(), ".mutants-") as folder:
        yield folder


def run(advance: Advance, subject: Subject, folder: Path) -> list[dict[str, Any]]:
    """Return what becomes of each mutant of one subject, as JSON has it."""
    return [verdict.row(subject) for verdict in verdicts(subject, SEED, folder, advance)]


def _rows(
    request: Request, ids: list[str], subjects: Sequence[Subject], found: Sequence[Sequence[dict[str, Any]]]
) -> list[Row]:
    rows = [row for part in found for row in part]
    kinds = Counter(row["kind"] for row in rows)
    score = 100 * (len(rows) - kinds["survived"]) / len(rows)
    table = [
        {"component": subject.component, "case": subject.case, "sampled": len(part)}
        | {kind: sum(row["kind"] == kind for row in part) for kind in KINDS}
        for subject, part in zip(subjects, found, strict=True)
    ]
    survivors = [
        {
            key: row[key]
            for key in ("component", "case", "number", "place", "cell", "wire", "port", "mode", "why")
        }
        for row in rows
        if row["kind"] == "survived"
    ]
    whole = not request.quick
    common: dict[str, Any] = {"quick": request.quick, "seed": SEED}
    targets: dict[str, tuple[float | None, Limit]] = {
        "sampled": (1000 if whole else None, "at least"),
        "score": (95 if whole else None, "at least"),
    }
    values = {"sampled": len(rows), "score": round(score, 1)} | {kind: kinds[kind] for kind in KINDS}
    extras: dict[str, dict[str, Any]] = {"sampled": {"subjects": table}, "survived": {"survivors": survivors}}
    return [
        Row(
            row_id,
            values[name],
            "%" if name == "score" else "mutants",
            request.command(row_id),
            *targets.get(name, (None, "at most")),
            common | extras.get(name, {}),
        )
        for row_id, name in zip(ids, _QUANTITIES, strict=True)
    ]
