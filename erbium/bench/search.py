# SPDX-License-Identifier: BSD-2-Clause
"""What was tried on the way to the presets of the bench ``best``, one change at a time.

Validation error alone, and with other seeds than those of the published figures: no test image is read here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from erbium.bench import kept, training
from erbium.bench.display import Display
from erbium.bench.request import Request, load_named
from erbium.bench.result import Row
from erbium.bench.work import Advance, Task, carry_out_groups
from erbium.gen.presets import LINEAR, SCHEDULES, Recipe, Schedule, erbp_network, first_spike_network, preset
from erbium.sw_model.constants import Array
from erbium.sw_model.network import Network
from erbium.sw_model.programs import erbp_hidden, erbp_output

SEED = 11


@dataclass(frozen=True)
class Trial:
    """A preset with one thing or two changed.

    Parameters
    ----------
    preset : str
        What it starts from, and whose data it learns.
    change : str
        What is changed, as the ids say it.
    network : Network
    recipe : Recipe
    seeds : tuple of int
    """

    preset: str
    change: str
    network: Network
    recipe: Recipe
    seeds: tuple[int, ...] = (SEED,)


def layered(network: Network, **fields: Sequence[Any]) -> Network:
    """Return the network with fields of its layers replaced: of each field a value per layer."""
    layers = tuple(
        replace(layer, **{name: values[number] for name, values in fields.items()})
        for number, layer in enumerate(network.layers)
    )
    return replace(network, layers=layers)


def exponential(end: float, n_steps: int = 200) -> Schedule:
    """Return a schedule that falls from 1 by the same factor in each step, to about `end`."""
    return tuple(((step + 1) / n_steps, end ** (step / n_steps)) for step in range(n_steps))


def alignment(network: Network, weights: Sequence[Array]) -> list[float]:
    """Return how far the way out of each hidden layer has come to point along its feedback: 1 is all the way.

    Of an eRBP network. For each hidden layer, the cosine between the product of all weights behind it and its
    feedback weights, as vectors, the mean of each neuron's row taken off: an error acts on a layer as its feedback
    says, and helps as far as the weights behind agree.
    """
    found = []
    out: Array = np.eye(network.n_classes)
    for number in range(len(network.layers) - 1, 0, -1):
        rows = network.shape[number]
        out = weights[number][:rows].astype(np.float64) @ out
        way = out - out.mean(axis=1, keepdims=True)
        feedback = network.feedback_weights(number - 1).astype(np.float64)
        size = np.linalg.norm(way) * np.linalg.norm(feedback)
        found.append(float((way * feedback).sum() / size) if size else 0.0)
    return found[::-1]


def _look(network: Network, weights: list[Array]) -> dict[str, Any]:
    has_feedback = any(layer.feedback != "none" for layer in network.layers)
    values = alignment(network, weights) if has_feedback else []
    return {"alignment": [round(value, 3) for value in values]}


def cosine(n_steps: int = 200) -> Schedule:
    """Return a schedule that falls from 1 to 0 along half a period of a cosine."""
    return tuple(
        ((step + 1) / n_steps, 0.5 * (1 + math.cos(math.pi * step / n_steps))) for step in range(n_steps)
    )


def _one_layer() -> list[Trial]:
    name, recipe = "erbp-mnist-200", Recipe(epochs=30, shift=1)
    base = preset(name).network
    usual = [
        Trial(name, "as-it-is", base, recipe, (SEED, 12)),
        Trial(name, "schedule-linear", base, replace(recipe, schedule=LINEAR)),
        Trial(name, "schedule-cosine", base, replace(recipe, schedule=cosine())),
        Trial(name, "schedule-exponential", base, replace(recipe, schedule=exponential(0.05))),
        Trial(name, "3-epochs", base, replace(recipe, epochs=3)),
        Trial(name, "8-epochs", base, replace(recipe, epochs=8)),
    ]
    changes = {
        "margin-192": replace(base, margin=192),
        "margin-640": replace(base, margin=640),
        # The weights of the output bound it: twice their reach, with margin and rate to suit.
        "output-shift-0": replace(
            layered(base, gain=(12, 4), program=(erbp_hidden(), erbp_output(input_shift=0))), margin=160
        ),
    }
    short = {
        "16-epochs-gains-8-6": layered(base, gain=(8, 6)),
        "16-epochs-keep-240": layered(base, neuron_keep=(240, 256)),
        "16-epochs-wide-feedback-gains-8-8": layered(base, gain=(8, 8), feedback=("wide", "direct")),
        # Errors that are forgotten sooner.
        "16-epochs-dendrites-2-4": _dendrites(layered(base, gain=(16, 8)), 2, 4),
        "16-epochs-dendrites-2-3": _dendrites(layered(base, gain=(16, 10)), 2, 3),
    }
    return [
        *usual,
        *(Trial(name, change, network, recipe) for change, network in changes.items()),
        Trial(name, "16-epochs", base, replace(recipe, epochs=16), (SEED, 12)),
        *(Trial(name, change, network, replace(recipe, epochs=16)) for change, network in short.items()),
    ]


def _small() -> list[Trial]:
    name, recipe, seeds = "erbp-mnist-100", Recipe(epochs=60, shift=1), (SEED, 12)
    base = preset(name).network
    slow, still = layered(base, gain=(8, 6)), replace(recipe, shift_share=0.75)
    return [
        Trial(name, "60-epochs", base, recipe, seeds),
        Trial(name, "60-epochs-shift-0", base, replace(recipe, shift=0), seeds),
        Trial(name, "60-epochs-shift-share-0.9", base, replace(recipe, shift_share=0.9), seeds),
        Trial(name, "60-epochs-shift-share-0.75", base, still, seeds),
        Trial(name, "60-epochs-shift-share-0.75-gains-8-6", slow, still, seeds),
        Trial(name, "120-epochs-shift-share-0.75-gains-8-6", slow, replace(still, epochs=120), seeds),
        Trial(
            name, "60-epochs-shift-share-0.75-gains-8-6-linear", slow, replace(still, schedule=LINEAR), seeds
        ),
    ]


def _dendrites(network: Network, hidden: int, output: int) -> Network:
    """Return the network with other decays of the dendrites: per tick one part in 2 to these powers."""
    programs = (erbp_hidden(dendrite_shift=hidden), erbp_output(dendrite_shift=output))
    return layered(network, program=programs)


def _two_layers() -> list[Trial]:
    name, recipe = "erbp-mnist-200-200", Recipe(epochs=30, shift=1)
    base = preset(name).network
    slow = layered(base, gain=(12, 3, 8))
    kept_back, longer = layered(slow, neuron_keep=(224, 224, 256)), replace(recipe, epochs=40)
    changes = {
        "gains-12-12-8": layered(base, gain=(12, 12, 8)),
        "gains-12-3-8": slow,
        "gains-12-3-8-margin-192": replace(slow, margin=192),
        "gains-12-3-8-margin-640": replace(slow, margin=640),
        "gains-12-3-8-quiet-8": replace(slow, quiet_ticks=8),
        "gains-12-3-8-weights-48": layered(slow, weight_bound=(24, 48, 32)),
        "gains-12-3-8-threshold-128": layered(
            slow, program=(erbp_hidden(), erbp_hidden(threshold=128), erbp_output())
        ),
        "gains-12-3-4-output-shift-0": replace(
            layered(
                base, gain=(12, 3, 4), program=(erbp_hidden(), erbp_hidden(), erbp_output(input_shift=0))
            ),
            margin=160,
        ),
        "gains-12-3-8-keep-224": kept_back,
        "gains-12-3-8-keep-192": layered(slow, neuron_keep=(192, 192, 256)),
        "gains-12-3-8-keep-192-256": layered(slow, neuron_keep=(192, 256, 256)),
        "gains-12-4-8-keep-224-quiet-6": replace(
            layered(base, gain=(12, 4, 8), neuron_keep=(224, 224, 256)), quiet_ticks=6
        ),
        "wide-feedback-gains-8-3-8": layered(base, gain=(8, 3, 8), feedback=("wide", "wide", "direct")),
    }
    begun = {
        "3-epochs": base,
        "3-epochs-gains-12-12-8": layered(base, gain=(12, 12, 8)),
        "3-epochs-gains-12-0-8": layered(base, gain=(12, 0, 8)),
        "3-epochs-gains-0-12-8": layered(base, gain=(0, 12, 8)),
    }
    return [
        *(Trial(name, change, network, replace(recipe, epochs=3)) for change, network in begun.items()),
        Trial(name, "as-it-is", base, recipe, (SEED, 12)),
        *(Trial(name, change, network, recipe) for change, network in changes.items()),
        Trial(name, "gains-12-3-8-shift-2", slow, replace(recipe, shift=2)),
        Trial(name, "40-epochs-gains-12-3-8-keep-224", kept_back, longer, (SEED, 12)),
        Trial(
            name,
            "40-epochs-gains-12-3-8-keep-224-shift-share-0.75",
            kept_back,
            replace(longer, shift_share=0.75),
            (SEED, 12),
        ),
    ]


def _wide() -> list[Trial]:
    name, recipe = "erbp-mnist-500", Recipe(epochs=24, shift=1)
    base = preset(name).network
    longer, seeds = replace(recipe, epochs=40), (SEED, 12)
    still = replace(longer, shift_share=0.75)
    finer = erbp_network(name, (500,), neuron_keep=224, threshold=512)
    finest = erbp_network(name, (500,), neuron_keep=224, threshold=512, output_shift=2)
    held_back = layered(finest, neuron_keep=(208, 256))
    return [
        Trial(name, "40-epochs", base, longer, seeds),
        Trial(name, "40-epochs-shift-share-0.75", base, still, seeds),
        Trial(name, "40-epochs-shift-share-0.75-threshold-512", finer, still, seeds),
        Trial(
            name,
            "40-epochs-shift-share-0.75-threshold-512-linear",
            finer,
            replace(still, schedule=LINEAR),
            seeds,
        ),
        Trial(name, "40-epochs-shift-share-0.75-threshold-512-output-shift-2", finest, still, seeds),
        Trial(name, "40-epochs-threshold-512-output-shift-2", finest, longer, seeds),
        Trial(
            name, "100-epochs-shift-share-0.75-finer-keep-208", held_back, replace(still, epochs=100), seeds
        ),
        Trial(name, "100-epochs-finer-keep-208", held_back, replace(longer, epochs=100), seeds),
        Trial(name, "as-it-is", base, recipe),
        Trial(name, "keep-192", layered(base, neuron_keep=(192, 256)), recipe),
        Trial(name, "synapse-keep-224", layered(base, synapse_keep=(224, 224)), recipe),
        Trial(
            name, "100-epochs-keep-160", layered(base, neuron_keep=(160, 256)), replace(recipe, epochs=100)
        ),
    ]


def _two_layers_first_spike() -> list[Trial]:
    name, recipe = "first-spike-mnist-600", Recipe(epochs=10, shift=1, schedule=LINEAR)

    def trial(thresholds: tuple[int, ...], epochs: int) -> Trial:
        network = first_spike_network("two-layers", (400, 200), thresholds=thresholds)
        change = f"400-200-thresholds-{'-'.join(map(str, thresholds))}"
        return Trial(name, change, network, replace(recipe, epochs=epochs))

    return [
        trial((5500, 1000, 2000), 20),
        trial((5500, 2000, 2000), 20),
        trial((5500, 3000, 2000), 20),
        trial((5500, 5500, 2000), 10),
        trial((5500, 4000, 4000), 10),
        trial((3000, 3000, 1500), 10),
    ]


TRIALS = (*_small(), *_one_layer(), *_two_layers(), *_wide(), *_two_layers_first_spike())

QUICK_TRIALS = (
    Trial("erbp-digits", "epochs-2", preset("erbp-digits").network, Recipe(epochs=2)),
    Trial(
        "erbp-digits",
        "epochs-2-constant",
        preset("erbp-digits").network,
        Recipe(epochs=2, schedule=SCHEDULES["constant"]),
    ),
)
"""Data that needs no download: to see that it works."""


def measure(request: Request, display: Display) -> list[Row]:
    """Train every trial with every seed of it."""
    trials = QUICK_TRIALS if request.quick else TRIALS
    selected = request.select(_id(request, trial) for trial in trials)
    wanted = [trial for trial in trials if _id(request, trial) in selected]
    if not request.quick:
        request.check_mnist()
    groups = [
        [
            Task(f"{trial.preset}, {trial.change}, seed {seed}", training.STEPS, run, (trial, seed, request))
            for seed in trial.seeds
        ]
        for trial in wanted
    ]
    lengths = [trial.recipe.epochs * sum(trial.network.shape[1:]) for trial in wanted]
    found = carry_out_groups(groups, lengths, request.n_processes, display)
    return [_row(request, trial, runs) for trial, runs in zip(wanted, found, strict=True)]


def _id(request: Request, trial: Trial) -> str:
    return request.id(trial.preset, trial.change)


def run(advance: Advance, trial: Trial, seed: int, request: Request) -> dict[str, Any]:
    """Train one network, and infer the validation images when half of it and when all of it is over."""
    dataset = load_named(trial.preset, request.data)
    half = trial.recipe.epochs // 2
    network = replace(trial.network, seed=seed)
    return kept.train(advance, network, trial.recipe, dataset, (half,), request, test=False, look=_look)


def _row(request: Request, trial: Trial, runs: Sequence[dict[str, Any]]) -> Row:
    row_id = _id(request, trial)
    values = [found["curve"][-1] for found in runs]
    extra = {
        "epochs": trial.recipe.epochs,
        "shift": trial.recipe.shift,
        "seeds": list(trial.seeds),
        "values": values,
        "alignment": [found["alignment"] for found in runs],
        "half_way": [found["curve"][0] for found in runs],
        "dataset": runs[0]["dataset"],
        "cpu_seconds": [round(found["cpu_seconds"], 1) for found in runs],
        "quick": request.quick,
    }
    columns = {
        "epochs": str(trial.recipe.epochs),
        "seeds": " ".join(f"{value:.2f}" for value in values),
        "half way": " ".join(f"{found['curve'][0]:.2f}" for found in runs),
        "alignment": " ".join(f"{value:.2f}" for found in runs for value in found["alignment"]),
    }
    return Row(row_id, training.mean(values), "%", request.command(row_id), extra=extra, columns=columns)
