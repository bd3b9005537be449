# SPDX-License-Identifier: BSD-2-Clause
"""The HTML report of a run: one file with everything in it.

A :class:`RunRecord` holds what the page shows, as plain data; :func:`write_report` makes the page. A new
learner adds its own section by passing ``write_report(..., sections=(*SECTIONS, its_function))``.
"""

from erbium.report.page import render, write_report
from erbium.report.parts import Section
from erbium.report.record import (
    Check,
    CurvePoint,
    DatasetFacts,
    Decisions,
    Exactness,
    Performance,
    Probe,
    RunRecord,
    SampleTrace,
    trace_sample,
)
from erbium.report.sections import SECTIONS

__all__ = [
    "SECTIONS",
    "Check",
    "CurvePoint",
    "DatasetFacts",
    "Decisions",
    "Exactness",
    "Performance",
    "Probe",
    "RunRecord",
    "SampleTrace",
    "Section",
    "render",
    "trace_sample",
    "write_report",
]
