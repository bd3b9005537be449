# SPDX-License-Identifier: BSD-2-Clause
"""Shifts of the sensor, and a chip that learns on after them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from erbium.bench.bridge.snn import Setup
from erbium.bench.work import Advance
from erbium.chip import Chip, open_chip
from erbium.nir.incoming import parts_of
from erbium.nir.layered import Gate, Learning, as_network
from erbium.nir.options import Options
from erbium.sw_model.constants import Array
from erbium.sw_model.datasets import Dataset, Split

BATCH = 50
"""Images between two changes of the learning rate."""

CURVE = (0.05, 0.125, 0.25, 0.5, 1.0)
"""Where the curve has points, as shares of the samples."""

CURVE_IMAGES = 2000
"""Test images of a point on the way; the ends are of all."""


def rotated(images: Array) -> Array:
    """Return images that are turned by 30 degrees."""
    from scipy import ndimage

    side = math.isqrt(images.shape[1])
    turned = ndimage.rotate(
        images.reshape(-1, side, side).astype(np.float32), 30, axes=(1, 2), reshape=False, order=1
    )
    whole: Array = np.clip(np.rint(turned), 0, 255).astype(np.uint8).reshape(images.shape)
    return whole


def inverted(images: Array) -> Array:
    """Return black for white."""
    result: Array = 255 - images
    return result


def dead_rows(images: Array) -> Array:
    """Return images of a sensor with a seventh of its rows dead, those above the middle."""
    side = math.isqrt(images.shape[1])
    seen = images.reshape(-1, side, side).copy()
    seen[:, side // 2 - max(side // 7, 1) + 1 : side // 2 + 1] = 0
    return seen.reshape(images.shape)


@dataclass(frozen=True)
class Shift:
    """A shift, and how the chip learns after it.

    Parameters
    ----------
    name : str
    change : callable
        Takes and returns uint8 images, a row each.
    rate : float
    gate : str
        See :class:`erbium.nir.layered.Learning`; both were chosen on the first 3,000 test images, with one network, in
        steps of 2.
    """

    name: str
    change: Callable[[Array], Array]
    rate: float
    gate: Gate

    def facts(self) -> dict[str, Any]:
        """Return what belongs to the rows."""
        return {"rate": self.rate, "gate": self.gate}


SHIFTS = (
    Shift("rotated", rotated, 2.0, "near"),
    Shift("dead-rows", dead_rows, 1.0, "near"),
    Shift("inverted", inverted, 2.0, "wide"),
)


def steps(setup: Setup) -> int:
    """Return how many steps a run has."""
    return -(-setup.samples // BATCH)


def brought_in(graph: Any, setup: Setup, seed: int, learning: Learning | None = None) -> Chip:
    """Return a chip with a network of another framework."""
    parts = parts_of(graph, Options(n_ticks=setup.ticks, seed=seed), "brought-in")
    network, weights = as_network(parts, learning)
    chip = open_chip(network)
    chip.load(weights)
    return chip


def accuracy(graph: Any, setup: Setup, split: Split, seed: int) -> float:
    """Return the share of right answers on the chip."""
    return _accuracy(brought_in(graph, setup, seed), split) / 100


def run(
    advance: Advance, graph: Any, setup: Setup, shift: Shift, seed: int, dataset: Dataset
) -> dict[str, Any]:
    """Learn on after a shift, once through the samples; accuracies are in % of all test images."""
    test = replace(dataset.test, images=shift.change(dataset.test.images))
    few = replace(test, images=test.images[:CURVE_IMAGES], labels=test.labels[:CURVE_IMAGES])
    count = min(setup.samples, len(dataset.train))
    # Each seed has samples of its own.
    order = np.random.default_rng(seed).permutation(len(dataset.train))[:count]
    images, labels = shift.change(dataset.train.images[order]), dataset.train.labels[order]
    chip = brought_in(graph, setup, seed, Learning("all", shift.rate, shift.gate))
    before, shifted = _accuracy(chip, dataset.test), _accuracy(chip, test)
    curve = [(0, _accuracy(chip, few))]
    places = {max(BATCH, round(share * count) // BATCH * BATCH) for share in CURVE}
    for first in range(0, count, BATCH):
        # The rate falls to 0 in a straight line.
        chip.set_rate(1 - first / count)
        here = slice(first, min(first + BATCH, count))
        chip.learn(images[here], labels[here])
        if here.stop in places and here.stop < count:
            curve.append((here.stop, _accuracy(chip, few)))
        advance(1)
    after = _accuracy(chip, test)
    curve.append((count, _accuracy(chip, few)))
    return {
        "samples": count,
        "before": before,
        "shifted": shifted,
        "after": after,
        "won": 100 * (after - shifted) / (before - shifted) if before > shifted else 0.0,
        "curve": curve,
    }


def _accuracy(chip: Chip, split: Split) -> float:
    return 100 * float((chip.infer(split.images).answers == split.labels).mean())
