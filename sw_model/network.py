# SPDX-License-Identifier: BSD-2-Clause
"""The network description: frozen dataclasses of integers that every backend starts from.

A :class:`Network` fixes every integer that the array produces. A :class:`Hardware` fixes how the array is
built (lanes, depths) and cannot change a result, so it takes no part in the digest.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, TypeVar

import numpy as np

from erbium.sw_model import constants
from erbium.sw_model.programs import (
    STATE_MAX,
    STATE_MIN,
    DescriptionError,
    NeuronProgram,
    Operation,
    check_range,
    erbp_error,
)

MAX_INPUTS = 65_534
MAX_NEURONS = 4_096
MAX_CLASSES = 256
MAX_LAYERS = 8
MAX_TICKS = 4_096
FORMAT = "erbium-network"
FORMAT_VERSION = 1

EncoderKind = Literal["bernoulli", "phase"]
FeedbackKind = Literal["none", "sign", "wide", "direct"]


def _check_choice(what: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise DescriptionError(f"{what} is {value!r}; it must be one of {', '.join(map(repr, choices))}")


@dataclass(frozen=True)
class ErbpRule:
    """Plasticity rule of event-driven random backpropagation.

    The plasticity word of a neuron is ``gate_lower <= v < gate_upper ? u : 0`` with ``v`` its membrane
    before the reset and ``u`` the state `modulator`. A row pass at tick ``first_tick`` or later changes
    each weight of the row by ``-((word + r) >> shift)``, with one random ``r`` for the whole row.

    Notes
    -----
    Source: Neftci and others, *Front. Neurosci.* 11:324 (2017), equation 7, figure 1.
    """

    gate_lower: int = 0
    gate_upper: int = 512
    modulator: int = 1
    first_tick: int = 1

    def __post_init__(self) -> None:
        check_range("gate_lower", self.gate_lower, STATE_MIN, STATE_MAX)
        check_range("gate_upper", self.gate_upper, self.gate_lower + 1, STATE_MAX + 1)
        check_range("modulator", self.modulator, 0, 3)
        check_range(
            "first_tick", self.first_tick, 1, MAX_TICKS, "; at tick 0 no neuron has a plasticity word"
        )


@dataclass(frozen=True)
class Layer:
    """One population of neurons and the projections that end on it.

    Parameters
    ----------
    n_neurons : int
        1 ... 4096.
    program : NeuronProgram
        What each neuron does on a tick.
    rule : ErbpRule or None
        How the forward projection learns; ``None`` for fixed weights.
    weight_width : int
        Bits of a forward weight, 4 ... 16. A weight of b bits transmits ``w >> (b - 8)``, or
        ``w << (8 - b)`` when b < 8.
    weight_bound : int
        Initial weights are uniform on ``-weight_bound ... weight_bound`` in transmitted units.
    feedback : str
        ``"sign"``: a random matrix of +1 and -1, rows of sum 0 (even number of classes).
        ``"wide"``: integers from -3 ... 3. ``"direct"``: error neuron c to neuron c (output layer).
        ``"none"``: no feedback.
    gain : int
        Amplitude g of one error spike at full learning rate, 0 ... 255.
    synapse_keep : int
        Synaptic blank-out: each synapse event is kept with probability ``synapse_keep / 256``.
    neuron_keep : int
        Neuron blank-out: in learning, a neuron takes part in a sample with probability ``neuron_keep / 256``.
    """

    n_neurons: int
    program: NeuronProgram
    rule: ErbpRule | None = field(default_factory=ErbpRule)
    weight_width: int = 8
    weight_bound: int = 24
    feedback: FeedbackKind = "none"
    gain: int = 0
    synapse_keep: int = 256
    neuron_keep: int = 256

    def __post_init__(self) -> None:
        check_range("n_neurons of a layer", self.n_neurons, 1, MAX_NEURONS)
        check_range("weight_width", self.weight_width, 4, 16, " bits")
        check_range("weight_bound", self.weight_bound, 0, 127)
        _check_choice("feedback", self.feedback, ("none", "sign", "wide", "direct"))
        check_range("gain", self.gain, 0, 255)
        check_range("synapse_keep", self.synapse_keep, 1, 256)
        check_range("neuron_keep", self.neuron_keep, 1, 256)
        if self.feedback != "none" and self.program.n_ports < 2:
            raise DescriptionError(
                f"feedback is {self.feedback!r} but program {self.program.name!r} has one port; feedback needs port u1"
            )
        if self.rule is not None and self.rule.modulator >= self.program.n_states:
            raise DescriptionError(
                f"modulator is {self.rule.modulator} but program {self.program.name!r} has states 0 to "
                f"{self.program.n_states - 1}"
            )

    @property
    def weight_min(self) -> int:
        """Smallest weight."""
        return -(1 << (self.weight_width - 1))

    @property
    def weight_max(self) -> int:
        """Largest weight."""
        return (1 << (self.weight_width - 1)) - 1

    @property
    def rounding_shift(self) -> int:
        """Right shift of the stochastic rounding; also the number of bits of its random number."""
        return 18 - self.weight_width


@dataclass(frozen=True)
class ErrorNeurons:
    """The two error populations, one neuron for false positives and one for false negatives per class.

    An output spike without label adds `weight` to the first, a label without output spike to the second;
    `threshold` is what a spike takes away. The paper's ratio is 9 / 10.
    """

    weight: int = 1
    threshold: int = 1

    def __post_init__(self) -> None:
        check_range("error neuron weight", self.weight, 1, 255)
        check_range(
            "error neuron threshold",
            self.threshold,
            self.weight,
            255,
            "; a threshold below the weight would leave a growing rest",
        )

    @property
    def program(self) -> NeuronProgram:
        """The neuron program of both populations."""
        return erbp_error(self.threshold)


@dataclass(frozen=True)
class Network:
    """Everything that decides what the array computes.

    Parameters
    ----------
    name : str
        For people; not part of the digest.
    n_inputs : int
        Pixels of a sample. Each layer has one more row, the bias, that spikes at every tick.
    layers : tuple of Layer
        Hidden layers and, last, the output layer with one neuron per class.
    encoder : str
        ``"bernoulli"``: a pixel of value p (0 ... 255) spikes with probability p / 256 per tick.
        ``"phase"``: an 8-bit accumulator per pixel adds p each tick and spikes on carry.
    n_ticks : int
        Longest sample.
    error : ErrorNeurons
        The error populations.
    margin : int
        What is taken from port 0 of the label's output neuron at each tick of learning.
    quiet_ticks : int
        In learning a sample stops after so many consecutive ticks without an error spike (0: never).
    decide_after : int
        In inference a sample stops when an output neuron has spiked so often (0: never; 1: first spike).
    feedback_delay : int
        Ticks from an error spike, or the decision to stop, to the sweep in which it takes effect. At least 1.
    seed : int
        Seed of initial weights, feedback weights and all random numbers.
    """

    name: str
    n_inputs: int
    layers: tuple[Layer, ...]
    encoder: EncoderKind = "bernoulli"
    n_ticks: int = 32
    error: ErrorNeurons = field(default_factory=ErrorNeurons)
    margin: int = 320
    quiet_ticks: int = 3
    decide_after: int = 0
    feedback_delay: int = 1
    seed: int = 1

    def __post_init__(self) -> None:
        check_range("n_inputs", self.n_inputs, 1, MAX_INPUTS)
        check_range("number of layers", len(self.layers), 1, MAX_LAYERS)
        _check_choice("encoder", self.encoder, ("bernoulli", "phase"))
        check_range("n_ticks", self.n_ticks, 1, MAX_TICKS)
        check_range("margin", self.margin, 0, STATE_MAX)
        check_range("quiet_ticks", self.quiet_ticks, 0, MAX_TICKS)
        check_range("decide_after", self.decide_after, 0, MAX_TICKS)
        check_range("feedback_delay", self.feedback_delay, 1, 16)
        check_range("seed", self.seed, 0, (1 << 63) - 1)
        check_range("number of classes (neurons of the last layer)", self.n_classes, 2, MAX_CLASSES)
        for number, layer in enumerate(self.layers):
            self._check_feedback(number, layer)

    def _check_feedback(self, number: int, layer: Layer) -> None:
        last = number == len(self.layers) - 1
        if layer.feedback == "sign" and self.n_classes % 2:
            raise DescriptionError(
                f"feedback 'sign' of layer {number + 1} needs an even number of classes, not {self.n_classes}; "
                "use 'wide'"
            )
        if layer.feedback == "direct" and not last:
            raise DescriptionError(
                f"feedback 'direct' of layer {number + 1} joins error neuron c to neuron c; only the last layer "
                "can have it, use 'sign' or 'wide'"
            )
        # With this bound a tick's feedback cannot saturate its port, so the order of its events is free.
        reach = {"none": 0, "sign": 1, "wide": 3, "direct": 1}[layer.feedback]
        if reach * layer.gain * self.n_classes > STATE_MAX:
            raise DescriptionError(
                f"gain of layer {number + 1} is {layer.gain}; with {self.n_classes} classes and {layer.feedback!r} "
                f"feedback it must be at most {STATE_MAX // (reach * self.n_classes)}"
            )

    @property
    def n_classes(self) -> int:
        """Neurons of the last layer."""
        return self.layers[-1].n_neurons

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes from the input to the output, such as ``(784, 200, 10)``."""
        return (self.n_inputs, *(layer.n_neurons for layer in self.layers))

    def n_rows(self, layer: int) -> int:
        """Return the number of synapse rows of a layer (0-based): its inputs and the bias row."""
        return self.shape[layer] + 1

    @property
    def gains(self) -> tuple[int, ...]:
        """Gain of each layer at full learning rate."""
        return tuple(layer.gain for layer in self.layers)

    def scaled_gains(self, factor: float) -> tuple[int, ...]:
        """Return the gains at a share of the full learning rate, rounded to integers (half to even)."""
        if not 0 <= factor <= 1:
            raise DescriptionError(f"learning rate factor is {factor}; it must be from 0 to 1")
        return tuple(round(layer.gain * factor) for layer in self.layers)

    def initial_weights(self) -> list[constants.Array]:
        """Return the initial weights, one int16 array of shape ``(n_rows, n_neurons)`` per layer."""
        weights = []
        for number, layer in enumerate(self.layers):
            drawn = constants.uniform_weights(
                self.seed, number, self.n_rows(number), layer.n_neurons, layer.weight_bound
            )
            width = layer.weight_width
            weights.append(drawn << (width - 8) if width >= 8 else drawn >> (8 - width))
        return weights

    def feedback_weights(self, layer: int) -> constants.Array:
        """Return the feedback weights of a layer, int8 of shape ``(n_neurons, n_classes)``."""
        here = self.layers[layer]
        match here.feedback:
            case "sign":
                return constants.sign_feedback(self.seed, layer, here.n_neurons, self.n_classes)
            case "wide":
                return constants.wide_feedback(self.seed, layer, here.n_neurons, self.n_classes)
            case "direct":
                return np.eye(self.n_classes, dtype=np.int8)
            case _:
                return np.zeros((here.n_neurons, self.n_classes), dtype=np.int8)

    @property
    def digest(self) -> str:
        """64-bit hexadecimal digest of everything but the name."""
        content = asdict(replace(self, name=""))
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """Return the description as JSON, indented for people."""
        head: dict[str, Any] = {"format": FORMAT, "version": FORMAT_VERSION, "digest": self.digest}
        return json.dumps(head | asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Network:
        """Read a description back.

        Raises
        ------
        DescriptionError
            If the text is not JSON, is no network, has unknown or missing fields, or its digest is wrong.
        """
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise DescriptionError(f"the network description is not JSON: {error}") from None
        if not isinstance(data, dict) or data.pop("format", None) != FORMAT:
            raise DescriptionError(f"the file is no network description; its 'format' must be {FORMAT!r}")
        version = data.pop("version", None)
        if version != FORMAT_VERSION:
            raise DescriptionError(
                f"version {version!r} of the network description is unknown; this is {FORMAT_VERSION}"
            )
        digest = data.pop("digest", None)
        layers = tuple(_layer_from(item) for item in _list_of(data, "layers"))
        network = _build(
            cls,
            data | {"layers": layers, "error": _build(ErrorNeurons, data.get("error", {}), "error")},
            "network",
        )
        if digest is not None and digest != network.digest:
            raise DescriptionError(
                f"the network description says digest {digest} but its content has {network.digest}; the file was "
                "changed by hand: remove its 'digest' line if that was meant"
            )
        return network


T = TypeVar("T")


def _list_of(data: dict[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    if not isinstance(value, list):
        raise DescriptionError(f"{key!r} of the network description must be a list")
    return value


def _build(cls: type[T], data: object, what: str) -> T:
    """Make a dataclass from a mapping, with one clear sentence for unknown or missing names."""
    if not isinstance(data, dict):
        raise DescriptionError(f"{what!r} of the network description must be an object, not {data!r}")
    known = {item.name for item in fields(cls) if item.init}  # type: ignore[arg-type]
    unknown = sorted(set(data) - known - {item.name for item in fields(cls)})  # type: ignore[arg-type]
    if unknown:
        raise DescriptionError(f"{what!r} of the network description has an unknown field {unknown[0]!r}")
    try:
        return cls(**{key: value for key, value in data.items() if key in known})
    except TypeError as error:
        raise DescriptionError(f"{what!r} of the network description: {error}") from None


def _layer_from(data: object) -> Layer:
    if not isinstance(data, dict):
        raise DescriptionError("each of the 'layers' of the network description must be an object")
    program = dict(data.get("program") or {})
    for key, value in program.items():
        if isinstance(value, list) and key != "operations":
            program[key] = tuple(value)
    program["operations"] = tuple(
        _build(Operation, item, "operation") for item in _list_of(program, "operations")
    )
    rule = data.get("rule")
    return _build(
        Layer,
        data
        | {
            "program": _build(NeuronProgram, program, "program"),
            "rule": None if rule is None else _build(ErbpRule, rule, "rule"),
        },
        "layer",
    )


@dataclass(frozen=True)
class Hardware:
    """How the array is built. Nothing here can change a result.

    Parameters
    ----------
    lanes : int
        Synapses of one word, 1 ... 4096; a layer with fewer neurons has one lane per neuron.
    fifo_depth : int
        Tokens that each event channel holds, 2 ... 4096.
    memory_latency : int
        Clocks from an address to the weight word, 2 (block RAM and register) or 3.
    """

    lanes: int = 64
    fifo_depth: int = 64
    memory_latency: int = 2

    def __post_init__(self) -> None:
        check_range("lanes", self.lanes, 1, MAX_NEURONS)
        check_range("fifo_depth", self.fifo_depth, 2, 4096)
        check_range("memory_latency", self.memory_latency, 2, 3)

    def lanes_of(self, layer: Layer) -> int:
        """Lanes of one layer."""
        return min(self.lanes, layer.n_neurons)

    def words_of(self, layer: Layer) -> int:
        """Words of one synapse row of a layer."""
        return -(-layer.n_neurons // self.lanes_of(layer))
