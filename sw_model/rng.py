# SPDX-License-Identifier: BSD-2-Clause
"""Random numbers of the array: xorshift32 generators, reseeded by each sample.

Source: Marsaglia, *Xorshift RNGs*, J. Stat. Softw. 8:14 (2003), the triple (13, 17, 5) of full period.
"""

from __future__ import annotations

from dataclasses import dataclass

from erbium.sw_model.constants import Array, neuron_constants

MASK32 = 0xFFFF_FFFF
NOISE_OFFSET = 510
"""Taken from the sum of four random bytes, so that the noise has mean 0 (standard deviation 147.7)."""


def xorshift32(state: int) -> int:
    """Advance a nonzero 32-bit state by one draw."""
    state ^= (state << 13) & MASK32
    state ^= state >> 17
    state ^= (state << 5) & MASK32
    return state


@dataclass
class Generator:
    """One stream of random numbers.

    Parameters
    ----------
    salt : int
        Nonzero constant of the stream (:func:`erbium.sw_model.constants.salt`).
    """

    salt: int
    state: int = 0

    def seed(self, seed: int) -> None:
        """Restart from the 32-bit seed of a sample.

        The seed is added, not XORed: xorshift is linear, and the carries keep two streams of one sample
        from differing by a constant.
        """
        self.state = (seed + self.salt) & MASK32 or self.salt

    def draw(self) -> int:
        """Return the next 32-bit number."""
        self.state = xorshift32(self.state)
        return self.state

    def noise(self) -> int:
        """Return one draw as membrane noise: the sum of its four bytes minus 510."""
        return sum(self.draw().to_bytes(4, "little")) - NOISE_OFFSET


def mixed_bytes(draw: int, neurons: int) -> Array:
    """Derive one byte per neuron from a draw that a whole layer shares.

    ``byte_i = ((((draw & 0xffff) ^ c_i) + (draw >> 16)) >> 8) & 0xff`` with the constant c_i of neuron i.
    One XOR and one addition per lane, and no dependence on the lane count.

    Returns
    -------
    ndarray of uint32, shape (neurons,), values 0 ... 255
    """
    return ((((draw & 0xFFFF) ^ neuron_constants(neurons)) + (draw >> 16)) >> 8) & 0xFF
