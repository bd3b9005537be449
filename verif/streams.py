# SPDX-License-Identifier: BSD-2-Clause
"""Drives and watches streams from cocotb, with random stalls that a seed repeats.

Inputs change at the falling edge of the clock, and one nanosecond later, when everything has settled,
handshakes are read; the rising edge comes only after that. So no bench depends on the order in which a
simulator calls back at an edge.
"""

from __future__ import annotations

import gc
import os
import random
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from erbium.verif.scoreboard import SEED_VARIABLE, MismatchError, Scoreboard, differ, repeat_hint

STALLS = ("0", "0.3", "0.8", "bursts")
"""The patterns of stalls that benches are run with: a probability per clock, or long pauses and long runs."""

PATIENCE = 5_000
"""Clocks without a token on any stream after which the hardware counts as hung."""

_LONGEST_BURST = 40


def run_seed() -> int:
    """Return the seed of this run: ``ERBIUM_SEED``, else 1."""
    return int(os.environ.get(SEED_VARIABLE, "1"))


def random_for(*names: object) -> random.Random:
    """Return random numbers that follow from the seed of the run and some names, and from nothing else."""
    return random.Random("/".join(map(str, (run_seed(), *names))))


class Stall:
    """Decides clock by clock whether a stream pauses.

    Parameters
    ----------
    pattern : str
        One of :data:`STALLS`, or another probability.
    name : str
        Of the stream: every stream has random numbers of its own.
    """

    def __init__(self, pattern: str, name: str) -> None:
        self._random = random_for("stall", pattern, name)
        self._bursts = pattern == "bursts"
        self._probability = 0.0 if self._bursts else float(pattern)
        self._left, self._pausing = 0, False

    def __call__(self) -> bool:
        """Return whether the stream pauses in this clock."""
        if not self._bursts:
            return self._probability > 0 and self._random.random() < self._probability
        if not self._left:
            self._left = self._random.randrange(1, _LONGEST_BURST)
            self._pausing = not self._pausing
        self._left -= 1
        return self._pausing


def handle_of(dut: Any, name: str) -> Any:
    """Return a port by its name in the source; one that is a word of Verilog has an underscore behind it."""
    return getattr(dut, name) if hasattr(dut, name) else getattr(dut, f"{name}_")


def reader_of(handle: Any) -> Callable[[], int]:
    """Return what reads an output, unsigned; a bit that is neither 0 nor 1 is a ``ValueError``.

    It asks the simulator itself: the object that cocotb makes of every value costs more than the simulation.
    """
    digits = handle._handle.get_signal_val_binstr
    return lambda: int(digits(), 2)


class Port:
    """An input of the hardware; what it holds already is not written again."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._value: int | None = None

    def set(self, value: int) -> None:
        """Drive a value, from the falling edge of this clock on."""
        if value != self._value:
            self._handle.value = value
            self._value = value


class StreamDriver:
    """Sends tokens into an input stream. A token that is shown stays until it is taken."""

    def __init__(self, harness: Harness, name: str, encode: Callable[[Any], int | list[int]] | None) -> None:
        dut = harness.dut
        self.name = name
        self._encode = encode
        self._valid = Port(getattr(dut, f"{name}_valid"))
        self._payload = Port(getattr(dut, f"{name}_payload"))
        self._ready = reader_of(getattr(dut, f"{name}_ready"))
        self._width = len(getattr(dut, f"{name}_payload"))
        self._junk = random_for("junk", name)
        self._stall = Stall(harness.stall, name)
        self._queue: deque[int] = deque()
        self._shown = self._idle = False
        self.sent = 0

    def send(self, *tokens: Any) -> None:
        """Queue tokens."""
        for token in tokens:
            payloads = token if self._encode is None else self._encode(token)
            self._queue.extend(payloads if isinstance(payloads, list) else [payloads])

    def clear(self) -> None:
        """Forget what has not been sent, and what is shown."""
        self._queue.clear()
        self._shown = False
        self._valid.set(0)

    @property
    def left(self) -> int:
        """Tokens that have not been taken."""
        return len(self._queue)

    def prepare(self) -> None:
        """Set the inputs of this clock."""
        if self._shown:
            return
        self._shown = bool(self._queue) and not self._stall()
        self._valid.set(int(self._shown))
        if self._shown:
            self._payload.set(self._queue[0])
            self._idle = False
        elif not self._idle:
            # Nobody may look at the payload while it is not valid.
            self._payload.set(self._junk.getrandbits(self._width))
            self._idle = True

    def observe(self) -> bool:
        """Look whether the token was taken."""
        if self._shown and self._ready():
            self._queue.popleft()
            self._shown = False
            self.sent += 1
            return True
        return False


class StreamMonitor:
    """Takes tokens from an output stream, and watches that none is withdrawn or changed while it waits.

    `clocks` has the clock of each token; `taken` says how many a payload was, 0 if it was not a whole one.
    """

    def __init__(
        self,
        harness: Harness,
        name: str,
        taken: Callable[[int], int | None],
        pauses: Callable[[], bool] = lambda: False,
    ) -> None:
        dut = harness.dut
        self.name = name
        self._pauses = pauses
        self.clocks: list[int] = []
        self._harness, self._taken = harness, taken
        self._valid = reader_of(getattr(dut, f"{name}_valid"))
        self._payload = reader_of(getattr(dut, f"{name}_payload"))
        self._ready = Port(getattr(dut, f"{name}_ready"))
        self._stall = Stall(harness.stall, name)
        self._waiting: int | None = None
        self._is_ready = False

    def prepare(self) -> None:
        """Set the inputs of this clock."""
        self._is_ready = not (self._stall() or self._pauses())
        self._ready.set(int(self._is_ready))

    def observe(self) -> bool:
        """Take a token, if there is one."""
        if not self._valid():
            if self._waiting is not None:
                raise differ(f"{self.name}_valid", 1, 0, clock=self._harness.clocks)
            return False
        bits = self._payload()
        if self._waiting is not None and bits != self._waiting:
            raise differ(
                f"{self.name}_payload while it waits", self._waiting, bits, clock=self._harness.clocks
            )
        self._waiting = None if self._is_ready else bits
        if self._is_ready:
            count = self._taken(bits)
            self.clocks += [self._harness.clocks] * (1 if count is None else count)
        return self._is_ready

    def clear(self) -> None:
        """Forget a token that waits: the hardware is being reset."""
        self._waiting = None


class Tally:
    """Adds up what an output of the hardware says in each clock."""

    def __init__(self, harness: Harness, name: str) -> None:
        self._value = reader_of(handle_of(harness.dut, name))
        self.total = 0

    def prepare(self) -> None:
        """A tally has no inputs."""

    def observe(self) -> bool:
        """Add what the output says in this clock."""
        self.total += self._value()
        return False

    def clear(self) -> None:
        """Start from 0: the hardware is being reset."""
        self.total = 0


class Watch:
    """Calls a function in each clock, once the outputs have settled."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look

    def prepare(self) -> None:
        """Nothing is to be set."""

    def observe(self) -> bool:
        """Look."""
        self._look()
        return False

    def clear(self) -> None:
        """Nothing is kept."""


class Taps:
    """Watches what a probe (:mod:`erbium.verif.probes`) brings out: channels inside of the hardware."""

    def __init__(self, harness: Harness, handlers: Mapping[str, tuple[int, Callable[[int], object]]]) -> None:
        dut = harness.dut
        self._fires = reader_of(dut.tap_fires)
        self._handlers = [
            (place, reader_of(getattr(dut, f"tap_{name}")), handler)
            for name, (place, handler) in handlers.items()
        ]

    def prepare(self) -> None:
        """Taps have no inputs."""

    def observe(self) -> bool:
        """Hand over what passed in this clock."""
        fires = self._fires()
        if fires:
            for place, payload, handler in self._handlers:
                if fires >> place & 1:
                    handler(payload())
        return bool(fires)


class Harness:
    """Clock, reset and streams of one device under test.

    Parameters
    ----------
    dut : cocotb handle
    stall : str
        Pattern of the stalls on every stream.

    Attributes
    ----------
    clocks : int
        Clocks since the start.
    board : Scoreboard
    """

    def __init__(self, dut: Any, stall: str = "0") -> None:
        self.dut, self.stall = dut, stall
        self.clocks = 0
        self.board = Scoreboard()
        self.random = random_for("bench", stall)
        self._parts: list[Any] = []
        self._ports: dict[str, Port] = {}
        self._readers: dict[str, Callable[[], int]] = {}
        # A bench makes many objects in each clock and hardly a cycle of references: what is loaded need not be searched
        # for one again and again.
        gc.freeze()
        gc.set_threshold(100_000)
        self._falling, self._settled = FallingEdge(dut.clk), Timer(1, unit="ns")
        cocotb.log.info("seed %d, stalls %s", run_seed(), stall)
        dut.rst.value = 1
        self._clock, self._ticks = Clock(dut.clk, 10, unit="ns", impl="gpi"), False

    def drive(self, name: str, encode: Callable[[Any], int | list[int]] | None = None) -> StreamDriver:
        """Return the driver of an input stream; a token may take several payloads."""
        driver = StreamDriver(self, name, encode)
        self._parts.append(driver)
        return driver

    def monitor(
        self, name: str, taken: Callable[[int], int | None], pauses: Callable[[], bool] = lambda: False
    ) -> StreamMonitor:
        """Call `taken` with every payload of an output stream, of which none is taken while it `pauses`."""
        monitor = StreamMonitor(self, name, taken, pauses)
        self._parts.append(monitor)
        return monitor

    def check(self, name: str, decode: Callable[[int], Any]) -> StreamMonitor:
        """Compare every token of an output stream with those that the scoreboard expects on it."""
        return self.monitor(name, self.checker(name, decode))

    def checker(self, name: str, decode: Callable[[int], Any]) -> Callable[[int], int]:
        """Return what compares the tokens of a payload, and says how many it was.

        A token may take several payloads, and a payload may have several tokens: then `decode` returns a list.
        """
        channel = self.board.channel(name)

        def check(bits: int) -> int:
            found = decode(bits)
            tokens = found if isinstance(found, list) else [] if found is None else [found]
            for token in tokens:
                channel.check(token)
            return len(tokens)

        return check

    def tap(self, handlers: Mapping[str, tuple[int, Callable[[int], object]]]) -> None:
        """Watch the taps of a probe: for each its bit in ``tap_fires`` and what is called with its payload."""
        self._parts.append(Taps(self, handlers))

    def watch(self, look: Callable[[], None]) -> None:
        """Call a function in each clock, which raises if it sees what must not be."""
        self._parts.append(Watch(look))

    def tally(self, name: str) -> Tally:
        """Add up what a plain output says, clock by clock."""
        tally = Tally(self, name)
        self._parts.append(tally)
        return tally

    def log(self, text: str) -> None:
        """Write a line to the log of the run."""
        cocotb.log.info("%s", text)

    def set(self, **values: int) -> None:
        """Drive plain inputs."""
        for name, value in values.items():
            if name not in self._ports:
                self._ports[name] = Port(handle_of(self.dut, name))
            self._ports[name].set(value)

    def get(self, name: str) -> int:
        """Return a plain output, unsigned, as it is before the next rising edge."""
        if name not in self._readers:
            self._readers[name] = reader_of(handle_of(self.dut, name))
        return self._readers[name]()

    async def reset(self) -> None:
        """Hold reset for two clocks, and start the clock first. Drivers forget nothing; see :meth:`clear`."""
        if not self._ticks:
            # Not before something is waited for: the clock of a test that ends at once would never be stopped.
            self._clock.start()
            self._ticks = True
        await self._falling
        self.dut.rst.value = 1
        for part in self._parts:
            part.prepare()
        for number in range(2):
            await self._settled
            for part in self._parts:
                # A reset does not stop a write that is at the memory already.
                if isinstance(part, Taps) and self.clocks and number == 0:
                    part.observe()
            await self._falling
            self.clocks += 1
        self.dut.rst.value = 0

    def clear(self) -> None:
        """Forget every token that is on its way into or out of the hardware."""
        for part in self._parts:
            if not isinstance(part, Taps):
                part.clear()

    async def edge(self) -> None:
        """Go to the falling edge, where inputs may be set; :meth:`settle` must follow."""
        await self._falling
        self.clocks += 1
        for part in self._parts:
            part.prepare()

    async def settle(self) -> bool:
        """Let the inputs settle and look at all streams; return whether a token passed on any of them."""
        await self._settled
        moved = False
        for part in self._parts:
            if part.observe():
                moved = True
        return moved

    async def clock(self) -> bool:
        """Do one clock; return whether a token passed on any stream."""
        await self.edge()
        return await self.settle()

    async def run_for(self, clocks: int) -> None:
        """Do a number of clocks."""
        for _ in range(clocks):
            await self.clock()

    async def run_until(self, condition: Callable[[], bool], *, patience: int = PATIENCE) -> None:
        """Do clocks until the condition holds.

        Raises
        ------
        MismatchError
            If no token passes for `patience` clocks.
        """
        still = 0
        while not condition():
            still = 0 if await self.clock() else still + 1
            if still > patience:
                raise MismatchError(f"no token passed for {patience} clocks\n{self.board}\n{repeat_hint()}")

    async def finish(self, extra: int = 60) -> None:
        """Run until every expected token has come, and a little longer in case there are more."""
        await self.run_until(lambda: self.board.done)
        await self.run_for(extra)
