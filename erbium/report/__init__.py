# SPDX-License-Identifier: BSD-2-Clause
"""The HTML report of a run: one file with everything in it.

A :class:`RunRecord` holds what the page shows, as plain data; :func:`write_report` makes the page. A new
learner adds its own section by passing ``write_report(..., sections=(*SECTIONS, its_function))``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from erbium.report.parts import Section
from erbium.report.record import (
    Check,
    CurvePoint,
    DatasetFacts,
    Decisions,
    Exactness,
    Mistake,
    Performance,
    Probe,
    RunRecord,
    SampleTrace,
    Speed,
    Stage,
    trace_sample,
)

if TYPE_CHECKING:
    from erbium.report.page import render, write_report
    from erbium.report.sections import SECTIONS

__all__ = [
    "SECTIONS",
    "Check",
    "CurvePoint",
    "DatasetFacts",
    "Decisions",
    "Exactness",
    "Mistake",
    "Performance",
    "Probe",
    "RunRecord",
    "SampleTrace",
    "Section",
    "Speed",
    "Stage",
    "render",
    "trace_sample",
    "write_report",
]

_DRAWN = {"render": "page", "write_report": "page", "SECTIONS": "sections"}
"""What draws, and where it is: it loads Matplotlib, which takes its time and wants a folder to write."""


def __getattr__(name: str) -> Any:
    """Load what draws when it is first used."""
    if name in _DRAWN:
        return getattr(importlib.import_module(f"erbium.report.{_DRAWN[name]}"), name)
    raise AttributeError(f"module 'erbium.report' has no attribute {name!r}")
