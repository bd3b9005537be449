# SPDX-License-Identifier: BSD-2-Clause
"""What the neurons of a NIR graph do in a tick: leaks, gains, threshold and reset, as numbers for each neuron.

The differential equations of NIR are taken in steps of one tick dt, each from the synapse to the membrane:

    i <- (1 - dt/tau_syn) i + dt/tau_syn w_in S        (CubaLIF, CubaLI)
    v <- (1 - dt/tau) v + dt/tau (v_leak + R i)        (IF, I: v <- v + dt R i)

and a neuron spikes at v > v_threshold. Gains are linear, so they go into the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from erbium.nir.wiring import Wiring, kind, parameters
from erbium.sw_model.constants import Array
from erbium.sw_model.programs import DescriptionError

MAX_STAGES = 2
"""States between a spike that arrives and one that leaves: a synapse and a membrane."""


@dataclass(frozen=True)
class Dynamics:
    """One population in the numbers of its nodes.

    Attributes
    ----------
    name : str
        Of the node that spikes, or is read.
    first : str
        Of the node that takes the weights; the same one, unless a synapse has a node of its own.
    leaks : tuple of ndarray
        What a state loses in a tick, 0 ... 1, from the synapse to the membrane.
    gain : ndarray
        By which each neuron multiplies its weights.
    drift : ndarray
        What the membrane gets at every tick besides.
    threshold, reset : ndarray or None
        ``None``: it does not spike, or a spike resets nothing.
    """

    name: str
    first: str
    leaks: tuple[Array, ...]
    gain: Array
    drift: Array
    threshold: Array | None
    reset: Array | None

    @property
    def size(self) -> int:
        """Neurons."""
        return int(self.gain.size)


def populations(wired: Wiring, dt: float) -> list[Dynamics]:
    """Return the populations of a graph: a synapse and the membrane that reads it are one."""
    read = set(wired.behind.values())
    return [_population(wired, name, dt) for name in wired.neurons if name not in read]


def _population(wired: Wiring, name: str, dt: float) -> Dynamics:
    chain = [name]
    while chain[0] in wired.behind:
        chain.insert(0, wired.behind[chain[0]])
    size = wired.sizes[chain[0]]
    leaks: list[Array] = []
    gain, drift = np.ones(size), np.zeros(size)
    threshold = reset = None
    for part in chain:
        if wired.sizes[part] != size:
            raise DescriptionError(
                f"node {part!r} has {wired.sizes[part]} neurons and reads {chain[0]!r}, which has {size}; the sizes "
                "must be equal"
            )
        node = wired.neurons[part]
        values = _Values(part, node, size)
        if np.any(drift):
            raise DescriptionError(
                f"v_leak of node {chain[0]!r} is {_first(drift)}; the synapse of {part!r} leaks to 0, so set it to 0"
            )
        for leak, factor in _stages(part, kind(node), values, dt):
            leaks.append(leak)
            gain = gain * factor
        if "v_leak" in values:
            drift = leaks[-1] * values["v_leak"]
        if kind(node) in ("LIF", "CubaLIF", "IF"):
            threshold, reset = values["v_threshold"], values["v_reset"]
        elif kind(node) == "Threshold":
            threshold = values["threshold"]
            if not leaks:  # it has no memory
                leaks = [np.ones(size)]
    if len(leaks) > MAX_STAGES:
        raise DescriptionError(
            f"nodes {', '.join(map(repr, chain))} have {len(leaks)} states between them; in the array a neuron that is "
            f"brought in has at most {MAX_STAGES}, a synapse and a membrane: leave one out"
        )
    if threshold is not None and (threshold <= 0).any():
        raise DescriptionError(
            f"the threshold of node {name!r} is {threshold.min():g}; it must be more than 0, where a membrane begins"
        )
    return Dynamics(name, chain[0], tuple(leaks), gain, drift, threshold, reset)


class _Values(dict[str, Array]):
    """The parameters of a node, one for each neuron, finite."""

    def __init__(self, name: str, node: Any, size: int) -> None:
        super().__init__()
        for what, value in parameters(node).items():
            array = np.asarray(value, dtype=np.float64).reshape(-1)
            if array.size not in (1, size):
                raise DescriptionError(f"{what} of node {name!r} has {array.size} values for {size} neurons")
            if not np.isfinite(array).all():
                raise DescriptionError(
                    f"{what} of node {name!r} holds {_first(array[~np.isfinite(array)])}; it must be finite"
                )
            self[what] = np.broadcast_to(array, (size,))


def _stages(name: str, what: str, values: _Values, dt: float) -> list[tuple[Array, Array]]:
    """Return leak and gain of each state of a node, in the order in which a spike meets them."""
    if what in ("LIF", "LI"):
        leak = _leak(name, "tau", values, dt)
        return [(leak, leak * values["r"])]
    if what in ("IF", "I"):
        return [(np.zeros_like(values["r"]), dt * values["r"])]
    if what in ("CubaLIF", "CubaLI"):
        synapse, membrane = _leak(name, "tau_syn", values, dt), _leak(name, "tau_mem", values, dt)
        return [(synapse, synapse * values["w_in"]), (membrane, membrane * values["r"])]
    return []


def _leak(name: str, what: str, values: _Values, dt: float) -> Array:
    tau = values[what]
    # As single precision has it, dt / tau may exceed 1 by a hair.
    if (tau <= 0).any() or (dt / tau > 1 + 1e-4).any():
        raise DescriptionError(
            f"{what} of node {name!r} is {tau.min():g} s and a tick lasts {dt:g} s; a time constant is at least a "
            "tick, so name a shorter tick with --dt"
        )
    leak: Array = np.minimum(dt / tau, 1.0)
    return leak


def _first(values: Array) -> float:
    return float(values[np.flatnonzero(values != 0)[0]]) if np.any(values) else 0.0
