# SPDX-License-Identifier: BSD-2-Clause
"""Records of the tables, and what travels between the parts of the core, as Amaranth layouts."""

from __future__ import annotations

from amaranth.hdl import Shape
from amaranth.lib import data
from amaranth.lib.wiring import In, Out, Signature
from amaranth.utils import bits_for

from erbium.sw_model.description.machine import (
    PIECE_WIDTH,
    PROJECTION,
    SPIKE_WIDTH,
    TABLE_WIDTH,
    CoreHardware,
    Record,
    Window,
)


def layout_of(record: Record) -> data.FlexibleLayout:
    """Return the fields of a record in its words, one after the other."""
    fields = {
        name: data.Field(Shape(field.width, signed=field.signed), at)
        for name, (at, field) in record.offsets.items()
    }
    return data.FlexibleLayout(record.n_words * TABLE_WIDTH, fields)


SLOT_FIELDS = ("port", "fixed", "keep", "width", "lowest", "highest", "weight")

HEIGHT_LAYOUT = data.StructLayout({"zero": 1, "negative": 1, "shift": 4})


class HostAccess(Signature):
    """One access of the host to a memory. What it reads comes some clocks later, for each memory always as many.

    Members
    -------
    valid, write : Out(1)
    address : Out(24)
        In pieces of 32 bits.
    write_data : Out(32)
    read_data : In(32)
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "valid": Out(1),
                "write": Out(1),
                "address": Out(24),
                "write_data": Out(PIECE_WIDTH),
                "read_data": In(PIECE_WIDTH),
            }
        )


class HostRequest(data.StructLayout):
    """A request of the host: which window, which piece of it, and what is to be written."""

    def __init__(self) -> None:
        super().__init__({"window": Window, "write": 1, "address": 24, "data": PIECE_WIDTH})


def index(count: int) -> int:
    """Return the bits of a number below `count`."""
    return bits_for(max(count - 1, 1))


def lane_mask_layout(hardware: CoreHardware) -> data.StructLayout:
    """Return an entry of a headed row: a word of neurons, counted from the population's first one, and its lanes."""
    return data.StructLayout({"word": 12, "mask": hardware.lanes})


def words_layout(hardware: CoreHardware) -> data.ArrayLayout:
    """Return the plasticity words of a word of neurons."""
    return data.ArrayLayout(Shape(16, signed=True), hardware.lanes)


class NeuronMemories(Signature):
    """What a sweep does with the memories of neurons that the lanes keep, a word of neurons at a time.

    Members
    -------
    port_word, constant_word : Out, port, port_read : Out(1)
        What is read; `constant_word` is counted from the first one of a population.
    port_data : In(16 * lanes)
        A clock later, until the next read.
    port_write : Out(1), port_write_word : Out, port_write_port : Out(1), port_write_data : Out(16)
        Sets the ports of all neurons of a word.
    trace_write : Out(parts), trace_clear : Out(1), trace_word : Out
        Plasticity words are written, and of the histories the bit of this tick, or with `trace_clear` all bits: of each
        part of a word with an enable of its own.
    spikes : Out(units), words : Out
        What is written: to the histories of all parts, and a clock later to the plasticity words.
    draw : Out(32), keep : Out(9), quiet : In(lanes)
        Neurons of the constants of three clocks before that this draw leaves out: each is kept with `keep` of 256.
    """

    def __init__(self, hardware: CoreHardware) -> None:
        word = index(hardware.neuron_words)
        super().__init__(
            {
                "port_word": Out(word),
                "port": Out(1),
                "port_read": Out(1),
                "port_data": In(16 * hardware.lanes),
                "constant_word": Out(word),
                "port_write": Out(1),
                "port_write_word": Out(word),
                "port_write_port": Out(1),
                "port_write_data": Out(16),
                "trace_write": Out(hardware.parts),
                "trace_clear": Out(1),
                "trace_word": Out(word),
                "spikes": Out(hardware.units),
                "words": Out(words_layout(hardware)),
                "draw": Out(32),
                "keep": Out(9),
                "quiet": In(hardware.lanes),
            }
        )


class SlotProjection(data.StructLayout):
    """What lanes ask of the projection of a slot: fields of its record."""

    def __init__(self) -> None:
        fields = (field for _, field in PROJECTION.offsets.values() if field.name in SLOT_FIELDS)
        super().__init__({field.name: Shape(field.width, signed=field.signed) for field in fields})


class RowSlot(data.StructLayout):
    """A word of a synapse row on its way into the lanes.

    Members
    -------
    weights : word of weights
    word : word of neurons, counted from the first one of the population
    last_word : it is the last one of the population
    first, last : of the row
    mask : lanes that have a synapse
    transmit : the row's neuron spiked; otherwise its timer expired
    learn : the weights of the row may change
    causal : an event of the row was pending; in a pass at the end of a sample: the row spiked in it
    age : ticks since the row's last spike, at most the window
    draw, blank : random numbers of the row, for plasticity and for blank-out
    projection : that of the row; the next one may follow at once
    """

    def __init__(self, hardware: CoreHardware) -> None:
        super().__init__(
            {
                "weights": index(hardware.weight_words),
                "word": index(hardware.neuron_words),
                "last_word": 1,
                "first": 1,
                "last": 1,
                "mask": hardware.lanes,
                "transmit": 1,
                "learn": 1,
                "causal": 1,
                "age": 6,
                "draw": 32,
                "blank": 32,
                "projection": SlotProjection(),
            }
        )


class Timer(data.StructLayout):
    """Of a row: whether it spiked within the window, and the low bits of the tick in which it did."""

    def __init__(self) -> None:
        super().__init__({"pending": 1, "tick": 5})


TIMERS = data.ArrayLayout(Timer(), SPIKE_WIDTH)
