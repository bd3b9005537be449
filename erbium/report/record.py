# SPDX-License-Identifier: BSD-2-Clause
"""What a report shows, as plain data: facts of a run, its curve, its counters, one traced sample."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from erbium.silence import Silence
from erbium.sw_model.constants import Array
from erbium.sw_model.datasets import Dataset
from erbium.sw_model.network import Hardware, Network
from erbium.tracing import Trace, layer_names, trace_seed

FORMAT = "erbium-report"
FORMAT_VERSION = 1

N_PROBES = 6
"""Hidden neurons of a layer whose membrane and current are kept."""


@dataclass(frozen=True)
class DatasetFacts:
    """Which images a run saw.

    Attributes
    ----------
    name, source, notice : str
        As in :class:`erbium.sw_model.datasets.Dataset`.
    height, width : int or None
        Image size in pixels; ``None`` where a sample is no image, and then nothing is drawn as one.
    digest : str
        Of the content; empty when unknown.
    """

    name: str
    source: str = ""
    notice: str = ""
    height: int | None = None
    width: int | None = None
    digest: str = ""

    @classmethod
    def of(cls, dataset: Dataset) -> DatasetFacts:
        """Return the facts of a loaded set of images."""
        return cls(
            dataset.name, dataset.source, dataset.notice, dataset.height, dataset.width, dataset.digest
        )

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width, if samples are images."""
        return None if self.height is None or self.width is None else (self.height, self.width)


@dataclass(frozen=True)
class CurvePoint:
    """One measurement of the learning curve.

    Attributes
    ----------
    images : int
        Training images seen so far.
    split : str
        ``"validation"`` or ``"test"``.
    error : float
        Share of wrong answers in percent.
    n_samples : int
        Samples that this was measured on, 0 when unknown.
    """

    images: int
    split: str
    error: float
    n_samples: int = 0


@dataclass(frozen=True)
class Check:
    """How many of some integers were compared with the model's, and how many were the same."""

    what: str
    compared: int
    equal: int


@dataclass(frozen=True)
class Exactness:
    """Outcome of comparing a run, integer by integer, with the model's.

    Attributes
    ----------
    checks : tuple of Check
        Such as one for the weights and one for the counters.
    first_difference : str or None
        Where the first unequal integer is, with both values.
    """

    checks: tuple[Check, ...]
    first_difference: str | None = None

    @property
    def equal(self) -> bool:
        """Whether every integer was the same. Comparing nothing proves nothing."""
        compared = sum(check.compared for check in self.checks)
        same = all(check.compared == check.equal for check in self.checks)
        return compared > 0 and same and self.first_difference is None


@dataclass(frozen=True)
class Performance:
    """What was measured of time; ``None`` for what the backend does not know.

    Attributes
    ----------
    cycles : int or None
        Clock cycles of the array in the whole run.
    cycles_per_sample : float or None
    busy_share : float or None
        Share of cycles, 0 ... 1, in which the lanes process a row word.
    images_per_second : float or None
        By the clock on the wall.
    """

    cycles: int | None = None
    cycles_per_sample: float | None = None
    busy_share: float | None = None
    images_per_second: float | None = None


@dataclass(frozen=True)
class Speed:
    """How fast the chip is at the clock of a board, whatever ran it here.

    Attributes
    ----------
    board : str
        Whose clock it is.
    clock : int
        In Hz.
    cycles_per_learned, cycles_per_answer : float or None
        Clocks of an image, learned and answered.
    source : str
        What the clocks are, such as ``"simulated clocks"``.
    lanes : int or None
        Synapses of a clock; None of hardware that is as it is.
    """

    board: str
    clock: int
    cycles_per_learned: float | None
    cycles_per_answer: float | None
    source: str
    lanes: int | None = None


@dataclass(frozen=True)
class Mistake:
    """A test image that was answered wrongly.

    Attributes
    ----------
    number : int
        Of the test image.
    image : list of int
        Pixels, 0 ... 255.
    label, answer : int
    """

    number: int
    image: list[int]
    label: int
    answer: int


@dataclass(frozen=True)
class Stage:
    """The weights of the first layer on the way, int16 of shape ``(n_rows, n_neurons)``, after so many images."""

    images: int
    weights: Array


@dataclass(frozen=True)
class Decisions:
    """What first-spike samples took until their first output spike; samples without one count to their end.

    Attributes
    ----------
    n_samples : int
    ticks : tuple of int
        Samples by ticks to the decision: entry t counts those that took t.
    spikes : tuple of tuple of int
        For the input and each hidden layer, samples by the spikes that it sent until then.
    """

    n_samples: int
    ticks: tuple[int, ...]
    spikes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, network: Network, ticks: Array, spikes: Sequence[Array]) -> Decisions:
        """Count samples, given ticks and the spikes of input and hidden layers, each of shape ``(n,)``."""
        histograms = (
            tuple(np.bincount(counts, minlength=size + 1).tolist())
            for counts, size in zip(spikes, network.shape[:-1], strict=True)
        )
        return cls(
            len(ticks), tuple(np.bincount(ticks, minlength=network.n_ticks + 1).tolist()), tuple(histograms)
        )

    @property
    def mean_ticks(self) -> float:
        """Ticks to the decision, on average."""
        return _mean(self.ticks)

    @property
    def mean_spikes(self) -> tuple[float, ...]:
        """Spikes of the input and each hidden layer until the decision, on average."""
        return tuple(map(_mean, self.spikes))

    def rows_read(self, network: Network) -> tuple[float, ...]:
        """Return the share, 0 ... 1, of each layer's synapse rows, and so of its weights, that was looked up."""
        return tuple(mean / size for mean, size in zip(self.mean_spikes, network.shape[:-1], strict=True))


def _mean(histogram: Sequence[int]) -> float:
    """Return the mean of the values that a histogram counts."""
    return sum(value * count for value, count in enumerate(histogram)) / max(1, sum(histogram))


@dataclass(frozen=True)
class Probe:
    """Membrane and current of one neuron of a first-spike sample, after each tick.

    Attributes
    ----------
    layer : int
        0-based.
    neuron : int
    v, i : list of int
        A program of one state has no current, and `i` is empty.
    """

    layer: int
    neuron: int
    v: list[int]
    i: list[int]


@dataclass(frozen=True)
class SampleTrace:
    """All spikes of one sample.

    Attributes
    ----------
    image : list of int
        Pixels, 0 ... 255.
    label : int
        Its class.
    answer : int
        What the readout named.
    learn : bool
        Whether the sample was learned, or else only answered.
    input_spikes : list of list of int
        Per tick, the pixels that spiked.
    layer_spikes : list of list of list of int
        Per layer, output last, and per tick.
    error_spikes : list of list of int
        Per tick; error neuron 2c is for class c named wrongly, 2c + 1 for class c missed.
    membranes : list of list of int
        Per tick, the membrane of each output neuron after the sweep.
    decision : int or None
        Tick of the early decision, if there was one.
    probes : list of Probe
        All output neurons, before them some hidden ones.
    """

    image: list[int]
    label: int
    answer: int
    learn: bool
    input_spikes: list[list[int]]
    layer_spikes: list[list[list[int]]]
    error_spikes: list[list[int]]
    membranes: list[list[int]]
    decision: int | None = None
    probes: list[Probe] = field(default_factory=list)

    @property
    def n_ticks(self) -> int:
        """Ticks that were run."""
        return len(self.input_spikes)


def trace_sample(
    network: Network, weights: Sequence[Array], image: Array, label: int, seed: int, learn: bool
) -> SampleTrace:
    """Run one sample on the model and keep every spike.

    Parameters
    ----------
    network : Network
    weights : sequence of ndarray
        Weights of each layer before the sample; they stay as they are.
    image : ndarray of uint8, shape (n_inputs,)
    label : int
    seed : int
        32-bit seed of the sample.
    learn : bool
        Learn the sample, which is when there are error spikes, or only answer it.
    """
    found = trace_seed(network, image, label if learn else None, seed, weights=weights)
    layers = [_lists(found.spikes[name]) for name in found.layers]
    return SampleTrace(
        image=[int(pixel) for pixel in image],
        label=int(label),
        answer=found.answer,
        learn=learn,
        input_spikes=_lists(found.spikes["input"]),
        layer_spikes=layers,
        error_spikes=_lists(found.spikes["error"]) if "error" in found.spikes else [[]] * found.ticks,
        membranes=next(iter(found.states["output"].values())).tolist(),
        decision=found.decision_tick,
        probes=_probes(found, layers),
    )


def _lists(fired: Array) -> list[list[int]]:
    """Return for each tick the neurons that spiked."""
    return [np.flatnonzero(tick).tolist() for tick in fired]


def _probes(found: Trace, layer_spikes: Sequence[list[list[int]]]) -> list[Probe]:
    """Return the neurons that a reader wants to follow: some that spike, one that nearly does, all outputs."""
    chosen: list[tuple[int, int]] = []
    states = [list(layer.values()) for layer in found.states.values()]
    for number, membranes in enumerate(layer[0] for layer in states[:-1]):
        spiking = [neuron for neurons in layer_spikes[number] for neuron in neurons]
        active = set(spiking)
        # From the first spike to the last, evenly.
        places = np.unique(np.linspace(0, len(spiking) - 1, N_PROBES - 1).round().astype(int))
        some = [spiking[place] for place in places] if spiking else []
        silent = [neuron for neuron in range(membranes.shape[1]) if neuron not in active]
        some += [max(silent, key=membranes[-1].__getitem__)] if silent else []
        chosen += [(number, neuron) for neuron in some]
    chosen += [(len(states) - 1, neuron) for neuron in range(found.network.n_classes)]
    return [
        Probe(
            number,
            neuron,
            states[number][0][:, neuron].tolist(),
            states[number][1][:, neuron].tolist() if len(states[number]) > 1 else [],
        )
        for number, neuron in chosen
    ]


@dataclass(frozen=True)
class RunRecord:
    """Everything that a report shows.

    Attributes
    ----------
    title : str
    network : Network
    dataset : DatasetFacts
    backend : str
        What ran the network, such as ``"model"`` or ``"rtl"``.
    version : str
        Of Erbium.
    date : str
        Date and time in words; passed in, so that equal records give equal files.
    seed : int
    commands : tuple of str
        Command lines that repeat the run.
    recipe : mapping of str to str, int or float
        How it was trained, name to value.
    images_learned : int
    hardware : Hardware or None
        How the array was built, for backends that were.
    curve : tuple of CurvePoint
    confusion : ndarray or None
        Test samples of shape ``(n_classes, n_classes)``: a row per label, a column per answer.
    exactness : Exactness or None
        ``None`` when nothing was compared.
    counters : mapping of str to int
        As :meth:`erbium.sw_model.array.ArrayModel.counters` names them.
    performance : Performance
    trace : SampleTrace or None
    weights : tuple of ndarray
        Final weights of each layer, shape ``(n_rows, n_neurons)``; empty when not kept.
    decisions : Decisions or None
        First-spike networks: what the test samples took until their decision.
    speed : Speed or None
    mistakes : tuple of Mistake
        The first test images that were answered wrongly.
    sample : int
        Number of the test image that `trace` shows.
    during : Stage or None
        The first layer on the way.
    silence : Silence or None
        In how many test samples a population did not spike.

    Raises
    ------
    ValueError
        If a shape does not fit the network.
    """

    title: str
    network: Network
    dataset: DatasetFacts
    backend: str
    version: str
    date: str
    seed: int
    commands: tuple[str, ...]
    recipe: Mapping[str, str | int | float]
    images_learned: int
    hardware: Hardware | None = None
    curve: tuple[CurvePoint, ...] = ()
    confusion: Array | None = None
    exactness: Exactness | None = None
    counters: Mapping[str, int] = field(default_factory=dict)
    performance: Performance = field(default_factory=Performance)
    trace: SampleTrace | None = None
    weights: tuple[Array, ...] = ()
    decisions: Decisions | None = None
    speed: Speed | None = None
    mistakes: tuple[Mistake, ...] = ()
    sample: int = 0
    during: Stage | None = None
    silence: Silence | None = None

    def __post_init__(self) -> None:
        n = self.network.n_classes
        if self.confusion is not None and np.shape(self.confusion) != (n, n):
            raise ValueError(
                f"confusion has shape {np.shape(self.confusion)}; with {n} classes it must be {(n, n)}"
            )
        shapes = [(self.network.n_rows(k), layer.n_neurons) for k, layer in enumerate(self.network.layers)]
        found = [np.shape(values) for values in self.weights]
        if found and found != shapes:
            raise ValueError(f"weights have shapes {found}; the network's are {shapes}")
        if self.during is not None and np.shape(self.during.weights) != shapes[0]:
            raise ValueError(
                f"weights on the way have shape {np.shape(self.during.weights)}; those of the first layer have "
                f"{shapes[0]}"
            )
        size = self.dataset.size
        if size is not None and size[0] * size[1] != self.network.n_inputs:
            raise ValueError(
                f"images are {size[0]} x {size[1]} pixels; the network has {self.network.n_inputs} inputs"
            )

    @property
    def bounds(self) -> tuple[tuple[int, int], ...]:
        """Smallest and largest weight of each layer."""
        return tuple((layer.weight_min, layer.weight_max) for layer in self.network.layers)

    @property
    def test_error(self) -> float | None:
        """Test error in percent: of the confusion matrix, else the last one of the curve; none without answers."""
        if self.silence is not None and self.silence.dead:
            return None
        if self.confusion is not None and self.confusion.sum() > 0:
            return float(100 * (1 - np.trace(self.confusion) / self.confusion.sum()))
        return next((point.error for point in reversed(self.curve) if point.split == "test"), None)

    @property
    def spikes(self) -> dict[str, int]:
        """Spikes of each population in the whole run."""
        names = {"input_spikes": "input"}
        names |= {f"layer{k}_spikes": name for k, name in enumerate(layer_names(self.network), 1)}
        names |= {"error_spikes": "error"}
        return {name: self.counters[key] for key, name in names.items() if key in self.counters}

    @property
    def synaptic_operations(self) -> int:
        """Synapses walked in the whole run, over all layers."""
        return sum(value for name, value in self.counters.items() if name.endswith("_synaptic_operations"))

    def per_sample(self, count: float) -> float | None:
        """Return a counter divided by the samples presented, learned or not."""
        samples = self.counters.get("samples", 0)
        return count / samples if samples else None

    def to_json(self) -> str:
        """Return every number but the weights as JSON, for programs that read the page."""
        content = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "title": self.title,
            "version": self.version,
            "date": self.date,
            "digest": self.network.digest,
            "network": json.loads(self.network.to_json()),
            "hardware": None if self.hardware is None else asdict(self.hardware),
            "backend": self.backend,
            "dataset": asdict(self.dataset),
            "recipe": self.recipe,
            "seed": self.seed,
            "commands": self.commands,
            "images_learned": self.images_learned,
            "test_error": self.test_error,
            "curve": [asdict(point) for point in self.curve],
            "confusion": self.confusion,
            "silence": None if self.silence is None else self.silence.facts(),
            "exactness": None
            if self.exactness is None
            else asdict(self.exactness) | {"equal": self.exactness.equal},
            "counters": self.counters,
            "performance": asdict(self.performance),
            "speed": None if self.speed is None else asdict(self.speed),
            "sample": self.sample,
            "trace": None if self.trace is None else asdict(self.trace),
            "mistakes": [
                {"number": one.number, "label": one.label, "answer": one.answer} for one in self.mistakes
            ],
            "decisions": None if self.decisions is None else asdict(self.decisions),
        }
        return json.dumps(_plain(content), separators=(",", ":"), allow_nan=False)


def _plain(value: Any) -> Any:
    """Turn NumPy's numbers into Python's, and what JSON has no number for into null."""
    match value:
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case np.ndarray() | np.generic():
            return _plain(value.tolist())
        case list() | tuple():
            return [_plain(item) for item in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value
