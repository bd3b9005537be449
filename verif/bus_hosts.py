# SPDX-License-Identifier: BSD-2-Clause
"""Hosts on a bus: the models of AXI and Wishbone that others wrote and keep, with random pauses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource
from cocotbext.axi.axil_channels import (
    AxiLiteARBus,
    AxiLiteARSource,
    AxiLiteAWBus,
    AxiLiteAWSource,
    AxiLiteBBus,
    AxiLiteBSink,
    AxiLiteRBus,
    AxiLiteRSink,
    AxiLiteWBus,
    AxiLiteWSource,
)
from cocotbext.wishbone.driver import WBOp, WishboneMaster

from erbium.verif.bus_model import Access
from erbium.verif.streams import Stall, random_for

OKAY, SLVERR = 0, 2
ACKNOWLEDGED, ERROR = 1, 2
LONGEST = 5_000
"""Clocks that an access may take at most; a hang ends so."""


def pauses(pattern: str, name: str) -> Iterator[bool]:
    """Return the pauses of one channel, clock by clock."""
    stall = Stall(pattern, name)
    while True:
        yield stall()


class AxiHost:
    """Drives the ports of :class:`erbium.hdl.bus_chip.AxiChip`.

    Each channel has a model of its own, so that all strobes and addresses can be sent.
    """

    def __init__(self, dut: Any, stall: str) -> None:
        self._dut = dut
        options = (dut.clk, dut.rst)
        self._aw = AxiLiteAWSource(AxiLiteAWBus.from_prefix(dut, "s_axi"), *options)
        self._w = AxiLiteWSource(AxiLiteWBus.from_prefix(dut, "s_axi"), *options)
        self._b = AxiLiteBSink(AxiLiteBBus.from_prefix(dut, "s_axi"), *options)
        self._ar = AxiLiteARSource(AxiLiteARBus.from_prefix(dut, "s_axi"), *options)
        self._r = AxiLiteRSink(AxiLiteRBus.from_prefix(dut, "s_axi"), *options)
        self._samples = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), *options, byte_lanes=4)
        self._results = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), *options, byte_lanes=4)
        channels = (self._aw, self._w, self._b, self._ar, self._r, self._samples, self._results)
        for number, channel in enumerate(channels):
            channel.log.setLevel("WARNING")
            if stall != "0":
                channel.set_pause_generator(pauses(stall, f"axi-{number}"))

    async def access(self, access: Access) -> tuple[bool, int]:
        """Carry an access out; return whether it was refused, and what was read."""
        (answer,) = await self.several([access])
        return answer

    async def several(self, accesses: Sequence[Access]) -> list[tuple[bool, int]]:
        """Offer accesses all at once, and then take the answers: writes and reads pass one another."""
        for access in accesses:
            if access.write:
                await self._aw.send(self._aw._transaction_obj(awaddr=access.address))
                await self._w.send(self._w._transaction_obj(wdata=access.value, wstrb=access.strobes))
            else:
                await self._ar.send(self._ar._transaction_obj(araddr=access.address))
        return [await self._answer(access) for access in accesses]

    async def _answer(self, access: Access) -> tuple[bool, int]:
        if access.write:
            response, data = int((await self._b.recv()).bresp), 0
        else:
            answer = await self._r.recv()
            response, data = int(answer.rresp), int(answer.rdata)
        assert response in (OKAY, SLVERR), f"the response is {response}"
        return response == SLVERR, data

    async def send(self, words: list[int]) -> None:
        """Send a packet of the samples' stream; return when its last word was taken."""
        await self._samples.send(AxiStreamFrame(b"".join(word.to_bytes(4, "little") for word in words)))
        await self._samples.wait()

    async def result(self) -> list[int]:
        """Return the words of the next result."""
        octets = bytes((await self._results.recv()).tdata)
        return [int.from_bytes(octets[at : at + 4], "little") for at in range(0, len(octets), 4)]

    @property
    def results_waiting(self) -> int:
        """Results that came and were not asked for."""
        return int(self._results.count())


class WishboneHost:
    """Drives the ports of :class:`erbium.hdl.bus_chip.WishboneChip`, classic or pipelined."""

    def __init__(self, dut: Any, stall: str) -> None:
        self._host = WishboneMaster(dut, "wb", dut.clk, width=32, timeout=LONGEST)
        self._host.log.setLevel("WARNING")
        self._random = random_for("wishbone", stall)
        self._idle = 0 if stall == "0" else 6

    async def access(self, access: Access) -> tuple[bool, int]:
        """Carry an access out; return whether it was refused, and what was read."""
        (answer,) = await self.several([access])
        return answer

    async def several(self, accesses: Sequence[Access]) -> list[tuple[bool, int]]:
        """Carry accesses out in one cycle of the bus; if it is pipelined, the next strobe comes before the answer."""
        operations = [
            WBOp(
                access.address,
                access.value if access.write else None,
                idle=self._random.randrange(self._idle + 1),
                sel=access.strobes,
                acktimeout=LONGEST,
            )
            for access in accesses
        ]
        answers = []
        for access, found in zip(accesses, await self._host.send_cycle(operations), strict=True):
            assert found.ack in (ACKNOWLEDGED, ERROR), f"the answer is {found.ack}"
            answers.append((found.ack == ERROR, 0 if access.write else int(found.datrd)))
        return answers


async def clocks(dut: Any, count: int) -> None:
    """Wait."""
    for _ in range(count):
        await RisingEdge(dut.clk)
