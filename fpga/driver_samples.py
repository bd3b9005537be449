# SPDX-License-Identifier: BSD-2-Clause
"""A batch of samples on its way through the chip: kept full, and mended when the line loses something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

from erbium.fpga.driver_link import ATTEMPTS, Link, Nothing, refused
from erbium.fpga.driver_protocol import Outcome, Read, Reply, entry_body, frame, messages_of
from erbium.fpga.transport import BoardResetError, NoAnswerError
from erbium.hdl.registers import (
    HISTORY,
    RESULT_BYTES,
    WORD_BYTES,
    ErrorCode,
    LinkMap,
    RegisterMap,
    WindowNumber,
)
from erbium.sw_model.constants import Array
from erbium.sw_model.results import Results

TURNS = 256


T = TypeVar("T")


class Batch(Generic[T]):
    """Messages in order, each of which the chip takes exactly once.

    The chip takes a message of samples only if its turn is the next one. So one that was lost is noticed, one that is
    sent twice is not learned twice, and the chip can be asked at any time how far it is. It remembers the last results.

    Parameters
    ----------
    link : Link
    registers : LinkMap
    first_turn : int
        Turn of the first message.
    count : int
        Messages.
    encode : callable
        Returns a message by its number, tag and turn.
    read : callable
        Reads the five bytes of a result.

    Attributes
    ----------
    n_done : int
        Messages whose results are there, from the first one on.
    """

    def __init__(
        self,
        link: Link,
        registers: LinkMap,
        first_turn: int,
        count: int,
        encode: Callable[[int, int, int], bytes],
        read: Callable[[bytes], T],
    ) -> None:
        self._link, self._registers, self._first_turn = link, registers, first_turn
        self._encode, self._read = encode, read
        self._outcomes: list[T | None] = [None] * count
        self.n_done = 0
        self._next = 0
        self._most_sent = 0
        self._tags: dict[int, int] = {}
        self._sizes: dict[int, int] = {}
        self._frame: tuple[int, int, bytes] | None = None
        self._doubt = False
        self._failures = 0

    @property
    def next_turn(self) -> int:
        """Turn of the message after those that are done."""
        return (self._first_turn + self.n_done) % TURNS

    @property
    def done(self) -> list[T]:
        """Results of the messages that are done."""
        return [outcome for outcome in self._outcomes[: self.n_done] if outcome is not None]

    def run(self) -> None:
        """Process all samples.

        Raises
        ------
        NoAnswerError
            If the chip gets no further in spite of all attempts, or answers nothing for too long.
        BoardResetError
            If the chip was reset meanwhile.
        LinkError
            If it refuses what is right.
        LineLostError
            If the line is gone.
        """
        self._link.was_of_use()
        while self.n_done < len(self._outcomes):
            if not self._doubt:
                self._fill()
            got = self._link.receive()
            if isinstance(got, Reply):
                self._take(got)
            elif got is Nothing.DAMAGED:
                self._link.window.one_answered()
                self._doubt = True
            if got is Nothing.SILENCE or (self._doubt and not len(self._link.window)):
                self._recover()

    def _fill(self) -> None:
        """Send samples while the chip has room and remembers the results of all that are under way.

        After trouble it sends only one, until that has come through: of several each would have to be sent again.
        """
        most = 1 if self._failures else HISTORY
        while self._next < len(self._outcomes) and self._next - self.n_done < most:
            tag, data = self._encoded(self._next)
            if not self._link.window.has_room(len(data)):
                return
            self._tags[tag] = self._next
            self._sizes[self._next] = len(data)
            self._next += 1
            self._link.retries += self._next <= self._most_sent
            self._most_sent = max(self._most_sent, self._next)
            self._frame = None
            self._link.sample_bytes += len(data)
            self._link.send(tag, data)

    def _encoded(self, number: int) -> tuple[int, bytes]:
        """Return tag and frame of a sample; it is encoded once, while the chip has no room for it yet."""
        if self._frame is None or self._frame[0] != number:
            tag = self._link.new_tag()
            message = self._encode(number, tag, (self._first_turn + number) % TURNS)
            self._frame = (number, tag, frame(message))
        return self._frame[1:]

    def _take(self, reply: Reply) -> None:
        if reply.is_result:
            turn, outcome = reply.payload[0], self._read(reply.payload[1:])
            number = self._number(turn, self.n_done)
            if self._tags.get(reply.tag) == number:
                self._store(number, outcome)
                self._answered_until(number)
        elif reply.is_refusal and reply.tag in self._tags:
            if reply.code != ErrorCode.OUT_OF_TURN:
                raise refused(reply, f"sample {self._tags[reply.tag]} of the batch")
            self._link.window.answered(reply.tag)
            self._doubt = True
        elif reply.is_refusal and reply.tag == 0:
            self._link.window.one_answered()
            self._doubt = True

    def _store(self, number: int, outcome: T) -> None:
        if self._outcomes[number] is None:
            self._outcomes[number] = outcome
            self._failures = 0
            self._link.was_of_use()
        while self.n_done < len(self._outcomes) and self._outcomes[self.n_done] is not None:
            self.n_done += 1
        # Results come in order: those between have been lost.
        self._doubt |= number >= self.n_done

    def _answered_until(self, number: int) -> None:
        """Forget the frames of all samples up to `number`, whether their replies came or not."""
        for tag in [tag for tag, sent in self._tags.items() if sent <= number]:
            del self._tags[tag]
            self._link.window.answered(tag)

    def _recover(self) -> None:
        """Ask the chip how far it is, fetch the results that were lost, and go on from there."""
        self._failures += 1
        if self._failures > ATTEMPTS:
            raise NoAnswerError(
                f"{self._link.transport.name} stays at sample {self.n_done} of {len(self._outcomes)} of the batch "
                f"in spite of {ATTEMPTS} attempts"
            )
        self._doubt = False
        # What is not answered by now was lost, or read by the chip, which has room for another frame.
        self._link.window.clear()
        done, turns = self.n_done, self._registers["next_turn"].address
        (data,) = self._link.exchange([Read(WindowNumber.REGISTERS, turns, 2, WORD_BYTES)], self._take)
        accepted, finished = (self._number(data[at], done) for at in (0, WORD_BYTES))
        if not finished <= accepted <= self._most_sent:
            raise BoardResetError(
                f"{self._link.transport.name} expects turn {data[0]} and sample {done} of the batch has turn "
                f"{(self._first_turn + done) % TURNS}; the board was reset or somebody else talked to it, so start "
                "again from the last checkpoint"
            )
        for number in range(done, finished):
            self._fetch(number)
        self._next = accepted
        self._tags = {tag: number for tag, number in self._tags.items() if self.n_done <= number < accepted}
        for tag, number in self._tags.items():
            self._link.window.sent(tag, self._sizes[number])

    def _number(self, turn: int, done: int) -> int:
        """Return which sample has a turn, of those from `done` on."""
        return done + (turn - self._first_turn - done) % TURNS

    def _fetch(self, number: int) -> None:
        """Fetch the result of a sample out of the chip's memory if it has not come."""
        if self._outcomes[number] is None:
            place = (self._first_turn + number) % HISTORY
            read = Read(WindowNumber.RESULTS, place, 1, RESULT_BYTES)
            (entry,) = self._link.exchange([read], self._take)
            self._store(number, self._read(entry_body(entry)))


class SampleBatch(Batch[Outcome]):
    """Samples of an array in order, each of which it processes exactly once.

    Parameters
    ----------
    link : Link
    registers : RegisterMap
    first_turn : int
        Turn of the first sample.
    images : ndarray of uint8, shape (n, n_inputs)
    seeds : ndarray of uint32, shape (n,)
    labels : ndarray of int, shape (n,), optional
        Without them the samples are inferred.
    """

    def __init__(
        self,
        link: Link,
        registers: RegisterMap,
        first_turn: int,
        images: Array,
        seeds: Array,
        labels: Array | None,
    ) -> None:
        message = messages_of(registers.graph)

        def encode(number: int, tag: int, turn: int) -> bytes:
            label = None if labels is None else int(labels[number])
            return message(tag, turn, int(seeds[number]), label, images[number])

        super().__init__(link, registers, first_turn, len(images), encode, Outcome.of)

    def results(self) -> Results:
        """Return the results of the samples that are done."""
        rows = [(outcome.answer, outcome.ticks, outcome.ticks_to_decision) for outcome in self.done]
        table = np.array(rows, dtype=np.int64).reshape(-1, 3)
        return Results(table[:, 0], table[:, 1], table[:, 2])
