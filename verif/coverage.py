# SPDX-License-Identifier: BSD-2-Clause
"""Which lines of the generated Verilog a bench reaches, and which bits go up and down: Verilator counts, this adds up.

Configurations of a component are added up by the names of modules and signals: a line counts as reached if it is in any
of them, a bit if it went up in one and down in one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from erbium.verif.registry import Case, Entry
from erbium.verif.run_bench import Run, run_bench

COVERAGE_FILE = "coverage.dat"

SECONDS = 1200
"""How long the simulation of one configuration may take."""

CONFIGURATIONS: dict[str, tuple[str, ...]] = {
    # The link.
    "Crc": ("crc",),
    "CobsDecoder": ("cobs",),
    "CobsEncoder": ("cobs",),
    "UartReceiver": ("8.3-clocks",),
    "UartTransmitter": ("8.3-clocks",),
    "FrameReceiver": ("length-24",),
    "FrameSender": ("frames",),
    "MessageLink": ("small",),
    # Input.
    "SampleBuffer": ("inputs-21",),
    "Encoder": ("bernoulli", "latency"),
    # Memories, queues, counters, random numbers.
    "Generator": ("salt",),
    "NoiseBank": ("lanes-3",),
    "WordFile": ("depth-9",),
    "SynapseMemory": ("latency-3",),
    "Queue": ("depth-5",),
    "Fork": ("readers-3",),
    "CounterBank": ("five",),
    "WeightAccess": ("7-neurons-3-lanes-8-bits",),
    "SampleSplit": ("two",),
    "SampleCount": ("five",),
    "TickMerge": ("delays",),
    # Learning.
    "FeedbackGate": ("tiny",),
    "FeedbackPort": ("sign",),
    "CausalFifo": ("5-inputs",),
    "SignPopcount": ("65-neurons-16-lanes",),
    # Layers.
    "SpikeSerializer": ("lanes-37",),
    "NeuronUnit": ("erbp-hidden-options",),
    "LayerEngine": ("lanes-13", "first-spike-lanes-13"),
    # Output.
    "PredictionUnit": ("odd-classes",),
    "FirstSpikePrediction": ("three-lanes",),
}
"""The configurations that are counted: one of each component of array and link at least, of layers both learners."""

QUICK = {"Crc": ("crc",), "SampleCount": ("five",)}
"""What the short form counts."""

_IGNORED = re.compile(r"^(?:unused(?:_\d+)?|clk)$|\]\[\d+\]$|\w\[\d+\]\[")
"""What the writer of the Verilog gathers for linters, the clock, and words of memories, whose ports are counted."""


class Point(NamedTuple):
    """What can be covered.

    Members
    -------
    place : of the instance below the component, from the top down
    what : the text of the line, or the signal with the number of its bit
    side : which branch, or which way the bit goes
    """

    place: str
    what: str
    side: str


@dataclass
class Coverage:
    """What was covered of one component.

    Attributes
    ----------
    lines, toggles : dict
        Points, and whether each was reached.
    """

    lines: dict[Point, bool] = field(default_factory=dict)
    toggles: dict[Point, bool] = field(default_factory=dict)

    def add(self, other: Coverage) -> None:
        """Add what another configuration covered."""
        for mine, theirs in ((self.lines, other.lines), (self.toggles, other.toggles)):
            for point, reached in theirs.items():
                mine[point] = mine.get(point, False) or reached


def share(points: Mapping[Point, bool]) -> float:
    """Return the share of points that were reached, in percent; 100 if there are none."""
    return 100 * sum(points.values()) / len(points) if points else 100.0


_POINT = re.compile(r"\x01(\w+)\x02([^\x01']*)")


def read(path: Path, source: str) -> Coverage:
    """Read what Verilator has counted.

    Parameters
    ----------
    path : Path
        Its file.
    source : str
        The Verilog.
    """
    text = source.splitlines()
    found = Coverage()
    for line in path.read_text(errors="replace").splitlines():
        if not line.startswith("C "):
            continue
        said = dict(_POINT.findall(line))
        reached = int(line.rpartition(" ")[2]) > 0
        place = said["h"].partition(".")[2]
        if said["t"] == "toggle":
            signal, _, side = said["o"].rpartition(":")
            if not _IGNORED.search(signal):
                _note(found.toggles, Point(place, signal, side), reached)
        else:
            _note(found.lines, Point(place, text[int(said["l"]) - 1].strip(), said["o"]), reached)
    return found


def _note(points: dict[Point, bool], point: Point, reached: bool) -> None:
    points[point] = points.get(point, False) or reached


def covered(entry: Entry, case: Case, seed: int = 1) -> Coverage:
    """Run the bench of a component on one configuration; return what it covered.

    Raises
    ------
    BenchError
        If the bench fails.
    ToolError
        When Verilator, or a package that the bench needs, is missing.
    """
    run = Run(entry, case, "verilator", seed, coverage=True, seconds=SECONDS)
    run_bench(run, again=False)
    return read(run.folder / COVERAGE_FILE, (run.folder / "bench_top.v").read_text())


class Hole(NamedTuple):
    """Points of one signal or line that nothing reaches.

    Members
    -------
    place, what : as those of a point; bits of a signal gathered
    points : how many
    """

    place: str
    what: str
    points: int


def holes(points: Mapping[Point, bool]) -> list[Hole]:
    """Return what was not reached, the bits of a signal and the sides of a line gathered, the most first."""
    gathered: dict[tuple[str, str], list[str]] = defaultdict(list)
    for point, reached in points.items():
        if not reached:
            bits = re.search(r"\[(\d+)\]$", point.what)
            name = point.what[: bits.start()] if bits else point.what
            gathered[point.place, name].append(bits[1] if bits else point.side)
    found = []
    for (place, name), sides in gathered.items():
        numbers = sorted({int(one) for one in sides if one.isdigit()})
        which = f"[{numbers[-1]}:{numbers[0]}]" if len(numbers) > 1 else "".join(f"[{n}]" for n in numbers)
        found.append(Hole(place, f"{name}{which}", len(sides)))
    return sorted(found, key=lambda hole: (-hole.points, hole))
