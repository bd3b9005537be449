# SPDX-License-Identifier: BSD-2-Clause
"""The half of the host link that writes replies, and notes the results of samples."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from erbium.hdl.cobs import MessageByte
from erbium.hdl.one_hot import OneHot
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
    performance_names,
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
    of_sample : Out(1)
        The reply is that to a sample.
    live : In(8), turn : In(8)
        Of :class:`erbium.hdl.link_registers.LinkRegisters`: the turn of the next result if the reply is `of_sample`,
        else the last error if it refuses, else the byte that the cursor is at; and that turn.
    ends : Out(1)
        One clock: the reply with a result has been sent.
    read_address : Out(9), read_data : In(8)
        Of the store, with one clock of latency.
    notes : Out(1), write_address : Out(9), write_data : Out(8)
        What is written to the store.
    read_o : Out(stream of nothing), weight_i : In(stream of int16)
        The next weight is to be read, and the weight.
    counter_o : Out(stream of 8), counter_i : In(stream of 48)
        Number of a counter, and the counter.

    Notes
    -----
    A byte takes 3 clocks, and those that the array takes for a weight or a counter, and the sender for a byte; a result
    5 more to be noted.
    """

    def __init__(self, registers: RegisterMap) -> None:
        self._registers = registers
        entries = max(registers.n_inputs, *(window.entries for window in registers.windows))
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
                "of_sample": Out(1),
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
        of_sample, loads, in_entries = Signal(), Signal(), Signal()
        is_type, is_tag, is_body = index == _TYPE, index == _TAG, index == _BODY
        refuses = self.refused & ~of_sample
        entries = is_body & ~of_sample & ~self.refused
        is_weight, is_counter, array_byte, ready = self._from_array(m, loads & in_entries)
        self._store(m, index, of_sample)

        out = self.message_o
        takes, last = Signal(), Signal()
        m.d.comb += [
            takes.eq(loads & (ready | ~in_entries)),
            self.next_byte.eq(takes & in_entries),
            self.next_entry.eq(takes & in_entries & self.last_byte),
            self.of_sample.eq(of_sample),
            self.ends.eq(out.valid & out.ready & out.payload.last & of_sample),
            self.done.eq(out.valid & out.ready & out.payload.last & ~of_sample),
        ]
        # Which byte it is has been known for a clock when it is loaded.
        types, tags, lives, stored = Signal(), Signal(), Signal(), Signal()
        m.d.sync += [
            in_entries.eq(entries),
            types.eq(is_type),
            tags.eq(is_tag & ~of_sample),
            lives.eq(is_body & (of_sample | self.refused | (self.window == _REGISTERS))),
            stored.eq(Mux(of_sample, ~is_type & ~is_body, entries & ~is_weight & ~is_counter)),
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
                out.payload.byte.eq(
                    Mux(types, kind, 0)
                    | Mux(tags, self.tag, 0)
                    | Mux(lives, self.live, 0)
                    | Mux(stored, self.read_data, 0)
                    | Mux(in_entries, array_byte, 0)
                ),
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

    def _from_array(self, m: Module, active: Value) -> tuple[Value, Value, Value, Value]:
        """Return whether the cursor is at a weight or a counter, the byte of that, else 0, and whether it is there."""
        registers = self._registers
        n_counters = len(counter_names(registers.network) + performance_names(registers.network))
        first = registers[f"count_{counter_names(registers.network)[0]}"].address
        is_weight, is_counter = Signal(), Signal()
        # What is beyond the registers is never asked for.
        word = self.entry[: bits_for(registers.n_words - 1)]
        m.d.sync += [
            is_weight.eq(self.window >= _WEIGHTS),
            is_counter.eq((self.window == _REGISTERS) & (word >= first)),
        ]
        wide = Signal()
        with m.Switch(self.window):
            for number, layer in enumerate(registers.populations):
                with m.Case(_WEIGHTS + number):
                    m.d.comb += wide.eq(weight_bytes(layer.weight_width) == 2)
        ready = Signal()
        asked = Signal()  # and not yet answered
        answered = Signal()
        takes = self.next_byte
        second, high = Signal(), Signal(8)  # byte of a weight
        m.d.comb += second.eq(wide & self.place[0])
        with m.If(self.weight_i.valid & self.weight_i.ready):
            m.d.sync += high.eq(self.weight_i.payload[8:])
        m.d.comb += [
            self.read_o.valid.eq(active & is_weight & ~asked & ~second),
            self.weight_i.ready.eq(takes & is_weight & ~second),
            self.counter_o.valid.eq(active & is_counter & ~asked),
            self.counter_o.payload.eq((word - first)[1 : 1 + bits_for(n_counters - 1)]),
            self.counter_i.ready.eq(takes & is_counter & self.last_byte),
            ready.eq(Mux(is_weight, self.weight_i.valid | second, self.counter_i.valid | ~is_counter)),
            answered.eq(
                (self.weight_i.valid & self.weight_i.ready) | (self.counter_i.valid & self.counter_i.ready)
            ),
        ]
        asks = (self.read_o.valid & self.read_o.ready) | (self.counter_o.valid & self.counter_o.ready)
        m.d.sync += asked.eq((asked | asks) & ~answered)
        counter = Cat(self.counter_i.payload, Const(0, 64 - COUNTER_WIDTH))
        byte = Mux(is_weight, Mux(second, high, self.weight_i.payload[:8]), 0) | Mux(
            is_counter, counter.word_select(Cat(self.place[:2], self.entry[0]), 8), 0
        )
        return is_weight, is_counter, byte, ready
