# SPDX-License-Identifier: BSD-2-Clause
"""A memory of whole words that the host reaches in pieces of 32 bits."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.core.layouts import HostAccess, index
from erbium.hdl.fixed import delayed
from erbium.hdl.groups import COPY
from erbium.hdl.marks import COLLISION_FREE
from erbium.sw_model.description.machine import PIECE_WIDTH, pieces_of

GROUP_PIECES = 4
"""Pieces of a word of which the host's is chosen in the clock in which they are read."""


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
    late_writes : bool
        What is written waits in registers, but for what the host writes.

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
        Clocks of a read: 1, or 2 if `registered`; then a write comes a clock later, too. The host's takes one more.
    """

    def __init__(
        self,
        depth: int,
        width: int,
        *,
        period: int | None = None,
        granularity: int | None = None,
        registered: bool = False,
        late_writes: bool = False,
    ) -> None:
        self.depth, self.width = depth, width
        self._registered, self._late_writes = registered, late_writes
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
        own_address, own_data, own_enable = self.write_address, self.write_data, self.write_enable
        filled, fill_data = self.fill, self.fill_data
        if self._late_writes:
            own_address, own_data, filled, fill_data = (
                delayed(m, value, 1, name, cleared=False)
                for value, name in (
                    (own_address, "own_address"),
                    (own_data, "own_data"),
                    (filled, "filled"),
                    (fill_data, "filling"),
                )
            )
            own_enable = delayed(m, own_enable, 1, "own_enable")
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
                write_address.eq(Mux(self.host.valid, word, own_address)),
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
                    fill_data[first : first + field_size],
                )
                own = own_data[start + at : start + at + field_size]
                home += [
                    written[at : at + field_size].eq(Mux(self.host.valid | filled[field], shared, own)),
                    enables[at // field_size].eq(
                        Mux(self.host.valid, self.host.write & mine, own_enable[field])
                    ),
                ]
            parts.append(read.data)
        m.d.comb += self.read_data.eq(Cat(parts))
        # The host's piece is chosen on both sides of a register.
        place = delayed(m, piece, self.latency, "place") if shift else Const(0, 1)
        near = (GROUP_PIECES - 1).bit_length()
        groups = []
        for number, start in enumerate(range(0, len(parts), GROUP_PIECES)):
            found = Signal(PIECE_WIDTH, name=f"found_{number}", reset_less=True)
            m.d.sync += found.eq(Array(parts[start : start + GROUP_PIECES])[place[:near]])
            groups.append(found)
        group = delayed(m, place, 1, "group")[near:]
        m.d.comb += self.host.read_data.eq(Array(groups)[group] if len(groups) > 1 else groups[0])
        return m
