# SPDX-License-Identifier: BSD-2-Clause
"""Turns sweeps, a word of spikes each, into single spike events."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from erbium.hdl.fixed import joined
from erbium.hdl.groups import GROUP_LANES
from erbium.hdl.spike_window import SpikeWindow
from erbium.hdl.tokens import ADDRESS_WIDTH, EventToken, Kind, SweepToken


def lowest_bit(m: Module, bits: Value) -> tuple[Value, Value]:
    """Return whether any bit is set, and the number of the lowest that is, as a tree of multiplexers."""
    if len(bits) == 1:
        return bits[0], Const(0, 1)
    half = 1 << (len(bits) - 1).bit_length() - 1
    any_low, low = lowest_bit(m, bits[:half])
    any_high, high = lowest_bit(m, bits[half:])
    # Signals, as an expression that stands in two places is built twice.
    found, number = Signal(), Signal((len(bits) - 1).bit_length())
    m.d.comb += [
        found.eq(any_low | any_high),
        number.eq(~any_low if len(bits) == 2 else Cat(Mux(any_low, low, high)[: len(low)], ~any_low)),
    ]
    return found, number


def few_bits(m: Module, bits: Value) -> Value:
    """Return how many bits are set, 3 standing for all larger numbers, as a tree."""
    count = Signal(2)
    if len(bits) <= 4:
        total = sum((bit for bit in bits), Const(0, 1))
        m.d.comb += count.eq(Mux(total > 3, 3, total))
        return count
    # As many bits in the lower half as make whole leaves of four.
    half = -(-len(bits) // 8) * 4
    low, high = few_bits(m, bits[:half]), few_bits(m, bits[half:])
    many = (low[1] & high.any()) | (high[1] & low.any())
    m.d.comb += count.eq(Mux(many, 3, Cat(low[0] ^ high[0], low[1] | high[1] | (low[0] & high[0]))))
    return count


class SpikeSerializer(wiring.Component):
    """Sends the spikes of a population in ascending order.

    Parameters
    ----------
    lanes : int
    n_neurons : int
        Of the population.
    begin_pieces : int
        Tokens that a ``BEGIN`` is.
    at_once : int
        Spikes of an event, at most: 1 or 2.

    Members
    -------
    sweep_i : In(stream of SweepToken)
    event_o : Out(stream of EventToken)
    spikes : Out(range(at_once + 1))
        So many spikes leave in this clock; with one lane, they did in the last.

    Notes
    -----
    A word with n spikes takes ``max(n, 1)`` clocks, other tokens one. Latency two clocks; none with one lane, whose
    words are spikes already.

    Two at once: a word is looked at in groups of 16 lanes, of those that have a spike one per clock, and the next word
    is taken in the clock after that; the lowest two spikes of two groups leave in a clock. Latency three clocks, in
    which `event_o` is ready: what reads it must not wait for a token to be so.
    """

    def __init__(
        self, lanes: int, n_neurons: int = 1 << ADDRESS_WIDTH, begin_pieces: int = 1, at_once: int = 1
    ) -> None:
        self._lanes, self._at_once = lanes, at_once
        self._event = event = EventToken(n_neurons, begin_pieces=begin_pieces, spikes=at_once)
        self._address_width = event.spike.size
        super().__init__(
            {
                "sweep_i": In(stream.Signature(SweepToken(lanes, False, n_neurons, begin_pieces))),
                "event_o": Out(stream.Signature(event)),
                "spikes": Out(range(at_once + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        token, out, width = self.sweep_i.payload, self.event_o.payload, self._address_width
        if self._lanes == 1:
            silent = (token.kind == Kind.SPIKE) & ~token.spikes[0]
            m.d.comb += [
                *(out.kind.eq(token.kind), out.data.eq(token.data)),
                self.event_o.valid.eq(self.sweep_i.valid & ~silent),
                self.sweep_i.ready.eq(self.event_o.ready | silent),
            ]
            m.d.sync += self.spikes.eq(self.event_o.valid & self.event_o.ready & (token.kind == Kind.SPIKE))
            return m
        if self._at_once == 2:
            self._serialize_two(m)
            return m
        pending = Signal(self._lanes)
        base = Signal(width)
        # What is known of the pending spikes beforehand: that there is one, and that there is just one.
        any_pending, last_pending = Signal(), Signal()
        place = lowest_bit(m, pending)[1]
        number_pending, number_next = few_bits(m, pending), few_bits(m, token.spikes)
        # Clearing the lowest set bit: x & (x - 1).
        rest = pending & (pending - 1)[: self._lanes]

        # A register keeps finding a spike and adding up its address apart. The address of another token's lane is 0.
        valid, kind, spike = Signal(), Signal(Kind), Signal(range(self._lanes))
        held = Signal(len(token.data))
        moves = Signal()
        m.d.comb += [
            moves.eq(~valid | self.event_o.ready),
            self.event_o.valid.eq(valid),
            out.kind.eq(kind),
            out.data.eq(Cat((held[:width] + spike)[:width], held[width:])),
            self.spikes.eq(valid & self.event_o.ready & (kind == Kind.SPIKE)),
        ]
        with m.If(moves):
            m.d.sync += valid.eq(any_pending)
            with m.If(any_pending):
                m.d.sync += [
                    *(kind.eq(Kind.SPIKE), held.eq(base), spike.eq(place), pending.eq(rest)),
                    *(any_pending.eq(~last_pending), last_pending.eq(number_pending == 2)),
                ]
            with m.Elif(token.kind != Kind.SPIKE):
                m.d.comb += self.sweep_i.ready.eq(1)
                m.d.sync += [
                    valid.eq(self.sweep_i.valid),
                    kind.eq(token.kind),
                    held.eq(token.data),
                    spike.eq(0),
                ]
        with m.If((token.kind == Kind.SPIKE) & (~any_pending | moves & last_pending)):
            # The next word follows the last spike of this one without a bubble.
            m.d.comb += self.sweep_i.ready.eq(1)
            m.d.sync += [pending.eq(Mux(self.sweep_i.valid, token.spikes, 0)), base.eq(token.data)]
            m.d.sync += [
                any_pending.eq(self.sweep_i.valid & number_next.any()),
                last_pending.eq(number_next == 1),
            ]
        return m

    def _serialize_two(self, m: Module) -> None:
        """Send the spikes of a word two by two, group by group."""
        token, out, width, size = self.sweep_i.payload, self.event_o.payload, self._address_width, GROUP_LANES
        count = -(-self._lanes // size)
        word, base = Signal(count * size, reset_less=True), Signal(width, reset_less=True)
        # Groups of the word with spikes that have not been looked at: the lowest one by itself, and the others.
        chosen, others = Signal(count), Signal(count)
        number_width = max((count - 1).bit_length(), 1)
        window = SpikeWindow(m, size, width + number_width)
        groups = [word[k * size : (k + 1) * size] for k in range(count)]
        m.d.comb += [
            window.spikes.eq(joined(Mux(chosen[k], group, 0) for k, group in enumerate(groups))),
            window.info.eq(
                Cat(joined(Mux(chosen[k], Const(k, number_width), 0) for k in range(count)), base)
            ),
            window.loads.eq(chosen.any()),
        ]
        with m.If(window.room):
            m.d.sync += [chosen.eq(others & (~others + 1)), others.eq(others & (others - 1))]
        comes = Cat(*[token.spikes[k * size : (k + 1) * size].any() for k in range(count)])
        # A word waits until there is nothing of the one before, whether or not the last group goes in this clock: what
        # it is taken by reaches all of its bits.
        with m.If((token.kind == Kind.SPIKE) & ~chosen.any()):
            m.d.comb += self.sweep_i.ready.eq(1)
            with m.If(self.sweep_i.valid):
                m.d.sync += [
                    *(word.eq(token.spikes), base.eq(token.data)),
                    *(chosen.eq(comes & (~comes + 1)), others.eq(comes & (comes - 1))),
                ]

        # A register keeps finding a spike and adding up its address apart.
        valid, kind, second, held = Signal(), Signal(Kind), Signal(), Signal(len(token.data))
        found = [Signal(width, name=f"found_{k}") for k in range(2)]
        bases = [Signal(width, name=f"base_{k}") for k in range(2)]
        sums = [(of + place)[:width] for of, place in zip(bases, found, strict=True)]
        is_spike = kind == Kind.SPIKE
        m.d.comb += [
            self.event_o.valid.eq(valid),
            out.kind.eq(kind),
            out.data.eq(Mux(is_spike, Cat(*sums, second), held)),
            self.spikes.eq(Mux(valid & self.event_o.ready & is_spike, 1 + second, 0)),
        ]
        # Nothing moves on before there is room for it, which a queue says in a register: many wait for this.
        with m.If(self.event_o.ready):
            m.d.sync += [valid.eq(window.any), kind.eq(Kind.SPIKE), second.eq(window.above[0])]
            m.d.comb += window.moves.eq(window.any)
            for place, of, (_, bits, info) in zip(found, bases, (window.lowest, window.above), strict=True):
                at = [Mux(bit, Const(k, size.bit_length() - 1), 0) for k, bit in enumerate(bits)]
                m.d.sync += [place.eq(Cat(joined(at), info[:number_width])), of.eq(info[number_width:])]
            with m.If(~window.any & ~chosen.any() & (token.kind != Kind.SPIKE)):
                m.d.comb += self.sweep_i.ready.eq(1)
                m.d.sync += [valid.eq(self.sweep_i.valid), kind.eq(token.kind), held.eq(token.data)]
