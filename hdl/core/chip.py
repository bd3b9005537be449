# SPDX-License-Identifier: BSD-2-Clause
"""A core on a serial line: what a bitstream and a simulated board hold."""

from __future__ import annotations

from amaranth.hdl import DomainRenamer, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.chip import join, register_between, reset_apart
from erbium.hdl.core.engine import CoreEngine
from erbium.hdl.core.link import CoreLink, CoreMessageLink
from erbium.hdl.core.link_map import CoreMap
from erbium.hdl.core.token_reader import TokenReader
from erbium.hdl.host_link import LIGHTS
from erbium.hdl.ports import pass_through
from erbium.sw_model.description.machine import CoreHardware

DOMAIN = "core"


def connect_core(m: Module, link: wiring.Component, hardware: CoreHardware) -> TokenReader:
    """Put a core behind the link; return what reads its samples."""
    engine, reader = CoreEngine(hardware), TokenReader()
    apart = reset_apart(m, link, DOMAIN)
    m.submodules.core = DomainRenamer(DOMAIN)(engine)
    m.submodules.tokens = DomainRenamer(DOMAIN)(reader)
    register_between(m, link.sample_o, reader.word_i, apart, DOMAIN)
    register_between(m, link.host_o, engine.host_i, apart, DOMAIN)
    wiring.connect(m, reader.token_o, engine.sample_i)
    wiring.connect(m, engine.result_o, reader.outcome_i)
    reply, reply_data = Signal(), Signal.like(engine.reply_data)
    m.d[DOMAIN] += [reply.eq(engine.reply), reply_data.eq(engine.reply_data)]
    join(m, reader.result_o, link.result_i, apart)
    m.d.comb += [
        link.reply.eq(reply),
        link.reply_data.eq(reply_data),
        link.idle.eq(engine.idle & ~apart),
    ]
    return reader


class ErbiumCore(wiring.Component):
    """A core on a serial line.

    Parameters
    ----------
    hardware : CoreHardware
    clock_frequency, baud_rate, buffer_bytes : int
        Of :class:`erbium.hdl.host_link.SerialLink`.

    Members
    -------
    rx : In(1), tx : Out(1)
        The line.
    learning, active : Out(1), answer : Out(8)
        For lamps, see :class:`erbium.hdl.host_link.MessageLink`.

    Raises
    ------
    ValueError
        If the baud rate cannot be met, `buffer_bytes` is negative, or a memory has too many words for the link.

    Notes
    -----
    A soft reset stops the core and keeps what is loaded; what a sample that was being learned has changed, stays. Words
    of samples and accesses to memories wait in a register on their way: three clocks each.
    """

    def __init__(
        self, hardware: CoreHardware, clock_frequency: int, baud_rate: int, buffer_bytes: int = 0
    ) -> None:
        self._hardware = hardware
        self.registers = CoreMap(hardware, clock_frequency, buffer_bytes)
        self._link = CoreLink(self.registers, clock_frequency, baud_rate, buffer_bytes)
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)} | LIGHTS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        core = connect_core(m, self._link, self._hardware)
        through = {name: each for name, each in self.signature.members.items() if name != "learning"}
        pass_through(m, self, self._link, through)
        m.d.comb += self.learning.eq(core.learning & ~self._link.idle)
        return m


class FrameCore(wiring.Component):
    """The chip without its serial line: bytes of frames in and out.

    Parameters
    ----------
    registers : CoreMap
    timeout : int
        Of :class:`erbium.hdl.host_link.MessageLink`.

    Members
    -------
    byte_i : In(stream of 8), byte_o : Out(stream of 8)
    idle : Out(1)
        Of the core.

    Notes
    -----
    For tests, in which a serial line is what takes the most time; or for another kind of line.
    """

    def __init__(self, registers: CoreMap, timeout: int) -> None:
        self._registers = registers
        self._link = CoreMessageLink(registers, timeout)
        super().__init__(
            {"byte_i": In(stream.Signature(8)), "byte_o": Out(stream.Signature(8)), "idle": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        connect_core(m, self._link, self._registers.hardware)
        wiring.connect(m, wiring.flipped(self.byte_i), self._link.byte_i)
        wiring.connect(m, self._link.byte_o, wiring.flipped(self.byte_o))
        m.d.comb += self.idle.eq(self._link.idle)
        return m
