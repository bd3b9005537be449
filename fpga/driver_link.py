# SPDX-License-Identifier: BSD-2-Clause
"""Requests and replies over a line that may lose or damage them."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Sequence

from erbium.fpga.driver_protocol import FrameSplitter, Read, Reply, Write, frame
from erbium.fpga.transport import LinkError, NoAnswerError, Transport
from erbium.hdl.registers import ErrorCode

ATTEMPTS = 8
"""So often in a row something may go wrong before a board is given up."""

LEAST_PATIENCE, MOST_PATIENCE = 0.5, 10.0
"""Seconds of silence after which a reply is taken for lost."""

STALL_SECONDS = 15.0
"""Seconds without an answer that is of use after which a line is given up, whatever else comes over it."""

QUIET_SECONDS = 0.02
"""Silence after which nothing of earlier conversations comes any more; USB adapters hold bytes back for 16 ms."""

FRAMES_OF_ANY_LENGTH = 2
"""Frames that may be unanswered whatever their length."""

LOST_ON_THE_WAY = (
    ErrorCode.MALFORMED,
    ErrorCode.DAMAGED,
    ErrorCode.TOO_LONG,
    ErrorCode.TOO_SHORT,
    ErrorCode.TIMED_OUT,
)
"""Refusals of what the line has spoiled: sent again, it is understood."""


class Nothing(enum.Enum):
    """What :meth:`Link.receive` returns in place of a reply.

    Members
    -------
    SILENCE : nothing came for so long that nothing will
    DAMAGED : something came and could not be read
    """

    SILENCE = 0
    DAMAGED = 1


class Patience:
    """How long to wait for the next reply: some times the longest that one took, but only of those that came at once.

    The time that a repeated request took says nothing (P. Karn and C. Partridge, ACM SIGCOMM 1987), so after
    silence the patience is doubled until a reply comes without any.

    Attributes
    ----------
    seconds : float
    """

    def __init__(self, least: float = LEAST_PATIENCE, most: float = MOST_PATIENCE) -> None:
        self._least, self._most, self._slowest = least, most, 0.0
        self._clean = True
        self.seconds = least

    def answered(self, waited: float) -> None:
        """Learn from a reply that came after `waited` seconds."""
        if self._clean:
            self._slowest = max(waited, 0.9 * self._slowest)
            self.seconds = min(max(self._least, 4 * self._slowest), self._most)
        self._clean = True

    def expired(self) -> None:
        """Learn that nothing came."""
        self._clean = False
        self.seconds = min(2 * self.seconds, self._most)


TAGS = 255
"""Frames have tags from 1 to this; 0 is that of frames whose own could not be read."""


class Window:
    """Frames that the chip has not answered, and whether it has room for another one with a tag of its own.

    Attributes
    ----------
    buffer_bytes : int
        Bytes of frames that it takes while it answers none.
    """

    def __init__(self) -> None:
        self.buffer_bytes = 0
        self._sizes: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._sizes)

    def has_room(self, size: int) -> bool:
        """Whether a frame of `size` bytes may be sent now."""
        n_frames = len(self._sizes)
        fits = sum(self._sizes.values()) + size <= self.buffer_bytes
        return n_frames < FRAMES_OF_ANY_LENGTH or (n_frames < TAGS and fits)

    def __contains__(self, tag: int) -> bool:
        return tag in self._sizes

    def sent(self, tag: int, size: int) -> None:
        """Note a frame that was sent."""
        self._sizes[tag] = size

    def answered(self, tag: int) -> None:
        """Note that a frame was answered."""
        self._sizes.pop(tag, None)

    def one_answered(self) -> None:
        """Note that a frame was answered, nobody knows which: the smallest leaves the most to be careful about."""
        if self._sizes:
            del self._sizes[min(self._sizes, key=lambda tag: self._sizes[tag])]

    def clear(self) -> None:
        """Note that the chip is done with all frames."""
        self._sizes.clear()


class Link:
    """Sends requests, as many at a time as the chip has room for, and repeats those whose reply is lost.

    Parameters
    ----------
    transport : Transport
    attempts : int
        So often in a row something may go wrong before the line is given up.
    stall_seconds : float
        So long it may bring nothing that is of use.

    Attributes
    ----------
    window : Window
        Shared by all who send.
    patience : Patience
    retries : int
        Frames that were sent again.
    heard : int
        Bytes that came since one was of use.
    sample_bytes : int
        Bytes of all frames with samples that were sent.
    """

    def __init__(
        self, transport: Transport, attempts: int = ATTEMPTS, stall_seconds: float = STALL_SECONDS
    ) -> None:
        self.transport = transport
        self._attempts, self._stall_seconds = attempts, stall_seconds
        self.window, self.patience = Window(), Patience()
        self.retries = self.heard = self.sample_bytes = 0
        self._last_use = transport.now()
        self._splitter = FrameSplitter()
        self._waiting: deque[Reply | Nothing] = deque()
        self._tag = 0

    def new_tag(self) -> int:
        """Return the next tag that no frame has which is under way; there is one as long as the window has room."""
        for _ in range(TAGS):
            self._tag = self._tag % TAGS + 1
            if self._tag not in self.window:
                break
        return self._tag

    def wake(self) -> None:
        """End whatever frame the chip believes it is in, and forget what comes of earlier ones."""
        self.transport.write(b"\0")
        for _ in range(ATTEMPTS):
            if not self.transport.read(QUIET_SECONDS):
                break
        self._splitter.clear()
        self._waiting.clear()
        self.window.clear()

    def send(self, tag: int, data: bytes) -> None:
        """Send a frame."""
        self.window.sent(tag, len(data))
        self.transport.write(data)

    def was_of_use(self) -> None:
        """Note that a conversation begins, or that what came is what it is held for."""
        self._last_use, self.heard = self.transport.now(), 0

    def receive(self) -> Reply | Nothing:
        """Return the next reply, as soon as there is one.

        Only the bytes of a frame are worth waiting for more: zeros end the patience like silence.

        Raises
        ------
        NoAnswerError
            If nothing was of use for so long that nothing will be, however much comes.
        """
        start = heard = self.transport.now()
        while not self._waiting:
            now = self.transport.now()
            if now - self._last_use >= self._stall_seconds:
                raise self._no_answer(f"for {self._stall_seconds:g} s")
            rest = heard + self.patience.seconds - now
            limit = self._last_use + self._stall_seconds - now
            data = self.transport.read(min(rest, limit)) if rest > 0 else b""
            if not data:
                self.patience.expired()
                return Nothing.SILENCE
            self.heard += len(data)
            for message in self._splitter.feed(data):
                reply = None if message is None else Reply.of(message)
                self._waiting.append(reply or Nothing.DAMAGED)
            now = self.transport.now()
            if self._waiting:
                self.patience.answered(now - start)
            if len(self._splitter):
                heard = now
        return self._waiting.popleft()

    def exchange(
        self, requests: Sequence[Read | Write], others: Callable[[Reply], None] | None = None
    ) -> list[bytes]:
        """Send requests and return what their replies bring, in the order of the requests.

        Parameters
        ----------
        requests : sequence of Read or Write
            Any order of them must be as good as another, and so must doing one twice.
        others : callable, optional
            What takes replies that answer none of them, where the requests are part of a longer conversation.

        Raises
        ------
        NoAnswerError
            If all attempts fail, or nothing of use comes for too long.
        LinkError
            If a request is refused.
        """
        replies: list[bytes | None] = [None] * len(requests)
        to_send = deque(range(len(requests)))
        in_flight: dict[int, int] = {}
        failures = 0
        if others is None:
            self.was_of_use()
        while to_send or in_flight:
            self._send_requests(requests, to_send, in_flight)
            got = self.receive()
            lost: list[int] = []
            if got is Nothing.SILENCE:
                lost = list(in_flight)
                self.window.clear()
            elif isinstance(got, Reply) and not _lost_on_the_way(got):
                number = in_flight.get(got.tag)
                if number is not None and got.answers(requests[number]):
                    replies[number] = got.payload
                    failures = 0
                    self.was_of_use()
                    del in_flight[got.tag]
                    self.window.answered(got.tag)
                elif number is not None and got.is_refusal:
                    raise refused(got, repr(requests[number]))
                elif others is not None:
                    others(got)
            else:
                # Replies come in the order of the requests, so it is the first one's, or what became of that.
                lost = list(in_flight)[:1]
            if got is Nothing.SILENCE or lost:
                failures += 1
                self._give_up_after(failures)
            for tag in reversed(lost):
                to_send.appendleft(in_flight.pop(tag))
                self.window.answered(tag)
            self.retries += len(lost)
        return [reply for reply in replies if reply is not None]

    def _send_requests(
        self, requests: Sequence[Read | Write], to_send: deque[int], in_flight: dict[int, int]
    ) -> None:
        while to_send:
            tag = self.new_tag()
            data = frame(requests[to_send[0]].message(tag))
            if not self.window.has_room(len(data)):
                return
            in_flight[tag] = to_send.popleft()
            self.send(tag, data)

    def _give_up_after(self, failures: int) -> None:
        if failures >= self._attempts:
            raise self._no_answer(f"after {failures} attempts")

    def _no_answer(self, when: str) -> NoAnswerError:
        heard = (
            "what it sends cannot be read, as if it were another device"
            if self.heard
            else "nothing comes back"
        )
        return NoAnswerError(f"{self.transport.name} gives no answer {when}: {heard}")


def _lost_on_the_way(reply: Reply) -> bool:
    return reply.is_refusal and reply.code in LOST_ON_THE_WAY


def refused(reply: Reply, what: str) -> LinkError:
    """Return the error of a frame that the chip understood and refused."""
    code = reply.code
    name = code.name if isinstance(code, ErrorCode) else code
    return LinkError(f"the board refused {what} with {name}; this is a defect, please report it")
