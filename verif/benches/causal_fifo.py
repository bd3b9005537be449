# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the causal FIFO."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import cocotb

from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import STALLS, Harness, Stall

READ_LATENCY = 2
"""Clocks from the push of a word to the first in which it can be read."""


class TB:
    """Pushes rows word by word, and reads both sides beside each other."""

    def __init__(self, dut: Any, stall: str = "0") -> None:
        options = current().options
        self.n_inputs, self.words = options["n_inputs"], options["words"]
        self.lanes, self.n_ticks = options["lanes"], options["n_ticks"]
        self.harness = Harness(dut, stall)
        self.random = self.harness.random
        self.pushing: Callable[[], bool] = Stall(stall, "push")
        self.rows_side: Callable[[], bool] = Stall(stall, "rows")
        self.words_side: Callable[[], bool] = Stall(stall, "words")
        self.harness.set(
            **dict.fromkeys(("clear", "push", "first", "row", "tick", "negative", "causal"), 0),
            next_row=0,
            next_word=0,
        )
        self.clear()

    def clear(self) -> None:
        """Forget what was pushed."""
        self.rows: deque[tuple[int, tuple[int, int]]] = deque()
        self.stored: deque[tuple[int, tuple[int, int]]] = deque()

    def sample(self) -> deque[dict[str, int]]:
        """Return the pushes of a sample: each presynaptic neuron spikes at most once."""
        neurons = self.random.sample(range(self.n_inputs), self.random.choice((1, self.n_inputs)))
        pushes: deque[dict[str, int]] = deque()
        for row in neurons:
            tick = self.random.randrange(self.n_ticks + 1)
            for word in range(self.words):
                masks = {name: self.random.getrandbits(self.lanes) for name in ("negative", "causal")}
                head = {"row": row, "tick": tick} if word == 0 else {}
                pushes.append({"first": int(word == 0), **head, **masks})
        return pushes

    async def clock(self, push: dict[str, int] | None = None, *, read: bool = False) -> None:
        """Do a clock: compare what can be read, and take some of it."""
        await self.harness.edge()
        now = self.harness.clocks
        there = [bool(side) and side[0][0] <= now for side in (self.rows, self.stored)]
        takes = [
            there[0] and read and not self.rows_side(),
            there[1] and read and not self.words_side(),
        ]
        self.harness.set(push=0, next_row=int(takes[0]), next_word=int(takes[1]), **(push or {}))
        if push is not None:
            self.harness.set(push=1)
            if push["first"]:
                self.rows.append((now + READ_LATENCY, (push["row"], push["tick"])))
            self.stored.append((now + READ_LATENCY, (push["negative"], push["causal"])))
        await self.harness.settle()
        expect_equal("available", int(there[0]), self.harness.get("available"), clock=now)
        for name, side, shown, ports in (
            ("row and tick", self.rows, there[0], ("row_o", "tick_o")),
            ("negative and causal", self.stored, there[1], ("negative_o", "causal_o")),
        ):
            if shown:
                expect_equal(name, side[0][1], tuple(map(self.harness.get, ports)), clock=now)
        for side, taken in zip((self.rows, self.stored), takes, strict=True):
            if taken:
                side.popleft()

    async def forget(self) -> None:
        """Clear."""
        await self.harness.edge()
        self.harness.set(push=0, next_row=0, next_word=0, clear=1)
        await self.harness.settle()
        self.clear()
        await self.harness.edge()
        self.harness.set(clear=0)
        await self.harness.settle()
        expect_equal("available after clear", 0, self.harness.get("available"))


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def samples(dut: Any, stall: str) -> None:
    """Samples that are written whole and then read, written while they are read, and given up in the middle."""
    tb = TB(dut, stall)
    await tb.harness.reset()
    for sample in range(16):
        pushes = tb.sample()
        if sample % 4 == 0:
            # Every presynaptic neuron spikes, and nothing is read before the last one has.
            while len(pushes) != tb.n_inputs * tb.words:
                pushes = tb.sample()
        together = sample % 2 == 1
        while pushes:
            push = None if tb.pushing() else pushes.popleft()
            await tb.clock(push, read=together)
        left = tb.random.randrange(1 + len(tb.stored)) if sample % 4 > 1 else 0
        while len(tb.stored) > left or (not left and tb.rows):
            await tb.clock(read=True)
        await tb.forget()


@cocotb.test()
async def the_sides_are_independent(dut: Any) -> None:
    """All words go while no row does, then the other way round."""
    tb = TB(dut)
    await tb.harness.reset()
    for slow, quick in (("rows_side", "words_side"), ("words_side", "rows_side")):
        pushes = tb.sample()
        while pushes:
            await tb.clock(pushes.popleft())
        setattr(tb, slow, lambda: True)
        setattr(tb, quick, lambda: False)
        for _ in range(tb.n_inputs * tb.words + READ_LATENCY):
            await tb.clock(read=True)
        setattr(tb, slow, lambda: False)
        while tb.rows or tb.stored:
            await tb.clock(read=True)
        await tb.forget()


@cocotb.test()
async def throughput(dut: Any) -> None:
    """One word in and one out per clock, two clocks behind each other."""
    tb = TB(dut)
    await tb.harness.reset()
    pushes = tb.sample()
    while pushes:
        await tb.clock(pushes.popleft(), read=True)
        assert len(tb.stored) <= READ_LATENCY, f"{len(tb.stored)} words wait"
    await tb.forget()
