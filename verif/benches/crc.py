# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the CRC; the model is :func:`zlib.crc32`."""

from __future__ import annotations

import zlib
from typing import Any

import cocotb

from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import Harness

CLOCKS = 4  # per byte


class TB:
    """Gives bytes as soon as they can be taken, or later."""

    def __init__(self, dut: Any) -> None:
        self.harness = Harness(dut)
        self.random = self.harness.random
        self.harness.set(start=0, valid=0, data=0, append=0)

    async def clock(self, **inputs: int) -> None:
        """Do a clock with these inputs."""
        await self.harness.edge()
        self.harness.set(**{"start": 0, "valid": 0, "data": self.random.randrange(256), "append": 0} | inputs)
        await self.harness.settle()

    async def give(self, octets: bytes, append: int = 0) -> None:
        """Give bytes, and wait until they are in the CRC."""
        for octet in octets:
            for clock in range(CLOCKS):
                await self.clock(valid=1, data=octet, append=append)
                expect_equal("first", int(clock == 0), self.harness.get("first"))
                expect_equal("ready", int(clock == CLOCKS - 1), self.harness.get("ready"))
                if self.random.random() < 0.1:
                    await self.clock(data=octet)
                    expect_equal("ready", 0, self.harness.get("ready"))
            for _ in range(self.random.choice((1, 1, 1, 5))):
                await self.clock()


@cocotb.test()
async def messages(dut: Any) -> None:
    """The CRC behind every byte; whether the last four bytes were the CRC; a start at any time."""
    tb = TB(dut)
    await tb.harness.reset()
    await tb.clock()
    for number in range(60):
        message = tb.random.randbytes(tb.random.choice((1, 2, 5, 40)))
        for place in range(len(message)):
            await tb.give(message[place : place + 1])
            expect_equal("crc", zlib.crc32(message[: place + 1]), tb.harness.get("crc"), message=number)
        crc = bytearray(zlib.crc32(message).to_bytes(4, "little"))
        if number % 4 == 0:
            for place, byte in enumerate(crc):
                expect_equal("lowest byte", byte, tb.harness.get("crc") & 0xFF, message=number, place=place)
                await tb.give(tb.random.randbytes(1), append=1)
        else:
            wrong = number % 3 == 0
            if wrong:
                crc[tb.random.randrange(4)] ^= 1 << tb.random.randrange(8)
            await tb.give(bytes(crc))
            expect_equal("match_detected", int(not wrong), tb.harness.get("match_detected"), message=number)
        await tb.clock(start=1)
        await tb.clock()
        expect_equal("crc at the start", 0, tb.harness.get("crc"))
