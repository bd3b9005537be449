# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the sample buffer."""

from __future__ import annotations

from typing import Any

import cocotb

from erbium.hdl.sample_buffer import GROUP, PixelEntry
from erbium.hdl.tokens import Begin
from erbium.verif.codecs import Packer, SampleCodec
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import STALLS, Harness


class TB:
    """Sends samples and reads the pixels that are not dark."""

    def __init__(self, dut: Any, stall: str) -> None:
        options = current().options
        self.n_inputs: int = options["n_inputs"]
        self.levels: tuple[tuple[int, int], ...] = options.get("levels", ())
        self.pixel_bits: int = options.get("pixel_bits", 8)
        self.depth = 1 << len(dut.read_address)
        self.harness = Harness(dut, stall)
        self.random = self.harness.random
        self.input = self.harness.drive("sample_i", SampleCodec().encode)
        self.entry, self.begin = Packer(PixelEntry(self.n_inputs, self.levels)), Packer(Begin())
        self.harness.set(read_address=0, read_enable=0, release=0)
        self.expected: list[tuple[dict[str, int], list[tuple[int, int]]]] = []

    def kept(self, pixel: int) -> int:
        """Return what is kept of a pixel: its value or the number of its level from 1; 0 if it cannot spike."""
        if self.pixel_bits == 4:
            pixel = pixel // 16 * 17
        if not self.levels:
            return pixel
        return next((number for number, (low, _) in enumerate(self.levels, 1) if pixel >= low), 0)

    def pixel(self) -> int:
        """Return a random pixel, often one at the edge of a level."""
        edges = [pixel for low, _ in self.levels for pixel in (max(low, 1) - 1, low)]
        return self.random.choice((0, self.random.randrange(256), *edges))

    def send(self, kind: str) -> int:
        """Send a sample; return its number of tokens."""
        before = self.input.left
        n = self.n_inputs
        image = {
            "dark": [0] * n,
            "bright": [255] * n,
            "first": [255] + [0] * (n - 1),
            "last": [0] * (n - 1) + [1],
            "some": [self.pixel() for _ in range(n)],
        }[kind]
        begin = {
            # A small seed looks like a pixel to whatever does not see that it is none.
            "seed": self.random.getrandbits(self.random.choice((32, 32, 12))),
            "label": self.random.randrange(256),
            "learn": self.random.randrange(2),
        }
        if self.random.random() < 0.3:
            # A sample that is not ended leaves nothing behind.
            self.input.send(
                ("BEGIN", 1, 2, 1), *(("PIXEL", 255, k) for k in range(self.random.randrange(n + 1)))
            )
        pixels = [("PIXEL", v, k) for k, v in enumerate(image) if self.kept(v) or self.random.random() < 0.5]
        # Pixels that the network does not have are dropped.
        beyond = [("PIXEL", 9, n), ("PIXEL", 9, (1 << 16) - 1)] if self.random.random() < 0.3 else []
        self.input.send(("BEGIN", *begin.values()), *pixels, *beyond, ("END",))
        self.expected.append((begin, [(self.kept(v), k) for k, v in enumerate(image) if self.kept(v)]))
        return self.input.left - before

    async def cycle(self, **inputs: int) -> None:
        """Do a clock with these inputs."""
        await self.harness.edge()
        self.harness.set(**inputs)
        await self.harness.settle()

    async def read(self, sample: int, *, release: bool = True) -> None:
        """Read a sample, some of it twice, and compare; release it."""
        begin, pixels = self.expected[sample]
        await self.harness.run_until(lambda: bool(self.harness.get("available")))
        groups = -(-len(pixels) // GROUP)
        start, depth = self.harness.get("start"), self.depth
        expect_equal("end", (start + 1 + groups) % depth, self.harness.get("end"), sample=sample)
        await self.cycle(read_address=start, read_enable=1)
        await self.cycle(read_enable=0)
        expect_equal("begin", begin, self.begin.unpack(self.harness.get("begin")), sample=sample)
        for group in [*range(groups), *range(groups)]:
            await self.cycle(read_address=(start + 1 + group) % depth, read_enable=1)
            await self.cycle(read_enable=0)
            bits = self.harness.get("group")
            for place in range(GROUP):
                entry = self.entry.unpack(bits >> self.entry.size * place & (1 << self.entry.size) - 1)
                at = group * GROUP + place
                if at < len(pixels):
                    expect_equal(
                        "pixel", pixels[at], (entry["value"], entry["address"]), sample=sample, token=at
                    )
                else:
                    expect_equal("value of an empty place", 0, entry["value"], sample=sample, token=at)
        if release:
            await self.cycle(release=1)
            await self.cycle(release=0)


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def samples(dut: Any, stall: str) -> None:
    """Samples back to back: dark, bright, single pixels, random ones."""
    tb = TB(dut, stall)
    await tb.harness.reset()
    kinds = ("dark", "bright", "bright", "first", "last", "dark", "some", "some", "some")
    for kind in kinds:
        tb.send(kind)
    for sample in range(len(kinds)):
        await tb.read(sample)
    await tb.harness.run_for(20)
    expect_equal("available", 0, tb.harness.get("available"))


@cocotb.test()
async def two_samples_fit(dut: Any) -> None:
    """Two samples are taken while none is read, one token per clock; the third waits."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    if 2 * (1 + -(-tb.n_inputs // GROUP)) > tb.depth:
        return
    tokens = sum([tb.send("bright") for _ in range(3)][:2])
    start = tb.harness.clocks
    await tb.harness.run_until(lambda: tb.input.sent >= tokens)
    expect_equal("clocks of two samples", tokens, tb.harness.clocks - start)
    await tb.harness.run_for(50)
    expect_equal("tokens taken", tokens, tb.input.sent)
    for sample in range(3):
        await tb.read(sample)


@cocotb.test()
async def no_waiting(dut: Any) -> None:
    """Wherever in the ring one sample is, the next one is taken, one token per clock."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    if 2 * (1 + -(-tb.n_inputs // GROUP)) > tb.depth:
        return
    tb.send("some")
    await tb.harness.run_until(lambda: not tb.input.left)
    begins = set[int]()
    while len(begins) < 100:
        begins.add(tb.harness.get("start"))
        tokens, start = (
            tb.send(tb.random.choice(("some", "some", "some", "bright", "dark"))),
            tb.harness.clocks,
        )
        await tb.harness.run_until(lambda: not tb.input.left)
        expect_equal("clocks of a sample", tokens, tb.harness.clocks - start, begins=sorted(begins))
        await tb.cycle(release=1)
        await tb.cycle(release=0)


@cocotb.test()
async def a_full_ring(dut: Any) -> None:
    """A sample that finds no room waits in the middle, and nothing of it is lost."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    for _ in range(8):
        tb.send("bright")
    await tb.harness.run_for(3 * tb.n_inputs)
    for sample in range(8):
        await tb.read(sample)


@cocotb.test()
async def around(dut: Any) -> None:
    """The ring comes around, and a sample is released in the very clock in which another one ends."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    words, kind = 1 + -(-tb.n_inputs // GROUP), "bright"
    if 2 * words > tb.depth:
        words, kind = 2, "first"
    n_samples = 2 * tb.depth // words + 2
    tb.send(kind)
    for sample in range(n_samples):
        # All of the next one is sent but its END, which is then taken along with the release of this one.
        tb.send(kind)
        await tb.read(sample, release=False)
        while tb.input.left > 1:
            await tb.cycle()
        await tb.cycle(release=1)
        await tb.cycle(release=0)
    await tb.read(n_samples)
