# SPDX-License-Identifier: BSD-2-Clause
"""What a first-spike layer remembers of the spikes that it received: enough to learn from them later."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from erbium.hdl.tokens import ADDRESS_WIDTH


class CausalFifo(wiring.Component):
    """Presynaptic spikes of a sample in order: neuron, tick, and a sign and a causal bit per synapse.

    The signs and the mask are taken while the row is read for transmission, so the errors of the presynaptic
    neurons need no second look at the weights, and come from the weights before the update. A presynaptic
    neuron spikes once, so there is room for all of them and nothing is ever lost.

    Parameters
    ----------
    n_inputs : int
        Presynaptic neurons.
    words, lanes : int
        Words of a row, synapses of a word.
    n_ticks : int
        Longest sample.

    Members
    -------
    clear : In(1)
        Forget everything; nothing else may happen in the same clock.
    push, first : In(1)
        A word is remembered; it is the first one of its row.
    row : In(16), tick : In
        The presynaptic neuron and the tick of its spike, with the first word.
    negative, causal : In(lanes)
        Sign bits of the weights; neurons that had not spiked before this tick.
    available : Out(1), row_o : Out(16), tick_o : Out, next_row : In(1)
        The oldest spike; `next_row` goes to the next one.
    negative_o, causal_o : Out(lanes), next_word : In(1)
        The oldest word that has not been taken; the two sides are read independently.

    Notes
    -----
    One word in and one out per clock. A word can be read 2 clocks after it was pushed.
    """

    def __init__(self, n_inputs: int, words: int, lanes: int, n_ticks: int) -> None:
        self._n_inputs, self._words, self._lanes = n_inputs, words, lanes
        self.tick_width = bits_for(n_ticks)
        super().__init__(
            {
                "clear": In(1),
                "push": In(1),
                "first": In(1),
                "row": In(ADDRESS_WIDTH),
                "tick": In(self.tick_width),
                "negative": In(lanes),
                "causal": In(lanes),
                "available": Out(1),
                "row_o": Out(ADDRESS_WIDTH),
                "tick_o": Out(self.tick_width),
                "next_row": In(1),
                "negative_o": Out(lanes),
                "causal_o": Out(lanes),
                "next_word": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        row_width = bits_for(self._n_inputs - 1)
        row, available = self._list(
            m,
            "rows",
            Cat(self.row[:row_width], self.tick),
            self._n_inputs,
            self.push & self.first,
            self.next_row,
        )
        word, _ = self._list(
            m,
            "words",
            Cat(self.negative, self.causal),
            self._n_inputs * self._words,
            self.push,
            self.next_word,
        )
        m.d.comb += [
            self.available.eq(available),
            self.row_o.eq(row[:row_width]),
            self.tick_o.eq(row[row_width:]),
            self.negative_o.eq(word[: self._lanes]),
            self.causal_o.eq(word[self._lanes :]),
        ]
        return m

    def _list(
        self, m: Module, name: str, value: Value, room: int, push: Value, taken: Value
    ) -> tuple[Value, Value]:
        """Keep values in order, without ever coming around; return the oldest one and whether it is there."""
        m.submodules[name] = store = memory.Memory(shape=len(value), depth=max(room, 2), init=[])
        write, read = store.write_port(), store.read_port()
        end, at = Signal(range(room + 1), name=f"{name}_end"), Signal(range(room + 1), name=f"{name}_at")
        there = Signal(name=f"{name}_there")
        m.d.comb += [
            write.addr.eq(end),
            write.data.eq(value),
            write.en.eq(push),
            read.addr.eq(at),
            read.en.eq((at != end) & (~there | taken)),
        ]
        m.d.sync += [end.eq(end + push), at.eq(at + read.en)]
        with m.If(read.en):
            m.d.sync += there.eq(1)
        with m.Elif(taken):
            m.d.sync += there.eq(0)
        with m.If(self.clear):
            m.d.sync += [end.eq(0), at.eq(0), there.eq(0)]
        return read.data, there
