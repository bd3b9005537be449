# SPDX-License-Identifier: BSD-2-Clause
"""A memory of whole words that the host reaches in pieces of 32 bits."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.core.layouts import HostAccess, index
from erbium.hdl.marks import COLLISION_FREE
from erbium.sw_model.description.machine import PIECE_WIDTH, pieces_of


class WindowMemory(wiring.Component):
    """One read and one write per clock of whole words, or of one piece by the host while nobody else is there.

    Where a read meets a write of the same word, what is read is not defined.

    Parameters
    ----------
    depth, width : int
        Words, and bits of a word.

    Members
    -------
    read_address : In, read_enable : In(1), read_data : Out(width)
        `read_data` belongs to the address of the last clock in which reading was enabled.
    write_enable : In(1), write_address : In, write_data : In(width)
    host : In(HostAccess)
        A word has :func:`erbium.sw_model.description.machine.pieces_of` places.

    Notes
    -----
    Latency of a read: one clock.
    """

    def __init__(self, depth: int, width: int) -> None:
        self.depth, self.width = depth, width
        address = index(depth)
        super().__init__(
            {
                "read_address": In(address),
                "read_enable": In(1, init=1),
                "read_data": Out(width),
                "write_enable": In(1),
                "write_address": In(address),
                "write_data": In(width),
                "host": In(HostAccess()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        places = pieces_of(self.width)
        shift = (places - 1).bit_length()
        word, piece = self.host.address[shift:], self.host.address[:shift]
        read_piece = Signal.like(piece, name="read_piece") if shift else None
        if read_piece is not None:
            m.d.sync += read_piece.eq(piece)
        parts: list[Value] = []
        for number, start in enumerate(range(0, self.width, PIECE_WIDTH)):
            size = min(PIECE_WIDTH, self.width - start)
            m.submodules[f"piece_{number}"] = store = memory.Memory(
                shape=size, depth=self.depth, init=[], attrs=COLLISION_FREE
            )
            read, write = store.read_port(), store.write_port()
            mine = piece == number if shift else 1
            m.d.comb += [
                read.addr.eq(Mux(self.host.valid, word, self.read_address)),
                read.en.eq(self.read_enable | self.host.valid),
                write.addr.eq(Mux(self.host.valid, word, self.write_address)),
                write.data.eq(
                    Mux(self.host.valid, self.host.write_data, self.write_data[start : start + size])
                ),
                write.en.eq(Mux(self.host.valid, self.host.write & mine, self.write_enable)),
            ]
            parts.append(read.data)
        m.d.comb += self.read_data.eq(Cat(parts))
        if read_piece is None:
            m.d.comb += self.host.read_data.eq(parts[0])
        else:
            with m.Switch(read_piece):
                for number, part in enumerate(parts):
                    with m.Case(number):
                        m.d.comb += self.host.read_data.eq(part)
        return m
