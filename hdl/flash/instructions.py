# SPDX-License-Identifier: BSD-2-Clause
"""Instructions of :class:`erbium.hdl.flash.processor.Processor`, and how a program is written of them.

An instruction has 16 bits: an operand (bits 0 to 9), a mode (10 and 11), and an operation (12 to 15).
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

OPERAND_BITS, WORD_BITS = 10, 16
NEAR, ADDRESS_BITS = 512, 11
"""Bytes of the memory that are there after configuration; bits of an address. Operands reach half of what these do."""
PORT_BIT, QUIET_BIT = 8, 9
"""Bits of a constant operand: it is the byte of a port; the carry stays as it is."""


class Operation(enum.IntEnum):
    """What an instruction does with the accumulator A, the carry C, and M, which the mode says.

    Members
    -------
    LOAD, AND, XOR, OR : A becomes M, A & M, A ^ M, A | M
    ADD, ADD_CARRY : A becomes A + M, or A + M + C; C the carry
    SUBTRACT, SUBTRACT_BORROW : A becomes A - M, or A - M - 1 + C; C is 1 unless that is negative
    STORE : M becomes A
    PORT : a port takes A
    POINT : the operand becomes the first index (bit 0 of the mode), the second one (bit 1), or both
    AIM : A, and the bits from 8 on of the operand, become the second index
    JUMP : go on at the operand, see :class:`Jump`
    BRANCH : go on at the operand if the condition holds that the mode says
    """

    LOAD = 0
    AND = 1
    XOR = 2
    OR = 3
    ADD = 4
    ADD_CARRY = 5
    SUBTRACT = 6
    SUBTRACT_BORROW = 7
    STORE = 8
    PORT = 9
    POINT = 10
    AIM = 11
    JUMP = 12
    BRANCH = 13


class Mode(enum.IntEnum):
    """What M is.

    Members
    -------
    CONSTANT : the operand, or a port
    PLACE : the byte of the memory at the operand
    NEXT : that at the first index, which then moves on
    HERE : that at the second index, which moves on after a STORE
    """

    CONSTANT = 0
    PLACE = 1
    NEXT = 2
    HERE = 3


class Jump(enum.IntEnum):
    """Modes of a jump: it comes back from there after a CALL, where a RETURN leads. Calls go two deep."""

    PLAIN = 0
    CALL = 1
    RETURN = 2


class Condition(enum.IntEnum):
    """When a branch is taken: A is 0, is not; C is 1, is not."""

    ZERO = 0
    NONZERO = 1
    CARRY = 2
    NO_CARRY = 3


@dataclass(frozen=True)
class Place:
    """Bytes of the memory, the first of them at an address."""

    at: int
    octets: int = 1

    def __getitem__(self, number: int) -> Place:
        if not 0 <= number < self.octets:
            raise IndexError(number)
        return Place(self.at + number)

    def __iter__(self) -> Iterator[Place]:
        return (self[number] for number in range(self.octets))


@dataclass(frozen=True)
class Port:
    """A port that is read."""

    number: int


Source = int | Place | Port | Mode


class Program:
    """A program as it is written: instructions, names of places in it, and bytes of the memory.

    The methods are the instructions, with M as a constant, a place, a port, or the mode ``NEXT`` or ``HERE``. Bytes are
    what :class:`Place` says, numbers of several bytes have the lowest one first.
    """

    def __init__(self) -> None:
        self._words: list[tuple[int, str]] = []  # and the name that its operand is the place of
        self._names: dict[str, int] = {}
        self._octets = 0
        self._contents = bytearray()
        self._unnamed = 0

    # --- memory

    def place(self, octets: int = 1) -> Place:
        """Return bytes that nobody else has."""
        found = Place(self._octets, octets)
        self._octets += octets
        return found

    def held(self, octets: Sequence[int]) -> Place:
        """Return bytes that are there after configuration, and that nothing may write; they come first."""
        if self._octets != len(self._contents):
            raise ValueError("bytes that are held come before all others")
        self._contents += bytes(octets)
        return self.place(len(octets))

    # --- instructions

    def _add(self, operation: Operation, mode: int = 0, operand: int = 0, name: str = "") -> None:
        if not 0 <= operand < 1 << OPERAND_BITS:
            raise ValueError(f"the operand of {operation.name} is {operand}")
        word = int(operation) << OPERAND_BITS + 2 | int(mode) << OPERAND_BITS | int(operand)
        self._words.append((word, name))

    def _work(self, operation: Operation, source: Source) -> None:
        match source:
            case Place():
                self._add(operation, Mode.PLACE, source.at)
            case Port():
                self._add(operation, Mode.CONSTANT, 1 << PORT_BIT | source.number)
            case Mode():
                self._add(operation, source)
            case _:
                self._add(operation, Mode.CONSTANT, int(source) & 0xFF)

    def load(self, source: Source) -> None:
        """A becomes M."""
        self._work(Operation.LOAD, source)

    def mask(self, source: Source) -> None:
        """A becomes A & M."""
        self._work(Operation.AND, source)

    def xor(self, source: Source) -> None:
        """A becomes A ^ M."""
        self._work(Operation.XOR, source)

    def join(self, source: Source) -> None:
        """A becomes A | M."""
        self._work(Operation.OR, source)

    def add(self, source: Source, *, carry: bool = False) -> None:
        """A becomes A + M, with the carry or without."""
        self._work(Operation.ADD_CARRY if carry else Operation.ADD, source)

    def subtract(self, source: Source, *, borrow: bool = False) -> None:
        """A becomes A - M, with the borrow or without."""
        self._work(Operation.SUBTRACT_BORROW if borrow else Operation.SUBTRACT, source)

    def store(self, target: Place | Mode) -> None:
        """M becomes A."""
        self._work(Operation.STORE, target)

    def out(self, port: int) -> None:
        """A port takes A."""
        self._add(Operation.PORT, 0, port)

    def point(self, place: Place) -> None:
        """The first index becomes the address of a place."""
        self._add(Operation.POINT, 1, place.at)

    def point_here(self, place: Place) -> None:
        """The second index becomes the address of a place."""
        self._add(Operation.POINT, 2, place.at)

    def aim(self, place: Place) -> None:
        """The second index becomes the address of the byte of a place whose number A is."""
        if place.at % 256 + place.octets > 256:
            raise ValueError("a place at which is aimed lies across 256 bytes")
        self.add(place.at)
        self._add(Operation.AIM, 0, place.at & ~0xFF)

    def jump(self, name: str) -> None:
        """Go on there."""
        self._add(Operation.JUMP, 0, 0, name)

    def branch(self, condition: Condition, name: str) -> None:
        """Go on there if the condition holds."""
        self._add(Operation.BRANCH, condition, 0, name)

    def call(self, name: str) -> None:
        """Go on there, and come back."""
        self._add(Operation.JUMP, Jump.CALL, 0, name)

    def leave(self) -> None:
        """Go back to after the last call."""
        self._add(Operation.JUMP, Jump.RETURN)

    # --- of several instructions

    def name(self, name: str) -> None:
        """Give the next instruction a name."""
        if name in self._names:
            raise ValueError(f"there are two places {name!r}")
        self._names[name] = len(self._words)

    def new_name(self) -> str:
        """Return a name that nobody else has."""
        self._unnamed += 1
        return f"place {self._unnamed}"

    def set(self, target: Place, value: int) -> None:
        """Make a number of all bytes of a place, the lowest first. A is lost."""
        before = None
        for number, each in enumerate(target):
            octet = value >> 8 * number & 0xFF
            if octet != before:
                self.load(octet)
            self.store(each)
            before = octet

    def copy(self, target: Place, source: Place) -> None:
        """Copy the bytes of a place; what is more of the target becomes 0. A is lost."""
        for number, each in enumerate(target):
            if number < source.octets:
                self.load(source[number])
            elif number == source.octets:
                self.load(0)
            self.store(each)

    def change(
        self, target: Place, source: Place | int, *, less: bool = False, into: Place | None = None
    ) -> None:
        """Add a number to a place, or subtract it; the carry is that of the highest byte. A is lost.

        The result goes into another place if there is one.
        """
        for number, each in enumerate(target):
            by: Source
            if isinstance(source, Place):
                by = source[number] if number < source.octets else 0
            else:
                by = source >> 8 * number
            self.load(each)
            if less:
                self.subtract(by, borrow=number > 0)
            else:
                self.add(by, carry=number > 0)
            self.store(each if into is None else into[number])

    def any(self, place: Place) -> None:
        """A becomes 0 only if all bytes of a place are."""
        for number, each in enumerate(place):
            (self.join if number else self.load)(each)

    @contextmanager
    def times(self, counter: Place, count: int | None = None) -> Iterator[None]:
        """Do what follows so many times, 1 ... 255, or as often as A says, with a byte that counts them.

        A is lost; the carry stays, from the beginning to the end and from one time to the next.
        """
        again = self.new_name()
        if count is not None:
            self.load(count)
        self.store(counter)
        self.name(again)
        yield
        self.load(counter)
        self._add(Operation.ADD, Mode.CONSTANT, 1 << QUIET_BIT | 0xFF)
        self.store(counter)
        self.branch(Condition.NONZERO, again)

    # --- the end

    @property
    def octets(self) -> int:
        """Bytes of the memory that it has."""
        return self._octets

    @property
    def contents(self) -> bytes:
        """What the first of them hold after configuration."""
        return bytes(self._contents)

    def words(self) -> list[int]:
        """Return the instructions.

        Raises
        ------
        ValueError
            If there are more than an operand can tell apart.
        """
        if len(self._words) > 1 << OPERAND_BITS:
            raise ValueError(
                f"the program has {len(self._words)} instructions, more than {1 << OPERAND_BITS}"
            )
        return [word | (self._names[name] if name else 0) for word, name in self._words]
