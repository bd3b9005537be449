# SPDX-License-Identifier: BSD-2-Clause
"""The half of the host link that writes replies, and notes the results of samples."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from erbium.hdl.cobs import MessageByte
from erbium.hdl.registers import (
    COUNTER_WIDTH,
    ERROR_REPLY,
    HISTORY,
    REPLY_BIT,
    RESULT_BYTES,
    WORD_BYTES,
    RegisterMap,
    Request,
    counter_names,
    weight_bytes,
)
from erbium.hdl.tokens import Result

STORE_BYTES = 512
RESULTS_AT = 128
"""Place of the results in the store; the constants of the register window stand before them."""

TAGS_AT = RESULTS_AT + HISTORY * RESULT_BYTES
"""Place of the tags of the samples that have no reply yet."""

_TURN_BITS = (HISTORY - 1).bit_length()
_ADDRESS_BITS = (STORE_BYTES - 1).bit_length()

# Bytes of a reply.
_TYPE, _TAG, _BODY, _ANSWER, _TICKS, _LAST = 0, 1, 2, 3, 4, 7

# Places in RegisterMap.windows.
_REGISTERS, _RESULTS, _WEIGHTS = 0, 1, 2


def store_image(registers: RegisterMap) -> list[int]:
    """Return what the store holds after configuration: the constants, byte by byte."""
    image = [0] * STORE_BYTES
    for register in registers:
        if register.value is not None:
            at = WORD_BYTES * register.address
            octets = register.value.to_bytes(WORD_BYTES * register.words, "little")
            image[at : at + len(octets)] = octets
    return image


def tag_address(turn: Value) -> Value:
    """Return where in the store the tag of a sample is kept."""
    return Cat(turn[:_TURN_BITS], Const(TAGS_AT >> _TURN_BITS, _ADDRESS_BITS - _TURN_BITS))


class ReplyWriter(wiring.Component):
    """Answers one message, or tells one result, at a time. Results go first.

    Parameters
    ----------
    registers : RegisterMap

    Members
    -------
    message_o : Out(stream of MessageByte)
    result_i : In(stream of Result)
        Taken when it has been noted in the store.
    ask : In(1), kind : In(2), tag : In(8), refused : In(1)
        Of :class:`erbium.hdl.request_reader.RequestReader`.
    accepts : Out(1)
        One clock: a reply begins. What was asked for is to be done now.
    done : Out(1)
        One clock: the reply has been sent.
    window, entry, place, last_byte, last_entry : In
        Of :class:`erbium.hdl.entry_cursor.EntryCursor`.
    next_byte, next_entry : Out(1)
        To there.
    live : In(8), code : In, turn : In(8)
        Of :class:`erbium.hdl.link_registers.LinkRegisters`: the byte that the cursor is at, the last error, and the
        turn of the next result.
    ends : Out(1)
        One clock: the reply with a result has been sent.
    read_address : Out(9), read_data : In(8)
        Of the store, with two clocks of latency.
    notes : Out(1), write_address : Out(9), write_data : Out(8)
        What is written to the store.
    read_o : Out(stream of nothing), weight_i : In(stream of int16)
        The next weight is to be read, and the weight.
    counter_o : Out(stream of 8), counter_i : In(stream of 48)
        Number of a counter, and the counter.

    Notes
    -----
    A byte takes 4 clocks, and those that the array takes for a weight or a counter; a result 5 more to be noted.
    """

    def __init__(self, registers: RegisterMap) -> None:
        self._registers = registers
        entries = max(registers.network.n_inputs, *(window.entries for window in registers.windows))
        super().__init__(
            {
                "message_o": Out(stream.Signature(MessageByte())),
                "result_i": In(stream.Signature(Result())),
                "ask": In(1),
                "kind": In(bits_for(max(Request))),
                "tag": In(8),
                "refused": In(1),
                "accepts": Out(1),
                "done": Out(1),
                "window": In(range(len(registers.windows))),
                "entry": In(bits_for(entries)),
                "place": In(range(max(window.entry_bytes for window in registers.windows))),
                "last_byte": In(1),
                "last_entry": In(1),
                "next_byte": Out(1),
                "next_entry": Out(1),
                "live": In(8),
                "code": In(8),
                "turn": In(8),
                "ends": Out(1),
                "read_address": Out(_ADDRESS_BITS),
                "read_data": In(8),
                "notes": Out(1),
                "write_address": Out(_ADDRESS_BITS),
                "write_data": Out(8),
                "read_o": Out(stream.Signature(0)),
                "weight_i": In(stream.Signature(16)),
                "counter_o": Out(stream.Signature(8)),
                "counter_i": In(stream.Signature(COUNTER_WIDTH)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        index = Signal(range(_LAST + 1))
        of_sample, busy, loads, in_entries = Signal(), Signal(), Signal(), Signal()
        body, ready = self._body(m, busy & in_entries)
        self._store(m, index, of_sample)

        out = self.message_o
        byte, last, takes = Signal(8), Signal(), Signal()
        m.d.comb += [
            in_entries.eq((index == _BODY) & ~of_sample & ~self.refused),
            takes.eq(loads & (ready | ~in_entries)),
            self.next_byte.eq(takes & in_entries),
            self.next_entry.eq(takes & in_entries & self.last_byte),
            self.ends.eq(out.valid & out.ready & out.payload.last & of_sample),
            self.done.eq(out.valid & out.ready & out.payload.last & ~of_sample),
            byte.eq(self.read_data),
        ]
        # A register: the store and the stuffing behind it are slow.
        with m.If(takes):
            m.d.sync += [out.payload.byte.eq(byte), out.payload.last.eq(last)]
        # Only READ has something behind the tag.
        short = (index == _TAG) & ~of_sample & ~self.refused & (self.kind != Request.READ)
        m.d.comb += last.eq(
            short
            | (index == _LAST)
            | (index == _BODY) & ~of_sample & (self.refused | (self.last_byte & self.last_entry))
        )
        with m.Switch(index):
            with m.Case(_TYPE):
                kind = Mux(of_sample, Request.SAMPLE, self.kind)
                m.d.comb += byte.eq(Mux(self.refused & ~of_sample, ERROR_REPLY, kind | REPLY_BIT))
            with m.Case(_TAG), m.If(~of_sample):
                m.d.comb += byte.eq(self.tag)
            with m.Case(_BODY):
                m.d.comb += byte.eq(body)
                with m.If(of_sample):
                    m.d.comb += byte.eq(self.turn)
                with m.Elif(self.refused):
                    m.d.comb += byte.eq(self.code)

        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [of_sample.eq(self.result_i.valid), index.eq(_TYPE)]
                with m.If(self.result_i.valid):
                    m.d.sync += index.eq(_ANSWER)
                    m.next = "NOTE"
                with m.Elif(self.ask):
                    m.d.comb += self.accepts.eq(1)
                    m.next = "FETCH"
            with m.State("NOTE"):
                # The place runs over from the last byte to the type.
                m.d.comb += [self.notes.eq(1), self.result_i.ready.eq(index == _LAST)]
                m.d.sync += index.eq(index + 1)
                with m.If(index == _LAST):
                    m.next = "FETCH"
            with m.State("FETCH"):
                m.d.comb += busy.eq(1)
                m.next = "READ"
            with m.State("READ"):
                m.d.comb += busy.eq(1)
                m.next = "LOAD"
            with m.State("LOAD"):
                m.d.comb += [busy.eq(1), loads.eq(1)]
                with m.If(takes):
                    m.d.sync += index.eq(index + ~in_entries)
                    m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += out.valid.eq(1)
                with m.If(out.ready):
                    m.next = "FETCH"
                    with m.If(out.payload.last):
                        m.next = "IDLE"
        return m

    def _store(self, m: Module, index: Signal, of_sample: Signal) -> None:
        """Say where in the store the byte is that is sent or noted next."""
        # The answer is byte 0 of an entry, byte 1 is empty, and the ticks follow.
        place = Mux(index == _ANSWER, 0, index - (_TICKS - 2))[:3]
        noted = Cat(place, self.turn[:_TURN_BITS], Const(RESULTS_AT >> 3 + _TURN_BITS, 2))
        result = Value.cast(self.result_i.payload)
        with m.Switch(index):
            for number in range(len(result) // 8):
                with m.Case(_ANSWER + number):
                    m.d.comb += self.write_data.eq(result[8 * number : 8 * number + 8])
        m.d.comb += self.write_address.eq(noted)
        with m.If(of_sample):
            m.d.comb += self.read_address.eq(Mux(index == _TAG, tag_address(self.turn), noted))
        with m.Elif(self.window == _REGISTERS):
            m.d.comb += self.read_address.eq(Cat(self.place[:2], self.entry[:5]))
        with m.Else():
            m.d.comb += self.read_address.eq(
                Cat(self.place[:3], self.entry[:_TURN_BITS], Const(RESULTS_AT >> 3 + _TURN_BITS, 2))
            )

    def _body(self, m: Module, active: Value) -> tuple[Value, Value]:
        """Return the byte that the cursor is at, and whether it is there."""
        registers = self._registers
        first = registers[f"count_{counter_names(registers.network)[0]}"].address
        is_counter = (self.window == _REGISTERS) & (self.entry >= first)
        is_weight = self.window >= _WEIGHTS
        wide = Signal()
        with m.Switch(self.window):
            for number, layer in enumerate(registers.network.layers):
                with m.Case(_WEIGHTS + number):
                    m.d.comb += wide.eq(weight_bytes(layer.weight_width) == 2)
        body, ready = Signal(8), Signal()
        asked = Signal()  # and not yet answered
        answered = Signal()
        takes = self.next_byte
        second, high = Signal(), Signal(8)  # byte of a weight
        m.d.comb += second.eq(wide & self.place[0])
        with m.If(self.weight_i.valid & self.weight_i.ready):
            m.d.sync += high.eq(self.weight_i.payload[8:])
        with m.If(is_weight):
            m.d.comb += [
                self.read_o.valid.eq(active & ~asked & ~second),
                body.eq(Mux(second, high, self.weight_i.payload[:8])),
                ready.eq(self.weight_i.valid | second),
                self.weight_i.ready.eq(takes & ~second),
                answered.eq(self.weight_i.valid & self.weight_i.ready),
            ]
        with m.Elif(is_counter):
            word = Cat(self.counter_i.payload, Const(0, 64 - COUNTER_WIDTH))
            m.d.comb += [
                self.counter_o.valid.eq(active & ~asked),
                self.counter_o.payload.eq((self.entry - first)[1:]),
                body.eq(word.word_select(Cat(self.place[:2], self.entry[0]), 8)),
                ready.eq(self.counter_i.valid),
                self.counter_i.ready.eq(takes & self.last_byte),
                answered.eq(self.counter_i.valid & self.counter_i.ready),
            ]
        with m.Else():
            m.d.comb += [
                body.eq(self.read_data | Mux(self.window == _REGISTERS, self.live, 0)),
                ready.eq(1),
            ]
        asks = (self.read_o.valid & self.read_o.ready) | (self.counter_o.valid & self.counter_o.ready)
        m.d.sync += asked.eq((asked | asks) & ~answered)
        return body, ready
