# SPDX-License-Identifier: BSD-2-Clause
"""Consistent overhead byte stuffing: frames of any bytes on a line where a zero byte ends a frame.

A frame is cut into groups, each of which ends before a zero byte, after 254 bytes or at the end of the frame. A
group is sent as its length plus one and its bytes, the zero byte behind it is not sent, and a zero byte
ends the frame. ``n`` bytes, n at least 1, become at most ``n + 1 + (n - 1) // 254``, and one for the end.

Source: S. Cheshire and M. Baker, Consistent Overhead Byte Stuffing, IEEE/ACM Transactions on Networking 7(2), 1999.
"""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, enum, memory, stream, wiring
from amaranth.lib.wiring import In, Out

GROUP = 254
"""Most bytes of a group."""

ROOM = 512
"""Bytes that the encoder holds: the group that is being collected and one that is being sent."""


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
    One byte per clock, latency 0: a byte in gives at most one token out, in the same clock. A zero byte that follows
    a zero byte, or a reset, ends nothing and is dropped. A group of 254 bytes may be followed by an empty one.
    Source: see the module.
    """

    def __init__(self) -> None:
        super().__init__({"byte_i": In(stream.Signature(8)), "token_o": Out(stream.Signature(CobsToken()))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        byte, token = self.byte_i.payload, self.token_o.payload
        left = Signal(8)  # bytes of the group to come
        zero = Signal()  # the zero byte behind the group, if another group follows
        inside = Signal()
        says = Signal()
        m.d.comb += [
            self.token_o.valid.eq(self.byte_i.valid & says),
            self.byte_i.ready.eq(self.token_o.ready | ~says),
        ]
        taken = self.byte_i.valid & self.byte_i.ready
        with m.If(byte == 0):
            m.d.comb += [says.eq(inside), token.kind.eq(Mux(left == 0, CobsKind.END, CobsKind.MALFORMED))]
            with m.If(taken):
                m.d.sync += [left.eq(0), zero.eq(0), inside.eq(0)]
        with m.Elif(left == 0):
            m.d.comb += says.eq(zero)
            with m.If(taken):
                m.d.sync += [left.eq(byte - 1), zero.eq(byte != GROUP + 1), inside.eq(1)]
        with m.Else():
            m.d.comb += [says.eq(1), token.byte.eq(byte)]
            with m.If(taken):
                m.d.sync += left.eq(left - 1)
        return m


class CobsEncoder(wiring.Component):
    """Stuffs messages, and sends a zero byte behind each.

    The bytes are written to a ring, where a place is kept free for the length of their group. When the group
    ends, its length is written there and the whole group is released to the reader.

    Members
    -------
    message_i : In(stream of MessageByte)
    byte_o : Out(stream of 8)

    Notes
    -----
    One byte per clock in and out, but that a group of 254 bytes takes one clock more and the end of a message two: a
    message of n bytes takes at most ``n + 2 + (n - 1) // 254`` clocks. Latency: 2 clocks from the one that closes a
    group to its first byte. Memory: 512 bytes; it takes bytes until they are full. Source: see the module.
    """

    def __init__(self) -> None:
        super().__init__(
            {"message_i": In(stream.Signature(MessageByte())), "byte_o": Out(stream.Signature(8))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = store = memory.Memory(shape=8, depth=ROOM, init=[])
        write, read = store.write_port(), store.read_port()
        # Places count on modulo twice the room, so that full and empty differ.
        bits = (ROOM - 1).bit_length()
        tail = Signal(bits + 1)  # the reader's
        head = Signal(bits + 1)  # where the length of the group goes; the reader stops here
        place = Signal(bits + 1, init=1)  # where the next byte goes
        count = Signal(range(GROUP + 1))
        has_room = Signal()
        m.d.comb += has_room.eq(~(place - tail)[bits])

        message = self.message_i.payload
        closes = Signal()
        with m.FSM():
            with m.State("COLLECT"):
                taken = self.message_i.valid & has_room
                m.d.comb += [
                    self.message_i.ready.eq(has_room),
                    write.addr.eq(place),
                    write.data.eq(message.byte),
                    write.en.eq(taken),
                ]
                with m.If(taken):
                    with m.If(message.byte == 0):
                        m.d.comb += closes.eq(1)
                    with m.Else():
                        m.d.sync += [count.eq(count + 1), place.eq(place + 1)]
                    with m.If(message.last):
                        m.next = "LAST"
                    with m.Elif((message.byte != 0) & (count == GROUP - 1)):
                        m.next = "FULL"
            with m.State("FULL"):
                m.d.comb += closes.eq(has_room)
                with m.If(has_room):
                    m.next = "COLLECT"
            with m.State("LAST"):
                m.d.comb += closes.eq(has_room)
                with m.If(has_room):
                    m.next = "END"
            with m.State("END"):
                # The place kept for the next group takes the zero byte.
                m.d.comb += [write.addr.eq(head), write.en.eq(has_room)]
                with m.If(has_room):
                    m.d.sync += [head.eq(place), place.eq(place + 1)]
                    m.next = "COLLECT"
        with m.If(closes):
            m.d.comb += [write.addr.eq(head), write.data.eq(count + 1), write.en.eq(1)]
            m.d.sync += [head.eq(place), place.eq(place + 1), count.eq(0)]

        out = self.byte_o
        m.d.comb += [
            read.addr.eq(tail),
            read.en.eq((tail != head) & (~out.valid | out.ready)),
            out.payload.eq(read.data),
        ]
        with m.If(read.en):
            m.d.sync += [tail.eq(tail + 1), out.valid.eq(1)]
        with m.Elif(out.ready):
            m.d.sync += out.valid.eq(0)
        return m
