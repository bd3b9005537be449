# SPDX-License-Identifier: BSD-2-Clause
"""How a sample is drawn for each learner."""

from __future__ import annotations

from typing import NamedTuple

from erbium.report import erbp, first_spike
from erbium.report.parts import MakeSection, Section
from erbium.report.record import RunRecord
from erbium.sw_model.rules import ErrorNeurons, FirstSpikeErrors, OutputErrors


class Drawings(NamedTuple):
    """Sections of one sample: its spikes, and what neurons do in it."""

    raster: MakeSection
    traces: MakeSection


def nothing(record: RunRecord) -> Section | None:
    """Show nothing."""
    return None


DRAWINGS: dict[type[OutputErrors], Drawings] = {
    ErrorNeurons: Drawings(erbp.raster, nothing),
    FirstSpikeErrors: Drawings(first_spike.raster, first_spike.traces),
}
"""By the class of :attr:`erbium.sw_model.network.Network.error`."""


def drawings(record: RunRecord) -> Drawings:
    """Return how the sample of a record is drawn."""
    return DRAWINGS[type(record.network.error)]
