# SPDX-License-Identifier: BSD-2-Clause
"""What a core says of itself: how large it is built, and what is loaded."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.core.layouts import HostAccess
from erbium.sw_model.description.machine import (
    DIGEST_PIECES,
    INFO_CAPACITY,
    INFO_PLACES,
    MAGIC,
    PIECE_WIDTH,
    TABLES_VERSION,
    CoreHardware,
    Info,
    capacity_pieces,
)


class CoreInfo(wiring.Component):
    """Constants that announce the capacity, and registers of the host's: the digest, and whether loading is complete.

    When the FPGA has been configured no network is loaded. Whoever loads takes the mark away before the first write and
    sets it after the last one, so a host that was interrupted leaves a core that says so. A reset changes no memory,
    and so neither the mark nor the digest.

    Parameters
    ----------
    hardware : CoreHardware

    Members
    -------
    loaded : Out(1)
    host : In(HostAccess)
        Places are those of :class:`erbium.sw_model.description.machine.Info`; all others read 0.

    Notes
    -----
    Latency of a read: one clock.
    """

    def __init__(self, hardware: CoreHardware) -> None:
        self._capacity = capacity_pieces(hardware)
        super().__init__({"loaded": Out(1), "host": In(HostAccess())})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        digest = Signal(data.ArrayLayout(PIECE_WIDTH, DIGEST_PIECES), reset_less=True)
        loaded = Signal(reset_less=True)
        m.d.comb += self.loaded.eq(loaded)
        host = self.host
        constants = {Info.MAGIC: MAGIC, Info.VERSION: TABLES_VERSION}
        constants |= {INFO_CAPACITY + number: value for number, value in enumerate(self._capacity)}
        place = host.address[: (INFO_PLACES - 1).bit_length()]
        m.d.sync += host.read_data.eq(0)
        with m.Switch(place):
            for number, value in constants.items():
                with m.Case(number):
                    m.d.sync += host.read_data.eq(value)
            with m.Case(Info.LOADED):
                m.d.sync += host.read_data.eq(loaded)
                with m.If(host.valid & host.write):
                    m.d.sync += loaded.eq(host.write_data[0])
            for number in range(DIGEST_PIECES):
                with m.Case(Info.DIGEST + number):
                    m.d.sync += host.read_data.eq(digest[number])
                    with m.If(host.valid & host.write):
                        m.d.sync += digest[number].eq(host.write_data)
        return m
