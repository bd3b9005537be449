# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the encoders."""

from __future__ import annotations

import bisect
from typing import Any

import cocotb
import numpy as np

from erbium.hdl.plan import LayerPlan
from erbium.hdl.sample_buffer import GROUP, sample_words
from erbium.sw_model.constants import Array
from erbium.sw_model.encoder import encoder_of
from erbium.sw_model.network import Hardware, Network
from erbium.verif.benches.window import WindowClocks
from erbium.verif.codecs import EventCodec, SampleCodec, Token, feedback_codec
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import STALLS, Harness, reader_of

TICK_OVERHEAD = 3
"""Clocks of a tick beyond those of its spikes and of its groups without spike."""

REPLAY_OVERHEAD = 2
"""Clocks of a replay beyond those of its ticks with a level."""

ONE_PIXEL_OVERHEAD = 2
"""Clocks of a tick beyond those of its pixels, if they are looked at one by one; and one if the last one spikes."""

DARK_TICK = 2
"""Clocks of a tick of a sample without pixels, or in which the latency encoder has no level."""


def _words_of(pixels: int) -> int:
    """Return the words of a sample with so many pixels that can spike."""
    return 1 + -(-pixels // GROUP)


def _two_at_once(counts: list[int]) -> int:
    """Return the clocks after that of the first group until all spikes have left, two in a clock."""
    window, clocks = WindowClocks(), -1
    left = list(counts)
    while left or window.front:
        window.step(left.pop(0) if left and window.room else None)
        clocks += 1
    return clocks


class TB:
    """Sends samples and the feedback that stops them."""

    def __init__(self, dut: Any, stall: str) -> None:
        self.network: Network = current().options["network"]
        self.hardware: Hardware = current().options["hardware"]
        self.harness = Harness(dut, stall)
        self.random = self.harness.random
        self.model = encoder_of(self.network)
        self.samples = self.harness.drive("sample_i", SampleCodec().encode)
        self.counted = {name: self.harness.tally(name) for name in ("ticks", "input_spikes")}
        self.feedback = self.harness.drive("feedback_i", feedback_codec(self.network).encode)
        plan = LayerPlan(self.network, 0, self.hardware)
        self.timed, self.replays = plan.population.events_timed, plan.population.graph.replays
        self.hears_errors = bool(self.network.error.populations(self.network.n_classes))
        events = EventCodec(plan.event_token)
        self.at_once = plan.rows.at_once
        self.output = self.harness.check("event_o", events.decode)
        n_inputs = self.network.n_inputs
        # Tokens up to the end of each sample; tokens of the output that were looked at, and BEGINs among them.
        self.ends: list[int] = []
        self._seen = self._begun = 0
        if self.hardware.encoder_pixels != 1 and 2 * _words_of(n_inputs) <= sample_words(n_inputs):
            self.ready = reader_of(dut.sample_i_ready)
            self.harness.watch(self._never_waits)
        self.ticks = self.spikes = self.presented = 0
        self.work: list[list[int]] = []
        encoder = self.network.encoder
        self.levels: tuple[tuple[int, int], ...] = () if isinstance(encoder, str) else encoder.levels
        self.set_ticks(self.network.n_ticks)

    def _never_waits(self) -> None:
        """While two samples are not there, the next token is taken: at least those that began before have left."""
        history = self.harness.board.channel("event_o").history
        while self._seen < len(history):
            self._begun += history[self._seen][0] == "BEGIN"
            self._seen += 1
        there = bisect.bisect_right(self.ends, self.samples.sent) - max(self._begun - 1, 0)
        if there < 2:
            expect_equal("sample_i_ready", 1, self.ready(), clock=self.harness.clocks)

    def set_ticks(self, n_ticks: int) -> None:
        """Set the longest presentation."""
        self.n_ticks = n_ticks
        self.harness.set(n_ticks=n_ticks)

    def image(self, kind: str) -> Array:
        """Return an image."""
        n = self.network.n_inputs
        image = np.zeros(n, dtype=np.uint8)
        if kind == "bright":
            image[:] = 255
        elif kind == "dim":
            image[:] = 1
        elif kind in ("first", "last"):
            image[0 if kind == "first" else -1] = 255
        elif kind == "some":
            image[:] = [self.random.choice((0, self.random.randrange(256))) for _ in range(n)]
            # A level begins at its smallest pixel.
            for lowest, _ in self.levels:
                image[self.random.randrange(n)] = lowest
                image[self.random.randrange(n)] = max(lowest, 1) - 1
        return image

    def spike(self, address: int, tick: int) -> Token:
        """Return the token of a spike; it carries its tick where it may be replayed."""
        return ("SPIKE", address, tick) if self.timed else ("SPIKE", address)

    def present(
        self,
        kind: str,
        *,
        stop_at: int | None = None,
        errors: bool = True,
        learn: bool | None = None,
        replay: bool | None = None,
    ) -> int:
        """Send a sample; the tick `stop_at` asks to stop it. The feedback has error spikes, or none.

        Return how many of its pixels can spike. Whether it is learned, and then replayed, is drawn if it is not told.
        """
        # A small seed looks like a pixel to whatever does not see that it is none.
        image, seed = self.image(kind), self.random.getrandbits(self.random.choice((32, 32, 12)))
        learns = self.random.randrange(2) if learn is None else int(learn)
        begin: Token = ("BEGIN", seed, self.random.randrange(256), learns)
        # Pixels that cannot spike may be left out.
        kept = [
            k for k, v in enumerate(image) if v >= self.network.lowest_pixel or self.random.random() < 0.3
        ]
        self.samples.send(begin, *(("PIXEL", int(image[k]), k) for k in kept), ("END",))
        self.ends.append(self.samples.sent + self.samples.left)
        expected = self.harness.board.channel("event_o")
        expected.expect(begin, sample=self.presented)
        self.model.begin(image, seed)
        self.work.append([])
        ticks = self.n_ticks
        if stop_at is not None:
            ticks = min(ticks, stop_at + self.network.feedback_delay + 1)
        again: list[Token] = []
        for tick in range(ticks):
            spikes = [int(k) for k in self.model.tick()]
            again += [self.spike(k, tick) for k in spikes]
            expected.expect_all((self.spike(k, tick) for k in spikes), sample=self.presented, tick=tick)
            expected.expect(("TICK",), sample=self.presented, tick=tick)
            self.spikes += len(spikes)
            self.work[-1].append(self._clocks_of(image, tick, set(spikes)))
            count = self.random.choice((0, 0, 1, 3)) if errors and self.hears_errors else 0
            self.feedback.send(*(("SPIKE", self.random.randrange(4)) for _ in range(count)))
            self.feedback.send(("TICK", int(stop_at is not None and tick >= stop_at)))
        expected.expect(("END",), sample=self.presented)
        replays = bool(learns and (self.random.random() < 0.6 if replay is None else replay))
        if replays and self.replays:
            expected.expect_all(again, sample=self.presented, replay=1)
            expected.expect(("END",), sample=self.presented, replay=1)
        self.feedback.send(("END", int(replays)) if self.replays else ("END",))
        self.ticks += ticks
        self.presented += 1
        return int(np.count_nonzero(image >= self.network.lowest_pixel))

    def _clocks_of(self, image: Array, tick: int, spikes: set[int]) -> int:
        """Return the clocks of a tick: one per spike, or one per group that has none, but not for the last."""
        due = {at for _, at in self.levels}
        if self.levels and tick not in due:
            return DARK_TICK
        if self.hardware.encoder_pixels == 1:
            return self.network.n_inputs + ONE_PIXEL_OVERHEAD + int(len(image) - 1 in spikes)
        pixels = np.flatnonzero(image >= self.network.lowest_pixel)
        groups = [pixels[start : start + GROUP] for start in range(0, len(pixels), GROUP)]
        if not groups:
            return DARK_TICK
        counts = [sum(int(k) in spikes for k in group) for group in groups]
        if self.at_once == 2:
            return _two_at_once(counts) + TICK_OVERHEAD
        return sum(max(1, count) for count in counts[:-1]) + counts[-1] + TICK_OVERHEAD

    async def finish(self) -> None:
        """Run to the end and compare the counters."""
        await self.harness.finish()
        expect_equal("ticks", self.ticks, self.counted["ticks"].total)
        expect_equal("input_spikes", self.spikes, self.counted["input_spikes"].total)


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def samples(dut: Any, stall: str) -> None:
    """Samples back to back, run to the end or stopped."""
    tb = TB(dut, stall)
    await tb.harness.reset()
    for kind in ("dark", "bright", "first", "last", "dim", "some", "dark"):
        tb.present(kind)
        stop = tb.random.choice((None, 0, 1, tb.n_ticks - 1, tb.random.randrange(tb.n_ticks)))
        tb.present("some", stop_at=stop)
    await tb.finish()
    for n_ticks in (1, 2):
        tb.set_ticks(n_ticks)
        tb.present("some")
        tb.present("bright", stop_at=0)
        tb.present("dark")
        await tb.finish()


@cocotb.test()
async def around(dut: Any) -> None:
    """Short samples, until the ring of their pixels has come around thrice; none waits as long as there are not two."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    depth = sample_words(tb.network.n_inputs) if tb.hardware.encoder_pixels != 1 else 0
    last_level = max((at for _, at in tb.levels), default=1)
    tb.set_ticks(min(tb.n_ticks, last_level + 1))
    words = 0
    while words <= 3 * depth:
        kept = tb.present(tb.random.choice(("some", "some", "some", "bright", "first")))
        words += _words_of(kept)
    await tb.finish()


@cocotb.test()
async def throughput(dut: Any) -> None:
    """One clock per spike, or per group that has none, and few more per tick."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    for kind in ("bright", "dim", "some", "dark", "last"):
        tb.present(kind, errors=False, learn=False)
    await tb.finish()
    clocks: list[int] = []
    sample = 0
    for clock, token in zip(tb.output.clocks, tb.harness.board.channel("event_o").history, strict=True):
        if token[0] == "BEGIN":
            clocks.clear()
        elif token[0] == "TICK":
            clocks.append(clock)
        elif token[0] == "END":
            for tick in range(1, len(clocks)):
                expected = tb.work[sample][tick]
                took = clocks[tick] - clocks[tick - 1]
                expect_equal("clocks of a tick", expected, took, sample=sample, tick=tick)
            sample += 1


@cocotb.test()
async def replay(dut: Any) -> None:
    """A replay takes the clocks of the ticks with a level, and a few to drop what is left of the feedback."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    if not tb.replays:
        return
    for sample, kind in enumerate(("bright", "some", "some", "last")):
        first = len(tb.output.clocks)
        tb.present(kind, learn=True, replay=True)
        await tb.finish()
        history = tb.harness.board.channel("event_o").history[first:]
        first_end, last_end = (
            clock for clock, token in zip(tb.output.clocks[first:], history, strict=True) if token == ("END",)
        )
        work, due = tb.work[sample], {at for _, at in tb.levels}
        if work[tb.levels[0][1]] > DARK_TICK:
            expected = sum(work[at] for at in due) + REPLAY_OVERHEAD
            took = last_end - first_end
            expect_equal("clocks of a replay", expected + tb.network.feedback_delay, took, sample=sample)
