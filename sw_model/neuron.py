# SPDX-License-Identifier: BSD-2-Clause
"""Reference model of a population of neurons that run one program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from erbium.sw_model.constants import Array
from erbium.sw_model.programs import FRACTION_BITS, STATE_MAX, STATE_MIN, NeuronProgram, Operation


def saturate16(value: Array) -> Array:
    """Clip to the int16 range."""
    return np.clip(value, STATE_MIN, STATE_MAX)


def dither(tick: int) -> int:
    """Return q(t): the low 8 bits of the tick number in reversed order, 0 ... 255."""
    return int(f"{tick & 0xFF:08b}"[::-1], 2)


@dataclass(frozen=True)
class Sweep:
    """What one tick sweep produced.

    Attributes
    ----------
    spikes : ndarray of bool, shape (n,)
    before_reset : ndarray of int64, shape (n_states, n)
        States after the sums and clips, before any reset: what plasticity looks at.
    """

    spikes: Array
    before_reset: Array


class Population:
    """The neurons of one layer.

    Attributes
    ----------
    x : ndarray of int64, shape (n_states, n)
        State variables.
    u : ndarray of int64, shape (n_ports, n)
        Input ports.
    refractory : ndarray of int64, shape (n,)
        Ticks for which a neuron stays refractory.
    """

    def __init__(self, program: NeuronProgram, n: int) -> None:
        self.program = program
        self.x = np.zeros((program.n_states, n), dtype=np.int64)
        self.u = np.zeros((program.n_ports, n), dtype=np.int64)
        self.refractory = np.zeros(n, dtype=np.int64)
        self.begin()

    def begin(self, lasting: Sequence[int] = ()) -> None:
        """Clear everything for a new sample but the states that last."""
        for state, initial in enumerate(self.program.initial):
            if state not in lasting:
                self.x[state] = initial
        self.u[:] = 0
        self.refractory[:] = 0

    def add(self, port: int, values: Array) -> None:
        """Add one value per neuron to a port, saturating."""
        self.u[port] = saturate16(self.u[port] + values)

    def _source(self, operation: Operation, noise: Array | None) -> Array:
        if operation.kind == "noise":
            if noise is None:
                raise ValueError(f"program {self.program.name!r} needs noise")
            return noise
        values = self.x if operation.kind == "state" else self.u
        return np.asarray(values[operation.index])

    def sweep(
        self,
        tick: int,
        noise: Array | None = None,
        silent: Array | None = None,
        *,
        exclusive: bool = False,
        kept: Sequence[int] = (),
    ) -> Sweep:
        """Run the program once for all neurons.

        Parameters
        ----------
        tick : int
            Number of the tick within the sample, from 0.
        noise : ndarray of int, shape (n,), optional
            Noise of each neuron; needed if the program has a noise operation.
        silent : ndarray of bool, shape (n,), optional
            Neurons that cannot spike.
        exclusive : bool
            Only the first of those that would spike does.
        kept : sequence of int
            States that neither an operation nor a reset changes.
        """
        program = self.program
        y = (self.x + np.array(program.bias)[:, None]) << FRACTION_BITS
        for operation in program.operations:
            term = (self._source(operation, noise) << FRACTION_BITS) >> operation.shift
            y[operation.destination] += operation.sign * term
        x = saturate16((y + dither(tick)) >> FRACTION_BITS)
        x = np.clip(x, np.array(program.lower)[:, None], np.array(program.upper)[:, None])
        old = self.x[list(kept)]
        x[list(kept)] = old
        before_reset = x.copy()

        resting = self.refractory > 0
        threshold = program.threshold + (x[1] if program.adaptive else 0)
        spikes = (x[0] >= threshold) & ~resting
        if silent is not None:
            spikes &= ~silent
        if exclusive:
            spikes &= np.cumsum(spikes) == 1
        if program.hold:
            x[0, resting] = program.reset_value[0]
        for state, (mode, value) in enumerate(zip(program.reset_mode, program.reset_value, strict=True)):
            if mode == "set":
                x[state, spikes] = value
            elif mode == "add":
                x[state, spikes] = saturate16(x[state, spikes] + value)
            elif mode == "max":
                x[state, spikes] = np.maximum(x[state, spikes], value)
        x[list(kept)] = old
        self.refractory = np.where(spikes, program.refractory, self.refractory - resting)
        self.x = x
        self.u[:] = 0
        return Sweep(spikes, before_reset)
