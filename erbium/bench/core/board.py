# SPDX-License-Identifier: BSD-2-Clause
"""The tasks on one simulated board with a core, one network after the other over its serial line, without a rebuild."""

from __future__ import annotations

from typing import NamedTuple

from erbium.bench.core import bandit, lines, sequence, unlabelled, xor
from erbium.bench.core.rtl import Make, do_tasks, points_of
from erbium.bench.request import load_named
from erbium.core_comparison import CoreComparison, different
from erbium.fpga.core_board import BoardCore
from erbium.fpga.simulated import simulated_core
from erbium.fpga.transport import Transport
from erbium.gen.presets import preset
from erbium.sw_model.description.chain import chain
from erbium.sw_model.description.graph import Graph
from erbium.verif.core_library import SMALL

CLOCK, BAUD_RATE, BUFFER_BYTES = 8_000_000, 2_000_000, 256
"""Four clocks for each bit: a line that takes as few clocks as a receiver can do with. Boards are ten times as fast."""

DIGITS = "erbp-digits"
BITS_OF_A_BYTE = 10


class Counting:
    """A line that counts the bytes that the host sends.

    Parameters
    ----------
    line : Transport
    """

    def __init__(self, line: Transport) -> None:
        self._line, self.sent, self.baud_rate = line, 0, line.baud_rate
        self.read, self.now, self.close = line.read, line.now, line.close

    @property
    def name(self) -> str:
        """What people call the line."""
        return self._line.name

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self.sent += len(data)
        self._line.write(data)


class OnBoard(CoreComparison):
    """The model and the core of a board; of states, those after the last tick are compared."""

    core: BoardCore

    def _differing_states(self) -> int:
        found = self.core.last_states
        return sum(different(states[-1], found[name]) for name, states in self.model.states.items())


class Switch(NamedTuple):
    """What it took to load XOR where another network was: milliseconds in all, bytes that the host sent."""

    milliseconds: float
    sent: int

    @property
    def beside(self) -> float:
        """Milliseconds beside those that the line takes for these bytes."""
        return self.milliseconds - 1_000 * BITS_OF_A_BYTE * self.sent / BAUD_RATE


def differing_integers(seed: int, *, quick: bool) -> tuple[int, dict[str, list[int]], Switch]:
    """Do all tasks in short on one simulated board.

    Returns
    -------
    int
        Integers that differ from the model's.
    dict of list of int
        By task: what differs, samples, clocks.
    Switch
        From the last network back to XOR.
    """
    line = simulated_core(SMALL, clock_frequency=CLOCK, baud_rate=BAUD_RATE, buffer_bytes=BUFFER_BYTES)
    counting = Counting(line)
    core = BoardCore(counting)
    scale = 1 if quick else 4
    data = load_named(DIGITS)
    network = preset(DIGITS).network

    def digits(make: Make) -> None:
        chip, split = make(chain(network)), data.train
        for number in range(4 * scale):
            chip.sample(split.images[number].reshape(-1), seed=number, label=int(split.labels[number]))

    def made(graph: Graph) -> OnBoard:
        core.load_graph(graph)
        return OnBoard(graph, core, probes=True)

    found = do_tasks(
        made,
        {
            "xor": lambda make: xor.solves(seed, epochs=1, tests=scale, make=make),
            "bandit": lambda make: bandit.blocks(seed, n_blocks=2, trials=4 * scale, make=make),
            "sequence": lambda make: sequence.detectors(seed, learned=scale, tested=1, make=make),
            "lines": lambda make: lines.shares(seed, learned=8 * scale, counted=4, make=make),
            "yin-yang": lambda make: points_of(seed, 4 * scale, make),
            "unlabelled": lambda make: unlabelled.accuracy(
                seed, data, learned=8 * scale, tested=4, labelled=4, make=make
            ),
            "erbp": digits,
        },
        lambda: line.clocks,
    )
    switch = _switch(core, counting, xor.network(seed))
    core.close()
    return sum(values[0] for values in found.values()), found, switch


def _switch(core: BoardCore, line: Counting, graph: Graph) -> Switch:
    sent, begin = line.sent, line.now()
    core.load_graph(graph)
    return Switch(1_000 * (line.now() - begin), line.sent - sent)
