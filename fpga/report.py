# SPDX-License-Identifier: BSD-2-Clause
"""The report of a build: what was built, how fast it is, what it takes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from erbium.fpga.placement import Timing, Use

FORMAT, FORMAT_VERSION = "erbium-build", 2
REPORT, TEXT = "report.json", "report.txt"
MHZ = 1_000_000


@dataclass(frozen=True)
class Cycles:
    """What a sample takes, measured on the simulated chip of the same lanes.

    Parameters
    ----------
    training, inference : float
        Clock cycles of a sample.
    samples : int
        How many each was measured on.
    data : str
        Which images.
    link_bytes : float
        Bytes of the frame that brings a sample, in the shortest form.
    """

    training: float
    inference: float
    samples: int
    data: str
    link_bytes: float


@dataclass(frozen=True)
class BuildReport:
    """What a build came to.

    Parameters
    ----------
    board, title, device, preset, digest : str
        `digest` is that of the network, or of the size of a core.
    shape : tuple of int
        Of a network; empty for a core.
    hardware : dict
        As of :class:`erbium.sw_model.network.Hardware`, or of
        :class:`erbium.sw_model.description.machine.CoreHardware`.
    lanes : int
        Of the first layer.
    clock : int
        Frequency in Hz that the board runs at.
    baud_rate, buffer_bytes : int
    seed : int
        Of the placer.
    reached : tuple of float
        MHz with each seed that was tried, that of `seed` last; 0 with one that the router could not do in time.
    timing : Timing
    uses : dict of Use
        By name of the resource.
    seconds : dict of float
        Of each stage.
    tools : dict of str
        Versions.
    bitstream : str
        Name of the file.
    bitstream_bytes : int
    bitstream_sha256 : str
    from_flash : bool
        Whether the chip learns from its flash, too.
    problems : tuple of str
        Why the build is not to be used; empty if it is.
    cycles : Cycles, optional
        None if there was nothing to measure with.
    command : str
        Repeats the build.
    version : str
        Of Erbium.
    """

    board: str
    title: str
    device: str
    preset: str
    digest: str
    shape: tuple[int, ...]
    hardware: dict[str, Any]
    lanes: int
    clock: int
    baud_rate: int
    buffer_bytes: int
    seed: int
    reached: tuple[float, ...]
    timing: Timing
    uses: dict[str, Use]
    seconds: dict[str, float]
    tools: dict[str, str]
    bitstream: str
    bitstream_bytes: int
    bitstream_sha256: str
    command: str
    version: str
    cycles: Cycles | None = None
    weights: str = ""
    problems: tuple[str, ...] = field(default=())
    from_flash: bool = False

    @property
    def ok(self) -> bool:
        """Whether the bitstream is to be used."""
        return not self.problems

    def speeds(self) -> dict[str, float]:
        """Return images per second of the array at its clock and at the highest one, and of the serial port."""
        if self.cycles is None:
            return {}
        fmax = self.timing.fmax * MHZ
        return {
            "training": self.clock / self.cycles.training,
            "inference": self.clock / self.cycles.inference,
            "training_at_fmax": fmax / self.cycles.training,
            "inference_at_fmax": fmax / self.cycles.inference,
            # A byte is ten bits on the line.
            "serial_port": self.baud_rate / 10 / self.cycles.link_bytes,
        }

    def to_json(self) -> str:
        """Return the text of the JSON file."""
        speeds = {name: round(value, 1) for name, value in self.speeds().items()}
        data = {"format": FORMAT, "format_version": FORMAT_VERSION, "ok": self.ok}
        data |= asdict(self) | {"timing": self.timing.to_dict(), "images_per_second": speeds}
        return json.dumps(data, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a report back.

        Raises
        ------
        ValueError
            If it is none.
        """
        try:
            data = json.loads(text)
            if data["format"] != FORMAT or data["format_version"] != FORMAT_VERSION:
                raise ValueError(f"it is of format {data['format']!r}, {data['format_version']!r}")
            for key in ("format", "format_version", "ok", "images_per_second"):
                del data[key]
            del data["timing"]["met"]
            data["timing"] = Timing(**data["timing"])
            data["uses"] = {name: Use(**use) for name, use in data["uses"].items()}
            data["cycles"] = Cycles(**data["cycles"]) if data["cycles"] else None
            for key in ("shape", "reached", "problems"):
                data[key] = tuple(data[key])
            return cls(**data)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"no report of a build: {error}") from None

    def to_text(self) -> str:
        """Return the report for people."""
        lines = [
            f"{self.preset} on {self.title} ({self.device})",
            "",
            f"network        {'-'.join(map(str, self.shape)) or 'any that is loaded'}, digest {self.digest}",
            f"lanes          {self.lanes}",
            f"clock          {self.clock / MHZ:g} MHz; {self.timing.fmax:g} MHz reached, "
            f"{self.timing.constraint:g} MHz asked for",
            f"placement      seed {self.seed}{self._earlier_tries()}",
            f"critical path  {self.timing.begin} to {self.timing.end}",
            f"serial port    {self.baud_rate:,} baud",
        ]
        for name, use in self.uses.items():
            if use.available:
                share = 100 * use.used / use.available
                lines.append(f"{name:14} {use.used:,} of {use.available:,} ({share:.0f} %)")
        lines += self._speed_lines()
        times = ", ".join(f"{name} {seconds:g} s" for name, seconds in self.seconds.items())
        lines += [
            f"built in       {times}",
            f"with           {', '.join(f'{name} {version}' for name, version in self.tools.items())}",
            f"bitstream      {self.bitstream}, {self.bitstream_bytes:,} bytes",
            f"command        {self.command}",
            "",
            *(f"NOT TO BE USED: {problem}" for problem in self.problems),
        ]
        return "\n".join(lines).rstrip() + "\n"

    def _earlier_tries(self) -> str:
        tries = ", ".join(map(megahertz, self.reached[:-1]))
        return f"; {tries} MHz reached with the seeds before" if tries else ""

    def _speed_lines(self) -> list[str]:
        if not self.shape:
            return ["images/s       those of the network that is loaded"]
        if self.cycles is None:
            return ["images/s       not measured: the images that the network learns are not there"]
        cycles, speeds = self.cycles, self.speeds()
        return [
            f"cycles         {cycles.training:,.0f} per training sample, {cycles.inference:,.0f} per inference, "
            f"measured on {cycles.samples:,} samples of {cycles.data} each",
            f"images/s       {speeds['training']:,.0f} training, {speeds['inference']:,.0f} inference; the serial "
            f"port brings {speeds['serial_port']:,.0f}",
        ]


def megahertz(reached: float) -> str:
    """Return how many MHz were reached with a seed, as a word; none where the router was given up."""
    return f"{reached:g}" if reached else "no"


def read_report(folder: Path) -> BuildReport | None:
    """Return the report of a build, None if there is none.

    Raises
    ------
    ValueError
        If the file is no report.
    """
    path = folder / REPORT
    if not path.is_file():
        return None
    try:
        return BuildReport.from_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
