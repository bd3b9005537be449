# SPDX-License-Identifier: BSD-2-Clause
"""XOR by reward-modulated plasticity: 60 inputs, 60 hidden neurons, one output.

The first half of the inputs says one bit and the second half the other: silence for 0, 40 spikes a second (a tick is a
millisecond) for 1. Each output spike brings a reward to all neurons where the answer is 1, and the opposite where it
is 0. Solved: after learning the output spikes more often, in the mean of ten presentations, for each pattern whose
answer is 1 than for each whose answer is 0.

Source of the task: Florian, *Neural Computation* 19 (2007).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from erbium.bench.core.parts import given
from erbium.sw_model.core.fast import CoreModel
from erbium.sw_model.description.connect import Dense
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import Modulator, Population, Projection, Source
from erbium.sw_model.graph_model.drive import Drive
from erbium.sw_model.programs import rewarded_lif
from erbium.sw_model.rules import HistoryRule, PlasticityWord

HALF = 30
RATE = 10
"""Of 256: 40 spikes a second."""
TICKS = 300
EPOCHS = 80
TESTS = 10
PATTERNS = ((0, 0), (0, 1), (1, 0), (1, 1))


def network(seed: int) -> Graph:
    """Return the network with the initial weights of a seed."""
    rng = np.random.default_rng(seed)
    word = PlasticityWord(term="state", state=1)
    rule = HistoryRule(word=word, window=16, causal=(16, 8, 2), rounding=8)
    hidden, output = rng.integers(-80, 100, (2 * HALF, 60)), rng.integers(-10, 60, (60, 1))
    return Graph(
        "xor",
        (Source("inputs", 2 * HALF),),
        (
            Population("hidden", 60, rewarded_lif(350, 0, hold=True)),
            Population("output", 1, rewarded_lif(200, 10, hold=True)),
        ),
        (
            Projection("inputs", "hidden", Dense(weights=given(hidden)), rule=rule),
            Projection("hidden", "output", Dense(weights=given(output)), rule=rule),
        ),
        n_ticks=TICKS,
        seed=seed,
        modulators=(
            Modulator("reward_hidden", "hidden", 1, "output", 32),
            Modulator("reward_output", "output", 1, "output", 32),
        ),
    )


def solves(
    seed: int,
    *,
    learns: bool = True,
    epochs: int = EPOCHS,
    tests: int = TESTS,
    make: Callable[[Graph], Any] = CoreModel,
) -> bool:
    """Return whether a network of this seed solves the task; `learns` false is the control, `make` makes the core."""
    chip = make(network(seed))

    def present(first: int, second: int, learn: bool) -> int:
        image = np.repeat(np.array([first * RATE, second * RATE], dtype=np.uint8), HALF)
        gain = 1 if first != second else -1
        gains = {"reward_hidden": gain, "reward_output": gain}
        chip.sample(image, seed=seed, drive=Drive(learn=learn, clear=False, gains=gains))
        return int(chip.spikes["output"].sum())

    for _ in range(epochs):
        for pattern in PATTERNS:
            present(*pattern, learn=learns)
    spikes = np.array([[present(*pattern, learn=False) for pattern in PATTERNS] for _ in range(tests)]).mean(
        axis=0
    )
    return bool(min(spikes[1], spikes[2]) > max(spikes[0], spikes[3]))
