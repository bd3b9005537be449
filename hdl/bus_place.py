# SPDX-License-Identifier: BSD-2-Clause
"""Where an access of a bus leads, and where the weights are that come next."""

from __future__ import annotations

from typing import NamedTuple

from amaranth.hdl import Module, Signal, Value
from amaranth.utils import bits_for

from erbium.hdl.bounds import exceeds
from erbium.hdl.bus_map import PAGE_BITS, RESULTS_AT, SAMPLES_AT, BusMap
from erbium.hdl.csr import REGISTERS, RESULTS, WEIGHTS
from erbium.hdl.registers import HISTORY


class Place(NamedTuple):
    """Where an access leads: flip-flops, one clock after its address."""

    window: Signal
    samples: Signal
    known: Signal
    entry: Signal
    column: Signal
    last_column: Signal
    whole: Signal


def place_of(m: Module, plan: BusMap, bus: Value, *, with_samples: bool) -> Place:
    """Take the address apart."""
    registers = plan.registers
    populations = registers.populations
    entries = max(registers.n_words, HISTORY, *(population.n_rows for population in populations))
    place = Place(
        window=Signal(range(len(registers.windows)), name="window"),
        samples=Signal(name="samples"),
        known=Signal(name="known"),
        entry=Signal(bits_for(entries), name="entry"),
        column=Signal(max(plan.row_bits - 2, 1), name="column"),
        last_column=Signal(name="last_column"),
        whole=Signal(name="whole"),
    )
    address, within = bus.address, bus.address[: plan.layer_bits]
    m.d.sync += [
        place.whole.eq((address[:2] == 0) & (bus.strobes.all() | ~bus.write)),
        place.samples.eq(0),
        place.known.eq(0),
        place.last_column.eq(0),
    ]
    with m.Switch(address[plan.layer_bits :]):
        with m.Case(0), m.If(within[PAGE_BITS:] == 0):
            results, samples = RESULTS_AT.bit_length() - 1, (SAMPLES_AT ^ RESULTS_AT).bit_length() - 1
            turns = 3 + bits_for(HISTORY - 1)
            m.d.sync += [
                place.window.eq(REGISTERS),
                place.entry.eq(within[2:results]),
                place.known.eq(~exceeds(within[2:results], registers.n_words - 1)),
                place.column.eq(within[2]),
            ]
            with m.If(within[results] & ~within[samples]):
                m.d.sync += [
                    place.window.eq(RESULTS),
                    place.entry.eq(within[3:turns]),
                    place.known.eq(within[turns:samples] == 0),
                ]
            with m.Elif(within[results]):
                m.d.sync += [
                    place.samples.eq(1),
                    place.known.eq(within[3:samples] == 0 if with_samples else 0),
                ]
        for number, population in enumerate(populations):
            row, column = within[plan.row_bits :], within[2 : plan.row_bits]
            with m.Case(number + 1):
                m.d.sync += [
                    place.window.eq(WEIGHTS + number),
                    place.entry.eq(row),
                    place.column.eq(column),
                    place.last_column.eq(column == population.n_neurons - 1),
                    place.known.eq(
                        ~exceeds(row, population.n_rows - 1) & ~exceeds(column, population.n_neurons - 1)
                    ),
                ]
    return place


class WeightCursor:
    """Where the weights are that come next in the array, and whether they are being written."""

    def __init__(self, m: Module, place: Place) -> None:
        self._place = place
        self.window, self.entry = (
            Signal.like(signal, name=f"at_{signal.name}") for signal in (place.window, place.entry)
        )
        self.column = Signal.like(place.column, name="at_column")
        self.known, self.writing = Signal(name="at_known"), Signal(name="at_writing")
        self.is_here, self.is_next = Signal(name="is_here"), Signal(name="is_next")
        m.d.comb += [
            self.is_here.eq(self.column == place.column),
            self.is_next.eq(
                self.known & self.is_here & (self.entry == place.entry) & (self.window == place.window)
            ),
        ]

    def seek(self, m: Module) -> None:
        """Go to the first weight of the row."""
        m.d.sync += [
            self.known.eq(1),
            self.writing.eq(0),
            self.window.eq(self._place.window),
            self.entry.eq(self._place.entry),
            self.column.eq(0),
        ]

    def skip(self, m: Module) -> None:
        """Pass over a weight that comes before the one that is wanted."""
        m.d.sync += self.column.eq(self.column + 1)

    def advance(self, m: Module) -> None:
        """Go from the weight of the access to the one after it."""
        m.d.sync += self.column.eq(self.column + 1)
        with m.If(self._place.last_column):
            m.d.sync += [self.column.eq(0), self.entry.eq(self.entry + 1)]
