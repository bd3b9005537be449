# SPDX-License-Identifier: BSD-2-Clause
"""Tasks of the machine: a network for each kind of rule, on the compiled model, with its controls.

========== ================================================ ============================== ===========================
task       rule                                             figure                         control
========== ================================================ ============================== ===========================
xor        reward-modulated, causal heights times a trace   seeds that solve it            no learning
bandit     the same with soft bounds                        worst block of all seeds       no learning; hard bounds
sequence   voltage and calcium, on presynaptic spikes       seeds with a detector          no learning
lines      winner-take-all, at the end of a sample          worst seed, pixels permuted    no depression
unlabelled the same, on MNIST                               accuracy, mean of the seeds    no learning
gallery    none: twenty neurons                             those that spike as often as
                                                            their equations
yin-yang   event-driven random backpropagation              accuracy, mean of the seeds
erbp       the same, layered network as a graph             weights that differ
clocks     the same, on the core of a board                 clocks beside a layered array
                                                            with as many lanes
rtl        five of these in short, in hardware              integers that differ
board      all of them in short, on one simulated board,    integers that differ;
           one network after the other over its line        time of a switch
========== ================================================ ============================== ===========================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from erbium.bench.core import bandit, board, lines, rtl, sequence, unlabelled, xor, yin_yang
from erbium.bench.display import Display
from erbium.bench.request import Request, load_named
from erbium.bench.result import Limit, Row
from erbium.bench.work import Advance, Task, carry_out
from erbium.fpga.boards import board as board_of
from erbium.fpga.core_plan import core_of
from erbium.gallery.behaviours import twenty
from erbium.gallery.record import record
from erbium.gen.presets import preset
from erbium.sw_model.constants import sample_seeds
from erbium.sw_model.core.fast import CoreModel
from erbium.sw_model.description.chain import chain
from erbium.sw_model.graph_fast.array import FastGraph
from erbium.verif.core_library import SMALL
from erbium.verif.library import SimulationError

SEEDS, QUICK_SEEDS = 20, 2
LAYERED, QUICK_LAYERED = "erbp-mnist-100", "erbp-digits"
N_LEARNED, N_INFERRED = 1_000, 200
IN_HARDWARE = "rtl/differing-integers"
ON_BOARD, SWITCH = "board/differing-integers", "board/switch"
CORE_BOARD = "ulx3s-85f"
"""Board whose core is compared with an array."""

COUNTED, QUICK_COUNTED = 20, 5
"""Learned samples whose clocks are counted."""

MOST_CLOCKS = 1.06
"""Times an array's clocks that the core may take with as many lanes."""

MOST_SWITCH = 10.0
"""Milliseconds of a board's time that loading XOR may take beside those of the serial line."""


@dataclass(frozen=True)
class Quantity:
    """What is asked of one row: its unit, its target for all seeds, and whether the worst seed counts or their mean."""

    unit: str
    target: float | None = None
    limit: Limit = "at least"
    worst: bool = False


QUANTITIES: Mapping[str, Quantity] = {
    "gallery/equal-counts": Quantity("of 20 behaviours", 20),
    "xor/solved": Quantity("of 20 seeds", 20),
    "xor/solved-without-learning": Quantity("of 20 seeds"),
    "bandit/worst-block": Quantity("right", 0.95, worst=True),
    "bandit/worst-block-hard-bounds": Quantity("right", worst=True),
    "bandit/without-learning": Quantity("right"),
    "sequence/solved": Quantity("of 20 seeds", 20),
    "sequence/solved-without-learning": Quantity("of 20 seeds"),
    "lines/first": Quantity("right", 0.97, worst=True),
    "lines/permuted": Quantity("right"),
    "lines/adapted": Quantity("right", 0.95, worst=True),
    "lines/without-depression": Quantity("right"),
    "yin-yang/accuracy": Quantity("right", 0.98),
    "unlabelled-mnist/accuracy": Quantity("right", 0.84),
    "unlabelled-mnist/without-learning": Quantity("right"),
}


def _xor(seed: int, quick: bool) -> dict[str, float]:
    return {
        "xor/solved": xor.solves(seed),
        "xor/solved-without-learning": xor.solves(seed, learns=False, epochs=1),
    }


def _bandit(seed: int, quick: bool) -> dict[str, float]:
    n_blocks, trials = (2, 150) if quick else (bandit.BLOCKS, bandit.TRIALS)
    blocks = partial(bandit.blocks, seed, n_blocks=n_blocks, trials=trials)
    return {
        "bandit/worst-block": min(blocks()),
        "bandit/worst-block-hard-bounds": min(blocks(soft=False)),
        "bandit/without-learning": float(np.mean(blocks(learns=False))),
    }


def _sequence(seed: int, quick: bool) -> dict[str, float]:
    return {
        "sequence/solved": sequence.detectors(seed) > 0,
        "sequence/solved-without-learning": sequence.detectors(seed, learns=False, learned=1) > 0,
    }


def _lines(seed: int, quick: bool) -> dict[str, float]:
    learned = lines.LEARNED // 2 if quick else lines.LEARNED
    shares = lines.shares(seed, learned=learned)
    control = lines.shares(seed, forgets=False, learned=learned)
    return {f"lines/{name}": share for name, share in shares._asdict().items()} | {
        "lines/without-depression": control.first
    }


SEED_TASKS: Mapping[str, Callable[[int, bool], dict[str, float]]] = {
    "xor": _xor,
    "bandit": _bandit,
    "sequence": _sequence,
    "lines": _lines,
}
"""Tasks that all seeds do."""


def seed_task(advance: Advance, seed: int, quick: bool, names: tuple[str, ...]) -> dict[str, float]:
    """Do tasks with one seed; return what each came to."""
    found: dict[str, float] = {}
    for name in names:
        found |= SEED_TASKS[name](seed, quick)
        advance(1)
    return found


def unlabelled_task(advance: Advance, seed: int, request: Request) -> dict[str, float]:
    """Learn digits without labels from one seed: MNIST in one pass, or in the short form the digits that come along."""
    data = load_named(QUICK_LAYERED if request.quick else LAYERED, request.data)
    everything = len(data.train.images) + len(data.validation.images)
    n_learned, n_tested = (1_000, 200) if request.quick else (everything, len(data.test.images))
    do = partial(unlabelled.accuracy, seed, data, tested=n_tested)
    found = {"unlabelled-mnist/accuracy": do(learned=n_learned)}
    advance(1)
    found["unlabelled-mnist/without-learning"] = do(learned=unlabelled.LABELLED, learns=False)
    advance(1)
    return found


def measure(request: Request, display: Display) -> list[Row]:
    """Do the tasks with 20 seeds, or with two in the short form, which takes the digits in place of MNIST."""
    layered = QUICK_LAYERED if request.quick else LAYERED
    differing, factor = f"{layered}/differing-weights", f"{layered}/clocks-factor"
    order = (*QUANTITIES, differing, factor, IN_HARDWARE, ON_BOARD, SWITCH)
    ids = [f"{request.bench}/{name}" for name in order]
    selected = request.select(ids)
    seeds = range(1, 1 + (QUICK_SEEDS if request.quick else SEEDS))
    wanted = {row_id.removeprefix(f"{request.bench}/") for row_id in selected}
    unlabelled_rows = {name for name in QUANTITIES if name.startswith("unlabelled-")}
    if wanted & {differing, factor, *unlabelled_rows} and not request.quick:
        request.check_mnist()
    rows: dict[str, Row] = {}
    if (name := "gallery/equal-counts") in wanted:
        rows[name] = _gallery_row(request, name)
    tasks = []
    if names := tuple(name for name in SEED_TASKS if any(row.startswith(f"{name}/") for row in wanted)):
        tasks += [Task(f"seed {seed}", len(names), seed_task, (seed, request.quick, names)) for seed in seeds]
    if wanted & unlabelled_rows:
        few = seeds[:1] if request.quick else seeds[:3]
        tasks += [Task(f"unlabelled, seed {seed}", 2, unlabelled_task, (seed, request)) for seed in few]
    found = carry_out(tasks, request.n_processes, display)
    for name in QUANTITIES:
        if values := [one[name] for one in found if name in one]:
            rows[name] = _row(request, name, values)
    if "yin-yang/accuracy" in wanted:
        some = seeds[:1] if request.quick else seeds[:3]
        shares = [yin_yang.accuracy(seed, epochs=5 if request.quick else yin_yang.EPOCHS) for seed in some]
        rows["yin-yang/accuracy"] = _row(request, "yin-yang/accuracy", shares)
    if differing in wanted:
        row_id = f"{request.bench}/{differing}"
        count = differing_weights(layered, request)
        extra = {"learned": N_LEARNED, "inferred": N_INFERRED}
        rows[differing] = Row(row_id, count, "weights", request.command(row_id), 0, "exactly", extra)
    if factor in wanted:
        rows[factor] = _factor_row(request, layered, f"{request.bench}/{factor}")
    if IN_HARDWARE in wanted:
        row_id = f"{request.bench}/{IN_HARDWARE}"
        count, by_task = rtl.differing_integers(1, quick=request.quick)
        details: dict[str, Any] = {"quick": request.quick, "by_task": by_task}
        rows[IN_HARDWARE] = Row(row_id, count, "integers", request.command(row_id), 0, "exactly", details)
    if wanted & {ON_BOARD, SWITCH}:
        rows |= _board_rows(request)
    return [rows[name] for name in order if name in wanted]


def _board_rows(request: Request) -> dict[str, Row]:
    """Return the rows of the simulated board: what differs there, and what a switch takes."""
    count, by_task, switch = board.differing_integers(1, quick=request.quick)
    ids = {name: f"{request.bench}/{name}" for name in (ON_BOARD, SWITCH)}
    details: dict[str, Any] = {"quick": request.quick, "by_task": by_task}
    taken = {"milliseconds": round(switch.milliseconds, 3), "bytes_sent": switch.sent, "clock": board.CLOCK}
    beside = round(switch.beside, 3)
    return {
        ON_BOARD: Row(
            ids[ON_BOARD], count, "integers", request.command(ids[ON_BOARD]), 0, "exactly", details
        ),
        SWITCH: Row(ids[SWITCH], beside, "ms", request.command(ids[SWITCH]), MOST_SWITCH, "at most", taken),
    }


def _factor_row(request: Request, layered: str, row_id: str) -> Row:
    """Return the row of the clocks that the core of a board takes, beside those of an array with as many lanes."""
    # The short form has a small core, which is compiled sooner.
    hardware, count = (SMALL, QUICK_COUNTED) if request.quick else (core_of(board_of(CORE_BOARD)), COUNTED)
    data = load_named(layered, request.data)
    compared = rtl.clocks_beside_array(preset(layered).network, hardware, data, count)
    extra = compared._asdict() | {"lanes": hardware.lanes, "units": hardware.units, "quick": request.quick}
    if compared.differing_weights:
        raise SimulationError(f"the core learned {compared.differing_weights} other weights than the model")
    value = round(compared.core / compared.array, 3)
    target = None if request.quick else MOST_CLOCKS
    return Row(row_id, value, "times the array's", request.command(row_id), target, "at most", extra)


def _gallery_row(request: Request, name: str) -> Row:
    recordings = [record(behaviour) for behaviour in twenty()]
    quantity, row_id = QUANTITIES[name], f"{request.bench}/{name}"
    extra = {r.behaviour.name: [r.spikes.size, r.float_spikes.size, r.farthest] for r in recordings}
    equal = sum(recording.equal_counts for recording in recordings)
    return Row(row_id, equal, quantity.unit, request.command(row_id), quantity.target, quantity.limit, extra)


def _row(request: Request, name: str, values: list[float]) -> Row:
    quantity, row_id = QUANTITIES[name], f"{request.bench}/{name}"
    combine = sum if quantity.unit.startswith("of ") else np.min if quantity.worst else np.mean
    unit = f"of {len(values)} seeds" if quantity.unit.startswith("of ") else quantity.unit
    extra: dict[str, Any] = {"quick": request.quick, "each": [round(float(value), 4) for value in values]}
    target = None if request.quick else quantity.target
    return Row(
        row_id,
        round(float(combine(values)), 4),
        unit,
        request.command(row_id),
        target,
        quantity.limit,
        extra,
    )


def differing_weights(name: str, request: Request) -> int:
    """Return how many weights of a layered preset differ between the core and the compiled path of layered graphs.

    Both learn the same samples and answer others; answers and counters that differ count, too.
    """
    data, graph = load_named(name, request.data), chain(preset(name).network)
    core, array = CoreModel(graph), FastGraph(graph)
    differing = 0
    for split, count, learn in ((data.train, N_LEARNED, True), (data.test, N_INFERRED, False)):
        images, labels = split.images[:count], split.labels[:count]
        images = images.reshape(len(images), -1)
        seeds = sample_seeds(graph.seed, learn, 0, len(images))
        one, other = (chip.run(images, seeds, labels if learn else None) for chip in (core, array))
        differing += int((one.answers != other.answers).sum() + (one.ticks != other.ticks).sum())
    differing += sum(int((weights != array.weights[part]).sum()) for part, weights in core.weights.items())
    ours, theirs = core.counters(), array.counters()
    return differing + sum(ours[counter] != theirs[counter] for counter in ours)
