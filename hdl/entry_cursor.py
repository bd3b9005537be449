# SPDX-License-Identifier: BSD-2-Clause
"""Where the host link is in a window of its register map."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from erbium.hdl.registers import LinkMap

HEADER_BYTES = 5
"""Bytes of a WRITE before its first entry."""


class EntryCursor(wiring.Component):
    """Knows windows, entries and bytes of an entry, and walks over them.

    It also counts the pixels of a sample, so that one counter does for both.

    Parameters
    ----------
    registers : LinkMap

    Members
    -------
    byte_i : In(8), pair : In(16)
        Byte of a message, and that byte as the high one behind the byte before it.
    clear : In(1)
        Go to byte 0 of entry 0.
    set_window : In(1)
        Take the number of the window from `byte_i`.
    set_first, set_count : In(1)
        Take the first entry, or the number of entries, from `pair`.
    add_first : In(1)
        Turn the number of entries into the entry behind the last.
    next_byte, next_entry, next_end : In(1)
        Go to the next byte of the entry, behind its last one to byte 0; to the next entry; move the entry behind
        the last by one.
    window : Out
        Place of the window in ``registers.windows``.
    known : Out(1)
        There is such a window.
    entry : Out, place : Out
        Entry, or pixel, and byte of the entry.
    last_byte, last_entry : Out(1)
        It is at the last byte of an entry, and at the last entry.
    beyond : Out(1)
        The last entry is not in the window; a clock later than the others.

    Notes
    -----
    All of it takes one clock; `set_count` comes after `set_first`, which sets the end to the first entry, too.
    """

    def __init__(self, registers: LinkMap) -> None:
        self._registers, self._windows = registers, registers.windows
        self.width = bits_for(max(registers.n_inputs, *(window.entries for window in self._windows)))
        largest = (1 << self.width) - 1
        # As many as a message holds, or as a READ asks for.
        most = max(
            largest,
            *((registers.max_message - HEADER_BYTES) // window.entry_bytes for window in self._windows),
        )
        self._end_width = bits_for(largest + most)
        super().__init__(
            {
                "byte_i": In(8),
                "pair": In(16),
                "clear": In(1),
                "set_window": In(1),
                "set_first": In(1),
                "set_count": In(1),
                "add_first": In(1),
                "next_byte": In(1),
                "next_entry": In(1),
                "next_end": In(1),
                "window": Out(range(len(self._windows))),
                "known": Out(1),
                "entry": Out(self.width),
                "place": Out(range(max(window.entry_bytes for window in self._windows))),
                "last_byte": Out(1),
                "last_entry": Out(1),
                "beyond": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.If(self.set_window):
            m.d.sync += self.known.eq(0)
            with m.Switch(self.byte_i):
                for index, window in enumerate(self._windows):
                    with m.Case(window.number):
                        m.d.sync += [self.known.eq(1), self.window.eq(index)]
        entries, last_place = Signal(self.width), Signal.like(self.place)
        with m.Switch(self.window):
            for index, window in enumerate(self._windows):
                with m.Case(index):
                    m.d.comb += [
                        entries.eq(Const(window.entries, self.width)),
                        last_place.eq(Const(window.entry_bytes - 1, len(last_place))),
                    ]

        end = Signal(self._end_width)
        far = Signal()
        following = Signal(self.width + 1)
        m.d.comb += [
            following.eq(self.entry + 1),
            self.last_byte.eq(self.place == last_place),
            self.last_entry.eq(following == end),
        ]
        m.d.sync += self.beyond.eq(far | (end > entries))
        pair = self.pair[: self.width]
        with m.If(self.clear):
            m.d.sync += [self.entry.eq(0), self.place.eq(0), far.eq(0)]
        with m.Elif(self.set_first):
            m.d.sync += self.entry.eq(pair)
        with m.Elif(self.next_entry):
            m.d.sync += self.entry.eq(following)
        with m.If(self.set_first | self.set_count):
            m.d.sync += [end.eq(pair), far.eq(far | Cat(self.pair[self.width :]).any())]
        with m.Elif(self.add_first | self.next_end):
            m.d.sync += end.eq(end + Mux(self.next_end, 1, self.entry))
        with m.If(self.next_byte):
            m.d.sync += self.place.eq(Mux(self.last_byte, 0, self.place + 1))
        return m
