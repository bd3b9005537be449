# SPDX-License-Identifier: BSD-2-Clause
"""Which lines of the generated Verilog a bench reaches, which bits go up and down, and which functional points are met.

Verilator counts, this adds up. Configurations of a component are added up by the names of modules and signals: a line
counts as reached if it is in any of them, a bit if it went up in one and down in one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from erbium.gen.verilog import component_verilog
from erbium.verif import resets
from erbium.verif.points import Pointed
from erbium.verif.registry import Case, Entry
from erbium.verif.run_bench import TOP, Run, run_bench

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
    # Samples beside the chip.
    "BlockReader": ("length-64",),
    "SampleDraw": ("draws",),
    "SamplePlayer": ("5-by-3",),
    # Input.
    "SampleBuffer": ("inputs-21",),
    "Encoder": ("bernoulli", "phase", "latency"),
    # Memories, queues, counters, random numbers.
    "Generator": ("salt",),
    "NoiseBank": ("lanes-3",),
    "WordFile": ("depth-9",),
    "SynapseMemory": ("latency-3",),
    "Queue": ("depth-5",),
    "Skid": ("width-9",),
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
    "SignPopcount": ("65-neurons-16-lanes", "10-neurons-10-lanes"),
    # Layers.
    "SpikeSerializer": ("lanes-37",),
    "NeuronUnit": ("erbp-hidden-options",),
    "LayerEngine": ("lanes-13", "saturation", "blank-out", "first-spike-lanes-13", "first-spike-blank-out"),
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
    lines, toggles, points : dict
        What can be covered, and whether it was; `points` are the functional ones.
    """

    lines: dict[Point, bool] = field(default_factory=dict)
    toggles: dict[Point, bool] = field(default_factory=dict)
    points: dict[Point, bool] = field(default_factory=dict)

    def add(self, other: Coverage) -> None:
        """Add what another configuration covered."""
        for mine, theirs in (
            (self.lines, other.lines),
            (self.toggles, other.toggles),
            (self.points, other.points),
        ):
            for point, reached in theirs.items():
                mine[point] = mine.get(point, False) or reached


def share(points: Mapping[Point, bool]) -> float:
    """Return the share of points that were reached, in percent; 100 if there are none."""
    return 100 * sum(points.values()) / len(points) if points else 100.0


_POINT = re.compile(r"\x01(\w+)\x02([^\x01']*)")


_INNER, _POINTS = "inner", re.compile(r"points\[(\d+)\]")


def read(path: Path, source: str, names: Sequence[str]) -> Coverage:
    """Read what Verilator has counted of a component with points around it (:class:`Pointed`).

    Parameters
    ----------
    path : Path
        Its file.
    source : str
        The Verilog.
    names : sequence of str
        Of the functional points.
    """
    text = source.splitlines()
    found = Coverage()
    for line in path.read_text(errors="replace").splitlines():
        if not line.startswith("C "):
            continue
        said = dict(_POINT.findall(line))
        reached = int(line.rpartition(" ")[2]) > 0
        within, _, place = said["h"].partition(".")[2].partition(".")
        signal, _, side = said["o"].rpartition(":")
        if within != _INNER:
            # Of what stands around the component, what its points say.
            if (number := _POINTS.fullmatch(signal)) and side == "0->1":
                _note(found.points, Point("", names[int(number[1])], ""), reached)
        elif said["t"] == "toggle":
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
    top = Pointed(entry.build(case), case.options)
    run = Run(
        entry,
        case,
        "verilator",
        seed,
        verilog=component_verilog(top, TOP),
        coverage=True,
        seconds=SECONDS,
        before=resets.__name__,
    )
    run_bench(run, again=False)
    return read(run.folder / COVERAGE_FILE, run.verilog, top.names)


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
