# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the layer engine: sweeps token by token, states and weights after each tick."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np

from erbium.hdl.layer import COUNTERS
from erbium.hdl.plan import LayerPlan
from erbium.hdl.row_pairs import SURE_ROWS
from erbium.sw_model.constants import Array
from erbium.sw_model.erbp import ErbpLayer
from erbium.sw_model.layer import LayerModel
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.programs import STATE_MAX, STATE_MIN
from erbium.sw_model.rng import Generator
from erbium.verif.codecs import AccessCodec, EventCodec, SweepCodec, Token, decode_int16, feedback_codec
from erbium.verif.layer_codecs import StateCodec, WriteCodec
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import STALLS, Harness, StreamDriver, random_for


class LayerView:
    """Follows the taps of one layer: compares its states word by word and its weights tick by tick.

    Parameters
    ----------
    network : Network
    number : int
    hardware : Hardware
    weights : ndarray
        What the synapse memory holds.
    """

    def __init__(self, network: Network, number: int, hardware: Hardware) -> None:
        self.plan = plan = LayerPlan(network, number, hardware)
        self.name = f"layer {number + 1}"
        self.layer, self.lanes, self.words = plan.population, plan.lanes, plan.words
        self.weights = np.zeros((plan.n_rows, plan.n_neurons), dtype=np.int64)
        self._states, self._writes = StateCodec(plan), WriteCodec(plan)
        self._expected: list[LayerTick] = []
        self._place = 0

    def handlers(self) -> dict[str, Any]:
        """Return what is called with the payloads of the taps, by their names without the layer's prefix."""
        return {"states": self.swept, "writes": self.written}

    def follow(self, model: LayerModel) -> None:
        """Take a model to compare with from now on."""

    def expect(self, tick: LayerTick) -> None:
        """Add a tick to come."""
        self._expected.append(tick)

    @property
    def left(self) -> int:
        """Ticks that have not come."""
        return len(self._expected)

    def clear(self) -> None:
        """Forget what was expected: the hardware was reset."""
        self._expected.clear()
        self._place = 0

    def written(self, bits: int) -> None:
        """Take a write of the synapse memory."""
        row, word, weights = self._writes.decode(bits)
        start = word * self.lanes
        here = self.weights[row, start : start + self.lanes]
        here[:] = weights[: here.size]

    def swept(self, bits: int) -> None:
        """Take what the neuron units say at one place of a sweep."""
        if not self._expected:
            expect_equal(f"{self.name} sweep", "nothing more", "a word of neurons")
        tick = self._expected[0]
        neurons = self.plan.neurons_at(self._place)
        for unit, (neuron, fields) in enumerate(zip(neurons, self._states.decode(bits), strict=True)):
            if neuron is None:
                expect_equal(f"{self.name} spike of a unit without neuron", 0, fields["spike"], unit=unit)
                continue
            for signal, value in fields.items():
                expect_equal(
                    f"{self.name} {signal}",
                    int(tick.values[signal][neuron]),
                    value,
                    sample=tick.sample,
                    tick=tick.number,
                    neuron=neuron,
                )
        self._place += 1
        if self._place == self.plan.places:
            self._place = 0
            self._expected.pop(0)
            check_weights(self.name, tick.weights, self.weights, sample=tick.sample, tick=tick.number)


def check_weights(name: str, expected: Array, got: Array, **where: Any) -> None:
    """Compare all weights of a layer."""
    if not np.array_equal(expected, got):
        row, neuron = (int(k) for k in np.argwhere(expected != got)[0])
        expect_equal(
            f"{name} weight",
            int(expected[row, neuron]),
            int(got[row, neuron]),
            row=row,
            neuron=neuron,
            **where,
        )


@dataclass(frozen=True)
class LayerTick:
    """What the model says of a layer after one tick."""

    sample: int
    number: int
    values: dict[str, Array]
    weights: Array

    @classmethod
    def of(cls, model: LayerModel, spikes: Array, sample: int, number: int) -> LayerTick:
        """Take a picture of the model after its sweep."""
        population = model.population
        values = {f"x{k}": x.copy() for k, x in enumerate(population.x)}
        fired = np.zeros(model.layer.n_neurons, dtype=np.int64)
        fired[spikes] = 1
        values |= {"spike": fired, "word": model.word.copy()}
        if model.layer.program.refractory:
            values["refractory"] = population.refractory.copy()
        return cls(sample, number, values, model.weights.copy())


def sweep_tokens(model: LayerModel, spikes: Array, lanes: int, with_membranes: bool) -> list[Token]:
    """Return the tokens of one tick on a sweep channel."""
    n = model.layer.n_neurons
    fired = {int(k) for k in spikes}
    tokens: list[Token] = []
    for base in range(0, n, lanes):
        here = range(base, min(base + lanes, n))
        membranes = tuple(int(model.population.x[0][k]) for k in here) if with_membranes else ()
        tokens.append(("SPIKE", base, sum(1 << (k - base) for k in here if k in fired), membranes))
    return [*tokens, ("TICK",)]


@dataclass(frozen=True)
class Stimulus:
    """One sample: seed, label (``None`` infers) and per tick the events and the error spikes formed in it."""

    seed: int
    label: int | None
    ticks: list[tuple[list[int], list[int]]]


class WeightPort:
    """What the benches of both learners do at the host's port of a layer: write all weights, read them back."""

    harness: Harness
    model: LayerModel
    view: LayerView
    access: StreamDriver
    read: list[int]
    lanes: int
    samples: int

    async def load(self, weights: Array) -> None:
        """Write all weights."""
        self.model.weights[:] = weights
        for row, values in enumerate(weights):
            self.access.send(("SEEK", row), *(("WRITE", int(w)) for w in values))
        await self.harness.run_until(lambda: not self.access.left)
        # The last word is still on its way.
        await self.harness.run_for(self.lanes + 20)
        check_weights("written", self.model.weights, self.view.weights)

    async def check_weights(self) -> None:
        """Read all weights back and compare."""
        shape = self.model.weights.shape
        self.read.clear()
        self.access.send(("SEEK", shape[0] - 1))  # which the next one takes back at once
        for row in range(shape[0]):
            self.access.send(("SEEK", row), *[("READ",)] * shape[1])
        await self.harness.run_until(lambda: len(self.read) == shape[0] * shape[1])
        got = np.array(self.read, dtype=np.int64).reshape(shape)
        check_weights("read back", self.model.weights, got, sample=self.samples - 1)


def pair_clocks(plan: LayerPlan, ticks: list[list[Token]], draws: list[int], teach: int) -> list[int]:
    """Return the clocks of each tick but the first of a sample without feedback, in a layer that does two rows at once.

    Parameters
    ----------
    plan : LayerPlan
    ticks : list of list
        The tokens of the spikes, one of which is there in each clock.
    draws : list of int
        Random numbers of the rows that learn, at least as many as a tick has; empty if none does. There is no
        plasticity word but 0, so those that rows take before that is known are given back.
    teach : int
        Clocks of the margin.

    Notes
    -----
    What is given out is looked at a clock before it can be issued, and the next one in the clock in which its last word
    is. All clocks are those of an issue; a sample's ticks begin with 0, the last part of the first one's sweep.
    """
    stages, shift = plan.stages, plan.population.rounding_shift
    apart = stages["X"] + 2 - stages["A"]
    learns = plan.rule.swept_rule() is not None
    widest = 1 << plan.rule.word_bits(plan)
    swept, written = 0, set[int]()
    ends = [0]
    for number, tokens in enumerate(ticks[1:], 1):
        armed = bool(draws) and number >= plan.rule.rule.first_tick
        known_at = swept + stages["E"] + 3
        looked, free = swept + 3, swept + 2 + plan.settle
        queue, left, taken = list(tokens), False, 0
        # So many rows were looked at in a clock; they are counted two clocks later.
        rows_at: dict[int, int] = {}
        while True:
            known = looked >= known_at or not learns
            if not queue and not left and not known:
                looked = known_at
                known = True
            bias = not queue and plan.has_bias and known
            of_head = len(queue[0]) - 1 if queue else int(bias)
            change = [
                armed and looked < known_at and (r >= (1 << shift) - widest or r < widest)
                for r in (draw & (1 << shift) - 1 for draw in draws[taken : taken + 2])
            ] or [False, False]
            two = bool(of_head) if left else of_head == 2
            n_rows = sum(rows for at, rows in rows_at.items() if at + 2 <= looked)
            pair = two and not all(change) and looked + 1 - apart not in written and n_rows < SURE_ROWS - 3
            rows = 1 + pair if left or of_head else 0
            clock = max(looked + 1, free)
            for _ in range(plan.words if rows else 0):
                while pair and clock - apart in written:
                    clock += 1
                if any(change[: 1 + pair]):
                    written.add(clock)
                clock += 1
            rows_at[looked] = rows
            looked, free = clock - 1, clock
            taken += rows if armed and looked < known_at else 0
            if left and not pair:
                left = False
                continue
            if not queue:
                break
            # The second spike of a token stays, unless it went along.
            left = of_head == 2 and (left or not pair)
            queue.pop(0)
        swept = free - 1 + teach + plan.places
        ends.append(swept)
    return [after - before for before, after in itertools.pairwise(ends)]


class TB(WeightPort):
    """Drives one layer and its model with the same tokens."""

    model: ErbpLayer

    def __init__(self, dut: Any, stall: str) -> None:
        self.case = current()
        options = self.case.options
        self.network: Network = options["network"]
        self.number: int = options["number"]
        hardware: Hardware = options["hardware"]
        self.layer = self.network.layers[self.number]
        self.lanes = hardware.lanes_of(self.network, self.number)
        self.one_port = hardware.memory_of(self.number) == "spram"
        self.pairs = hardware.pairs(self.network, self.number)
        self.is_last = self.number == len(self.network.layers) - 1
        self.model = ErbpLayer(self.network, self.number)
        self.harness = harness = Harness(dut, stall)
        self.random = harness.random
        plan = LayerPlan(self.network, self.number, hardware)
        self.rows_at_once = plan.rows.at_once
        self.events = harness.drive("event_i", EventCodec(plan.event_token).encode)
        self.access = harness.drive("access_i", AccessCodec(with_layer=False).encode)
        self.feedback = None
        if self.layer.feedback != "none":
            self.feedback = harness.drive("feedback_i", feedback_codec(self.network).encode)
            self.set_gain(self.layer.gain)
        sweeps = SweepCodec(plan.sweep_token)
        self.sweeps = harness.check("sweep_o", sweeps.decode)
        self.read: list[int] = []
        harness.monitor("access_o", lambda bits: self.read.append(decode_int16(bits)[1]))
        self.view = LayerView(self.network, self.number, hardware)
        harness.tap({"states": (0, self.view.swept), "writes": (1, self.view.written)})
        self.counted = {name: harness.tally(name) for name in COUNTERS}
        self.samples = 0
        # Random numbers of their own: the stimuli stay the same.
        self.tokens, self.sent = random_for("tokens"), list[list[Token]]()

    def set_gain(self, gain: int) -> None:
        """Set the amplitude of an error spike in hardware and model."""
        self.model.rate = gain
        self.harness.set(gain=gain)

    def spike_tokens(self, rows: list[int]) -> list[Token]:
        """Return the tokens of spikes, with up to two in each where the layer takes two: whole in half of the ticks."""
        if self.rows_at_once == 1:
            return [("SPIKE", k) for k in rows]
        whole, tokens, left = self.tokens.randrange(2), [], list(rows)
        while left:
            count = 2 if whole or self.tokens.randrange(3) else 1
            tokens.append(("SPIKE", *left[:count]))
            left = left[count:]
        return tokens

    def errors(self) -> list[int]:
        """Return random error spikes of a tick: at most one of the two neurons of a class."""
        rate = self.random.choice((0.0, 0.2, 1.0))
        return [
            2 * c + self.random.randrange(2)
            for c in range(self.network.n_classes)
            if self.random.random() < rate
        ]

    def all_errors(self) -> list[int]:
        """Return an error spike of every class, of random signs."""
        return [2 * c + self.random.randrange(2) for c in range(self.network.n_classes)]

    def stimulus(self, *, learn: bool, n_ticks: int) -> Stimulus:
        """Return a random sample with every corner of an event channel in it."""
        n = self.network.shape[self.number]
        ticks = []
        for _ in range(n_ticks):
            kind = self.random.choice(("none", "all", "first", "last", "some", "some", "many"))
            rate = {"some": 0.2, "many": 0.7}.get(kind, 0.0)
            events = {
                "none": [],
                "all": list(range(n)),
                "first": [0],
                "last": [n - 1],
            }.get(kind, [k for k in range(n) if self.random.random() < rate])
            ticks.append((events, self.errors()))
        label = self.random.randrange(self.network.n_classes) if learn else None
        return Stimulus(self.random.getrandbits(32), label, ticks)

    def present(self, stimulus: Stimulus) -> None:
        """Queue a sample for the hardware, and what the model makes of it for the scoreboard."""
        model, learn, label = self.model, stimulus.label is not None, stimulus.label or 0
        begin = ("BEGIN", stimulus.seed, label, int(learn))
        sweeps = self.harness.board.channel("sweep_o")
        where: dict[str, Any] = {"sample": self.samples}
        self.events.send(begin)
        sweeps.expect(begin, **where)
        model.begin(stimulus.seed, learn)
        delay = self.network.feedback_delay
        for number, (events, errors) in enumerate(stimulus.ticks):
            where["tick"] = number
            self.sent.append(self.spike_tokens(events))
            self.events.send(*self.sent[-1], ("TICK",))
            if self.feedback is not None:
                stop = self.random.randrange(2)
                self.feedback.send(*(("SPIKE", k) for k in errors), ("TICK", stop))
            for k in (*events, model.n_rows - 1):
                model.row(k)
            if learn and self.is_last:
                model.teach(label)
            if self.feedback is not None and number >= delay:
                model.feedback(stimulus.ticks[number - delay][1])
            spikes = model.sweep()
            sweeps.expect_all(sweep_tokens(model, spikes, self.lanes, self.is_last), **where)
            self.view.expect(LayerTick.of(model, spikes, self.samples, number))
        self.events.send(("END",))
        if self.feedback is not None:
            self.feedback.send(("END",))
        sweeps.expect(("END",), sample=self.samples)
        self.samples += 1

    async def finish(self) -> None:
        """Run to the end; compare weights and counters; no memory may have been misused."""
        await self.harness.finish()
        expect_equal("ticks without a sweep", 0, self.view.left)
        await self.check_weights()
        self.check_counters()
        expect_equal("collision", 0, self.harness.get("collision"))

    def check_access_time(self, clocks: int) -> None:
        """Compare the clocks of writing or reading all weights with what :class:`WeightAccess` promises."""
        rows, n = self.model.weights.shape
        words = -(-n // self.lanes)
        most = rows * (1 + n + words * (self.lanes + 12)) + self.lanes + 20
        assert clocks <= most, f"all weights took {clocks} clocks; it must be at most {most}"

    def check_counters(self) -> None:
        """Compare the counters."""
        counters = self.model.counters
        rows = counters.synaptic_operations // self.layer.n_neurons
        words = -(-self.layer.n_neurons // self.lanes)
        expected = vars(counters) | {"rows_transmitted": rows, "row_words": rows * words}
        for name, tally in self.counted.items():
            expect_equal(name, expected[name], tally.total, sample=self.samples - 1)

    def extreme_weights(self) -> Array:
        """Return weights of which many lie at or near the clips."""
        low, high = self.layer.weight_min, self.layer.weight_max
        choices = [low, low + 1, high - 1, high, 0, 1, -1]
        values = [
            self.random.choice(choices) if self.random.random() < 0.5 else self.random.randint(low, high)
            for _ in range(self.model.weights.size)
        ]
        return np.array(values, dtype=np.int64).reshape(self.model.weights.shape)

    def saturating_weights(self) -> Array:
        """Return weights that drive the port of a neuron to one end, and then to the other."""
        rows, n = self.model.weights.shape
        low, high = self.layer.weight_min, self.layer.weight_max
        weights = np.full((rows, n), high, dtype=np.int64)
        weights[:, 1::3] = low
        # The last neurons start at one end and come part of the way back.
        weights[-20:, ::2] = low
        weights[-20:, 1::2] = high
        if self.rows_at_once == 2:
            # Of two rows, one turns back from the end that the other one meets, in whichever order they go together.
            # Then all go back to where a membrane shows where they have been.
            weights[260:280:2] = high
            weights[261:280:2] = low
            weights[280:] = 0
            weights[280:536] = low
            weights[280:538, 1::3] = high
        return weights


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def samples(dut: Any, stall: str) -> None:
    """Random samples, learning and not, from initial and from extreme weights."""
    tb = TB(dut, stall)
    if tb.case.stimuli.get("saturate") and stall != "0.3":
        return  # such a layer is there for the test below
    await tb.harness.reset()
    await tb.load(tb.model.weights.copy())
    for weights in (None, tb.extreme_weights()):
        if weights is not None:
            await tb.load(weights)
        for _ in range(3):
            tb.present(tb.stimulus(learn=tb.random.random() < 0.8, n_ticks=tb.random.randint(1, 9)))
        await tb.finish()


class ClipCount:
    """Counts how often the model clips a weight at its lower and at its upper end."""

    def __init__(self, model: ErbpLayer) -> None:
        self.lower = self.upper = 0
        self._model, self._row = model, model.row
        model.row = self.row  # type: ignore[method-assign]

    def row(self, k: int) -> None:
        """Do a row pass of the model."""
        model, layer = self._model, self._model.layer
        before, rows = model.weights[k].copy(), model.counters.rows_learned
        self._row(k)
        if model.counters.rows_learned > rows and layer.synapse_keep == 256:
            r = model.plasticity_draws.state & ((1 << layer.rounding_shift) - 1)
            wanted = before - ((model.word + r) >> layer.rounding_shift)
            self.lower += int((wanted < layer.weight_min).sum())
            self.upper += int((wanted > layer.weight_max).sum())


@cocotb.test()
async def learning(dut: Any) -> None:
    """Strong errors of one sign, then of the other, push weights against both of their ends."""
    tb = TB(dut, "0.3")
    if tb.case.stimuli.get("saturate"):
        return  # there are too many rows for the membranes to stay within the gate
    await tb.harness.reset()
    clips = ClipCount(tb.model)
    low, high = tb.layer.weight_min, tb.layer.weight_max
    weights = tb.model.weights.copy()
    weights[::2] = low
    weights[1::2] = high
    # The bias holds the membranes up while the pairs lose their balance.
    weights[-1] = 20 << (tb.layer.weight_width - 8) if tb.layer.weight_width >= 8 else high
    await tb.load(weights)
    n = tb.network.shape[tb.number]
    errors: list[int] = []
    for sample in range(8):
        # Every second sample has the errors of the one before with the other sign.
        errors = [e ^ 1 for e in errors] if sample % 2 else tb.all_errors()
        ticks = []
        for _ in range(12):
            # Neighbours cancel, so that the membranes stay within the gate.
            pairs = [k for k in range(0, n - 1, 2) if tb.random.random() < 0.5]
            events = [k for pair in pairs for k in (pair, pair + 1)]
            ticks.append((events, errors))
        tb.present(Stimulus(tb.random.getrandbits(32), tb.random.randrange(tb.network.n_classes), ticks))
    await tb.finish()
    changed = tb.model.counters.weights_changed
    tb.harness.log(f"{changed} weights changed, {clips.lower} clipped below, {clips.upper} above")
    if tb.layer.rule is None:
        expect_equal("weights changed", 0, changed)
    else:
        assert changed > 10, f"only {changed} weights changed"
        if tb.layer.synapse_keep == 256:
            assert min(clips.lower, clips.upper) > 0, "no weight met one of the ends"


@cocotb.test()
async def saturation(dut: Any) -> None:
    """Every input spikes and every weight is at an end: the input ports saturate at both ends."""
    tb = TB(dut, "0.3")
    await tb.harness.reset()
    weights = tb.saturating_weights()
    await tb.load(weights)
    n = tb.network.shape[tb.number]
    ends: set[int] = set()
    add = tb.model.population.add

    def watched(port: int, values: Array) -> None:
        add(port, values)
        ends.update({STATE_MIN, STATE_MAX} & {int(u) for u in tb.model.population.u[0]})

    tb.model.population.add = watched  # type: ignore[method-assign]
    for learn in (False, True):
        label = 0 if learn else None
        tb.present(Stimulus(5, label, [(list(range(n)), tb.errors()) for _ in range(3)]))
    await tb.finish()
    if tb.case.stimuli.get("saturate"):
        expect_equal("ends that the ports met", {STATE_MIN, STATE_MAX}, ends)


@cocotb.test()
async def nothing_comes(dut: Any) -> None:
    """Ticks and samples without an event follow each other as closely as they can, and every error neuron spikes."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    await tb.load(tb.model.weights.copy())
    for n_ticks in (8, 1, 1, 8, 1):
        label = tb.random.choice((None, tb.random.randrange(tb.network.n_classes)))
        ticks: list[tuple[list[int], list[int]]] = [([], tb.all_errors()) for _ in range(n_ticks)]
        tb.present(Stimulus(tb.random.getrandbits(32), label, ticks))
    await tb.finish()


@cocotb.test()
async def throughput(dut: Any) -> None:
    """Row passes follow each other without a bubble: the clocks of a tick are exactly as the component says."""
    tb = TB(dut, "0")
    await tb.harness.reset()
    if tb.layer.rule is None and tb.feedback is not None:
        return  # such a layer is through before its next feedback has been taken
    start = tb.harness.clocks
    await tb.load(tb.model.weights.copy())
    tb.check_access_time(tb.harness.clocks - start)
    n, words = tb.network.shape[tb.number], -(-tb.layer.n_neurons // tb.lanes)
    for learn in (False, True):
        counts = [n, 0, 1, n // 2, n, n, 0]
        start = len(tb.sweeps.clocks)
        before = len(tb.harness.board.channel("sweep_o").history)
        # All feedback is there before the first sweep wants it.
        tb.present(Stimulus(9, 0 if learn else None, [(list(range(count)), []) for count in counts]))
        await tb.finish()
        history = tb.harness.board.channel("sweep_o").history[before:]
        clocks = [
            clock
            for clock, token in zip(tb.sweeps.clocks[start:], history, strict=True)
            if token[0] == "TICK"
        ]
        teach = words if learn and tb.is_last and tb.network.margin else 0
        if tb.rows_at_once == 2:
            generator = Generator(tb.model.plasticity_draws.salt)
            generator.seed(9)
            draws = [generator.draw() for _ in range(4 * n)] if learn and tb.layer.rule is not None else []
            wanted = pair_clocks(tb.view.plan, tb.sent[-len(counts) :], draws, teach)
            took_each = [after - before for before, after in itertools.pairwise(clocks)]
            expect_equal("clocks of each tick", wanted, took_each, learn=learn)
            continue
        for tick in range(1, len(counts)):
            took = clocks[tick] - clocks[tick - 1]
            rows = (counts[tick] + 1) * words
            expected = rows + teach + tb.view.plan.places + 1 + tb.view.plan.settle
            if tb.one_port and learn and tick >= tb.layer.rule.first_tick:
                # Words that learn come every other clock, or in pairs; the first may have to wait for its turn.
                expected += counts[tick] * (words % 2) if tb.pairs else rows - 1
                expected += took == expected + 1
            expect_equal("clocks of a tick", expected, took, tick=tick, spikes=counts[tick])
    start = tb.harness.clocks
    await tb.check_weights()
    tb.check_access_time(tb.harness.clocks - start)
