# SPDX-License-Identifier: BSD-2-Clause
"""Tasks of a bench, side by side in processes of their own."""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from rich.progress import TaskID

from erbium.bench.display import Display
from erbium.interrupt import Interruption

Advance = Callable[[int], None]
"""A task calls it with the number of steps that it has done since it last did."""

Done = Callable[[int, Any], None]
"""Called with the place of a task and its result, as soon as it is done."""

SIGNAL_SECONDS = 0.1
"""How long Ctrl-C may go unheard."""

STOP_SECONDS = 5.0
"""How long a process may take to end after it was asked to."""


@dataclass(frozen=True)
class Task:
    """A piece of work.

    Parameters
    ----------
    name : str
        For people.
    steps : int
        How often it will say that a step is done.
    function : callable
        Called with an :data:`Advance` and the arguments. It must be importable, and so must what it takes
        and returns.
    arguments : tuple
    """

    name: str
    steps: int
    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


def carry_out(tasks: Sequence[Task], jobs: int, display: Display, done: Done | None = None) -> list[Any]:
    """Carry tasks out, up to `jobs` at a time, and return their results in the order of the tasks.

    Each result goes to `done` when it is there, long before all of them are. With one job there is no other
    process. If a task fails, or the user stops it all, the others are ended.
    """
    results: dict[int, Any] = {}
    stream = _side_by_side(tasks, jobs, display) if jobs > 1 else _one_by_one(tasks, display)
    begin = time.perf_counter()
    for index, result in stream:
        results[index] = result
        if done is not None:
            done(index, result)
        seconds = time.perf_counter() - begin
        display.say(f"{tasks[index].name}: done, {len(results)} of {len(tasks)} after {seconds:,.0f} s")
    return [results[index] for index in range(len(tasks))]


def carry_out_longest_first(
    tasks: Sequence[Task], lengths: Sequence[float], jobs: int, display: Display, done: Done | None = None
) -> list[Any]:
    """Carry tasks out as :func:`carry_out` does, the longest first: so processes end at about the same time."""
    order = sorted(range(len(tasks)), key=lambda k: -lengths[k])
    tell = None if done is None else lambda number, result: done(order[number], result)
    results = carry_out([tasks[k] for k in order], jobs, display, tell)
    found = dict(zip(order, results, strict=True))
    return [found[k] for k in range(len(tasks))]


def carry_out_groups(
    groups: Sequence[Sequence[Task]], lengths: Sequence[float], jobs: int, display: Display
) -> list[list[Any]]:
    """Carry groups of tasks out as one lot, the longest first; return the results group by group.

    Parameters
    ----------
    groups : sequence of sequence of Task
        Such as the runs of a network with several seeds.
    lengths : sequence of float
        How long a task of each group takes, roughly.
    jobs : int
    display : Display
    """
    tasks = [task for group in groups for task in group]
    each = [length for group, length in zip(groups, lengths, strict=True) for _ in group]
    results = iter(carry_out_longest_first(tasks, each, jobs, display))
    return [[next(results) for _ in group] for group in groups]


def _one_by_one(tasks: Sequence[Task], display: Display) -> Iterator[tuple[int, Any]]:
    for index, task in enumerate(tasks):
        bar = display.start(task.name, task.steps)
        try:
            result = task.function(lambda steps, bar=bar: display.advance(bar, steps), *task.arguments)
        finally:
            display.end(bar)
        yield index, result


@dataclass
class _Running:
    index: int
    process: SpawnProcess
    connection: Connection
    bar: TaskID


def _side_by_side(tasks: Sequence[Task], jobs: int, display: Display) -> Iterator[tuple[int, Any]]:
    # Not forked: threads, of which the display has one, do not survive that.
    context = multiprocessing.get_context("spawn")
    waiting = list(enumerate(tasks))[::-1]
    running: dict[Connection, _Running] = {}
    with contextlib.ExitStack() as stack:
        # What a signal raises wherever Python happens to be may leave a process behind that nobody knows of yet, may
        # leave a lock taken, and is printed and forgotten in a destructor.
        stop = stack.enter_context(Interruption(until=None))
        stack.callback(_stop, running, display)
        while waiting or running:
            stop.obey()
            while waiting and len(running) < jobs:
                index, task = waiting.pop()
                mine, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(theirs, task), daemon=True)
                _start(process)
                theirs.close()
                running[mine] = _Running(index, process, mine, display.start(task.name, task.steps))
            for ready in wait(list(running), SIGNAL_SECONDS):
                assert isinstance(ready, Connection)
                one = running[ready]
                kind, value = _received(one)
                if kind == "steps":
                    display.advance(one.bar, value)
                    continue
                if kind == "error":
                    raise value
                del running[ready]
                _end(one, display)
                yield one.index, value
        stop.obey()


def _stop(running: dict[Connection, _Running], display: Display) -> None:
    for one in running.values():
        one.process.terminate()
    for one in running.values():
        _end(one, display)


def _start(process: SpawnProcess) -> None:
    """Start a process that hears no Ctrl-C, which reaches all processes of a terminal: this one decides."""
    # The first process starts this helper of Python's, which would let the signal through again.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _received(one: _Running) -> tuple[str, Any]:
    try:
        message: tuple[str, Any] = one.connection.recv()
    except EOFError:
        one.process.join(STOP_SECONDS)
        raise ChildProcessError(
            f"a process of the bench ended with exit code {one.process.exitcode} before its work was done; "
            "the memory may not be enough for so many at a time, try --jobs 1"
        ) from None
    return message


def _end(one: _Running, display: Display) -> None:
    one.process.join(STOP_SECONDS)
    if one.process.is_alive():
        one.process.kill()
        one.process.join()
    one.connection.close()
    display.end(one.bar)


def _work(connection: Connection, task: Task) -> None:
    """Carry one task out, in a process of its own."""
    try:
        result = task.function(lambda steps: connection.send(("steps", steps)), *task.arguments)
        connection.send(("result", result))
    except BrokenPipeError:
        return  # nobody is waiting any more
    except Exception as error:
        connection.send(("error", _portable(error)))


def _portable(error: Exception) -> Exception:
    """Return the error, or one that says the same if it cannot go from process to process."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
