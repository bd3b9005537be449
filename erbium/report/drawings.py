# SPDX-License-Identifier: BSD-2-Clause
"""How a sample is drawn for each learner."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from matplotlib.figure import Figure

from erbium.report import erbp, first_spike, first_spike_plots, plots
from erbium.report.parts import MakeSection, Section
from erbium.report.record import RunRecord, SampleTrace
from erbium.sw_model.network import Network
from erbium.sw_model.rules import ErrorNeurons, FirstSpikeErrors, OutputErrors


class Drawings(NamedTuple):
    """Sections of one sample: its spikes, and what neurons do in it; and the plot of its spikes by itself."""

    raster: MakeSection
    traces: MakeSection
    spikes: Callable[[SampleTrace, Network], Figure]


def nothing(record: RunRecord) -> Section | None:
    """Show nothing."""
    return None


DRAWINGS: dict[type[OutputErrors], Drawings] = {
    ErrorNeurons: Drawings(erbp.raster, nothing, plots.raster),
    FirstSpikeErrors: Drawings(first_spike.raster, first_spike.traces, first_spike_plots.raster),
}
"""By the class of :attr:`erbium.sw_model.network.Network.error`."""


def drawings(network: Network) -> Drawings:
    """Return how a sample of a network is drawn."""
    return DRAWINGS[type(network.error)]
