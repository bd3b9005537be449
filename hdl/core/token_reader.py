# SPDX-License-Identifier: BSD-2-Clause
"""What stands between the host link and a core: words of samples, and what is said of them."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.core.layouts import layout_of
from erbium.hdl.core.sequencer import SampleOutcome
from erbium.sw_model.description.machine import BEGIN_TOKEN, PIECE_WIDTH, RESULT, TABLE_WIDTH, TokenKind


class SampleWord(data.StructLayout):
    """A word of a sample, and whether it is the last one of its message."""

    def __init__(self) -> None:
        super().__init__({"word": PIECE_WIDTH, "last": 1})


class CoreResult(data.StructLayout):
    """What the core says of a message with words of a sample: the fields of its outcome, if a sample `ended` by it."""

    def __init__(self) -> None:
        super().__init__({name: field.width for name, (_, field) in RESULT.offsets.items()})


class TokenReader(wiring.Component):
    """Makes tokens of words, and a result of each message.

    ``BEGIN`` takes two words, the lower one first; all other tokens leave the upper one away, which is 0. A sample may
    come in several messages, but a message holds words of one sample only: ``END`` is the last one.

    Members
    -------
    word_i : In(stream of SampleWord)
    token_o : Out(stream of 64 bits)
    outcome_i : In(stream of SampleOutcome)
    result_o : Out(stream of CoreResult)
        When the core has taken the last word of a message. If that is ``END`` the sample is over; a core without a
        whole network drops it, and then nothing `ended`.
    learning : Out(1)
        The newest sample is learned.

    Notes
    -----
    A token per clock, but for the two clocks of ``BEGIN``; latency one clock.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "word_i": In(stream.Signature(SampleWord())),
                "token_o": Out(stream.Signature(TABLE_WIDTH)),
                "outcome_i": In(stream.Signature(SampleOutcome())),
                "result_o": Out(stream.Signature(CoreResult())),
                "learning": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word, token, outcome = self.word_i, self.token_o, self.outcome_i.payload
        second, low = Signal(), Signal(PIECE_WIDTH)
        halves, taken = Signal(), Signal()
        value = word.payload.word
        result = self.result_o
        begin = layout_of(BEGIN_TOKEN)(Cat(low, value))
        # A token waits in a register, and a message has no further words until the core has taken its last one.
        full, closes = Signal(), Signal()
        free = ~full | token.ready
        m.d.comb += [
            halves.eq(~second & (value[: BEGIN_TOKEN.offsets["kind"][1].width] == TokenKind.BEGIN)),
            token.valid.eq(full),
            word.ready.eq(Mux(halves, ~full, free) & ~(full & closes) & ~result.valid),
            taken.eq(word.valid & word.ready),
            self.outcome_i.ready.eq(1),
        ]
        with m.If(token.ready):
            m.d.sync += full.eq(0)
            with m.If(full & closes):
                m.d.sync += result.valid.eq(1)
        with m.If(taken):
            m.d.sync += [second.eq(halves), low.eq(value), full.eq(~halves), closes.eq(word.payload.last)]
            m.d.sync += token.payload.eq(Mux(second, Cat(low, value), value))
            with m.If(halves & word.payload.last):
                m.d.sync += result.valid.eq(1)
            with m.If(second):
                m.d.sync += self.learning.eq(begin.learn)
        with m.If(self.outcome_i.valid):
            m.d.sync += [
                getattr(result.payload, name).eq(getattr(outcome, name)) for name in outcome.shape().members
            ]
            m.d.sync += result.payload.ended.eq(1)
        with m.If(result.valid & result.ready):
            m.d.sync += [result.valid.eq(0), result.payload.ended.eq(0)]
        return m
