# SPDX-License-Identifier: BSD-2-Clause
"""Digits without labels: 100 neurons compete for the images of one pass, each of which the winner learns at its end.

Pixels spike at each tick with probability p / 256, for at most 40 ticks. Labels come in only when the weights are done:
each neuron stands for the digits for which it won among the last images of the pass, and the first eight spikes of a
test image vote. The control has the weights of the beginning, and the same labels.

Source of the task: Diehl and Cook, *Front. Comput. Neurosci.* 9:99 (2015), with 100 neurons 82.9 %.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from erbium.bench.core.winner import Competitors, network
from erbium.sw_model.core.fast import CoreModel
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.description.graph import Graph

NEURONS = 100
THRESHOLD, RAISED, SHIFT = 1_000, 800, 1
FIRST = (5, 60)
"""Initial weights, from and to."""
LOWEST, RATE = -127, 5
"""Pixels that are dark when a neuron wins come to speak against it: with weights of 0 and more, large digits win."""
LABELLED = 10_000


def accuracy(
    seed: int,
    data: Dataset,
    *,
    learned: int,
    tested: int,
    labelled: int = LABELLED,
    learns: bool = True,
    make: Callable[[Graph], Any] = CoreModel,
) -> float:
    """Return the share of right answers after one pass over so many images; `learns` false is the control.

    `make` makes the core.
    """
    images = np.concatenate((data.train.images, data.validation.images))
    labels = np.concatenate((data.train.labels, data.validation.labels))
    order = np.random.default_rng((seed, 1)).permutation(len(images))[:learned]
    flat = images.reshape(len(images), -1)
    graph = network(
        "unlabelled",
        flat.shape[1],
        NEURONS,
        seed,
        threshold=THRESHOLD,
        raised=RAISED,
        shift=SHIFT,
        first=FIRST,
        lowest=LOWEST,
        rate=RATE,
    )
    chip = Competitors(graph, int(labels.max()) + 1, make)
    if learns:
        for place in order:
            chip.present(flat[place], learn=True)
    last = order[-labelled:]
    chip.relabel(flat[last], labels[last])
    test = data.test.images[:tested].reshape(-1, flat.shape[1])
    answers = [chip.answer(image) for image in test]
    return float(np.mean(answers == data.test.labels[: len(test)]))
