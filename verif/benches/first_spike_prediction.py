# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the prediction unit of a first-spike network."""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb
import numpy as np

from erbium.hdl.plan import LayerPlan
from erbium.sw_model.first_spike import FirstSpikePrediction
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.programs import STATE_MAX, STATE_MIN
from erbium.verif.codecs import ErrorCodec, ResultCodec, SweepCodec, feedback_codec
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import STALLS, Harness

NEVER = 1 << 20


class TB:
    """Plays the output layer: sends sweeps in which each class spikes at most once."""

    def __init__(self, dut: Any, stall: str) -> None:
        options = current().options
        self.network: Network = options["network"]
        hardware: Hardware = options["hardware"]
        self.n = self.network.n_classes
        self.lanes = hardware.lanes_of(self.network, len(self.network.layers) - 1)
        self.words = hardware.words_of(self.network, len(self.network.layers) - 1)
        self.harness = Harness(dut, stall)
        self.random = self.harness.random
        self.model = FirstSpikePrediction(self.network)
        sweeps = SweepCodec(LayerPlan(self.network, len(self.network.layers) - 1, hardware).sweep_token)
        self.input = self.harness.drive("sweep_i", sweeps.encode)
        self.counted = {name: self.harness.tally(name) for name in ("output_spikes", "updates", "samples")}
        self.feedback = self.harness.check("feedback_o", feedback_codec(self.network).decode)
        self.results = self.harness.check("result_o", ResultCodec().decode)
        self.errors = self.harness.check("error_o", ErrorCodec(self.n).decode)
        self.presented = self.spikes = 0
        self.set_limits(self.network.n_ticks, self.network.decide_after)

    def set_limits(self, n_ticks: int, decide_after: int) -> None:
        """Set the longest presentation, and whether the first spike ends an inference."""
        self.n_ticks, self.model.decide_after = n_ticks, decide_after
        self.harness.set(n_ticks=n_ticks, decide_after=decide_after)

    def membranes(self) -> list[int]:
        """Return membranes of a tick: at the ends, close together so that ties are common, or anything."""
        draw = self.random
        level = draw.choice((-300, 0, 400, draw.randint(STATE_MIN, STATE_MAX)))
        spread = draw.choice((0, 1, 4, 600, 20_000, 99_999))
        return [
            draw.choice((STATE_MIN, STATE_MAX))
            if draw.random() < 0.1
            else min(max(level + draw.randint(-spread, spread), STATE_MIN), STATE_MAX)
            for _ in range(self.n)
        ]

    def spike_ticks(self, kind: str, label: int) -> list[int]:
        """Return the tick at which each class spikes, if it does before the sample ends."""
        errors, draw = self.model.wanted, self.random
        last = self.n_ticks - 1
        if kind == "silent":
            return [NEVER] * self.n
        ticks = [draw.choice((NEVER, draw.randint(0, last), draw.randint(0, last))) for _ in range(self.n)]
        if kind == "together":
            return [draw.randint(0, last)] * self.n
        if kind == "right":
            # The label is in time, and the others are just late enough, or a little too early.
            ticks = [draw.choice((NEVER, errors.margin, errors.margin - draw.randint(0, 1))) for _ in ticks]
            ticks[label] = draw.randint(0, 1)
            return [tick if c == label else tick + ticks[label] for c, tick in enumerate(ticks)]
        if kind == "late":
            if draw.random() < 0.7:
                # Nothing but the label's own tick decides.
                ticks = [NEVER] * self.n
            ticks[label] = draw.choice((NEVER, errors.deadline - 1, errors.deadline))
        return ticks

    def present(self, kind: str, *, learn: bool) -> list[list[int]]:
        """Send a sample; return the spikes of each word of each tick."""
        label = self.random.randrange(self.n)
        begin = ("BEGIN", self.random.getrandbits(32), label, int(learn))
        ticks = self.spike_ticks(kind, label)
        self.input.send(begin)
        self.model.begin(learn, label)
        board, stops = self.harness.board, deque([False] * self.network.feedback_delay)
        words: list[list[int]] = []
        number = 0
        for number in range(self.n_ticks):
            spikes = [c for c in range(self.n) if ticks[c] == number]
            v = self.membranes()
            words.append([])
            for base in range(0, self.n, self.lanes):
                here = range(base, min(base + self.lanes, self.n))
                bits = sum(1 << (c - base) for c in spikes if c in here)
                junk = [self.random.randint(STATE_MIN, STATE_MAX) for _ in range(self.lanes - len(here))]
                self.input.send(("SPIKE", base, bits, [*(v[c] for c in here), *junk]))
                words[-1].append(bits)
            self.input.send(("TICK",))
            _, stop = self.model.tick(np.array(spikes, dtype=np.int64), np.array(v))
            board.channel("feedback_o").expect(("TICK", int(stop)), sample=self.presented, tick=number)
            self.spikes += len(spikes)
            stops.append(stop)
            if stops.popleft():
                break
        self.input.send(("END",))
        self._expect_end(number + 1)
        return words

    def _expect_end(self, n_ticks: int) -> None:
        board, where = self.harness.board, {"sample": self.presented}
        word = self.model.finish()
        update = int(word is not None)
        board.channel("feedback_o").expect(("END", update), **where)
        decision = self.model.decision_tick
        settled = n_ticks if decision is None else decision + 1
        board.channel("result_o").expect(("RESULT", self.model.answer, n_ticks, settled), **where)
        if self.model.learn:
            errors = board.channel("error_o")
            if word is not None:
                errors.expect_all(
                    (("SPIKE", int(c), int(word[c] > 0)) for c in np.flatnonzero(word)), **where
                )
            errors.expect(("END", update), **where)
        self.presented += 1

    async def finish(self) -> None:
        """Run to the end and compare the counters."""
        await self.harness.finish()
        expect_equal("output_spikes", self.spikes, self.counted["output_spikes"].total)
        expect_equal("updates", self.model.updates, self.counted["updates"].total)
        expect_equal("samples", self.presented, self.counted["samples"].total)


KINDS = ("some", "silent", "together", "right", "late", "some", "right")


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def samples(dut: Any, stall: str) -> None:
    """Learning and inference, silent and busy outputs, ties, shorter samples, with and without a decision."""
    tb = TB(dut, stall)
    await tb.harness.reset()
    # Anything but 0 decides, whichever bit is set.
    for n_ticks, decide_after in (
        (tb.n_ticks, 1),
        (tb.n_ticks, 0),
        (max(tb.n_ticks - 2, 1), 1 << tb.random.randrange(16)),
        *((1 + tb.random.randrange(tb.n_ticks), 1 << bit) for bit in (4, 7, 8, 15)),
        (1, 1),
    ):
        tb.set_limits(n_ticks, decide_after)
        for kind in KINDS:
            tb.present(kind, learn=True)
            tb.present(kind, learn=tb.random.random() < 0.5)
            tb.present(kind, learn=False)
        await tb.finish()


@cocotb.test()
async def throughput(dut: Any) -> None:
    """Clocks of a tick, and those behind a sample, as the component says."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    for kind in (*KINDS, *KINDS):
        for learn in (True, False):
            first = len(tb.feedback.clocks)
            words = tb.present(kind, learn=learn)
            await tb.finish()
            clocks, decided = tb.feedback.clocks[first:], False
            scans = []
            for tick, bits in enumerate(words):
                last = tick == tb.n_ticks - 1
                scans.append(0 if decided else sum(bool(word) or last for word in bits))
                decided |= any(bits)
            for tick in range(1, len(words)):
                expected = tb.words + 1 + tb.lanes * scans[tick]
                expect_equal("clocks of a tick", expected, clocks[tick] - clocks[tick - 1], tick=tick)
            # The END leaves with the result.
            expect_equal("clocks until the END", 0, clocks[-1] - tb.results.clocks[-1])
            if learn:
                update = tb.harness.board.channel("feedback_o").history[-1][1]
                behind = tb.errors.clocks[-1] - tb.results.clocks[-1]
                expect_equal("clocks behind a learned sample", 1 + update * tb.n, behind)
