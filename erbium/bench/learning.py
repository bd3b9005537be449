# SPDX-License-Identifier: BSD-2-Clause
"""The work that the benches measure: a chip learns and infers as at the beginning of ``erbium train``."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from erbium.bench.work import Advance
from erbium.chip import Chip, open_chip
from erbium.exact import Lockstep
from erbium.gen.presets import preset
from erbium.sw_model.constants import Array
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.network import Network
from erbium.train import training_batch

BATCH = 100
"""Images of one call. Always the same, because the hardware comes to rest between calls."""


@dataclass(frozen=True)
class Effort:
    """What some work took.

    Attributes
    ----------
    images : int
    cpu_seconds, seconds : float
        Time of the processor, and of the clock on the wall.
    ticks : int
    cycles, row_words : int
        Clock cycles with a sample in the hardware, and those in which lanes of layer 1 did a row word;
        0 for a model.
    """

    images: int
    cpu_seconds: float
    seconds: float
    ticks: int
    cycles: int
    row_words: int

    @property
    def images_per_second(self) -> float:
        """Images in a second of the processor."""
        return self.images / self.cpu_seconds

    @property
    def cycles_per_image(self) -> float:
        """Clock cycles of an image."""
        return self.cycles / self.images

    @property
    def busy(self) -> float:
        """Share of the cycles, in %, in which lanes of layer 1 did a row word."""
        return 100 * self.row_words / self.cycles

    def times(self) -> dict[str, Any]:
        """Return the extra keys of a row about speed."""
        return {
            "images": self.images,
            "cpu_seconds": round(self.cpu_seconds, 3),
            "seconds": round(self.seconds, 3),
            "ticks_per_image": round(self.ticks / self.images, 3),
            "processor": processor(),
        }


class Stopwatch:
    """Measures what a chip does between its start and :meth:`effort`."""

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        self._counters, self._performance = chip.counters, chip.performance
        self._begin, self._begin_cpu = time.perf_counter(), time.process_time()

    def effort(self) -> Effort:
        """Return what was done since the start."""
        cpu_seconds, seconds = time.process_time() - self._begin_cpu, time.perf_counter() - self._begin
        work = {name: value - self._counters[name] for name, value in self._chip.counters.items()}
        measured = {name: value - self._performance[name] for name, value in self._chip.performance.items()}
        return Effort(
            work["samples"],
            cpu_seconds,
            seconds,
            work["ticks"],
            measured.get("cycles", 0),
            measured.get("layer1_row_words", 0),
        )


def learn(
    chip: Chip | Lockstep, dataset: Dataset, shift: int, stop: int, advance: Advance, batch: int = BATCH
) -> None:
    """Learn training samples, at the full rate, from where the chip stands to number `stop` - 1."""
    while chip.position < stop:
        count = min(batch, stop - chip.position)
        chip.learn(*training_batch(dataset, chip.network, shift, chip.position, count))
        advance(count)


def infer(chip: Chip | Lockstep, dataset: Dataset, stop: int, advance: Advance) -> None:
    """Infer validation images 0 to `stop` - 1, each to the last tick."""
    # Fewer than what a chip would spread over threads: this is about one core.
    for first in range(0, stop, 50):
        here = slice(first, min(first + 50, stop))
        chip.infer(dataset.validation.images[here], first=first)
        advance(here.stop - here.start)


def weights_after_an_epoch(name: str, dataset: Dataset) -> tuple[list[Array], int]:
    """Return the weights that a preset has after its first epoch, and how many images that is."""
    chosen = preset(name)
    with open_chip(chosen.network, "model") as model:
        learn(model, dataset, chosen.recipe.shift, len(dataset.train), lambda steps: None, 2000)
        return model.weights, model.position


def warm_up(network: Network) -> None:
    """Have the compiled path of the model compiled, or read from disk, before time is taken."""
    with open_chip(network, "model") as chip:
        blank = np.zeros((1, network.n_inputs), dtype=np.uint8)
        chip.learn(blank, np.zeros(1, dtype=np.int64))
        chip.infer(blank)


def processor() -> str:
    """Return the name of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
