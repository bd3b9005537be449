# SPDX-License-Identifier: BSD-2-Clause
"""A reset in each state: a cocotb test that goes before those of a bench on a component with points.

It notes which states each test of the bench comes to. After the last of them, each state gets two more tests: one that
is broken off there by a reset, and then the same one once more, whole, on what the reset has left.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from typing import Any

import cocotb
import cocotb.regression
from cocotb.triggers import FallingEdge

from erbium.verif.streams import Harness, reader_of


class _StateReachedError(Exception):
    """The state machine is where the reset is to find it."""


class _Watch:
    """Looks in each clock which states the component is in.

    Attributes
    ----------
    seen : int
        A bit for each state that there was since it was set to 0.
    wanted : int
        A bit of the state at which a test is broken off; 0 for none.
    """

    def __init__(self, dut: Any) -> None:
        self.seen = self.wanted = 0
        self._states = reader_of(dut.states)
        settle: Callable[[Harness], Awaitable[bool]] = Harness.settle

        async def watched(harness: Harness) -> bool:
            moved = await settle(harness)
            now = self._states()
            self.seen |= now
            if now & self.wanted:
                raise _StateReachedError
            return moved

        setattr(Harness, "settle", watched)  # noqa: B010 - a method is put in the place of another one


@cocotb.test()
async def watch_states(dut: Any) -> None:
    """Watch the tests that come after this one, and plan those of the resets."""
    manager: Any = cocotb.regression._manager_inst
    watch, came_to = _Watch(dut), {}
    tests = list(manager._test_queue)

    def noting(test: Any) -> Any:
        func = test.func

        async def run(dut: Any, *args: Any, **kwargs: Any) -> None:
            watch.seen = 0
            await func(dut, *args, **kwargs)
            came_to[test.fullname] = watch.seen

        return _changed(test, run, test.name)

    async def plan(dut: Any, *_: Any, **__: Any) -> None:
        for state in range(len(dut.states)):
            # The first test that comes there: the same one on every machine.
            test = next((one for one in tests if came_to.get(one.fullname, 0) >> state & 1), None)
            if test is not None:
                manager._test_queue += [_broken_off(test, watch, 1 << state), test]

    manager._test_queue[:] = [*map(noting, tests), _changed(tests[0], plan, "plan_resets")]


def _broken_off(test: Any, watch: _Watch, state: int) -> Any:
    """Return a test that runs until the component is in a state, and resets it there."""
    func = test.func

    async def run(dut: Any, *args: Any, **kwargs: Any) -> None:
        watch.wanted = state
        try:
            await func(dut, *args, **kwargs)
        except _StateReachedError:
            dut.rst.value = 1
            await FallingEdge(dut.clk)
            await FallingEdge(dut.clk)
        else:
            raise AssertionError("the test did not come to the state that it came to before")
        finally:
            watch.wanted = 0

    return _changed(test, run, f"{test.name}_broken_off_{state.bit_length() - 1}")


def _changed(test: Any, func: Any, name: str) -> Any:
    """Return a copy of a test with another function and name."""
    changed = copy.copy(test)
    changed.func, changed.name = func, name
    return changed
