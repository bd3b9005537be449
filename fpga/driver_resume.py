# SPDX-License-Identifier: BSD-2-Clause
"""A board that carries on by itself after it was reset, killed, or lost its line."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import TypeVar

import numpy as np

from erbium.fpga.core_array import CoreArray
from erbium.fpga.driver import BoardArray, BoardFacts
from erbium.fpga.transport import BoardLostError, LineLostError, LinkError, NoAnswerError, PortError
from erbium.sw_model.constants import Array
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.network import Network
from erbium.sw_model.results import Results

PIECE = 256
"""Samples after which the board is asked whether it was reset meanwhile."""

MOST_SAMPLES = 8_192
"""Samples that are done again at most; the host keeps them."""

READ_SHARE = 20
"""Weights are read back when so many times as long has passed as reading them takes: on a slow line that is long."""

LOSSES = 8
"""So often in a row a board may be lost without getting any further before it is given up."""

WAIT_SECONDS = 30.0
"""How long to wait for a board that went away, unless the user says: to plug a cable in again, or to start anew."""

_PAUSE = 0.2
"""Seconds between two attempts to open a line that is gone."""


T = TypeVar("T")


@dataclass(frozen=True)
class _Piece:
    """Samples that were presented together, and all that decides what becomes of them."""

    images: Array
    seeds: Array
    labels: Array | None
    n_ticks: int | None
    rates: tuple[int, ...] | None
    decide_after: int


@dataclass(frozen=True)
class _Known:
    """Where a board stood when it was last known to be sound: its weights and what it had counted."""

    weights: list[Array] | None
    counters: Mapping[str, int]
    performance: Mapping[str, int]


class ResumingBoard:
    """A board, and what it takes to bring another one to the same place.

    The host keeps the weights that it last read back, and the samples since. A board that was reset, killed or lost
    its line is opened again, gets these weights, and does the samples again, with equal results. No sample is
    learned twice or in part, whenever it happens: a board without the host's mark has been reset.

    Parameters
    ----------
    open_board : callable
        Opens the board, with the network's initial weights.
    wait : float
        Seconds to wait for a board that went away to come back; with 0 it is not waited for.
    most_samples : int
        Samples after which weights are read back at the latest.

    Attributes
    ----------
    resumed : int
        How often the board was opened again.
    redone : int
        Samples that were presented again.

    Raises
    ------
    BoardLostError
        By each method, if the board does not come back, or is lost again and again.
    """

    def __init__(
        self, open_board: Callable[[], BoardArray | CoreArray], wait: float, most_samples: int = MOST_SAMPLES
    ) -> None:
        self._open, self._wait, self._most_samples = open_board, wait, most_samples
        self._board = open_board()
        self.decide_after = self._board.decide_after
        self._rates: tuple[int, ...] | None = None
        self._known = _Known(None, {}, {})
        self._counters: Mapping[str, int] = {}
        self._performance: Mapping[str, int] = {}
        self._since: list[tuple[_Piece, Results]] = []
        self._known_at, self._reading_took = time.monotonic(), 0.0
        self._losses = self._retries = 0
        self.resumed = self.redone = 0

    @property
    def network(self) -> Network | Graph:
        """What the board holds."""
        return self._board.network

    @property
    def name(self) -> str:
        """What people call the line to the board."""
        return self._board.name

    @property
    def facts(self) -> BoardFacts:
        """What the board says of itself."""
        return self._board.facts

    @property
    def baud_rate(self) -> int:
        """Bits per second of the line."""
        return self._board.baud_rate

    @property
    def retries(self) -> int:
        """Frames that had to be sent again."""
        return self._retries + self._board.retries

    def close(self) -> None:
        """Give the line back."""
        self._board.close()

    def set_rates(self, rates: Sequence[int]) -> None:
        """Set the learning rate of each layer, 0 ... its full rate."""
        self._rates = tuple(int(rate) for rate in rates)

    def run(
        self, images: Array, seeds: Array, labels: Array | None = None, *, n_ticks: int | None = None
    ) -> Results:
        """Present samples in order; learn them if there are labels. See :meth:`BoardArray.run`."""
        parts = []
        for first in range(0, max(len(images), 1), PIECE):
            here = slice(first, first + PIECE)
            piece = _Piece(
                images[here].copy(),
                seeds[here].copy(),
                None if labels is None else labels[here].copy(),
                n_ticks,
                self._rates,
                self.decide_after,
            )
            results = self._sound(partial(self._present, piece))
            self._since.append((piece, results))
            parts.append(results)
            if self._is_due():
                self._sound(self._read_back)
        return Results(
            *(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Results))
        )

    def counters(self) -> dict[str, int]:
        """Return the counters that the model has too, by name; samples that were done again count once."""
        return self._sound(self._counted)

    def performance(self) -> dict[str, int]:
        """Return what the board counts; see :meth:`BoardArray.performance`."""
        return self._sound(lambda: _sum(self._performance, self._board.performance()))

    @property
    def weights(self) -> list[Array]:
        """Weights of each layer, int16 of shape ``(n_rows, n_neurons)``, read back from the board."""
        self._sound(self._read_back)
        assert self._known.weights is not None
        return [values.copy() for values in self._known.weights]

    def load(self, weights: Sequence[Array]) -> None:
        """Replace all weights."""
        kept = [np.array(values, dtype=np.int16) for values in weights]
        counters, performance = self.counters(), self.performance()
        # From here on a board that is lost gets these and not the ones before.
        self._known, self._since = _Known(kept, counters, performance), []
        self._sound(lambda: self._board.load(kept))

    def _present(self, piece: _Piece) -> Results:
        board = self._board
        if piece.rates is not None:
            board.set_rates(piece.rates)
        board.decide_after = piece.decide_after
        results = board.run(piece.images, piece.seeds, piece.labels, n_ticks=piece.n_ticks)
        # Asks whether it was reset meanwhile: before that nothing is certain.
        board.counters()
        return results

    def _counted(self) -> dict[str, int]:
        return _sum(self._counters, self._board.counters())

    def _is_due(self) -> bool:
        waited = time.monotonic() - self._known_at
        n_samples = sum(len(piece.images) for piece, _ in self._since)
        return n_samples >= self._most_samples or (
            n_samples >= PIECE and waited > READ_SHARE * self._reading_took
        )

    def _read_back(self) -> None:
        """Read the weights and counters; what was done up to here need not be done again."""
        start = time.monotonic()
        weights = self._board.weights
        self._known = _Known(weights, self._counted(), _sum(self._performance, self._board.performance()))
        self._since = []
        self._known_at = time.monotonic()
        self._reading_took = max(self._reading_took, self._known_at - start)

    def _sound(self, work: Callable[[], T]) -> T:
        """Do something with the board, as often as it is lost by it."""
        lost: LinkError | None = None
        while True:
            if lost is not None:
                # What does not come back while it may be waited for is no other loss, to be waited for again.
                self._reopen(lost)
            try:
                if lost is not None:
                    self._catch_up()
                found = work()
            except BoardLostError as error:
                self._losses += 1
                if not self._wait or self._losses >= LOSSES:
                    raise
                lost = error
            else:
                self._losses = 0
                return found

    def _reopen(self, lost: LinkError) -> None:
        """Open the board again."""
        self._retries += self._board.retries
        self._board.close()
        self._board = self._opened(lost)
        self.resumed += 1

    def _catch_up(self) -> None:
        """Bring the board to where the last one stood."""
        self._counters, self._performance = self._known.counters, self._known.performance
        if self._known.weights is not None:
            self._board.load(self._known.weights)
        for piece, results in self._since:
            again = self._present(piece)
            self.redone += len(piece.images)
            if any(
                (getattr(again, each.name) != getattr(results, each.name)).any() for each in fields(Results)
            ):
                raise LinkError(
                    f"the board on {self.name} answers samples that it does again otherwise than before; this is a "
                    "defect, please report it"
                )
        if self._since:
            self._read_back()

    def _opened(self, lost: LinkError) -> BoardArray | CoreArray:
        """Open the board as soon as it is there."""
        deadline = time.monotonic() + self._wait
        while True:
            try:
                return self._open()
            except (PortError, NoAnswerError, LineLostError, BoardLostError) as error:
                if time.monotonic() > deadline:
                    raise BoardLostError(
                        f"{lost}; it did not come back in {self._wait:g} s: {error}"
                    ) from None
            time.sleep(_PAUSE)


def _sum(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    return {name: before.get(name, 0) + value for name, value in now.items()}
