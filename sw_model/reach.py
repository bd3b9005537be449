# SPDX-License-Identifier: BSD-2-Clause
"""What a network can reach: descriptions whose parts are in range, and with which nothing can ever happen.

Each check refuses only what is impossible: no weights, images or labels make a refused network spike, learn or
decide. The reasons are in ``docs/contract.md``, *What can never happen*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from erbium.sw_model.programs import (
    FRACTION_BITS,
    STATE_MAX,
    STATE_MIN,
    DescriptionError,
    NeuronProgram,
)

if TYPE_CHECKING:
    from erbium.sw_model.network import Layer, Network

Interval = tuple[int, int]

NOISE: Interval = (-510, 510)
"""Smallest and largest noise that an operation draws: a sum of four bytes minus their mean."""


def check_reach(network: Network) -> None:
    """Raise :class:`DescriptionError` if the network can never learn or decide, or one of its layers never spikes."""
    for number, layer in enumerate(network.layers, 1):
        _check_spikes(network, number, layer)
        if not network.error.learns_from_silence and number < len(network.layers):
            _check_start(network, number, layer)
    _check_decision(network)
    obstacles = [
        network.error.obstacle(network, number, layer)
        for number, layer in enumerate(network.layers, 1)
        if layer.rule is not None
    ]
    # One layer may stand still beside others that learn.
    if obstacles and all(obstacles):
        raise DescriptionError(f"no weight of the network can ever change: {obstacles[0]}")


def check_long_enough(network: Network, n_ticks: int) -> None:
    """Raise :class:`DescriptionError` if presentations of `n_ticks` are too short to change any weight."""
    first = min(
        (network.error.first_lesson(network, layer) for layer in network.layers if layer.rule is not None),
        default=0,
    )
    if n_ticks <= first:
        raise DescriptionError(
            f"training images are shown for {n_ticks} ticks and no weight changes before tick {first}; show them "
            f"for at least {first + 1} ticks"
        )


def _check_spikes(network: Network, number: int, layer: Layer) -> None:
    program = layer.program
    highest = program.upper[0] - (program.lower[1] if program.adaptive else 0)
    if program.threshold > highest:
        raise DescriptionError(
            f"threshold of layer {number} is {program.threshold} and state {program.states[0]!r} of its program is "
            f"clipped at {program.upper[0]}, so no neuron ever spikes; set the threshold to at most {highest}, or "
            "raise the clip"
        )
    weight = max(abs(layer.transmitted(layer.weight_min)), layer.transmitted(layer.weight_max))
    drive = network.n_rows(number - 1) * weight + network.margin
    if not _can_spike(program, drive, network.n_ticks):
        raise DescriptionError(
            f"threshold of layer {number} is {program.threshold}; even with all {network.n_rows(number - 1)} rows at "
            f"the largest weight at each tick no neuron reaches it within {network.n_ticks} ticks; lower it, or raise "
            "n_ticks"
        )


def _can_spike(program: NeuronProgram, drive: int, n_ticks: int) -> bool:
    """Whether state 0 may reach the threshold: intervals of the states, so True where that is unclear.

    Port 0 gets from -drive to drive at each tick, port 1 and the noise all that they can be.
    """
    port = max(-drive, STATE_MIN), min(drive, STATE_MAX)
    inputs: dict[str, Interval] = {"u0": port, "u1": (STATE_MIN, STATE_MAX), "noise": NOISE}
    states: list[Interval] = [(x, x) for x in program.initial]
    for _ in range(n_ticks):
        new = [_next(program, k, states, inputs) for k in range(program.n_states)]
        if new[0][1] >= program.threshold + (new[1][0] if program.adaptive else 0):
            return True
        # What a spike sets a state to does not matter before the first spike.
        new = [(min(a, c), max(b, d)) for (a, b), (c, d) in zip(states, new, strict=True)]
        if new == states:
            return False
        states = new
    return False


def _next(
    program: NeuronProgram, state: int, states: list[Interval], inputs: dict[str, Interval]
) -> Interval:
    """Return what a state can be after a sweep."""
    # A state's own terms belong together: a leak must not be taken for a drive.
    own = {0: 1}
    terms: list[tuple[Interval, int, int]] = []
    for op in program.operations:
        if op.destination != state:
            continue
        if op.source == f"x{state}":
            own[op.shift] = own.get(op.shift, 0) + op.sign
        else:
            source = states[op.index] if op.kind == "state" else inputs[op.source]
            terms.append((source, op.shift, op.sign))
    scale = max(own)
    factor = sum(sign << (scale - shift) for shift, sign in own.items())
    low, high = sorted((x * factor << FRACTION_BITS) for x in states[state])
    # Each term is rounded down on its own, by less than 1.
    slack = sum(abs(sign) for sign in own.values())
    low, high = (low >> scale) - slack, -(-high >> scale) + slack
    for (a, b), shift, sign in terms:
        ends = sorted(sign * ((x << FRACTION_BITS) >> shift) for x in (a, b))
        low, high = low + ends[0], high + ends[1]
    low += program.bias[state] << FRACTION_BITS
    high += (program.bias[state] << FRACTION_BITS) + (1 << FRACTION_BITS) - 1
    bounds = program.lower[state], program.upper[state]
    return tuple(min(max(y >> FRACTION_BITS, bounds[0]), bounds[1]) for y in (low, high))  # type: ignore[return-value]


def _check_start(network: Network, number: int, layer: Layer) -> None:
    """Refuse initial weights with which a hidden layer is silent: what follows never gets an event to learn from."""
    drive = network.shape[number - 1] * layer.weight_bound
    if not _can_spike(layer.program, drive, network.n_ticks):
        raise DescriptionError(
            f"weight_bound of layer {number} is {layer.weight_bound} and its threshold {layer.program.threshold}; with "
            f"such weights none of its neurons ever spikes, so nothing is learned; raise weight_bound, or lower the "
            "threshold"
        )


def _check_decision(network: Network) -> None:
    most = -(-network.n_ticks // (network.layers[-1].program.refractory + 1))
    if network.decide_after > most:
        raise DescriptionError(
            f"decide_after is {network.decide_after}; in {network.n_ticks} ticks an output neuron spikes at most "
            f"{most} times; set it to at most that, or to 0 for never"
        )
