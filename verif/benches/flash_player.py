# SPDX-License-Identifier: BSD-2-Clause
"""Bench of what plays a block as a sample; right is what writes the blocks, and the model that moves images."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from erbium.gen.flash_image import sample_payload
from erbium.hdl.flash.layout import PixelKind
from erbium.hdl.flash.sample_draw import Draw
from erbium.sw_model.datasets import shift_images
from erbium.verif.codecs import Packer, SampleCodec, Token
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import STALLS, Harness


class TB:
    """Plays blocks, as whoever has read them."""

    def __init__(self, dut: Any, stall: str) -> None:
        case = current()
        self.n_inputs: int = case.options["n_inputs"]
        self.n_classes: int = case.options["n_classes"]
        self.height, self.width = case.stimuli["size"]
        self.harness = Harness(dut, stall)
        self.random = self.harness.random
        self.codec = SampleCodec()
        self.draws = self.harness.drive("draw_i", Packer(Draw()).pack)
        self.tokens: list[int] = []
        self.harness.monitor("sample_o", self.take)
        self.payload = b""
        self.asked = 0
        self.harness.set(play=0, length=0, data_i=0, pixels=0, learn=0, height=self.height, width=self.width)
        self.ended = self.failed = 0

    def take(self, token: int) -> int:
        """Take a token."""
        self.tokens.append(token)
        return 1

    async def clock(self) -> bool:
        """Do a clock, with the byte of the address of the clock before."""
        await self.harness.edge()
        address = self.asked
        inside = address < len(self.payload)
        self.harness.set(data_i=self.payload[address] if inside else self.random.randrange(256))
        moved = await self.harness.settle()
        self.asked = self.harness.get("address")
        self.ended |= self.harness.get("done")
        self.failed |= self.harness.get("wrong")
        return moved

    def image(self, kind: str) -> Any:
        """Return an image."""
        image = np.zeros(self.n_inputs, np.uint8)
        if kind == "bright":
            image[:] = 255
        elif kind == "some":
            image[:] = [self.random.choice((0, 0, self.random.randrange(256))) for _ in image]
        elif kind == "corners":
            image[[0, self.width - 1, -self.width, -1]] = 255
        return image

    async def play(
        self, kind: PixelKind, payload: bytes, image: Any, label: int, *, shift: int, right: bool
    ) -> None:
        """Play a block, and expect a sample; or, if it is not right, that this is told and no sample ends."""
        seed, learn = self.random.getrandbits(32), self.random.randrange(2)
        down, across = (self.random.randint(-shift, shift) for _ in range(2))
        moved, rest = image[None], (down, across)
        for _ in range(shift):
            step = [int(np.sign(one)) for one in rest]
            moved = shift_images(moved, self.height, self.width, *(np.array([one]) for one in step))
            rest = (rest[0] - step[0], rest[1] - step[1])
        self.payload = payload
        self.tokens.clear()
        tokens: list[Token] = [("BEGIN", seed, label, learn)]
        tokens += [("PIXEL", int(value), place) for place, value in enumerate(moved[0]) if value]
        tokens.append(("END",))
        self.draws.send({"seed": seed, "down": down, "right": across})
        self.ended = self.failed = 0
        self.harness.set(play=1, length=len(payload), pixels=kind, learn=learn)
        for _ in range(40 * (len(payload) + self.n_inputs + 20)):
            await self.clock()
            if self.ended or self.failed:
                break
        expect_equal(
            "done and wrong", (int(right), int(not right)), (self.ended, self.failed), payload=payload.hex()
        )
        end = self.codec.encode(("END",))
        if right:
            expect_equal("label", label, self.harness.get("label"))
            expect_equal("draws left", 0, self.draws.left)
            expect_equal("tokens", [self.codec.encode(token) for token in tokens], self.tokens)
        elif end in self.tokens:
            expect_equal("END of a wrong block", "none", "one", payload=payload.hex())
        self.harness.set(play=0)
        await self.clock()
        await self.clock()
        self.draws.clear()


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def samples(dut: Any, stall: str) -> None:
    """Dark, bright and other images, as bits and as runs, moved by up to 0, 1 and 4 pixels."""
    tb = TB(dut, stall)
    await tb.harness.reset()
    for kind in PixelKind:
        for name in ("some", "dark", "bright", "corners", "some"):
            for shift in (0, 1, 4):
                image = tb.image(name)
                if kind is PixelKind.BITS:
                    image[:] = np.where(image > 0, 255, 0)
                label = tb.random.randrange(tb.n_classes)
                payload = sample_payload(image, label, kind)
                await tb.play(kind, payload, image, label, shift=shift, right=True)


@cocotb.test()
async def wrong_blocks(dut: Any) -> None:
    """Labels that are no class, and more or fewer pixels than there are; a right block after each."""
    tb = TB(dut, "0.3")
    await tb.harness.reset()
    n = tb.n_inputs
    image = tb.image("bright")
    bits, runs = (sample_payload(image, 0, kind) for kind in PixelKind)
    wrong = [
        (PixelKind.BITS, bytes([tb.n_classes]) + bits[1:]),
        (PixelKind.BITS, bytes([255]) + bits[1:]),
        (PixelKind.BITS, bits[:-1]),
        (PixelKind.BITS, bits + b"\0"),
        (PixelKind.RUNS, bytes([tb.n_classes]) + runs[1:]),
        (PixelKind.RUNS, runs[:-1]),
        (PixelKind.RUNS, runs + b"\x00"),
        (PixelKind.RUNS, runs + b"\x80\x01"),
        (PixelKind.RUNS, bytes([0] + [127] * (n // 128 + 1))),
        (PixelKind.RUNS, b"\0\xff\1"),
    ]
    for kind, payload in wrong:
        await tb.play(kind, payload, image, 0, shift=1, right=False)
        await tb.play(PixelKind.RUNS, runs, image, 0, shift=1, right=True)
