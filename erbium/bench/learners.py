# SPDX-License-Identifier: BSD-2-Clause
"""The sign-popcount learner beside others: one table of errors, spikes, times and epochs.

The integer network learns with hidden errors from signs and popcounts, which is what a chip does, from the exact
gradient of the spike times, from the gradient's sign, and from random signs. The floating-point network has the
same shape and learns by the exact gradient of continuous spike times. All see the same images in training.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from erbium import summary
from erbium.bench import training
from erbium.bench.display import Display
from erbium.bench.learning import warm_up
from erbium.bench.request import Request, load_named
from erbium.bench.result import Row
from erbium.bench.work import Advance, Task, carry_out_longest_first
from erbium.chip import Chip
from erbium.gen.presets import preset
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.network import Network

FLOAT = "floating-point"
LEARNERS = ("sign-popcount", "exact-gradient", "exact-sign", "random-signs", FLOAT)
"""The hidden errors of the compiled model, and the other network."""


@dataclass(frozen=True)
class Figure:
    """A preset, epochs of the integer network and of the floating-point one, seeds, and the error to reach.

    The error in %, if there is one, is that of the learner that a chip has, the first one.
    """

    preset: str
    epochs: int
    float_epochs: int
    seeds: tuple[int, ...]
    target: float | None = None

    def epochs_of(self, learner: str) -> int:
        """Epochs that a learner takes."""
        return self.float_epochs if learner == FLOAT else self.epochs


FIGURE = Figure("first-spike-mnist-600", 40, 20, (1, 2, 3), 2.2)
QUICK_FIGURE = Figure("first-spike-tiny", 60, 20, (1, 2), 45.0)


def measure(request: Request, display: Display) -> list[Row]:
    """Train with every learner and every seed."""
    figure = QUICK_FIGURE if request.quick else FIGURE
    ids = {learner: request.id(figure.preset, learner) for learner in LEARNERS}
    selected = request.select(ids.values())
    if not request.quick:
        request.check_mnist()
    wanted = [learner for learner in LEARNERS if ids[learner] in selected]
    runs = [(learner, seed) for learner in wanted for seed in figure.seeds]
    tasks = [
        Task(f"{learner}, seed {seed}", training.STEPS, run, (figure, learner, seed, request.data))
        for learner, seed in runs
    ]
    # An epoch in floating point takes about as long as ten of the others.
    lengths = [figure.epochs_of(learner) * (10 if learner == FLOAT else 1) for learner, _ in runs]
    found = carry_out_longest_first(tasks, lengths, request.n_processes, display)
    n_seeds = len(figure.seeds)
    return [
        _row(request, figure, learner, ids[learner], found[number * n_seeds : (number + 1) * n_seeds])
        for number, learner in enumerate(wanted)
    ]


def run(advance: Advance, figure: Figure, learner: str, seed: int, data: Path | None) -> dict[str, Any]:
    """Train one network with one learner and test it."""
    chosen, dataset = preset(figure.preset), load_named(figure.preset, data)
    network = replace(chosen.network, seed=seed)
    if learner == FLOAT:
        return _train_float(advance, network, figure.float_epochs, chosen.recipe.shift, dataset)
    warm_up(network)
    from erbium.sw_model.fast import FastArray
    from erbium.sw_model.fast_first_spike import FirstSpikeLearner

    recipe = replace(chosen.recipe, epochs=figure.epochs)
    array = FastArray(network, FirstSpikeLearner(network, learner))  # type: ignore[arg-type]
    found, weights = training.train(advance, network, recipe, dataset, Chip(network, array, "model"))
    decisions = summary.decisions(network, weights, dataset.test, len(dataset.test))
    assert decisions is not None
    return {
        "error": 100 * found["n_wrong"] / found["n_images"],
        "hidden_spikes": sum(decisions.mean_spikes[1:]),
        "ticks_to_decision": decisions.mean_ticks,
        "learning_seconds": found["learning_seconds"],
        "images_tested": found["n_images"],
        "validation_error": found["curve"][-1],
    }


def _train_float(
    advance: Advance, network: Network, epochs: int, shift: int, dataset: Dataset
) -> dict[str, Any]:
    """Train the floating-point network of the same shape; test it."""
    from erbium.sw_model.spike_time import SpikeTimeModel, SpikeTimeNetwork

    description = SpikeTimeNetwork(network.shape, n_epochs=epochs, seed=network.seed)
    model = SpikeTimeModel(description)
    # Another one is compiled, or read from disk, before time is taken.
    SpikeTimeModel(description).train_batch(dataset.train.images[:1], dataset.train.labels[:1])
    train, test = dataset.train, dataset.test
    size = (dataset.height, dataset.width) if shift else None
    seconds = 0.0
    for epoch in range(epochs):
        begin = time.perf_counter()
        model.train_epoch(train.images, train.labels, size)
        seconds += time.perf_counter() - begin
        advance(training.STEPS * (epoch + 1) // epochs - training.STEPS * epoch // epochs)
    tested = model.evaluate(test.images, test.labels)
    return {
        "error": 100 * tested.error,
        "hidden_spikes": tested.hidden_spikes,
        "time_to_decision": tested.time_to_decision,
        "undecided": tested.undecided,
        "learning_seconds": seconds,
        "images_tested": len(test),
        "validation_error": 100 * model.evaluate(dataset.validation.images, dataset.validation.labels).error,
    }


def _row(request: Request, figure: Figure, learner: str, row_id: str, runs: Sequence[dict[str, Any]]) -> Row:
    means = {name: training.mean([found[name] for found in runs]) for name in runs[0]}
    error = means.pop("error")
    means["images_tested"] = runs[0]["images_tested"]
    if learner == FLOAT:
        when = f"{means['time_to_decision']:.2f} time constants"
    else:
        when = f"{means['ticks_to_decision']:.1f} ticks"
    epochs = figure.epochs_of(learner)
    layer = preset(figure.preset).network.layers[0]
    extra = {
        "seeds": list(figure.seeds),
        "values": [round(found["error"], 4) for found in runs],
        "epochs": epochs,
        **means,
        "shift": preset(figure.preset).recipe.shift,
        "blank_out": "off" if learner == FLOAT else f"{256 - layer.neuron_keep}/256",
        "quick": request.quick,
    }
    columns = {
        "hidden spikes": f"{means['hidden_spikes']:.1f}",
        "decided after": when,
        "epochs": str(epochs),
        "seconds": f"{means['learning_seconds']:,.1f}",
    }
    target = figure.target if learner == LEARNERS[0] else None
    return Row(row_id, error, "%", request.command(row_id), target, "at most", extra, columns)
