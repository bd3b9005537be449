# SPDX-License-Identifier: BSD-2-Clause
"""A host link that a chip shares with its host: what plays the flash sends its messages beside those of the frames."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from erbium.hdl.csr import STORE_BITS, CsrBlock, array_side
from erbium.hdl.entry_cursor import EntryCursor
from erbium.hdl.frame import FrameReceiver, FrameSender, FrameStatus
from erbium.hdl.host_link import MessageLink
from erbium.hdl.registers import WORD_BYTES, LinkMap
from erbium.hdl.reply_writer import ReplyWriter
from erbium.hdl.request_reader import RequestReader

NEAR_BITS = 4
"""Bits that say which byte of the registers ``flash_state`` to ``flash_tested`` is written."""


class SharedLink(MessageLink):
    """A link of messages with a second source of them, on the chip.

    Messages of the two take turns, each of them whole. Those of the chip are dealt with as those of a host, but for
    samples, which have no turn and are not counted; what is said in reply goes back to where the message
    came from. A result of a run is told from the place of the next result of the host, in which that of 16 turns before
    is lost. While a run is under way (`playing`) the host's samples and whatever it would write to settings and weights
    are refused.

    Parameters
    ----------
    registers : LinkMap
        With `shares`.
    timeout : int
        Of :class:`erbium.hdl.host_link.MessageLink`.

    Members
    -------
    length : In(8), sizes, begins : In(1)
        Bytes of a message, the lower byte of that number first; with the higher one the message `begins`, which is for
        when none is `under_way`.
    under_way : Out(1)
        It has not been dealt with.
    octet : In(8), offered : In(1), taken : Out(1)
        A byte of it. Those that are left of a message which is refused are taken and dropped.
    reply : Out(8), replies : Out(1), heard : In(1)
        A byte of a reply, or of a sample's result.
    status : In(8), status_at : In(4), tells : In(1), told : Out(1)
        A byte of the registers ``flash_state`` to ``flash_tested`` is written.
    array_idle : In(1)
        No sample is in the array; `idle` is what the host is told.
    free : Out(1)
        Nobody uses the array or the link.

    Others as in :class:`erbium.hdl.host_link.MessageLink`.
    """

    @staticmethod
    def side(registers: LinkMap) -> dict[str, wiring.Member]:
        return array_side(registers) | {
            "length": In(8),
            "sizes": In(1),
            "begins": In(1),
            "under_way": Out(1),
            "octet": In(8),
            "offered": In(1),
            "taken": Out(1),
            "reply": Out(8),
            "replies": Out(1),
            "heard": In(1),
            "status": In(8),
            "status_at": In(NEAR_BITS),
            "tells": In(1),
            "told": Out(1),
            "array_idle": In(1),
            "free": Out(1),
        }

    def elaborate(self, platform: object) -> Module:
        self._own, self._mine = Signal(name="own"), Signal(name="mine")
        return super().elaborate(platform)

    def _of_host(self, value: Value) -> Value:
        return value & ~self._own

    def _result_of_host(self, value: Value, *, told: bool = False) -> Value:
        return value & ~(self._mine if told else self.playing)

    def _hand_over(self, m: Module, receiver: FrameReceiver, reader: RequestReader) -> None:
        own, frames, message = self._own, receiver.outcome_o, reader.message_i
        left = Signal(bits_for(self._registers.max_message))
        m.d.comb += [
            reader.own.eq(own),
            reader.outcome_i.valid.eq(Mux(own, self.under_way, frames.valid)),
            reader.outcome_i.payload.eq(frames.payload),
            frames.ready.eq(reader.outcome_i.ready & ~own),
            message.valid.eq(Mux(own, self.offered, receiver.message_o.valid)),
            message.payload.byte.eq(Mux(own, self.octet, receiver.message_o.payload.byte)),
            message.payload.last.eq(Mux(own, left == 1, receiver.message_o.payload.last)),
            receiver.message_o.ready.eq(message.ready & ~own),
            receiver.skip.eq(reader.skip & ~own),
            self.taken.eq(own & (message.ready | reader.ask)),
            self.free.eq(self.array_idle & ~frames.valid & ~self.result_i.valid),
        ]
        with m.If(own):
            m.d.comb += reader.outcome_i.payload.status.eq(FrameStatus.VERIFIED)
        with m.If(self.sizes):
            m.d.sync += left[:8].eq(self.length)
        with m.Elif(self.begins):
            m.d.sync += left[8:].eq(self.length)
        with m.Elif(own & (self.offered & self.taken | reader.skip)):
            m.d.sync += left.eq(left - 1)
        # A reset of what plays, which a message of the host asks for, takes back a message that waits.
        ends = own & reader.outcome_i.ready
        m.d.sync += self.under_way.eq((self.under_way | self.begins) & ~ends & ~self.array_reset)
        m.d.sync += own.eq(self.under_way & ~ends & ~self.array_reset & (own | ~frames.valid))

    def _reply(self, m: Module, writer: ReplyWriter, sender: FrameSender) -> None:
        out, is_mine = writer.message_o, Signal()
        with m.If(self.result_i.valid & self.result_i.ready):
            m.d.sync += self._mine.eq(self.playing)
        m.d.comb += [
            is_mine.eq(Mux(writer.of_sample, self._mine, self._own)),
            sender.message_i.payload.eq(out.payload),
            sender.message_i.valid.eq(out.valid & ~is_mine),
            self.reply.eq(out.payload.byte),
            self.replies.eq(out.valid & is_mine),
            out.ready.eq(Mux(is_mine, self.heard, sender.message_i.ready)),
        ]

    def _state(
        self, m: Module, reader: RequestReader, writer: ReplyWriter, cursor: EntryCursor, csr: CsrBlock
    ) -> None:
        super()._state(m, reader, writer, cursor, csr)
        m.d.comb += reader.idle.eq(self.array_idle)

    def _read(
        self, m: Module, reader: RequestReader, writer: ReplyWriter, cursor: EntryCursor, csr: CsrBlock
    ) -> None:
        super()._read(m, reader, writer, cursor, csr)
        first = WORD_BYTES * self._registers["flash_state"].address
        m.d.comb += self.told.eq(~writer.notes & ~reader.keep)
        with m.If(self.tells & self.told):
            m.d.comb += [
                csr.keep.eq(1),
                csr.keep_address.eq(Cat(self.status_at, Const(first >> NEAR_BITS, STORE_BITS - NEAR_BITS))),
                csr.keep_data.eq(self.status),
            ]
