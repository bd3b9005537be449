# SPDX-License-Identifier: BSD-2-Clause
"""The tables and figures of the two sources, measured, beside what they published.

A file is a table or figure, :mod:`erbium.bench.papers.published` what it is set beside,
:mod:`erbium.bench.papers.runs` what is trained for it.
"""

from __future__ import annotations

from dataclasses import asdict, replace

from erbium.bench.display import Display
from erbium.bench.kept import Kept
from erbium.bench.papers import (
    ann,
    decision,
    energy,
    errors,
    first_spike,
    learning_speed,
    quantised,
    runs,
)
from erbium.bench.papers.part import Line, Part
from erbium.bench.papers.plan import Plan, plan_of
from erbium.bench.papers.runs import Result, Run
from erbium.bench.request import Request
from erbium.bench.result import Row
from erbium.bench.training import STEPS
from erbium.bench.work import Task, carry_out_longest_first
from erbium.sw_model.programs import DescriptionError

PARTS: tuple[Part, ...] = (
    errors.PART,
    learning_speed.PART,
    decision.PART,
    quantised.PART,
    first_spike.PART,
    energy.PART,
)
"""All tables and figures, in their order."""


def measure(request: Request, display: Display) -> list[Row]:
    """Carry out the runs that the rows asked for need, and make these rows."""
    plan = plan_of(request)
    made = [(part, line) for part in PARTS for line in part.lines(plan)]
    selected = request.select(line.id for _, line in made)
    wanted = [(part, line) for part, line in made if line.id in selected]
    if not request.quick:
        request.check_mnist()
    if not ann.is_there():
        wanted = [(part, line) for part, line in wanted if not _is_ordinary(line)]
        if not wanted:
            raise DescriptionError(ann.MISSING)
        display.say(f"{ann.MISSING[0].upper()}{ann.MISSING[1:]}.")
    if plan.dataset.notice:
        display.say(plan.dataset.notice)
    results = _results(plan, list(dict.fromkeys(run for _, line in wanted for run in line.runs)), display)
    return [
        replace(line.make([results[run] for run in line.runs]), section=part.title) for part, line in wanted
    ]


def _is_ordinary(line: Line) -> bool:
    return any(isinstance(run, runs.AnnRun) for run in line.runs)


def _results(plan: Plan, wanted: list[Run], display: Display) -> dict[Run, Result]:
    """Return the results of runs, those that were kept and those that have to be carried out."""
    kept = Kept.of(plan.request)
    keys = {run: kept.key(run.name, type(run).__name__, asdict(run), _digest(run, plan)) for run in wanted}
    results = {run: result for run in wanted if (result := kept.load(keys[run])) is not None}
    if results:
        display.say(f"{len(results)} of {len(wanted)} runs are kept in {plan.request.keep}.")
    missing = [run for run in wanted if run not in results]
    tasks = [Task(run.name, STEPS, runs.carry_out, (run, plan.request.data)) for run in missing]
    found = carry_out_longest_first(
        tasks,
        [run.length for run in missing],
        plan.request.n_processes,
        display,
        lambda number, result: kept.save(keys[missing[number]], result),
    )
    return results | dict(zip(missing, found, strict=True))


def _digest(run: Run, plan: Plan) -> list[str]:
    """Return what a result depends on besides the fields of its run: a kept one is no longer good if it changes."""
    digests = [plan.dataset.digest]
    if not isinstance(run, runs.AnnRun):
        digests += [run.network(plan.size).digest, repr(run.recipe(plan.size))]
    return digests
