# SPDX-License-Identifier: BSD-2-Clause
"""The array on a bus of a system on a chip."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from erbium.hdl.array import ErbiumArray
from erbium.hdl.bus_axi import AxiLite, axi_lite_ports
from erbium.hdl.bus_front import BusFront
from erbium.hdl.bus_wishbone import Wishbone, wishbone_ports
from erbium.hdl.chip import connect_array
from erbium.hdl.ports import pass_through
from erbium.hdl.registers import RegisterMap
from erbium.hdl.weight_words import LayerWeights

_STATE = {"idle": Out(1), "collision": Out(1)}


class AxiChip(wiring.Component):
    """The array with its registers and windows on AXI4-Lite, samples and results on AXI4-Stream.

    Parameters
    ----------
    registers : RegisterMap
    weights : sequence, optional
        Of :class:`erbium.hdl.array.ErbiumArray`.

    Members
    -------
    s_axi_...
        See :func:`erbium.hdl.bus_axi.axi_lite_ports`; addresses of :class:`erbium.hdl.bus_map.BusMap`.
    s_axis_tdata : In(32), s_axis_tlast, s_axis_tvalid : In(1), s_axis_tready : Out(1)
        Samples: a packet each, of the words that :class:`erbium.hdl.bus_map.SampleWord` tells of.
    m_axis_tdata : Out(32), m_axis_tlast, m_axis_tvalid : Out(1), m_axis_tready : In(1)
        Results in the order of the samples: a packet of two words each, those of the window ``results``.
    idle, collision : Out(1)
        Of the array.
    """

    def __init__(self, registers: RegisterMap, weights: Sequence[LayerWeights] | None = None) -> None:
        self.registers = registers
        self._array = ErbiumArray(registers.network, registers.hardware, weights)
        self._front = BusFront(registers, streams=True)
        streams = {
            "s_axis_tdata": In(32),
            "s_axis_tlast": In(1),
            "s_axis_tvalid": In(1),
            "s_axis_tready": Out(1),
            "m_axis_tdata": Out(32),
            "m_axis_tlast": Out(1),
            "m_axis_tvalid": Out(1),
            "m_axis_tready": In(1),
        }
        super().__init__(axi_lite_ports(self._front.map.address_bits) | streams | _STATE)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        front, array = self._front, self._array
        connect_array(m, front, array, self.registers)
        m.submodules.bus = bus = AxiLite(front.map.address_bits)
        connect(m, bus.access_o, front.bus_i)
        pass_through(m, self, bus, axi_lite_ports(front.map.address_bits))
        pass_through(m, self, array, _STATE)
        beat, word = front.beat_i, front.word_o
        m.d.comb += [
            beat.payload.data.eq(self.s_axis_tdata),
            beat.payload.last.eq(self.s_axis_tlast),
            beat.valid.eq(self.s_axis_tvalid),
            self.s_axis_tready.eq(beat.ready),
            self.m_axis_tdata.eq(word.payload.data),
            self.m_axis_tlast.eq(word.payload.last),
            self.m_axis_tvalid.eq(word.valid),
            word.ready.eq(self.m_axis_tready),
        ]
        return m


class WishboneChip(wiring.Component):
    """The array with everything on a Wishbone: registers, windows, samples and results.

    Parameters
    ----------
    registers : RegisterMap
    pipelined : bool
        Of :class:`erbium.hdl.bus_wishbone.Wishbone`.
    weights : sequence, optional
        Of :class:`erbium.hdl.array.ErbiumArray`.

    Members
    -------
    wb_...
        See :func:`erbium.hdl.bus_wishbone.wishbone_ports`; addresses of :class:`erbium.hdl.bus_map.BusMap`.
    idle, collision : Out(1)
        Of the array.
    """

    def __init__(
        self,
        registers: RegisterMap,
        *,
        pipelined: bool = False,
        weights: Sequence[LayerWeights] | None = None,
    ) -> None:
        self.registers, self._pipelined = registers, pipelined
        self._array = ErbiumArray(registers.network, registers.hardware, weights)
        self._front = BusFront(registers)
        super().__init__(wishbone_ports(self._front.map.address_bits, pipelined=pipelined) | _STATE)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        front, array = self._front, self._array
        connect_array(m, front, array, self.registers)
        m.submodules.bus = bus = Wishbone(front.map.address_bits, pipelined=self._pipelined)
        connect(m, bus.access_o, front.bus_i)
        pass_through(m, self, bus, wishbone_ports(front.map.address_bits, pipelined=self._pipelined))
        pass_through(m, self, array, _STATE)
        return m
