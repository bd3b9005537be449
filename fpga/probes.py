# SPDX-License-Identifier: BSD-2-Clause
"""Finds the USB device that programs a board, by openFPGALoader's ``--scan-usb``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from erbium.fpga.boards import Board
from erbium.verif.processes import run_within
from erbium.verif.simulators import ToolError

SCAN_SECONDS = 20.0
"""How long a scan of the USB may take: some times what a hub with many devices needs."""

_ROW = re.compile(r"(\d+) (\d+)\s+0x([0-9a-f]{4}):0x([0-9a-f]{4})\s+(.*)")
_DENIED = re.compile(r"can't open device with vid:\w+ = 0x([0-9a-f]{4}):0x([0-9a-f]{4})")


@dataclass(frozen=True)
class Probe:
    """A USB device that openFPGALoader can program through.

    Attributes
    ----------
    place : str
        Bus and device as ``--busdev-num`` takes them, such as ``001:010``; empty if it may not be opened.
    usb_id : str
        Vendor and product in hexadecimal, such as ``0403:6015``.
    about : str
        Kind, maker, serial number and product.
    """

    place: str
    usb_id: str
    about: str

    def __str__(self) -> str:
        return f"{self.place} ({self.about})"


def scan(loader: Path) -> list[Probe] | None:
    """Return what openFPGALoader finds on the USB, or ``None`` if this version of it cannot look.

    Raises
    ------
    ToolError
        If it does not end.
    """
    done = run_within(SCAN_SECONDS, [loader, "--scan-usb"])
    text = done.stdout + done.stderr
    if done.returncode or "vid:pid" not in text:
        return None
    found = [
        Probe(f"{bus}:{device}", f"{vendor}:{product}", " ".join(about.split()))
        for bus, device, vendor, product, about in _ROW.findall(text)
    ]
    return found + [
        Probe("", f"{vendor}:{product}", "may not be opened") for vendor, product in _DENIED.findall(text)
    ]


def choose(board: Board, probes: Sequence[Probe], place: str | None) -> Probe:
    """Return the probe of a board.

    Parameters
    ----------
    board : Board
    probes : sequence of Probe
        What was found.
    place : str, optional
        Bus and device that the user named.

    Raises
    ------
    ToolError
        If none is there, more than one is there and none was named, or it may not be used.
    """
    fitting = [probe for probe in probes if probe.usb_id == board.usb_id]
    usable = [probe for probe in fitting if probe.place]
    if place is not None:
        wanted = [probe for probe in usable if _numbers(probe.place) == _numbers(place)]
        if not wanted:
            raise ToolError(
                f"there is no programmer of {board.title} (USB {board.usb_id}) at {place}; "
                f"{_listing(usable) or 'none is plugged in'}"
            )
        usable = wanted
    if len(usable) > 1:
        raise ToolError(
            f"{len(usable)} programmers that may be {board.title}'s are plugged in: {_listing(usable)}; choose one "
            f"with --usb {usable[0].place}, or unplug the others"
        )
    if usable:
        return usable[0]
    if fitting:
        raise ToolError(
            f"the USB device {board.usb_id} of {board.title} is plugged in and you may not open it; let your user do "
            "so with openFPGALoader's udev rules (/lib/udev/rules.d), and plug it in again"
        )
    others = _listing([probe for probe in probes if probe.place])
    raise ToolError(
        f"no {board.title} is plugged in: openFPGALoader finds no USB device {board.usb_id}"
        f"{f', only {others}' if others else ''}; plug it in, with a cable that carries data"
    )


def _numbers(place: str) -> list[int]:
    return [int(part) for part in place.split(":")]


def _listing(probes: Sequence[Probe]) -> str:
    return ", ".join(map(str, probes))
