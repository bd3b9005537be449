# SPDX-License-Identifier: BSD-2-Clause
"""Consistent overhead byte stuffing: frames of any bytes on a line where a zero byte ends a frame.

A frame is cut into groups, each of which ends before a zero byte, after 254 bytes or at the end of the frame. A
group is sent as its length plus one and its bytes, the zero byte behind it is not sent, and a zero byte
ends the frame. ``n`` bytes, n at least 1, become at most ``n + 1 + (n - 1) // 254``, and one for the end.

Source: S. Cheshire and M. Baker, Consistent Overhead Byte Stuffing, IEEE/ACM Transactions on Networking 7(2), 1999.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, enum, memory, stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.marks import COLLISION_FREE

GROUP = 254
"""Most bytes of a group."""

BANK = 256
"""Bytes of each of the encoder's two banks: a group that is being collected, and one that is being sent."""


class CobsKind(enum.Enum, shape=2):
    """What the decoder says.

    Members
    -------
    BYTE : one byte of the frame
    END : the frame is complete
    MALFORMED : the frame ended within a group; what came of it is worth nothing
    """

    BYTE = 0
    END = 1
    MALFORMED = 2


class CobsToken(data.StructLayout):
    """Token of a decoded channel, ``(BYTE* (END | MALFORMED))*``; ``byte`` is that of a ``BYTE``, else 0."""

    def __init__(self) -> None:
        super().__init__({"kind": CobsKind, "byte": 8})


class MessageByte(data.StructLayout):
    """One byte of a message, and whether it is the last one. A message has at least one byte."""

    def __init__(self) -> None:
        super().__init__({"byte": 8, "last": 1})


class CobsDecoder(wiring.Component):
    """Takes the stuffing off.

    Members
    -------
    byte_i : In(stream of 8)
    token_o : Out(stream of CobsToken)

    Notes
    -----
    One byte every other clock: it is looked at for a clock, and gives at most one token, in the clock in which it is
    taken. A zero byte that follows a zero byte, or a reset, ends nothing and is dropped. A group of 254 bytes may be
    followed by an empty one. Source: see the module.
    """

    def __init__(self) -> None:
        super().__init__({"byte_i": In(stream.Signature(8)), "token_o": Out(stream.Signature(CobsToken()))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        byte, token = self.byte_i.payload, self.token_o.payload
        left = Signal(8, init=1)  # bytes of the group to come, and one
        zero = Signal()  # the zero byte behind the group, if another group follows
        inside = Signal()
        says = Signal()
        # What is known of the byte and its group; the paths of those that follow begin here.
        looked, is_zero, ends = Signal(), Signal(), Signal()
        m.d.sync += [
            looked.eq(self.byte_i.valid & ~self.byte_i.ready),
            is_zero.eq(byte == 0),
            ends.eq(left == 1),
        ]
        m.d.comb += [
            self.token_o.valid.eq(looked & says),
            self.byte_i.ready.eq(looked & (self.token_o.ready | ~says)),
        ]
        taken = self.byte_i.valid & self.byte_i.ready
        with m.If(is_zero):
            m.d.comb += [says.eq(inside), token.kind.eq(Mux(ends, CobsKind.END, CobsKind.MALFORMED))]
            with m.If(taken):
                m.d.sync += [left.eq(1), zero.eq(0), inside.eq(0)]
        with m.Elif(ends):
            m.d.comb += says.eq(zero)
            with m.If(taken):
                m.d.sync += [left.eq(byte), zero.eq(byte != GROUP + 1), inside.eq(1)]
        with m.Else():
            m.d.comb += [says.eq(1), token.byte.eq(byte)]
            with m.If(taken):
                m.d.sync += left.eq(left - 1)
        return m


class CobsEncoder(wiring.Component):
    """Stuffs messages, and sends a zero byte behind each.

    The bytes of a group are collected in one bank of a memory, while those of the group before are sent from the
    other one: the length of a group is known only at its end, and goes before it.

    Members
    -------
    message_i : In(stream of MessageByte)
    byte_o : Out(stream of 8)

    Notes
    -----
    One byte per clock in, but that the end of a group waits until the group before has been sent; one byte every other
    clock out. A message of n bytes takes at most ``3 (n + 2)`` clocks. Latency: 1 clock from the one that
    closes a group to its first byte. Memory: 512 bytes. Source: see the module.
    """

    def __init__(self) -> None:
        super().__init__(
            {"message_i": In(stream.Signature(MessageByte())), "byte_o": Out(stream.Signature(8))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = store = memory.Memory(shape=8, depth=2 * BANK, init=[], attrs=COLLISION_FREE)
        write, read = store.write_port(), store.read_port()
        bank = Signal()  # of the group that is being collected
        code = Signal(8, init=1)  # its bytes and one, which is how its length is sent
        ending = Signal()  # it is the last one of its message
        idle, closes = Signal(), Signal()

        message = self.message_i.payload
        is_zero, complete, takes = Signal(), Signal(), Signal()
        m.d.comb += [
            is_zero.eq(message.byte == 0),
            complete.eq(ending | (code == GROUP + 1)),
            self.message_i.ready.eq(~complete & (idle | ~is_zero)),
            takes.eq(self.message_i.valid & self.message_i.ready),
            closes.eq(Mux(complete, idle, takes & is_zero)),
            write.addr.eq(Cat(code, bank)),
            write.data.eq(message.byte),
            write.en.eq(takes),
        ]
        with m.If(closes):
            m.d.sync += [code.eq(1), bank.eq(~bank)]
        with m.Elif(takes):
            m.d.sync += code.eq(code + 1)
        with m.If(takes & message.last):
            m.d.sync += ending.eq(1)
        with m.Elif(closes):
            m.d.sync += ending.eq(0)
        self._send(m, read, bank, code, ending, idle, closes)
        return m

    def _send(
        self, m: Module, read, bank: Signal, code: Signal, ending: Signal, idle: Signal, closes: Signal
    ) -> None:
        """Send the group that `closes`."""
        length, place = Signal(8), Signal(8)
        last = Signal()
        out = self.byte_o
        m.d.comb += [read.addr.eq(Cat(place, ~bank)), read.en.eq(1)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += idle.eq(1)
                m.d.sync += [length.eq(code), last.eq(ending), place.eq(1)]
                with m.If(closes):
                    m.next = "LENGTH"
            with m.State("LENGTH"):
                m.d.comb += [out.valid.eq(1), out.payload.eq(length)]
                with m.If(out.ready):
                    m.next = "READ"
            with m.State("READ"):
                with m.If(place != length):
                    m.next = "BYTE"
                with m.Elif(last):
                    m.next = "END"
                with m.Else():
                    m.next = "IDLE"
            with m.State("BYTE"):
                m.d.comb += [out.valid.eq(1), out.payload.eq(read.data)]
                with m.If(out.ready):
                    m.d.sync += place.eq(place + 1)
                    m.next = "READ"
            with m.State("END"):
                m.d.comb += out.valid.eq(1)
                with m.If(out.ready):
                    m.next = "IDLE"
