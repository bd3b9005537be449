# SPDX-License-Identifier: BSD-2-Clause
"""Reference model of the input encoders: pixels in, spikes out, in ascending pixel order."""

from __future__ import annotations

import numpy as np

from erbium.sw_model.constants import STREAM_ENCODER, Array, salt
from erbium.sw_model.network import Network
from erbium.sw_model.rng import Generator
from erbium.sw_model.rules import LatencyEncoder
from erbium.sw_model.rules.pixels import rounded

GROUP = 4
"""Nonzero pixels that share one 32-bit draw, a byte each, lowest byte first."""


def start_phase(address: Array) -> Array:
    """Return the hashed phase, 0 ... 255, at which the accumulator of a pixel starts.

    The low 8 bits of the address reversed, XOR the address and its upper bits shifted: neighbours in a row
    and in a column start far apart, and the logic is wires and XOR gates.
    """
    low = address & 0xFF
    reverse = np.zeros_like(low)
    for bit in range(8):
        reverse |= ((low >> bit) & 1) << (7 - bit)
    return np.asarray((reverse ^ (address >> 3) ^ (low << 2)) & 0xFF)


class BernoulliEncoder:
    """A pixel of value p spikes at each tick with probability p / 256.

    At each tick every group of four consecutive nonzero pixels draws one 32-bit number; pixel j of the
    group spikes if byte j of it is less than the pixel. Zero pixels take no part.
    """

    def __init__(self) -> None:
        self.generator = Generator(salt(0, STREAM_ENCODER))

    def begin(self, image: Array, seed: int | None) -> None:
        """Take a sample: uint8 of shape (n_inputs,). Without a seed the random numbers run on."""
        self.addresses = np.flatnonzero(image)
        self.values = image[self.addresses].astype(np.int64)
        if seed is not None:
            self.generator.seed(seed)

    def tick(self) -> Array:
        """Return the addresses of the pixels that spike in this tick, ascending."""
        groups = -(-self.addresses.size // GROUP)
        draws = b"".join(self.generator.draw().to_bytes(GROUP, "little") for _ in range(groups))
        random = np.frombuffer(draws, dtype=np.uint8)[: self.addresses.size]
        return self.addresses[random < self.values]


class PhaseEncoder:
    """An 8-bit accumulator per pixel adds the pixel at each tick; the pixel spikes on carry."""

    def begin(self, image: Array, seed: int | None) -> None:
        """Take a sample: uint8 of shape (n_inputs,). The seed is not used."""
        self.addresses = np.flatnonzero(image)
        self.values = image[self.addresses].astype(np.int64)
        self.phase = start_phase(self.addresses)

    def tick(self) -> Array:
        """Return the addresses of the pixels that spike in this tick, ascending."""
        total = self.phase + self.values
        self.phase = total & 0xFF
        return self.addresses[total > 0xFF]


class LatencyModel:
    """Each pixel spikes once, at the tick of the first level that it reaches, or never."""

    def __init__(self, encoder: LatencyEncoder) -> None:
        self.levels = encoder.levels

    def begin(self, image: Array, seed: int | None) -> None:
        """Take a sample: uint8 of shape (n_inputs,). The seed is not used."""
        self.tick_of = np.full(image.size, -1)
        for lowest, tick in reversed(self.levels):
            self.tick_of[image >= lowest] = tick
        self.tick_number = 0

    def tick(self) -> Array:
        """Return the addresses of the pixels that spike in this tick, ascending."""
        self.tick_number += 1
        return np.flatnonzero(self.tick_of == self.tick_number - 1)


class RoundedEncoder:
    """An encoder that sees pixels of fewer bits."""

    def __init__(self, encoder: EncoderModel, pixel_bits: int) -> None:
        self._encoder, self._pixel_bits = encoder, pixel_bits

    def begin(self, image: Array, seed: int | None) -> None:
        """Take a sample: uint8 of shape (n_inputs,)."""
        self._encoder.begin(rounded(image, self._pixel_bits), seed)

    def tick(self) -> Array:
        """Return the addresses of the pixels that spike in this tick, ascending."""
        return self._encoder.tick()


EncoderModel = BernoulliEncoder | PhaseEncoder | LatencyModel | RoundedEncoder


def encoder_of(network: Network) -> EncoderModel:
    """Return the encoder that a network asks for."""
    encoder: EncoderModel
    if isinstance(network.encoder, LatencyEncoder):
        encoder = LatencyModel(network.encoder)
    else:
        encoder = BernoulliEncoder() if network.encoder == "bernoulli" else PhaseEncoder()
    return encoder if network.pixel_bits == 8 else RoundedEncoder(encoder, network.pixel_bits)
