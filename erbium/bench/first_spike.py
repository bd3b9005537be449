# SPDX-License-Identifier: BSD-2-Clause
"""The first-spike networks: test error, and how soon and after how few spikes they decide.

Trained on the compiled model as by ``erbium train``. The test images are read once, when a run is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from erbium import summary
from erbium.bench import training
from erbium.bench.display import Display
from erbium.bench.request import Request, load_named
from erbium.bench.result import Row
from erbium.bench.work import Advance, Task, carry_out_groups
from erbium.gen.presets import Recipe, first_spike_network, preset
from erbium.sw_model.network import Network

SEEDS = (1, 2, 3)
PLAIN_THRESHOLDS = (5500, 2500)
"""Thresholds that suit training without shift and blank-out."""


@dataclass(frozen=True)
class Figure:
    """Runs of one preset that differ in their seeds, and the figures that they are to reach.

    Parameters
    ----------
    preset : str
    epochs : int
    error : float, optional
        Mean test error in % to reach.
    seeds : tuple of int
    plain : bool
        Without image shift and blank-out, and with :data:`PLAIN_THRESHOLDS`.
    work : tuple of float, optional
        Ticks and hidden spikes to the decision, and the share in % of the rows of each layer read for it.
    suffix : str
        Of the ids.
    """

    preset: str
    epochs: int
    error: float | None = None
    seeds: tuple[int, ...] = SEEDS
    plain: bool = False
    work: tuple[float | None, ...] | None = None
    suffix: str = ""

    @property
    def network(self) -> Network:
        """What learns."""
        if not self.plain:
            return preset(self.preset).network
        return first_spike_network(
            f"{self.preset}-plain", (600,), thresholds=PLAIN_THRESHOLDS, neuron_keep=256
        )

    @property
    def recipe(self) -> Recipe:
        """How it learns."""
        recipe = replace(preset(self.preset).recipe, epochs=self.epochs)
        return replace(recipe, shift=0) if self.plain else recipe

    def command(self, seed: int) -> str | None:
        """Return the command line that does one of its runs, if there is one without a file."""
        if self.plain:
            return None
        name = f"{self.preset}{self.suffix}-{seed}.npz"
        return f"erbium train {self.preset} --seed {seed} --epochs {self.epochs} --checkpoint {name}"


FIGURES = (
    Figure("first-spike-mnist-600", 40, 2.2, work=(7, 30, 13.5, 5)),
    Figure("first-spike-mnist-600", 100, 1.9, seeds=(1,), suffix="-100-epochs"),
    Figure("first-spike-mnist-600", 30, 3.1, plain=True, suffix="-plain"),
    Figure("first-spike-mnist-600-short", 40),
    Figure("first-spike-mnist-600-decay", 40),
    Figure("first-spike-mnist-800", 40),
    Figure("first-spike-mnist-24x24-700", 40),
    Figure("first-spike-mnist-24x24-640", 40),
    Figure("first-spike-mnist-20x20-320", 40),
)
"""What is published; targets as of MNIST's 10,000 test images."""

QUICK_FIGURES = (Figure("first-spike-tiny", 60, 40.0, work=(8, 12, None, None)),)
"""Four digits of 4 x 4 pixels, which need no download: to see that it works."""


def measure(request: Request, display: Display) -> list[Row]:
    """Train every figure with every seed."""
    figures = QUICK_FIGURES if request.quick else FIGURES
    selected = request.select(row_id for figure in figures for row_id in _ids(request, figure))
    wanted = [figure for figure in figures if selected.intersection(_ids(request, figure))]
    if not request.quick:
        request.check_mnist()
    groups = [
        [
            Task(
                f"{figure.preset}{figure.suffix}, seed {seed}",
                training.STEPS,
                run,
                (figure, seed, request.data),
            )
            for seed in figure.seeds
        ]
        for figure in wanted
    ]
    lengths = [figure.epochs * sum(figure.network.shape) for figure in wanted]
    found = carry_out_groups(groups, lengths, request.n_processes, display)
    rows = [row for figure, runs in zip(wanted, found, strict=True) for row in _rows(request, figure, runs)]
    return [row for row in rows if row.id in selected]


def run(advance: Advance, figure: Figure, seed: int, data: Path | None) -> dict[str, Any]:
    """Train one network, test it, and look into its decisions on the test images."""
    dataset = load_named(figure.preset, data)
    network = replace(figure.network, seed=seed)
    found, weights = training.train(advance, network, figure.recipe, dataset)
    decisions = summary.decisions(network, weights, dataset.test, len(dataset.test))
    assert decisions is not None
    shares = [100 * share for share in decisions.rows_read(network)]
    hidden = sum(decisions.mean_spikes[1:])
    return {**found, "work": [decisions.mean_ticks, hidden, *shares]}


def _ids(request: Request, figure: Figure) -> list[str]:
    """Return the ids of the rows of a figure, in the order of :func:`_rows`."""
    layers = range(1, len(figure.network.layers) + 1)
    quantities = (
        "test-error",
        "ticks-to-decision",
        "hidden-spikes-to-decision",
        *(f"rows-read-layer-{number}" for number in layers),
    )
    return [request.id(figure.preset, f"{quantity}{figure.suffix}") for quantity in quantities]


def _rows(request: Request, figure: Figure, runs: Sequence[dict[str, Any]]) -> list[Row]:
    error_id, *work_ids = _ids(request, figure)
    recipe, network = figure.recipe, figure.network
    how = {
        "epochs": figure.epochs,
        "shift": recipe.shift,
        "blank_out": f"{256 - min(layer.neuron_keep for layer in network.layers)}/256",
        "quick": request.quick,
    }
    commands = [command for command in map(figure.command, figure.seeds) if command is not None]
    rows = [
        Row(
            error_id,
            training.mean(training.errors(runs)),
            "%",
            request.command(error_id),
            figure.error,
            "at most",
            {**training.facts(runs, figure.seeds), "commands_per_seed": commands, **how},
        )
    ]
    units = ("ticks", "spikes", *["%"] * len(network.layers))
    targets = figure.work or (None,) * len(units)
    for number, (row_id, unit, target) in enumerate(zip(work_ids, units, targets, strict=True)):
        values = [found["work"][number] for found in runs]
        extra = {
            "seeds": list(figure.seeds),
            "values": [round(value, 4) for value in values],
            "images_tested": runs[0]["n_images"],
            **how,
        }
        rows.append(
            Row(row_id, training.mean(values), unit, request.command(row_id), target, "at most", extra)
        )
    return rows
