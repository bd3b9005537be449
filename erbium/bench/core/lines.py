# SPDX-License-Identifier: BSD-2-Clause
"""Lines of 8 x 8 pixels, told apart without labels; then all pixels change places, and the network learns on.

A sample is one of the 8 rows or 8 columns: its pixels spike at each tick with probability 1/2, the others with 1/64.
Neurons compete and the winner learns at the end of the sample. Labels come in only afterwards: each neuron stands for
the line for which it spiked most. After the pixels were permuted, the labels are counted anew, first with the old
weights and then with those that learned on. The control has no depression: rows that did not spike lose nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from erbium.bench.core.winner import Competitors, network
from erbium.sw_model.constants import Array
from erbium.sw_model.core.fast import CoreModel
from erbium.sw_model.description.graph import Graph

SIDE, NEURONS = 8, 32
ON, OFF = 128, 4
"""Of 256."""
THRESHOLD, RAISED = 2_500, 300
LEARNED, COUNTED = 2_000, 320


class Shares(NamedTuple):
    """Right answers: after learning, after the pixels changed places, and after learning on."""

    first: float
    permuted: float
    adapted: float


def shares(
    seed: int,
    *,
    forgets: bool = True,
    learned: int = LEARNED,
    counted: int = COUNTED,
    make: Callable[[Graph], Any] = CoreModel,
) -> Shares:
    """Return the right answers of one seed; `forgets` false is the control, `make` makes the core."""
    graph = network("lines", SIDE * SIDE, NEURONS, seed, threshold=THRESHOLD, raised=RAISED, forgets=forgets)
    chip, rng = Competitors(graph, 2 * SIDE, make), np.random.default_rng((seed, 1))
    images = np.full((2 * SIDE, SIDE, SIDE), OFF, dtype=np.uint8)
    for place in range(SIDE):
        images[place, place], images[SIDE + place, :, place] = ON, ON
    plain = images.reshape(2 * SIDE, -1)
    permuted = plain[:, rng.permutation(SIDE * SIDE)]

    def learn(lines: Array) -> None:
        for line in rng.integers(2 * SIDE, size=learned):
            chip.present(lines[line], learn=True)

    def right(lines: Array) -> float:
        labels, asked = rng.integers(2 * SIDE, size=(2, counted))
        chip.relabel([lines[line] for line in labels], labels)
        return float(np.mean([chip.answer(lines[line]) == line for line in asked]))

    learn(plain)
    first, moved = right(plain), right(permuted)
    learn(permuted)
    return Shares(first, moved, right(permuted))
