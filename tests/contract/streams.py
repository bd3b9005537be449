# SPDX-License-Identifier: BSD-2-Clause
"""docs/contract.md, Random numbers and the encoders of One sample."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from . import hashed

M32 = 0xFFFFFFFF


class Stream:
    """One xorshift32 generator."""

    def __init__(self, process: int, stream: int) -> None:
        self.salt = hashed.salt(process, stream)
        self.x = self.salt

    def begin(self, seed: int) -> None:
        self.x = (seed + self.salt) & M32 or self.salt

    def draw(self) -> int:
        x = self.x
        x ^= (x << 13) & M32
        x ^= x >> 17
        x ^= (x << 5) & M32
        self.x = x
        return x

    def noise(self) -> int:
        return sum(self.draw().to_bytes(4, "little")) - 510


def draws(seed: int, salt: int, count: int) -> list[int]:
    stream = Stream(0, 0)
    stream.salt = salt
    stream.begin(seed)
    return [stream.draw() for _ in range(count)]


def mixed(draw: int, constants: list[int]) -> list[int]:
    """Return a byte for each neuron from a draw that they share."""
    low, high = draw & 0xFFFF, draw >> 16
    return [((low ^ c) + high) >> 8 & 0xFF for c in constants]


def bernoulli(image: list[int], seed: int) -> Iterator[list[int]]:
    """Yield the pixels that spike, tick by tick."""
    bright = [p for p, value in enumerate(image) if value]
    stream = Stream(0, hashed.ENCODER)
    stream.begin(seed)
    while True:
        spikes = []
        for first in range(0, len(bright), 4):
            group = bright[first : first + 4]
            for p, byte in zip(group, stream.draw().to_bytes(4, "little"), strict=False):
                if byte < image[p]:
                    spikes.append(p)
        yield spikes


def start_phase(address: int) -> int:
    low = address & 0xFF
    return (int(f"{low:08b}"[::-1], 2) ^ address >> 3 ^ address << 2) & 0xFF


def phase(image: list[int], seed: int) -> Iterator[list[int]]:
    """Yield the pixels that spike, tick by tick."""
    at = {p: start_phase(p) for p, value in enumerate(image) if value}
    while True:
        spikes = []
        for p, before in at.items():
            after = before + image[p]
            at[p] = after & 0xFF
            if after > 0xFF:
                spikes.append(p)
        yield spikes


def latency(levels: list[list[int]], image: list[int]) -> Iterator[list[int]]:
    """Yield the pixels that spike, tick by tick."""
    ticks: dict[int, list[int]] = {}
    for p, value in enumerate(image):
        reached = next((tick for lowest, tick in levels if value >= lowest), None)
        if reached is not None:
            ticks.setdefault(reached, []).append(p)
    t = 0
    while True:
        yield ticks.get(t, [])
        t += 1


def input_spikes(encoder: Any, image: list[int], seed: int, n_ticks: int) -> Iterator[list[int]]:
    """Yield what the encoder of a description sends in ticks 0 ... n_ticks - 1."""
    if isinstance(encoder, dict):
        return islice(latency(encoder["levels"], image), n_ticks)
    return islice({"bernoulli": bernoulli, "phase": phase}[encoder](image, seed), n_ticks)
