# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the host link on its serial line: the bench of its messages, bit by bit."""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb

from erbium.hdl.registers import RegisterMap, WindowNumber
from erbium.verif.benches.message_link import SLOW, TB
from erbium.verif.link_model import frame_of
from erbium.verif.link_traffic import Traffic, read
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal

N_LINES = 40
BITS = 10

MOST_UNANSWERED = 2
"""Frames of any length that a host may have under way."""


class Serial:
    """Sends bytes on ``rx`` and reads them from ``tx``, a whole number of clocks per bit."""

    def __init__(self, tb: Any, period: int) -> None:
        self._tb, self._period = tb, period
        self._levels: deque[int] = deque()
        self._wait = 0
        self._bits: list[int] = []

    def send(self, *octets: int) -> None:
        """Queue bytes."""
        for octet in octets:
            bits = [0, *(octet >> bit & 1 for bit in range(8)), 1]
            self._levels.extend(level for level in bits for _ in range(self._period))

    @property
    def left(self) -> int:
        """Clocks until everything is sent."""
        return len(self._levels)

    def prepare(self) -> None:
        """Set the line for this clock."""
        self._tb.harness.set(rx=self._levels.popleft() if self._levels else 1)

    def observe(self) -> bool:
        """Read the line; return whether a byte is under way in either direction."""
        level = self._tb.harness.get("tx")
        if self._wait:
            self._wait -= 1
            return True
        if not self._bits and level:
            return bool(self._levels)
        # The first time half a bit behind the falling edge, and then once per bit.
        self._wait = self._period - 1 if self._bits else self._period + self._period // 2 - 1
        self._bits.append(level)
        if len(self._bits) == BITS:
            expect_equal("start and stop bit", (0, 1), (self._bits[0], self._bits[-1]))
            self._tb.receive(sum(bit << place for place, bit in enumerate(self._bits[1:9])))
            self._bits.clear()
            self._wait = 0
        return True


class SerialTB(TB):
    """A host at the line that keeps to the rule about frames without an answer."""

    def __init__(self, dut: Any) -> None:
        self.serial = Serial(self, current().stimuli["period"])
        super().__init__(dut, "0")

    def limits(self) -> tuple[RegisterMap, int]:
        """Return the register map, and the clocks of the time-out."""
        options = current().options
        keys = ("network", "hardware", "clock_frequency", "buffer_bytes")
        return RegisterMap(*(options[key] for key in keys)), options["clock_frequency"] // 20

    def connect(self) -> Serial:
        """Connect the line."""
        self.harness.set(rx=1)
        return self.serial

    async def room(self, frames: int) -> None:
        """Wait until so many frames may be sent."""
        await self.until(lambda: len(self.replies) + len(self.results) + frames <= MOST_UNANSWERED)

    async def clock(self) -> bool:
        """Do a clock."""
        await self.harness.edge()
        self.serial.prepare()
        self.harness.set(idle=int(self.side.idle))
        moved = await self.harness.settle()
        moved |= self.serial.observe()
        self.side.step()
        return moved


@cocotb.test()
async def traffic(dut: Any) -> None:
    """Good, wrong, damaged and unfinished frames, two at a time."""
    tb = SerialTB(dut)
    await tb.harness.reset()
    source = Traffic(tb.random, tb.model, resets=0.02)
    for _ in range(N_LINES):
        line = source.line()
        frames = len([frame for frame in line.split(b"\0") if frame])
        if frames > MOST_UNANSWERED:
            continue
        await tb.room(frames)
        tb.send(line)
        if line[-1]:
            await tb.silence()
    await tb.finish()
    await tb.ask(read(9, WindowNumber.REGISTERS, 0, tb.registers.n_words))


@cocotb.test()
async def many_unanswered(dut: Any) -> None:
    """As many frames as there is room for come while the array is busy; none is lost."""
    tb = SerialTB(dut)
    await tb.harness.reset()
    room = tb.registers["buffer_bytes"].value or 0
    tb.side.delays = SLOW
    for number in range(3):
        frame = frame_of(tb.dark(2 * number, learn=1))
        held = frame_of(read(number, WindowNumber.WEIGHTS, 0, 1))
        tb.send(frame + held * max(1, (room - len(frame)) // len(held)))
        await tb.until(lambda: tb.quiet)
        await tb.ask(tb.dark(2 * number + 1))
    await tb.finish()
