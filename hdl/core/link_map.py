# SPDX-License-Identifier: BSD-2-Clause
"""Registers and windows of a core on the host link, declared once: for the gateware and for the driver."""

from __future__ import annotations

from collections.abc import Iterator

from erbium.hdl.registers import (
    LinkMap,
    Window,
    WindowNumber,
    identity_registers,
    link_registers,
    standard_windows,
)
from erbium.sw_model.description import machine
from erbium.sw_model.description.machine import (
    SPIKE_WIDTH,
    CoreHardware,
    core_digest,
    pieces_of,
    window_shapes,
)

CORE_LETTERS = "ERBC"
CORE_MAGIC = int.from_bytes(CORE_LETTERS.encode(), "little")
"""First register: tells a core from an array, and both from whatever else answers on a serial port."""

WINDOWS_AT = WindowNumber.WEIGHTS
"""Number of the first window of the core; the others follow as :class:`erbium.sw_model.description.machine.Window`
numbers them."""

MESSAGE_BYTES = 924
"""Bytes of the longest message of the host: with what a receiver holds beside it, one block RAM of 1,024 bytes."""

WORD_BYTES, SAMPLE_HEADER_BYTES = 4, 3
"""A sample is sent as words of 32 bits, after type, tag and turn."""

ENTRIES = 1 << 16
"""Entries that the messages can tell apart."""

MEANINGS = {
    machine.Window.TABLES: "tables of the network: populations, modulators, projections",
    machine.Window.OPERATIONS: "operations of neuron programs",
    machine.Window.SOURCES: "table of the sources",
    machine.Window.HEADS: "heads of rows that are lists",
    machine.Window.ENTRIES: "words of neurons that such rows reach",
    machine.Window.WEIGHTS: "weights, a word of all lanes",
    machine.Window.STATES: "states of neurons, 32 bits of each unit in a word",
    machine.Window.COUNTERS: "counters of each population, and of samples, ticks and pixels",
    machine.Window.INFO: "magic number, version, the mark of a whole network, its digest; capacity",
    machine.Window.SPIKES: "spikes of the last sample: tick, population, 16 neurons",
}


def entry_bytes(which: machine.Window, shape: machine.Shape) -> int:
    """Return the bytes of an entry: a word of the window, in pieces as the core has places for it.

    Spikes, which are only read, leave the upper half of their piece away.
    """
    return SPIKE_WIDTH // 8 if which is machine.Window.SPIKES else WORD_BYTES * pieces_of(shape.width)


class CoreMap(LinkMap):
    """Registers and windows of a core.

    Parameters
    ----------
    hardware : CoreHardware
    clock_frequency, buffer_bytes : int
        Of :class:`erbium.hdl.registers.RegisterMap`.

    Raises
    ------
    ValueError
        For a window of more entries than messages can tell apart.
    """

    def __init__(self, hardware: CoreHardware, clock_frequency: int = 0, buffer_bytes: int = 0) -> None:
        self.hardware, self.max_message = hardware, MESSAGE_BYTES
        self.registers = (
            *identity_registers(CORE_LETTERS, CORE_MAGIC, "digest of the core's size", core_digest(hardware)),
            *link_registers(clock_frequency, buffer_bytes, MESSAGE_BYTES),
        )
        self.windows = (*standard_windows(self.n_words), *_windows(hardware))


def _windows(hardware: CoreHardware) -> Iterator[Window]:
    for which, shape in window_shapes(hardware).items():
        if shape.depth > ENTRIES:
            raise ValueError(
                f"window {which.name.lower()} has {shape.depth} words; the host link tells {ENTRIES} apart"
            )
        yield Window(
            which.name.lower(),
            WINDOWS_AT + which,
            shape.depth,
            entry_bytes(which, shape),
            which is not machine.Window.SPIKES,
            MEANINGS[which],
        )
