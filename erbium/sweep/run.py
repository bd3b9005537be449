# SPDX-License-Identifier: BSD-2-Clause
"""Carries out a sweep: what is not in the store goes to the workers, and what comes back goes into it."""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from erbium.sweep import SweepError
from erbium.sweep.measure import Trained
from erbium.sweep.point import Point
from erbium.sweep.store import FAILED, Row, Store
from erbium.sweep.tasks import (
    Failure,
    Measurement,
    Place,
    Training,
    carry_out_measurement,
    carry_out_training,
)

if TYPE_CHECKING:
    from distributed import Client, Future

LOOK_SECONDS = 0.2
"""How often a run that waits looks whether it is to stop."""

COUNT_SECONDS = 1.0
"""How often the workers are counted."""


@dataclass
class Work:
    """What is left of a sweep.

    Parameters
    ----------
    points : sequence of Point
        Those that are not finished; equal ones once.
    store : Store
    place : Place
    """

    points: Sequence[Point]
    store: Store
    place: Place
    ready: deque[Training | Measurement] = field(default_factory=deque)
    waiting: dict[str, list[Point]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        alike: dict[str, list[Point]] = {}
        for point in self.points:
            alike.setdefault(point.training_key, []).append(point)
        for key, points in alike.items():
            trained = self.store.trained(key)
            if trained is None and len(points) > 1:
                # Learned once, for all of them.
                self.waiting[key] = points
                self.ready.append(Training(points[0], self.place))
            else:
                self.ready.extend(Measurement(point, self.place, trained) for point in points)

    def trained(self, task: Training, outcome: Trained | Failure) -> list[Row]:
        """Take the outcome of a training; return what became of its points, if that is settled."""
        points = self.waiting.pop(task.key)
        if isinstance(outcome, Failure):
            rows = [Row(point.key, FAILED, outcome.message, {}) for point in points]
            for row in rows:
                self.store.keep(row)
            return rows
        if self.store.trained(task.key) is None:
            self.store.keep_trained(task.key, outcome)
        self.ready.extendleft(Measurement(point, self.place, outcome) for point in reversed(points))
        return []

    def measured(self, row: Row) -> list[Row]:
        """Take what became of a point."""
        if self.store.row(row.key) is None:
            self.store.keep(row)
        return [row]


def run(
    work: Work,
    client: Client,
    finished: Callable[[Row], None],
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Carry out work.

    Parameters
    ----------
    work : Work
    client : Client
    finished : callable
        Called with each row as it comes.
    stopped : callable
        Whether to begin nothing more; then what is under way is waited for.

    Raises
    ------
    SweepError
        If the scheduler is gone.
    """
    done: queue.SimpleQueue[Future] = queue.SimpleQueue()
    running: dict[Future, Training | Measurement] = {}
    slots, counted, number = 0, 0.0, 0
    while work.ready or running:
        if stopped() and not running:
            return
        if time.monotonic() - counted > COUNT_SECONDS:
            slots, counted = _slots(client), time.monotonic()
        # As many as there are workers: what is under way is worked on, and little is when the run is to stop.
        while work.ready and len(running) < slots and not stopped():
            task = work.ready.popleft()
            number += 1
            function: Callable[..., Any] = (
                carry_out_training if isinstance(task, Training) else carry_out_measurement
            )
            future = client.submit(function, task, key=f"erbium-{task.key}-{number}", pure=False)
            running[future] = task
            future.add_done_callback(done.put)
        try:
            future = done.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            continue
        task = running.pop(future)
        outcome = _outcome(future, task)
        future.release()
        rows = work.trained(task, outcome) if isinstance(task, Training) else work.measured(outcome)
        for row in rows:
            finished(row)


def _slots(client: Client) -> int:
    try:
        return sum(client.nthreads().values())
    except (OSError, TimeoutError, RuntimeError) as error:
        raise _gone(" ".join(str(error).split()) or type(error).__name__) from None


def _gone(why: str) -> SweepError:
    return SweepError(
        f"the Dask scheduler is gone ({why}); what was finished is kept, and the same command carries on from there"
    )


def _outcome(future: Future, task: Training | Measurement) -> Any:
    """Return what a worker says, or what is to be said of one that cannot any more."""
    from distributed import CancelledError, KilledWorker

    try:
        return future.result()
    except KilledWorker:
        message = (
            "the worker died each time that this was tried; the memory may not be enough for so many at a time, "
            "try fewer --jobs and --retry"
        )
    except CancelledError:
        raise _gone("the connection was lost") from None
    except Exception as error:
        message = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return Failure(message) if isinstance(task, Training) else Row(task.key, FAILED, message, {})
