# SPDX-License-Identifier: BSD-2-Clause
"""Where a bus finds what the register map declares: byte addresses of 32-bit words.

As :mod:`erbium.hdl.registers`, this module knows nothing of hardware, and all that need the addresses read them here.
"""

from __future__ import annotations

import enum

from erbium.hdl.registers import WORD_BYTES, ErrorCode, RegisterMap, Window, WindowNumber

RESULTS_AT, SAMPLES_AT = 0x400, 0x600
"""Byte addresses of the results, and of the words by which samples come; the registers begin at 0."""

PAGE_BITS = 11
"""Address bits of the page with registers, results and samples."""


class SampleWord(enum.IntEnum):
    """Words of the window ``samples``: a sample is a write to each of its words in order, the last one to ``LAST``.

    Word 0 of a sample is its seed; word 1 its label (bits 0 to 7) and whether it is learned (bit 8); each further one
    a pixel: value (bits 0 to 7) and address (bits 8 to 23), addresses ascending. Pixels of value 0 may be left out.

    Members
    -------
    DATA : a word of the sample, and more are to come
    LAST : the last word of the sample
    """

    DATA = 0
    LAST = 1


class BusError(enum.IntEnum):
    """Why an access or a sample was refused, in the register ``last_error``. Nothing else was changed by it.

    The numbers are those of :class:`erbium.hdl.registers.ErrorCode`, and one more.

    Members
    -------
    UNKNOWN_REQUEST : the window ``samples`` cannot be read
    BAD_LENGTH : not all four bytes are written, the address does not divide by four, or a sample has one word
    OUT_OF_WINDOW : nothing is at the address
    READ_ONLY : the window or register cannot be written
    BAD_VALUE : a register, or a weight, does not take the value
    BAD_FORMAT : a reserved bit of word 1 of a sample is set
    BAD_LABEL : the label names no class
    BAD_EVENT : the address of a pixel is outside of the input or does not ascend
    OUT_OF_TURN : the weight is not the next one of the row that is being written
    BUSY : weights and settings while a sample is in the array, or a sample that would be the third one in it
    """

    UNKNOWN_REQUEST = ErrorCode.UNKNOWN_REQUEST
    BAD_LENGTH = ErrorCode.BAD_LENGTH
    OUT_OF_WINDOW = ErrorCode.OUT_OF_WINDOW
    READ_ONLY = ErrorCode.READ_ONLY
    BAD_VALUE = ErrorCode.BAD_VALUE
    BAD_FORMAT = ErrorCode.BAD_FORMAT
    BAD_LABEL = ErrorCode.BAD_LABEL
    BAD_EVENT = ErrorCode.BAD_EVENT
    OUT_OF_TURN = ErrorCode.OUT_OF_TURN
    BUSY = max(ErrorCode) + 1


class BusMap:
    """Addresses of one network's registers and windows.

    Registers, results and samples lie in the first page. The weights of layer k begin at ``k << layer_bits``: a row
    takes ``1 << row_bits`` bytes, whatever of it is used, and a weight a word, with its sign in all upper bits.

    Parameters
    ----------
    registers : RegisterMap

    Attributes
    ----------
    row_bits : int
        Address bits within a row of weights.
    layer_bits : int
        Address bits within a layer; not fewer than those of the page.
    address_bits : int
        Address bits of it all.
    """

    def __init__(self, registers: RegisterMap) -> None:
        self.registers = registers
        populations = registers.populations
        columns = max(population.n_neurons for population in populations)
        rows = max(population.n_rows for population in populations)
        self.row_bits = 2 + (columns - 1).bit_length()
        self.layer_bits = max(self.row_bits + (rows - 1).bit_length(), PAGE_BITS)
        self.address_bits = self.layer_bits + len(populations).bit_length()

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows as a bus has them: those of the register map, and the samples; a weight takes a word."""
        first, results, *weights = self.registers.windows
        samples = Window(
            "samples",
            -1,
            len(SampleWord),
            WORD_BYTES,
            True,
            "words of samples, written in order; see SampleWord",
        )
        rows = (
            Window(
                window.name,
                window.number,
                window.entries,
                population.n_neurons * WORD_BYTES,
                True,
                window.meaning + ", a word per weight",
            )
            for window, population in zip(weights, self.registers.populations, strict=True)
        )
        return (first, results, samples, *rows)

    def base(self, window: Window) -> int:
        """Return the byte address of a window."""
        if window.number >= WindowNumber.WEIGHTS:
            return (window.number - WindowNumber.WEIGHTS + 1) << self.layer_bits
        if window.number < 0:
            return SAMPLES_AT
        return 0 if window.number == WindowNumber.REGISTERS else RESULTS_AT

    def stride(self, window: Window) -> int:
        """Return the bytes from one entry to the next."""
        return 1 << self.row_bits if window.number >= WindowNumber.WEIGHTS else window.entry_bytes

    def register(self, name: str) -> int:
        """Return the byte address of a register."""
        return WORD_BYTES * self.registers[name].address

    def weight(self, layer: int, row: int, neuron: int) -> int:
        """Return the byte address of a weight; layers count from 0."""
        return (layer + 1 << self.layer_bits) | row << self.row_bits | WORD_BYTES * neuron
