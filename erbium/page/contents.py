# SPDX-License-Identifier: BSD-2-Clause
"""What a page carries: the chip, images to learn, and what the model makes of them."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from erbium.chip import open_chip
from erbium.gen.presets import Preset
from erbium.hdl.registers import counter_names, performance_names
from erbium.page.link import link_facts
from erbium.silence import population_names
from erbium.sw_model import datasets
from erbium.sw_model.constants import Array
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.network import Hardware
from erbium.sw_model.programs import DescriptionError, check_range
from erbium.train import check_fits
from erbium.verif.watched import LOG_KINDS
from erbium.verif.webassembly import webassembly
from erbium.verif.webassembly_run import WebAssemblyArray

N_IMAGES, N_TEST, N_CHECK = 10_000, 1_000, 1_000
"""Images that a page carries to learn and to ask for, and those of them after which it compares."""

TRAINED = 40_000
"""Images at least after which the chip counts as trained, in whole passes over those of the page."""


@dataclass(frozen=True)
class Options:
    """What the user may choose; see ``erbium page --help``.

    Parameters
    ----------
    images : int
        Images that the page carries to learn, 1 ... 60,000.
    check : int
        Of these, those after which all weights are compared; at most `images`.
    hardware : Hardware
        Cannot change a result.
    clock : float
        Of the board whose time the page tells, in MHz.
    data : Path, optional
        Folder with MNIST.
    """

    images: int = N_IMAGES
    check: int = N_CHECK
    hardware: Hardware = field(default_factory=Hardware)
    clock: float = 80.0
    data: Path | None = None

    def __post_init__(self) -> None:
        check_range("images", self.images, 1, 60_000)
        check_range("check", self.check, 1, 60_000)
        if not 0.001 <= self.clock <= 10_000:
            raise DescriptionError(f"clock is {self.clock} MHz; it must be from 0.001 to 10000")


def images_of(chosen: Preset, options: Options) -> Dataset:
    """Return the data of which a page carries the first images.

    Raises
    ------
    DatasetError, ChipError
        If there is none, or if it does not fit the network.
    """
    way_out = "point --data or ERBIUM_DATA at MNIST, or take 'erbp-digits'"
    dataset = datasets.load(options.data, n_inputs=chosen.network.n_inputs)
    dataset = chosen.recipe.view(dataset, way_out)
    check_fits(chosen.network, dataset, way_out)
    return dataset


def packed(*parts: bytes) -> str:
    """Return bytes as text for a page, which unpacks them with what a browser has."""
    # Without a time, so that equal contents are equal text.
    return base64.b64encode(gzip.compress(b"".join(parts), 9, mtime=0)).decode()


def _narrow(weights: Sequence[Array]) -> bytes:
    return b"".join(np.ascontiguousarray(values, dtype=np.int16).tobytes() for values in weights)


def contents(chosen: Preset, options: Options) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the facts of a page, and its packed parts by name.

    Raises
    ------
    ToolError
        If the compiler or the run time is missing.
    DatasetError, ChipError
        If there are no images for the network.
    """
    network, hardware = chosen.network, options.hardware
    dataset = images_of(chosen, options)
    train, test = dataset.train, dataset.test
    images = np.ascontiguousarray(train.images[: options.images].reshape(-1, network.n_inputs))
    labels = train.labels[: options.images].astype(np.uint8)
    asked = np.ascontiguousarray(test.images[:N_TEST].reshape(-1, network.n_inputs))
    right = test.labels[:N_TEST].astype(np.uint8)
    n_check = min(options.check, len(images))

    chip = WebAssemblyArray(network, hardware)
    fresh = chip.memory()
    with open_chip(network) as model:
        results = model.learn(images[:n_check], labels[:n_check])
        expected = model.weights
    epochs = -(-TRAINED // len(images))
    total = epochs * len(images)
    step = max(1, total // 100)
    with open_chip(network) as model:
        for first in range(0, total, step):
            model.set_rate(chosen.recipe.factor(first, total))
            places = np.arange(first, min(first + step, total)) % len(images)
            model.learn(images[places], labels[places])
        error = float((model.infer(asked).answers != right).mean())
        chip.load(model.weights)
    facts = {
        "preset": network.name,
        "digest": network.digest,
        "dataset": dataset.name,
        "inputs": network.n_inputs,
        "height": dataset.height,
        "width": dataset.width,
        "classes": network.n_classes,
        "ticks": network.n_ticks,
        "decide_after": network.decide_after,
        "first_spike": network.error.spikes_once,
        "seed": network.seed,
        "rates": [int(rate) for rate in network.rates],
        "shapes": [[network.n_rows(k), layer.n_neurons] for k, layer in enumerate(network.layers)],
        "weights": sum(values.size for values in expected),
        "populations": [
            [name, size] for name, size in zip(population_names(network), network.shape, strict=True)
        ],
        "kinds": list(LOG_KINDS),
        "weight_limit": max(abs(network.layers[0].weight_min), network.layers[0].weight_max),
        "counters": counter_names(network) + performance_names(network),
        "lanes": hardware.lanes,
        "clock": options.clock,
        "handle": chip.handle,
        "link": link_facts(network),
        "images": len(images),
        "asked": len(asked),
        "check": n_check,
        "trained": {"position": total, "epochs": epochs, "error": error},
    }
    parts = {
        "chip": packed(webassembly(network, hardware).read_bytes()),
        "fresh": packed(fresh),
        "trained": packed(chip.memory()),
        "images": packed(images.tobytes(), labels.tobytes()),
        "asked": packed(asked.tobytes(), right.tobytes()),
        "expected": packed(results.answers.astype(np.uint8).tobytes(), _narrow(expected)),
    }
    return facts, parts
