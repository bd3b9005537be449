# SPDX-License-Identifier: BSD-2-Clause
"""The proofs: how many components have some, how many by induction, and whether each fault refutes its proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from erbium.bench.display import Display
from erbium.bench.request import Request
from erbium.bench.result import Row
from erbium.bench.work import Advance, Task, carry_out
from erbium.verif.formal.proof import Proof
from erbium.verif.formal.solve import SECONDS, NotRefutedError, ProofError, check_programs, prove
from erbium.verif.formal.table import PROOFS, proofs_of, short_proofs

QUANTITIES = ("components", "by-induction", "not-refuted-by-their-fault", "failed", "longest")


@dataclass(frozen=True)
class Found:
    """What became of one proof.

    Parameters
    ----------
    component, name : str
    seconds, fault_seconds : float
        Of the claim with its cover, and of the fault; 0 if the proof failed.
    failure : str
        Why it failed; empty if it holds.
    refuted : bool
        Whether its fault refuted it, as far as that was tried.
    """

    component: str
    name: str
    seconds: float = 0.0
    fault_seconds: float = 0.0
    failure: str = ""
    refuted: bool = True


def carry_out_proofs(proofs: Sequence[Proof], seconds: float, jobs: int, display: Display) -> list[Found]:
    """Carry proofs out, those of a component in a process of their own; return what became of each, in their order.

    Raises
    ------
    ToolError
        When a program is missing, naming the command that installs it.
    """
    check_programs()
    components = list(dict.fromkeys(proof.component for proof in proofs))
    wanted = {name: [one.name for one in proofs if one.component == name] for name in components}
    tasks = [Task(name, len(wanted[name]), run, (name, wanted[name], seconds)) for name in components]
    found = {(one.component, one.name): one for part in carry_out(tasks, jobs, display) for one in part}
    return [found[proof.component, proof.name] for proof in proofs]


def run(advance: Advance, component: str, names: list[str], seconds: float) -> list[Found]:
    """Carry the proofs of one component out."""
    found = []
    for proof in proofs_of(component):
        if proof.name not in names:
            continue
        try:
            verdict = prove(proof, seconds)
        except ProofError as error:
            refuted = not isinstance(error, NotRefutedError)
            found.append(Found(component, proof.name, failure=str(error), refuted=refuted))
        else:
            found.append(Found(component, proof.name, verdict.seconds, verdict.fault_seconds))
        advance(1)
    return found


def measure(request: Request, display: Display) -> list[Row]:
    """Carry all proofs out, or the short ones; a proof that fails counts for nothing."""
    ids = [f"{request.bench}/{quantity}" for quantity in QUANTITIES]
    selected = request.select(ids)
    proofs = short_proofs() if request.quick else list(PROOFS)
    found = carry_out_proofs(proofs, SECONDS, request.n_processes, display)
    for one in found:
        if one.failure:
            display.say(one.failure)
    return [row for row in _rows(request, ids, proofs, found) if row.id in selected]


def _rows(request: Request, ids: list[str], proofs: Sequence[Proof], found: Sequence[Found]) -> list[Row]:
    failed = [one for one in found if one.failure]
    broken = {one.component for one in failed}
    proved = {proof.component for proof in proofs} - broken
    inductive = {proof.component for proof in proofs if proof.method == "induction"} - broken
    not_refuted = [f"{one.component} {one.name}" for one in failed if not one.refuted]
    longest = max((max(one.seconds, one.fault_seconds) for one in found), default=0.0)
    listed = [
        {
            "component": proof.component,
            "name": proof.name,
            "how": proof.how,
            "seconds": round(one.seconds, 1),
            "fault_seconds": round(one.fault_seconds, 1),
        }
        for proof, one in zip(proofs, found, strict=True)
        if not one.failure
    ]
    common: dict[str, Any] = {"quick": request.quick}
    whole = not request.quick
    commands = [request.command(row_id) for row_id in ids]
    return [
        Row(
            ids[0],
            len(proved),
            "components",
            commands[0],
            25 if whole else None,
            "at least",
            {**common, "proofs": listed},
        ),
        Row(ids[1], len(inductive), "components", commands[1], 12 if whole else None, "at least", common),
        Row(ids[2], len(not_refuted), "proofs", commands[2], 0, "exactly", {**common, "which": not_refuted}),
        Row(
            ids[3],
            len(failed),
            "proofs",
            commands[3],
            0,
            "exactly",
            {**common, "why": [one.failure for one in failed]},
        ),
        Row(ids[4], round(longest, 1), "s", commands[4], SECONDS, "at most", common),
    ]
