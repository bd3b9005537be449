# SPDX-License-Identifier: BSD-2-Clause
"""Random accesses and samples for an array on a bus: good ones, and every kind of wrong ones."""

from __future__ import annotations

import random
from collections.abc import Iterator

from erbium.hdl.bus_map import SAMPLES_AT, SampleWord
from erbium.hdl.registers import Control, Window, WindowNumber
from erbium.verif.bus_model import Access, BusModel


class BusTraffic:
    """Draws accesses.

    Parameters
    ----------
    source : random.Random
    model : BusModel
    """

    def __init__(self, source: random.Random, model: BusModel) -> None:
        self.random, self.model, self.map = source, model, model.map
        self._next: list[Access] = []
        self._kind = 0

    def access(self) -> Access:
        """Return an access: the next one of a row or a sample, or any other."""
        if self._next and self.random.random() < 0.9:
            return self._next.pop(0)
        draw = self.random.random()
        if draw < 0.05:
            self._next = list(self.row())
        elif draw < 0.1:
            self._next = self._reads()
        elif draw < 0.14 and not self.model.streams:
            self._next = self.sample_writes(
                self.sample() if self.random.random() < 0.6 else self.wrong_sample()
            )
        elif draw < 0.35:
            return self._setting()
        elif draw < 0.38:
            return Access(
                self.map.register("control"), True, self.random.choice((0, Control.CLEAR_ERRORS, 4))
            )
        elif draw < 0.385:
            return Access(self.map.register("control"), True, Control.SOFT_RESET)
        elif draw < 0.75:
            return self._wrong()
        return Access(self._address())

    def access_while_busy(self) -> Access:
        """Return an access that starts no sample and drops none."""
        samples = range(SAMPLES_AT, SAMPLES_AT + 4 * len(SampleWord))
        control = self.map.register("control")
        while True:
            access = self.access()
            resets = access.address == control and access.value & Control.SOFT_RESET
            if not access.write or not (resets or access.address in samples):
                return access

    def batch(self) -> list[Access]:
        """Return accesses of which no read depends on a write, nor its refusal: their order does not matter."""
        pick = self.random
        settings = [register for register in self.model.registers if register.writable]
        constants = [register for register in self.model.registers if register.value is not None]
        reads = [Access(4 * pick.choice(constants).address) for _ in range(pick.randrange(1, 4))]
        reads += [Access(1 << self.map.address_bits - 1 | (1 << self.map.address_bits - 1) - 4)]
        reads += [Access(reads[0].address | pick.randrange(1, 4))]
        if pick.random() < 0.5:
            # A read of weights would give up a row that is being written.
            writes = list(self.row())
        else:
            reads += self._reads()[:5]
            writes = [self._setting() for _ in range(pick.randrange(1, 5))]
            writes += [self._setting()._replace(strobes=pick.randrange(15))]
        writes += [Access(4 * pick.choice(constants).address, True, pick.getrandbits(32))]
        assert not {access.address for access in reads} & {4 * register.address for register in settings}
        kinds = [False] * len(reads) + [True] * len(writes)
        pick.shuffle(kinds)
        left = {False: iter(reads), True: iter(writes)}
        return [next(left[kind]) for kind in kinds]

    def sample(self) -> list[int]:
        """Return the words of a sample."""
        registers, pick = self.model.registers, self.random
        addresses = [k for k in range(registers.n_inputs) if pick.random() < 0.5]
        values = [pick.choice((0, 1, 255, pick.randrange(256))) for _ in addresses]
        head = [pick.getrandbits(32), pick.randrange(registers.n_classes) | pick.getrandbits(1) << 8]
        return head + [address << 8 | value for address, value in zip(addresses, values, strict=True)]

    def wrong_sample(self) -> list[int]:
        """Return the words of a sample of which one is wrong."""
        words, registers, pick = self.sample(), self.model.registers, self.random
        kind = pick.randrange(5)
        if kind == 0:
            return words[:1]
        if kind == 1:
            words[1] |= 1 << pick.randrange(9, 32)
        elif kind == 2:
            words[1] = registers.n_classes + pick.randrange(256 - registers.n_classes)
        elif kind == 3 and len(words) > 2:
            words.insert(3, words[2])
        else:
            words.append(pick.choice((registers.n_inputs, 0xFFFF)) << 8 | 9)
        return words

    def sample_writes(self, words: list[int]) -> list[Access]:
        """Return the accesses by which a sample is written."""
        *before, last = words
        return [
            *(Access(SAMPLES_AT + 4 * SampleWord.DATA, True, word) for word in before),
            Access(SAMPLES_AT + 4 * SampleWord.LAST, True, last),
        ]

    def row(self) -> Iterator[Access]:
        """Return the accesses by which a row is written, or the beginning of one."""
        layer, row, _, n_neurons = self._row()
        population = self.model.registers.populations[layer]
        last = n_neurons if self.random.random() < 0.8 else self.random.randrange(1, n_neurons + 1)
        for neuron in range(last):
            weight = self.random.randint(population.weight_min, population.weight_max)
            yield Access(self.map.weight(layer, row, neuron), True, weight & 0xFFFF_FFFF)

    def _row(self) -> tuple[int, int, int, int]:
        populations = self.model.registers.populations
        layer = self.random.randrange(len(populations))
        population = populations[layer]
        return layer, self.random.randrange(population.n_rows), population.weight_width, population.n_neurons

    def _reads(self) -> list[Access]:
        layer, row, _, n_neurons = self._row()
        first = self.random.randrange(n_neurons)
        return [Access(self.map.weight(layer, row, neuron)) for neuron in range(first, n_neurons)]

    def _setting(self) -> Access:
        register = self.random.choice([r for r in self.model.registers if r.writable and r.name != "control"])
        value = self.random.choice(
            (register.low, register.high, self.random.randint(register.low, register.high), register.high + 1)
        )
        if self.random.random() < 0.1:
            value = 1 << self.random.randrange(32)
        return Access(4 * register.address, True, value)

    def _address(self, window: Window | None = None) -> int:
        """Return the address of a word of a window."""
        if window is None:
            window = self.random.choice([w for w in self.map.windows if w.name != "samples"])
        entry = self.random.randrange(window.entries)
        place = self.random.randrange(window.entry_bytes // 4)
        return self.map.base(window) + entry * self.map.stride(window) + 4 * place

    def _wrong(self) -> Access:
        """Return an access that is wrong in all likelihood, and right by chance."""
        pick, value = self.random, self.random.getrandbits(32)
        address = self._address()
        kind = self._kind = (self._kind + 1) % 6
        if kind == 0:
            # Anywhere.
            return Access(pick.randrange(1 << self.map.address_bits) & ~3, pick.random() < 0.5, value)
        if kind == 1:
            # What would be done if all of it were written.
            right = self._setting() if pick.random() < 0.5 else next(self.row())
            return right._replace(strobes=pick.randrange(15))
        if kind == 2:
            right = self._setting() if pick.random() < 0.5 else Access(address)
            return right._replace(address=right.address | pick.randrange(1, 4))
        if kind == 3:
            # In a row that has not been begun.
            layer, row, _, n_neurons = self._row()
            return Access(
                self.map.weight(layer, row, pick.randrange(n_neurons)), True, pick.choice((1, value))
            )
        if kind == 4:
            results = next(w for w in self.map.windows if w.number == WindowNumber.RESULTS)
            return Access(self._address(results), True, value)
        if not self.model.streams:
            return Access(SAMPLES_AT + 4 * pick.randrange(2))
        return Access(
            pick.choice([r.address * 4 for r in self.model.registers if not r.writable]), True, value
        )
