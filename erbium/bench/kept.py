# SPDX-License-Identifier: BSD-2-Clause
"""Training runs that are kept in a folder: what is done is not done again, what was stopped carries on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from erbium.bench import training
from erbium.bench.papers.kept import Kept
from erbium.bench.request import Request
from erbium.bench.work import Advance
from erbium.gen.presets import Recipe
from erbium.sw_model.constants import Array
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.network import Network


def train(
    advance: Advance,
    network: Network,
    recipe: Recipe,
    dataset: Dataset,
    epochs_shown: tuple[int, ...],
    request: Request,
    *,
    test: bool = True,
    look: Callable[[Network, list[Array]], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Train as :func:`erbium.bench.training.train` does, or return what was found when that was done before.

    Parameters
    ----------
    request : Request
        Its folder `keep` has a JSON file for each run that is done, and a checkpoint for each that is under way.
    look : callable, optional
        What it says of the network and its final weights goes to what is found.

    Other parameters as there.
    """
    runs = Kept.of(request)
    key = runs.key(
        f"{network.name} seed {network.seed}",
        network.digest,
        asdict(recipe),
        dataset.digest,
        epochs_shown,
        test,
    )
    done: dict[str, Any] | None = runs.load(key)
    if done is not None:
        advance(training.STEPS)
        return done
    checkpoint = None if runs.folder is None else (runs.folder / key).with_suffix(".npz")
    found, weights = training.train(
        advance, network, recipe, dataset, epochs_shown=epochs_shown, checkpoint=checkpoint, test=test
    )
    if look is not None:
        found |= look(network, weights)
    runs.save(key, found)
    if checkpoint is not None:
        checkpoint.unlink()
    return found
