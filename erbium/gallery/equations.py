# SPDX-License-Identifier: BSD-2-Clause
"""Equations of neurons in floating point, taken in steps of a tick: x(t + 1) = x(t) + dx(t), spike, reset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from erbium.sw_model.constants import Array

STEP = 0.78125e-3
"""Seconds of a tick of a Mihalas-Niebur neuron."""


class Equations(Protocol):
    """What a program stands for."""

    def run(self, drive: Sequence[int], noise: Sequence[int]) -> tuple[Array, Array]:
        """Return states and spikes.

        Parameters
        ----------
        drive, noise : sequence of int
            What each tick brings.

        Returns
        -------
        states : ndarray of float64, shape (ticks, n_states)
            After the reset of each tick, in the units of the program.
        spikes : ndarray of bool, shape (ticks,)
        """


@dataclass(frozen=True)
class MihalasNiebur:
    """The generalized integrate-and-fire neuron, in millivolts above the rest and seconds.

    ``dI_j/dt = -k_j I_j``, ``dV/dt = I + I_1 + I_2 - G V``, ``dT/dt = a V - b (T - T_inf)``; a spike where V reaches T:
    ``I_1 <- A_1``, ``I_2 <- I_2 + A_2``, ``V <- 0``, ``T <- max(T, T_reset)``.

    Parameters
    ----------
    a : float
        In 1/s.
    a1, a2 : float
        In V/s.
    threshold : float
        T at first, in mV.

    Notes
    -----
    Source: Mihalas and Niebur, *Neural Computation* 21:704 (2009), equations 2.1 and 2.2, table 1.
    """

    a: float
    a1: float
    a2: float
    threshold: float = 20.0

    g, b, k1, k2 = 50.0, 10.0, 200.0, 20.0
    t_inf, t_reset = 20.0, 10.0
    lsb = 1 / 256

    def run(self, drive: Sequence[int], noise: Sequence[int]) -> tuple[Array, Array]:
        """Return states and spikes; there is no noise."""
        v, t, i1, i2 = 0.0, self.threshold, 0.0, 0.0
        states, spikes = np.zeros((len(drive), 4)), np.zeros(len(drive), dtype=np.bool_)
        for tick, value in enumerate(drive):
            current = value * self.lsb / STEP  # mV/s
            dv = current + i1 + i2 - self.g * v
            dt = self.a * v - self.b * (t - self.t_inf)
            i1, i2 = i1 - STEP * self.k1 * i1, i2 - STEP * self.k2 * i2
            v, t = v + STEP * dv, t + STEP * dt
            if v >= t:
                spikes[tick] = True
                v, t, i1, i2 = 0.0, max(t, self.t_reset), 1000 * self.a1, i2 + 1000 * self.a2
            states[tick] = v, t, STEP * i1, STEP * i2
        return states / self.lsb, spikes


@dataclass(frozen=True)
class Linear:
    """States that change in proportion to each other; state 0 is 0 after a spike.

    Parameters
    ----------
    rates : list of list of float
        What each state (row) gets from each (column) in a tick.
    driven : int
        The state that the drive adds to.
    threshold : float
    noise : float
        What of the noise state 0 gets.
    """

    rates: Sequence[Sequence[float]]
    driven: int
    threshold: float
    noise: float = 0.0

    def run(self, drive: Sequence[int], noise: Sequence[int]) -> tuple[Array, Array]:
        """Return states and spikes."""
        rates, x = np.array(self.rates), np.zeros(len(self.rates))
        states, spikes = np.zeros((len(drive), len(x))), np.zeros(len(drive), dtype=np.bool_)
        for tick, value in enumerate(drive):
            x = x + rates @ x
            x[self.driven] += value
            x[0] += self.noise * noise[tick]
            if x[0] >= self.threshold:
                spikes[tick], x[0] = True, 0.0
            states[tick] = x
        return states, spikes
