# SPDX-License-Identifier: BSD-2-Clause
"""Model of the processor of a small chip: what each instruction does (:mod:`erbium.hdl.flash.instructions`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from erbium.hdl.flash.instructions import (
    ADDRESS_BITS,
    OPERAND_BITS,
    PORT_BIT,
    QUIET_BIT,
    Jump,
    Mode,
    Operation,
)

_OPERAND = (1 << OPERAND_BITS) - 1
_ADDRESS = (1 << ADDRESS_BITS) - 1


class ProcessorModel:
    """Carries out a program, an instruction at a time.

    Parameters
    ----------
    program : sequence of int
    octets : int
        Bytes of the memory.
    contents : sequence of int
        What the first of them hold.
    read : callable
        Is told the number of a port, and returns its byte.
    write : callable
        Is told the number of a port, the second index, and the byte.

    Attributes
    ----------
    memory : bytearray
    place : int
        Of the next instruction.
    accumulator, carry, first, second : int
        The latter are the indices.
    """

    def __init__(
        self,
        program: Sequence[int],
        octets: int,
        contents: Sequence[int],
        read: Callable[[int], int],
        write: Callable[[int, int, int], None],
    ) -> None:
        self._program, self._read, self._write = program, read, write
        self._wrap = (1 << max(len(program) - 1, 1).bit_length()) - 1
        self.memory = bytearray(octets)
        self.memory[: len(contents)] = bytes(contents)
        self.place = self.accumulator = self.carry = self.first = self.second = 0
        self._returns = [0, 0]

    def step(self) -> None:
        """Carry out one instruction."""
        word = self._program[self.place]
        operation, mode = Operation(word >> OPERAND_BITS + 2), word >> OPERAND_BITS & 3
        operand, following = word & _OPERAND, self.place + 1 & self._wrap
        self.place = following
        if operation < Operation.STORE:
            self._compute(operation, mode, operand)
            return
        match operation:
            case Operation.STORE:
                self.memory[self._address(mode, operand)] = self.accumulator
                self._move(mode, stores=True)
            case Operation.PORT:
                self._write(operand & 0xFF, self.second, self.accumulator)
            case Operation.POINT:
                if mode & 1:
                    self.first = operand
                if mode & 2:
                    self.second = operand
            case Operation.AIM:
                self.second = self.accumulator | operand & ~0xFF
            case Operation.JUMP if mode == Jump.RETURN:
                self.place, self._returns = self._returns[0], [self._returns[1], self._returns[1]]
            case Operation.JUMP:
                if mode == Jump.CALL:
                    self._returns = [following, self._returns[0]]
                self.place = operand & self._wrap
            case Operation.BRANCH:
                flag = bool(self.carry) if mode & 2 else self.accumulator == 0
                if flag != bool(mode & 1):
                    self.place = operand & self._wrap

    def _address(self, mode: int, operand: int) -> int:
        return {Mode.NEXT: self.first, Mode.HERE: self.second}.get(Mode(mode), operand)

    def _move(self, mode: int, *, stores: bool) -> None:
        if mode == Mode.NEXT:
            self.first = self.first + 1 & _ADDRESS
        if mode == Mode.HERE and stores:
            self.second = self.second + 1 & _ADDRESS

    def _compute(self, operation: Operation, mode: int, operand: int) -> None:
        if mode != Mode.CONSTANT:
            value = self.memory[self._address(mode, operand)]
        elif operand >> PORT_BIT & 1:
            value = self._read(operand & 0xFF)
        else:
            value = operand & 0xFF
        self._move(mode, stores=False)
        before = self.accumulator
        match operation:
            case Operation.LOAD:
                self.accumulator = value
            case Operation.AND:
                self.accumulator &= value
            case Operation.XOR:
                self.accumulator ^= value
            case Operation.OR:
                self.accumulator |= value
            case _:
                subtracts = operation >= Operation.SUBTRACT
                carry = self.carry if operation & 1 else int(subtracts)
                total = before + (value ^ 0xFF if subtracts else value) + carry
                self.accumulator = total & 0xFF
                if mode != Mode.CONSTANT or not operand >> QUIET_BIT & 1:
                    self.carry = total >> 8


def random_instructions(seed: int, length: int) -> tuple[int, ...]:
    """Return instructions drawn at random, a fifth of which read or write a port. The memory has 2,048 bytes."""
    random = Random(seed)
    words = []
    for at in range(length):
        # Mostly forwards, so that all of the program is come to.
        ahead = (at + 1 + random.randrange(6)) % length
        operation = random.choice(
            [Operation.PORT] * 8
            + [each for each in Operation if each <= Operation.STORE] * 3
            + [Operation.POINT, Operation.AIM, Operation.JUMP, Operation.BRANCH]
        )
        mode, operand = random.randrange(4), random.randrange(1 << OPERAND_BITS)
        match operation:
            case Operation.JUMP:
                mode = random.choice([Jump.PLAIN, *[Jump.CALL] * 6, Jump.RETURN])
                operand = ahead
            case Operation.BRANCH:
                operand = ahead
            case Operation.POINT:
                mode = random.randrange(1, 4)
            case Operation.AIM:
                operand &= ~0xFF
            case Operation.PORT:
                pass
            case _ if mode == Mode.CONSTANT:
                operand = random.randrange(256) | random.choice(
                    (0, 1 << PORT_BIT, 1 << QUIET_BIT, 1 << QUIET_BIT)
                )
            case _:
                pass
        words.append(operation << OPERAND_BITS + 2 | mode << OPERAND_BITS | operand)
    return tuple(int(word) for word in words)
