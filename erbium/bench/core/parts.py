# SPDX-License-Identifier: BSD-2-Clause
"""What the tasks of the core share: weights that are written out, and neurons with a reward trace."""

from __future__ import annotations

from erbium.sw_model.constants import Array
from erbium.sw_model.description.connect import Given
from erbium.sw_model.programs import NeuronProgram, Operation


def given(weights: Array) -> Given:
    """Return weights, int of shape ``(rows, columns)``, as a description has them."""
    return Given(tuple(tuple(int(value) for value in row) for row in weights))


def rewarded(threshold: int, bias: int, *, hold: bool = False) -> NeuronProgram:
    """Return a noisy leaky neuron whose second state is a trace of what port 1 brings.

    ``v`` loses 1/16 and the reward trace 1/8 at each tick; the noise has a standard deviation of 37. After a spike
    ``v`` is 0 and the neuron rests for 2 ticks; with `hold` nothing moves ``v`` in them.
    """
    return NeuronProgram(
        name="rewarded",
        states=("v", "reward"),
        operations=(
            Operation(0, "x0", 4, -1),
            Operation(0, "u0"),
            Operation(0, "noise", 2),
            Operation(1, "x1", 3, -1),
            Operation(1, "u1"),
        ),
        n_ports=2,
        threshold=threshold,
        bias=(bias, 0),
        reset_mode=("set", "none"),
        refractory=2,
        hold=hold,
    )
