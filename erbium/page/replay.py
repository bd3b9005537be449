# SPDX-License-Identifier: BSD-2-Clause
"""What a page has saved, done again by the model: every answer and every weight has to be equal."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from erbium.chip import open_chip
from erbium.gen.presets import Preset
from erbium.page.contents import Options, images_of
from erbium.sw_model.constants import Array
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.network import Network
from erbium.sw_model.programs import DescriptionError

FORMAT, FORMAT_VERSION = "erbium-page", 1


@dataclass(frozen=True)
class Replayed:
    """What was compared.

    Attributes
    ----------
    samples : int
        Samples that the page's chip learned or answered; each has an answer that was compared.
    weights : int
        How many were compared.
    wrong_answers, wrong_weights : int
        How many of them differ.
    """

    samples: int
    weights: int
    wrong_answers: int
    wrong_weights: int

    @property
    def equal(self) -> bool:
        """Whether all are equal."""
        return not self.wrong_answers and not self.wrong_weights


def replay_file(path: Path, chosen: Preset, options: Options) -> Replayed:
    """Do again what a page has saved in a file; see :func:`replay`."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DescriptionError(
            f"{path} is nothing that a page has saved ({error.reason}); save it there anew"
        ) from None
    return replay(text, chosen, options, str(path))


def _bytes(text: Any) -> bytes:
    return base64.b64decode(text, validate=True)


def _weights(texts: Sequence[str], network: Network) -> list[Array]:
    if len(texts) != len(network.layers):
        raise ValueError(f"weights of {len(texts)} layers")
    return [
        np.frombuffer(_bytes(text), dtype="<i2").reshape(network.n_rows(number), layer.n_neurons)
        for number, (text, layer) in enumerate(zip(texts, network.layers, strict=True))
    ]


def replay(
    text: str,
    chosen: Preset,
    options: Options,
    name: str = "what the page sent",
    dataset: Dataset | None = None,
) -> Replayed:
    """Do again with the model what a page has done, and compare.

    Parameters
    ----------
    text : str
        What the page saved.
    chosen : Preset
        The page's.
    name : str
        Of the text, for people.
    dataset : Dataset, optional
        The images, if they are loaded already.
    options : Options
        Those with which the page was made: they say which images it carries.

    Raises
    ------
    DescriptionError
        If it is no such file, or one of another network.
    """
    network = chosen.network
    try:
        saved = json.loads(text)
        if saved["format"] != FORMAT or saved["version"] != FORMAT_VERSION:
            raise ValueError("another format")
        digest, learned = saved["digest"], saved["start"]
    except (ValueError, KeyError, TypeError) as error:
        raise DescriptionError(
            f"{name} is nothing that a page has saved ({type(error).__name__}: {error}); save it there anew"
        ) from None
    if digest != network.digest:
        raise DescriptionError(
            f"{name} is of network {saved.get('preset')!r} with digest {digest}, and {network.name!r} has "
            f"{network.digest}; name the preset of its page"
        )
    try:
        return _replay(saved, learned, chosen, lambda: dataset or images_of(chosen, options))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise DescriptionError(
            f"{name} is damaged ({type(error).__name__}: {error}); save it in the page anew"
        ) from None


def _replay(saved: dict[str, Any], start: Any, chosen: Preset, load: Callable[[], Dataset]) -> Replayed:
    network = chosen.network
    samples = wrong_answers = 0
    with open_chip(network) as model:
        if start != "fresh":
            model.load(_weights(start["weights"], network))
            model.position = int(start["position"])
        for step in saved["steps"]:
            given = np.frombuffer(_bytes(step["answers"]), dtype=np.uint8)
            if "images" in step:
                split = load().train
                places = np.arange(step["images"], step["images"] + len(given)) % saved["carried"]
                images, labels = split.images[places].reshape(-1, network.n_inputs), split.labels[places]
            else:
                images = np.frombuffer(_bytes(step["pixels"]), dtype=np.uint8)[None]
                labels = None if step["label"] is None else np.array([step["label"]])
            results = model.infer(images) if labels is None else model.learn(images, labels)
            wrong_answers += int((results.answers != given).sum())
            samples += len(given)
        pairs = list(zip(model.weights, _weights(saved["weights"], network), strict=True))
        if model.position != saved["position"]:
            raise ValueError(f"position {saved['position']} where {model.position} samples were learned")
    return Replayed(
        samples,
        sum(values.size for values, _ in pairs),
        wrong_answers,
        sum(int((mine != theirs).sum()) for mine, theirs in pairs),
    )
