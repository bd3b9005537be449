# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the prediction unit."""

from __future__ import annotations

import itertools
from typing import Any

import cocotb
import numpy as np

from erbium.hdl.plan import LayerPlan
from erbium.sw_model.erbp import ErbpPrediction
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.programs import STATE_MAX, STATE_MIN
from erbium.verif.codecs import ResultCodec, SweepCodec, feedback_codec
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import STALLS, Harness

TICK_OVERHEAD = 7
"""Clocks of a tick beyond those of its classes."""


class TB:
    """Plays the output layer: sends sweeps with spikes and membranes."""

    def __init__(self, dut: Any, stall: str) -> None:
        options = current().options
        self.network: Network = options["network"]
        hardware: Hardware = options["hardware"]
        self.n = self.network.n_classes
        self.lanes = hardware.lanes_of(self.network, len(self.network.layers) - 1)
        self.harness = Harness(dut, stall)
        self.random = self.harness.random
        self.model = ErbpPrediction(self.network)
        plan = LayerPlan(self.network, len(self.network.layers) - 1, hardware)
        self.clocks_of_a_word = -(-self.lanes // plan.classes_at_once)
        self.input = self.harness.drive("sweep_i", SweepCodec(plan.sweep_token).encode)
        self.counted = {
            name: self.harness.tally(name) for name in ("output_spikes", "error_spikes", "samples")
        }
        self.paused = False
        check = self.harness.checker("feedback_o_0", feedback_codec(self.network).decode)
        self.feedback = self.harness.monitor("feedback_o_0", check, pauses=lambda: self.paused)
        self.held = False
        check = self.harness.checker("result_o", ResultCodec().decode)
        self.harness.monitor("result_o", check, pauses=lambda: self.held)
        self.presented = self.spikes = 0
        self.set_decide_after(self.network.decide_after)

    def set_decide_after(self, count: int) -> None:
        """Set the spikes that settle an inference."""
        self.model.decide_after = count
        self.harness.set(decide_after=count)

    def present(
        self, *, learn: bool, n_ticks: int, rate: float = 0.0, spread: int = 10, answers: str = "some"
    ) -> None:
        """Send a sample; `spread` 0 gives equal membranes, so that ties are common.

        In each tick the classes spike at `rate`, or what `answers` says: the ``right`` one or all ``wrong`` ones.
        """
        label = self.random.randrange(self.n)
        begin = ("BEGIN", self.random.getrandbits(32), label, int(learn))
        self.input.send(begin)
        self.model.begin(learn, label)
        board = self.harness.board
        level = self.random.choice((-256, 0, 255))
        for tick in range(n_ticks):
            spikes = {
                "some": [c for c in range(self.n) if self.random.random() < rate],
                "right": [label],
                "wrong": [c for c in range(self.n) if c != label],
            }[answers]
            v = [max(-256, min(4095, level + self.random.randint(-spread, spread))) for _ in range(self.n)]
            if spread >= 1 << 15:
                # Anything that a token can hold, close together or anywhere.
                around = self.random.randint(STATE_MIN, STATE_MAX)
                reach = self.random.choice((300, STATE_MAX))
                v = [max(STATE_MIN, min(STATE_MAX, around + self.random.randint(-reach, reach))) for _ in v]
            elif spread > 4000:
                v[self.random.randrange(self.n)] = self.random.choice((-256, 4095))
            for base in range(0, self.n, self.lanes):
                here = range(base, min(base + self.lanes, self.n))
                bits = sum(1 << (c - base) for c in spikes if c in here)
                junk = [self.random.randint(-9, 9)] * (self.lanes - len(here))
                self.input.send(("SPIKE", base, bits, [*(v[c] for c in here), *junk]))
            self.input.send(("TICK",))
            errors, stop = self.model.tick(np.array(spikes, dtype=np.int64), np.array(v))
            where = {"sample": self.presented, "tick": tick}
            feedback = board.channel("feedback_o_0")
            feedback.expect_all((("SPIKE", e) for e in errors), **where)
            feedback.expect(("TICK", int(stop)), **where)
            self.spikes += len(spikes)
        self.input.send(("END",))
        board.channel("feedback_o_0").expect(("END",), sample=self.presented)
        decision = self.model.decision_tick
        settled = n_ticks if decision is None else decision + 1
        board.channel("result_o").expect(
            ("RESULT", self.model.answer, n_ticks, settled), sample=self.presented
        )
        self.presented += 1

    async def finish(self) -> None:
        """Run to the end and compare the counters."""
        await self.harness.finish()
        expect_equal("output_spikes", self.spikes, self.counted["output_spikes"].total)
        expect_equal("error_spikes", self.model.error_spikes, self.counted["error_spikes"].total)
        expect_equal("samples", self.presented, self.counted["samples"].total)


@cocotb.test()
async def throughput(dut: Any) -> None:
    """Clocks of a tick as the component says."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    tb.present(learn=True, n_ticks=8, rate=0.0, spread=10)
    tb.present(learn=False, n_ticks=8, rate=0.5, spread=10)
    await tb.finish()
    words = -(-tb.n // tb.lanes)
    history = tb.harness.board.channel("feedback_o_0").history
    clocks: list[int] = []
    for clock, token in zip(tb.feedback.clocks, history, strict=True):
        if token[0] == "TICK":
            clocks.append(clock)
        elif token[0] == "END":
            for first, last in itertools.pairwise(clocks):
                expected = words * tb.clocks_of_a_word + TICK_OVERHEAD
                expect_equal("clocks of a tick", expected, last - first)
            clocks.clear()


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def samples(dut: Any, stall: str) -> None:
    """Learning and inference, silent and busy outputs, ties, early decisions."""
    tb = TB(dut, stall)
    await tb.harness.reset()
    for rate in (0.0, 0.1, 0.5, 1.0):
        for spread in (0, 1, 300, 5000, 1 << 15):
            tb.present(
                learn=rate > 0 and spread < 5000, n_ticks=tb.random.randint(1, 8), rate=rate, spread=spread
            )
            tb.present(learn=False, n_ticks=tb.random.randint(1, 8), rate=rate, spread=spread)
    await tb.finish()
    for count in (1, 2, 5):
        tb.set_decide_after(count)
        for _ in range(3):
            tb.present(learn=False, n_ticks=8, rate=0.3, spread=tb.random.choice((0, 100)))
        tb.present(learn=True, n_ticks=8, rate=0.3, spread=100)
        await tb.finish()


@cocotb.test()
async def reset(dut: Any) -> None:
    """A reset drops a result that waits."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    tb.held = True
    tb.present(learn=False, n_ticks=2, rate=0.5)
    await tb.harness.run_until(lambda: bool(tb.harness.get("result_o_valid")))
    tb.harness.clear()
    await tb.harness.reset()
    for channel in tb.harness.board.channels.values():
        channel.clear()
    for _ in range(5):
        await tb.harness.clock()
        expect_equal("result_o_valid", 0, tb.harness.get("result_o_valid"))
    tb.held = False
    tb.present(learn=True, n_ticks=3, rate=0.5)
    await tb.harness.finish()


@cocotb.test()
async def quiet(dut: Any) -> None:
    """Samples without any error from the first tick on, or from a later one on: the stop comes at the same tick."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    for answers in ("right", "wrong", "right"):
        tb.present(learn=True, n_ticks=tb.network.n_ticks, answers=answers)
    await tb.finish()


@cocotb.test()
async def never_blocks(dut: Any) -> None:
    """All that can be under way waits in the unit: every class errs in each tick, and nobody reads."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    for _ in range(2):
        tb.paused = True
        tb.present(learn=True, n_ticks=tb.network.feedback_delay + 2, answers="wrong")
        await tb.harness.run_until(lambda: not tb.input.left)
        tb.paused = False
        await tb.finish()
