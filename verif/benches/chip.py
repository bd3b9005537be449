# SPDX-License-Identifier: BSD-2-Clause
"""Bench of the chip: random frames against the generated array, compared with the models of link and array."""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb

from erbium.hdl.registers import RegisterMap, WindowNumber
from erbium.sw_model.network import Network
from erbium.verif.benches.host_link import Serial
from erbium.verif.link_array import ModelledArray
from erbium.verif.link_model import SAMPLE_REPLY, LinkModel, Reply, frame_of, message_of
from erbium.verif.link_traffic import Traffic, read, write
from erbium.verif.registry import current
from erbium.verif.scoreboard import differ, expect_equal
from erbium.verif.streams import Harness

PATIENCE = 60_000
N_MESSAGES = 25


class TB:
    """A host that waits for each reply, at the line or at the bytes of the frames."""

    def __init__(self, dut: Any) -> None:
        case = current()
        self.harness = Harness(dut, "0")
        self.random = self.harness.random
        if "registers" in case.options:
            self.registers: RegisterMap = case.options["registers"]
        else:
            keys = ("network", "hardware", "clock_frequency", "buffer_bytes")
            self.registers = RegisterMap(*(case.options[key] for key in keys))
        network = self.registers.network
        assert isinstance(network, Network)
        self.array = ModelledArray(network)
        self.model = LinkModel(self.registers, self.array)
        self._serial: Serial | None = None
        if hasattr(dut, "rx"):
            # The line rests during the reset, too.
            self.harness.set(rx=1)
            self._serial = Serial(self, case.stimuli["period"])
            self.send = self._serial.send
        else:
            self.send = self.harness.drive("byte_i").send
            self.harness.monitor("byte_o", self.receive)
        self._incoming = b""
        self._expected: deque[Reply] = deque()
        self.samples = 0

    def receive(self, byte: int) -> None:
        """Take a byte of the replies; compare each reply when it is complete."""
        self._incoming += bytes([byte])
        if byte:
            return
        message, self._incoming = message_of(self._incoming[:-1]), b""
        if not self._expected or not self._expected[0].accepts(message):
            raise differ("reply", self._expected and self._expected[0], message.hex())
        self._expected.popleft()

    async def clock(self) -> None:
        """Do a clock."""
        await self.harness.edge()
        if self._serial:
            self._serial.prepare()
        await self.harness.settle()
        if self._serial:
            self._serial.observe()

    async def exchange(self, *messages: bytes) -> None:
        """Send messages and wait for all replies."""
        for message in messages:
            frame = frame_of(message)
            reply = self.model.take(frame[:-1])
            self.samples += reply.kind == SAMPLE_REPLY
            self._expected.append(reply)
            self.send(*frame)
        for _ in range(PATIENCE):
            if not self._expected:
                return
            await self.clock()
        raise differ("reply", self._expected[0], f"none after {PATIENCE} clocks")


@cocotb.test()
async def exchanged(dut: Any) -> None:
    """Weights written, samples learned and inferred, wrong messages; at the end every register and weight."""
    tb = TB(dut)
    await tb.harness.reset()
    for number, layer in enumerate(tb.registers.populations):
        window = tb.registers.window(WindowNumber.WEIGHTS + number)
        size = window.entry_bytes // layer.n_neurons
        for entry in range(window.entries):
            row = [weight.to_bytes(size, "little", signed=True) for weight in tb.array.row(number, entry)]
            await tb.exchange(write(0, window.number, entry, b"".join(row)))
    source = Traffic(tb.random, tb.model)
    for _ in range(N_MESSAGES):
        await tb.exchange(source.message() if tb.random.random() < 0.8 else source.wrong())
    for window in tb.registers.windows:
        await tb.exchange(read(1, window.number, 0, window.entries))
    expect_equal("whether there were samples", True, tb.samples > 0)
