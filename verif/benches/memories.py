# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the memories: word files, ROMs and the synapse memory."""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb

from erbium.hdl.synapse_memory import address_copies, keeps_pairs
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import Harness


class TB:
    """A memory beside a list of numbers."""

    def __init__(self, dut: Any) -> None:
        self.case = current()
        self.options = self.case.options
        self.kind: str = self.case.stimuli["kind"]
        self.harness = Harness(dut)
        self.pairs, self.copies = False, 1
        self.random = self.harness.random
        if self.kind == "rom":
            self.contents: list[int] = list(self.options["words"])
            self.latency = 1
        else:
            self.contents = [0] * self.options["depth"]
            self.latency = self.case.stimuli["latency"]
            self.width: int = self.options["width"]
            kind: str = self.options.get("kind", "generic")
            self.pairs = kind == "spram" and keeps_pairs(self.width)
            if self.kind == "synapses":
                self.copies = address_copies(self.options["depth"], self.width, kind)
            self.harness.set(read_address=0, read_enable=0, write_address=0, write_enable=0, write_data=0)
            if self.kind == "file":
                self.harness.set(read_clear=0)
            if self.options.get("two_reads"):
                self.harness.set(second_enable=0)

    async def cycle(self, **inputs: int) -> None:
        """Do a clock with these inputs; the outputs can be read then."""
        address_width = (len(self.contents) - 1).bit_length()
        for name, value in inputs.items():
            width = address_width if name.endswith("address") else 1
            if self.copies > 1 and not name.endswith("data"):
                inputs[name] = sum(value << (width * copy) for copy in range(self.copies))
        await self.harness.edge()
        self.harness.set(**inputs)
        await self.harness.settle()

    async def fill(self) -> None:
        """Write every word once."""
        for address in range(len(self.contents)):
            self.contents[address] = self.random.getrandbits(self.width)
            await self.cycle(write_enable=1, write_address=address, write_data=self.contents[address])
        await self.cycle(write_enable=0)


@cocotb.test()
async def words(dut: Any) -> None:
    """Random reads and writes; what is read was in the memory when its address was given, and stays until the next."""
    tb = TB(dut)
    if tb.pairs:
        return
    await tb.harness.reset()
    if tb.kind != "rom":
        await tb.fill()
    expected: deque[int | None] = deque([None] * tb.latency)
    # Registers of a word file may be written where they are read; memories may not.
    may_collide = tb.kind == "file" and tb.latency < 2 and not tb.case.stimuli.get("collides")
    one_port = tb.case.stimuli.get("ports") == 1
    held: int | None = None
    for clock in range(2000):
        read = tb.random.randrange(len(tb.contents))
        if tb.kind == "rom":
            enable = True
            await tb.cycle(address=read)
            expected.append(tb.contents[read])
        else:
            enable, write_enable = tb.random.random() < 0.7, tb.random.random() < 0.6
            write, data = tb.random.randrange(len(tb.contents)), tb.random.getrandbits(tb.width)
            if enable and not may_collide and (write == read or one_port):
                write_enable = False
            clear = tb.kind == "file" and tb.random.random() < 0.2
            await tb.cycle(
                read_address=read,
                read_enable=int(enable),
                write_address=write,
                write_enable=int(write_enable),
                write_data=data,
                **({"read_clear": int(clear)} if tb.kind == "file" else {}),
            )
            expected.append((0 if clear else tb.contents[read]) if enable else None)
            if write_enable:
                # A file of one word shows what was written last.
                tb.contents[write] = data
        due = expected.popleft()
        # A register that shows its own contents has nothing that could stay, nor has the choice of a bank.
        stays = tb.latency > 0 and tb.options.get("kind") != "ecp5"
        held = due if due is not None or not stays else held
        if held is not None:
            got = tb.harness.get("data" if tb.kind == "rom" else "read_data")
            expect_equal("read data", held, got, clock=clock)
    if tb.kind == "synapses":
        expect_equal("collision", 0, tb.harness.get("collision"))


@cocotb.test()
async def a_reset_drops_reads(dut: Any) -> None:
    """What was read last stays through a reset, which drops the reads that do not come with the next clock."""
    tb = TB(dut)
    await tb.harness.reset()
    if tb.kind != "synapses" or tb.options.get("kind", "generic") != "generic":
        return
    await tb.fill()
    first, second = 1, 2
    for clocks in range(tb.latency):
        await tb.cycle(read_enable=1, read_address=first)
        for _ in range(tb.latency):
            await tb.cycle(read_enable=0)
        await tb.cycle(read_enable=1, read_address=second)
        for _ in range(clocks):
            await tb.cycle(read_enable=0)
        await tb.cycle(read_enable=0, rst=1)
        await tb.cycle(rst=0)
        comes = clocks >= tb.latency - 2
        for _ in range(2 * tb.latency):
            await tb.cycle()
            held = tb.contents[second if comes else first]
            expect_equal("read data", held, tb.harness.get("read_data"), clocks=clocks)


@cocotb.test()
async def two_reads(dut: Any) -> None:
    """A second word is read at the address of the writes in clocks without one, and both reads may be of one word."""
    tb = TB(dut)
    # Two tests in a row that end before a first clock leave a simulation that Verilator cannot end.
    await tb.harness.reset()
    if not tb.options.get("two_reads"):
        return
    await tb.fill()
    expected: deque[tuple[int | None, int | None]] = deque([(None, None)] * tb.latency)
    for clock in range(2000):
        first, second = (tb.random.randrange(len(tb.contents)) for _ in range(2))
        if tb.random.random() < 0.1:
            second = first
        kind = tb.random.choice(("write", "read", "neither"))
        reads = tb.random.random() < 0.7 and not (kind == "write" and first == second)
        data = tb.random.getrandbits(tb.width)
        await tb.cycle(
            read_address=first,
            read_enable=int(reads),
            write_address=second,
            write_enable=int(kind == "write"),
            second_enable=int(kind == "read"),
            write_data=data,
        )
        expected.append(
            (
                tb.contents[first] if reads else None,
                tb.contents[second] if kind == "read" else None,
            )
        )
        if kind == "write":
            tb.contents[second] = data
        for name, value in zip(("read_data", "second_data"), expected.popleft(), strict=True):
            if value is not None:
                expect_equal(name, value, tb.harness.get(name), clock=clock)
    expect_equal("collision", 0, tb.harness.get("collision"))


@cocotb.test()
async def pairs(dut: Any) -> None:
    """Words that lie in pairs: of one pair both words or one are read, while those of another one are written."""
    tb = TB(dut)
    await tb.harness.reset()
    if not tb.pairs:
        return
    await tb.fill()
    expected: deque[int | None] = deque([None] * tb.latency)
    for clock in range(0, 3000, 2):
        read, write = (2 * tb.random.randrange(len(tb.contents) // 2) for _ in range(2))
        reads, writes = (tb.random.choice(((), (0,), (1,), (0, 1))) for _ in range(2))
        data = [tb.random.getrandbits(tb.width) for _ in range(2)]
        # An access to read in each first clock and one to write in each second: the even word waits for it.
        alone = reads == (1,)
        for place in range(2):
            wanted = place in reads if not alone else place == 0
            word = read + (place or alone)
            expected.append(tb.contents[word] if wanted else None)
            await tb.cycle(
                read_address=word,
                read_enable=int(wanted),
                write_address=write + (place and 1 in writes),
                write_enable=int(place in writes),
                write_data=data[place],
            )
            held = expected.popleft()
            if held is not None:
                expect_equal("read data", held, tb.harness.get("read_data"), clock=clock + place)
        for place in writes:
            tb.contents[write + place] = data[place]
    expect_equal("collision", 0, tb.harness.get("collision"))


@cocotb.test()
async def collision(dut: Any) -> None:
    """A read that meets a write is reported, for good, until a reset."""
    tb = TB(dut)
    await tb.harness.reset()
    if tb.kind != "synapses":
        return
    await tb.fill()
    harmless = [(1, 0, 1), (0, 1, 1), (0, 0, 1)]
    if tb.case.stimuli.get("ports") != 1:
        harmless.append((1, 1, 2))
    for read_enable, write_enable, write in harmless:
        await tb.cycle(
            read_enable=read_enable, read_address=1, write_enable=write_enable, write_address=write
        )
    await tb.cycle(read_enable=0, write_enable=0)
    expect_equal("collision before there was one", 0, tb.harness.get("collision"))
    await tb.cycle(read_enable=1, read_address=1, write_enable=1, write_address=1)
    for _ in range(20):
        await tb.cycle(read_enable=0, write_enable=0)
        expect_equal("collision", 1, tb.harness.get("collision"))
    await tb.harness.reset()
    await tb.cycle()
    expect_equal("collision after a reset", 0, tb.harness.get("collision"))
