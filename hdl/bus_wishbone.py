# SPDX-License-Identifier: BSD-2-Clause
"""Wishbone B4, classic and pipelined: registers, windows and samples."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.bus_front import BusAccess


def wishbone_ports(address_bits: int, *, pipelined: bool) -> dict[str, wiring.Member]:
    """Return the ports of a device on a Wishbone of 32 bits, with byte addresses."""
    ports = {
        "wb_cyc": In(1),
        "wb_stb": In(1),
        "wb_we": In(1),
        "wb_adr": In(address_bits),
        "wb_sel": In(4),
        "wb_datwr": In(32),
        "wb_datrd": Out(32),
        "wb_ack": Out(1),
        "wb_err": Out(1),
    }
    return ports | ({"wb_stall": Out(1)} if pipelined else {})


class Wishbone(wiring.Component):
    """Turns the cycles of Wishbone into accesses, one at a time; what is refused is answered with ``err``.

    Parameters
    ----------
    address_bits : int
    pipelined : bool
        The host takes the strobe back as soon as there is no stall, in place of holding it until the answer.

    Members
    -------
    wb_...
        See :func:`wishbone_ports`.
    access_o : Out(BusAccess)

    Notes
    -----
    Two clocks more than the access, at each end one. A cycle that the host gives up gets no answer; what it
    had begun is done all the same. No output follows from an input of the same clock.
    """

    def __init__(self, address_bits: int, *, pipelined: bool = False) -> None:
        self._pipelined = pipelined
        super().__init__(
            wishbone_ports(address_bits, pipelined=pipelined) | {"access_o": Out(BusAccess(address_bits))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        out = self.access_o
        given_up = Signal()
        answered = out.valid & out.ack & self.wb_cyc & ~given_up
        m.d.sync += [
            self.wb_ack.eq(answered & ~out.error),
            self.wb_err.eq(answered & out.error),
            self.wb_datrd.eq(out.data),
        ]
        takes = Signal()
        m.d.comb += takes.eq(self.wb_cyc & self.wb_stb & ~out.valid)
        if self._pipelined:
            m.d.comb += self.wb_stall.eq(out.valid)
        else:
            # The strobe of this clock is still that of the answered access.
            m.d.comb += takes.eq(self.wb_cyc & self.wb_stb & ~out.valid & ~self.wb_ack & ~self.wb_err)
        with m.If(takes):
            m.d.sync += [
                out.valid.eq(1),
                out.write.eq(self.wb_we),
                out.address.eq(self.wb_adr),
                out.value.eq(self.wb_datwr),
                out.strobes.eq(self.wb_sel),
                given_up.eq(0),
            ]
        with m.Elif(out.ack):
            m.d.sync += out.valid.eq(0)
        with m.Elif(~self.wb_cyc):
            m.d.sync += given_up.eq(1)
        return m
