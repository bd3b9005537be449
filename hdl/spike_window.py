# SPDX-License-Identifier: BSD-2-Clause
"""The next spikes of an ascending sequence that comes in groups, two of them in a clock."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value


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

        first, rest = _split(m, front, "first")
        second, third = _split(m, rest, "second")
        of_next, after_next = _split(m, back, "next")
        in_front = rest.any()
        self.lowest = (self.any, first, of_front)
        self.above = (
            in_front | back.any(),
            Mux(in_front, second, of_next),
            Mux(in_front, of_front, of_back),
        )

        # The first group is over once its last two spikes have gone, the second one moves up, and a new one behind it.
        over, left = Signal(name="front_is_over"), Signal(size, name="back_left")
        fills = in_front & ~back.any()
        m.d.comb += [
            over.eq(~front.any() | (self.moves & ~third.any())),
            left.eq(Mux(self.moves & ~in_front, after_next, back)),
            # A spike that is shown without a second one, and waits, gets none.
            self.room.eq(over | fills),
        ]
        comes = Mux(self.loads, self.spikes, 0)
        with m.If(over):
            with m.If(left.any()):
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


def _split(m: Module, bits: Value, name: str) -> tuple[Value, Value]:
    """Return the lowest set bit of a value, and the others."""
    lowest, others = Signal(len(bits), name=name), Signal(len(bits), name=f"after_{name}")
    m.d.comb += [lowest.eq(bits & (~bits + 1)), others.eq(bits & (bits - 1))]
    return lowest, others
