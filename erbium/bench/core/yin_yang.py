# SPDX-License-Identifier: BSD-2-Clause
"""Yin-Yang: three classes of points in a plane, by event-driven random backpropagation and a population code.

Each of four values, x, y, 1 - x and 1 - y, is a pixel of each of eight Gaussian receptive fields; 5,000 points are
learned 60 times, 1,000 others tested.

Source of the data: Kriener, Göltz and Petrovici, *NICE* (2022), whose figure and shares of classes are these.
"""

from __future__ import annotations

import numpy as np

from erbium import open_chip
from erbium.gen.presets import erbp_network
from erbium.sw_model.constants import Array
from erbium.sw_model.network import Network

CLASSES = ("yin", "yang", "dot")
RADIUS, DOT = 0.5, 0.1
FIELDS = 8
LEARNED, TESTED = 5_000, 1_000
EPOCHS = 60


def class_of(x: float, y: float) -> int:
    """Return the class of a point within the circle: 0 yin, 1 yang, 2 one of the dots."""
    right = float(np.hypot(x - 1.5 * RADIUS, y - RADIUS))
    left = float(np.hypot(x - 0.5 * RADIUS, y - RADIUS))
    if right < DOT or left < DOT:
        return 2
    return int(right <= DOT or DOT < left <= 0.5 * RADIUS or (y > RADIUS and right > 0.5 * RADIUS))


def points(count: int, seed: int) -> tuple[Array, Array]:
    """Return points, float of shape ``(count, 4)``, and their classes; each class is as likely as the others."""
    rng = np.random.default_rng(seed)
    values, labels = np.empty((count, 4)), np.empty(count, dtype=np.int64)
    for k in range(count):
        goal = int(rng.integers(len(CLASSES)))
        while True:
            x, y = rng.random(2) * 2 * RADIUS
            if np.hypot(x - RADIUS, y - RADIUS) <= RADIUS and class_of(x, y) == goal:
                break
        values[k], labels[k] = (x, y, 1 - x, 1 - y), goal
    return values, labels


def coded(values: Array) -> Array:
    """Return what the receptive fields say of values from 0 to 1: uint8 of shape ``(count, 4 * FIELDS)``."""
    centres = np.arange(FIELDS) / (FIELDS - 1)
    activity = np.exp(-0.5 * ((values[:, :, None] - centres) * (FIELDS - 1)) ** 2)
    return np.round(255 * activity).astype(np.uint8).reshape(len(values), -1)


def network(seed: int) -> Network:
    """Return the network with the initial weights of a seed."""
    return erbp_network(
        "yin-yang", [200], n_inputs=4 * FIELDS, n_classes=len(CLASSES), encoder="phase", n_ticks=64, seed=seed
    )


def accuracy(seed: int, *, epochs: int = EPOCHS) -> float:
    """Return the share of test points that a network names rightly."""
    (values, labels), (others, wanted) = points(LEARNED, 42), points(TESTED, 40)
    images, rng = coded(values), np.random.default_rng(seed)
    with open_chip(network(seed)) as chip:
        for epoch in range(epochs):
            chip.set_rate(1.0 if epoch < epochs // 2 else 0.5 if epoch < 3 * epochs // 4 else 0.25)
            order = rng.permutation(LEARNED)
            chip.learn(images[order], labels[order])
        return float((chip.infer(coded(others)).answers == wanted).mean())
