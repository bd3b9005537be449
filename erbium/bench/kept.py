# SPDX-License-Identifier: BSD-2-Clause
"""Runs that are kept in a folder: what is finished is not done twice, what was stopped carries on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from erbium.bench import training
from erbium.bench.work import Advance
from erbium.gen.files import write_text
from erbium.gen.presets import Recipe
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.network import Network


def run_key(
    network: Network, recipe: Recipe, dataset: Dataset, epochs_shown: tuple[int, ...], test: bool
) -> str:
    """Return the name of a run's file: equal for equal runs, and for no others."""
    content = json.dumps([network.digest, asdict(recipe), dataset.digest, epochs_shown, test])
    return f"{network.name}-seed-{network.seed}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def train(
    advance: Advance,
    network: Network,
    recipe: Recipe,
    dataset: Dataset,
    epochs_shown: tuple[int, ...],
    keep: Path | None,
    *,
    test: bool = True,
) -> dict[str, Any]:
    """Train as :func:`erbium.bench.training.train` does, or return what was found when that was done before.

    Parameters
    ----------
    keep : Path, optional
        Folder of the runs: ``NAME.json`` of a finished one, ``NAME.npz`` of one under way.

    Other parameters as there.
    """
    if keep is None:
        return training.train(advance, network, recipe, dataset, epochs_shown=epochs_shown, test=test)[0]
    keep.mkdir(exist_ok=True)
    name = run_key(network, recipe, dataset, epochs_shown, test)
    finished, under_way = keep / f"{name}.json", keep / f"{name}.npz"
    if finished.exists():
        advance(training.STEPS)
        kept: dict[str, Any] = json.loads(finished.read_text())
        return kept
    found, _ = training.train(
        advance, network, recipe, dataset, epochs_shown=epochs_shown, checkpoint=under_way, test=test
    )
    write_text(finished, json.dumps(found) + "\n")
    under_way.unlink()
    return found
