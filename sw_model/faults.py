# SPDX-License-Identifier: BSD-2-Clause
"""Faults of the hardware, as part of the model: what breaks, where, and what it does to the integers.

A :class:`Faults` says how many of each kind there are; a hash of its seed says where. A higher share adds
faults to those of a lower one, so a curve over a share shows one chip that gets worse. Without faults nothing
here is called, and no integer is another one.

Weights
    *Stuck bits* of the weight memory read as 0 or as 1 whatever is written: what the memory holds is
    ``(w & keep) | set`` from the first moment on, in the bits of a weight. *Flipped bits* are inverted once, in
    whatever is loaded, the initial weights included. *Upsets* invert a bit at a random place while the chip
    learns: at the beginning of each learned sample, as many as are to be expected, a fraction being rounded at
    random. An inference changes no weight, so that its answers do not depend on the samples before it.
States
    *Stuck bits* of the neurons' state memory (16 bits for each state variable): what a tick sweep writes, and
    the initial value, is held as ``(x & keep) | set``. Threshold and plasticity look at what was just computed;
    the next sweep and the readout get what the memory holds. *Upsets* come before each sweep, in learning and in
    inference.
Neurons
    A *dead* hidden neuron never spikes and has the plasticity word 0, as a blanked one.
Events
    A spike on its way to a layer is *dropped* or *duplicated*: then its row is passed not at all, or twice in a
    row. The sender has counted it once all the same. The tokens between the spikes, the bias row, the feedback
    and what the readout sees are not events and are always there.

Random numbers come from generators of their own, one for each layer and kind, seeded by the sample like all
others (``docs/contract.md``); so a run with faults resumes, and repeats, as one without.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from erbium.sw_model.constants import Array, hash64
from erbium.sw_model.network import Network
from erbium.sw_model.programs import DescriptionError, check_range
from erbium.sw_model.rng import Generator

STATE_WIDTH = 16
"""Bits of a state variable."""

MAX_BITS = 1 << 31
"""Bits of the memory of a layer among which an upset can choose."""

ONE = 1 << 32
"""A probability of 1, as a random number of 32 bits is compared with it."""

EVENTS, WEIGHT_UPSETS, STATE_UPSETS = range(3)
"""Random number streams of the faults of one layer."""

# Domains of the hash; those of `constants` go up to 6.
_STUCK, _FLIPPED, _DEAD, _SALT = 16, 17, 18, 19
_WEIGHTS, _STATES = 0, 1


@dataclass(frozen=True)
class Faults:
    """How much of a chip is broken. All shares are from 0 to 1.

    Parameters
    ----------
    seed : int
        Decides which bits, neurons and events.
    weight_stuck_0, weight_stuck_1 : float
        Share of the bits of the weight memory that always read as 0, as 1.
    weight_flipped : float
        Share of the bits of the weight memory that are inverted once, when weights are loaded.
    weight_upsets : float
        Bits of the weight memory inverted per learned sample, as a share of all.
    state_stuck_0, state_stuck_1 : float
        Share of the bits of the neurons' state memory that always read as 0, as 1.
    state_upsets : float
        Bits of the state memory inverted per tick, as a share of all.
    dead_neurons : float
        Share of the hidden neurons that never spike.
    dropped_events, duplicated_events : float
        Share of the events on the way to a layer that are lost, that arrive twice.

    Raises
    ------
    DescriptionError
        If a share is not from 0 to 1, or two that exclude each other add up to more than 1.
    """

    seed: int = 1
    weight_stuck_0: float = 0.0
    weight_stuck_1: float = 0.0
    weight_flipped: float = 0.0
    weight_upsets: float = 0.0
    state_stuck_0: float = 0.0
    state_stuck_1: float = 0.0
    state_upsets: float = 0.0
    dead_neurons: float = 0.0
    dropped_events: float = 0.0
    duplicated_events: float = 0.0

    def __post_init__(self) -> None:
        check_range("seed of the faults", self.seed, 0, (1 << 63) - 1)
        for name, share in self.shares.items():
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
                raise DescriptionError(f"{name} is {share!r}; it is a share and must be from 0 to 1")
        for one, other in (
            ("weight_stuck_0", "weight_stuck_1"),
            ("state_stuck_0", "state_stuck_1"),
            ("dropped_events", "duplicated_events"),
        ):
            total = self.shares[one] + self.shares[other]
            if total > 1:
                raise DescriptionError(
                    f"{one} and {other} are {self.shares[one]:g} and {self.shares[other]:g}; no bit or event can "
                    "have both, so together they must be at most 1"
                )

    @property
    def shares(self) -> dict[str, float]:
        """All fields but the seed, by name."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "seed"}

    def __bool__(self) -> bool:
        """Whether anything is broken."""
        return any(self.shares.values())


@dataclass(frozen=True)
class Rate:
    """How many upsets come at a time: `whole`, and one more with probability ``fraction / 2**32``."""

    whole: int
    fraction: int

    @classmethod
    def of(cls, share: float, bits: int) -> Rate:
        """Return the rate of a share of so many bits."""
        if share and bits >= MAX_BITS:
            raise DescriptionError(
                f"upsets are asked for in a memory of {bits:,} bits; they can be told for less than {MAX_BITS:,}, "
                "take a smaller layer"
            )
        return cls(*divmod(round(share * bits * ONE), ONE))

    def __bool__(self) -> bool:
        """Whether there are any."""
        return self.whole > 0 or self.fraction > 0


class LayerFaults:
    """What the faults come to in one layer and on the channel that leads to it.

    Parameters
    ----------
    faults : Faults
    network : Network
    number : int
        0-based number of the layer.

    Attributes
    ----------
    weight_keep, weight_set, weight_flip : ndarray of int16, shape (n_rows, n_neurons)
        Masks of the weights; bits above those of a weight are copies of its sign bit.
    state_keep, state_set : ndarray of int16, shape (n_states, n_neurons)
    dead : ndarray of bool, shape (n_neurons,)
    weight_rate, state_rate : Rate
        Upsets per learned sample, and per tick.
    drop_below, duplicate_below : int
        An event is dropped if its random number is below the first, else duplicated if it is below the second.
    """

    def __init__(self, faults: Faults, network: Network, number: int) -> None:
        self.layer = network.layers[number]
        layer, self.n_rows = self.layer, network.n_rows(number)
        self.n_neurons, self.n_states = layer.n_neurons, layer.program.n_states
        shape, width = (self.n_rows, layer.n_neurons), layer.weight_width
        place = (faults.seed, number, _WEIGHTS)
        self.weight_keep, self.weight_set = _stuck(
            place, shape, width, faults.weight_stuck_0, faults.weight_stuck_1
        )
        self.weight_flip = _chosen((_FLIPPED, *place), shape, width, 0, _limit(faults.weight_flipped))
        self.state_keep, self.state_set = _stuck(
            (faults.seed, number, _STATES),
            (self.n_states, layer.n_neurons),
            STATE_WIDTH,
            faults.state_stuck_0,
            faults.state_stuck_1,
        )
        hidden = number < len(network.layers) - 1
        neurons = np.arange(layer.n_neurons, dtype=np.uint64)
        draws = hash64(_DEAD, faults.seed, number, neurons) >> np.uint64(32)
        self.dead = draws < np.uint64(_limit(faults.dead_neurons) if hidden else 0)
        self.weight_rate = Rate.of(faults.weight_upsets, self.n_rows * layer.n_neurons * width)
        self.state_rate = Rate.of(faults.state_upsets, self.n_states * layer.n_neurons * STATE_WIDTH)
        self.drop_below = _limit(faults.dropped_events)
        self.duplicate_below = _limit(faults.dropped_events + faults.duplicated_events)
        self.salts = [
            int(hash64(_SALT, faults.seed, number, stream)) & 0xFFFF_FFFF | 1 for stream in range(3)
        ]
        self._draws = [Generator(salt) for salt in self.salts]

    def loaded(self, weights: Array) -> Array:
        """Return what the memory holds of weights that are loaded."""
        return self.held(np.asarray(weights) ^ self.weight_flip)

    def held(self, weights: Array, rows: int | slice = slice(None)) -> Array:
        """Return what the memory holds of weights that are written to a row, or to all."""
        return np.asarray((weights & self.weight_keep[rows]) | self.weight_set[rows])

    def begin(self, seed: int) -> None:
        """Start a sample."""
        for draws in self._draws:
            draws.seed(seed)

    def upset_weights(self, weights: Array) -> None:
        """Invert bits of the weights: what happens to them before a sample is learned."""
        width = self.layer.weight_width
        for place in self._upsets(WEIGHT_UPSETS, self.weight_rate, self.n_rows * self.n_neurons * width):
            cell, bit = divmod(place, width)
            row, neuron = divmod(cell, self.n_neurons)
            weights[row, neuron] = self.held(_inverted(weights[row], bit, width), row)[neuron]

    def upset_states(self, x: Array) -> None:
        """Invert bits of the states, int of shape (n_states, n_neurons): what happens to them before a sweep."""
        for place in self._upsets(STATE_UPSETS, self.state_rate, x.size * STATE_WIDTH):
            cell, bit = divmod(place, STATE_WIDTH)
            state, neuron = divmod(cell, self.n_neurons)
            x[state, neuron] = self.held_states(_inverted(x, bit, STATE_WIDTH))[state, neuron]

    def held_states(self, x: Array) -> Array:
        """Return what the memory holds of states that are written to it."""
        return np.asarray((x & self.state_keep) | self.state_set)

    def received(self, spikes: Array) -> Array:
        """Return the events of a tick that arrive, in order: some are missing, some are there twice."""
        if self.duplicate_below == 0:
            return spikes
        draws = np.array([self._draws[EVENTS].draw() for _ in spikes], dtype=np.int64)
        times = np.where(draws < self.drop_below, 0, np.where(draws < self.duplicate_below, 2, 1))
        return np.repeat(spikes, times)

    def _upsets(self, stream: int, rate: Rate, bits: int) -> list[int]:
        """Return the places of the upsets of one time, counted in bits."""
        if not rate:
            return []
        draws = self._draws[stream]
        count = rate.whole + (draws.draw() < rate.fraction)
        return [(draws.draw() * bits) >> 32 for _ in range(count)]


def faults_of(network: Network, faults: Faults | None) -> list[LayerFaults] | None:
    """Return the faults of each layer of a network, or None if nothing is broken."""
    if not faults:
        return None
    return [LayerFaults(faults, network, number) for number in range(len(network.layers))]


def _limit(share: float) -> int:
    return min(round(share * ONE), ONE)


def _inverted(values: Array, bit: int, width: int) -> Array:
    """Invert a bit of numbers in two's complement; the bits above `width` follow the sign bit."""
    return np.asarray(values ^ (-(1 << bit) if bit == width - 1 else 1 << bit))


def _chosen(place: tuple[int, ...], shape: tuple[int, int], width: int, first: int, end: int) -> Array:
    """Return a mask of the bits whose 32-bit hash is in ``first ... end - 1``, int16 of `shape`."""
    mask = np.zeros(shape, dtype=np.int16)
    if first == end:
        return mask
    cells: Any = np.arange(mask.size, dtype=np.uint64).reshape(shape)
    for bit in range(width):
        draws = hash64(*place, bit, cells) >> np.uint64(32)
        hit = (draws >= np.uint64(first)) & (draws < np.uint64(end))
        mask[hit] = _inverted(mask[hit], bit, width)
    return mask


def _stuck(
    place: tuple[int, ...], shape: tuple[int, int], width: int, zeros: float, ones: float
) -> tuple[Array, Array]:
    """Return the masks of stuck bits: those to keep, and those to set."""
    place = (_STUCK, *place)
    # From the two ends, so that more of the one leaves the other where it is.
    cleared = _chosen(place, shape, width, 0, _limit(zeros))
    return ~cleared, _chosen(place, shape, width, ONE - _limit(ones), ONE) & ~cleared
