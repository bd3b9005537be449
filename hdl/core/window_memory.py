# SPDX-License-Identifier: BSD-2-Clause
"""A memory of whole words that the host reaches in pieces of 32 bits."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.core.layouts import HostAccess, index
from erbium.hdl.fixed import delayed
from erbium.hdl.groups import COPY
from erbium.hdl.marks import COLLISION_FREE
from erbium.sw_model.description.machine import PIECE_WIDTH, pieces_of


class WindowMemory(wiring.Component):
    """One read and one write per clock of whole words, or of one piece by the host while nobody else is there.

    Where a read meets a write of the same word, what is read is not defined.

    Parameters
    ----------
    depth, width : int
        Words, and bits of a word.
    period, granularity : int, optional
        A word is the same group of fields over and over, of `period` bits; each `granularity` bits of it are a field.
        Without them a word is one field.
    registered : bool
        All that comes waits in registers, of each piece its own: for a memory that lies all over a chip.

    Members
    -------
    read_address : In, read_enable : In(1), read_data : Out(width)
        `read_data` belongs to the address of the last clock in which reading was enabled.
    write_enable : In(fields), write_address : In, write_data : In(width)
        Which fields are written, in each group.
    fill : In(fields), fill_data : In(period)
        Fields that are the same in each group: they take these data, on the way of those of the host, and cost nothing.
    host : In(HostAccess)
        A word has :func:`erbium.sw_model.description.machine.pieces_of` places.

    Attributes
    ----------
    latency : int
        Clocks of a read: 1, or 2 if `registered`; then a write comes a clock later, too.
    """

    def __init__(
        self,
        depth: int,
        width: int,
        *,
        period: int | None = None,
        granularity: int | None = None,
        registered: bool = False,
    ) -> None:
        self.depth, self.width, self._registered = depth, width, registered
        self.latency = 2 if registered else 1
        self._period, self._granularity = period or width, granularity or width
        address, fields = index(depth), self._period // self._granularity
        super().__init__(
            {
                "read_address": In(address),
                "read_enable": In(1, init=1),
                "read_data": Out(width),
                "write_enable": In(fields),
                "write_address": In(address),
                "write_data": In(width),
                "fill": In(fields),
                "fill_data": In(self._period),
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
            m.d.sync += read_piece.eq(delayed(m, piece, self.latency - 1, "piece"))
        parts: list[Value] = []
        for number, start in enumerate(range(0, self.width, PIECE_WIDTH)):
            size = min(PIECE_WIDTH, self.width - start)
            m.submodules[f"piece_{number}"] = store = memory.Memory(
                shape=size, depth=self.depth, init=[], attrs=COLLISION_FREE
            )
            field_size = min(self._granularity, size)
            read, write = store.read_port(), store.write_port(granularity=field_size)
            mine = piece == number if shift else 1
            # Copies that a synthesis must not make one of.
            home, attrs = (m.d.sync, COPY) if self._registered else (m.d.comb, {})
            read_address, write_address = (
                Signal(index(self.depth), name=f"{name}_address_{number}", attrs=attrs, reset_less=True)
                for name in ("read", "write")
            )
            enables = Signal.like(write.en, name=f"enables_{number}")
            written = Signal.like(write.data, name=f"written_{number}", reset_less=True)
            home += [
                read_address.eq(Mux(self.host.valid, word, self.read_address)),
                write_address.eq(Mux(self.host.valid, word, self.write_address)),
            ]
            m.d.comb += [
                read.addr.eq(read_address),
                read.en.eq(1 if self._registered else self.read_enable | self.host.valid),
                write.addr.eq(write_address),
                write.en.eq(enables),
                write.data.eq(written),
            ]
            for at in range(0, size, field_size):
                first = (start + at) % self._period
                field = first // self._granularity
                shared = Mux(
                    self.host.valid,
                    self.host.write_data[at : at + field_size],
                    self.fill_data[first : first + field_size],
                )
                own = self.write_data[start + at : start + at + field_size]
                home += [
                    written[at : at + field_size].eq(Mux(self.host.valid | self.fill[field], shared, own)),
                    enables[at // field_size].eq(
                        Mux(self.host.valid, self.host.write & mine, self.write_enable[field])
                    ),
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
