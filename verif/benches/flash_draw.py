# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the seeds and shifts of samples; they are those of :mod:`erbium.sw_model.constants`."""

from __future__ import annotations

from typing import Any

import cocotb

from erbium.hdl.flash.sample_draw import Draw
from erbium.sw_model import constants
from erbium.verif.codecs import Packer, Token
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import STALLS, Harness

SEED_CLOCKS, SHIFT_CLOCKS = 134, 160
"""Of a draw, at most."""


class TB:
    """Sends numbers of samples."""

    def __init__(self, dut: Any, stall: str) -> None:
        self.harness = Harness(dut, stall)
        self.random = self.harness.random
        self.packer = Packer(Draw())
        self.input = self.harness.drive("number_i")
        self.output = self.harness.check("draw_o", self.decode)

    def decode(self, bits: int) -> Token:
        """Return a draw."""
        fields = self.packer.unpack(bits)
        return (fields["seed"], fields["down"], fields["right"])

    def set(self, seed: int, shift: int, *, learn: bool) -> None:
        """Set what a pass says."""
        self.seed, self.shift, self.learn = seed, shift, learn
        self.harness.set(
            seed_state=constants.sample_seed_state(seed, learn),
            shift_state=constants.image_shift_state(seed),
            shift=shift,
        )

    def send(self, number: int) -> None:
        """Send a number, and expect its draw."""
        seed = int(constants.sample_seeds(self.seed, self.learn, number, 1)[0])
        down, right = (int(values[0]) for values in constants.image_shifts(self.seed, number, 1, self.shift))
        self.input.send(number)
        self.harness.board.channel("draw_o").expect((seed, down, right), number=number)


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def draws(dut: Any, stall: str) -> None:
    """Numbers small and large, learned and not, moved by up to 0 to 4 pixels, with seeds of networks of any size."""
    tb = TB(dut, stall)
    await tb.harness.reset()
    for shift in (1, 0, 2, 3, 4):
        tb.set(tb.random.choice((1, 2, tb.random.getrandbits(60))), shift, learn=bool(tb.random.randrange(2)))
        for number in (0, 1, 2, (1 << 32) - 1, tb.random.getrandbits(32), tb.random.randrange(100_000)):
            tb.send(number)
        await tb.harness.finish()


@cocotb.test()
async def throughput(dut: Any) -> None:
    """A draw takes as many clocks as is said."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    for shift, most in ((0, SEED_CLOCKS + 4), (1, SEED_CLOCKS + SHIFT_CLOCKS + 4)):
        tb.set(1, shift, learn=True)
        for number in range(3):
            tb.send(number)
        await tb.harness.finish()
        clocks = tb.output.clocks[-1] - tb.output.clocks[-2]
        if clocks > most:
            expect_equal("clocks of a draw, at most", most, clocks)
