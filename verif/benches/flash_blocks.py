# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the block reader; what is right says :func:`zlib.crc32`."""

from __future__ import annotations

from typing import Any

import cocotb

from erbium.gen.flash_image import block
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import STALLS, Harness


class TB:
    """Sends blocks, some of them damaged, and reads those that are there."""

    def __init__(self, dut: Any, stall: str) -> None:
        self.most: int = current().options["max_length"]
        self.harness = Harness(dut, stall)
        self.random = self.harness.random
        self.input = self.harness.drive("byte_i")
        self.harness.set(restart=0, fetch=0, address=0, release=0)
        self.begun = self.harness.tally("begins")

    def payload(self) -> bytes:
        """Return some bytes."""
        length = self.random.choice((1, 2, self.most, self.random.randint(1, self.most)))
        return self.random.randbytes(min(length, self.most))

    async def check(self, payload: bytes, *, good: bool = True) -> None:
        """Wait for a block, compare all of it, and release it."""
        for _ in range(40 * (len(payload) + 8) * 20):
            if self.harness.get("available"):
                break
            await self.harness.clock()
        get = self.harness.get
        expect_equal("available", 1, get("available"))
        expect_equal(
            "good, fits and length", (int(good), 1, len(payload)), (get("good"), get("fits"), get("length"))
        )
        places = list(range(len(payload)))
        self.random.shuffle(places)
        for place in places if good else []:
            await self.set(address=place)
            await self.harness.clock()
            expect_equal("byte", payload[place], get("data_o"), place=place)
        await self.pulse("release")

    async def set(self, **values: int) -> None:
        """Set inputs, from a clock on that is looked at."""
        await self.harness.edge()
        self.harness.set(**values)
        await self.harness.settle()

    async def pulse(self, name: str) -> None:
        """Set an input for a clock."""
        await self.set(**{name: 1})
        await self.set(**{name: 0})


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def blocks(dut: Any, stall: str) -> None:
    """Blocks of all lengths, with a wrong bit anywhere in every third one."""
    tb = TB(dut, stall)
    await tb.harness.reset()
    await tb.set(fetch=1)
    sent = []
    for number in range(14):
        payload, good = tb.payload(), number % 3 != 2
        octets = bytearray(block(payload))
        if not good:
            # Not in the length: where the next block begins would not be known.
            octets[tb.random.randrange(2, len(octets))] ^= 1 << tb.random.randrange(8)
        tb.input.send(*octets)
        sent.append((payload, good))
    for payload, good in sent:
        await tb.check(payload, good=good)
    await tb.harness.run_for(20)
    expect_equal("available", 0, tb.harness.get("available"))
    expect_equal("blocks begun", len(sent) + 1, tb.begun.total)


@cocotb.test()
async def two_are_kept(dut: Any) -> None:
    """Of three blocks two are read, and the third one when the first was released; none without `fetch`."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    payloads = [tb.payload() for _ in range(3)]
    for payload in payloads:
        tb.input.send(*block(payload))
    await tb.harness.run_for(50)
    expect_equal("blocks begun without fetch", 0, tb.begun.total)
    expect_equal("resting", 1, tb.harness.get("resting"))
    await tb.set(fetch=1)
    await tb.harness.run_for(8 * (sum(map(len, payloads)) + 40))
    expect_equal("blocks begun", 2, tb.begun.total)
    expect_equal("bytes left", len(block(payloads[2])), tb.input.left)
    for payload in payloads:
        await tb.check(payload)


@cocotb.test()
async def lengths_that_do_not_fit(dut: Any) -> None:
    """A length of 0 or beyond the largest is told, nothing is read after it, and a restart begins anew."""
    tb = TB(dut, "0.3")
    await tb.harness.reset()
    await tb.set(fetch=1)
    for length in (0, tb.most + 1, 0xFFFF):
        tb.input.send(*length.to_bytes(2, "little"), *bytes(30))
        await tb.harness.run_for(200)
        get = tb.harness.get
        expect_equal("available, fits, good", (1, 0, 0), (get("available"), get("fits"), get("good")))
        expect_equal("length", length, get("length"))
        expect_equal("bytes left", 30, tb.input.left)
        tb.input.clear()
        await tb.pulse("restart")
        payload = tb.payload()
        tb.input.send(*block(payload))
        await tb.check(payload)
        await tb.pulse("restart")


@cocotb.test()
async def a_restart_anywhere(dut: Any) -> None:
    """A restart in the middle of a block forgets it, and those before it."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    await tb.set(fetch=1)
    for _ in range(15):
        payload = tb.payload()
        tb.input.send(*block(tb.payload()), *block(tb.payload()))
        await tb.harness.run_for(tb.random.randrange(300))
        tb.input.clear()
        await tb.pulse("restart")
        expect_equal("available", 0, tb.harness.get("available"))
        tb.input.send(*block(payload))
        await tb.check(payload)
