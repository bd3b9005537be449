# SPDX-License-Identifier: BSD-2-Clause
"""Looks into a component: an induction has to say what its registers hold, not only what its ports do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from amaranth.hdl import Module, Signal, Value, ValueCastable
from amaranth.hdl._dsl import resolve_statements
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Component


class Opened:
    """A component, taken apart once, so that its signals can be named.

    Parameters
    ----------
    component : Component
        Its ports are reached as attributes: ``opened.token_i``.

    Attributes
    ----------
    module : Module
        What a property has as its submodule, in place of the component.
    """

    def __init__(self, component: Component) -> None:
        self.component = component
        self._parts: dict[str, Opened] = {}
        self._locals: dict[str, dict[int, Signal]] = {}
        module = self._elaborated(component)
        # Amaranth warns of what is made and not elaborated by itself.
        component._MustUse__used = True
        assert isinstance(module, Module)
        # The last ``If`` of a module is closed by what follows it.
        module._flush()
        self.module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self.component, name)

    def __getitem__(self, name: str) -> Signal:
        """Return the signal of this name that the component makes, ``method.name`` for a variable of a method.

        Raises
        ------
        KeyError
            Unless there is just one.
        """
        found = {id(signal): signal for signal in self._signals() if signal.name == name}
        found = found or self._locals.get(name, {})
        if len(found) != 1:
            raise KeyError(f"{type(self.component).__name__} has {len(found)} signals {name!r}")
        (signal,) = found.values()
        return signal

    def starting(self, start: str) -> list[Signal]:
        """Return the signals of the component whose names begin so, in the order of their names."""
        found = {signal.name: signal for signal in self._signals() if signal.name.startswith(start)}
        return [found[name] for name in sorted(found)]

    def _elaborated(self, component: Component) -> Any:
        """Elaborate it; note variables on the way, since ``a, b = Signal(), Signal()`` tells Amaranth no name of a."""

        def note(frame: FrameType, event: str, value: Any) -> None:
            if event == "return" and frame.f_locals.get("self") is component:
                for name, found in frame.f_locals.items():
                    if isinstance(found, ValueCastable):
                        found = found.as_value()
                    if isinstance(found, Signal):
                        for called in (name, f"{frame.f_code.co_name}.{name}"):
                            self._locals.setdefault(called, {})[id(found)] = found

        before = sys.getprofile()
        sys.setprofile(note)
        try:
            return component.elaborate(None)
        finally:
            sys.setprofile(before)

    def _signals(self) -> Iterator[Signal]:
        for statements in self.module._statements.values():
            # What ``m.next`` is, is known at the end of its state machine only.
            for statement in resolve_statements(statements):
                yield from _signals_of(statement)

    def is_in(self, state: str) -> Value:
        """Return whether the state machine of the component is in this state."""
        machine: Any = self.module._generated["fsm"]
        return machine.state == machine.encoding[state]

    @property
    def state(self) -> Value:
        """The number of the state, and how many there are."""
        machine: Any = self.module._generated["fsm"]
        return machine.state

    @property
    def states(self) -> int:
        """How many states the state machine has."""
        return len(self.module._generated["fsm"].encoding)

    def part(self, name: str) -> Opened:
        """Return a submodule, opened as well."""
        component, location = self.module._named_submodules[name]
        if hasattr(component, "_elaboratable_"):
            # One with a reset of its own.
            opened = Opened(component._elaboratable_)
            component._elaboratable_ = opened.module
        else:
            opened = Opened(component)
            self.module._named_submodules[name] = opened.module, location
        self._parts[name] = opened
        return opened

    def part_ports(self, name: str) -> Any:
        """Return a submodule that has been opened already."""
        return self._parts[name].component

    def read_port(self, memory: str, number: int = 0) -> Any:
        """Return a read port of a memory, one of those that the component made."""
        store, _ = self.module._named_submodules[memory]
        return store._read_ports[number]

    def write_port(self, memory: str) -> Any:
        """Return the write port of a memory."""
        store, _ = self.module._named_submodules[memory]
        return store._write_ports[0]

    def word(self, memory: str, address: Value) -> Value:
        """Return what a memory of the component holds at an address, in this clock."""
        store, _ = self.module._named_submodules[memory]
        assert isinstance(store, Memory)
        port = store.read_port(domain="comb")
        self.module.d.comb += port.addr.eq(address)
        return Value.cast(port.data)


def _signals_of(statement: Any) -> Iterator[Signal]:
    """Yield the signals that a statement names, also those that it only reads."""
    if hasattr(statement, "_lhs_signals"):
        yield from statement._lhs_signals()
    if hasattr(statement, "_rhs_signals"):
        yield from statement._rhs_signals()
