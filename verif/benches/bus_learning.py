# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the array on a bus while it is at work: digits learned among accesses, and several accesses at once."""

from __future__ import annotations

import os
from typing import Any

import cocotb

from erbium.hdl.bus_map import BusError
from erbium.sw_model.constants import sample_seeds
from erbium.verif.benches.bus import MOST_CLOCKS, TB
from erbium.verif.bus_hosts import clocks
from erbium.verif.bus_model import Access
from erbium.verif.scoreboard import differ, expect_equal

DIGITS_VARIABLE, BATCHES_VARIABLE = "ERBIUM_BUS_DIGITS", "ERBIUM_BUS_BATCHES"
DIGITS = int(os.environ.get(DIGITS_VARIABLE, "3"))
BATCHES = int(os.environ.get(BATCHES_VARIABLE, "20"))


async def meanwhile(tb: TB, access: Access) -> None:
    """Carry an access out while a sample is in the array, which may leave it before the answer comes."""
    refused, data = await tb.host.access(access)
    tb.transfers += 1
    busy = not tb.idle
    if not busy and refused:
        # What it was refused for says whether the sample was still there; reading it changes nothing.
        _, code = await tb.host.access(Access(tb.model.map.register("last_error")))
        busy = code == BusError.BUSY
        expected = tb.model.access(access, busy=busy)
    elif busy:
        expected = tb.model.access(access, busy=True)
        if expected[1] is not None and not access.write and data != expected[1]:
            raise differ("word", hex(expected[1]), hex(data), transfer=tb.transfers, access=access)
    else:
        expected = tb.model.access(access)
    code_name = BusError(tb.model.last_error).name if expected[0] else "done"
    tb.seen[code_name] += 1
    if refused != expected[0]:
        raise differ(
            "refusal", expected[0], refused, transfer=tb.transfers, access=access, last_error=code_name
        )


async def present(tb: TB, words: list[int]) -> None:
    """Have a sample processed among accesses of every kind, and compare its result."""
    turn = tb.model.next_turn
    if tb.is_axi:
        await tb.host.send(words)
        expect_equal("whether it is a sample", True, tb.model.packet(words))
    else:
        for access in tb.traffic.sample_writes(words):
            await tb.access(access)
    for _ in range(MOST_CLOCKS):
        if tb.idle:
            break
        await meanwhile(tb, tb.traffic.access_while_busy())
        await clocks(tb.dut, tb.random.choice((0, 0, 1, 40)))
    else:
        raise differ("idle", 1, 0, accesses=MOST_CLOCKS)
    if tb.is_axi:
        expect_equal("result", tb.model.result(), await tb.host.result())
    else:
        for word in range(2):
            await tb.access(Access(0x400 + 8 * (turn % 16) + 4 * word))


@cocotb.test()
async def digits(dut: Any) -> None:
    """Digits are learned while accesses of every kind are made; every answer, register and weight is the model's."""
    from erbium.sw_model.datasets import load

    tb = TB(dut, "0")
    await tb.start()
    network = tb.registers.network
    data = load(allow_download=False, n_inputs=tb.registers.n_inputs)
    images = data.train.images[:DIGITS].reshape(-1, tb.registers.n_inputs)
    seeds = sample_seeds(network.seed, True, 0, len(images)).tolist()
    for seed, image, label in zip(seeds, images.tolist(), data.train.labels.tolist(), strict=False):
        pixels = [address << 8 | value for address, value in enumerate(image) if value]
        await present(tb, [seed, label | 1 << 8, *pixels])
    await tb.read("last_error")
    await tb.read("refused")
    await tb.read("count_samples")
    await tb.everything()
    cocotb.log.info("%d digits learned among %d accesses: %s", DIGITS, tb.transfers, dict(tb.seen))
    for code in ("done", "BUSY", "OUT_OF_WINDOW", "READ_ONLY", "BAD_LENGTH"):
        expect_equal(f"whether some were {code}", True, tb.seen[code] > 0)


@cocotb.test()
@cocotb.parametrize(stall=("0", "0.6"))
async def at_once(dut: Any, stall: str) -> None:
    """Several accesses are under way at once; each gets its own answer, and a refusal stops none of the others."""
    tb = TB(dut, stall)
    await tb.start()
    clear = Access(tb.model.map.register("control"), True, 2)
    for _ in range(BATCHES):
        accesses = tb.traffic.batch()
        answers = await tb.host.several(accesses)
        expect_equal("answers", len(accesses), len(answers))
        for access, (refused, data) in zip(accesses, answers, strict=True):
            tb.transfers += 1
            expected = tb.model.access(access)
            tb.seen["refused" if refused else "write" if access.write else "read"] += 1
            where = {"transfer": tb.transfers, "access": access}
            if refused != expected[0]:
                raise differ("refusal", expected[0], refused, **where)
            if not access.write and expected[1] is not None and data != expected[1]:
                raise differ("word", hex(expected[1]), hex(data), **where)
        await tb.read("refused")
        # Which of a read and a write came last is up to the array.
        await tb.access(clear)
    await tb.everything()
    cocotb.log.info("%d accesses in %d batches: %s", tb.transfers, BATCHES, dict(tb.seen))
    for kind in ("refused", "write", "read"):
        expect_equal(f"whether some were {kind}", True, tb.seen[kind] > 0)
