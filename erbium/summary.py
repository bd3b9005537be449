# SPDX-License-Identifier: BSD-2-Clause
"""What a run comes to: answers, work per image, and the record behind the report."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from erbium import report
from erbium.answers import Answerer, Answers, ask, synaptic_operations
from erbium.chip import open_chip
from erbium.exact import Verdict
from erbium.gen.presets import describe_schedule, describe_shift
from erbium.learners import learner_face
from erbium.silence import Silence
from erbium.sw_model import constants
from erbium.sw_model.constants import Array
from erbium.sw_model.datasets import Dataset, Split
from erbium.sw_model.distribution import version
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.programs import check_range
from erbium.tracing import layer_names
from erbium.train import Trainer

__all__ = [
    "Answerer",
    "Answers",
    "ask",
    "decision_facts",
    "decisions",
    "lanes_busy",
    "performance",
    "run_record",
    "synaptic_operations",
    "version",
    "work_per_image",
]

REFERENCE_BOARD = "ulx3s-85f"
"""Board whose clock turns clocks into images per second."""

N_MISTAKES, MISTAKES_BATCH = 20, 512
"""Wrong answers that a report shows, and how many images are asked at a time to find them."""


def work_per_image(network: Network, work: Mapping[str, int], learning: bool) -> list[tuple[str, str]]:
    """Return what an image took on average, as names and numbers for people."""
    n = max(1, work["samples"])
    names = layer_names(network)
    layers = range(1, len(names) + 1)
    rows = [("ticks", work["ticks"]), ("input spikes", work["input_spikes"])]
    rows += [(f"{name} spikes", work[f"layer{k}_spikes"]) for k, name in zip(layers, names, strict=True)]
    if learning:
        rows.append((learner_face(network).learned, work[network.error.counter]))
        rows.append(("rows opened for learning", sum(work[f"layer{k}_rows_learned"] for k in layers)))
        rows.append(("weights changed", sum(work[f"layer{k}_weights_changed"] for k in layers)))
    rows.append(("synaptic operations", synaptic_operations(work)))
    return [(name, f"{value / n:,.{2 if value < n else 1}f}") for name, value in rows]


def lanes_busy(effort: Mapping[str, int]) -> float | None:
    """Return the share of cycles, 0 ... 1, in which the lanes of layer 1 process a row word."""
    cycles, words = effort.get("cycles", 0), effort.get("layer1_row_words")
    return None if not cycles or words is None else words / cycles


def performance(trainer: Trainer) -> report.Performance:
    """Return what was measured of learning."""
    cycles = trainer.effort.get("cycles")
    return report.Performance(
        cycles=cycles,
        cycles_per_sample=None if not cycles else cycles / max(1, trainer.n_learned),
        busy_share=lanes_busy(trainer.effort),
        images_per_second=trainer.n_learned / trainer.seconds if trainer.seconds else None,
    )


def run_record(
    *,
    title: str,
    trainer: Trainer,
    weights: Sequence[Array],
    backend: str,
    hardware: Hardware | None,
    commands: Sequence[str],
    tested: Answers | None,
    decisions: report.Decisions | None = None,
    silence: Silence | None = None,
    verdict: Verdict | None = None,
    answering: Mapping[str, int] | None = None,
    sample: int = 0,
) -> report.RunRecord:
    """Return everything that the report of a run shows.

    Parameters
    ----------
    title : str
    trainer : Trainer
        The run.
    weights : sequence of ndarray
        Final weights.
    backend : str
    hardware : Hardware, optional
        How the array was built, for backends that were.
    commands : sequence of str
        Command lines that repeat the run.
    tested : Answers, optional
        Answers to the test images.
    decisions : Decisions, optional
        What these took, see :func:`decisions`.
    silence : Silence, optional
        In how many of these a population did not spike, see :func:`erbium.silence.silence`.
    verdict : Verdict, optional
        Outcome of comparing the run with the model's.
    answering : mapping of str to int, optional
        What the hardware measured of `samples` answers, such as ``cycles``; see :func:`effort`.
    sample : int
        Number of the test image that is shown from inside.

    Raises
    ------
    DescriptionError
        If there is no such test image.
    """
    check_sample_number(sample, dataset := trainer.dataset)
    network, plan = trainer.chip.network, trainer.plan
    return report.RunRecord(
        title=title,
        network=network,
        dataset=report.DatasetFacts(
            dataset.name, dataset.source, dataset.notice, dataset.height, dataset.width, dataset.digest
        ),
        backend=backend,
        version=version(),
        date=time.strftime("%Y-%m-%d %H:%M %Z"),
        seed=network.seed,
        commands=tuple(commands),
        recipe={
            "images": f"{plan.total:,}",
            "epochs": round(plan.total / len(dataset.train), 2),
            "image shift": describe_shift(plan.recipe),
            "longest presentation": f"{plan.recipe.learn_ticks or network.n_ticks} ticks",
            "neuron blank-out": _blank_out(network),
            "learning rate": describe_schedule(plan.recipe.schedule).replace("x ", "× "),
        },
        images_learned=trainer.chip.position,
        hardware=hardware,
        curve=_curve(trainer, tested),
        confusion=None if tested is None else tested.confusion,
        exactness=None if verdict is None else _exactness(verdict),
        counters=trainer.work,
        performance=performance(trainer),
        trace=_trace(network, dataset, weights, sample),
        weights=tuple(weights),
        decisions=decisions,
        speed=_speed(trainer, backend, hardware, tested, answering or {}),
        mistakes=_mistakes(network, dataset, weights, None if tested is None else tested.n_images),
        sample=sample,
        during=None if trainer.during is None else report.Stage(*trainer.during),
        silence=silence,
    )


def check_sample_number(sample: int, dataset: Dataset) -> None:
    """Raise :class:`DescriptionError` unless there is a test image of this number."""
    check_range("--report-sample", sample, 0, len(dataset.test) - 1, ", the last test image")


def effort(before: Mapping[str, int], after: Mapping[str, int], samples: int) -> dict[str, int]:
    """Return what the hardware measured of some samples, between two readings of ``chip.performance``."""
    return {name: value - before.get(name, 0) for name, value in after.items()} | {"samples": samples}


def _speed(
    trainer: Trainer,
    backend: str,
    hardware: Hardware | None,
    tested: Answers | None,
    answering: Mapping[str, int],
) -> report.Speed:
    """Return how fast the chip is at the clock of the largest board: counted where there is hardware, else reckoned."""
    from erbium.fpga.boards import board
    from erbium.sweep.measure import cycles

    reference = board(REFERENCE_BOARD)
    network = trainer.chip.network
    if trainer.effort.get("cycles"):
        learned = trainer.effort["cycles"] / max(1, trainer.n_learned)
        samples = answering.get("samples", 0)
        answered = answering["cycles"] / samples if samples and answering.get("cycles") else None
        source = "clocks counted on the board" if backend == "board" else "simulated clocks"
    else:
        built = hardware or Hardware()
        learned = cycles(network, built, trainer.work, learning=True) / max(1, trainer.work["samples"])
        answered = None if tested is None else cycles(network, built, tested.work) / tested.n_images
        source, hardware = "clocks by formula, no simulation,", built
    lanes = None if hardware is None else hardware.lanes
    return report.Speed(reference.title, reference.clock, learned or None, answered or None, source, lanes)


def _mistakes(
    network: Network, dataset: Dataset, weights: Sequence[Array], n_images: int | None
) -> tuple[report.Mistake, ...]:
    """Return the first test images that are answered wrongly.

    The compiled model is asked: its integers are those of every backend.
    """
    found: list[report.Mistake] = []
    test = dataset.test
    with open_chip(network, "model") as chip:
        chip.load(weights)
        for first in range(0, len(test) if n_images is None else n_images, MISTAKES_BATCH):
            here = slice(first, min(first + MISTAKES_BATCH, n_images or len(test)))
            answers = chip.infer(test.images[here], first=first).answers
            for place in np.flatnonzero(answers != test.labels[here]):
                image = test.images[first + place].ravel().tolist()
                label = int(test.labels[first + place])
                found.append(report.Mistake(first + int(place), image, label, int(answers[place])))
            if len(found) >= N_MISTAKES:
                break
    return tuple(found[:N_MISTAKES])


def decisions(
    network: Network,
    weights: Sequence[Array],
    split: Split,
    n_images: int,
    n_ticks: int | None = None,
) -> report.Decisions | None:
    """Return what decisions take, on the first images of a split; None where no single spike decides.

    The compiled model is asked: it looks into each sample, and its integers are those of every backend.
    """
    if not network.error.decides_by_a_spike:
        return None
    from erbium.sw_model.fast import FastArray

    array = FastArray(network)
    array.load(weights)
    seeds = constants.sample_seeds(network.seed, False, 0, n_images)
    found = array.decisions(split.images[:n_images], seeds, n_ticks)
    spikes = [found.input_spikes, *found.hidden_spikes.T]
    return report.Decisions.of(network, found.ticks_to_decision, spikes)


def decision_facts(network: Network, found: report.Decisions) -> list[tuple[str, str]]:
    """Return what a decision took on average, as names and numbers for people."""
    names = layer_names(network)
    rows = [("ticks to the decision", f"{found.mean_ticks:,.1f}")]
    rows += [
        (f"{name} spikes until then", f"{mean:,.1f}")
        for name, mean in zip(["input", *names], found.mean_spikes, strict=False)
    ]
    rows += [
        (f"of the rows of {name} looked up", f"{100 * share:.1f} %")
        for name, share in zip(names, found.rows_read(network), strict=True)
    ]
    return rows


def _blank_out(network: Network) -> str:
    """Return which share of the neurons are left out of a training sample."""
    names = layer_names(network)
    parts = [
        f"{256 - layer.neuron_keep}/256 of the {name} neurons"
        for name, layer in zip(names, network.layers, strict=True)
        if layer.neuron_keep < 256
    ]
    return ", ".join(parts) or "off"


def _curve(trainer: Trainer, tested: Answers | None) -> tuple[report.CurvePoint, ...]:
    points = [
        report.CurvePoint(point.position, "validation", 100 * point.error, point.n_images)
        for point in trainer.curve
    ]
    if tested is not None:
        position = trainer.chip.position
        points.append(report.CurvePoint(position, "test", 100 * tested.error, tested.n_images))
    return tuple(points)


def _exactness(verdict: Verdict) -> report.Exactness:
    checks = (
        report.Check("weights", verdict.n_weights, verdict.n_weights_equal),
        report.Check("counters", verdict.n_counters, verdict.n_counters_equal),
    )
    return report.Exactness(checks, verdict.first_difference or None)


def _trace(network: Network, dataset: Dataset, weights: Sequence[Array], number: int) -> report.SampleTrace:
    """Trace a test image, inferred as the test does it."""
    seed = int(constants.sample_seeds(network.seed, False, number, 1)[0])
    image, label = dataset.test.images[number], int(dataset.test.labels[number])
    return report.trace_sample(network, weights, image, label, seed, False)
