# SPDX-License-Identifier: BSD-2-Clause
"""Frames of the host link: a message and its CRC-32, stuffed, with a zero byte at the end.

The CRC is that of IEEE 802.3, as of ``zlib.crc32``; its lowest byte comes first.
"""

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import data, enum, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, ceil_log2

from erbium.hdl.cobs import CobsDecoder, CobsEncoder, CobsKind, MessageByte
from erbium.hdl.crc import Crc
from erbium.hdl.marks import COLLISION_FREE

CRC_BYTES = 4
SPARE = 96
"""Room in front of the longest message: that of the next one which is read while more of it come in."""

LONGEST = 1 << 16
"""Bytes of the longest message that a receiver can be built for."""


class FrameStatus(enum.Enum, shape=3):
    """What became of a frame.

    Members
    -------
    VERIFIED : its message can be read
    MALFORMED : it ended within a group
    DAMAGED : its CRC is wrong
    TOO_LONG : its message has more bytes than the buffer; says nothing of its CRC
    TOO_SHORT : its message has no byte
    TIMED_OUT : the line fell silent before its end
    """

    VERIFIED = 0
    MALFORMED = 1
    DAMAGED = 2
    TOO_LONG = 3
    TOO_SHORT = 4
    TIMED_OUT = 5


class FrameOutcome(data.StructLayout):
    """What is said of a frame: its status, and the length of the message, 0 if there is none."""

    def __init__(self, max_length: int) -> None:
        super().__init__({"status": FrameStatus, "length": range(max_length + 1)})


def check_limits(max_length: int, timeout: int) -> None:
    """Check the limits of a :class:`FrameReceiver`.

    Raises
    ------
    ValueError
        If one of them is out of its range.
    """
    if not 1 <= max_length <= LONGEST:
        raise ValueError(f"max_length is {max_length}; it must be 1 ... {LONGEST}")
    if timeout < 1:
        raise ValueError(f"timeout is {timeout}; it must be at least 1 clock")


class FrameReceiver(wiring.Component):
    """Turns the bytes of a line into verified messages.

    Every frame gives one outcome, in the order of the frames, so that whoever answers them answers in order, too. The
    outcome waits while the message is read; taking it drops what has not been read. So a reader knows status and
    length before the first byte, and can refuse a message without reading it. The message is a stream and not
    a memory with addresses, since it is turned into streams of pixels and weights.

    The bytes stand in a ring, where a message makes room as it is read. So the ring need not hold two of the longest
    messages: while one of them waits, whoever sent it has no reason to send another one.

    A frame that is not verified leaves nothing but its outcome behind. If there is more than one thing wrong, the
    status is the first of ``TIMED_OUT``, ``TOO_LONG``, ``MALFORMED``, ``TOO_SHORT``, ``DAMAGED``. Frames
    without a byte are ignored.

    Parameters
    ----------
    max_length : int
        Bytes of the longest message, 1 ... 65,536.
    timeout : int
        Clocks without a byte after which an unfinished frame is given up, at least 1; the next byte begins a new one.

    Members
    -------
    byte_i : In(stream of 8)
        The end of a frame waits while the outcome of the one before has not been taken, and a byte while there is no
        room for it; that is for no longer than the CRC takes if all messages but the one that is read fit in `SPARE`.
    outcome_o : Out(stream of FrameOutcome)
    message_o : Out(stream of MessageByte)
        Message of the outcome that waits. A byte that waits is withdrawn when the outcome is taken.
    skip : In(1)
        Move `last` on to the next byte without the byte, which waits: so a message can be measured before it is read.
        It is not known then where the message ends.

    Notes
    -----
    One byte per 5 clocks in, one per 2 clocks out. The outcome comes one clock after the zero byte or two after the
    time-out, the first byte two clocks after the outcome. Memory: `max_length`, the CRC and `SPARE`, rounded up to a
    power of two. Of the frames damaged at random, one in about 2**32 passes for a message.
    """

    def __init__(self, max_length: int, timeout: int) -> None:
        check_limits(max_length, timeout)
        self._max_length, self._timeout = max_length, timeout
        self.outcome = FrameOutcome(max_length)
        super().__init__(
            {
                "byte_i": In(stream.Signature(8)),
                "outcome_o": Out(stream.Signature(self.outcome)),
                "message_o": Out(stream.Signature(MessageByte())),
                "skip": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = ceil_log2(self._max_length + CRC_BYTES + SPARE)
        m.submodules.memory = store = memory.Memory(shape=8, depth=1 << bits, init=[], attrs=COLLISION_FREE)
        start = Signal(bits)  # of the frame that comes in, and so behind the message that is read
        at = Signal(bits)  # where the next byte of that is
        self._receive(m, store.write_port(), start, at)
        self._offer(m, store.read_port(), start, at)
        return m

    def _receive(self, m: Module, write: memory.WritePort, start: Signal, at: Signal) -> None:
        """Write frames, and make their outcomes."""
        expired = Signal()
        decoder = CobsDecoder()
        m.submodules.decoder = ResetInserter(expired)(decoder)
        m.submodules.crc = crc = Crc()
        token = decoder.token_o.payload
        is_byte, is_end = Signal(), Signal()
        silent = self._silence(m)

        # One more than the longest frame stands for all that are longer.
        beyond = self._max_length + CRC_BYTES + 1
        count = Signal(range(beyond + 1))
        place, holds = Signal.like(start), Signal()
        full = Signal()
        m.d.sync += [place.eq(start + count), full.eq(holds & (place == at))]
        m.d.comb += [
            decoder.byte_i.valid.eq(self.byte_i.valid & ~silent),
            decoder.byte_i.payload.eq(self.byte_i.payload),
            self.byte_i.ready.eq(decoder.byte_i.ready & ~silent),
            is_byte.eq(decoder.token_o.valid & (token.kind == CobsKind.BYTE)),
            is_end.eq(decoder.token_o.valid & (token.kind != CobsKind.BYTE) & ~self.outcome_o.valid),
            decoder.token_o.ready.eq(Mux(token.kind == CobsKind.BYTE, crc.ready, ~self.outcome_o.valid)),
            expired.eq(silent & ~self.outcome_o.valid),
            crc.data.eq(token.byte),
            crc.valid.eq(is_byte & ~full),
            crc.start.eq(is_end | expired),
            write.addr.eq(place),
            write.data.eq(token.byte),
            write.en.eq(crc.ready),
        ]
        with m.If(crc.ready):
            m.d.sync += holds.eq(1)
            with m.If(count != beyond):
                m.d.sync += count.eq(count + 1)

        status, outcome = Signal(FrameStatus), self.outcome_o
        with m.If(expired):
            m.d.comb += status.eq(FrameStatus.TIMED_OUT)
        with m.Elif(count == beyond):
            m.d.comb += status.eq(FrameStatus.TOO_LONG)
        with m.Elif(token.kind == CobsKind.MALFORMED):
            m.d.comb += status.eq(FrameStatus.MALFORMED)
        with m.Elif(count <= CRC_BYTES):
            m.d.comb += status.eq(FrameStatus.TOO_SHORT)
        with m.Elif(~crc.match_detected):
            m.d.comb += status.eq(FrameStatus.DAMAGED)
        verified = status == FrameStatus.VERIFIED
        with m.If(outcome.valid):
            m.d.sync += outcome.valid.eq(~outcome.ready)
        with m.Elif(is_end | expired):
            m.d.sync += [
                outcome.valid.eq(1),
                outcome.payload.status.eq(status),
                outcome.payload.length.eq(Mux(verified, count - CRC_BYTES, 0)),
                count.eq(0),
                holds.eq(0),
            ]
            with m.If(verified):
                m.d.sync += start.eq(place)

    def _silence(self, m: Module) -> Signal:
        """Return whether the line has fallen silent within a frame; that stays until its outcome is there."""
        # It counts up to a power of two: one bit says that it is there.
        bits = bits_for(self._timeout)
        count = Signal(bits + 1, init=(1 << bits) - self._timeout)
        silent, inside = count[bits], Signal()
        takes = self.byte_i.valid & self.byte_i.ready
        with m.If(takes | (silent & ~self.outcome_o.valid)):
            m.d.sync += [inside.eq(takes & (self.byte_i.payload != 0)), count.eq(count.init)]
        with m.Elif(inside & ~silent & ~self.byte_i.valid):
            m.d.sync += count.eq(count + 1)
        return silent

    def _offer(self, m: Module, read: memory.ReadPort, start: Signal, at: Signal) -> None:
        """Offer the bytes of the message whose outcome waits."""
        outcome, out = self.outcome_o, self.message_o
        place = Signal.like(outcome.payload.length, init=1)  # counted from 1
        fetched = Signal()  # the memory gives the byte of `at`
        over, loads, is_last = Signal(), Signal(), Signal()
        verified = outcome.payload.status == FrameStatus.VERIFIED
        m.d.comb += [
            read.addr.eq(at),
            read.en.eq(1),
            is_last.eq(place == outcome.payload.length),
            loads.eq(fetched & ~over & (~out.valid | out.ready)),
        ]
        m.d.sync += fetched.eq(outcome.valid & verified)
        with m.If(loads | self.skip):
            m.d.sync += [out.payload.last.eq(is_last), place.eq(place + 1)]
        with m.If(loads):
            # A register, since the memory is slow.
            m.d.sync += [
                out.payload.byte.eq(read.data),
                out.valid.eq(1),
                over.eq(is_last),
                at.eq(at + 1),
                fetched.eq(0),
            ]
        with m.Elif(out.ready):
            m.d.sync += out.valid.eq(0)
        with m.If(outcome.ready):
            m.d.sync += [out.valid.eq(0), fetched.eq(0), over.eq(0), at.eq(start), place.eq(1)]


class FrameSender(wiring.Component):
    """Sends messages as frames: appends the CRC, stuffs, and ends each frame with a zero byte.

    Members
    -------
    message_i : In(stream of MessageByte)
        A message has at least one byte; it may be of any length, and may pause.
    byte_o : Out(stream of 8)

    Notes
    -----
    One byte per 4 clocks, but that a group may have to wait for the one before: a message of n bytes takes at most
    ``6 (n + 5)`` clocks. The first byte comes when the first group is complete, see
    :class:`erbium.hdl.cobs.CobsEncoder`, which holds two.
    """

    def __init__(self) -> None:
        super().__init__(
            {"message_i": In(stream.Signature(MessageByte())), "byte_o": Out(stream.Signature(8))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.encoder = encoder = CobsEncoder()
        m.submodules.crc = crc = Crc()
        wiring.connect(m, encoder.byte_o, wiring.flipped(self.byte_o))
        message, out = self.message_i, encoder.message_i
        appends = Signal()
        place = Signal(range(CRC_BYTES))
        ends = Signal()
        m.d.comb += [
            # The encoder takes a byte in the first clock of those that the CRC takes.
            out.valid.eq((message.valid | appends) & crc.first),
            out.payload.byte.eq(Mux(appends, crc.crc[:8], message.payload.byte)),
            out.payload.last.eq(appends & (place == CRC_BYTES - 1)),
            crc.valid.eq((out.valid & out.ready) | ~crc.first),
            crc.data.eq(message.payload.byte),
            crc.append.eq(appends),
            message.ready.eq(crc.ready & ~appends),
            ends.eq(crc.ready & out.payload.last),
            crc.start.eq(ends),
        ]
        with m.If(message.ready):
            m.d.sync += appends.eq(message.payload.last)
        with m.If(crc.ready & appends):
            m.d.sync += place.eq(place + 1)
        with m.If(ends):
            m.d.sync += appends.eq(0)
        return m
