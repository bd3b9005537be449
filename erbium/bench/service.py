# SPDX-License-Identifier: BSD-2-Clause
"""Faults in service: a board that is reset, killed, flooded or loses its line in the middle of training.

The training goes on by itself, and after each fault every weight, counter and answer is the model's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from erbium.bench.display import Display
from erbium.bench.request import Request, load_named
from erbium.bench.result import Row
from erbium.bench.work import Advance, Task, carry_out
from erbium.exact import compare
from erbium.fpga.boards import board
from erbium.fpga.driver import BoardArray
from erbium.fpga.driver_resume import ResumingBoard
from erbium.fpga.planner import plan
from erbium.fpga.simulated import simulated_chip
from erbium.fpga.simulated_faults import Trouble, TroubledBoard
from erbium.fpga.simulated_line import SimulatedLine
from erbium.gen.presets import preset
from erbium.sw_model.constants import sample_seeds
from erbium.sw_model.fast import FastArray
from erbium.sw_model.results import Results

PRESETS = ("tiny", "first-spike-tiny")
BOARD = "icebreaker"

CLOCK, BAUD_RATE = 1_000_000, 125_000
"""Eight clocks are a bit, as on the board; only their ratio matters to what the chip does."""

N_FAULTS, N_QUICK = 100, 4

BATCHES, BATCH = 3, 4
"""Batches that are learned around each fault, and their samples: so the host has some to do again."""

WAIT = 30.0
_MOST_ROUNDS = 5

_ENDS_THE_LINE = (Trouble.RESET, Trouble.LOST, Trouble.KILLED)
"""What no retry mends: the board has to be brought back to where it stood, each time."""


@dataclass(frozen=True)
class Figure:
    """A preset, and what happens to the board that learns it."""

    preset: str
    trouble: Trouble

    @property
    def name(self) -> str:
        """Part of the ids of its rows."""
        return f"{self.preset}-{self.trouble.value.replace(' ', '-')}"


FIGURES = tuple(Figure(name, trouble) for name in PRESETS for trouble in Trouble)

_QUANTITIES = ("faults", "differing-integers", "resumed")


def measure(request: Request, display: Display) -> list[Row]:
    """Let each fault happen to each preset so many times, and compare every integer after each."""
    ids = {figure: [request.id(figure.name, name) for name in _QUANTITIES] for figure in FIGURES}
    selected = request.select(row_id for row_ids in ids.values() for row_id in row_ids)
    wanted = [figure for figure in FIGURES if selected & set(ids[figure])]
    n_faults = N_QUICK if request.quick else N_FAULTS
    for name in dict.fromkeys(figure.preset for figure in wanted):
        with display.during(f"building the simulated board with {name}"):
            power_on(name).close()
    tasks = [Task(figure.name, n_faults, run, (figure, n_faults)) for figure in wanted]
    rows = []
    for figure, found in zip(wanted, carry_out(tasks, request.n_processes, display), strict=True):
        extra = {**found["facts"], "quick": request.quick}
        commands = [request.command(row_id) for row_id in ids[figure]]
        least = n_faults if figure.trouble in _ENDS_THE_LINE else None
        rows += [
            Row(ids[figure][0], found["faults"], "faults", commands[0], n_faults, "at least", extra),
            Row(ids[figure][1], found["differing"], "differing integers", commands[1], 0, "exactly", extra),
            Row(ids[figure][2], found["resumed"], "times", commands[2], least, "at least", extra),
        ]
    return [row for row in rows if row.id in selected]


def power_on(name: str) -> SimulatedLine:
    """Return the line of a board of a preset that was just configured."""
    network = preset(name).network
    hardware = plan(board(BOARD), network).require().hardware
    return simulated_chip(
        network,
        hardware,
        clock_frequency=CLOCK,
        baud_rate=BAUD_RATE,
        buffer_bytes=board(BOARD).buffer_bytes,
    )


def run(advance: Advance, figure: Figure, n_faults: int) -> dict[str, Any]:
    """Learn on a board to which something happens again and again; return how many integers differ."""
    network, dataset = preset(figure.preset).network, load_named(figure.preset)
    start = time.perf_counter()
    place = TroubledBoard(partial(power_on, figure.preset), seed=FIGURES.index(figure))
    model = FastArray(network)
    chip = ResumingBoard(lambda: BoardArray(network, place.open()), WAIT)
    differing, first_difference, position = 0, "", 0

    def learn() -> int:
        """Learn some batches, infer one, on both; return how many integers differ."""
        nonlocal position, first_difference
        wrong = 0
        for number in range(BATCHES + 1):
            here = np.arange(position, position + BATCH) % len(dataset.train)
            learned = number < BATCHES
            seeds = sample_seeds(network.seed, learned, position, BATCH)
            labels = dataset.train.labels[here] if learned else None
            rates = network.scaled_rates((1.0, 0.3)[number % 2])
            chip.set_rates(rates)
            model.set_rates(rates)
            images = dataset.train.images[here]
            wrong += _differing(chip.run(images, seeds, labels), model.run(images, seeds, labels))
            position += BATCH
        verdict = compare((chip.weights, model.weights), (chip.counters(), model.counters()))
        first_difference = first_difference or verdict.first_difference
        return (
            wrong
            + verdict.n_weights
            - verdict.n_weights_equal
            + verdict.n_counters
            - verdict.n_counters_equal
        )

    differing += learn()
    before = place.chip.clocks
    differing += learn()
    clocks = place.chip.clocks - before
    for number in range(n_faults):
        place.plan(figure.trouble, clocks)
        for _ in range(_MOST_ROUNDS):
            differing += learn()
            if place.happened > number:
                break
        advance(1)
    found = {
        "faults": place.happened,
        "differing": differing,
        "resumed": chip.resumed,
        "facts": {
            "board": BOARD,
            "samples": position,
            "samples_done_again": chip.redone,
            "retries": chip.retries,
            "first_difference": first_difference,
            "seconds": round(time.perf_counter() - start, 1),
        },
    }
    chip.close()
    place.close()
    return found


def _differing(mine: Results, other: Results) -> int:
    names = ("answers", "ticks", "ticks_to_decision")
    return sum(int(np.count_nonzero(getattr(mine, name) != getattr(other, name))) for name in names)
