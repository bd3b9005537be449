# SPDX-License-Identifier: BSD-2-Clause
"""What a worker is given to do, and what it says of it. A failure is an outcome like any other."""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

from erbium.sweep.measure import Trained, hardware_of, measure, train
from erbium.sweep.point import FORMAT, Point, load_data
from erbium.sweep.store import DONE, FAILED, Row, Store


@dataclass(frozen=True)
class Place:
    """Where things are, as the one who gives out the work sees it.

    Parameters
    ----------
    folder, folder_id : str
        Of the store. A worker writes there itself if it sees the same folder: then nothing that it has finished is
        lost with it.
    data : str or None
        What names the data set.
    log : str or None
        File that gets a line at the beginning and at the end of each computation.
    """

    folder: str
    folder_id: str
    data: str | None
    log: str | None

    def store(self) -> Store | None:
        """Return the store if it is within reach."""
        mark = Path(self.folder) / "id"
        try:
            return Store(Path(self.folder)) if mark.read_text().strip() == self.folder_id else None
        except OSError:
            return None

    def note(self, what: str, kind: str, key: str) -> None:
        """Write a line of the log, in one go: several write to it."""
        if self.log is not None:
            line = {"what": what, "kind": kind, "key": key, "host": platform.node(), "pid": os.getpid()}
            with open(self.log, "a", buffering=1) as file:
                file.write(json.dumps(line | {"time": time.time()}) + "\n")


@dataclass(frozen=True)
class Training:
    """Learn what several points share."""

    point: Point
    place: Place

    @property
    def key(self) -> str:
        """Name of the weights."""
        return self.point.training_key


@dataclass(frozen=True)
class Measurement:
    """Measure a point; train it first if it comes without weights."""

    point: Point
    place: Place
    trained: Trained | None = None

    @property
    def key(self) -> str:
        """Name of the point."""
        return self.point.key


@dataclass(frozen=True)
class Failure:
    """A training that failed, and why."""

    message: str


def carry_out_training(task: Training) -> Trained | Failure:
    """Train, unless the store has it."""
    store, key = task.place.store(), task.key
    known = None if store is None else store.trained(key)
    if known is not None:
        return known
    task.place.note("begin", "training", key)
    try:
        found = train(task.point, load_data(task.place.data, task.point.data))
    except Exception as error:
        return Failure(sentence(error))
    if store is not None:
        store.keep_trained(key, found)
    task.place.note("end", "training", key)
    return found


def carry_out_measurement(task: Measurement) -> Row:
    """Measure a point, unless the store has it."""
    store, point, key = task.place.store(), task.point, task.key
    known = None if store is None else store.row(key)
    if known is not None:
        return known
    task.place.note("begin", "point", key)
    try:
        hardware_of(point)  # what does not fit is not worth a training
        dataset = load_data(task.place.data, point.data)
        trained = task.trained or train(point, dataset)
        folder = None if store is None else store.builds / key
        row = Row(key, DONE, "", measure(point, dataset, trained, folder))
    except Exception as error:
        row = Row(key, FAILED, sentence(error), {})
    if store is not None:
        store.keep(row)
    task.place.note("end", "point", key)
    return row


def sentence(error: BaseException) -> str:
    """Return an error as one line; one that is no user's mistake with its kind."""
    from erbium.cli import is_expected

    text = " ".join(str(error).split())
    return text if is_expected(error) and text else f"{type(error).__name__}: {text}"


def greet() -> tuple[int, str]:
    """Return the format of the points and where this is: whether a worker can do this work at all."""
    return FORMAT, f"{platform.node()}, process {os.getpid()}"
