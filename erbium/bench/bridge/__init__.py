# SPDX-License-Identifier: BSD-2-Clause
"""A network that snnTorch has trained, on the chip: what 8 bits cost it, and what the chip wins back after a shift.

``erbium bench nir`` has three kinds of rows: presets that do not come back from a NIR graph, points that the network
loses, and the share that is won back of what a shift of the sensor costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from erbium.bench import training
from erbium.bench.bridge import shifts, snn
from erbium.bench.display import Display
from erbium.bench.request import Request
from erbium.bench.result import Row
from erbium.bench.work import Task, carry_out
from erbium.gen.presets import PRESETS
from erbium.nir.incoming import from_nir
from erbium.nir.outgoing import to_nir
from erbium.sw_model import datasets
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.datasets.sources import load_digits

SEEDS = (1, 2, 3)
POINTS, SHARE = 0.3, 80.0
ROUND_TRIP, LOST, WON = "round-trip/differing-digests", "snntorch/points-lost", "shift/won-back"


def measure(request: Request, display: Display) -> list[Row]:
    """Export and import all presets; train a network, bring it in, and let it learn on."""
    ids = [
        ROUND_TRIP,
        LOST,
        WON,
        *(f"{WON}/{shift.name}" for shift in shifts.SHIFTS),
    ]
    wanted = {row_id.partition("/")[2] for row_id in request.select(f"{request.bench}/{one}" for one in ids)}
    if wanted == {ROUND_TRIP}:
        return [_round_trip(request)]
    dataset = load_digits() if request.quick else _mnist(request)
    snn.require()
    rows = [_round_trip(request)] if ROUND_TRIP in wanted else []
    setup = snn.QUICK if request.quick else snn.FULL
    with display.during(f"snnTorch trains {setup.shape(dataset)} on {dataset.name}"):
        trained = snn.train(setup, dataset)
    if LOST in wanted:
        rows.append(_points(request, trained, setup, dataset))
    chosen = [shift for shift in shifts.SHIFTS if {WON, f"{WON}/{shift.name}"} & wanted]
    tasks = [
        Task(
            f"{shift.name}, seed {seed}",
            shifts.steps(setup),
            shifts.run,
            (trained.graph, setup, shift, seed, dataset),
        )
        for shift in chosen
        for seed in SEEDS
    ]
    runs = carry_out(tasks, request.n_processes, display)
    groups = {shift.name: runs[len(SEEDS) * k : len(SEEDS) * (k + 1)] for k, shift in enumerate(chosen)}
    for shift in chosen:
        if f"{WON}/{shift.name}" in wanted:
            rows.append(_won(request, f"{WON}/{shift.name}", groups[shift.name], setup, shift.facts()))
    if WON in wanted:
        every = [run for found in groups.values() for run in found]
        facts = {"mean_of": list(groups)}
        rows.insert(len(rows) - len(chosen), _won(request, WON, every, setup, facts))
    return rows


def _mnist(request: Request) -> Dataset:
    request.check_mnist()
    return datasets.load(request.data)


def _round_trip(request: Request) -> Row:
    differing = [
        name
        for name, chosen in PRESETS.items()
        if (found := from_nir(to_nir(chosen.network).graph)).description.digest != chosen.network.digest  # type: ignore[union-attr]
        or found.weights is not None
    ]
    row_id = f"{request.bench}/{ROUND_TRIP}"
    extra = {"presets": len(PRESETS), "differing": differing}
    columns = {"of": f"{len(PRESETS)} presets"}
    return Row(row_id, len(differing), "presets", request.command(row_id), 0, "exactly", extra, columns)


def _points(request: Request, trained: snn.Trained, setup: snn.Setup, dataset: Dataset) -> Row:
    """Compare test accuracies, of as many ticks; both draw their spikes, so both are means."""
    there = [100 * snn.accuracy(trained, setup, dataset.test, seed) for seed in SEEDS]
    here = [100 * shifts.accuracy(trained.graph, setup, dataset.test, seed) for seed in SEEDS]
    row_id = f"{request.bench}/{LOST}"
    extra = {
        "snntorch": there,
        "chip": here,
        "weight_width": 8,
        "ticks": setup.ticks,
        "network": setup.shape(dataset),
        "dataset": dataset.name,
        "quick": request.quick,
    }
    columns = {
        "snnTorch": f"{training.mean(there):.2f} %",
        "chip": f"{training.mean(here):.2f} %",
        "seeds": " ".join(f"{value:.2f}" for value in here),
    }
    value = round(training.mean(there) - training.mean(here), 3)
    target = None if request.quick else POINTS
    return Row(row_id, value, "points", request.command(row_id), target, "at most", extra, columns)


def _won(
    request: Request, name: str, runs: Sequence[dict[str, Any]], setup: snn.Setup, facts: dict[str, Any]
) -> Row:
    row_id = f"{request.bench}/{name}"
    shares = [run["won"] for run in runs]
    extra = {
        "samples": runs[0]["samples"],
        "shares": shares,
        "before": [run["before"] for run in runs],
        "shifted": [run["shifted"] for run in runs],
        "after": [run["after"] for run in runs],
        "curves": [run["curve"] for run in runs],
        "seeds": list(SEEDS),
        "quick": request.quick,
        **facts,
    }
    columns = {
        heading: f"{training.mean([run[key] for run in runs]):.2f} %"
        for heading, key in (("before", "before"), ("shifted", "shifted"), ("after", "after"))
    }
    columns["seeds"] = " ".join(f"{share:.1f}" for share in shares)
    target = None if request.quick else SHARE
    value = round(training.mean(shares), 2)
    return Row(row_id, value, "%", request.command(row_id), target, "at least", extra, columns)
