# SPDX-License-Identifier: BSD-2-Clause
"""AXI: registers and windows on AXI4-Lite, samples and results on AXI4-Stream."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.bus_front import BusAccess

OKAY, SLVERR = 0, 2


def axi_lite_ports(address_bits: int, prefix: str = "s_axi_") -> dict[str, wiring.Member]:
    """Return the ports of a subordinate of AXI4-Lite; it has no protection bits."""
    ports = {
        "awaddr": In(address_bits),
        "awvalid": In(1),
        "awready": Out(1),
        "wdata": In(32),
        "wstrb": In(4),
        "wvalid": In(1),
        "wready": Out(1),
        "bresp": Out(2),
        "bvalid": Out(1),
        "bready": In(1),
        "araddr": In(address_bits),
        "arvalid": In(1),
        "arready": Out(1),
        "rdata": Out(32),
        "rresp": Out(2),
        "rvalid": Out(1),
        "rready": In(1),
    }
    return {f"{prefix}{name}": port for name, port in ports.items()}


class AxiLite(wiring.Component):
    """Turns the transfers of AXI4-Lite into accesses, one at a time; what is refused is answered with ``SLVERR``.

    Parameters
    ----------
    address_bits : int

    Members
    -------
    s_axi_...
        See :func:`axi_lite_ports`. Of each channel one transfer waits; reads and writes take turns.
    access_o : Out(BusAccess)

    Notes
    -----
    Two clocks more than the access, at each end one. No output follows from an input of the same clock.
    """

    def __init__(self, address_bits: int) -> None:
        super().__init__(axi_lite_ports(address_bits) | {"access_o": Out(BusAccess(address_bits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        out = self.access_o
        write_at, read_at = Signal.like(self.s_axi_awaddr), Signal.like(self.s_axi_araddr)
        writes, reads, turn = Signal(), Signal(), Signal()
        for ready, valid, kept in (
            (self.s_axi_awready, self.s_axi_awvalid, [write_at.eq(self.s_axi_awaddr)]),
            (
                self.s_axi_wready,
                self.s_axi_wvalid,
                [out.value.eq(self.s_axi_wdata), out.strobes.eq(self.s_axi_wstrb)],
            ),
            (self.s_axi_arready, self.s_axi_arvalid, [read_at.eq(self.s_axi_araddr)]),
        ):
            # A register: what came is kept until it is answered.
            free = Signal(init=1, name="free")
            m.d.comb += ready.eq(free)
            with m.If(free & valid):
                m.d.sync += [free.eq(0), *kept]
            with m.If(out.valid & out.ack & (out.write == (ready is not self.s_axi_arready))):
                m.d.sync += free.eq(1)
        m.d.comb += [
            writes.eq(~self.s_axi_awready & ~self.s_axi_wready & ~self.s_axi_bvalid),
            reads.eq(~self.s_axi_arready & ~self.s_axi_rvalid),
        ]
        with m.If(~out.valid):
            m.d.sync += out.write.eq(writes & (~reads | turn))
            m.d.sync += out.valid.eq(writes | reads)
            m.d.sync += out.address.eq(read_at)
            with m.If(writes & (~reads | turn)):
                m.d.sync += out.address.eq(write_at)
        with m.Elif(out.ack):
            m.d.sync += [out.valid.eq(0), turn.eq(~out.write)]
        for valid, ready, answers in (
            (self.s_axi_bvalid, self.s_axi_bready, out.write),
            (self.s_axi_rvalid, self.s_axi_rready, ~out.write),
        ):
            with m.If(out.valid & out.ack & answers):
                m.d.sync += valid.eq(1)
            with m.Elif(ready):
                m.d.sync += valid.eq(0)
        response = Signal(2)
        m.d.comb += response[1].eq(out.error)
        with m.If(out.valid & out.ack & out.write):
            m.d.sync += self.s_axi_bresp.eq(response)
        with m.If(out.valid & out.ack & ~out.write):
            m.d.sync += [self.s_axi_rresp.eq(response), self.s_axi_rdata.eq(out.data)]
        return m
