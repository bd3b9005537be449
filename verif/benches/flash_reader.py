# SPDX-License-Identifier: BSD-2-Clause
"""Bench of what reads a flash; the flash is that of cocotbext-qspi, which knows JEDEC's commands."""

from __future__ import annotations

from typing import Any

import cocotb

from erbium.hdl.flash.reader import READ_COMMANDS, REST
from erbium.verif.flash_model import FLASH_OCTETS, write_flash
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import STALLS, Harness


class TB:
    """Asks for addresses, and takes bytes as it likes."""

    def __init__(self, dut: Any, stall: str) -> None:
        self.dut = dut
        self.command = READ_COMMANDS[current().options["lanes"]]
        self.harness = Harness(dut, stall)
        self.random = self.harness.random
        self.addresses = self.harness.drive("address_i")
        self.bytes: list[int] = []
        self.output = self.harness.monitor("byte_o", self.take)
        self.octets = bytes(self.random.randrange(256) for _ in range(700))
        self.at = FLASH_OCTETS - 500
        self.harness.watch(self.watch)
        self.clock = self.selected = 0

    def take(self, octet: int) -> int:
        """Take a byte."""
        self.bytes.append(octet)
        return 1

    def watch(self) -> None:
        """The clock rests while the flash is not selected."""
        clock, selected = self.harness.get("clock"), self.harness.get("select")
        expect_equal("clock of a flash that is not selected", 0, clock & ~selected)
        self.clock, self.selected = clock, selected

    async def begin(self) -> None:
        """Reset, and fill the flash: its last bytes, and its first ones, to which addresses wrap around."""
        await self.harness.reset()
        rest = FLASH_OCTETS - self.at
        write_flash(self.dut, self.at, self.octets[:rest])
        write_flash(self.dut, 0, self.octets[rest:])

    async def read(self, place: int, count: int) -> None:
        """Read so many bytes from a place on, and compare them."""
        # What was read before and not taken is dropped.
        self.addresses.send((self.at + place) % FLASH_OCTETS)
        sent = self.addresses.sent
        while self.addresses.sent == sent:
            self.output.clear()
            await self.harness.clock()
        self.bytes.clear()
        await self.harness.run_until(lambda: len(self.bytes) >= count)
        expect_equal(
            "bytes", self.octets[place : place + count].hex(), bytes(self.bytes[:count]).hex(), place=place
        )


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def reads(dut: Any, stall: str) -> None:
    """Reads from any address on, of any length, one after the other, while bytes are taken at random."""
    tb = TB(dut, stall)
    await tb.begin()
    for count in (1, 3, 40, 2, 1, 17):
        await tb.read(tb.random.randrange(600), count)
        await tb.harness.run_for(tb.random.choice((0, 1, 7, 90)))
    await tb.read(490, 20)


@cocotb.test()
async def a_reset(dut: Any) -> None:
    """A reset in the middle of anything leaves a flash that is read as before."""
    tb = TB(dut, "0")
    await tb.begin()
    for number in range(12):
        tb.addresses.send(tb.at)
        await tb.harness.run_for(tb.random.randrange(200))
        tb.harness.clear()
        await tb.harness.reset()
        await tb.read(5 * number, 4)


@cocotb.test()
async def throughput(dut: Any) -> None:
    """A byte takes 16 clocks on one wire, 8 on two, 4 on four; and an address as long as is said."""
    tb = TB(dut, "0")
    await tb.begin()
    await tb.read(0, 3)
    start = tb.harness.clocks
    await tb.read(100, 20)
    clocks = tb.output.clocks[-20:]
    each = 16 // tb.command.lanes
    expect_equal("clocks of 19 bytes", 19 * each, clocks[-1] - clocks[0])
    most = REST + 2 * (8 + 32 // tb.command.lanes + tb.command.dummy) + 8 + each
    if not 0 < clocks[0] - start <= most + each:
        expect_equal("clocks to the first byte, at most", most, clocks[0] - start)
