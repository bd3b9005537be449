# SPDX-License-Identifier: BSD-2-Clause
"""Compares what the hardware did with what the model says, and explains a difference so that it can be repeated."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from typing import Any

SEED_VARIABLE = "ERBIUM_SEED"
WAVE_VARIABLE = "ERBIUM_WAVE_FILE"
COMMAND_VARIABLE = "ERBIUM_COMMAND"


class MismatchError(AssertionError):
    """The hardware differs from the model."""


def repeat_hint() -> str:
    """Return seed, waveform file and the command that repeats this run, from the environment of the bench."""
    return (
        f"  seed      {os.environ.get(SEED_VARIABLE, 'unknown')}\n"
        f"  waveform  {os.environ.get(WAVE_VARIABLE) or 'none; the command below writes it'}\n"
        f"  repeat    {os.environ.get(COMMAND_VARIABLE, 'unknown')}"
    )


def differ(signal: str, expected: Any, got: Any, **where: Any) -> MismatchError:
    """Return the error that says where a value differs."""
    place = ", ".join(
        f"{name.replace('_', ' ')} {value}" for name, value in where.items() if value is not None
    )
    return MismatchError(
        f"{signal} differs from the model{' at ' + place if place else ''}\n"
        f"  expected  {expected}\n"
        f"  got       {got}\n" + repeat_hint()
    )


def expect_equal(signal: str, expected: Any, got: Any, **where: Any) -> None:
    """Raise :class:`MismatchError` unless the two values are equal.

    Parameters
    ----------
    signal : str
        What is compared.
    expected, got : object
        Of the model and of the hardware.
    **where
        Sample, tick, neuron, token ...: what a reader needs to find the place.
    """
    if expected != got:
        raise differ(signal, expected, got, **where)


class Channel:
    """One stream's expected tokens, in order.

    Parameters
    ----------
    name : str

    Attributes
    ----------
    history : list
        Tokens that came.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.history: list[Any] = []
        self._expected: deque[tuple[Any, dict[str, Any]]] = deque()

    def expect(self, token: Any, **where: Any) -> None:
        """Add a token to come; `where` is told if it does not."""
        self._expected.append((token, where))

    def expect_all(self, tokens: Iterable[Any], **where: Any) -> None:
        """Add tokens to come."""
        for token in tokens:
            self.expect(token, **where)

    def check(self, got: Any) -> None:
        """Compare the token that came with the next one that is expected."""
        if not self._expected:
            raise differ(self.name, "nothing more", got, token=self.taken)
        expected, where = self._expected.popleft()
        if expected != got:
            raise differ(self.name, expected, got, **where, token=self.taken)
        self.history.append(got)

    def clear(self) -> None:
        """Forget what was expected."""
        self._expected.clear()

    @property
    def taken(self) -> int:
        """Tokens that have come."""
        return len(self.history)

    @property
    def left(self) -> int:
        """Tokens that have not come yet."""
        return len(self._expected)

    def __str__(self) -> str:
        if not self._expected:
            return f"{self.name}: all {self.taken} tokens came"
        token, where = self._expected[0]
        return f"{self.name}: {self.taken} tokens came, {self.left} are missing, next {token} {where}"


class Scoreboard:
    """The channels of one test."""

    def __init__(self) -> None:
        self.channels: dict[str, Channel] = {}

    def channel(self, name: str) -> Channel:
        """Return the channel of this name; the first call makes it."""
        return self.channels.setdefault(name, Channel(name))

    @property
    def done(self) -> bool:
        """Whether every expected token has come."""
        return not any(channel.left for channel in self.channels.values())

    def __str__(self) -> str:
        return "\n".join(f"  {channel}" for channel in self.channels.values())
