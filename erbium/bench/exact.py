# SPDX-License-Identifier: BSD-2-Clause
"""Bit-exactness: the simulated hardware learns beside the model, and every integer of the two is compared.

After each batch the answers, ticks and counters, every 2,000 images all weights. The images are those of the
first epoch of ``erbium train``. Some validation images are inferred on both at the end. For the hashes, Verilator does
the same beside the vectorised simulation, with each number of lanes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from erbium.bench import learning
from erbium.bench.display import Display
from erbium.bench.request import Request, load_named
from erbium.bench.result import Row
from erbium.bench.work import Advance, Task, carry_out
from erbium.chip import open_chip
from erbium.exact import Lockstep, MismatchError
from erbium.fpga.planner import WIDE_LANES, neuron_units
from erbium.gen.presets import preset
from erbium.sw_model.constants import Array
from erbium.sw_model.network import Hardware, Network
from erbium.verif.library import ArraySimulator, build

VERIFY_EVERY = 2_000


def array_hardware(network: Network, lanes: int) -> Hardware:
    """Return the hardware that is measured: with many lanes, two rows a clock, and neuron units as a board has them."""
    hardware = Hardware(lanes=lanes)
    if lanes <= WIDE_LANES:
        return hardware
    return replace(hardware, layer_neuron_units=neuron_units(network, hardware), rows_per_clock=2)


@dataclass(frozen=True)
class Figure:
    """A preset, images learned for each number of lanes, and images inferred at the end."""

    preset: str
    n_learn: tuple[tuple[int, int], ...]
    n_infer: int

    @property
    def n_common(self) -> int:
        """Images after which the weights of all numbers of lanes can be compared."""
        return min(n_learn for _, n_learn in self.n_learn)


FIGURES = (
    Figure("erbp-mnist-200", ((8, 2_000), (64, 50_000), (200, 50_000)), 500),
    Figure("first-spike-mnist-600", ((24, 50_000), (64, 50_000), (200, 50_000)), 500),
    Figure("first-spike-mnist-24x24-640", ((128, 50_000),), 500),
)
TESTED: ArraySimulator = "vectors"
WITNESS: ArraySimulator = "verilator"


@dataclass(frozen=True)
class Run:
    """A figure's network with some number of lanes, images to learn, and what simulates it."""

    figure: Figure
    lanes: int
    n_learn: int
    simulator: ArraySimulator


QUICK_FIGURES = (
    Figure("tiny", ((3, 300), (8, 300), (12, 300)), 50),
    Figure("first-spike-tiny", ((3, 300), (8, 300), (12, 300)), 50),
)


def measure(request: Request, display: Display) -> list[Row]:
    """Compare one chip for each preset and number of lanes, then their hashes."""
    figures = QUICK_FIGURES if request.quick else FIGURES
    selected = request.select(row_id for figure in figures for row_id in _ids(request, figure))
    if not request.quick:
        request.check_mnist()
    wanted = [run for figure in figures for run in _runs(request, figure, selected)]
    # The longest first, the widest of those: it takes the longest to compile, too.
    wanted.sort(key=lambda run: (-run.n_learn, -run.lanes))
    for run in wanted:
        build_all(run.figure.preset, [run.lanes], display, run.simulator)
    tasks = [
        Task(
            f"{run.figure.preset}, {run.lanes} lanes, {run.simulator}",
            run.n_learn + run.figure.n_infer,
            compare,
            (run, request.data),
        )
        for run in wanted
    ]
    results = dict(zip(wanted, carry_out(tasks, request.n_processes, display), strict=True))
    rows = []
    for figure in figures:
        rows += _rows(
            request,
            figure,
            {
                run.lanes: found
                for run, found in results.items()
                if (run.figure, run.simulator) == (figure, TESTED)
            },
            {
                run.lanes: found
                for run, found in results.items()
                if (run.figure, run.simulator) == (figure, WITNESS)
            },
        )
    return [row for row in rows if row.id in selected]


def _ids(request: Request, figure: Figure) -> list[str]:
    """Return the ids of the rows of a figure: one for each number of lanes, and one for the hashes."""
    names = [*(f"lanes-{lanes}" for lanes, _ in figure.n_learn), "different-hashes"]
    return [request.id(figure.preset, name) for name in names]


def _runs(request: Request, figure: Figure, selected: Collection[str]) -> list[Run]:
    """Return the runs that the selected rows need."""
    *ids, hash_id = _ids(request, figure)
    runs = [
        Run(figure, lanes, n_learn if row_id in selected else figure.n_common, TESTED)
        for row_id, (lanes, n_learn) in zip(ids, figure.n_learn, strict=True)
        if row_id in selected or hash_id in selected
    ]
    if hash_id in selected:
        runs += [Run(figure, lanes, figure.n_common, WITNESS) for lanes, _ in figure.n_learn]
    return runs


def _rows(
    request: Request, figure: Figure, found: dict[int, dict[str, Any]], witness: dict[int, dict[str, Any]]
) -> list[Row]:
    *ids, hash_id = _ids(request, figure)
    rows = [
        Row(
            row_id,
            found[lanes]["n_different"],
            "differing integers",
            request.command(row_id),
            0,
            "exactly",
            {**_without(found[lanes], "n_different", "hashes"), "quick": request.quick},
        )
        for row_id, (lanes, _) in zip(ids, figure.n_learn, strict=True)
        if lanes in found
    ]
    # Without all of them nobody has asked for it.
    if len(found) == len(witness) == len(ids):
        rows.append(_hash_row(request, hash_id, figure, found, witness))
    return rows


def build_all(
    name: str, lane_counts: Sequence[int], display: Display, simulator: ArraySimulator | None = None
) -> None:
    """Compile the chips here and now, each on all processors, unless the cache has them."""
    network = preset(name).network
    for lanes in lane_counts:
        with display.during(f"building {name} with {lanes} lanes"):
            build(network, array_hardware(network, lanes), simulator=simulator)


def compare(advance: Advance, run: Run, data: Path | None) -> dict[str, Any]:
    """Learn and infer on the chip and on the model; return how many integers differ, and hashes."""
    figure, lanes, n_learn = run.figure, run.lanes, run.n_learn
    chosen, dataset = preset(figure.preset), load_named(figure.preset, data)
    network, shift = chosen.network, chosen.recipe.shift
    hashes: dict[str, str] = {}
    different, where = 0, ""
    with (
        open_chip(network, f"rtl:{run.simulator}", array_hardware(network, lanes)) as chip,
        open_chip(network, "model") as model,
    ):
        watch = learning.Stopwatch(chip)
        pair = Lockstep(chip, model)
        try:
            for stop in sorted({*range(VERIFY_EVERY, n_learn, VERIFY_EVERY), figure.n_common, n_learn}):
                learning.learn(pair, dataset, shift, stop, advance)
                pair.verify()
                if stop == figure.n_common:
                    hashes = {"chip": weights_hash(chip.weights), "model": weights_hash(model.weights)}
            effort = watch.effort()
            learning.infer(pair, dataset, figure.n_infer, advance)
            pair.verify()
        except MismatchError as mismatch:
            effort = watch.effort()
            verdict = mismatch.verdict
            same = verdict.n_weights_equal + verdict.n_counters_equal
            # Answers may differ where no weight and no counter does.
            different = max(1, verdict.n_weights + verdict.n_counters - same)
            where = str(mismatch)
        verdict = pair.verdict()
        return {
            "n_different": different,
            "images_learned": n_learn,
            "images_inferred": figure.n_infer,
            "weights": verdict.n_weights,
            "counters": verdict.n_counters,
            # After a difference the two have learned some samples again, to find the first one.
            "sha256": None if where else weights_hash(chip.weights),
            "model_sha256": None if where else weights_hash(model.weights),
            "first_difference": where,
            "lanes": lanes,
            "cycles": effort.cycles,
            "seconds": round(effort.seconds, 1),
            "hashes": hashes,
        }


def weights_hash(weights: Sequence[Array]) -> str:
    """Return the SHA-256 of all weights as little-endian int16, layer by layer and row by row."""
    sha = hashlib.sha256()
    for values in weights:
        sha.update(np.ascontiguousarray(values, dtype="<i2").tobytes())
    return sha.hexdigest()


def _hash_row(
    request: Request,
    row_id: str,
    figure: Figure,
    found: dict[int, dict[str, Any]],
    witness: dict[int, dict[str, Any]],
) -> Row:
    """Return the row about the weights of all chips and models after the same images."""
    hashes = {
        f"{simulator}, {lanes} lanes" if who == "chip" else who: digest
        for simulator, results in ((TESTED, found), (WITNESS, witness))
        for lanes, result in sorted(results.items())
        for who, digest in (result["hashes"] or {"chip": "not reached"}).items()
    }
    extra = {"images_learned": figure.n_common, "sha256": hashes, "quick": request.quick}
    # Those that differ from the model's; a run that stopped before has none at all.
    value = sum(digest != hashes.get("model") for digest in hashes.values())
    return Row(row_id, value, "hashes", request.command(row_id), 0, "exactly", extra)


def _without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}
