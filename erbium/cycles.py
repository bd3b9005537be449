# SPDX-License-Identifier: BSD-2-Clause
"""Clock cycles of a sample, counted by the simulated chip: what turns a frequency into images per second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from erbium.bench.learning import Stopwatch, infer, learn, weights_after_an_epoch
from erbium.bench.request import load_named
from erbium.chip import open_chip
from erbium.fpga.driver_protocol import frame, messages_of
from erbium.fpga.driver_samples import TURNS
from erbium.fpga.report import Cycles
from erbium.gen.presets import PRESETS, preset
from erbium.sw_model.constants import Array
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.description.chain import graph_of
from erbium.sw_model.network import Hardware, Network

SAMPLES = 300
"""Samples of each kind: their mean is good to a few percent."""


def measure_cycles(network: Network, hardware: Hardware, data: Path | None = None) -> Cycles | None:
    """Count the cycles of learning and of inference behind a first epoch.

    Parameters
    ----------
    network : Network
        A preset: it says which images are learned.
    hardware : Hardware
    data : Path, optional
        Folder with MNIST.

    Returns
    -------
    Cycles or None
        None if `network` is no preset, or its images are not there.

    Raises
    ------
    erbium.verif.simulators.ToolError
        Without a simulator.
    """
    name = network.name
    if name not in PRESETS or PRESETS[name].network.digest != network.digest:
        return None
    dataset = load_named(name, data)
    if dataset.n_pixels != network.n_inputs:
        return None
    weights, position = weights_after_an_epoch(name, dataset)
    return count_cycles(network, hardware, weights, position, dataset, preset(name).recipe.shift)


def count_cycles(
    network: Network,
    hardware: Hardware,
    weights: Sequence[Array],
    position: int,
    dataset: Dataset,
    shift: int,
) -> Cycles:
    """Count the cycles of learning, and of inference behind it, from given weights on.

    Parameters
    ----------
    network : Network
    hardware : Hardware
    weights : sequence of ndarray
    position : int
        Number of the next image to learn.
    dataset : Dataset
        What the network sees.
    shift : int
        Training images are moved by up to so many pixels.

    Raises
    ------
    erbium.verif.simulators.ToolError
        Without a simulator.
    """
    with open_chip(network, "rtl", hardware) as chip:
        chip.load(weights)
        chip.position = position
        watch = Stopwatch(chip)
        learn(chip, dataset, shift, position + SAMPLES, lambda steps: None)
        training = watch.effort()
        watch = Stopwatch(chip)
        infer(chip, dataset, min(SAMPLES, len(dataset.validation)), lambda steps: None)
        inference = watch.effort()
    images = dataset.validation.images[:SAMPLES].reshape(-1, network.n_inputs)
    return Cycles(
        round(training.cycles_per_image, 1),
        round(inference.cycles_per_image, 1),
        training.images,
        dataset.name,
        round(_link_bytes(network, images), 1),
    )


def _link_bytes(network: Network, images: Array) -> float:
    """Return the mean length of the frame that brings an image, as the driver makes it."""
    message = messages_of(graph_of(network))
    sizes = [
        len(frame(message(1, number % TURNS, number, None, image))) for number, image in enumerate(images)
    ]
    return float(np.mean(sizes))
