# SPDX-License-Identifier: BSD-2-Clause
"""The chip: the array and its host link. A bitstream and the simulated board hold the same."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from erbium.hdl.array import ErbiumArray
from erbium.hdl.flash.link import PINS, FlashLink, FlashPort
from erbium.hdl.flash.small_link import SmallFlashLink
from erbium.hdl.groups import COPY
from erbium.hdl.host_link import LIGHTS, HostLink, MessageLink
from erbium.hdl.ports import pass_through
from erbium.hdl.registers import RegisterMap
from erbium.hdl.weight_words import LayerWeights
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.network import Hardware, Network


def reset_apart(m: Module, link: wiring.Component, domain: str) -> Signal:
    """Add a link, and a clock domain of what is behind it, which the link can reset; return when the two are apart.

    The reset is a register, one clock behind the link's: no logic lies before the many registers that it reaches. In
    that clock nothing passes between the two, which a register of its own sees to.
    """
    m.submodules.link = link
    m.domains += ClockDomain(domain, local=True)
    reset, apart = (Signal(name=name, init=1, reset_less=True, attrs=COPY) for name in ("reset", "apart"))
    m.d.sync += [register.eq(ResetSignal() | link.array_reset) for register in (reset, apart)]
    m.d.comb += [ClockSignal(domain).eq(ClockSignal()), ResetSignal(domain).eq(reset)]
    return apart


def connect_array(m: Module, link: wiring.Component, array: ErbiumArray, registers: RegisterMap) -> None:
    """Put the array behind the link. A soft reset stops it and keeps its weights.

    Unless pipelines are to be short, samples and weights wait in a register on their way to the array, since the two
    may lie far from each other. The link sees a token taken when the array has taken it: 3 clocks each, fewer than a
    serial line takes for a byte.
    """
    apart = reset_apart(m, link, "array")
    m.submodules.array = DomainRenamer("array")(array)
    for source, sink in (
        (link.sample_o, array.sample_i),
        (array.result_o, link.result_i),
        (link.access_o, array.access_i),
        (array.access_o, link.access_i),
        (link.counter_o, array.counter_i),
        (array.counter_o, link.counter_i),
    ):
        if not registers.hardware.short_pipelines and source in (link.sample_o, link.access_o):
            register_between(m, source, sink, apart, "array")
            continue
        join(m, source, sink, apart)
    m.d.comb += [link.idle.eq(array.idle & ~apart), link.collision.eq(array.collision & ~apart)]
    m.d.comb += [getattr(array, name).eq(getattr(link, name)) for name in registers.settings]


def join(m: Module, source, sink, apart: Value) -> None:
    """Hand tokens on unless the two sides are apart."""
    m.d.comb += [
        sink.payload.eq(source.payload),
        sink.valid.eq(source.valid & ~apart),
        source.ready.eq(sink.ready & ~apart),
    ]


def register_between(m: Module, source, sink, apart: Value, domain: str) -> None:
    """Hand tokens on through a register; the source sees each of them taken when the sink has taken it."""
    payload = Signal(source.payload.shape(), name="payload", reset_less=True)
    waits, done = Signal(name="waits"), Signal(name="done")
    with m.If(~waits):
        m.d[domain] += payload.eq(source.payload)
    m.d[domain] += [
        waits.eq(Mux(waits, ~sink.ready, source.valid & ~done & ~apart)),
        done.eq(waits & sink.ready),
    ]
    m.d.comb += [sink.payload.eq(payload), sink.valid.eq(waits), source.ready.eq(done & ~apart)]


class ErbiumChip(wiring.Component):
    """A neuron and synapse array on a serial line.

    Parameters
    ----------
    network : Network or Graph
    hardware : Hardware
    clock_frequency, baud_rate, buffer_bytes : int
        Of :class:`erbium.hdl.host_link.HostLink`.
    weights : sequence, optional
        Of :class:`erbium.hdl.array.ErbiumArray`.
    flash : FlashPort, optional
        Of a chip that learns from its flash, too.

    Members
    -------
    rx : In(1), tx : Out(1)
        The line.
    learning, active : Out(1), answer : Out(8)
        For lamps, see :class:`erbium.hdl.host_link.MessageLink`.
    flash_select, flash_clock, flash_io_o, flash_io_oe, flash_io_i, button, failed
        Only with `flash`, see :class:`erbium.hdl.flash.link.FlashLink`.

    Raises
    ------
    ValueError
        If the baud rate cannot be met, or `buffer_bytes` is negative.

    Notes
    -----
    The next sample is loaded while the last one is processed. Without `weights` the memories are undefined until the
    host has loaded them.
    """

    def __init__(
        self,
        network: Network | Graph,
        hardware: Hardware,
        clock_frequency: int,
        baud_rate: int,
        buffer_bytes: int = 0,
        weights: Sequence[LayerWeights] | None = None,
        flash: FlashPort | None = None,
    ) -> None:
        self._array = ErbiumArray(network, hardware, weights)
        line = (network, hardware, clock_frequency, baud_rate, buffer_bytes)
        if flash is None:
            self._link: wiring.Component = HostLink(*line)
        else:
            self._link = (SmallFlashLink if flash.small else FlashLink)(*line, flash)
        self.registers = self._link.registers
        pins = {} if flash is None else PINS
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)} | LIGHTS | pins)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        link = self._link
        connect_array(m, link, self._array, self.registers)
        pass_through(m, self, link, self.signature.members)
        return m


class FrameChip(wiring.Component):
    """The chip without its serial line: bytes of frames in and out.

    Parameters
    ----------
    registers : RegisterMap
    timeout : int
        Of :class:`erbium.hdl.host_link.MessageLink`.

    Members
    -------
    byte_i : In(stream of 8), byte_o : Out(stream of 8)
    idle, collision : Out(1)
        Of the array.

    Notes
    -----
    For tests, in which a serial line is what takes the most time; or behind another kind of line.
    """

    def __init__(self, registers: RegisterMap, timeout: int) -> None:
        self._registers = registers
        self._array = ErbiumArray(registers.network, registers.hardware)
        self._link = MessageLink(registers, timeout)
        super().__init__(
            {
                "byte_i": In(stream.Signature(8)),
                "byte_o": Out(stream.Signature(8)),
                "idle": Out(1),
                "collision": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        connect_array(m, self._link, self._array, self._registers)
        connect(m, flipped(self.byte_i), self._link.byte_i)
        connect(m, self._link.byte_o, flipped(self.byte_o))
        m.d.comb += [self.idle.eq(self._array.idle), self.collision.eq(self._array.collision)]
        return m
