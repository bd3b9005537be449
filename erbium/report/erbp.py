# SPDX-License-Identifier: BSD-2-Clause
"""The sections of an eRBP network: every spike of a sample, error spikes too."""

from __future__ import annotations

from erbium.report import plots
from erbium.report.parts import Section, part
from erbium.report.record import RunRecord
from erbium.tracing import layer_names


def raster(record: RunRecord) -> Section | None:
    """Every spike of one sample, population by population."""
    trace = record.trace
    if trace is None or trace.n_ticks == 0:
        return None
    image = plots.sample_image(record, trace)
    counts = {"input": sum(map(len, trace.input_spikes))}
    for name, spikes in zip(layer_names(record.network), trace.layer_spikes, strict=True):
        counts[name] = sum(map(len, spikes))
    errors = [neuron for neurons in trace.error_spikes for neuron in neurons]
    missed = sum(neuron & 1 for neuron in errors)
    counts |= {"false positive": len(errors) - missed, "false negative": missed}
    label = f"Spike raster of one sample over {trace.n_ticks} ticks: " + ", ".join(
        f"{count} {name} spikes" for name, count in counts.items()
    )
    plot = plots.svg("raster", label, lambda: plots.raster(trace, record.network))
    return Section(
        "raster",
        f"Test image {record.sample}, every spike",
        "Time runs to the right in ticks; a dash is a spike, a row is a neuron, and a panel is a population.",
        part("raster", plot, image, trace, counts, record.network.margin),
        wide=True,
    )
