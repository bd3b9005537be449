# SPDX-License-Identifier: BSD-2-Clause
"""Runs that are kept in a folder: what is done is not done again, what was stopped carries on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from erbium.bench import training
from erbium.bench.request import Request
from erbium.bench.work import Advance
from erbium.gen import files
from erbium.gen.presets import Recipe
from erbium.sw_model.constants import Array
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.network import Network
from erbium.sw_model.programs import DescriptionError


@dataclass(frozen=True)
class Kept:
    """A folder with a JSON file for each run that is done, or none at all.

    Parameters
    ----------
    folder : Path, optional
        Without it nothing is kept.
    version : str
        Of Erbium: another one may come to other results.
    """

    folder: Path | None
    version: str

    @classmethod
    def of(cls, request: Request) -> Kept:
        """Return where a request keeps its runs; the folder is made if need be."""
        from erbium.summary import version

        if request.keep is not None:
            request.keep.mkdir(parents=True, exist_ok=True)
        return cls(request.keep, version())

    def key(self, name: str, *content: Any) -> str:
        """Return the name of a run's file: what the run is called, and a digest of all that decides its result."""
        text = json.dumps([self.version, *content], sort_keys=True)
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        return f"{slug}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"

    def load(self, key: str) -> Any:
        """Return the result of a run, or None if there is none.

        Raises
        ------
        DescriptionError
            If the file is no result.
        """
        if self.folder is None or not (path := self.folder / key).exists():
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (UnicodeDecodeError, json.JSONDecodeError):
            raise DescriptionError(
                f"{path} is no result of a run; remove it, and the run is carried out again"
            ) from None

    def save(self, key: str, result: Any) -> None:
        """Write a result, completely or not at all."""
        if self.folder is not None:
            files.write_text(self.folder / key, json.dumps(result) + "\n")


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
