# SPDX-License-Identifier: BSD-2-Clause
"""A chip that learns from its board's flash, seen over the serial line: it is started, watched, and read back."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from erbium.fpga.driver import BoardArray, BoardFacts
from erbium.fpga.driver_protocol import Read, Write
from erbium.fpga.transport import BoardMismatchError, LinkError
from erbium.hdl.flash.layout import Fault, RunState
from erbium.hdl.registers import (
    COUNTER_WIDTH,
    FLASH_RUN,
    WORD_BYTES,
    RegisterMap,
    WindowNumber,
    counter_names,
)
from erbium.sw_model.constants import Array
from erbium.sw_model.network import Hardware

ENDED = (RunState.DONE, RunState.STOPPED)

_SENTENCES = {
    Fault.NO_DATA: "there are no data of Erbium in the flash of {board}; write them with {write}",
    Fault.DAMAGED_HEADER: "the header of the data in the flash of {board} is damaged; write them again with "
    "{write}",
    Fault.OTHER_VERSION: "the data in the flash of {board} were written for another version of Erbium; write them "
    "again with {write}",
    Fault.OTHER_NETWORK: "the data in the flash of {board} are for another network than {network!r}; write its own "
    "with {write}",
    Fault.DAMAGED_BLOCK: "a checksum in the flash of {board} was wrong in pass {number}, after {samples:,} samples "
    "of it, and nothing was learned from what was damaged; write the data again with {write}",
    Fault.WRONG_BLOCK: "pass {number} of the data in the flash of {board} says what cannot be, after {samples:,} "
    "samples of it, and nothing was learned from that; write the data again with {write}",
}


@runtime_checkable
class Steps(Protocol):
    """The line of a chip that is simulated."""

    @property
    def learning_clocks(self) -> int:
        """Clocks in which it has learned."""

    def step(self, clocks: int) -> bytes:
        """Run so many clocks."""


class FlashFaultError(LinkError):
    """A run from the flash stopped at what it found there.

    Attributes
    ----------
    fault : Fault
    """

    def __init__(self, text: str, fault: Fault) -> None:
        super().__init__(text)
        self.fault = fault


@dataclass(frozen=True)
class FlashProgress:
    """How far a run from the flash is.

    Attributes
    ----------
    state : RunState
    fault : Fault
    number : int
        Of the pass, from 0: those of weights come first, and the last one only ends the run.
    samples, right : int
        Samples of the pass that have been answered, and those of them that were answered with their label.
    tested : int
        Right answers of the last test that is over.
    """

    state: RunState
    fault: Fault
    number: int
    samples: int
    right: int
    tested: int

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.state in ENDED


class FlashArray(BoardArray):
    """The chip on a board, left to learn from its flash.

    Nothing is reset as it is opened, so a run that a button has started goes on. The members that are not described
    here are those of :class:`erbium.fpga.driver.BoardArray`; samples cannot be sent.
    """

    def _begin(self) -> None:
        self._registers = RegisterMap(self.network, Hardware(), plays=True)
        with self._guarded():
            self.facts = BoardFacts(*(self._register(name) for name in BoardFacts.__annotations__))
        self._link.window.buffer_bytes = self.facts.buffer_bytes

    def progress(self) -> FlashProgress:
        """Return how far the run is.

        Its numbers are read byte by byte while it goes on, so those of a pass that is under way may be torn.
        """
        first = self._registers["flash_state"].address
        with self._guarded():
            (data,) = self._link.exchange([Read(WindowNumber.REGISTERS, first, 4, WORD_BYTES)])
        state, samples, right, tested = (
            int.from_bytes(data[at : at + WORD_BYTES], "little") for at in range(0, len(data), WORD_BYTES)
        )
        return FlashProgress(
            RunState(state & 0xFF), Fault(state >> 8 & 0xFF), state >> 16, samples, right, tested
        )

    def wait(self, seconds: float) -> None:
        """Let the chip work for so long; a simulated one has only the time that it is given."""
        line = self._link.transport
        if isinstance(line, Steps):
            line.step(round(seconds * self.facts.clock_frequency))
        else:
            time.sleep(seconds)

    @property
    def learning_clocks(self) -> int | None:
        """Clocks in which the chip has learned, of a simulated one."""
        line = self._link.transport
        return line.learning_clocks if isinstance(line, Steps) else None

    def counts(self) -> dict[str, int]:
        """Return the counters that the model has too, by name, once the chip is idle; they go on from run to run."""
        first = self._registers["status"].address
        with self._guarded():
            data = self._wait_until_idle()
        found = {}
        for name in counter_names(self.network):
            at = (self._registers[f"count_{name}"].address - first) * WORD_BYTES
            found[name] = int.from_bytes(data[at : at + COUNTER_WIDTH // 8], "little")
        return found

    def start(self) -> None:
        """Start a run, unless one is under way.

        Raises
        ------
        BoardMismatchError
            If the chip does not read the flash.
        """
        if self.progress().state not in (RunState.RESTS, *ENDED):
            return
        address = self._registers[FLASH_RUN].address
        try:
            with self._guarded():
                for value in (0, 1):
                    word = value.to_bytes(WORD_BYTES, "little")
                    self._link.exchange([Write(WindowNumber.REGISTERS, address, word)])
        except LinkError as error:
            if "READ_ONLY" not in str(error):
                raise
            raise BoardMismatchError(
                f"the chip of the board on {self.name} does not learn from the flash; build it with 'erbium build "
                f"BOARD {self.network.name} --from-flash'"
            ) from None

    def check(self, progress: FlashProgress, write: str) -> None:
        """Raise :class:`FlashFaultError` if a run was stopped; `write` is the command that writes the data."""
        if progress.state is not RunState.STOPPED:
            return
        text = _SENTENCES[progress.fault].format(
            board=self.name,
            network=self.network.name,
            number=progress.number,
            samples=progress.samples,
            write=f"'{write}'",
        )
        raise FlashFaultError(text, progress.fault)

    @property
    def weights(self) -> list[Array]:
        """Weights of each layer, int16 of shape ``(n_rows, n_neurons)``, read back from the board after a run."""
        with self._guarded():
            self._wait_until_idle()
            return [self._read_layer(number) for number in range(len(self.populations))]
