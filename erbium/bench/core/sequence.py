# SPDX-License-Identifier: BSD-2-Clause
"""A pattern of 50 ticks, found in noise without labels by a voltage rule.

200 inputs spike at random, 20 times in 1,000 ticks. Once in each 200 ticks they repeat the same 50 ticks, at a
random place. Eight neurons learn by themselves. A neuron detects the pattern if, with fixed weights, it spikes in at
least 90 % of 100 presentations and at most 0.5 times in 1,000 ticks of noise. Solved: at least one of the eight does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from erbium.bench.core.parts import given
from erbium.sw_model.constants import Array
from erbium.sw_model.core.fast import CoreModel
from erbium.sw_model.description.connect import Dense
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import Events, Population, Projection, Source
from erbium.sw_model.graph_model.drive import Drive
from erbium.sw_model.programs import NeuronProgram, Operation
from erbium.sw_model.rules import HistoryRule, PlasticityWord

INPUTS, DETECTORS = 200, 8
RATE = 0.02
PERIOD, PATTERN, MARGIN = 200, 50, 50
"""Ticks from pattern to pattern, of one, and of noise at least before one."""
LEARNED, TESTED = 1_200, 100
HITS, FALSE = 0.9, 0.5


def network(seed: int) -> Graph:
    """Return the network with the initial weights of a seed."""
    rng = np.random.default_rng(seed)
    program = NeuronProgram(
        name="detector",
        states=("v", "calcium"),
        operations=(Operation(0, "x0", 3, -1), Operation(0, "u0"), Operation(1, "x1", 8, -1)),
        n_ports=1,
        threshold=800,
        reset_mode=("set", "add"),
        reset_value=(0, 1000),
        refractory=3,
    )
    word = PlasticityWord(
        gate=0, lower=351, inside=512, outside=-32, term="below", state=1, shift=2, offset=300
    )
    rule = HistoryRule(word=word, presynaptic=1, rounding=7)
    weights = given(rng.integers(0, 40, (INPUTS, DETECTORS)))
    return Graph(
        "sequence",
        (Source("inputs", INPUTS, Events()),),
        (Population("detectors", DETECTORS, program),),
        (Projection("inputs", "detectors", Dense(weights=weights), rule=rule),),
        n_ticks=PERIOD,
        seed=seed,
    )


def detectors(
    seed: int,
    *,
    learns: bool = True,
    learned: int = LEARNED,
    tested: int = TESTED,
    make: Callable[[Graph], Any] = CoreModel,
) -> int:
    """Return how many of the neurons detect the pattern; `make` makes the core."""
    chip, rng = make(network(seed)), np.random.default_rng((seed, 1))
    pattern = rng.random((PATTERN, INPUTS)) < RATE

    def present(learn: bool) -> tuple[Array, int]:
        events = rng.random((PERIOD, INPUTS)) < RATE
        at = int(rng.integers(MARGIN, PERIOD - PATTERN + 1))
        events[at : at + PATTERN] = pattern
        image = np.zeros(0, dtype=np.uint8)
        chip.sample(image, seed=seed, drive=Drive(learn=learn, clear=False, events={"inputs": events}))
        return chip.spikes["detectors"], at

    for _ in range(learned):
        present(learns)
    hits, false = np.zeros(DETECTORS), np.zeros(DETECTORS)
    for _ in range(tested):
        spikes, at = present(False)
        inside = spikes[at : at + PATTERN]
        hits += inside.any(axis=0)
        false += spikes.sum(axis=0) - inside.sum(axis=0)
    per_1000 = false * 1000 / (tested * (PERIOD - PATTERN))
    return int(((hits / tested >= HITS) & (per_1000 <= FALSE)).sum())
