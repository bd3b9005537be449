# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the array on a bus: random transfers, accesses while it learns, and samples that it learns."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import cocotb
from cocotb.clock import Clock

from erbium.hdl.bus_map import BusError
from erbium.hdl.registers import RegisterMap
from erbium.verif.bus_hosts import AxiHost, WishboneHost, clocks
from erbium.verif.bus_model import Access, BusModel
from erbium.verif.bus_traffic import BusTraffic
from erbium.verif.link_array import ModelledArray
from erbium.verif.registry import current
from erbium.verif.scoreboard import differ, expect_equal
from erbium.verif.streams import random_for

TRANSFERS_VARIABLE, LEARNED_VARIABLE = "ERBIUM_BUS_TRANSFERS", "ERBIUM_BUS_LEARNED"
TRANSFERS = int(os.environ.get(TRANSFERS_VARIABLE, "250"))
LEARNED = int(os.environ.get(LEARNED_VARIABLE, "3"))
MOST_CLOCKS = 200_000


class TB:
    """A host, the array on its bus, and the model."""

    def __init__(self, dut: Any, stall: str) -> None:
        self.dut = dut
        self.registers: RegisterMap = current().options["registers"]
        Clock(dut.clk, 10, unit="ns", impl="gpi").start()
        dut.rst.value = 1
        self.stall = stall
        self.is_axi = hasattr(dut, "s_axi_awaddr")
        if not self.is_axi:
            for name in ("cyc", "stb", "we", "adr", "sel", "datwr"):
                getattr(dut, f"wb_{name}").value = 0
        self.random = random_for("bus", stall)
        self.array = ModelledArray(self.registers.network)
        self.model = BusModel(self.registers, self.array, streams=self.is_axi)
        self.traffic = BusTraffic(self.random, self.model)
        self.seen: Counter[str] = Counter()
        self.transfers = 0

    async def start(self) -> None:
        """Reset, and write all weights."""
        await clocks(self.dut, 3)
        # Not before: what is put at once at time 0 stays unknown to Icarus.
        self.host: Any = (AxiHost if self.is_axi else WishboneHost)(self.dut, self.stall)
        await clocks(self.dut, 3)
        self.dut.rst.value = 0
        await clocks(self.dut, 100)
        for layer, population in enumerate(self.registers.populations):
            for row in range(population.n_rows):
                for neuron, weight in enumerate(self.array.row(layer, row)):
                    address = self.model.map.weight(layer, row, neuron)
                    refused, _ = await self.host.access(Access(address, True, weight & 0xFFFF_FFFF))
                    expect_equal(f"refusal of weight {layer, row, neuron}", False, refused)

    @property
    def idle(self) -> bool:
        """Whether no sample is in the array."""
        return bool(int(self.dut.idle.value))

    async def until_idle(self) -> None:
        """Wait for the array."""
        for _ in range(MOST_CLOCKS):
            await clocks(self.dut, 1)
            if self.idle:
                return
        raise differ("idle", 1, 0, clocks=MOST_CLOCKS)

    async def access(self, access: Access, *, busy: bool = False) -> None:
        """Carry an access out; compare what it comes to with the model."""
        cocotb.log.debug("%s", access)
        try:
            refused, data = await self.host.access(access)
        except AssertionError as error:
            raise AssertionError(f"{error}; transfer {self.transfers + 1}: {access}") from error
        self.transfers += 1
        expected = self.model.access(access, busy=busy)
        code = BusError(self.model.last_error).name if expected[0] else "done"
        self.seen[code] += 1
        where = {"transfer": self.transfers, "access": access, "last_error": code}
        if refused != expected[0]:
            raise differ("refusal", expected[0], refused, **where)
        if expected[1] is not None and not access.write and data != expected[1]:
            raise differ("word", hex(expected[1]), hex(data), **where)

    async def read(self, name: str) -> None:
        """Read a register."""
        await self.access(Access(self.model.map.register(name)))

    async def sample(self, words: list[int]) -> None:
        """Have a sample processed, or refused; compare its result."""
        turn = self.model.next_turn
        if self.is_axi:
            await self.host.send(words)
            if self.model.packet(words):
                expect_equal("result", self.model.result(), await self.host.result())
        else:
            for access in self.traffic.sample_writes(words):
                await self.access(access)
        await self.until_idle()
        if not self.is_axi and turn != self.model.next_turn:
            for word in range(2):
                await self.access(Access(0x400 + 8 * (turn % 16) + 4 * word))

    async def weights(self) -> None:
        """Compare all weights."""
        for layer, population in enumerate(self.registers.populations):
            for row in range(population.n_rows):
                for neuron in range(population.n_neurons):
                    await self.access(Access(self.model.map.weight(layer, row, neuron)))

    async def everything(self) -> None:
        """Compare all registers and weights."""
        for word in range(self.registers.n_words):
            await self.access(Access(4 * word))
        await self.weights()


@cocotb.test()
@cocotb.parametrize(stall=("0", "0.6"))
async def transfers(dut: Any, stall: str) -> None:
    """Random transfers, right and wrong, with samples among them."""
    tb = TB(dut, stall)
    await tb.start()
    while tb.transfers < TRANSFERS // 2:
        if tb.is_axi and tb.random.random() < 0.03:
            await tb.sample(tb.traffic.sample() if tb.random.random() < 0.6 else tb.traffic.wrong_sample())
        turn = tb.model.next_turn
        refused = tb.model.refused
        await tb.access(tb.traffic.access())
        if tb.model.refused != refused and tb.random.random() < 0.4:
            await tb.read("last_error")
        if tb.model.next_turn != turn:
            await tb.until_idle()
    cocotb.log.info("%d transfers: %s", tb.transfers, dict(tb.seen))
    await tb.read("last_error")
    await tb.read("refused")
    await tb.everything()
    for code in ("done", "OUT_OF_WINDOW", "BAD_LENGTH", "BAD_VALUE"):
        expect_equal(f"whether some were {code}", True, tb.seen[code] > 0)


@cocotb.test()
async def in_the_middle(dut: Any) -> None:
    """While a sample is learned, weights and settings are refused, and nothing is changed."""
    tb = TB(dut, "0")
    await tb.start()
    plan, registers = tb.model.map, tb.registers
    learned = [7, 1 << 8, *(address << 8 | 255 for address in range(registers.n_inputs))]
    row = [Access(plan.weight(0, 1, neuron), True, 5 - neuron & 0xFFFF_FFFF) for neuron in range(3)]
    for access in row[:2]:
        await tb.access(access)
    turn = tb.model.next_turn
    if tb.is_axi:
        await tb.host.send(learned)
        expect_equal("whether it is a sample", True, tb.model.packet(learned))
    else:
        for access in tb.traffic.sample_writes(learned):
            await tb.access(access)
    expect_equal("turn", turn + 1, tb.model.next_turn)
    for access in (
        row[2],
        row[0],
        Access(plan.weight(0, 0, 0)),
        Access(plan.weight(1, 2, 0), True, 3),
        Access(plan.register("n_ticks"), True, 1),
        Access(plan.register("decide_after"), True, 1),
        Access(plan.register("status")),
        Access(plan.register("next_turn")),
        Access(plan.register("n_ticks")),
        Access(1 << plan.address_bits - 1 | (1 << plan.address_bits - 1) - 4),
    ):
        expect_equal("idle", False, tb.idle)
        await tb.access(access, busy=True)
        expect_equal("idle", False, tb.idle)
    expect_equal("whether some were refused", True, tb.seen["BUSY"] >= 6)
    if not tb.is_axi:
        # Two fit; a third one is refused, with all of its words.
        second, third = tb.traffic.sample_writes([1, 0]), tb.traffic.sample_writes([2, 0, 1])
        for access in second:
            await tb.access(access, busy=True)
        expect_equal("idle", False, tb.idle)
        for access in third:
            refused, _ = await tb.host.access(access)
            tb.model.refuse(BusError.BUSY)
            expect_equal("whether a third sample is refused", True, refused)
    await tb.until_idle()
    await tb.read("last_error")
    await tb.access(row[2])
    await tb.everything()


@cocotb.test()
async def given_up(dut: Any) -> None:
    """A soft reset drops a sample that has begun; of a row that has, it leaves the words that were full."""
    tb = TB(dut, "0.3")
    await tb.start()
    control = Access(tb.model.map.register("control"), True, 1)
    for access in list(tb.traffic.row())[:2]:
        await tb.access(access)
    await tb.access(control)
    if not tb.is_axi:
        for access in tb.traffic.sample_writes(tb.traffic.sample())[:-1]:
            await tb.access(access)
    await tb.access(control)
    await tb.sample([5, 1 << 8, 0x00FF, 0x1FF])
    await tb.everything()


@cocotb.test()
async def bounds(dut: Any) -> None:
    """The largest and smallest weights are taken, and those beyond are not: of a first-spike network -128 neither."""
    tb = TB(dut, "0")
    await tb.start()
    for layer, population in enumerate(tb.registers.populations):
        least, most = population.weight_min, population.weight_max
        for weight in (most, most + 1, least, least - 1, 0):
            await tb.access(Access(tb.model.map.weight(layer, 0, 0), True, weight & 0xFFFF_FFFF))
            await tb.read("last_error")
    expect_equal("refusals", 2 * len(tb.registers.populations), tb.seen["BAD_VALUE"])


@cocotb.test()
async def learning(dut: Any) -> None:
    """Samples that are learned; every result and all weights are those of the model."""
    tb = TB(dut, "0")
    await tb.start()
    for _ in range(LEARNED):
        words = tb.traffic.sample()
        words[1] |= 1 << 8
        await tb.sample(words)
    await tb.read("count_samples")
    await tb.weights()
    cocotb.log.info("%d samples learned", LEARNED)
