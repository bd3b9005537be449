# SPDX-License-Identifier: BSD-2-Clause
"""Boolean functions in a form that is the same for equal functions: reduced ordered binary decision diagrams."""

from __future__ import annotations

from collections.abc import Callable

Function = int
"""Number of a function; 0 is never true, 1 always."""


class TooLargeError(Exception):
    """The functions have no small form in this order of their variables."""


class Functions:
    """All functions that have been made, each once: two are equal if and only if their numbers are.

    Variable ``n - 1`` is asked first and variable 0 last; in this order everything that counts bits or finds the
    lowest one is small.

    Parameters
    ----------
    limit : int
        So many are too many.
    """

    def __init__(self, limit: int = 200_000) -> None:
        self._limit = limit
        # Which variable a function asks, and what it is where that is 0 and 1; below all: the two constants.
        self._nodes: list[tuple[int, Function, Function]] = [(-1, 0, 0), (-1, 1, 1)]
        self._numbers: dict[tuple[int, Function, Function], Function] = {}
        self._chosen: dict[tuple[Function, Function, Function], Function] = {}

    def node(self, variable: int, low: Function, high: Function) -> Function:
        """Return the function that is `low` where a variable is 0, else `high`; both ask lower variables only."""
        if low == high:
            return low
        key = (variable, low, high)
        number = self._numbers.get(key)
        if number is None:
            if len(self._nodes) >= self._limit:
                raise TooLargeError
            number = self._numbers[key] = len(self._nodes)
            self._nodes.append(key)
        return number

    def choose(self, condition: Function, yes: Function, no: Function) -> Function:
        """Return the function that is `yes` where `condition` holds, else `no`."""
        if condition < 2:
            return yes if condition else no
        if yes == no:
            return yes
        if (yes, no) == (1, 0):
            return condition
        key = (condition, yes, no)
        found = self._chosen.get(key)
        if found is None:
            nodes = self._nodes
            top = max(nodes[condition][0], nodes[yes][0], nodes[no][0])
            low, high = (
                [nodes[one][side] if nodes[one][0] == top else one for one in key] for side in (1, 2)
            )
            found = self._chosen[key] = self.node(top, self.choose(*low), self.choose(*high))
        return found

    def low(self, one: Function) -> Function:
        """Return what a function is where the variable that it asks first is 0."""
        return self._nodes[one][1]

    def inverse(self, one: Function) -> Function:
        return self.choose(one, 0, 1)

    def both(self, one: Function, other: Function) -> Function:
        return self.choose(one, other, 0)

    def either(self, one: Function, other: Function) -> Function:
        return self.choose(one, 1, other)

    def differ(self, one: Function, other: Function) -> Function:
        return self.choose(one, self.inverse(other), other)

    def variables(self, roots: list[Function]) -> set[int]:
        """Return the variables that functions ask."""
        seen: set[Function] = set()
        waiting = list(roots)
        while waiting:
            one = waiting.pop()
            if one > 1 and one not in seen:
                seen.add(one)
                waiting += self._nodes[one][1:]
        return {self._nodes[one][0] for one in seen}

    def machine(
        self, first: int, count: int, begin: int, step: Callable[[int, int], int], last: Callable[[int], int]
    ) -> Function:
        """Return the function that a machine computes which looks at `count` variables from the highest down.

        Parameters
        ----------
        first, count : int
            The lowest variable, and how many there are.
        begin : int
            State before the first look.
        step : callable
            Called with the number of a variable that is 1, counted from `first`, and the state; returns the next one.
            A variable that is 0 keeps the state.
        last : callable
            Called with the state in the end; returns 0 or 1.
        """
        known: dict[tuple[int, int], Function] = {}

        def after(at: int, state: int) -> Function:
            if at < 0:
                return last(state)
            key = (at, state)
            if key not in known:
                known[key] = self.node(first + at, after(at - 1, state), after(at - 1, step(at, state)))
            return known[key]

        return after(count - 1, begin)
