# SPDX-License-Identifier: BSD-2-Clause
"""The sections of a first-spike network: what a decision takes, and how one of them comes about."""

from __future__ import annotations

import numpy as np

from erbium.report import first_spike_plots, plots
from erbium.report.parts import Section, part
from erbium.report.record import RunRecord, SampleTrace
from erbium.tracing import layer_names


def decisions(record: RunRecord) -> Section | None:
    """How soon the test samples are decided, and after how many spikes."""
    found = record.decisions
    if found is None:
        return None
    names = ["input", *layer_names(record.network)[:-1]]
    histograms = [("ticks to the decision", found.ticks)]
    histograms += [
        (f"{name} spikes until then", counts)
        for name, counts in zip(names[1:], found.spikes[1:], strict=True)
    ]
    label = f"Histograms of {found.n_samples:,} decisions: after {found.mean_ticks:.1f} ticks on average"
    plot = plots.svg("decisions", label, lambda: first_spike_plots.histograms(histograms, found.n_samples))
    rows = [[name, *_spread(counts)] for name, counts in histograms]
    table = part("table", ["", "mean", "median", "90 % at most", "largest"], rows)
    return Section(
        "decisions",
        "How soon it decides",
        f"Of {found.n_samples:,} test samples: when the first output neuron spiked, and how many hidden neurons "
        "had by then; a sample without an output spike counts to its end.",
        plot + table,
    )


def _spread(histogram: tuple[int, ...]) -> list[str]:
    values = np.repeat(np.arange(len(histogram)), histogram)
    if not values.size:
        return ["–"] * 4
    return [
        f"{values.mean():.1f}",
        f"{np.median(values):,.0f}",
        f"{np.quantile(values, 0.9):,.0f}",
        f"{values.max():,}",
    ]


def rows_read(record: RunRecord) -> Section | None:
    """Which share of the weights of each layer a decision looks up."""
    found = record.decisions
    if found is None:
        return None
    network, names = record.network, layer_names(record.network)
    shares = found.rows_read(network)
    senders = ["input", *names[:-1]]
    label = "Share of the weights looked up for a decision: " + ", ".join(
        f"{sender} to {name} {100 * share:.1f} %"
        for sender, name, share in zip(senders, names, shares, strict=True)
    )
    plot = plots.svg(
        "rows",
        label,
        lambda: first_spike_plots.shares(
            [f"{sender} → {name}" for sender, name in zip(senders, names, strict=True)], shares
        ),
    )
    rows = []
    for k, (name, share) in enumerate(zip(names, shares, strict=True)):
        size = network.n_rows(k) * network.layers[k].n_neurons
        rows.append(
            [name, f"{network.n_rows(k):,}", f"{size:,}", f"{share * size:,.0f}", f"{100 * share:.1f} %"]
        )
    total = sum(network.n_rows(k) * layer.n_neurons for k, layer in enumerate(network.layers))
    read = sum(
        share * network.n_rows(k) * layer.n_neurons
        for k, (share, layer) in enumerate(zip(shares, network.layers, strict=True))
    )
    if len(names) > 1:
        rows.append(["all", "", f"{total:,}", f"{read:,.0f}", f"{100 * read / total:.1f} %"])
    table = part("table", ["layer", "rows", "weights", "looked up", "share"], rows)
    return Section(
        "rows",
        "Weights looked up",
        "A neuron that has not spiked costs nothing: the share of each layer’s weights that were read until the "
        "decision, on average.",
        plot + table,
    )


def raster(record: RunRecord) -> Section | None:
    """Every spike of one sample, in the order of time."""
    trace = _trace(record)
    if trace is None:
        return None
    names = ["input", *layer_names(record.network)]
    channels = [trace.input_spikes, *trace.layer_spikes]
    counts = {name: sum(map(len, spikes)) for name, spikes in zip(names, channels, strict=True)}
    label = f"Spike raster of one sample over {trace.n_ticks} ticks: " + ", ".join(
        f"{count} {name} spikes" for name, count in counts.items()
    )
    plot = plots.svg("raster", label, lambda: first_spike_plots.raster(trace, record.network))
    image = plots.sample_image(record, trace)
    return Section(
        "raster",
        f"Test image {record.sample}, every spike to the decision",
        "Time runs to the right in ticks; a dash is a spike, and the neurons stand in the order in which they "
        "spike.",
        part("decision", plot, image, trace, counts),
        wide=True,
    )


def traces(record: RunRecord) -> Section | None:
    """Membranes and currents of one sample."""
    trace = _trace(record)
    if trace is None or not trace.probes:
        return None
    decided = "no output spike" if trace.decision is None else f"decided in tick {trace.decision}"
    label = f"Membranes and currents of one sample, {decided}"
    plot = plots.svg("traces", label, lambda: first_spike_plots.traces(trace, record.network))
    return Section(
        "traces",
        "Membranes and currents",
        "The same sample from inside: each spike adds its weights to currents, a current adds to its membrane at "
        "every tick, and the first membrane over the threshold decides.",
        part("traces", plot, trace, len(record.network.layers) > 1),
        wide=True,
    )


def _trace(record: RunRecord) -> SampleTrace | None:
    trace = record.trace
    return trace if trace is not None and trace.n_ticks else None
