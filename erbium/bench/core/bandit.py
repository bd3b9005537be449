# SPDX-License-Identifier: BSD-2-Clause
"""A bandit with two cues, whose arms change places every 300 trials.

In each trial one of two cues, 20 inputs of 78 spikes a second, is there for 100 ticks; the neuron that spikes more
often is the choice. The right one brings a reward, less its slow mean, to both neurons; 40 ticks of silence follow.
After each block the right choices change places. The figure of a block is the share of right choices in its last 100
trials.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from erbium.bench.core.parts import given
from erbium.sw_model.core.fast import CoreModel
from erbium.sw_model.description.connect import Dense, Identity
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import Modulator, Population, Projection, Source
from erbium.sw_model.graph_model.drive import Drive
from erbium.sw_model.programs import rewarded_lif
from erbium.sw_model.rules import HistoryRule, PlasticityWord

CUE = 20
RATE = 20
TICKS, PAUSE = 100, 40
BLOCKS, TRIALS, COUNTED = 4, 300, 100
REWARD = 1024
"""What a right choice brings where the mean is 0."""
ARMS = ("left", "right")


def network(seed: int, *, soft: bool = True) -> Graph:
    """Return the network with the initial weights of a seed; `soft` false leaves the soft bounds out."""
    rng = np.random.default_rng(seed)
    rule = HistoryRule(
        word=PlasticityWord(term="state", state=1),
        causal=(16, 8, 2),
        rounding=9,
        soft=soft,
        lowest=0,
        highest=127,
    )
    cues = [
        Projection("cues", arm, Dense(weights=given(rng.integers(50, 78, (2 * CUE, 1)))), rule=rule)
        for arm in ARMS
    ]
    inhibition = [
        Projection(one, other, Identity(weight=-1000), delay=1) for one, other in (ARMS, ARMS[::-1])
    ]
    return Graph(
        "bandit",
        (Source("cues", 2 * CUE),),
        tuple(Population(arm, 1, rewarded_lif(600, 30)) for arm in ARMS),
        (*cues, *inhibition),
        n_ticks=TICKS,
        seed=seed,
        modulators=tuple(Modulator(f"reward_{arm}", arm, 1) for arm in ARMS),
    )


def blocks(
    seed: int,
    *,
    learns: bool = True,
    soft: bool = True,
    n_blocks: int = BLOCKS,
    trials: int = TRIALS,
    make: Callable[[Graph], Any] = CoreModel,
) -> list[float]:
    """Return the share of right choices at the end of each block; `make` makes the core."""
    chip, rng = make(network(seed, soft=soft)), np.random.default_rng((seed, 1))
    silence, mean, shares = np.zeros(2 * CUE, dtype=np.uint8), 0, []
    for block in range(n_blocks):
        right = []
        for _ in range(trials):
            cue = int(rng.integers(2))
            image = silence.copy()
            image[CUE * cue : CUE * cue + CUE] = RATE
            chip.sample(image, seed=seed, drive=Drive(learn=learns, clear=False))
            left, other = (int(chip.spikes[arm].sum()) for arm in ARMS)
            choice = int(other > left) if left != other else int(rng.integers(2))
            right.append(choice == cue ^ (block & 1))
            # The mean in 256ths, so that a slow one moves at all.
            surprise = (REWARD << 8) * right[-1] - mean
            mean += surprise >> 7
            values = {f"reward_{arm}": surprise >> 8 for arm in ARMS}
            chip.sample(
                silence, seed=seed, n_ticks=PAUSE, drive=Drive(learn=learns, clear=False, values=values)
            )
        shares.append(float(np.mean(right[-COUNTED:])))
    return shares
