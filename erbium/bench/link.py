# SPDX-License-Identifier: BSD-2-Clause
"""The host link under fire: random, damaged and adversarial frames against the simulated chip.

Every reply is compared with a model of the link, all registers and weights at intervals and at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

from erbium.bench.display import Display
from erbium.bench.request import Request
from erbium.bench.result import Row
from erbium.bench.work import Advance, Task, carry_out
from erbium.gen.presets import preset
from erbium.hdl.registers import ErrorCode
from erbium.hdl.registers import Request as RequestKind
from erbium.sw_model.network import Hardware
from erbium.verif.link_fuzz import Findings, build, fuzz


@dataclass(frozen=True)
class Figure:
    """A preset, lanes, frames of one run, and the seeds of the runs."""

    preset: str
    lanes: int
    frames: int
    seeds: tuple[int, ...]


FIGURE = Figure("tiny", 4, 25_000, (1, 2, 3, 4))
QUICK_FIGURE = Figure("tiny", 4, 1_500, (1, 2))

_QUANTITIES = ("frames", "wrong-replies-or-writes", "hangs")

REPLIES = tuple(kind.name for kind in (*RequestKind, *ErrorCode))
"""Kinds of replies and reasons of refusals, each a row."""


def measure(request: Request, display: Display) -> list[Row]:
    """Send all frames; return how many there were, and what was wrong."""
    figure = QUICK_FIGURE if request.quick else FIGURE
    names = (*_QUANTITIES, *(f"replies-{name.lower().replace('_', '-')}" for name in REPLIES))
    ids = [request.id(figure.preset, name) for name in names]
    selected = request.select(ids)
    with display.during(f"building {figure.preset} with its host link"):
        build(preset(figure.preset).network, Hardware(lanes=figure.lanes))
    tasks = [Task(f"seed {seed}", figure.frames, run, (figure, seed)) for seed in figure.seeds]
    found: list[Findings] = carry_out(tasks, request.n_processes, display)
    return [row for row in _rows(request, figure, ids, found) if row.id in selected]


def run(advance: Advance, figure: Figure, seed: int) -> Findings:
    """Send the frames of one seed."""
    network = preset(figure.preset).network
    return fuzz(network, Hardware(lanes=figure.lanes), seed=seed, frames=figure.frames, advance=advance)


def _rows(request: Request, figure: Figure, ids: list[str], found: list[Findings]) -> list[Row]:
    extra = {
        "soft_resets": sum(one.resets for one in found),
        "clocks": sum(one.clocks for one in found),
        "seeds": list(figure.seeds),
        "lanes": figure.lanes,
        "quick": request.quick,
    }
    wrong = [text for one in found for text in one.wrong]
    total, least = sum(one.frames for one in found), figure.frames * len(figure.seeds)
    frames_id, wrong_id, hangs_id, *reply_ids = ids
    return [
        Row(frames_id, total, "frames", request.command(frames_id), least, "at least", extra),
        Row(wrong_id, len(wrong), "replies", request.command(wrong_id), 0, "exactly", {"first": wrong[:1]}),
        Row(hangs_id, sum(one.hangs for one in found), "hangs", request.command(hangs_id), 0, "exactly"),
        *(
            Row(row_id, sum(one.replies[name] for one in found), "replies", request.command(row_id))
            for row_id, name in zip(reply_ids, REPLIES, strict=True)
        ),
    ]
