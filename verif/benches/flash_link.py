# SPDX-License-Identifier: BSD-2-Clause
"""Bench of a whole chip that learns from the flash of cocotbext-qspi; the model does what the data say.

A host on the serial line starts runs, watches them and reads the weights back; and data are damaged in every way that
the chip tells apart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, First, Timer

from erbium.gen.flash_image import FlashPass, FlashRun, block, flash_image, play, sample_payload
from erbium.hdl.flash.layout import (
    HEADER,
    LENGTH_BYTES,
    Fault,
    PixelKind,
    RunState,
    block_octets,
    octets_of,
    pass_fields,
)
from erbium.hdl.flash.link import DEBOUNCE_SECONDS
from erbium.hdl.registers import ErrorCode, RegisterMap, WindowNumber, weight_bytes
from erbium.hdl.runs import RUN_LIMIT
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.datasets import Split
from erbium.sw_model.network import Network
from erbium.verif.benches.host_link import Serial
from erbium.verif.flash_model import write_flash
from erbium.verif.link_model import frame_of, message_of
from erbium.verif.link_traffic import read, write
from erbium.verif.registry import current
from erbium.verif.scoreboard import differ, expect_equal
from erbium.verif.streams import Harness

PATIENCE = 60_000
SMALL_PATIENCE = 40_000
"""Microseconds of the simulation for a run of a small chip: four million clocks."""

ROOM = 1 << 15


class TB:
    """A host, and a flash with data."""

    def __init__(self, dut: Any) -> None:
        case = current()
        self.dut = dut
        self.network: Network = case.options["network"]
        self.data_at: int = case.options["flash"].data_at
        self.small: bool = case.options["flash"].small
        self.registers = RegisterMap(
            self.network,
            case.options["hardware"],
            case.options["clock_frequency"],
            plays=True,
            shares=self.small,
        )
        self.harness = Harness(dut, "0")
        self.random = self.harness.random
        self.harness.set(rx=1, button=0)
        self.serial = Serial(self, case.stimuli["period"])
        # A processor takes some 40,000 clocks for a sample.
        self.samples = (4, 2) if self.small else (5, 4)
        self.debounce = round(DEBOUNCE_SECONDS * case.options["clock_frequency"]) + 10
        self._incoming = b""
        self.replies: list[bytes] = []
        self._written = b""

    def receive(self, byte: int) -> None:
        """Take a byte of the replies."""
        if byte:
            self._incoming += bytes([byte])
            return
        self.replies.append(message_of(self._incoming))
        self._incoming = b""

    async def clock(self) -> None:
        """Do a clock."""
        await self.harness.edge()
        self.serial.prepare()
        await self.harness.settle()
        self.serial.observe()

    async def exchange(self, message: bytes) -> bytes:
        """Send a message, and return its reply."""
        self.serial.send(*frame_of(message))
        for _ in range(PATIENCE):
            if self.replies:
                return self.replies.pop()
            await self.clock()
        raise differ("reply", message.hex(), f"none after {PATIENCE} clocks")

    async def register(self, name: str) -> int:
        """Return a register."""
        reply = await self.exchange(read(1, WindowNumber.REGISTERS, self.registers[name].address, 1))
        return int.from_bytes(reply[2:], "little")

    async def set(self, name: str, value: int) -> None:
        """Write a register."""
        octets = value.to_bytes(4, "little")
        reply = await self.exchange(write(2, WindowNumber.REGISTERS, self.registers[name].address, octets))
        expect_equal("type of the reply", 0x82, reply[0])

    async def weights(self) -> list[list[list[int]]]:
        """Return the weights of each layer, row by row."""
        found = []
        for number, layer in enumerate(self.registers.populations):
            window = self.registers.window(WindowNumber.WEIGHTS + number)
            size = weight_bytes(layer.weight_width)
            rows = []
            for entry in range(window.entries):
                octets = (await self.exchange(read(3, window.number, entry, 1)))[2:]
                rows.append(
                    [
                        int.from_bytes(octets[at : at + size], "little", signed=True)
                        for at in range(0, len(octets), size)
                    ]
                )
            found.append(rows)
        return found

    def make(self, pixels: PixelKind) -> FlashRun:
        """Return a run with all that passes can say, on samples that are drawn."""
        network = self.network
        side = 4
        levels = (0, 255) if pixels is PixelKind.BITS else (0, 0, 40, 130, 255)

        def split(count: int) -> Split:
            images = [[self.random.choice(levels) for _ in range(network.n_inputs)] for _ in range(count)]
            labels = [self.random.randrange(network.n_classes) for _ in range(count)]
            return Split(np.array(images, np.uint8), np.array(labels, np.uint8))

        def passed(*, learn: bool, start: int, count: int, first: int, shift: int) -> FlashPass:
            rates = tuple(self.random.randint(rate // 2, rate) for rate in network.rates)
            return FlashPass(
                learn,
                "train" if learn else "test",
                start,
                count,
                first,
                self.random.randint(3, 6),
                network.decide_after,
                shift,
                rates,
            )

        n_train, n_test = self.samples
        weights = [
            np.array([[self.random.randint(-90, 90) for _ in row] for row in rows], np.int16)
            for rows in network.initial_weights()
        ]
        passes = (
            passed(learn=True, start=0, count=n_train, first=0, shift=1),
            passed(learn=False, start=0, count=n_test, first=0, shift=0),
            # From the middle, round the end and once more round.
            passed(
                learn=True,
                start=n_train - 2,
                count=n_train + 4,
                first=self.random.randrange(1 << 20),
                shift=2,
            ),
            passed(learn=False, start=1, count=n_test - 1, first=7, shift=0),
        )
        splits = {"train": split(n_train), "test": split(n_test)}
        return FlashRun(network, side, network.n_inputs // side, pixels, splits, weights, passes)

    def fill(self, octets: bytes) -> None:
        """Put data into the flash, and nothing after them."""
        write_flash(self.dut, self.data_at, octets + b"\xff" * max(0, len(self._written) - len(octets)))
        self._written = octets

    async def until_over(self, clocks: int = PATIENCE) -> None:
        """Wait until a run is over."""
        # Not yet begun, it is not active either.
        for _ in range(20):
            await self.clock()
        if self.small and self.harness.get("active"):
            # A processor takes a million clocks, in which nothing else happens: no need to look at each of them.
            await First(FallingEdge(self.dut.active), Timer(SMALL_PATIENCE, unit="us"))
            await self.clock()
        for _ in range(clocks):
            if not self.harness.get("active"):
                return
            await self.clock()
        raise differ("active", 0, f"1 after {clocks} clocks")

    async def start(self) -> None:
        """Start a run over the line."""
        await self.set("flash_run", 0)
        await self.set("flash_run", 1)

    async def check_all(self, run: FlashRun) -> None:
        """Compare a run that nothing stopped."""
        await self.check(run, Fault.NONE, len(run.weights) + len(run.passes), run.passes[-1].count)

    async def check(
        self, run: FlashRun, fault: Fault, number: int, samples: int, *, weights: bool = True
    ) -> None:
        """Compare how a run ended, and every weight."""
        engine = ArrayModel(run.network)
        rights = play(run, engine)
        state = RunState.STOPPED if fault else RunState.DONE
        found = await self.register("flash_state")
        expect_equal(
            "state, fault and pass", (state, fault, number), (found & 0xFF, found >> 8 & 0xFF, found >> 16)
        )
        expect_equal("failed", int(fault != Fault.NONE), self.harness.get("failed"))
        if run.passes and number >= len(run.weights):
            expect_equal("samples", samples, await self.register("flash_samples"))
            expect_equal("right", rights[-1], await self.register("flash_right"))
        tests = [(right, one.count) for right, one in zip(rights, run.passes, strict=True) if not one.learn]
        if tests and not fault:
            right, count = tests[-1]
            expect_equal("tested", right, await self.register("flash_tested"))
            expect_equal("percent", min(100 * (count - right) // count, 15), self.harness.get("answer"))
        if not weights:
            return
        held = [values.tolist() for values in engine.weights]
        for layer, (expected, got) in enumerate(zip(held, await self.weights(), strict=True), 1):
            for row, (mine, other) in enumerate(zip(expected, got, strict=True)):
                expect_equal("weights", mine, other, layer=layer, row=row)


@cocotb.test()
async def runs(dut: Any) -> None:
    """Bits and runs, learned and tested; a host that watches, and whose samples are refused meanwhile."""
    tb = TB(dut)
    await tb.harness.reset()
    for pixels in PixelKind:
        run = tb.make(pixels)
        tb.fill(flash_image(run, tb.data_at, ROOM))
        await tb.start()
        reply = await tb.exchange(bytes([3, 9, 0, 0b10, 0, 1, 2, 3, 4]) + bytes(-(-tb.network.n_inputs // 8)))
        expect_equal("reply to a sample", bytes([0xFF, 9, ErrorCode.OUT_OF_TURN]).hex(), reply.hex())
        expect_equal("whether the array is idle", 0, await tb.register("status") & 1)
        await tb.until_over()
        await tb.check_all(run)


@cocotb.test()
async def a_button(dut: Any) -> None:
    """A button that bounces starts one run; another press, the next one."""
    tb = TB(dut)
    await tb.harness.reset()
    run = tb.make(PixelKind.BITS)
    tb.fill(flash_image(run, tb.data_at, ROOM))
    for _ in range(1 if tb.small else 2):
        for level in (1, 0, 1, 0, 1):
            tb.harness.set(button=level)
            for _ in range(tb.random.randrange(1, tb.debounce // 2)):
                await tb.clock()
        expect_equal("active while it bounces", 0, tb.harness.get("active"))
        # A processor looks at it now and then.
        for _ in range(tb.debounce + (100 if tb.small else 0)):
            await tb.clock()
            if tb.harness.get("active"):
                break
        await tb.until_over()
        tb.harness.set(button=0)
        for _ in range(tb.debounce):
            await tb.clock()
        expect_equal("active", 0, tb.harness.get("active"))
    await tb.check_all(run)


@cocotb.test()
async def a_soft_reset(dut: Any) -> None:
    """A soft reset stops a run wherever it is, and the next run is right."""
    tb = TB(dut)
    await tb.harness.reset()
    run = tb.make(PixelKind.RUNS)
    tb.fill(flash_image(run, tb.data_at, ROOM))
    for _ in range(3):
        await tb.start()
        for _ in range(tb.random.randrange(12_000)):
            await tb.clock()
        await tb.set("control", 1)
        for _ in range(200):
            await tb.clock()
        expect_equal("active", 0, tb.harness.get("active"))
    await tb.start()
    await tb.until_over()
    await tb.check_all(run)


@cocotb.test()
async def damaged(dut: Any) -> None:
    """No data, those of another version or network, and wrong bits and blocks: a code, and nothing learned of them."""
    tb = TB(dut)
    await tb.harness.reset()
    run = tb.make(PixelKind.BITS)
    good = flash_image(run, tb.data_at, ROOM)
    tb.fill(good)
    await tb.start()
    await tb.until_over()
    head, each = block_octets(octets_of(HEADER)), block_octets(octets_of(pass_fields(len(run.weights))))
    layers = len(run.weights)
    sample = len(block(sample_payload(run.splits["train"].images[0], 0, run.pixels)))
    train_at = len(good) - sample * sum(tb.samples)
    fields = {field.name: field.at + LENGTH_BYTES for field in HEADER}

    def with_block(at: int, size: int, payload: bytes) -> bytes:
        octets = bytearray(good)
        octets[at : at + size] = block(payload)
        return bytes(octets)

    def flipped(at: int) -> bytes:
        octets = bytearray(good)
        octets[at] ^= 1 << tb.random.randrange(8)
        return bytes(octets)

    def header(name: str, change: int) -> bytes:
        payload = bytearray(good[LENGTH_BYTES : head - 4])
        payload[fields[name] - LENGTH_BYTES] ^= change
        return with_block(0, head, bytes(payload))

    def payload_of(at: int, size: int) -> bytearray:
        return bytearray(good[at + LENGTH_BYTES : at + size - 4])

    wrong_kind = payload_of(head + layers * each, each)
    wrong_kind[0] = 9
    wrong_label = payload_of(train_at + 2 * sample, sample)
    wrong_label[0] = run.network.n_classes
    first = run.passes[0]
    cases = [
        (b"", Fault.NO_DATA, 0, 0),
        (header("magic", 1), Fault.NO_DATA, 0, 0),
        (flipped(head - 2), Fault.DAMAGED_HEADER, 0, 0),
        (header("version", 2), Fault.OTHER_VERSION, 0, 0),
        (header("digest", 4), Fault.OTHER_NETWORK, 0, 0),
        (flipped(head + tb.random.randrange(2, each)), Fault.DAMAGED_BLOCK, 0, 0),
        (with_block(head + layers * each, each, bytes(wrong_kind)), Fault.WRONG_BLOCK, layers, 0),
        (flipped(train_at + 3 * sample + tb.random.randrange(2, sample)), Fault.DAMAGED_BLOCK, layers, 3),
        (with_block(train_at + 2 * sample, sample, bytes(wrong_label)), Fault.WRONG_BLOCK, layers, 2),
    ]
    last = run
    for octets, fault, number, samples in cases:
        tb.fill(octets)
        await tb.start()
        await tb.until_over()
        if number == layers:
            last = replace(run, passes=(replace(first, count=samples),) if samples else ())
        # Those of data that are none at all leave what there was; after the last of them all of it is looked at.
        await tb.check(last, fault, number, samples, weights=fault >= Fault.DAMAGED_BLOCK)


@cocotb.test()
async def wrong_within_a_sample(dut: Any) -> None:
    """A sample whose pixels are too many, or end too early, as the array has its first ones; the next run is right."""
    tb = TB(dut)
    await tb.harness.reset()
    whole = tb.make(PixelKind.RUNS)
    layers, n_inputs = len(whole.weights), tb.network.n_inputs
    image = flash_image(whole, tb.data_at, ROOM)
    sample = block(
        sample_payload(whole.splits["train"].images[1], int(whole.splits["train"].labels[1]), whole.pixels)
    )
    at = image.index(sample)
    for pixels in (
        bytes([RUN_LIMIT + n_inputs]) + bytes([200] * (n_inputs + 1)),
        bytes([RUN_LIMIT + 7]) + bytes([200] * 3),
        bytes([RUN_LIMIT + n_inputs - 1]) + bytes([200] * n_inputs) + bytes([0]),
    ):
        # What follows it lies elsewhere then, and is not come to.
        tb.fill(image[:at] + block(b"\0" + pixels))
        await tb.start()
        await tb.until_over()
        learned = replace(whole, passes=(replace(whole.passes[0], count=1),))
        await tb.check(learned, Fault.WRONG_BLOCK, layers, 1)
    tb.fill(image)
    await tb.start()
    await tb.until_over()
    await tb.check_all(whole)
