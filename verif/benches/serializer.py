# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the spike serializer."""

from __future__ import annotations

import itertools
from typing import Any

import cocotb

from erbium.hdl.groups import GROUP_LANES
from erbium.hdl.tokens import ADDRESS_WIDTH, EventToken, SweepToken
from erbium.verif.benches.window import WindowClocks
from erbium.verif.codecs import EventCodec, SweepCodec, Token
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import STALLS, Harness


class TB:
    """Sends sweeps and expects their spikes one by one."""

    def __init__(self, dut: Any, stall: str) -> None:
        options = current().options
        self.lanes: int = options["lanes"]
        n_neurons, begin_pieces = options.get("n_neurons", 1 << ADDRESS_WIDTH), options.get("begin_pieces", 1)
        self.harness = Harness(dut, stall)
        self.random = self.harness.random
        self.at_once = options.get("at_once", 1)
        codec = SweepCodec(SweepToken(self.lanes, False, n_neurons, begin_pieces))
        event = EventToken(n_neurons, begin_pieces=begin_pieces, spikes=self.at_once)
        self.input = self.harness.drive("sweep_i", codec.encode)
        self.output = self.harness.check("event_o", EventCodec(event).decode)
        self.spikes = 0
        self.counted = self.harness.tally("spikes")

    def send(self, *tokens: Token) -> None:
        """Send tokens of a sweep."""
        expected = self.harness.board.channel("event_o")
        for token in tokens:
            self.input.send(token)
            if token[0] != "SPIKE":
                expected.expect(token)
                continue
            for lane in range(self.lanes):
                if token[2] >> lane & 1:
                    expected.expect(("SPIKE", token[1] + lane))
                    self.spikes += 1

    def word(self) -> int:
        """Return random spikes of a word: none, all, one at an end, or some."""
        n, some = self.lanes, self.random.getrandbits(self.lanes)
        few = some & self.random.getrandbits(n) & self.random.getrandbits(n)
        return self.random.choice((0, (1 << n) - 1, 1, 1 << (n - 1), some, few))

    def clocks_of(self, words: list[int]) -> int:
        """Return the clocks from a ``TICK`` to the next one, with these words in between."""
        if self.lanes == 1:
            return len(words) + 1
        if self.at_once == 2:
            return two_at_once(self.lanes, words)
        # The TICK waits until the last spike has gone.
        return sum(max(word.bit_count(), 1) for word in words[:-1]) + words[-1].bit_count() + 2


def two_at_once(lanes: int, words: list[int]) -> int:
    """Return the clocks from a ``TICK`` to the next one, with these words in between, two spikes leaving in a clock."""
    split = [[word >> k & (1 << GROUP_LANES) - 1 for k in range(0, lanes, GROUP_LANES)] for word in words]
    queue = [[group.bit_count() for group in word if group] for word in split]
    window, groups, clock = WindowClocks(), list[int](), 0
    while True:
        clock += 1
        if not queue and not groups and not window.front:
            return clock
        looks = bool(groups) and window.room
        window.step(groups[0] if looks else None)
        if groups:
            groups = groups[looks:]
        elif queue:
            groups = queue.pop(0)


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def sweeps(dut: Any, stall: str) -> None:
    """Random sweeps."""
    tb = TB(dut, stall)
    await tb.harness.reset()
    for _ in range(4):
        tb.send(("BEGIN", tb.random.getrandbits(32), tb.random.randrange(256), tb.random.randrange(2)))
        for _ in range(tb.random.randrange(1, 6)):
            words = range(tb.random.randrange(1, 5))
            tb.send(*(("SPIKE", word * tb.lanes, tb.word(), ()) for word in words), ("TICK",))
        tb.send(("END",))
    await tb.harness.finish()
    expect_equal("spikes", tb.spikes, tb.counted.total)


@cocotb.test()
async def few(dut: Any) -> None:
    """Words with one, two or three spikes, any two of them together: their clocks as the component says."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    pairs = [1 << one | 1 << other for one in range(tb.lanes) for other in range(one + 1)]
    tb.random.shuffle(pairs)
    words = [
        word | (1 << tb.random.randrange(tb.lanes)) * (tb.random.random() < 0.3) for word in [*pairs, *pairs]
    ]
    tb.send(("TICK",), *(("SPIKE", 0, word, ()) for word in words), ("TICK",))
    await tb.harness.finish()
    expect_equal("clocks of a tick", tb.clocks_of(words), tb.output.clocks[-1] - tb.output.clocks[0])


@cocotb.test()
async def throughput(dut: Any) -> None:
    """Clocks of the words as the component says: one for each spike, or one for a word without."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    plans = [[tb.word() for _ in range(tb.random.randint(1, 9))] for _ in range(12)]
    tb.send(("TICK",))
    for words in plans:
        tb.send(*(("SPIKE", 0, word, ()) for word in words), ("TICK",))
    await tb.harness.finish()
    history = tb.harness.board.channel("event_o").history
    clocks = [clock for clock, token in zip(tb.output.clocks, history, strict=True) if token == ("TICK",)]
    for words, (first, last) in zip(plans, itertools.pairwise(clocks), strict=True):
        expect_equal(
            "clocks of a tick", tb.clocks_of(words), last - first, words=[f"{word:b}" for word in words]
        )
