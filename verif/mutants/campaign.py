# SPDX-License-Identifier: BSD-2-Clause
"""What becomes of each mutant of a subject: killed by a bench, proved harmless, or neither."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from erbium.verif.mutants import contract, harmless, server
from erbium.verif.mutants.netlist import Mutant, Planted, planted
from erbium.verif.mutants.table import Subject
from erbium.verif.registry import REGISTRY
from erbium.verif.run_bench import Run, run_bench

BENCH_SEEDS = (1, 2, 3, 4, 5)
"""Of stimuli and stalls: a mutant that the bench lets through with the first meets it with the next."""

PIECE = 40
"""Mutants of one simulation: what is lost at most when it is interrupted is the one that was under way."""

SECONDS = 3600
"""How long a simulation of so many may take; each mutant has a limit of its own."""

RESULTS, PROOFS = "results.jsonl", "harmless.jsonl"


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant.

    Parameters
    ----------
    mutant : Mutant
    by : str
        The test that failed, ``"hang"`` or ``"crash"``; empty if none did.
    says : str
        What it said.
    harmless : bool
        Whether it is proved to change nothing.
    why : str
        Why that is not proved of a survivor.
    """

    mutant: Mutant
    by: str
    says: str = ""
    harmless: bool = False
    why: str = ""

    @property
    def kind(self) -> str:
        """``killed``, ``hang``, ``harmless`` or ``survived``."""
        if self.by:
            return "hang" if self.by == "hang" else "killed"
        return "harmless" if self.harmless else "survived"

    def row(self, subject: Subject) -> dict[str, object]:
        """Return it as JSON has it."""
        mutant = asdict(self.mutant)
        del mutant["command"]
        place = {"component": subject.component, "case": subject.case}
        return place | mutant | {"by": self.by, "says": self.says, "kind": self.kind, "why": self.why}


def plant(subject: Subject, seed: int, folder: Path) -> Planted:
    """Return the netlist of a subject with its mutants."""
    place = folder / f"{subject.component}-{subject.case}-{seed}"
    return planted(subject.component, subject.case, subject.count, seed, place)


def simulate(subject: Subject, made: Planted, advance: Callable[[int], object]) -> dict[int, tuple[str, str]]:
    """Run the bench of a subject on each mutant that has no result yet; return by number which test failed, and how.

    Raises
    ------
    BenchError
        If the bench fails on the netlist without a mutant.
    ToolError
        When Yosys, a simulator, or a package that the bench needs is missing.
    """
    asked = [mutant.number for mutant in made.mutants]
    found: dict[int, tuple[str, str]] = {}
    for seed in BENCH_SEEDS:
        found |= _simulate(subject, made, seed, asked)
        if seed == BENCH_SEEDS[0]:
            advance(len(asked))
        asked = [number for number in asked if not found[number][0]]
    return found


def _simulate(subject: Subject, made: Planted, seed: int, asked: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Run the bench with one seed on those that are asked for, unless that is done already."""
    entry = REGISTRY[subject.component]
    case = entry.case(subject.case)
    results = made.folder / (RESULTS if seed == BENCH_SEEDS[0] else f"seed-{seed}-{RESULTS}")
    key = hashlib.sha256(f"{seed} {entry.bench_file(case).read_text()} {made.verilog}".encode()).hexdigest()
    known = {one["number"] for one in _lines(results, key)}
    waiting = [number for number in asked if number not in known]
    for begin in range(0, len(waiting), PIECE):
        piece = waiting[begin : begin + PIECE]
        plan = made.folder / "plan.json"
        plan.write_text(json.dumps({"numbers": piece, "results": str(results)}))
        run = Run(
            entry,
            case,
            "verilator",
            seed,
            variant=f"mutants-{made.folder.name.rpartition('-')[2]}",
            verilog=made.verilog,
            seconds=SECONDS,
            before=server.__name__,
            variables={server.PLAN_VARIABLE: str(plan)},
        )
        run_bench(run, again=False)
    return {one["number"]: (one["test"], one["says"]) for one in _lines(results, key)}


def prove(subject: Subject, made: Planted, survivors: Sequence[int]) -> dict[int, harmless.Answer]:
    """Try to prove of each survivor that it changes nothing; return the answers by number.

    What is proved of a netlist stays so. What was not is asked again by a prover that may prove more.
    """
    path = made.folder / PROOFS
    key = hashlib.sha256(made.verilog.encode()).hexdigest()
    version = harmless.VERSION
    known = {one["number"]: one for one in _lines(path, key) if one["harmless"] or one["version"] == version}
    waiting = [number for number in survivors if number not in known]
    if waiting:
        entry = REGISTRY[subject.component]
        part: Any = entry.build(entry.case(subject.case))
        # Amaranth warns of what is made and not elaborated; only the places of its taps are asked for.
        for made_only in (part, getattr(part, "inner", part)):
            made_only._MustUse__used = True
        places = part.places() if hasattr(part, "places") else {}
        taps = {f"tap_{name}": place for name, place in places.items()}
        carried, bounds = contract.carried_by_outputs(part), contract.bounds_of(part)
        # Without its memories it is much smaller; only what is not proved of that is asked of the whole.
        sources = [harmless.written_open, harmless.written]
        provers: dict[int, harmless.Prover] = {}
        for number in waiting:
            answer = harmless.Answer(False)
            for place, source in enumerate(sources):
                if place not in provers and (circuit := source(made.folder)) is not None:
                    provers[place] = harmless.Prover(circuit, taps, carried, bounds)
                if (
                    place in provers
                    and not answer.harmless
                    and (not answer.why or provers[place].can_be_asked)
                ):
                    answer = provers[place].ask(number)
            known[number] = {"number": number, "version": version} | asdict(answer)
            with open(path, "a") as file:
                file.write(json.dumps(known[number]) + "\n")
    return {n: harmless.Answer(known[n]["harmless"], known[n]["why"]) for n in survivors}


def _lines(path: Path, key: str) -> list[dict[str, Any]]:
    """Return what a file holds; it begins anew if what decides about it has changed."""
    text = path.read_text() if path.exists() else ""
    # A line that was being written when the machine stopped is no result.
    whole = text[: text.rfind("\n") + 1]
    first, *lines = whole.splitlines() or [""]
    if first != key:
        whole, lines = f"{key}\n", []
    if whole != text:
        path.write_text(whole)
    return [json.loads(line) for line in lines]


def verdicts(
    subject: Subject, seed: int, folder: Path, advance: Callable[[int], object] = lambda _: None
) -> list[Verdict]:
    """Return what becomes of each mutant of a subject; what is known in the folder is not done again.

    The cheap comes first: the bench until something differs, and a proof for what it lets through.
    """
    made = plant(subject, seed, folder)
    tests = simulate(subject, made, advance)
    survivors = [number for number, (test, _) in tests.items() if not test]
    answers = prove(subject, made, survivors)
    found = []
    for mutant in made.mutants:
        test, says = tests[mutant.number]
        answer = harmless.Answer(False) if test else answers[mutant.number]
        found.append(Verdict(mutant, test, says, answer.harmless, answer.why))
    return found
