# SPDX-License-Identifier: BSD-2-Clause
"""Memories that are read without a clock, into a register, become memories that are read with it."""

from __future__ import annotations

from collections import Counter

from erbium.gen.netlist.bits import Sig, constant, value_of
from erbium.gen.netlist.fields import all_read
from erbium.gen.netlist.module import Assign, Cell, Netlist, Register, Switch
from erbium.gen.vectors.graph import READ

ALWAYS = constant(1, 1)


def clock_reads(module: Netlist) -> None:
    """Make a register that takes over a word, which nothing else reads, the output of its memory.

    Small memories in the logic of an FPGA are read so. Both forms give the word as it was before a write of the same
    clock, but only the one with a clock becomes a vector. Where the register has the word or a constant, the choice
    between them is put after the register.
    """
    uses = Counter(part.wire for sig in all_read(module) for part in sig)
    words = {
        module.whole(cell.wire("DATA")): cell
        for cell in module.cells
        if cell.kind == READ and not cell.flag("CLK_ENABLE") and uses[cell.wire("DATA")] == 1
    }
    choices = {
        module.whole(cell.wire("Y")): cell
        for cell in module.cells
        if cell.kind == "$mux"
        and uses[cell.wire("Y")] == 1
        and cell.ports["A"] in words
        and value_of(cell.ports["B"]) == 0
    }
    kept: list[Register] = []
    for register in module.registers:
        enable, value = _taken_over(register)
        if module.initial.get(register.wire, 0):
            kept.append(register)
        elif value in words:
            _give_clock(words[value], module.whole(register.wire), register.clock, enable)
        elif value in choices and enable == ALWAYS:
            choice = choices[value]
            word, chosen = module.new_wire(module.widths[register.wire]), module.new_wire(1)
            _give_clock(words[choice.ports["A"]], module.whole(word), register.clock, enable)
            kept.append(Register(chosen, register.clock, register.rising, (Assign(0, choice.ports["S"]),)))
            choice.ports |= {
                "S": module.whole(chosen),
                "A": module.whole(word),
                "Y": module.whole(register.wire),
            }
        else:
            kept.append(register)
    module.registers = kept


def _taken_over(register: Register) -> tuple[Sig, Sig]:
    """Return when a register takes over a value, and the value; no value if it does anything else."""
    nothing: tuple[Sig, Sig] = (), ()
    if register.reset or register.asynchronous:
        return nothing
    match register.statements:
        case (Assign(0, value),):
            return ALWAYS, value
        case (Switch(selector, ((("1",), (Assign(0, value),)),)),):
            return selector, value
    return nothing


def _give_clock(cell: Cell, output: Sig, clock: Sig, enable: Sig) -> None:
    cell.parameters |= {"CLK_ENABLE": 1, "CLK_POLARITY": 1, "TRANSPARENCY_MASK": 0}
    cell.ports |= {"CLK": clock, "EN": enable, "DATA": output}
