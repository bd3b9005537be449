# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the random number generators."""

from __future__ import annotations

from typing import Any

import cocotb

from erbium.sw_model import rng
from erbium.verif.codecs import signed
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import Harness

NOISE_WIDTH = 11


class TB:
    """A generator, or a bank of them, beside its model."""

    def __init__(self, dut: Any) -> None:
        self.options = current().options
        self.harness = Harness(dut)
        self.random = self.harness.random
        self.model = rng.Generator(self.options["salt"])

    def seed(self) -> int:
        """Return a seed; among them those with which the sum of seed and salt wraps to 0 and 1."""
        wraps = -self.options["salt"] & rng.MASK32
        return self.random.choice(
            (0, 1, rng.MASK32, wraps, wraps + 1 & rng.MASK32, self.random.getrandbits(32))
        )

    async def cycle(self, **inputs: int) -> None:
        """Do a clock with these inputs; the outputs can be read then."""
        await self.harness.edge()
        self.harness.set(**inputs)
        await self.harness.settle()


@cocotb.test()
async def numbers(dut: Any) -> None:
    """Loads and draws in any order."""
    tb = TB(dut)
    options = tb.options
    bank = "lanes" in options
    tb.harness.set(load=0, advance=0, seed=0, **({"last": 0} if bank else {}))
    await tb.harness.reset()
    if bank:
        await _noise(tb, options["lanes"], options["n_neurons"])
    else:
        await _draws(tb)


async def _draws(tb: TB) -> None:
    expected = 0
    for clock in range(3000):
        load, advance = tb.random.random() < 0.02, tb.random.random() < 0.7
        seed = tb.seed()
        await tb.cycle(seed=seed, load=int(load), advance=int(advance))
        expect_equal("value", expected, tb.harness.get("value"), clock=clock)
        if load:
            tb.model.seed(seed)
            expected = tb.model.state
        elif advance and expected:
            expected = tb.model.draw()


async def _noise(tb: TB, lanes: int, n_neurons: int) -> None:
    for sample in range(8):
        seed = tb.seed()
        tb.model.seed(seed)
        await tb.cycle(seed=seed, load=1, advance=tb.random.randrange(2), last=0)
        for tick in range(10):
            for base in range(0, n_neurons, lanes):
                while tb.random.random() < 0.3:
                    await tb.cycle(seed=tb.seed(), load=0, advance=0, last=tb.random.randrange(2))
                last = base + lanes >= n_neurons
                await tb.cycle(load=0, advance=1, last=int(last))
                noise = tb.harness.get("noise")
                for lane in range(min(lanes, n_neurons - base)):
                    got = signed(noise >> NOISE_WIDTH * lane & (1 << NOISE_WIDTH) - 1, NOISE_WIDTH)
                    expect_equal("noise", tb.model.noise(), got, sample=sample, tick=tick, neuron=base + lane)
