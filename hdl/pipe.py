# SPDX-License-Identifier: BSD-2-Clause
"""The stages of a pipeline: what of a slot is known in which stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib import data

from erbium.hdl.slot import Work


class Pipe:
    """Carries slots of work from stage to stage; what nobody asks for has no registers.

    ``pipe["X"].word`` is the word of the slot in stage X, ``pipe["X-1"]`` the stage before, ``pipe[1]`` the first one
    behind the issue, and ``pipe.does(Work.ROW, "X")`` says whether that slot is a word of a row.

    Parameters
    ----------
    m : Module
        In which the registers are.
    stages : mapping of int
        The stages that have a name.
    slot : View
        The slot that is issued in this clock.
    valid : Value
        One is.
    fixed : mapping of int
        Fields that a slot leaves out, because they are the same in all of them.
    attrs : dict
        Attributes of the registers.

    Notes
    -----
    :meth:`close` comes last: registers are added outside of all conditions.
    """

    def __init__(
        self,
        m: Module,
        stages: Mapping[str, int],
        slot: data.View,
        valid: Value,
        *,
        fixed: Mapping[str, int] | None = None,
        attrs: dict[str, int] | None = None,
    ) -> None:
        self._m, self._stages, self._slot, self._valid = m, stages, slot, valid
        self._fixed, self._attrs = dict(fixed or {}), attrs or {}
        self._begin, self._suffix, self._parent = 0, "", self
        self._registers: dict[tuple[str, int], Signal] = {}
        self._before = _Registers()

    def branch(self, stage: int | str, name: str, attrs: dict[str, int]) -> Pipe:
        """Return a pipe with registers of its own for all stages after `stage`, whose names end in `name`."""
        branch = Pipe(self._m, self._stages, self._slot, self._valid, fixed=self._fixed, attrs=attrs)
        branch._begin, branch._suffix, branch._parent = self.number(stage), f"_{name}", self
        branch._before = self._before
        return branch

    def number(self, stage: int | str) -> int:
        """Return the number of a stage, given as such or by a name with or without ``-1`` and the like."""
        if isinstance(stage, int):
            return stage
        name, sign, offset = stage[0], stage[1:2], stage[2:]
        return self._stages[name] + (int(sign + offset) if sign else 0)

    def field(self, name: str, stage: int | str) -> Any:
        """Return a field of the slot in a stage, or whether there is one by the name ``valid``."""
        number = self.number(stage)
        if name in self._fixed:
            return Const(self._fixed[name], 1)
        if number <= self._begin and self._parent is not self:
            return self._parent.field(name, number)
        if number == 0:
            return self._valid if name == "valid" else self._slot[name]
        if (name, number) not in self._registers:
            assert not self._before.closed, (
                f"{name} of stage {stage} is asked for after the registers were added"
            )
            before = self.field(name, number - 1)
            is_valid = name == "valid"
            shape = 1 if is_valid else self._slot.shape()[name].shape
            register = Signal(
                shape, name=f"{name}_{number}{self._suffix}", reset_less=not is_valid, attrs=self._attrs
            )
            self._registers[name, number] = register
            self._before.append((register, before))
        return self._registers[name, number]

    def __getitem__(self, stage: int | str) -> _Stage:
        return _Stage(self, self.number(stage))

    def does(self, work: Work, stage: int | str) -> Value:
        """Return whether the slot in a stage does this work."""
        return self.field("valid", stage) & (self.field("work", stage) == work)

    def close(self) -> None:
        """Add the registers."""
        self._m.d.sync += [register.eq(before) for register, before in self._before]
        self._before.closed = True


class _Registers(list[tuple[Signal, Value]]):
    """Registers to be added, and what each takes."""

    closed = False


class _Stage:
    """One stage: the fields of its slot as attributes."""

    def __init__(self, pipe: Pipe, number: int) -> None:
        self._pipe, self._number = pipe, number

    def __getattr__(self, name: str) -> Any:
        return self._pipe.field(name, self._number)
