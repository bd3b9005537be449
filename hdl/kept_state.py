# SPDX-License-Identifier: BSD-2-Clause
"""What a layer stores of its neurons, and what it can tell without storing it."""

from __future__ import annotations

from typing import Literal

from erbium.hdl.population import EnginePopulation
from erbium.sw_model.programs import STATE_MAX, STATE_MIN


def summed_state(population: EnginePopulation) -> int | None:
    """Return the state of a layer that always equals the sum of its inputs, which port 0 holds; ``None`` without one.

    Where all inputs come in the first tick, that is a state which starts at 0 and to which port 0 alone is added.
    """
    program = population.program
    into = [[op for op in program.operations if op.destination == k] for k in range(program.n_states)]
    for state, operations in enumerate(into):
        adds = [(op.source, op.shift, op.sign) for op in operations] == [("u0", 0, 1)]
        bounds = (program.lower[state], program.upper[state]) == (STATE_MIN, STATE_MAX)
        if adds and bounds and not program.bias[state] | program.initial[state]:
            if population.inputs_come == {0} and program.reset_mode[state] == "none":
                return state
    return None


def keeps_spike_ticks(population: EnginePopulation) -> bool:
    """Return whether a layer has to know when its neurons spiked: if its inputs spike at different ticks."""
    return population.spikes_once and len(population.inputs_come) != 1


def rest_told_by(population: EnginePopulation) -> Literal["counter", "spike tick", "membrane"]:
    """Return what tells that a neuron rests.

    A neuron that rests to the end of its sample needs no counter: its spike tick tells, where that is stored; or its
    membrane, which nobody asks how high it would be. That of a resting neuron is kept at the largest value, and one
    that may spike lies below the threshold.
    """
    program = population.program
    if not population.spikes_once or program.refractory < max(population.graph.n_ticks - 1, 2):
        return "counter"
    if keeps_spike_ticks(population):
        return "spike tick"
    is_hidden, is_free = not population.is_read, program.upper[0] == STATE_MAX
    is_plain = not program.adaptive and program.reset_mode[0] == "none"
    return "membrane" if is_hidden and is_free and is_plain else "counter"
