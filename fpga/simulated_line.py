# SPDX-License-Identifier: BSD-2-Clause
"""The serial line of a chip that Verilator compiled: bits on ``rx`` and ``tx``, clock by clock."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable
from pathlib import Path

from amaranth.lib.wiring import Component

from erbium.fpga.transport import LineLostError
from erbium.gen.verilog import component_verilog
from erbium.verif.library import SimulationError
from erbium.verif.verilate import Design, cached_library, sources_hash

TOP = "erbium_chip"
_HARNESS = Path(__file__).with_name("simulated_harness.cpp")


_CAPACITY = 1 << 16


def build(
    component: Callable[[], Component],
    name: str,
    key: object,
    cache_dir: Path | None = None,
    *,
    has_flash: bool = False,
) -> Path:
    """Return the compiled library of a component with the ports ``rx`` and ``tx``.

    Parameters
    ----------
    component : callable
        Makes the component.
    name : str
        How the name of the file begins.
    key : object
        Whatever decides how it is made; it is told apart by its ``repr``.
    cache_dir : Path, optional
        Where compiled libraries are kept.
    has_flash : bool
        Whether the component has the ports of :data:`erbium.hdl.flash.link.PINS`, too: then a flash is at them.
    """
    everything = (key, sources_hash(_HARNESS))
    return build_verilog(
        lambda: component_verilog(component(), TOP), name, everything, cache_dir, has_flash=has_flash
    )


def build_verilog(
    verilog: Callable[[], str],
    name: str,
    key: object,
    cache_dir: Path | None = None,
    *,
    has_flash: bool = False,
) -> Path:
    """Return the compiled library of Verilog whose module :data:`TOP` has the ports of :func:`build`.

    `key` tells apart what there is in the cache: all that decides the Verilog.
    """
    ports = {"board_ports.h": f"#pragma once\n#define BOARD_HAS_FLASH {int(has_flash)}\n"}
    design = Design(TOP, "Vboard", verilog, _HARNESS, ports)
    harness = hashlib.sha256(_HARNESS.read_bytes()).hexdigest()
    return cached_library(design, "board", name, (key, harness, has_flash), cache_dir)


class SimulatedLine:
    """The serial line of a simulated chip: a :class:`erbium.fpga.transport.Transport`.

    The clock stands still unless someone reads.

    Parameters
    ----------
    library : Path
        From :func:`build`.
    name : str
        For people.
    clock_frequency, baud_rate : int
        In Hz and bits per second; a bit takes ``clock_frequency / baud_rate`` clocks.
    quiet : int
        Clocks without a byte after which the chip has nothing more to say.
    """

    def __init__(self, library: Path, name: str, clock_frequency: int, baud_rate: int, quiet: int) -> None:
        self.name = name
        self.clock_frequency, self.baud_rate, self.quiet = clock_frequency, baud_rate, quiet
        self._library = ctypes.CDLL(str(library))
        self._library.board_new.restype = ctypes.c_void_p
        self._library.board_new.argtypes = [ctypes.c_double]
        for function in ("board_clocks", "board_framing_errors", "board_learning_clocks"):
            getattr(self._library, function).restype = ctypes.c_uint64
        for function in ("board_pending", "board_run"):
            getattr(self._library, function).restype = ctypes.c_int64
        self._library.board_lights.restype = ctypes.c_uint32
        self._board = ctypes.c_void_p(self._library.board_new(clock_frequency / baud_rate))
        self._data = ctypes.create_string_buffer(_CAPACITY)

    @property
    def clocks(self) -> int:
        """Clocks since power-on."""
        return int(self._library.board_clocks(self._handle()))

    @property
    def pending(self) -> int:
        """Bytes that were written and have not begun on the line."""
        return int(self._library.board_pending(self._handle()))

    def write(self, data: bytes) -> None:
        """Put bytes on the line to the chip."""
        self._library.board_write(self._handle(), data, ctypes.c_int64(len(data)))

    def step(self, clocks: int) -> bytes:
        """Run up to so many clocks and return what the chip has sent; it ends early with a frame.

        Raises
        ------
        SimulationError
            If the chip sends a byte without a stop bit.
        """
        handle = self._handle()
        count = self._library.board_run(
            handle, ctypes.c_uint64(clocks), self._data, ctypes.c_int64(_CAPACITY)
        )
        if self._library.board_framing_errors(handle):
            raise SimulationError(
                "the simulated chip sent a byte without a stop bit; this is a defect, please report it"
            )
        return self._data.raw[:count]

    def reset(self) -> None:
        """Reset the chip, as its button does: the memories keep what they hold."""
        self._library.board_reset(self._handle())

    def write_flash(self, address: int, data: bytes) -> None:
        """Put bytes into the flash of the board, whose chip reads it.

        Raises
        ------
        SimulationError
            If the chip was not made to read one.
        """
        count = ctypes.c_int64(len(data))
        if not self._library.board_flash(self._handle(), ctypes.c_uint32(address), data, count):
            raise SimulationError(f"the chip of {self.name} reads no flash")

    def press(self, *, held: bool) -> None:
        """Hold the button of the board, or let go of it."""
        self._library.board_button(self._handle(), ctypes.c_int(held))

    @property
    def learning_clocks(self) -> int:
        """Clocks since power-on in which a chip that reads its flash learned, between its samples, too."""
        return int(self._library.board_learning_clocks(self._handle()))

    @property
    def lights(self) -> dict[str, int]:
        """What the lights of a board show whose chip reads its flash."""
        bits = int(self._library.board_lights(self._handle()))
        return {
            "answer": bits & 0xFF,
            "learning": bits >> 8 & 1,
            "active": bits >> 9 & 1,
            "failed": bits >> 10 & 1,
        }

    def unplug(self) -> None:
        """Lose all bytes that are on their way to the chip."""
        self._library.board_unplug(self._handle())

    def read(self, timeout: float) -> bytes:
        """Return what comes within so many seconds of the chip, or until it certainly has nothing more to say."""
        on_the_way = int(self.pending * 10 * self.clock_frequency / self.baud_rate)
        return self.step(on_the_way + min(int(timeout * self.clock_frequency), self.quiet))

    def now(self) -> float:
        """Return the seconds of the chip since power-on."""
        return self.clocks / self.clock_frequency

    def close(self) -> None:
        """Give the simulation back."""
        if self._board:
            self._library.board_free(self._board)
            self._board = ctypes.c_void_p()

    def __del__(self) -> None:
        if getattr(self, "_board", None):
            self.close()

    def _handle(self) -> ctypes.c_void_p:
        if not self._board:
            raise LineLostError(f"{self.name} was closed")
        return self._board
