# SPDX-License-Identifier: BSD-2-Clause
"""Claims as hardware: a component among inputs that may be anything, and beside it what has to hold."""

from __future__ import annotations

import sys
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import Assert, Assume, Cover, Module, ResetSignal, Signal, Value, ValueCastable
from amaranth.lib.wiring import Component, Flow

from erbium.verif.formal.opened import Opened

TOP = "claim"
RUNNING = "claim_is_running"
"""The register that tells the clocks after the first reset. Only it has a value to begin with: all others may hold
anything when the reset comes, so what is proved holds after a reset in any state, and the reset may come again."""


class Claim:
    """Collects what a proof is made of.

    Parameters
    ----------
    reset_clocks : int
        Clocks that the first reset lasts: more than one if something has to settle that no reset clears.

    Attributes
    ----------
    m : Module
        In which the definition is written.
    """

    def __init__(self, reset_clocks: int = 1) -> None:
        self.m = Module()
        self._ports: list[Value] = []
        self._claims: list[Signal] = []
        self._running = Signal(name=RUNNING, reset_less=True)
        began: Value | int = 1
        for clock in range(1, reset_clocks):
            waits = Signal(name=f"{RUNNING}_in_{clock}", reset_less=True)
            self.m.d.sync += waits.eq(began)
            began = waits
        self.m.d.sync += self._running.eq(began)
        self.m.d.comb += Assume(ResetSignal() | self._running)

    # --- what it is about ----------------------------------------------------------------------------

    def free(self, shape: Any, name: str) -> Any:
        """Return an input that may be anything in each clock."""
        signal = Signal(shape, name=name)
        self._ports.append(Value.cast(signal))
        return signal

    def constant(self, shape: Any, name: str) -> Any:
        """Return a value that may be anything, and stays."""
        signal = Signal(shape, name=name, reset_less=True)
        self.m.d.sync += signal.eq(signal)
        return signal

    def component(self, component: Component, name: str = "part", *, driven: tuple[str, ...] = ()) -> Opened:
        """Add a component; its inputs may be anything in each clock.

        Parameters
        ----------
        component : Component
        name : str
        driven : tuple of str
            Inputs, by name, that the claim drives itself.
        """
        opened = Opened(component)
        self.m.submodules[name] = opened.module
        for path, member, value in component.signature.flatten(component):
            if member.flow is Flow.In and path[0] not in driven:
                self._ports.append(Value.cast(value))
        return opened

    # --- what is said of it --------------------------------------------------------------------------

    @property
    def running(self) -> Value:
        """Whether the first reset is over."""
        return self._running

    def given(self, condition: Any) -> None:
        """Assume something of the inputs."""
        self.m.d.comb += Assume(_bit(condition) | ~self._running)

    def reset_once(self) -> None:
        """Assume that no other reset follows the first one."""
        self.m.d.comb += Assume(~ResetSignal() | ~self._running)

    def holds(self, condition: Any) -> None:
        """Claim something of every clock after the first reset."""
        # Its name tells where it stands, should it break.
        line = sys._getframe(1).f_lineno
        signal = self.named(_bit(condition) | ~self._running, f"line_{line}_{len(self._claims)}")
        self._claims.append(signal)
        self.m.d.comb += Assert(signal)

    def reached(self, condition: Any) -> None:
        """Claim that something can happen: so that nothing is proved of a component that stands still."""
        self.m.d.comb += Cover(_bit(condition) & self._running)

    def past(self, value: Any, clocks: int = 1, *, init: int = 0) -> Signal:
        """Return what a value was some clocks ago, `init` in the clocks after a reset."""
        for _ in range(clocks):
            value = Value.cast(value)
            register = Signal(value.shape(), init=init, name="past")
            self.m.d.sync += register.eq(value)
            value = register
        return value

    def named(self, value: Any, name: str) -> Signal:
        """Return a value as a signal, so that a trace shows it."""
        value = Value.cast(value)
        signal = Signal(value.shape(), name=name)
        self.m.d.comb += signal.eq(value)
        return signal

    def register(self, shape: Any, name: str, init: int = 0) -> Any:
        """Return a register of the definition, which a reset clears."""
        return Signal(shape, name=name, init=init)

    # --- what becomes of it --------------------------------------------------------------------------

    def rtlil(self) -> str:
        """Return it as the netlist that Yosys reads."""
        text: str = rtlil.convert(self.m, name=TOP, ports=self._ports, emit_src=False)
        return text


def code(member: Any) -> int:
    """Return the number of a member of an enumeration, with which plain values are compared."""
    return int(member.value)


def _bit(condition: Any) -> Value:
    if isinstance(condition, ValueCastable):
        condition = condition.as_value()
    return Value.cast(condition).bool()
