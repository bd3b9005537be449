# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the whole array: every channel token by token, every state and weight after each tick."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np

from erbium.hdl.array import rate_ports
from erbium.hdl.plan import LayerPlan
from erbium.hdl.registers import counter_names, performance_names
from erbium.sw_model.array import ArrayModel, Tick
from erbium.sw_model.constants import Array
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.results import SampleResult
from erbium.verif.benches.array_learning import array_learning
from erbium.verif.benches.layer import LayerTick, check_weights, sweep_tokens
from erbium.verif.codecs import (
    AccessCodec,
    ErrorCodec,
    EventCodec,
    ResultCodec,
    SampleCodec,
    SweepCodec,
    Token,
    decode_int16,
    feedback_codec,
)
from erbium.verif.probes import array_taps
from erbium.verif.registry import current
from erbium.verif.scoreboard import expect_equal
from erbium.verif.streams import STALLS, Harness


class TB:
    """Presents samples to the array and to its model."""

    def __init__(self, dut: Any, stall: str) -> None:
        options = current().options
        self.network: Network = options["network"]
        self.hardware: Hardware = options["hardware"]
        self.harness = harness = Harness(dut, stall)
        self.random = harness.random
        self.samples = harness.drive("sample_i", SampleCodec().encode)
        self.access = harness.drive("access_i", AccessCodec(with_layer=True).encode)
        harness.check("result_o", ResultCodec().decode)
        self.read: list[int] = []
        self.requests = harness.drive("counter_i")
        self.counted: list[int] = []
        harness.monitor("counter_o", self.counted.append)
        harness.monitor("access_o", lambda bits: self.read.append(decode_int16(bits)[1]))
        self.learning = array_learning(self.network, self.hardware, harness.board)
        self.views = self.learning.views
        self.codecs: list[EventCodec | SweepCodec] = []
        self._tap()
        self.follow(ArrayModel(self.network))
        self.presented = 0
        self.set_rates(self.network.rates)
        self.set_limits()

    def follow(self, model: ArrayModel) -> None:
        """Take a model to compare with from now on."""
        self.model = model
        for view, layer in zip(self.views, model.layers, strict=True):
            view.follow(layer)

    def _tap(self) -> None:
        decoders: dict[str, Any] = {"feedback": feedback_codec(self.network).decode}
        views: dict[str, Any] = {}
        for number, layer in enumerate(self.network.layers):
            name = f"layer{number + 1}"
            plan = LayerPlan(self.network, number, self.hardware)
            events = [EventCodec(plan.event_token), EventCodec(plan.event_token)]
            sweeps = SweepCodec(plan.sweep_token)
            self.codecs += [*events, sweeps]
            decoders |= {
                f"{name}_events": events[0].decode,
                f"{name}_event_i": events[1].decode,
                f"{name}_sweep": sweeps.decode,
                f"{name}_feedback": feedback_codec(self.network).decode,
                f"{name}_errors": ErrorCodec(layer.n_neurons).decode,
            }
            views |= {f"{name}_{tap}": handler for tap, handler in self.views[number].handlers().items()}
        handlers = {}
        for place, tap in enumerate(array_taps(self.network, self.hardware)):
            check = views.get(tap.name) or self.harness.checker(tap.name, decoders[tap.name])
            handlers[tap.name] = (place, check)
        self.harness.tap(handlers)

    def set_rates(self, rates: tuple[int, ...]) -> None:
        """Set the learning rate of each layer in hardware and model."""
        self.model.set_rates(rates)
        self.harness.set(**dict(zip(rate_ports(self.network), rates, strict=True)))

    def set_limits(self, n_ticks: int | None = None, decide_after: int | None = None) -> None:
        """Set the longest presentation and the spikes that settle an inference."""
        self.n_ticks = n_ticks or self.network.n_ticks
        self.model.prediction.decide_after = (
            self.network.decide_after if decide_after is None else decide_after
        )
        self.harness.set(n_ticks=self.n_ticks, decide_after=self.model.prediction.decide_after)

    # --- samples -------------------------------------------------------------------------------------

    def image(self) -> Array:
        """Return a random image, sometimes one of the corners."""
        n = self.network.n_inputs
        kind = self.random.choice(("some", "some", "many", "dark", "bright", "first", "last"))
        image = np.zeros(n, dtype=np.uint8)
        if kind in ("some", "many"):
            share = 0.3 if kind == "some" else 0.9
            for k in range(n):
                if self.random.random() < share:
                    image[k] = self.random.choice((self.random.randrange(256), self.network.lowest_pixel))
        elif kind == "bright":
            image[:] = 255
        elif kind != "dark":
            image[0 if kind == "first" else -1] = 255
        return image

    def present(self, image: Array, seed: int, label: int | None) -> SampleResult:
        """Queue a sample for the array; let the scoreboard expect what the model makes of it."""
        number = self.presented
        begin: Token = ("BEGIN", seed, label or 0, int(label is not None))
        pixels = [("PIXEL", int(value), k) for k, value in enumerate(image)]
        # Pixels that cannot spike may be left out.
        lowest = self.network.lowest_pixel
        kept = [pixel for pixel in pixels if pixel[1] >= lowest or self.random.random() < 0.5]
        self.samples.send(begin, *kept, ("END",))
        board = self.harness.board
        layers = range(1, len(self.network.layers) + 1)
        for n in layers:
            for stream in ("events", "event_i", "sweep"):
                board.channel(f"layer{n}_{stream}").expect(begin, sample=number)
        feedback = ["feedback"] + [
            f"layer{n}_feedback" for n in layers if self.network.layers[n - 1].feedback != "none"
        ]

        def observe(array: ArrayModel, tick: Tick) -> None:
            where = {"sample": number, "tick": tick.number}
            events = [tick.input_spikes, *tick.layer_spikes]
            for n in layers:
                when = (tick.number,) if self.views[n - 1].layer.events_timed else ()
                tokens = [*(("SPIKE", k, *when) for k in events[n - 1]), ("TICK",)]
                board.channel(f"layer{n}_events").expect_all(tokens, **where)
                board.channel(f"layer{n}_event_i").expect_all(tokens, **where)
                layer, spikes = array.layers[n - 1], np.array(events[n], dtype=np.int64)
                sweep = sweep_tokens(layer, spikes, self.views[n - 1].lanes, n == len(layers))
                board.channel(f"layer{n}_sweep").expect_all(sweep, **where)
                self.views[n - 1].expect(LayerTick.of(layer, spikes, number, tick.number))
            errors = [*(("SPIKE", k) for k in tick.errors), ("TICK", int(tick.stop))]
            for name in feedback:
                board.channel(name).expect_all(errors, **where)

        self.learning.begin(self.model)
        result = self.model.sample(image, seed=seed, label=label, n_ticks=self.n_ticks, observer=observe)
        for n in layers:
            for stream in ("events", "event_i", "sweep"):
                board.channel(f"layer{n}_{stream}").expect(("END",), sample=number)
        self.learning.expect(self.model, number, learn=label is not None)
        answer = ("RESULT", result.answer, result.ticks, result.ticks_to_decision)
        board.channel("result_o").expect(answer, sample=number)
        self.presented += 1
        return result

    def present_random(self, *, learn: bool) -> SampleResult:
        """Present a random sample."""
        label = self.random.randrange(self.network.n_classes) if learn else None
        return self.present(self.image(), self.random.getrandbits(32), label)

    async def finish(self) -> None:
        """Run to the end of all samples; compare counters, and the weights as the host reads them."""
        await self.harness.finish()
        for view in self.views:
            expect_equal(f"{view.name} ticks without a sweep", 0, view.left)
        expect_equal("idle", 1, self.harness.get("idle"))
        counters = await self.counters()
        for name in counter_names(self.network):
            expect_equal(name, self.model.counters()[name], counters[name])
        await self.check_weights()
        expect_equal("collision", 0, self.harness.get("collision"))

    async def counters(self) -> dict[str, int]:
        """Read all counters as the host does."""
        names = counter_names(self.network) + performance_names(self.network)
        self.counted.clear()
        self.requests.send(*range(len(names)))
        await self.harness.run_until(lambda: len(self.counted) == len(names))
        return dict(zip(names, self.counted, strict=True))

    # --- weights -------------------------------------------------------------------------------------

    async def load(self, weights: list[Array]) -> None:
        """Write all weights of all layers."""
        self.model.load(weights)
        for number, values in enumerate(weights):
            for row, line in enumerate(values):
                self.access.send(("SEEK", row, number), *(("WRITE", int(w), number) for w in line))
        await self.harness.run_until(lambda: not self.access.left)
        await self.harness.run_for(20 + max(view.lanes for view in self.views))

    async def read_weights(self) -> list[Array]:
        """Read all weights of all layers."""
        result = []
        for number, layer in enumerate(self.network.layers):
            shape = (self.network.n_rows(number), layer.n_neurons)
            self.read.clear()
            for row in range(shape[0]):
                self.access.send(("SEEK", row, number), *[("READ", number)] * shape[1])
            await self._answers(shape[0] * shape[1])
            result.append(np.array(self.read, dtype=np.int64).reshape(shape))
        return result

    async def _answers(self, count: int) -> None:
        await self.harness.run_until(lambda: len(self.read) == count)

    async def check_weights(self) -> None:
        """Compare all weights as the host reads them."""
        for number, got in enumerate(await self.read_weights(), 1):
            check_weights(f"layer {number} read back", self.model.layers[number - 1].weights, got)


async def started(dut: Any, stall: str) -> TB:
    """Return a bench whose array has the initial weights."""
    tb = TB(dut, stall)
    await tb.harness.reset()
    await tb.load([w.astype(np.int64) for w in tb.network.initial_weights()])
    return tb


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def samples(dut: Any, stall: str) -> None:
    """Samples back to back: learning, inference, both."""
    tb = await started(dut, stall)
    for _ in range(3):
        tb.present_random(learn=True)
    tb.present_random(learn=False)
    tb.present_random(learn=True)
    await tb.finish()
    for _ in range(2):
        tb.present_random(learn=False)
    await tb.finish()


@cocotb.test()
async def settings(dut: Any) -> None:
    """Gains, longest presentation and early decision change between samples."""
    tb = await started(dut, "0.3")
    tb.set_rates(tb.network.scaled_rates(0.35))
    tb.present_random(learn=True)
    await tb.finish()
    for n_ticks in (1, 2):
        tb.set_limits(n_ticks=n_ticks)
        tb.present_random(learn=True)
        tb.present_random(learn=False)
        await tb.finish()
    for decide_after in (1, 2):
        tb.set_limits(decide_after=decide_after)
        tb.present(np.full(tb.network.n_inputs, 255, dtype=np.uint8), 3, None)
        tb.present_random(learn=False)
        await tb.finish()


@cocotb.test()
async def weights_at_once(dut: Any) -> None:
    """As soon as the array is idle, everything that was to be learned has been."""
    tb = await started(dut, "0")
    for _ in range(6):
        tb.present_random(learn=True)
        await tb.harness.run_until(lambda: not tb.harness.get("idle"))
        await tb.harness.run_until(lambda: bool(tb.harness.get("idle")))
        tb.learning.check_idle()
        await tb.check_weights()


@cocotb.test()
@cocotb.parametrize(clocks=(7, 150, 600))
async def reset_in_mid_sample(dut: Any, clocks: int) -> None:
    """A reset stops everything; the weights stay readable, and the next sample starts from them."""
    tb = await started(dut, "0")
    tb.present(np.full(tb.network.n_inputs, 200, dtype=np.uint8), 11, 0)
    tb.present_random(learn=True)
    await tb.harness.run_for(clocks)
    await tb.harness.reset()
    for channel in tb.harness.board.channels.values():
        channel.clear()
    for part in (*tb.views, *tb.codecs):
        part.clear()
    tb.harness.clear()
    await tb.harness.run_for(40)
    expect_equal("idle after reset", 1, tb.harness.get("idle"))
    expect_equal(
        "counters that are not 0 after reset", set(), {name for name, n in (await tb.counters()).items() if n}
    )
    weights = await tb.read_weights()
    tb.follow(ArrayModel(tb.network))
    tb.model.load(weights)
    for view, values in zip(tb.views, weights, strict=True):
        check_weights(f"{view.name} read back after reset", view.weights, values)
    tb.present_random(learn=True)
    tb.present_random(learn=False)
    await tb.finish()


@cocotb.test()
async def a_sample_that_is_not_ended(dut: Any) -> None:
    """A sample that was begun and not ended leaves no trace; until an END the array is idle."""
    tb = await started(dut, "0.3")
    for learn in (True, False, True):
        for last in (0, tb.network.n_inputs // 2, tb.network.n_inputs):
            tb.samples.send(("BEGIN", 5, 1, 1), *(("PIXEL", 255, k) for k in range(last)))
            before = await tb.counters()
            await tb.harness.run_until(lambda: not tb.samples.left)
            await tb.harness.run_for(30)
            expect_equal("idle before END", 1, tb.harness.get("idle"), pixels=last)
            expect_equal("counters before END", before, await tb.counters(), pixels=last)
        await tb.check_weights()
        tb.present_random(learn=learn)
        await tb.finish()


@cocotb.test()
async def a_layer_that_is_not_there(dut: Any) -> None:
    """Requests to a layer that is not there are dropped, and nothing is in the way of the next."""
    tb = await started(dut, "0.3")
    nowhere = len(tb.network.layers)
    tb.access.send(("SEEK", 0, nowhere), ("WRITE", 5, nowhere), ("READ", nowhere))
    await tb.harness.run_until(lambda: not tb.access.left)
    await tb.harness.run_for(30)
    expect_equal("answers", [], tb.read)
    await tb.check_weights()
