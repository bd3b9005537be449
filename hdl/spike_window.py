# SPDX-License-Identifier: BSD-2-Clause
"""The next spikes of an ascending sequence that comes in groups, two of them in a clock."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

BLOCK = 4
"""Places of a group that are looked at together."""


class SpikeWindow:
    """Holds two groups of spikes, and shows the lowest two spikes of them.

    A group is a bit for each place and something that belongs to the group as a whole. As long as there is a spike in
    the second group, there is one in the first.

    Parameters
    ----------
    m : Module
    size : int
        Places of a group.
    info : int
        Bits of what belongs to a group.

    Attributes
    ----------
    moves : Signal
        To be driven: what is shown is taken in this clock.
    spikes, loads, info : Signal
        To be driven: a group that comes in this clock, which needs `room`, and its information.
    room : Signal
        A group may come.
    any : Value
        There is a spike.
    lowest, above : tuple of Value
        The first and the second spike: whether there is one, a bit for each place of which that of the spike is 1, and
        the information of its group.
    """

    def __init__(self, m: Module, size: int, info: int) -> None:
        self.moves, self.loads, self.room = Signal(), Signal(), Signal()
        self.spikes, self.info = Signal(size), Signal(info)
        front, back = Signal(size, name="front"), Signal(size, name="back")
        of_front = Signal(info, name="info_of_front", reset_less=True)
        of_back = Signal(info, name="info_of_back", reset_less=True)
        self.any: Value = front.any()

        in_front, many = Signal(name="two_in_front"), Signal(name="three_in_front")
        first, second, third = _ranked(m, front, "front")
        of_next, second_of_back, third_of_back = _ranked(m, back, "back")
        after_next = second_of_back | third_of_back
        m.d.comb += [in_front.eq(at_least_two(front)), many.eq(third.any())]
        self.lowest = (self.any, first, of_front)
        self.above = (
            in_front | back.any(),
            Mux(in_front, second, of_next),
            Mux(in_front, of_front, of_back),
        )

        # The first group is over once its last two spikes have gone, the second one moves up, and a new one behind it.
        over, left, is_left = (
            Signal(name="front_is_over"),
            Signal(size, name="back_left"),
            Signal(name="any_left"),
        )
        fills, takes_next = in_front & ~back.any(), self.moves & ~in_front
        m.d.comb += [
            over.eq(~front.any() | (self.moves & ~many)),
            left.eq(Mux(takes_next, after_next, back)),
            is_left.eq(Mux(takes_next, at_least_two(back), back.any())),
            # A spike that is shown without a second one, and waits, gets none.
            self.room.eq(over | fills),
        ]
        comes = Mux(self.loads, self.spikes, 0)
        with m.If(over):
            with m.If(is_left):
                m.d.sync += [front.eq(left), of_front.eq(of_back), back.eq(comes)]
            with m.Else():
                m.d.sync += [front.eq(comes), of_front.eq(self.info), back.eq(0)]
        with m.Else():
            with m.If(self.moves):
                m.d.sync += front.eq(third)
            with m.If(fills):
                m.d.sync += back.eq(comes)
        with m.If(over | fills):
            m.d.sync += of_back.eq(self.info)


def at_least_two(bits: Value) -> Value:
    """Return whether two bits or more of a value are set."""
    if len(bits) < 2:
        return Const(0)
    low, high = bits[: len(bits) // 2], bits[len(bits) // 2 :]
    return at_least_two(low) | at_least_two(high) | (low.any() & high.any())


def _ranked(m: Module, bits: Value, name: str) -> tuple[Value, Value, Value]:
    """Return the lowest set bit of a value, the second lowest, and the others.

    Whether there is none, one or more below a bit is found for blocks of four and joined: a carry chain is as long as
    the value is wide, and the second bit would wait for the first.
    """
    ranks = [Signal(len(bits), name=f"{rank}_of_{name}") for rank in ("first", "second", "third")]
    for start in range(0, len(bits), BLOCK):
        lower, block = bits[:start], bits[start : start + BLOCK]
        blocks = [lower[k : k + BLOCK] for k in range(0, start, BLOCK)]
        some, more = Signal(name=f"{name}_below_{start}"), Signal(name=f"{name}_two_below_{start}")
        there = Cat(*[one.any() for one in blocks])
        m.d.comb += [
            some.eq(there.any()),
            more.eq(Cat(*[at_least_two(one) for one in blocks]).any() | at_least_two(there)),
        ]
        for place, bit in enumerate(block):
            here = block[:place]
            none = ~some & ~here.any()
            two = more | at_least_two(here) | (some & here.any())
            m.d.comb += [
                ranks[0][start + place].eq(bit & none),
                ranks[1][start + place].eq(bit & ~none & ~two),
                ranks[2][start + place].eq(bit & two),
            ]
    return ranks[0], ranks[1], ranks[2]
