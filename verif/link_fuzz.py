# SPDX-License-Identifier: BSD-2-Clause
"""Very many random frames against the simulated chip, to see whether it hangs or does what it was not told to.

The chip is the generated Verilog, from the bytes of the frames to the last weight. What it is to do comes from
:class:`erbium.verif.link_model.LinkModel` and the compiled model of the array.
"""

from __future__ import annotations

import ctypes
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from erbium.gen.verilog import component_verilog
from erbium.hdl.chip import FrameChip
from erbium.hdl.registers import (
    ERROR_REPLY,
    REPLY_BIT,
    ErrorCode,
    RegisterMap,
    Request,
    WindowNumber,
)
from erbium.sw_model.network import Hardware, Network
from erbium.verif.link_array import ModelledArray
from erbium.verif.link_model import SAMPLE_REPLY, LinkModel, Reply, frame_of, message_of
from erbium.verif.link_traffic import Traffic, read, write
from erbium.verif.verilate import Design, cached_library, sources_hash

CLOCK_FREQUENCY = 12_000_000
"""In Hz; only a register knows of it."""

TIMEOUT = 400
"""Clocks of silence that end a frame: few, so that many frames can be ended like this."""

PATIENCE = 1_000_000
"""Clocks without a byte after which the chip counts as hung."""

CHECK_EVERY = 500
"""Lines after which all registers and weights are compared."""

_TOP = "erbium_frames"
_HARNESS = Path(__file__).with_name("link_harness.cpp")
_CAPACITY = 1 << 16
_ENTRIES = 256  # that are read at once


@dataclass
class Findings:
    """What came of a run.

    Attributes
    ----------
    frames : int
        Frames that held a byte.
    replies : Counter of str to int
        By kind, or name of the error code.
    wrong : list of str
        Replies, registers and weights that are not what they have to be.
    hangs, resets : int
        Lines on which the chip said nothing more; soft resets.
    clocks : int
    """

    frames: int = 0
    replies: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    hangs: int = 0
    resets: int = 0
    clocks: int = 0


class _HangError(Exception):
    pass


class FuzzedChip:
    """The simulated chip and its model, side by side.

    Parameters
    ----------
    network : Network
    hardware : Hardware
    seed : int
    cache_dir : Path, optional
        Where compiled libraries are kept.

    Raises
    ------
    ToolError
        If there is no library in the cache and no simulator to make one.
    """

    def __init__(
        self, network: Network, hardware: Hardware, seed: int, cache_dir: Path | None = None
    ) -> None:
        self.registers = RegisterMap(network, hardware, CLOCK_FREQUENCY)
        self._library = ctypes.CDLL(str(build(network, hardware, cache_dir)))
        self._library.link_new.restype = ctypes.c_void_p
        self._library.link_run.restype = ctypes.c_int64
        self._library.link_clocks.restype = ctypes.c_uint64
        self._chip = ctypes.c_void_p(self._library.link_new())
        self._data = ctypes.create_string_buffer(_CAPACITY)
        self._draw = random.Random(seed)
        self.array = ModelledArray(network)
        self.model = LinkModel(self.registers, self.array)
        self.findings = Findings()
        self._traffic = Traffic(self._draw, self.model, resets=0.004)
        self._pending = self._incoming = b""
        self._replies: deque[Reply] = deque()
        self._results: deque[Reply] = deque()

    def close(self) -> None:
        """Give the simulation back."""
        self._library.link_free(self._chip)

    def run(self, frames: int, advance: Callable[[int], None] = lambda _: None) -> Findings:
        """Send lines until there were so many frames; stop at the first thing that is wrong.

        Parameters
        ----------
        frames : int
        advance : callable, optional
            Told the number of frames that were sent since it was last told.
        """
        found, lines = self.findings, 0
        try:
            self._load()
            while found.frames < frames and not found.wrong:
                before = found.frames
                self._line(self._traffic.line())
                lines += 1
                if lines % CHECK_EVERY == 0:
                    self._compare_all()
                advance(found.frames - before)
            self._compare_all()
        except _HangError:
            found.hangs += 1
        if self._library.link_collision(self._chip):
            found.wrong.append("a memory of the array was misused")
        found.resets = self.model.resets
        found.clocks = int(self._library.link_clocks(self._chip))
        return found

    def _line(self, line: bytes) -> None:
        """Send a line, and wait for replies or leave them for later."""
        under_way, resets = bool(self._results), self.model.resets
        *ended, pending = (self._pending + line).split(b"\0")
        timed_out = bool(pending) and self._draw.random() < 0.8
        self._pending = b"" if timed_out else pending
        for frame in filter(None, ended):
            self._expect(frame)
        if timed_out:
            self._expect(pending, timed_out=True)
        self._clocks(line, self._draw.choice((1, 1, 2, 40)), 0, TIMEOUT + 2 if timed_out else 0)
        if self.model.resets != resets:
            self._drain()
            # Which replies of samples came in front of it depends on the time, as do the weights.
            self._results.clear()
            if under_way:
                self._load()
        elif not self._pending and self._draw.random() < 0.4:
            self._drain()
            self._drain(samples=True)

    def _expect(self, frame: bytes, *, timed_out: bool = False) -> None:
        self.findings.frames += 1
        reply = self.model.take(frame, settled=not self._results, timed_out=timed_out)
        (self._results if reply.kind == SAMPLE_REPLY else self._replies).append(reply)

    def _drain(self, *, samples: bool = False) -> None:
        """Wait for the replies that are due, or for those of samples."""
        awaited = self._results if samples else self._replies
        while awaited and not self.findings.wrong:
            self._clocks(b"", 1, 1, 0)

    def _load(self) -> None:
        """Write all weights of the model to the chip."""
        for layer, described in enumerate(self.registers.populations):
            window = self.registers.window(WindowNumber.WEIGHTS + layer)
            size = window.entry_bytes // described.n_neurons
            for number in range(window.entries):
                row = self.array.row(layer, number)
                octets = b"".join(weight.to_bytes(size, "little", signed=True) for weight in row)
                self._line(frame_of(write(0, window.number, number, octets)))

    def _compare_all(self) -> None:
        """Read all registers, results and weights while nothing is under way."""
        if self._pending:
            self._line(b"\0")
        self._drain()
        self._drain(samples=True)
        for window in self.registers.windows:
            for first in range(0, window.entries, _ENTRIES):
                count = min(_ENTRIES, window.entries - first)
                self._expect(frame_of(read(0, window.number, first, count))[:-1])
                self._clocks(frame_of(read(0, window.number, first, count)), 1, 0, 0)
        self._drain()

    def _clocks(self, line: bytes, spacing: int, frames: int, more: int) -> None:
        """Run the chip, and look at the replies that came."""
        size = self._library.link_run(
            self._chip,
            line,
            ctypes.c_int64(len(line)),
            ctypes.c_int64(spacing),
            ctypes.c_int64(frames),
            ctypes.c_int64(more),
            ctypes.c_uint64(PATIENCE),
            self._data,
            ctypes.c_int64(_CAPACITY),
        )
        if size < 0:
            raise _HangError
        *ended, self._incoming = (self._incoming + self._data.raw[:size]).split(b"\0")
        for frame in ended:
            self._take(message_of(frame))

    def _take(self, message: bytes) -> None:
        """Compare a reply with the one that is due."""
        awaited = self._results if message[0] == SAMPLE_REPLY else self._replies
        if not awaited or not awaited[0].accepts(message):
            self.findings.wrong.append(
                f"reply to frame {self.findings.frames}: expected {awaited[0] if awaited else 'none'}, got "
                f"{message.hex()}"
            )
            return
        awaited.popleft()
        refused = message[0] == ERROR_REPLY
        name = ErrorCode(message[2]).name if refused else Request(message[0] & ~REPLY_BIT).name
        self.findings.replies[name] += 1


def build(network: Network, hardware: Hardware, cache_dir: Path | None = None) -> Path:
    """Return the compiled library of a chip, compiling it if the cache has none.

    Raises
    ------
    ToolError
        If Verilator or the C++ compiler is missing or fails.
    """
    registers = RegisterMap(network, hardware, CLOCK_FREQUENCY)
    design = Design(
        _TOP, "Vframes", lambda: component_verilog(FrameChip(registers, TIMEOUT), _TOP), _HARNESS, {}
    )
    key = (sorted(asdict(hardware).items()), TIMEOUT, sources_hash(_HARNESS))
    return cached_library(design, "frames", network.digest, key, cache_dir)


def fuzz(
    network: Network,
    hardware: Hardware,
    *,
    seed: int,
    frames: int,
    advance: Callable[[int], None] = lambda _: None,
    cache_dir: Path | None = None,
) -> Findings:
    """Send random frames to a fresh chip; see :class:`FuzzedChip`."""
    chip = FuzzedChip(network, hardware, seed, cache_dir)
    try:
        return chip.run(frames, advance)
    finally:
        chip.close()
