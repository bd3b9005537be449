# SPDX-License-Identifier: BSD-2-Clause
"""The network description: frozen dataclasses of integers that every backend starts from.

A :class:`Network` fixes every integer that the array produces. A :class:`Hardware` fixes how the array is
built (lanes, depths) and cannot change a result, so it takes no part in the digest.
"""

from __future__ import annotations

import hashlib
import html
import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeVar

import numpy as np

from erbium.sw_model import constants
from erbium.sw_model.programs import (
    STATE_MAX,
    DescriptionError,
    NeuronProgram,
    Operation,
    check_name,
    check_range,
)
from erbium.sw_model.reach import check_reach
from erbium.sw_model.rules import (
    GAIN,
    MAX_TICKS,
    OUTPUT_ERRORS,
    RULE_KINDS,
    RULES,
    ErbpRule,
    ErrorNeurons,
    LatencyEncoder,
    LearningRate,
    OutputErrors,
    Rule,
)
from erbium.sw_model.rules.pixels import check_pixel_bits, lowest_seen

MAX_INPUTS = 65_534
MAX_NEURONS = 4_096
MAX_CLASSES = 256
MAX_LAYERS = 8

MEMORY_KINDS = ("generic", "ecp5", "spram")
"""Synapse memories: inferred by the synthesis, block RAM of an ECP5, single-port RAM of an iCE40 UltraPlus."""

SPRAM_WIDTH = 16
"""Bits at an address of that single-port RAM: two words of weights if they are narrow enough."""

FORMAT = "erbium-network"
FORMAT_VERSION = 1

Weights = TypeVar("Weights", int, constants.Array)
EncoderKind = Literal["bernoulli", "phase"]
FeedbackKind = Literal["none", "sign", "wide", "direct"]


def _check_choice(what: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        raise DescriptionError(f"{what} is {value!r}; it must be one of {', '.join(map(repr, choices))}")


@dataclass(frozen=True)
class Layer:
    """One population of neurons and the projections that end on it.

    Parameters
    ----------
    n_neurons : int
        1 ... 4096.
    program : NeuronProgram
        What each neuron does on a tick.
    rule : ThreeFactorRule, FirstSpikeRule or None
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
    rule: Rule | None = field(default_factory=ErbpRule)
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
        if self.rule is not None:
            self.rule.check(self.program)

    @property
    def weight_min(self) -> int:
        """Smallest weight; a symmetric rule leaves out the most negative number."""
        return -(1 << (self.weight_width - 1)) + (self.rule is not None and self.rule.symmetric)

    @property
    def weight_max(self) -> int:
        """Largest weight."""
        return (1 << (self.weight_width - 1)) - 1

    @property
    def rate(self) -> LearningRate:
        """What its learning rate is."""
        return GAIN if self.rule is None else self.rule.rate

    @property
    def full_rate(self) -> int:
        """Full learning rate as the chip takes it: the rule's own, such as a probability in 1/65536, or the gain."""
        return self.rule.full_rate or self.gain if self.rule is not None else self.gain

    def transmitted(self, weight: Weights) -> Weights:
        """Return what a weight, or each of an array of weights, adds to port 0."""
        width = self.weight_width
        return weight >> (width - 8) if width >= 8 else weight << (8 - width)

    @property
    def rounding_shift(self) -> int:
        """Right shift of the stochastic rounding; also the number of bits of its random number."""
        return 18 - self.weight_width


@dataclass(frozen=True)
class Network:
    """Everything that decides what the array computes.

    Parameters
    ----------
    name : str
        For people, files and modules; a plain name (letters, digits, ``_`` and ``-``), not part of the digest.
    n_inputs : int
        Pixels of a sample. Each layer of an eRBP network has one more row, the bias, that spikes at every tick.
    layers : tuple of Layer
        Hidden layers and, last, the output layer with one neuron per class.
    encoder : str or LatencyEncoder
        ``"bernoulli"``: a pixel of value p (0 ... 255) spikes with probability p / 256 per tick.
        ``"phase"``: an 8-bit accumulator per pixel adds p each tick and spikes on carry.
        :class:`LatencyEncoder`: a pixel spikes once, at a tick that its value decides.
    n_ticks : int
        Longest sample.
    error : ErrorNeurons or FirstSpikeErrors
        The error populations of eRBP, or how the first-spike learner tells which outputs are wrong.
    margin : int
        eRBP: what is taken from port 0 of the label's output neuron at each tick of learning.
    quiet_ticks : int
        eRBP: in learning a sample stops after so many consecutive ticks without an error spike (0: never).
    decide_after : int
        In inference a sample stops when an output neuron has spiked so often (0: never; 1: first spike).
    feedback_delay : int
        Ticks from an error spike, or the decision to stop, to the sweep in which it takes effect. At least 1.
    seed : int
        Seed of initial weights, feedback weights and all random numbers.
    pixel_bits : int
        8, or 4 for an encoder that sees only the upper four bits of each pixel, times 17.
    """

    name: str
    n_inputs: int
    layers: tuple[Layer, ...]
    encoder: EncoderKind | LatencyEncoder = "bernoulli"
    n_ticks: int = 32
    error: OutputErrors = field(default_factory=ErrorNeurons)
    margin: int = 320
    quiet_ticks: int = 3
    decide_after: int = 0
    feedback_delay: int = 1
    seed: int = 1
    pixel_bits: int = 8

    def __post_init__(self) -> None:
        check_name("the network", self.name)
        check_pixel_bits(self.pixel_bits)
        check_range("n_inputs", self.n_inputs, 1, MAX_INPUTS)
        check_range("number of layers", len(self.layers), 1, MAX_LAYERS)
        if not isinstance(self.encoder, LatencyEncoder):
            _check_choice("encoder", self.encoder, ("bernoulli", "phase"))
        check_range("n_ticks", self.n_ticks, 1, MAX_TICKS)
        check_range("margin", self.margin, 0, STATE_MAX)
        check_range("quiet_ticks", self.quiet_ticks, 0, MAX_TICKS)
        check_range("decide_after", self.decide_after, 0, MAX_TICKS)
        check_range("feedback_delay", self.feedback_delay, 1, 16)
        check_range("seed", self.seed, 0, (1 << 63) - 1)
        check_range("number of classes (neurons of the last layer)", self.n_classes, 2, MAX_CLASSES)
        if isinstance(self.encoder, LatencyEncoder) and self.encoder.last_tick >= self.n_ticks:
            raise DescriptionError(
                f"the last level of the latency encoder spikes at tick {self.encoder.last_tick}; a sample has ticks "
                f"0 to {self.n_ticks - 1}"
            )
        for number, layer in enumerate(self.layers):
            self._check_feedback(number, layer)
        self.error.check(self)
        check_reach(self)

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
    def lowest_pixel(self) -> int:
        """Smallest pixel value that can spike; darker pixels need not be sent."""
        lowest = self.encoder.lowest if isinstance(self.encoder, LatencyEncoder) else 1
        return lowest_seen(lowest, self.pixel_bits)

    @property
    def n_classes(self) -> int:
        """Neurons of the last layer."""
        return self.layers[-1].n_neurons

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes from the input to the output, such as ``(784, 200, 10)``."""
        return (self.n_inputs, *(layer.n_neurons for layer in self.layers))

    def n_rows(self, layer: int) -> int:
        """Return the number of synapse rows of a layer (0-based): its inputs and, with eRBP, the bias row."""
        return self.shape[layer] + self.has_bias

    @property
    def weight_bits(self) -> tuple[int, ...]:
        """Bits of the weights of each layer, those of the bias row among them."""
        return tuple(
            self.n_rows(number) * layer.n_neurons * layer.weight_width
            for number, layer in enumerate(self.layers)
        )

    @property
    def has_bias(self) -> bool:
        """Whether each layer has a last row that spikes at every tick."""
        return self.error.has_bias

    @property
    def rates(self) -> tuple[int, ...]:
        """Full learning rate of each layer: the gain of an error spike, or the probability of a row in 1/65536."""
        return tuple(layer.full_rate for layer in self.layers)

    def scaled_rates(self, factor: float) -> tuple[int, ...]:
        """Return the rates at a share of the full learning rate, rounded to integers (half to even)."""
        if not 0 <= factor <= 1:
            raise DescriptionError(f"learning rate factor is {factor}; it must be from 0 to 1")
        return tuple(round(rate * factor) for rate in self.rates)

    def initial_weights(self) -> list[constants.Array]:
        """Return the initial weights, one int16 array of shape ``(n_rows, n_neurons)`` per layer."""
        weights = []
        for number, layer in enumerate(self.layers):
            drawn = constants.uniform_weights(
                self.seed, number, self.n_rows(number), layer.n_neurons, layer.weight_bound
            )
            width = layer.weight_width
            values = drawn << (width - 8) if width >= 8 else drawn >> (8 - width)
            weights.append(np.clip(values, layer.weight_min, layer.weight_max))
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
        content = self._content() | {"name": ""}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """Return the description as JSON, indented for people."""
        head: dict[str, Any] = {"format": FORMAT, "version": FORMAT_VERSION, "digest": self.digest}
        return json.dumps(head | self._content(), indent=2) + "\n"

    def _content(self) -> dict[str, Any]:
        """Return what is described; the bits of pixels, which were always eight once, only where they are not."""
        content = asdict(self)
        if self.pixel_bits == 8:
            del content["pixel_bits"]
        return content

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the network in a line, and a row for each layer."""
        rows = [
            (number, layer.n_neurons, layer.program.name, layer.weight_width, type(layer.rule).__name__)
            for number, layer in enumerate(self.layers, 1)
        ]
        head = ("layer", "neurons", "program", "weight bits", "rule")
        cells = "".join(
            f"<tr>{''.join(f'<td>{html.escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows
        )
        shape = "-".join(map(str, self.shape))
        return (
            f"<p><b>{html.escape(self.name)}</b> {shape}, digest <code>{self.digest}</code>, at most {self.n_ticks} "
            f"ticks, seed {self.seed}</p><table><thead><tr>{''.join(f'<th>{name}</th>' for name in head)}</tr></thead>"
            f"<tbody>{cells}</tbody></table>"
        )

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
        parts: dict[str, Any] = {"layers": layers, "error": _error_from(data.get("error", {}))}
        if isinstance(data.get("encoder"), dict):
            parts["encoder"] = _encoder_from(data["encoder"])
        network = _build(cls, data | parts, "network")
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
    parts = {"program": _build(NeuronProgram, program, "program"), "rule": _rule_from(data.get("rule"))}
    return _build(Layer, data | parts, "layer")


def _kind_of(data: object, kinds: tuple[type[T], ...]) -> type[T]:
    """Return which of some classes a mapping describes: one of which it has the mark, else the last."""
    found = data if isinstance(data, dict) else {}
    return next((kind for kind in kinds if getattr(kind, "mark", "") in found), kinds[-1])


def _rule_from(data: object) -> Rule | None:
    if data is None:
        return None
    if isinstance(data, dict) and "kind" in data:
        _check_choice("kind of a 'rule' of the network description", data["kind"], tuple(RULES))
        return _build(RULES[data["kind"]], data, "rule")
    return _build(_kind_of(data, RULE_KINDS), data, "rule")


def _error_from(data: object) -> OutputErrors:
    return _build(_kind_of(data, OUTPUT_ERRORS), data, "error")


def _encoder_from(data: dict[str, Any]) -> LatencyEncoder:
    levels = tuple(tuple(item) if isinstance(item, list) else item for item in _list_of(data, "levels"))
    return _build(LatencyEncoder, data | {"levels": levels}, "encoder")


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
        Clocks from an address to the weight word, 2 (block RAM and register) or 3; the memories of a family take 3, or
        2 if two words are at an address.
    layer_lanes : tuple of int
        Lanes of the first layers, in order, instead of `lanes`; 0 leaves a layer its `lanes`.
    layer_memories : tuple of str
        What holds the weights of the first layers, in order, see :data:`MEMORY_KINDS`; all others are ``"generic"``.
    encoder_pixels : int
        Pixels that the encoder looks at in a clock: 4 of those that are not 0, or 1 of all, which takes less memory.
    short_pipelines : bool
        Fewer registers along the way of a word through a layer: fewer cells, and more logic within a clock. The readers
        of the feedback share a memory.
    begin_pieces : int
        Tokens that take what a ``BEGIN`` says through the array, 1 ... 41: with more, channels are narrower.
    neuron_units : int
        Neurons of one layer that a tick sweep works on in a clock, at most, 0 ... 4096; 0 for one in each lane. With
        fewer, a sweep takes the neurons of a word in as many parts as it needs.
    layer_neuron_units : tuple of int
        The same for the first layers, in order, instead of `neuron_units`; 0 leaves a layer its `neuron_units`.
    rows_per_clock : int
        Words of synapse rows that a layer does in a clock, at most, 1 or 2. With 2, events travel in pairs, and two
        rows go together where no weight of one of them can change; layers of which this cannot be known ahead keep to
        1.
    """

    lanes: int = 64
    fifo_depth: int = 64
    memory_latency: int = 2
    layer_lanes: tuple[int, ...] = ()
    layer_memories: tuple[str, ...] = ()
    short_pipelines: bool = False
    begin_pieces: int = 1
    encoder_pixels: int = 4
    neuron_units: int = 0
    layer_neuron_units: tuple[int, ...] = ()
    rows_per_clock: int = 1

    def __post_init__(self) -> None:
        check_range("lanes", self.lanes, 1, MAX_NEURONS)
        check_range("fifo_depth", self.fifo_depth, 2, 4096)
        check_range("memory_latency", self.memory_latency, 2, 3)
        check_range("begin_pieces", self.begin_pieces, 1, 41)
        _check_choice("encoder_pixels", self.encoder_pixels, (1, 4))
        check_range("neuron_units", self.neuron_units, 0, MAX_NEURONS)
        check_range("rows_per_clock", self.rows_per_clock, 1, 2)
        if self.rows_per_clock == 2 and (self.short_pipelines or self.encoder_pixels == 1):
            raise DescriptionError(
                "rows_per_clock is 2, and short_pipelines or encoder_pixels 1 save what it takes; use rows_per_clock "
                "1, or short_pipelines False and encoder_pixels 4"
            )
        for lanes in self.layer_lanes:
            check_range("lanes of a layer", lanes, 0, MAX_NEURONS)
        for units in self.layer_neuron_units:
            check_range("neuron units of a layer", units, 0, MAX_NEURONS)
        for memory in self.layer_memories:
            _check_choice("memory of a layer", memory, MEMORY_KINDS)

    def lanes_for(self, n_neurons: int, number: int) -> int:
        """Lanes of layer `number`, counted from 0, of so many neurons."""
        lanes = self.layer_lanes[number] if number < len(self.layer_lanes) else 0
        return min(lanes or self.lanes, n_neurons)

    def lanes_of(self, network: Network, number: int) -> int:
        """Lanes of one layer, counted from 0."""
        return self.lanes_for(network.layers[number].n_neurons, number)

    def words_for(self, n_neurons: int, number: int) -> int:
        """Words of one synapse row of layer `number`, counted from 0, of so many neurons."""
        return -(-n_neurons // self.lanes_for(n_neurons, number))

    def words_of(self, network: Network, number: int) -> int:
        """Words of one synapse row of a layer, counted from 0."""
        return self.words_for(network.layers[number].n_neurons, number)

    def parts_for(self, lanes: int, number: int) -> int:
        """Parts in which a sweep takes the neurons of a word of so many lanes of layer `number`, counted from 0."""
        units = self.layer_neuron_units[number] if number < len(self.layer_neuron_units) else 0
        return -(-lanes // (units or self.neuron_units or lanes))

    def memory_of(self, number: int) -> str:
        """What holds the weights of a layer, counted from 0."""
        return self.layer_memories[number] if number < len(self.layer_memories) else "generic"

    def pairs_for(self, word_width: int, number: int) -> bool:
        """Whether the memory of layer `number`, counted from 0, keeps two such words of weights at an address."""
        return self.memory_of(number) == "spram" and 2 * word_width <= SPRAM_WIDTH

    def pairs(self, network: Network, number: int) -> bool:
        """Whether the memory of a layer, counted from 0, keeps two words of weights at an address."""
        return self.pairs_for(self.lanes_of(network, number) * network.layers[number].weight_width, number)

    def stride_of(self, network: Network, number: int) -> int:
        """Words from a synapse row to the next one of a layer, counted from 0: whole pairs where there are pairs."""
        return self.stride_for(self.words_of(network, number), pairs=self.pairs(network, number))

    @staticmethod
    def stride_for(words: int, *, pairs: bool) -> int:
        """Words from a synapse row of so many words to the next one: whole pairs where there are pairs."""
        return words + words % 2 if pairs else words

    def latency_for(self, number: int, *, pairs: bool) -> int:
        """Clocks from an address to the weight word of layer `number`, counted from 0."""
        if self.memory_of(number) == "generic":
            return self.memory_latency
        return 2 if pairs else 3
