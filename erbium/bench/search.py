# SPDX-License-Identifier: BSD-2-Clause
"""What was tried on the way to the presets of the bench ``best``, one change at a time.

Validation error alone, and with other seeds than those of the published figures: no test image is read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from erbium.bench import kept, training
from erbium.bench.display import Display
from erbium.bench.request import Request, load_named
from erbium.bench.result import Row
from erbium.bench.work import Advance, Task, carry_out_longest_first
from erbium.gen.presets import LINEAR, SCHEDULES, Recipe, Schedule, preset
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


def _one_layer() -> list[Trial]:
    name, recipe = "erbp-mnist-200", Recipe(epochs=30, shift=1)
    base = preset(name).network
    usual = [
        Trial(name, "as-it-is", base, recipe, (SEED, 12)),
        Trial(name, "schedule-linear", base, replace(recipe, schedule=LINEAR)),
        Trial(name, "schedule-exponential", base, replace(recipe, schedule=exponential(0.05))),
        Trial(name, "epochs-8", base, replace(recipe, epochs=8)),
    ]
    changes = {
        "margin-192": replace(base, margin=192),
        "margin-640": replace(base, margin=640),
        # The weights of the output bound it: twice their reach, with margin and rate to suit.
        "output-shift-0": replace(
            layered(base, gain=(12, 4), program=(erbp_hidden(), erbp_output(input_shift=0))), margin=160
        ),
    }
    return usual + [Trial(name, change, network, recipe) for change, network in changes.items()]


def _two_layers() -> list[Trial]:
    name, recipe = "erbp-mnist-200-200", Recipe(epochs=30, shift=1)
    base = preset(name).network
    slow = layered(base, gain=(12, 3, 8))
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
        "gains-12-3-8-keep-224": layered(slow, neuron_keep=(224, 224, 256)),
        "gains-12-3-8-keep-192-256": layered(slow, neuron_keep=(192, 256, 256)),
    }
    return [
        Trial(name, "as-it-is", base, recipe, (SEED, 12)),
        *(Trial(name, change, network, recipe) for change, network in changes.items()),
        Trial(name, "gains-12-3-8-shift-2", slow, replace(recipe, shift=2)),
    ]


def _wide() -> list[Trial]:
    name, recipe = "erbp-mnist-500", Recipe(epochs=24, shift=1)
    base = preset(name).network
    return [
        Trial(name, "as-it-is", base, recipe),
        Trial(name, "keep-192", layered(base, neuron_keep=(192, 256)), recipe),
        Trial(name, "synapse-keep-224", layered(base, synapse_keep=(224, 224)), recipe),
    ]


TRIALS = (*_one_layer(), *_two_layers(), *_wide())

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
    runs = [(trial, seed) for trial in wanted for seed in trial.seeds]
    tasks = [
        Task(
            f"{trial.preset}, {trial.change}, seed {seed}",
            training.STEPS,
            run,
            (trial, seed, request),
        )
        for trial, seed in runs
    ]
    lengths = [trial.recipe.epochs * sum(trial.network.shape[1:]) for trial, _ in runs]
    found = iter(carry_out_longest_first(tasks, lengths, request.n_processes, display))
    return [_row(request, trial, [next(found) for _ in trial.seeds]) for trial in wanted]


def _id(request: Request, trial: Trial) -> str:
    return request.id(trial.preset, trial.change)


def run(advance: Advance, trial: Trial, seed: int, request: Request) -> dict[str, Any]:
    """Train one network, and infer the validation images when half of it and when all of it is over."""
    dataset = load_named(trial.preset, request.data)
    half = trial.recipe.epochs // 2
    network = replace(trial.network, seed=seed)
    return kept.train(advance, network, trial.recipe, dataset, (half,), request, test=False)


def _row(request: Request, trial: Trial, runs: Sequence[dict[str, Any]]) -> Row:
    row_id = _id(request, trial)
    values = [found["curve"][-1] for found in runs]
    extra = {
        "epochs": trial.recipe.epochs,
        "shift": trial.recipe.shift,
        "seeds": list(trial.seeds),
        "values": values,
        "half_way": [found["curve"][0] for found in runs],
        "dataset": runs[0]["dataset"],
        "cpu_seconds": [round(found["cpu_seconds"], 1) for found in runs],
        "quick": request.quick,
    }
    columns = {
        "epochs": str(trial.recipe.epochs),
        "seeds": " ".join(f"{value:.2f}" for value in values),
        "half way": " ".join(f"{found['curve'][0]:.2f}" for found in runs),
    }
    return Row(row_id, training.mean(values), "%", request.command(row_id), extra=extra, columns=columns)
