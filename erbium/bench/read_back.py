# SPDX-License-Identifier: BSD-2-Clause
"""From the bitstream back to the logic: it learns behind its serial line, and every integer is the model's.

Of the Tang Nano 9K the bits themselves are read; of an iCE40 and an ECP5 the netlist that was placed and routed, and
one sample of the iCE40 with the delays of its wires and cells at its clock. The bits of the latter two are unpacked,
and compared with what nextpnr gave to the packer.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from erbium.bench.display import Display
from erbium.bench.request import Request, load_named
from erbium.bench.result import Row
from erbium.bench.work import Advance, Task, carry_out
from erbium.exact import compare
from erbium.fpga import unpacked_bits
from erbium.fpga.boards import board
from erbium.fpga.driver import BoardArray
from erbium.fpga.driver_link import Link
from erbium.fpga.driver_protocol import Read, Write, pack_weights, unpack_weights
from erbium.fpga.driver_samples import SampleBatch
from erbium.fpga.read_back import DELAYS, Placed, placed
from erbium.fpga.simulated_line import TOP
from erbium.fpga.timed import PICOSECONDS, START, Delays, Recorder, play, timed_verilog
from erbium.gen.presets import preset
from erbium.hdl.population import engine_populations
from erbium.hdl.registers import RegisterMap, WindowNumber
from erbium.sw_model.constants import sample_seeds
from erbium.sw_model.fast import FastArray
from erbium.sw_model.network import Hardware
from erbium.sw_model.results import Results
from erbium.sw_model.temporary import temporary_folder

PRESET = "tiny"
N_SAMPLES = 24
_LISTED = 20
"""Differing bits that the record names."""

DELAY_SECONDS = 4 * 3_600.0
"""How long the simulation with delays may take."""


@dataclass(frozen=True)
class Figure:
    """A board, and how its rows are called."""

    name: str
    board: str
    routed: bool = True
    delays: bool = False


FIGURES = (
    Figure("tang-nano-9k", "tang-nano-9k", routed=False),
    Figure("icebreaker-routed", "icebreaker", delays=True),
    Figure("ulx3s-routed", "ulx3s-85f"),
)
QUICK_FIGURES = FIGURES[1:2]


def measure(request: Request, display: Display) -> list[Row]:
    """Place and route each board's bitstream, read it back, and let it learn."""
    figures = QUICK_FIGURES if request.quick else FIGURES
    ids = {figure: _ids(request, figure) for figure in figures}
    selected = request.select(row_id for row_ids in ids.values() for row_id in row_ids)
    wanted = [figure for figure in figures if selected & set(ids[figure])]
    tasks = [
        Task(f"{PRESET} on {figure.name}", 4 + figure.delays, run, (figure, request.keep, request.quick))
        for figure in wanted
    ]
    rows = []
    for figure, found in zip(wanted, carry_out(tasks, request.n_processes, display), strict=True):
        extra = {**found["facts"], "quick": request.quick}
        for row_id in ids[figure]:
            quantity = row_id.rpartition("/")[2]
            unit = quantity.replace("-", " ")
            rows.append(Row(row_id, found[quantity], unit, request.command(row_id), 0, "exactly", extra))
    return [row for row in rows if row.id in selected]


def _ids(request: Request, figure: Figure) -> list[str]:
    quantities = ["differing-integers"]
    if figure.routed:
        quantities.append("differing-bits")
    if figure.delays and not request.quick:
        quantities.append("differing-bytes-with-delays")
    return [request.id(figure.name, quantity) for quantity in quantities]


def run(advance: Advance, figure: Figure, keep: Path | None, quick: bool) -> dict[str, Any]:
    """Build one design, read it back and let it learn; return what differs."""
    signal.signal(signal.SIGTERM, _end)
    if keep is not None:
        return _read_back(advance, figure, keep / figure.board, quick)
    with temporary_folder(Path(tempfile.gettempdir()), "erbium-read-back-") as folder:
        return _read_back(advance, figure, folder, quick)


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _read_back(advance: Advance, figure: Figure, folder: Path, quick: bool) -> dict[str, Any]:
    start = time.perf_counter()

    def progress(stage: str, seconds: float | None) -> None:
        if seconds is not None:
            advance(1)

    design = placed(board(figure.board), preset(PRESET).network, folder, progress)
    line = Recorder(design.line())
    facts: dict[str, Any] = {
        "board": figure.board,
        "preset": PRESET,
        "samples": N_SAMPLES,
        "clock": design.clock,
    }
    found: dict[str, Any] = {"facts": facts}
    found["differing-integers"], facts["first_difference"] = learn(line, N_SAMPLES)
    advance(1)
    if figure.routed:
        bits = unpacked_bits.compare(design.board, design.folder)
        found["differing-bits"], facts["bits"] = len(bits.differing), bits.compared
        facts["differing_bits"] = bits.differing[:_LISTED]
    if figure.delays and not quick:
        found["differing-bytes-with-delays"] = with_delays(design, facts)
        advance(1)
    facts["seconds"] = round(time.perf_counter() - start, 1)
    return found


def learn(line: Recorder, n_samples: int) -> tuple[int, str]:
    """Learn samples on a line and on the model; return how many integers differ, and where the first one does."""
    network, split = preset(PRESET).network, load_named(PRESET).train
    chip, model = BoardArray(network, line), FastArray(network)
    images, labels = split.images[:n_samples], split.labels[:n_samples]
    seeds = sample_seeds(network.seed, True, 0, n_samples)
    differing = _differing(chip.run(images, seeds, labels), model.run(images, seeds, labels))
    verdict = compare((chip.weights, model.weights), (chip.counters(), model.counters()))
    differing += verdict.n_weights - verdict.n_weights_equal + verdict.n_counters - verdict.n_counters_equal
    chip.close()
    return differing, verdict.first_difference


def learn_one(line: Recorder) -> int:
    """Learn one sample with as few bytes as that takes; return how many integers differ from the model's."""
    network, split = preset(PRESET).network, load_named(PRESET).train
    registers, link, model = RegisterMap(network, Hardware()), Link(line), FastArray(network)
    writes, reads = [], []
    for number, population in enumerate(engine_populations(network)):
        window = registers.window(WindowNumber.WEIGHTS + number)
        data = pack_weights(population.initial_rows(), population.weight_width)
        rows = (registers.max_message - 5) // window.entry_bytes
        for first in range(0, window.entries, rows):
            count = min(rows, window.entries - first)
            here = data[first * window.entry_bytes : (first + count) * window.entry_bytes]
            writes.append(Write(window.number, first, here))
        reads.append(Read(window.number, 0, window.entries, window.entry_bytes))
    link.exchange(writes)
    seeds = sample_seeds(network.seed, True, 0, 1)
    batch = SampleBatch(link, registers, 0, split.images[:1], seeds, split.labels[:1])
    batch.run()
    differing = _differing(batch.results(), model.run(split.images[:1], seeds, split.labels[:1]))
    for data, population, weights in zip(
        link.exchange(reads), engine_populations(network), model.weights, strict=True
    ):
        got = unpack_weights(data, population.n_neurons, population.weight_width)
        differing += int(np.count_nonzero(got != weights))
    return differing


def with_delays(design: Placed, facts: dict[str, Any]) -> int:
    """Have the netlist with its delays answer all that learning one sample takes; return how many bytes differ."""
    idle = design.line()
    # What is sent during the reset is refused, and Icarus begins after it.
    idle.read(START / PICOSECONDS)
    line = Recorder(idle)
    differing = learn_one(line)
    delays = Delays.read(design.folder / DELAYS)
    verilog = timed_verilog(design.netlist(), delays, TOP)
    rate = design.board.baud_rate
    got = play(verilog, line.steps, len(line.received), design.clock, rate, design.folder, DELAY_SECONDS)
    expected = [f"{value:08b}" for value in line.received]
    facts |= {
        "bytes_with_delays": len(expected),
        "delays": len(delays.wires) + len(delays.paths) + len(delays.setups),
    }
    unequal = sum(mine != other for mine, other in zip(got, expected, strict=False))
    return differing + unequal + abs(len(got) - len(expected))


def _differing(mine: Results, other: Results) -> int:
    names = ("answers", "ticks", "ticks_to_decision")
    return sum(int(np.count_nonzero(getattr(mine, name) != getattr(other, name))) for name in names)
