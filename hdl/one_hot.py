# SPDX-License-Identifier: BSD-2-Clause
"""State machines with a flip-flop per state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from amaranth.hdl import Module, Signal


class OneHot:
    """A state machine with a flip-flop per state: what a state does asks one bit, and not all bits of a number.

    With many states that is less logic than :meth:`amaranth.hdl.Module.FSM` gives, and shorter paths.

    Parameters
    ----------
    m : Module
        In which :meth:`state` opens ``If`` blocks.
    first : str
        The state after a reset.

    Notes
    -----
    In one clock at most one call of :meth:`go` may hold: unlike ``m.next``, a later one does not replace an earlier
    one. :meth:`close` comes behind the last state.
    """

    def __init__(self, m: Module, first: str) -> None:
        self._m, self._first = m, first
        self._is: dict[str, Signal] = {}
        self._enters: dict[str, Signal] = {}
        self._leaves: dict[str, Signal] = {}
        self._here = first

    def _add(self, name: str) -> None:
        if name not in self._is:
            self._is[name] = Signal(name=f"is_{name.lower()}", init=name == self._first)
            self._enters[name] = Signal(name=f"enters_{name.lower()}")
            self._leaves[name] = Signal(name=f"leaves_{name.lower()}")

    @contextmanager
    def state(self, name: str) -> Iterator[Signal]:
        """Open the block of what is done in a state; its value says whether this is the state."""
        self._add(name)
        self._here = name
        with self._m.If(self._is[name]):
            yield self._is[name]

    def go(self, name: str) -> None:
        """Go from the state whose block is open to another one."""
        self._add(name)
        self._m.d.comb += [self._enters[name].eq(1), self._leaves[self._here].eq(1)]

    def close(self) -> None:
        """Add the flip-flops."""
        for name, here in self._is.items():
            self._m.d.sync += here.eq(self._enters[name] | (here & ~self._leaves[name]))
