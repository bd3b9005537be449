# SPDX-License-Identifier: BSD-2-Clause
"""What an array on a bus answers to accesses and samples, in plain Python.

It shares the addresses of :mod:`erbium.hdl.bus_map` with the hardware, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from erbium.hdl.bus_map import BusError, BusMap
from erbium.hdl.plan import LayerPlan
from erbium.hdl.registers import HISTORY, Control, RegisterMap, Status, Window, WindowNumber, counter_names
from erbium.verif.link_model import LinkedArray, Sample

MOST_REFUSED = 0xFFFF


class Access(NamedTuple):
    """One access; of a read, value and strobes say nothing."""

    address: int
    write: bool = False
    value: int = 0
    strobes: int = 0xF


class _RefusedError(Exception):
    def __init__(self, code: BusError) -> None:
        super().__init__(code)
        self.code = code


class BusModel:
    """Registers, windows and samples of an array that the model drives.

    Parameters
    ----------
    registers : RegisterMap
    array : LinkedArray
    streams : bool
        Samples come on a stream, and there is no window of them.
    """

    def __init__(self, registers: RegisterMap, array: LinkedArray, *, streams: bool) -> None:
        self.registers, self.array, self.streams = registers, array, streams
        self.map = BusMap(registers)
        self.settings: dict[str, int] = {}
        self._words: list[int] | None = []
        self._why = BusError.BAD_LENGTH
        self._row: tuple[int, int, list[int]] | None = None
        self._reset()

    def _reset(self) -> None:
        self.settings = {r.name: r.reset for r in self.registers if r.writable and r.name != "control"}
        self.last_error = self.refused = self.next_turn = 0
        self._results: dict[int, tuple[int, int, int]] = {}
        self._words, self._row = [], None

    # --- accesses ------------------------------------------------------------------------------------

    def access(self, access: Access, *, busy: bool = False) -> tuple[bool, int | None]:
        """Carry an access out; return whether it is refused, and the word that is read, None if time decides.

        With `busy` a sample is in the array from before the access until after it.
        """
        try:
            return False, self._access(access, busy)
        except _RefusedError as error:
            self.refuse(error.code)
            return True, 0

    def refuse(self, code: BusError) -> None:
        """Note an error."""
        self.last_error, self.refused = int(code), min(self.refused + 1, MOST_REFUSED)

    def _access(self, access: Access, busy: bool) -> int | None:
        window, offset = self._window(access.address & ~3)
        if access.address & 3 or (access.write and access.strobes != 0xF):
            raise _RefusedError(BusError.BAD_LENGTH)
        if window.name == "samples":
            return self._sample_word(access, last=offset > 0, busy=busy)
        if window.number >= WindowNumber.WEIGHTS:
            return self._weight(window, offset, access, busy)
        if not access.write:
            if window.number == WindowNumber.RESULTS:
                return self._result(offset, busy)
            return self._register(offset // 4, busy)
        if window.number == WindowNumber.RESULTS:
            raise _RefusedError(BusError.READ_ONLY)
        self._write_register(offset // 4, access.value, busy)
        return 0

    def _window(self, address: int) -> tuple[Window, int]:
        for window in self.map.windows:
            offset = address - self.map.base(window)
            if window.name == "samples" and self.streams:
                continue
            entry, within = divmod(offset, self.map.stride(window))
            if 0 <= entry < window.entries and within < window.entry_bytes:
                return window, offset
        raise _RefusedError(BusError.OUT_OF_WINDOW)

    def _register(self, word: int, busy: bool) -> int | None:
        for register in self.registers:
            if register.address <= word < register.address + register.words:
                value = self._value(register.name, register.value, busy)
                return None if value is None else value >> 32 * (word - register.address) & 0xFFFF_FFFF
        return 0

    def _value(self, name: str, constant: int | None, busy: bool) -> int | None:
        if name == "status":
            return 0 if busy else int(Status.IDLE)
        if name == "turns_done":
            return None if busy else self.next_turn
        if name in ("last_error", "refused", "next_turn"):
            return int(getattr(self, name))
        if name.startswith("count_"):
            names = counter_names(self.registers.network)
            counter = name.removeprefix("count_")
            return self.array.counters()[names.index(counter)] if counter in names and not busy else None
        return constant if constant is not None else self.settings.get(name, 0)

    def _result(self, offset: int, busy: bool) -> int | None:
        entry, second = divmod(offset // 4, 2)
        if busy or entry not in self._results:
            return None
        answer, ticks, decision = self._results[entry]
        return decision if second else answer | ticks << 16

    def _write_register(self, word: int, value: int, busy: bool) -> None:
        register = next((r for r in self.registers if r.address == word and r.writable), None)
        if register is None:
            raise _RefusedError(BusError.READ_ONLY)
        if not register.low <= value <= register.high:
            raise _RefusedError(BusError.BAD_VALUE)
        if register.name != "control":
            if busy:
                raise _RefusedError(BusError.BUSY)
            self.settings[register.name] = value
        elif value & Control.SOFT_RESET:
            self._reset()
            self.array.reset()
        elif value & Control.CLEAR_ERRORS:
            self.last_error = self.refused = 0

    # --- weights -------------------------------------------------------------------------------------

    def _weight(self, window: Window, offset: int, access: Access, busy: bool) -> int:
        layer = window.number - WindowNumber.WEIGHTS
        population = self.registers.populations[layer]
        row, column = divmod(offset, self.map.stride(window))
        column //= 4
        if busy:
            raise _RefusedError(BusError.BUSY)
        if not access.write:
            self._row = None
            return self.array.row(layer, row)[column] & 0xFFFF_FFFF
        weight = access.value - (1 << 32) if access.value >> 31 else access.value
        if not population.weight_min <= weight <= population.weight_max:
            raise _RefusedError(BusError.BAD_VALUE)
        if column == 0:
            self._row = (layer, row, [])
        if self._row is None or (self._row[0], self._row[1], len(self._row[2])) != (layer, row, column):
            raise _RefusedError(BusError.OUT_OF_TURN)
        weights = self._row[2]
        weights.append(weight)
        whole = len(weights) == population.n_neurons
        lanes = LayerPlan(self.registers.network, layer, self.registers.hardware).lanes
        if whole or not len(weights) % lanes:
            # A word of the memory is full.
            self.array.set_row(layer, row, weights + self.array.row(layer, row)[len(weights) :])
        if whole:
            self._row = None
        return 0

    # --- samples -------------------------------------------------------------------------------------

    def _sample_word(self, access: Access, *, last: bool, busy: bool) -> int:
        if not access.write:
            raise _RefusedError(BusError.UNKNOWN_REQUEST)
        code = self.word(access.value, last=last)
        if code is not None:
            raise _RefusedError(code)
        return 0

    def word(self, word: int, *, last: bool) -> BusError | None:
        """Take a word of a sample; return why it is refused, if it is."""
        if self._words is None:
            # The rest of a sample that was refused.
            code: BusError | None = self._why
        else:
            code = self._wrong(self._words, word, last)
            self._words.append(word)
        if code is not None:
            self._why, self._words = code, None
        if last:
            if self._words is not None:
                self._run(self._words)
            self._words = []
        return code

    def packet(self, words: Sequence[int]) -> bool:
        """Take a sample as a packet; return whether it is one. What is wrong with it is noted once."""
        codes = [self.word(word, last=place == len(words) - 1) for place, word in enumerate(words)]
        wrong = [code for code in codes if code is not None]
        if wrong:
            self.refuse(wrong[0])
        return not wrong

    def _wrong(self, before: list[int], word: int, last: bool) -> BusError | None:
        if not before:
            return BusError.BAD_LENGTH if last else None
        if len(before) == 1:
            if word >> 9:
                return BusError.BAD_FORMAT
            return BusError.BAD_LABEL if word & 0xFF >= self.registers.n_classes else None
        address = word >> 8
        least = (before[-1] >> 8) + 1 if len(before) > 2 else 0
        return None if least <= address < self.registers.n_inputs else BusError.BAD_EVENT

    def _run(self, words: list[int]) -> None:
        pixels = tuple((word >> 8, word & 0xFF) for word in words[2:] if word & 0xFF)
        settings = tuple(self.settings.items())
        self._results[self.next_turn % HISTORY] = self.array.run(
            Sample(words[0], words[1] & 0xFF, words[1] >> 8, pixels, settings)
        )
        self.next_turn = (self.next_turn + 1) % 256
        self._row = None

    def result(self) -> list[int]:
        """Return the two words of the newest result."""
        answer, ticks, decision = self._results[(self.next_turn - 1) % HISTORY]
        return [answer | ticks << 16, decision]
