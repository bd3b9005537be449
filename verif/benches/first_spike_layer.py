# SPDX-License-Identifier: BSD-2-Clause
"""Bench of a layer of a first-spike network: every sweep, spike tick, remembered row, vote and learned row."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import cocotb
import numpy as np

from erbium.hdl.layer import COUNTERS
from erbium.hdl.plan import LayerPlan
from erbium.sw_model.constants import Array
from erbium.sw_model.first_spike import FirstSpikeLayer
from erbium.sw_model.layer import LayerModel
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.neuron import Sweep
from erbium.sw_model.programs import STATE_MAX
from erbium.sw_model.rules import FULL_PROBABILITY
from erbium.verif.benches.layer import LayerTick, LayerView, WeightPort, sweep_tokens
from erbium.verif.codecs import AccessCodec, ErrorCodec, EventCodec, SweepCodec, Token, decode_int16
from erbium.verif.layer_codecs import CauseCodec, WriteCodec, place_codec, word_codec
from erbium.verif.probes import layer_taps
from erbium.verif.registry import current
from erbium.verif.scoreboard import Scoreboard, expect_equal
from erbium.verif.streams import STALLS, Harness

LATER, EARLIER = 1, 2
"""A stored plasticity word: +1 and -1."""


class FirstSpikeView(LayerView):
    """A :class:`LayerView` that also follows what a first-spike layer keeps and learns.

    It looks at what its model does, and lets the scoreboard expect the same of the hardware: rows that are
    remembered, spike ticks, plasticity words as they are set one by one, weights after each replayed row.

    Parameters
    ----------
    network : Network
    number : int
    hardware : Hardware
    board : Scoreboard

    Attributes
    ----------
    order : list of int or None
        Neurons in the order in which their plasticity words come; ``None`` for ascending.
    votes : list of Token
        What the last replay sent to the layer before.
    before : FirstSpikeView or None
        The view of that layer.
    words_replayed : int
        Words that the lanes did in replayed rows.
    """

    def __init__(self, network: Network, number: int, hardware: Hardware, board: Scoreboard) -> None:
        super().__init__(network, number, hardware)
        self.network, self.number, self.hardware, self.board = network, number, hardware, board
        self.order: list[int] | None = None
        self.votes: list[Token] = []
        self.before: FirstSpikeView | None = None
        self.words_replayed = 0
        self._bases = range(0, self.layer.n_neurons, self.lanes)

    def follow(self, model: LayerModel) -> None:
        """Look at what a model does from now on."""
        assert isinstance(model, FirstSpikeLayer)
        self.model = model
        self._row, self._after_sweep = model.row, model._after_sweep
        self._replay, self._change = model.replay, model._change
        model.row, model.replay = self.row, self.replay  # type: ignore[method-assign]
        model._after_sweep, model._change = self.after_sweep, self.change  # type: ignore[method-assign]

    def handlers(self) -> dict[str, Any]:
        """Return what is called with the payloads of the taps, by their names without the layer's prefix."""
        plan = self.plan
        words, causes, writes = word_codec(plan, 2), CauseCodec(plan), WriteCodec(plan)
        ticks = place_codec(plan, plan.tick_width)

        def learned(bits: int) -> tuple[int, int, tuple[int, ...]]:
            row, word, weights = writes.decode(bits)
            return row, word, tuple(weights[: self.layer.n_neurons - word * self.lanes])

        decoders = {"learned": learned, "words": words.decode, "spike_ticks": ticks.decode}
        decoders["causes"] = causes.decode
        result: dict[str, Any] = {"states": self.swept, "writes": self.written}
        for name, decode in decoders.items():
            result[name] = self._checker(name, decode)
        return result

    def expect(self, tick: LayerTick) -> None:
        """Add a tick to come, its states as the hardware keeps them."""
        super().expect(replace(tick, values=tick.values | self._kept(tick)))

    def _kept(self, tick: LayerTick) -> dict[str, Array]:
        """Return what a layer without refractory counters shows of those that rest to the end of the sample.

        It starts to count again in each tick, and so gets no further than one.
        """
        told_by = self.plan.rest_told_by
        if told_by == "counter":
            return {}
        has_spiked = self.model.spike_tick <= tick.number
        counting = self.layer.program.refractory - 1 + tick.values["spike"]
        kept = {"refractory": np.where(has_spiked, counting, 0)}
        if told_by == "membrane":
            kept["x0"] = np.where(has_spiked, STATE_MAX, tick.values["x0"])
        return kept

    def channel(self, name: str) -> Any:
        """Return the channel of a tap."""
        return self.board.channel(f"{self.name} {name}")

    def _checker(self, name: str, decode: Any) -> Any:
        channel = self.channel(name)
        return lambda bits: channel.check(decode(bits))

    def row(self, k: int) -> None:
        """Let the model transmit a row."""
        model = self.model
        if self.number > 0 and model.learn:
            self.channel("causes").expect((k, model.tick_number))
        self._row(k)

    def after_sweep(self, result: Sweep) -> None:
        """Let the model note the spikes of a sweep."""
        self._after_sweep(result)
        if self.model.tick_number == 0:
            for number in range(self.words):
                self._expect_words(np.zeros(self.layer.n_neurons, dtype=np.int64), number)
        if self.plan.timed:
            ticks = np.minimum(self.model.spike_tick, self.network.n_ticks)
            for place in range(self.plan.places):
                neurons = self.plan.neurons_at(place)
                here = tuple(int(ticks[neuron]) for neuron in neurons if neuron is not None)
                self.channel("spike_ticks").expect((place, here), tick=self.model.tick_number)

    def _expect_words(self, stored: Array, number: int) -> None:
        """Expect that one word of the stored plasticity words is written."""
        base = self._bases[number]
        here = tuple(int(value) for value in stored[base : base + self.lanes])
        self.channel("words").expect((number, here))

    def change(self, k: int, delta: Array) -> None:
        """Let the model change a row."""
        self._change(k, delta)
        for word, base in enumerate(self._bases):
            weights = tuple(int(w) for w in self.model.weights[k, base : base + self.lanes])
            self.channel("learned").expect((k, word, weights))

    def replay(self, word: Array) -> Array | None:
        """Let the model learn behind a sample."""
        model, changed = self.model, self.model.counters.rows_learned
        order = self.order if self.order is not None else [int(k) for k in np.flatnonzero(word)]
        stored = np.zeros(self.layer.n_neurons, dtype=np.int64)
        for neuron in order:
            stored[neuron] = LATER if word[neuron] > 0 else EARLIER
            self._expect_words(stored, neuron // self.lanes)
        below = self._replay(word)
        rows = len(model.events) if self.number > 0 else model.counters.rows_learned - changed
        self.words_replayed += rows * self.words
        spikes = [] if below is None else [(k, int(below[k] > 0)) for k, _ in model.events if below[k]]
        self.votes = [("SPIKE", k, later) for k, later in spikes]
        self.order = None
        if self.before is not None:
            self.before.order = [k for k, _ in spikes]
        return below


@dataclass(frozen=True)
class Stimulus:
    """One sample: seed, spikes of each tick, and what comes behind it if it is learned.

    `words` are the plasticity words in the order in which they come: neuron, and whether it is to spike later. It is
    ``None`` if the sample is not to change anything.
    """

    seed: int
    learn: bool
    ticks: list[list[int]]
    words: list[tuple[int, bool]] | None = field(default=None)


class TB(WeightPort):
    """Drives one layer and its model with the same tokens."""

    model: FirstSpikeLayer
    view: FirstSpikeView

    def __init__(self, dut: Any, stall: str) -> None:
        options = current().options
        self.network: Network = options["network"]
        self.number: int = options["number"]
        self.hardware: Hardware = options["hardware"]
        self.layer = self.network.layers[self.number]
        self.n_inputs = self.network.shape[self.number]
        self.lanes = self.hardware.lanes_of(self.network, self.number)
        self.words = self.hardware.words_of(self.network, self.number)
        self.one_port = self.hardware.memory_of(self.number) == "spram"
        # A memory with one port takes a word that learns every other clock, or a pair of words.
        self.clocks_of_row = self.words * (1 + self.one_port)
        if self.hardware.pairs(self.network, self.number):
            self.clocks_of_row = self.words + self.words % 2
        self.is_last = self.number == len(self.network.layers) - 1
        self.model = FirstSpikeLayer(self.network, self.number)
        self.harness = harness = Harness(dut, stall)
        self.random = harness.random
        plan = LayerPlan(self.network, self.number, self.hardware)
        self.events = harness.drive("event_i", EventCodec(plan.event_token).encode)
        self.access = harness.drive("access_i", AccessCodec(with_layer=False).encode)
        self.errors = harness.drive("error_i", ErrorCodec(self.layer.n_neurons).encode)
        sweeps = SweepCodec(plan.sweep_token)
        self.sweeps = harness.check("sweep_o", sweeps.decode)
        if self.number > 0:
            harness.check("error_o", ErrorCodec(self.n_inputs).decode)
        self.read: list[int] = []
        harness.monitor("access_o", lambda bits: self.read.append(decode_int16(bits)[1]))
        self.view = FirstSpikeView(self.network, self.number, self.hardware, harness.board)
        self.view.follow(self.model)
        handlers = self.view.handlers()
        taps = layer_taps(self.network, self.number, self.hardware, "")
        harness.tap({tap.name: (place, handlers[tap.name]) for place, tap in enumerate(taps)})
        self.counted = {name: harness.tally(name) for name in COUNTERS}
        harness.watch(self.check_idle)
        self.samples = 0
        self.set_rate(FULL_PROBABILITY)

    def set_rate(self, rate: int) -> None:
        """Set the probability that a replayed row is touched in hardware and model."""
        self.model.rate = rate
        self.harness.set(rate=rate)

    def check_idle(self) -> None:
        """See to it that a layer which says that it is through has written and counted all that it learned."""
        if not self.harness.get("busy"):
            changes = self.harness.get("weights_changed")
            expect_equal("weights changed while idle", 0, changes, sample=self.samples - 1)

    def extreme_weights(self) -> Array:
        """Return weights of which many lie at or near the clips, or at 0, whose sign counts as positive."""
        low, high = self.layer.weight_min, self.layer.weight_max
        choices = [low, low + 1, high - 1, high, 0, 1, -1]
        values = [
            self.random.choice(choices) if self.random.random() < 0.5 else self.random.randint(low, high)
            for _ in range(self.model.weights.size)
        ]
        return np.array(values, dtype=np.int64).reshape(self.model.weights.shape)

    def plasticity(self, kind: str) -> list[tuple[int, bool]] | None:
        """Return plasticity words: of no neuron, one, some or all, or none that is to change anything."""
        n = self.layer.n_neurons
        if kind == "no update":
            return None
        count = {"none": 0, "one": 1, "all": n}.get(kind, self.random.randint(1, n))
        neurons = self.random.sample(range(n), count)
        return [(neuron, self.random.random() < 0.5) for neuron in neurons]

    def stimulus(self, *, learn: bool, kind: str = "some") -> Stimulus:
        """Return a random sample in which each input spikes at most once."""
        levels = self.network.encoder.levels  # type: ignore[union-attr]
        longest = self.network.n_ticks if self.random.random() < 0.15 else min(self.network.n_ticks, 12)
        ticks: list[list[int]] = [[] for _ in range(self.random.randint(1, longest))]
        due = range(longest) if self.number else [tick for _, tick in levels]
        share = self.random.choice((0.0, 0.4, 0.8, 1.0))
        together = self.random.choice(due) if self.random.random() < 0.3 else None
        for k in range(self.n_inputs):
            tick = self.random.choice(due) if together is None else together
            if self.random.random() < share and tick < len(ticks):
                ticks[tick].append(k)
        return Stimulus(self.random.getrandbits(32), learn, ticks, self.plasticity(kind) if learn else None)

    def present(self, stimulus: Stimulus) -> None:
        """Queue a sample for the hardware, and what the model makes of it for the scoreboard."""
        model, learn = self.model, stimulus.learn
        begin = ("BEGIN", stimulus.seed, 0, int(learn))
        sweeps = self.harness.board.channel("sweep_o")
        where: dict[str, Any] = {"sample": self.samples}
        self.events.send(begin)
        sweeps.expect(begin, **where)
        model.begin(stimulus.seed, learn)
        for number, events in enumerate(stimulus.ticks):
            where["tick"] = number
            self.events.send(*(("SPIKE", k) for k in events), ("TICK",))
            model.tick(np.array(events, dtype=np.int64))
            spikes = model.sweep()
            sweeps.expect_all(sweep_tokens(model, spikes, self.lanes, self.is_last), **where)
            self.view.expect(LayerTick.of(model, spikes, self.samples, number))
        self.events.send(("END",))
        sweeps.expect(("END",), sample=self.samples)
        if learn:
            self._learn_behind(stimulus)
        self.samples += 1

    def _learn_behind(self, stimulus: Stimulus) -> None:
        votes: list[Token] = []
        words, update = stimulus.words or [], int(stimulus.words is not None)
        if words:
            word = np.zeros(self.layer.n_neurons, dtype=np.int64)
            for neuron, later in words:
                word[neuron] = 1 if later else -1
            self.view.order = [neuron for neuron, _ in words]
            self.model.replay(word)
            votes = self.view.votes
        self.errors.send(*(("SPIKE", neuron, int(later)) for neuron, later in words), ("END", update))
        if self.number > 0:
            self.harness.board.channel("error_o").expect_all([*votes, ("END", update)], sample=self.samples)
        elif update:
            self.events.send(*(("SPIKE", k, tick) for k, tick in self.model.events), ("END",))

    async def finish(self) -> None:
        """Run to the end; compare weights and counters; no memory may have been misused."""
        await self.harness.finish()
        await self.harness.run_until(lambda: not self.harness.get("busy"))
        expect_equal("ticks without a sweep", 0, self.view.left)
        await self.check_weights()
        rows = self.model.counters.synaptic_operations // self.layer.n_neurons
        walked = rows * self.words + self.view.words_replayed
        expected = vars(self.model.counters) | {"rows_transmitted": rows, "row_words": walked}
        for name, tally in self.counted.items():
            expect_equal(name, expected[name], tally.total, sample=self.samples - 1)
        expect_equal("collision", 0, self.harness.get("collision"))


KINDS = ("some", "all", "no update", "some", "none", "one")


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def samples(dut: Any, stall: str) -> None:
    """Random samples, learned and not, from initial and from extreme weights, at several rates."""
    tb = TB(dut, stall)
    await tb.harness.reset()
    await tb.load(tb.model.weights.copy())
    for weights, rate in ((None, FULL_PROBABILITY), (tb.extreme_weights(), FULL_PROBABILITY // 2)):
        if weights is not None:
            await tb.load(weights)
        tb.set_rate(rate)
        for kind in KINDS:
            tb.present(tb.stimulus(learn=True, kind=kind))
            if tb.random.random() < 0.5:
                tb.present(tb.stimulus(learn=False))
        await tb.finish()
    assert tb.model.counters.weights_changed > 0, "no weight changed"


@cocotb.test()
async def rates(dut: Any) -> None:
    """Rows are touched never, with small probability, or always; weights run against both of their ends."""
    tb = TB(dut, "0.3")
    await tb.harness.reset()
    low, high = tb.layer.weight_min, tb.layer.weight_max
    weights = tb.model.weights.copy()
    weights[::2], weights[1::2] = low, high
    for rate in (0, 1, FULL_PROBABILITY // 5, FULL_PROBABILITY - 1, FULL_PROBABILITY):
        await tb.load(weights)
        tb.set_rate(rate)
        before = tb.model.counters.rows_learned
        for later in (True, False, False):
            words = [(neuron, later) for neuron in range(tb.layer.n_neurons)]
            ticks: list[list[int]] = [list(range(tb.n_inputs)), []]
            tb.present(Stimulus(tb.random.getrandbits(32), True, ticks, words))
        await tb.finish()
        touched = tb.model.counters.rows_learned - before
        if rate in (0, FULL_PROBABILITY):
            expect_equal("rows touched", 3 * tb.n_inputs * (rate > 0), touched)


@cocotb.test()
async def a_row_again(dut: Any) -> None:
    """The row that was learned last is the first one that the next sample reads."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    await tb.load(tb.model.weights.copy())
    for sample in range(6):
        row, words = sample // 3 % tb.n_inputs, [(neuron, True) for neuron in range(tb.layer.n_neurons)]
        tb.present(Stimulus(tb.random.getrandbits(32), True, [[row], []], words))
    await tb.finish()


@cocotb.test()
async def nothing_comes(dut: Any) -> None:
    """All inputs spike at once, and then nothing comes; samples of one empty tick follow each other closely."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    await tb.load(tb.extreme_weights())
    for _ in range(3):
        first = list(range(tb.n_inputs))
        tb.present(Stimulus(tb.random.getrandbits(32), False, [first, *([] for _ in range(5))]))
        for learn in (False, False, True, False):
            words = [(0, True)] if learn else None
            tb.present(Stimulus(tb.random.getrandbits(32), learn, [[]], words))
    await tb.finish()


@cocotb.test()
async def throughput(dut: Any) -> None:
    """Clocks of a tick, of a plasticity word and of a replayed row as the component says."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    await tb.load(tb.model.weights.copy())
    n, sweeps = tb.n_inputs, tb.harness.board.channel("sweep_o")
    plan = tb.view.plan
    counts = [n // 2, 0, 1, n - n // 2 - 1, 0]
    first = len(sweeps.history)
    ticks = [list(range(sum(counts[:tick]), sum(counts[: tick + 1]))) for tick in range(len(counts))]
    tb.present(Stimulus(9, False, ticks))
    await tb.finish()
    pairs = zip(tb.sweeps.clocks[first:], sweeps.history[first:], strict=True)
    clocks = [clock for clock, token in pairs if token[0] == "TICK"]
    for tick in range(1, len(counts)):
        expected = counts[tick] * tb.words + plan.places + 1 + plan.settle
        expect_equal("clocks of a tick", expected, clocks[tick] - clocks[tick - 1], tick=tick)

    # Two plasticity words of one word of neurons must not come close together.
    rest = tb.layer.n_neurons - (tb.words - 1) * tb.lanes
    spread = [word * tb.lanes + lane for lane in range(rest) for word in range(tb.words)]

    async def beyond(rate: int, n_events: int, neurons: list[int]) -> int:
        """Present a sample; return the clocks behind its END that do not go with its words and rows."""
        tb.set_rate(rate)
        tb.present(Stimulus(3, True, [list(range(n_events))], [(neuron, True) for neuron in neurons]))
        await tb.harness.run_until(lambda: not sweeps.left)
        at_end = tb.sweeps.clocks[-1]
        await tb.harness.run_until(lambda: not tb.harness.get("busy"))
        took = tb.harness.clocks - at_end
        await tb.finish()
        row = tb.clocks_of_row if tb.number > 0 or rate else 1
        return took - len(neurons) - n_events * row

    always = FULL_PROBABILITY
    plans = ((always, n, 1), (always, 1, len(spread)), (always, n // 2, 2), (0, n, 1), (0, 1, 1))
    clocks = [await beyond(rate, n_events, spread[:n_words]) for rate, n_events, n_words in plans]
    # A later layer waits until the vote of its last row has left; one for nothing is through 2 clocks sooner.
    # A memory with one port takes a replayed word every other clock, and the first one may have to wait for its turn.
    loose = (2 if tb.number else 0) + tb.one_port
    assert max(clocks) - min(clocks) <= loose, f"clocks beyond those of words and rows: {clocks}"
    if tb.lanes > 1 and not tb.number:
        together = await beyond(always, 1, [0, 1])
        more, expected = together - clocks[0], sum(plan.word_latency)
        assert abs(more - expected) <= tb.one_port, f"clocks more for two of one word: {more}, not {expected}"
