# SPDX-License-Identifier: BSD-2-Clause
"""Reads a serial NOR flash of JEDEC's command set, byte after byte from an address on."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.flash.layout import ADDRESS_BITS

RELEASE_POWER_DOWN = 0xAB
"""An iCE40 puts its flash to sleep when it has been configured; this wakes it."""

REST = 8
"""Clocks for which the flash is not selected between two commands: 100 ns at 80 MHz."""


@dataclass(frozen=True)
class ReadCommand:
    """How a flash is read.

    Parameters
    ----------
    opcode : int
        Sent on one wire.
    lanes : int
        Wires of address and data: 1, 2 or 4. With more than one a mode byte of 0 follows the address.
    dummy : int
        Clocks of the flash between that and the data.
    """

    opcode: int
    lanes: int
    dummy: int


READ_COMMANDS = {1: ReadCommand(0x03, 1, 0), 2: ReadCommand(0xBB, 2, 0), 4: ReadCommand(0xEB, 4, 4)}
"""By the number of wires. Two need no setting of the flash and leave its pins WP and HOLD alone; four need its bit
QE."""


class FlashReader(wiring.Component):
    """Reads the flash from an address on for as long as bytes are taken.

    Parameters
    ----------
    lanes : int
        Wires that carry data: 1, 2 or 4, see :data:`READ_COMMANDS`.
    wake_clocks : int
        Clocks that the flash needs to wake up, at least 1: it takes 30 us at most.

    Members
    -------
    address_i : In(stream of 24)
        Begin to read here; what was read before and not taken is dropped.
    byte_o : Out(stream of 8)
        The bytes from there on, one address after the other.
    select : Out(1), clock : Out(1)
        Of the flash. It is selected while `select` is 1.
    io_o : Out(4), io_oe : Out(4), io_i : In(4)
        Data 0 to 3: what is driven, whether it is, and what is there.

    Notes
    -----
    SPI mode 0: the clock of the flash is half of the chip's and stands still while a byte waits. What the flash sends
    is taken as its clock falls, a whole period after the fall that made the flash send it. A byte takes
    ``16 / lanes`` clocks; from an address to the first byte it is at most ``REST + 2 * (8 + 32 / lanes + dummy) + 8``
    clocks and those of that byte.
    """

    def __init__(self, lanes: int = 2, wake_clocks: int = 4096) -> None:
        if lanes not in READ_COMMANDS:
            raise ValueError(f"lanes is {lanes}; a flash is read on 1, 2 or 4 wires")
        if wake_clocks < 1:
            raise ValueError(f"wake_clocks is {wake_clocks}; it must be at least 1")
        self.command, self._wake = READ_COMMANDS[lanes], wake_clocks
        super().__init__(
            {
                "address_i": In(stream.Signature(ADDRESS_BITS)),
                "byte_o": Out(stream.Signature(8)),
                "select": Out(1),
                "clock": Out(1),
                "io_o": Out(4),
                "io_oe": Out(4),
                "io_i": In(4),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        command, lanes = self.command, self.command.lanes
        address = Signal(ADDRESS_BITS)
        shift = Signal(8)  # the byte that is sent, or that comes in
        wide = Signal()  # it goes over all wires
        left = Signal(range(max(8, command.dummy + 1)))  # periods of the flash's clock that are left of it
        place = Signal(range(5))  # which byte of a command is sent
        wait = Signal(range(max(self._wake, REST) + 1))
        driving, waking = Signal(), Signal(init=1)
        out = self.byte_o
        # The last bytes of a command: its address from the top down, then the mode.
        bytes_sent = 3 if lanes == 1 else 4

        # On one wire the chip drives data 0 and the flash data 1.
        single = Cat(shift[7], Const(0, 3))
        m.d.comb += [
            self.io_o.eq(Mux(wide, shift[8 - lanes :], single) if lanes > 1 else single),
            self.io_oe.eq(Mux(driving, Mux(wide, (1 << lanes) - 1, 1), 0)),
        ]
        came: Value = self.io_i[1] if lanes == 1 else self.io_i[:lanes]
        with m.If(out.ready):
            m.d.sync += out.valid.eq(0)

        def drop() -> None:
            """End what is under way."""
            m.d.sync += [self.select.eq(0), self.clock.eq(0), driving.eq(0), wait.eq(REST), out.valid.eq(0)]
            m.next = "REST"

        m.d.comb += self.address_i.ready.eq(0)
        with m.FSM():
            with m.State("REST"):
                with m.If(wait != 0):
                    m.d.sync += wait.eq(wait - 1)
                with m.Elif(waking):
                    m.d.sync += shift.eq(RELEASE_POWER_DOWN)
                    m.next = "SELECT"
                with m.Elif(self.address_i.valid):
                    m.d.comb += self.address_i.ready.eq(1)
                    m.d.sync += [address.eq(self.address_i.payload), shift.eq(command.opcode)]
                    m.next = "SELECT"
            with m.State("SELECT"):
                m.d.sync += [self.select.eq(1), driving.eq(1), wide.eq(0), left.eq(7), place.eq(0)]
                m.next = "LOW"
            # A bit, or several, is on the wires from the fall of the clock to the next one.
            with m.State("LOW"):
                m.d.sync += self.clock.eq(1)
                m.next = "HIGH"
            with m.State("HIGH"):
                m.d.sync += [self.clock.eq(0), left.eq(left - 1)]
                m.d.sync += shift.eq(Mux(wide, shift << lanes, shift << 1))
                m.next = "LOW"
                with m.If(left == 0):
                    m.d.sync += [
                        wide.eq(int(lanes > 1)),
                        left.eq(8 // lanes - 1),
                        place.eq(place + 1),
                        shift.eq(address[16:]),
                        address.eq(address << 8),
                    ]
                    with m.If(place == bytes_sent):
                        m.d.sync += driving.eq(0)
                        if command.dummy:
                            m.d.sync += left.eq(command.dummy - 1)
                            m.next = "DUMMY LOW"
                        else:
                            m.next = "DATA LOW"
                    with m.If(waking):
                        m.d.sync += [self.select.eq(0), driving.eq(0), waking.eq(0), wait.eq(self._wake)]
                        m.next = "REST"
            if command.dummy:
                with m.State("DUMMY LOW"):
                    m.d.sync += self.clock.eq(1)
                    m.next = "DUMMY HIGH"
                with m.State("DUMMY HIGH"):
                    m.d.sync += [self.clock.eq(0), left.eq(left - 1)]
                    m.next = "DUMMY LOW"
                    with m.If(left == 0):
                        m.d.sync += left.eq(8 // lanes - 1)
                        m.next = "DATA LOW"
            with m.State("DATA LOW"):
                with m.If(self.address_i.valid):
                    drop()
                # The last bits of a byte wait until the one before has been taken.
                with m.Elif((left != 0) | ~out.valid | out.ready):
                    m.d.sync += self.clock.eq(1)
                    m.next = "DATA HIGH"
            with m.State("DATA HIGH"):
                byte = Cat(came, shift)[:8]
                m.d.sync += [self.clock.eq(0), left.eq(left - 1), shift.eq(byte)]
                m.next = "DATA LOW"
                with m.If(left == 0):
                    m.d.sync += [left.eq(8 // lanes - 1), out.valid.eq(1), out.payload.eq(byte)]
        return m
