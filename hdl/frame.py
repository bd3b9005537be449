# SPDX-License-Identifier: BSD-2-Clause
"""Frames of the host link: a message and its CRC-32, stuffed, with a zero byte at the end.

The CRC is that of IEEE 802.3, as of ``zlib.crc32``; its lowest byte comes first.
"""

from amaranth.hdl import Array, Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import data, enum, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from erbium.hdl.cobs import CobsDecoder, CobsEncoder, CobsKind, MessageByte
from erbium.hdl.crc import Crc

CRC_BYTES = 4
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
    outcome waits while the message is read; taking it frees the buffer, and drops what has not been read. So a
    reader knows status and length before the first byte, and can refuse a message without reading it. The message
    is a stream and not a memory with addresses, since it is turned into streams of pixels and weights.

    A frame that is not verified occupies a buffer until its outcome is taken, and leaves nothing else behind. If
    there is more than one thing wrong, the status is the first of ``TIMED_OUT``, ``TOO_LONG``, ``MALFORMED``,
    ``TOO_SHORT``, ``DAMAGED``. Frames without a byte are ignored.

    Parameters
    ----------
    max_length : int
        Bytes of the longest message, 1 ... 65,536.
    timeout : int
        Clocks without a byte after which an unfinished frame is given up, at least 1; the next byte begins a new one.

    Members
    -------
    byte_i : In(stream of 8)
        Waits for longer than the CRC only between frames, while there are two outcomes that have not been taken.
    outcome_o : Out(stream of FrameOutcome)
    message_o : Out(stream of MessageByte)
        Message of the outcome that waits. A byte that waits is withdrawn when the outcome is taken.

    Notes
    -----
    One byte per 5 clocks in, while the message before is read at one byte per clock. The outcome comes one clock after
    the zero byte or the time-out, the first byte one clock after the outcome. Memory: twice `max_length`, rounded up to
    a power of two. Of the frames damaged at random, one in about 2**32 passes for a message.
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
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = ceil_log2(self._max_length)
        m.submodules.memory = store = memory.Memory(shape=8, depth=2 << bits, init=[])
        full = Signal(2)
        reading = Signal()
        writing = Signal()
        outcomes = Array(Signal(self.outcome, name=f"outcome_{bank}") for bank in range(2))
        self._receive(m, store.write_port(), bits, full, writing, outcomes[writing])
        self._offer(m, store.read_port(), bits, full, reading, outcomes[reading])
        return m

    def _receive(self, m: Module, write: object, bits: int, full: Signal, writing: Signal, outcome) -> None:
        """Write frames to the bank `writing`."""
        expired = Signal()
        silence = Signal(range(self._timeout))
        decoder = CobsDecoder()
        m.submodules.decoder = ResetInserter(expired)(decoder)
        m.submodules.crc = crc = Crc()
        token = decoder.token_o.payload
        # One more than the longest frame stands for all that are longer.
        beyond = self._max_length + CRC_BYTES + 1
        count = Signal(range(beyond + 1))

        waits = full.bit_select(writing, 1) | crc.busy
        takes = self.byte_i.valid & ~waits
        m.d.comb += [
            self.byte_i.ready.eq(~waits),
            decoder.byte_i.valid.eq(takes),
            decoder.byte_i.payload.eq(self.byte_i.payload),
            decoder.token_o.ready.eq(1),
        ]
        is_byte = decoder.token_o.valid & (token.kind == CobsKind.BYTE)
        is_end = decoder.token_o.valid & (token.kind != CobsKind.BYTE)
        m.d.comb += [
            write.addr.eq(Cat(count[:bits], writing)),
            write.data.eq(token.byte),
            # The CRC of the longest message has no place, and needs none.
            write.en.eq(is_byte & (count < self._max_length)),
            crc.data.eq(token.byte),
            crc.valid.eq(is_byte),
            crc.start.eq(is_end | expired),
        ]
        with m.If(is_byte & (count != beyond)):
            m.d.sync += count.eq(count + 1)

        inside = Signal()
        m.d.comb += expired.eq(inside & ~self.byte_i.valid & (silence == self._timeout - 1))
        with m.If(takes):
            m.d.sync += [inside.eq(self.byte_i.payload != 0), silence.eq(0)]
        with m.Elif(expired):
            m.d.sync += [inside.eq(0), silence.eq(0)]
        with m.Elif(inside):
            m.d.sync += silence.eq(silence + 1)

        status = Signal(FrameStatus)
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
        with m.If(is_end | expired):
            length = Mux(status == FrameStatus.VERIFIED, count - CRC_BYTES, 0)
            m.d.sync += [
                outcome.status.eq(status),
                outcome.length.eq(length),
                full.bit_select(writing, 1).eq(1),
                writing.eq(~writing),
                count.eq(0),
            ]

    def _offer(self, m: Module, read: object, bits: int, full: Signal, reading: Signal, outcome) -> None:
        """Offer the outcome in the bank `reading`, and the bytes of its message."""
        offer, out = self.outcome_o, self.message_o
        place = Signal(range(self._max_length + 1))
        last = Signal()
        m.d.comb += [
            offer.valid.eq(full.bit_select(reading, 1)),
            offer.payload.eq(outcome),
            read.addr.eq(Cat(place[:bits], reading)),
            read.en.eq(offer.valid & (place != outcome.length) & (~out.valid | out.ready)),
            out.payload.byte.eq(read.data),
            out.payload.last.eq(last),
        ]
        with m.If(read.en):
            m.d.sync += [out.valid.eq(1), place.eq(place + 1), last.eq(place + 1 == outcome.length)]
        with m.Elif(out.ready):
            m.d.sync += out.valid.eq(0)
        with m.If(offer.valid & offer.ready):
            m.d.sync += [
                out.valid.eq(0),
                place.eq(0),
                full.bit_select(reading, 1).eq(0),
                reading.eq(~reading),
            ]


class FrameSender(wiring.Component):
    """Sends messages as frames: appends the CRC, stuffs, and ends each frame with a zero byte.

    Members
    -------
    message_i : In(stream of MessageByte)
        A message has at least one byte; it may be of any length, and may pause.
    byte_o : Out(stream of 8)

    Notes
    -----
    One byte per 5 clocks; a message of n bytes takes at most ``5 n + 6 + (n + 3) // 254`` clocks. The first byte comes
    when the first group is complete, see :class:`erbium.hdl.cobs.CobsEncoder`, which holds 512 bytes.
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
        m.d.comb += ends.eq(appends & out.valid & out.ready & (place == CRC_BYTES - 1))
        with m.If(~appends):
            m.d.comb += [
                out.valid.eq(message.valid & ~crc.busy),
                message.ready.eq(out.ready & ~crc.busy),
                out.payload.byte.eq(message.payload.byte),
                crc.data.eq(message.payload.byte),
                crc.valid.eq(message.valid & message.ready),
            ]
            with m.If(crc.valid & message.payload.last):
                m.d.sync += appends.eq(1)
        with m.Else():
            m.d.comb += [
                out.valid.eq(~crc.busy),
                out.payload.byte.eq(crc.crc.word_select(place, 8)),
                out.payload.last.eq(place == CRC_BYTES - 1),
                crc.start.eq(ends),
            ]
            with m.If(out.valid & out.ready):
                m.d.sync += [place.eq(place + 1), appends.eq(~ends)]
        return m
