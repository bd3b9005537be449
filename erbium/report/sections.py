# SPDX-License-Identifier: BSD-2-Clause
"""The sections of the report: each a function from the record to a section, or to None without its data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from erbium.learners import learner_face
from erbium.report import first_spike, plots
from erbium.report.drawings import drawings
from erbium.report.parts import MakeSection, Section, part, percent, short
from erbium.report.record import RunRecord
from erbium.sw_model.constants import Array
from erbium.sw_model.network import Network
from erbium.sw_model.rules import LatencyEncoder
from erbium.tracing import layer_names

N_FIELDS = 40
"""Receptive fields shown: what a reader looks at before the next page."""

N_GROWN = 10
"""Receptive fields that are shown before, during and after: a row of the page each."""

MAX_TABLE_CLASSES = 20
"""Classes of which a confusion matrix is still readable as a table of numbers."""


@dataclass(frozen=True)
class Tile:
    """One headline number: what it is, its value, what it was taken from; `state` colours a verdict."""

    name: str
    value: str
    note: str
    state: str = ""


def tiles(record: RunRecord) -> list[Tile]:
    """Return the headline numbers that the record has."""
    made = _speed(record)
    error = record.test_error
    if error is not None:
        n_test = 0 if record.confusion is None else int(record.confusion.sum())
        of = f"of {n_test:,} test samples" if n_test else "of the test samples"
        made.append(Tile("Test error", percent(error), of))
    silent = record.silence
    if silent is not None and silent.n_without_answer:
        share = f"of {silent.n_images:,} test samples: no output neuron spiked"
        made.append(
            Tile("Without an answer", f"{silent.n_without_answer:,}", share, "bad" if silent.dead else "")
        )
    if record.exactness is not None:
        compared = sum(check.compared for check in record.exactness.checks)
        exact = record.exactness.equal
        made.append(
            Tile(
                "Bit-exact",
                "yes" if exact else "no",
                f"{compared:,} integers compared with the model" if compared else "nothing was compared",
                "good" if exact else "bad",
            )
        )
    made.append(Tile("Images learned", short(record.images_learned), "one at a time"))
    if record.decisions is not None:
        ticks, hidden = record.decisions.mean_ticks, sum(record.decisions.mean_spikes[1:])
        made.append(
            Tile("Ticks to decide", short(ticks), f"of {record.network.n_ticks}, on the test samples")
        )
        made.append(Tile("Hidden spikes", short(hidden), "until the decision"))
    operations = record.per_sample(record.synaptic_operations)
    if operations is not None:
        made.append(Tile("SynOps per image", short(operations), "synapses walked, in learning"))
    spikes = record.per_sample(sum(record.spikes.values()))
    if spikes is not None:
        made.append(Tile("Spikes per image", short(spikes), "of all populations"))
    performance = record.performance
    if performance.busy_share is not None:
        made.append(Tile("Lanes busy", f"{100 * performance.busy_share:.1f} %", "of cycles with a row word"))
    if performance.images_per_second is not None:
        speed = short(performance.images_per_second)
        made.append(Tile("Ran here at", f"{speed} / s", f"images learned, by backend {record.backend}"))
    return made


def _speed(record: RunRecord) -> list[Tile]:
    """Return how fast the chip is: what it was built for, so it comes first."""
    speed = record.speed
    if speed is None:
        return []
    lanes = "" if speed.lanes is None else f", {speed.lanes} lanes"
    clock = f"at {speed.clock / 1e6:g} MHz, the clock of a {speed.board}{lanes}"
    return [
        Tile(
            name,
            f"{speed.clock / cycles:,.0f} / s",
            f"images: {cycles:,.0f} {speed.source} each, {clock}",
            "speed",
        )
        for name, cycles in (
            ("The chip learns", speed.cycles_per_learned),
            ("The chip answers", speed.cycles_per_answer),
        )
        if cycles
    ]


def silence(record: RunRecord) -> Section | None:
    """Populations that did not spike, if that left samples without an answer."""
    found = record.silence
    if found is None or not (sentence := found.sentence()):
        return None
    rows = [[name, f"{count:,}", f"{found.n_images:,}"] for name, count in found.silent.items()]
    return Section(
        "silence",
        "Silent populations",
        f"{sentence[0].upper()}{sentence[1:]}.",
        part("table", ["population", "samples without a spike of it", "test samples"], rows),
    )


def learning_curve(record: RunRecord) -> Section | None:
    """Error over training images."""
    points = [point for point in record.curve if point.images > 0]
    if not points:
        return None
    last = max(points, key=lambda point: point.images)
    label = f"Learning curve: {last.split} error {last.error:.2f} % after {last.images:,} images"
    plot = plots.svg("curve", label, lambda: plots.learning_curve(points))
    rows = [
        [f"{p.images:,}", p.split, percent(p.error), f"{p.n_samples:,}" if p.n_samples else "–"]
        for p in record.curve
    ]
    table = part("table", ["images seen", "split", "error", "samples"], rows)
    return Section(
        "curve",
        "Learning curve",
        "Lower is better: a point is the share of wrong answers after so many training images.",
        plot + part("details", "The points as numbers", table),
    )


def confusion(record: RunRecord) -> Section | None:
    """Which class was taken for which."""
    if record.confusion is None:
        return None
    matrix = np.asarray(record.confusion)
    wrong = matrix * (1 - np.eye(len(matrix), dtype=matrix.dtype))
    # The errors have a scale of their own: next to the right answers all of them would look like none.
    hits = np.diag(matrix) / max(1, np.diag(matrix).max())
    misses = np.sqrt(wrong / max(1, wrong.max()))
    heat = np.where(np.eye(len(matrix), dtype=bool), hits[:, None], misses)
    worst = [divmod(int(cell), len(matrix)) for cell in np.argsort(-wrong, axis=None, kind="stable")[:3]]
    total = matrix.sum(axis=1)
    phrases = [
        f"{label} taken for {answer}: {matrix[label, answer]} of {total[label]:,}"
        for label, answer in worst
        if wrong[label, answer]
    ]
    if len(matrix) <= MAX_TABLE_CLASSES:
        body = part("confusion", matrix.tolist(), np.rint(100 * heat).astype(int).tolist(), phrases)
    else:
        signed = np.where(np.eye(len(matrix), dtype=bool), -hits[:, None], misses)
        body = part("confusion_image", plots.diverging_image(signed, 1), len(matrix), phrases)
    return Section(
        "confusion",
        "Confusion matrix",
        "A row is the true class, a column the chip's answer: right answers lie on the diagonal, "
        "and the stronger a cell elsewhere, the more often that mistake was made.",
        body,
    )


def mistakes(record: RunRecord) -> Section | None:
    """Pictures of what was answered wrongly."""
    size = record.dataset.size
    if size is None or not record.mistakes:
        return None
    n = record.network.n_classes
    pictures = [
        (one.number, plots.grey_image(np.reshape(one.image, size)), one.label, _named(one.answer, n))
        for one in record.mistakes
    ]
    return Section(
        "mistakes",
        "What it gets wrong",
        f"The first {len(pictures)} test images with a wrong answer: the label, and what the chip answered.",
        part("mistakes", pictures),
        wide=True,
    )


def _named(answer: int, n_classes: int) -> str:
    return str(answer) if 0 <= answer < n_classes else "none"


def raster(record: RunRecord) -> Section | None:
    """Every spike of one sample, as its learner shows it."""
    return drawings(record.network).raster(record)


def traces(record: RunRecord) -> Section | None:
    """One sample from inside, where its learner shows it."""
    return drawings(record.network).traces(record)


def receptive_fields(record: RunRecord) -> Section | None:
    """First-layer weights of the neurons that have learned most, and what they were before and on the way."""
    size = record.dataset.size
    if size is None or not record.weights:
        return None
    n_inputs = record.network.n_inputs  # without the bias
    weights = np.asarray(record.weights[0][:n_inputs], dtype=float)
    strongest = np.argsort(-np.linalg.norm(weights, axis=0), kind="stable")[:N_FIELDS]
    # A few large weights must not wash out the rest.
    limit = max(1.0, float(np.percentile(np.abs(weights[:, strongest]), 99.5)))

    def pictures(values: Array, neurons: Array) -> list[tuple[int, str]]:
        return [
            (int(neuron), plots.diverging_image(values[:n_inputs, neuron].reshape(size), limit))
            for neuron in np.sort(neurons)
        ]

    stages = [("before", record.network.initial_weights()[0])]
    if record.during is not None:
        stages.append((f"after {record.during.images:,} images", record.during.weights))
    stages.append((f"after {record.images_learned:,} images", record.weights[0]))
    grown = [(name, pictures(np.asarray(values), strongest[:N_GROWN])) for name, values in stages]
    fields = pictures(weights, strongest)
    kind = "output" if len(record.network.layers) == 1 else "hidden"
    all_of_them = len(fields) == weights.shape[1]
    which = (
        f"All {kind} neurons" if all_of_them else f"The {len(fields)} {kind} neurons with the largest weights"
    )
    return Section(
        "fields",
        "Receptive fields",
        "Each picture is what one neuron has learned to look for: ink on orange pixels drives it, "
        "ink on blue pixels holds it back.",
        part("grown", grown, kind)
        + part("fields", fields, kind, f"{which}; full colour is a weight of ±{limit:.0f} or more."),
        wide=True,
    )


def weight_distribution(record: RunRecord) -> Section | None:
    """Histogram of the weights of each layer."""
    if not record.weights:
        return None
    rows = []
    names = layer_names(record.network)
    for name, values, (low, high) in zip(names, record.weights, record.bounds, strict=True):
        at_bounds = float(np.mean((values <= low) | (values >= high)))
        rows.append(
            [name, f"{values.size:,}", f"−{-low} … {high}", f"{np.std(values):.1f}", percent(100 * at_bounds)]
        )
    plot = plots.svg(
        "weights", "Histogram of the weights of each layer", lambda: plots.weight_histograms(record)
    )
    table = part("table", ["layer", "weights", "range", "std. dev.", "at the bounds"], rows)
    return Section(
        "weights",
        "Weights",
        "How many weights have which value, as shares of their layer; the line is where learning began.",
        plot + table,
    )


def spikes(record: RunRecord) -> Section | None:
    """Spikes of each population, and what they set in motion in each layer."""
    if not record.spikes:
        return None
    network = record.network
    sizes = dict(zip(["input", *layer_names(network)], network.shape, strict=True))
    populations = network.error.populations(network.n_classes)
    sizes |= {name: size for name, (_, size) in populations.items()}
    rows = [
        [
            name,
            f"{n:,}",
            f"{record.spikes[name]:,}",
            _each(record, record.spikes[name]),
            _each(record, record.spikes[name] / n, ".2f"),
        ]
        for name, n in sizes.items()
        if name in record.spikes
    ]
    kinds = ("synaptic_operations", "rows_learned", "weights_changed")
    work = [
        [name, *(_each(record, record.counters.get(f"layer{k}_{kind}", 0)) for kind in kinds)]
        for k, name in enumerate(layer_names(network), 1)
    ]
    return Section(
        "spikes",
        "Spikes and synaptic operations",
        "Above, who spiked how often, in all and per sample; below, what that set in motion, per sample.",
        part("table", ["population", "neurons", "spikes", "per sample", "per neuron"], rows)
        + part("table", ["layer", "SynOps", "rows learned", "weights changed"], work),
    )


def _each(record: RunRecord, count: float, form: str = ",.1f") -> str:
    each = record.per_sample(count)
    return "–" if each is None else format(each, form)


def exactness(record: RunRecord) -> Section | None:
    """What was compared with the model."""
    verdict = record.exactness
    if verdict is None:
        return None
    rows = [[check.what, f"{check.compared:,}", f"{check.equal:,}"] for check in verdict.checks]
    table = part("table", ["integers", "compared", "equal"], rows)
    return Section(
        "exactness",
        "Compared with the model",
        "The model defines every integer; the run is bit-exact if it ended with exactly the same ones.",
        part("verdict", verdict, table),
        wide=True,
    )


def counters(record: RunRecord) -> Section | None:
    """Every counter, and the measured times."""
    performance = record.performance
    rows = [[name.replace("_", " "), f"{value:,}"] for name, value in record.counters.items()]
    measured: list[tuple[str, float | None, str]] = [
        ("cycles", performance.cycles, ",.0f"),
        ("cycles per sample", performance.cycles_per_sample, ",.1f"),
        ("share of cycles with a row word", performance.busy_share, ".2%"),
        ("images per second, wall clock", performance.images_per_second, ",.1f"),
    ]
    rows += [[name, format(value, form)] for name, value, form in measured if value is not None]
    if not rows:
        return None
    return Section(
        "counters",
        "Counters",
        "What the array counted, in learning; layers are numbered from the input.",
        part("counts", rows),
        wide=True,
    )


def network(record: RunRecord) -> Section | None:
    """The network as it was described to the chip."""
    net, hardware = record.network, record.hardware
    names = layer_names(net)
    header = ["layer", "neurons", "synapses", "weight bits"]
    face = learner_face(net)
    header += face.columns
    rows: list[list[object]] = []
    for k, (name, layer) in enumerate(zip(names, net.layers, strict=True)):
        row = [name, f"{layer.n_neurons:,}", f"{net.n_rows(k) * layer.n_neurons:,}", layer.weight_width]
        rows.append([*row, *face.cells(layer)])
    if hardware is not None:
        header += ["lanes", "words per row"]
        for number, row in enumerate(rows):
            row += [hardware.lanes_of(net, number), hardware.words_of(net, number)]
    facts: list[tuple[str, object]] = [
        ("Input", f"{net.n_inputs:,} pixels, {_encoder(net)}, up to {net.n_ticks} ticks"),
        ("Learning sample", face.end_of_a_sample()),
        *face.page_facts(),
        ("Digest", net.digest),
    ]
    programs: dict[str, str] = {}
    for name, layer in zip(names, net.layers, strict=True):
        programs[f"{name} neurons: {layer.program.name}"] = _program_text(layer.program)
    for name, (program, _) in net.error.populations(net.n_classes).items():
        programs[f"{name} neurons: {program.name}"] = _program_text(program)
    chain = list(zip(["input", *names], net.shape, strict=True))
    return Section(
        "network",
        "The network",
        face.lead,
        part("network", chain, face.way_back(), facts, header, rows, programs),
        wide=True,
    )


def _encoder(network: Network) -> str:
    seen = "" if network.pixel_bits == 8 else f"; of {network.pixel_bits} bits of each"
    if isinstance(network.encoder, LatencyEncoder):
        levels = (f"{low} and brighter at tick {tick}" for low, tick in network.encoder.levels)
        return f"each spikes at most once: {', '.join(levels)}{seen}"
    return f"{network.encoder} encoder{seen}"


def _program_text(program: Any) -> str:
    names = ", ".join(f"x{k} = {name}" for k, name in enumerate(program.states))
    return f"{names}\n{program.describe()}"


def provenance(record: RunRecord) -> Section | None:
    """How to make the same page again."""
    facts: list[tuple[str, object]] = [
        ("Data", record.dataset.name + (f", from {record.dataset.source}" if record.dataset.source else "")),
        ("Backend", record.backend),
        ("Seed", record.seed),
        ("Date", record.date),
        ("Erbium", record.version),
    ]
    if record.dataset.digest:
        facts.insert(1, ("Digest of the data", record.dataset.digest))
    facts += [(name.capitalize(), value) for name, value in record.recipe.items()]
    return Section(
        "made",
        "How it was made",
        "The same command, version and data give the same integers on any machine.",
        part("provenance", record.commands, facts),
        wide=True,
    )


SECTIONS: Sequence[MakeSection] = (
    silence,
    learning_curve,
    confusion,
    mistakes,
    first_spike.decisions,
    first_spike.rows_read,
    raster,
    traces,
    receptive_fields,
    weight_distribution,
    spikes,
    exactness,
    network,
    counters,
    provenance,
)
"""The page from top to bottom."""
