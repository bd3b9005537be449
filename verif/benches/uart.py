# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the serial line."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import cocotb

from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import STALLS, Harness

BITS = 10


def levels_of(byte: int, *, stop: int = 1) -> list[int]:
    """Return the bits of a byte on the line."""
    return [0, *(byte >> k & 1 for k in range(8)), stop]


class Line:
    """A line that changes at real times, in clocks, as a sender with a clock of its own drives it."""

    def __init__(self) -> None:
        self._edges: list[tuple[float, int]] = []
        self.end = 0.0

    def hold(self, level: int, clocks: float) -> None:
        """Stay at a level."""
        self._edges.append((self.end, level))
        self.end += clocks

    def byte(self, byte: int, period: float, *, stop: int = 1) -> None:
        """Send a byte."""
        for level in levels_of(byte, stop=stop):
            self.hold(level, period)

    def samples(self) -> list[int]:
        """Return the level at each clock."""
        times = iter([*self._edges, (math.inf, 1)])
        level, samples = 1, []
        time, following = next(times)
        for clock in range(math.ceil(self.end)):
            while time <= clock:
                level = following
                time, following = next(times)
            samples.append(level)
        return samples


class TB:
    """A receiver and a line into it, or a transmitter and a line out of it."""

    def __init__(self, dut: Any, stall: str) -> None:
        options = current().options
        self.bit = Fraction(options["clock_frequency"], options["baud_rate"])
        self.is_receiver = hasattr(dut, "rx")
        self.harness = Harness(dut, stall)
        self.random = self.harness.random
        self.n_bytes = max(8, int(4000 / (BITS * self.bit)))
        self.errors = {"framing_error": 0, "overrun": 0}
        if self.is_receiver:
            self.harness.set(rx=1)
            self.harness.check("byte_o", int)
            self.expected = self.harness.board.channel("byte_o")
        else:
            self.input = self.harness.drive("byte_i")

    def bytes(self) -> list[int]:
        """Return random bytes, some of them with few edges."""
        few = (0x00, 0xFF, 0x80, 0x01, 0x55, 0xAA, 0xFE, 0x7F)
        return [
            self.random.choice(few) if self.random.random() < 0.5 else self.random.randrange(256)
            for _ in range(self.n_bytes)
        ]

    async def play(self, samples: list[int]) -> None:
        """Drive the line, one level per clock."""
        for level in samples:
            await self.harness.edge()
            self.harness.set(rx=level)
            await self.harness.settle()
            for name in self.errors:
                self.errors[name] += self.harness.get(name)

    async def finish(self, **errors: int) -> None:
        """Let the line rest; compare what came and the number of errors."""
        await self.play([1] * math.ceil(2 * BITS * self.bit))
        await self.harness.finish()
        for name, number in self.errors.items():
            expect_equal(f"clocks with {name}", errors.get(name, 0), number)


@cocotb.test()
@cocotb.parametrize(mismatch=(-0.02, 0.0, 0.02), stall=("0", "0.3"))
async def received(dut: Any, mismatch: float, stall: str) -> None:
    """Bytes with and without pauses from a sender whose clock is off, at any phase (receiver only)."""
    tb = TB(dut, stall)
    await tb.harness.reset()
    if not tb.is_receiver:
        return
    line = Line()
    for byte in tb.bytes():
        if tb.random.random() < 0.3:
            line.hold(1, tb.random.random() * 3 * float(tb.bit))
        line.byte(byte, float(tb.bit) * (1 + mismatch))
        tb.expected.expect(byte)
    await tb.play(line.samples())
    await tb.finish()


@cocotb.test()
async def glitches(dut: Any) -> None:
    """Single clocks at the wrong level away from edges, and start bits that are too short (receiver only)."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    if not tb.is_receiver:
        return
    line = Line()
    line.hold(1, 20)
    for byte in tb.bytes():
        line.byte(byte, float(tb.bit))
        line.hold(1, tb.random.randrange(5, 30))
        tb.expected.expect(byte)
        # A start bit counts if the line is low in its middle; the next one is looked for only from there on.
        half = math.ceil(tb.bit / 2)
        line.hold(0, tb.random.randrange(half - 1))
        line.hold(1, half + 10)
    samples = line.samples()
    clean, clock = list(samples), 4
    while clock < len(samples) - 4:
        around = clean[clock - 3 : clock + 4]
        if len(set(around)) == 1 and tb.random.random() < 0.7:
            samples[clock] ^= 1
            clock += 3
        clock += 1
    assert samples != clean
    await tb.play(samples)
    await tb.finish()


@cocotb.test()
async def no_stop_bit(dut: Any) -> None:
    """Bytes without a stop bit and breaks are dropped and told, once each (receiver only)."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    if not tb.is_receiver:
        return
    line, period = Line(), float(tb.bit)
    for number, byte in enumerate(tb.bytes()[:24]):
        line.byte(byte, period)
        tb.expected.expect(byte)
        if number % 2:
            line.byte(byte, period, stop=0)
        else:
            line.hold(0, (BITS + tb.random.random() * 30) * period)
        line.hold(1, period)
    await tb.play(line.samples())
    await tb.finish(framing_error=len(tb.bytes()[:24]))


@cocotb.test()
async def overruns(dut: Any) -> None:
    """A byte that is not taken stays, and those behind it are dropped and told (receiver only)."""
    tb = TB(dut, "1")
    await tb.harness.reset()
    if not tb.is_receiver:
        return
    line = Line()
    for byte in (0x12, 0x34, 0x56):
        line.byte(byte, float(tb.bit))
    line.hold(1, 10)
    await tb.play(line.samples())
    expect_equal("byte_o_valid", 1, tb.harness.get("byte_o_valid"))
    expect_equal("byte_o_payload", 0x12, tb.harness.get("byte_o_payload"))
    for name, number in (("framing_error", 0), ("overrun", 2)):
        expect_equal(f"clocks with {name}", number, tb.errors[name])


class Sent:
    """What the line of a transmitter should do: edges at whole clocks, a fraction rounded up."""

    def __init__(self, bit: Fraction) -> None:
        self.period = Fraction(round(bit * 64), 64)
        assert abs(self.period / bit - 1) <= Fraction(2, 1000)
        self._start, self._first = 0, -BITS
        self._levels = [1] * BITS

    def _edge(self, bit: int) -> int:
        return self._start + math.ceil((self._first + bit) * self.period)

    def take(self, clock: int, byte: int) -> None:
        """Note that a byte was taken in a clock."""
        if self._edge(BITS) == clock + 1:
            self._first += BITS
        else:
            self._start, self._first = clock + 1, 0
        self._levels = levels_of(byte)

    def at(self, clock: int) -> tuple[int, bool]:
        """Return the level in a clock, and whether a byte may be taken in it."""
        bit = max((k for k in range(BITS) if self._edge(k) <= clock), default=0)
        return self._levels[bit], clock >= self._edge(BITS) - 1


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def transmitted(dut: Any, stall: str) -> None:
    """Every level of the line in every clock (transmitter only)."""
    tb = TB(dut, stall)
    await tb.harness.reset()
    if tb.is_receiver:
        return
    planned = tb.bytes()
    tb.input.send(*planned)
    sent, taken, runs = Sent(tb.bit), 0, 0
    # The line has rested for long.
    sent.take(-1000 * BITS, 0xFF)
    while runs < 3 * BITS * tb.bit:
        await tb.harness.clock()
        clock = tb.harness.clocks
        level, ready = sent.at(clock)
        expect_equal("tx", level, tb.harness.get("tx"), clock=clock)
        expect_equal("byte_i_ready", int(ready), tb.harness.get("byte_i_ready"), clock=clock)
        if tb.input.sent != taken:
            sent.take(clock, planned[taken])
            taken = tb.input.sent
        runs = 0 if tb.input.left else runs + 1
