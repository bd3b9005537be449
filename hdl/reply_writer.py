# SPDX-License-Identifier: BSD-2-Clause
"""The half of the host link that writes replies, and notes the results of samples."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from erbium.hdl.cobs import MessageByte
from erbium.hdl.csr import STORE_BITS, result_address, tag_address
from erbium.hdl.one_hot import OneHot
from erbium.hdl.registers import ERROR_REPLY, REPLY_BIT, LinkMap, Request
from erbium.hdl.tokens import Result

# Bytes of a reply.
_TYPE, _TAG, _BODY, _ANSWER, _TICKS, _LAST = 0, 1, 2, 3, 4, 7


class ReplyWriter(wiring.Component):
    """Answers one message, or tells one result, at a time. Results go first.

    Parameters
    ----------
    registers : LinkMap
    result : Layout, optional
        Five bytes that are said of a sample; default: those of an array.

    Members
    -------
    message_o : Out(stream of MessageByte)
    result_i : In(stream of `result`)
        Taken when it has been noted in the store.
    ask : In(1), kind : In(2), tag : In(8), refused : In(1)
        Of :class:`erbium.hdl.request_reader.RequestReader`.
    accepts : Out(1)
        One clock: a reply begins. What was asked for is to be done now.
    done : Out(1)
        One clock: the reply has been sent.
    last_byte, last_entry : In
        Of :class:`erbium.hdl.entry_cursor.EntryCursor`.
    next_byte, next_entry : Out(1)
        To there.
    of_sample : Out(1)
        The reply is that to a sample.
    turn : In(8)
        Of the next result.
    ends : Out(1)
        One clock: the reply with a result has been sent.
    select, read, own : Out(1), own_address : Out(9), data : In(8), ack : In(1)
        To and from :class:`erbium.hdl.csr.CsrBlock`: the byte where the cursor is; or that of the reply to a sample,
        which has an address of its own.
    notes : Out(1), write_address : Out(9), write_data : Out(8)
        What is written to the store of that block.

    Notes
    -----
    A byte takes 3 clocks, and those that the array takes for a weight or a counter, and the sender for a byte; a result
    5 more to be noted.
    """

    def __init__(self, registers: LinkMap, result: data.Layout | None = None) -> None:
        super().__init__(
            {
                "message_o": Out(stream.Signature(MessageByte())),
                "result_i": In(stream.Signature(result or Result())),
                "ask": In(1),
                "kind": In(bits_for(max(Request))),
                "tag": In(8),
                "refused": In(1),
                "accepts": Out(1),
                "done": Out(1),
                "last_byte": In(1),
                "last_entry": In(1),
                "next_byte": Out(1),
                "next_entry": Out(1),
                "of_sample": Out(1),
                "turn": In(8),
                "ends": Out(1),
                "select": Out(1),
                "read": Out(1),
                "own": Out(1),
                "own_address": Out(STORE_BITS),
                "data": In(8),
                "ack": In(1),
                "notes": Out(1),
                "write_address": Out(STORE_BITS),
                "write_data": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        index = Signal(range(_LAST + 1))
        of_sample, loads, in_entries = Signal(), Signal(), Signal()
        is_type, is_tag, is_body = index == _TYPE, index == _TAG, index == _BODY
        refuses = self.refused & ~of_sample
        entries = is_body & ~of_sample & ~self.refused
        self._store(m, index)

        out = self.message_o
        takes, last = Signal(), Signal()
        m.d.comb += [
            # What is nobody's byte is 0, and there at once.
            self.select.eq(is_body),
            self.read.eq(loads),
            self.own.eq(of_sample & ~is_type & ~is_body),
            takes.eq(loads & self.ack),
            self.next_byte.eq(takes & in_entries),
            self.next_entry.eq(takes & in_entries & self.last_byte),
            self.of_sample.eq(of_sample),
            self.ends.eq(out.valid & out.ready & out.payload.last & of_sample),
            self.done.eq(out.valid & out.ready & out.payload.last & ~of_sample),
        ]
        # Which byte it is has been known for a clock when it is loaded.
        types, tags = Signal(), Signal()
        m.d.sync += [
            in_entries.eq(entries),
            types.eq(is_type),
            tags.eq(is_tag & ~of_sample),
            # Only READ has something behind the tag.
            last.eq(
                (is_tag & ~of_sample & ~self.refused & (self.kind != Request.READ))
                | (index == _LAST)
                | (is_body & refuses)
                | (entries & self.last_byte & self.last_entry)
            ),
        ]
        # All bits of the error reply's type are 1.
        kind = Mux(of_sample, Request.SAMPLE, self.kind) | REPLY_BIT | Mux(refuses, ERROR_REPLY, 0)
        with m.If(takes):
            m.d.sync += [
                # What is not there is 0.
                out.payload.byte.eq(Mux(types, kind, 0) | Mux(tags, self.tag, 0) | self.data),
                out.payload.last.eq(last),
            ]

        fsm = OneHot(m, "IDLE")
        with fsm.state("IDLE"):
            m.d.sync += [
                of_sample.eq(self.result_i.valid),
                index.eq(Mux(self.result_i.valid, _ANSWER, _TYPE)),
            ]
            with m.If(self.result_i.valid):
                fsm.go("NOTE")
            with m.Elif(self.ask):
                m.d.comb += self.accepts.eq(1)
                fsm.go("FETCH")
        with fsm.state("NOTE"):
            # The place runs over from the last byte to the type.
            m.d.comb += [self.notes.eq(1), self.result_i.ready.eq(index == _LAST)]
            m.d.sync += index.eq(index + 1)
            with m.If(index == _LAST):
                fsm.go("FETCH")
        with fsm.state("FETCH"):
            fsm.go("LOAD")
        with fsm.state("LOAD"):
            m.d.comb += loads.eq(1)
            with m.If(takes):
                m.d.sync += index.eq(index + ~in_entries)
                fsm.go("SEND")
        with fsm.state("SEND"):
            m.d.comb += out.valid.eq(1)
            with m.If(out.ready & out.payload.last):
                fsm.go("IDLE")
            with m.Elif(out.ready):
                fsm.go("FETCH")
        fsm.close()
        return m

    def _store(self, m: Module, index: Signal) -> None:
        """Say where in the store the byte is that is sent or noted next."""
        # The answer is byte 0 of an entry, byte 1 is empty, and the ticks follow.
        place = Mux(index == _ANSWER, 0, index - (_TICKS - 2))[:3]
        noted = result_address(self.turn, place)
        result = Value.cast(self.result_i.payload)
        with m.Switch(index):
            for number in range(len(result) // 8):
                with m.Case(_ANSWER + number):
                    m.d.comb += self.write_data.eq(result[8 * number : 8 * number + 8])
        m.d.comb += [
            self.write_address.eq(noted),
            self.own_address.eq(Mux(index == _TAG, tag_address(self.turn), noted)),
        ]
