# SPDX-License-Identifier: BSD-2-Clause
"""Every public component of the hardware: how to build it, its model, its bench, and the cases to run."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from amaranth.lib.wiring import Component

from erbium.gen.presets import erbp_network
from erbium.hdl.array import ErbiumArray
from erbium.hdl.encoder import Encoder
from erbium.hdl.feedback_gate import FeedbackGate
from erbium.hdl.feedback_port import FeedbackPort
from erbium.hdl.fork import Fork, Queue
from erbium.hdl.layer import LayerEngine
from erbium.hdl.neuron_unit import NeuronUnit
from erbium.hdl.prediction import PredictionUnit
from erbium.hdl.rng import Generator, NoiseBank
from erbium.hdl.sample_buffer import SampleBuffer
from erbium.hdl.serializer import SpikeSerializer
from erbium.hdl.synapse_memory import SynapseMemory
from erbium.hdl.weight_access import WeightAccess
from erbium.hdl.word_file import WordFile, WordRom
from erbium.sw_model import programs, rng
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.encoder import encoder_of
from erbium.sw_model.layer import ErbpLayer
from erbium.sw_model.network import Hardware, Layer, Network
from erbium.sw_model.neuron import Population
from erbium.sw_model.prediction import ErbpPrediction
from erbium.sw_model.programs import MAX_OPERATIONS, MAX_SHIFT, NeuronProgram, Operation, ResetMode
from erbium.sw_model.rules import ErbpRule, ErrorNeurons
from erbium.verif.probes import ProbedArray, ProbedLayer
from erbium.verif.simulators import SimulatorName

BENCH_VARIABLE = "ERBIUM_BENCH"
ICARUS: tuple[SimulatorName, ...] = ("icarus",)
BOTH: tuple[SimulatorName, ...] = ("icarus", "verilator")


@dataclass(frozen=True)
class Case:
    """One configuration of a component.

    Parameters
    ----------
    name : str
    options : mapping
        What the component is built with.
    simulators : tuple of str
        Icarus builds fast and runs the wide matrix; Verilator runs at least one case of each component.
    stimuli : mapping
        What the bench is told beyond the options.
    """

    name: str
    options: Mapping[str, Any]
    simulators: tuple[SimulatorName, ...] = ICARUS
    stimuli: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """One component.

    Parameters
    ----------
    component : type
    model : object
        What defines it: a function or class of ``erbium.sw_model``, or of Python itself.
    bench : str
        Module of ``erbium.verif.benches``.
    cases : tuple of Case
    top : callable, optional
        Makes the device under test from the options of a case; default is the component itself.
    """

    component: type[Component]
    model: Any
    bench: str
    cases: tuple[Case, ...]
    top: Callable[..., Component] | None = None

    @property
    def name(self) -> str:
        """Name of the component."""
        return str(self.component.__name__)

    def build(self, case: Case) -> Component:
        """Return the device under test."""
        return (self.top or self.component)(**case.options)

    def case(self, name: str) -> Case:
        """Return the case of this name."""
        return next(case for case in self.cases if case.name == name)


# --- networks and programs ---------------------------------------------------------------------------


def _small(hidden: tuple[int, ...] = (13,), *, gain: int = 255, **options: Any) -> Network:
    """Return a network that a bench runs through in a second; its high gain makes most weights move."""
    defaults = {"n_inputs": 16, "n_classes": 4, "n_ticks": 16}
    network = erbp_network("bench", hidden, **(defaults | options))
    return replace(network, layers=tuple(replace(layer, gain=gain) for layer in network.layers))


def _plain_layer(program: NeuronProgram, n: int = 13) -> Network:
    """Return a network whose first layer neither learns nor gets feedback."""
    network = _small()
    first = Layer(n_neurons=n, program=program, rule=None, weight_bound=100)
    return replace(network, layers=(first, network.layers[-1]))


def random_program(seed: int) -> NeuronProgram:
    """Return a neuron program with everything in it: all states, noise, bias, hold, every kind of reset."""
    draw = random.Random(seed)
    sources = ["x0", "x1", "x2", "x3", "u0", "u1", "noise"]
    shifts = [*range(MAX_SHIFT + 1)]
    operations = tuple(
        Operation(k % 4, draw.choice(sources), draw.choice(shifts), draw.choice((1, -1)))
        for k in range(MAX_OPERATIONS)
    )
    modes: tuple[ResetMode, ...] = ("set", "add", "max", "none")
    return NeuronProgram(
        name=f"random-{seed}",
        states=("a", "b", "c", "d"),
        operations=operations,
        n_ports=2,
        threshold=draw.randint(-200, 2000),
        bias=tuple(draw.randint(-300, 300) for _ in range(4)),
        lower=(-(1 << 15), -5000, -100, 0),
        upper=((1 << 15) - 1, 7000, 0, 900),
        reset_mode=modes,
        reset_value=(draw.randint(-999, 999), draw.choice((-32768, 32767)), 50, 0),
        initial=(-7, 12, -100, 900),
        refractory=draw.choice((1, 3, 1000)),
        hold=True,
    )


PROGRAMS: dict[str, tuple[NeuronProgram, ErbpRule | None]] = {
    "lif": (programs.lif(), None),
    "lif-first-order": (programs.lif_first_order(), None),
    "lif-second-order": (programs.lif_second_order(), None),
    "two-compartment": (programs.two_compartment(), None),
    "stochastic-lif": (programs.lif(noise=True), None),
    "mihalas-niebur": (programs.mihalas_niebur(5), None),
    "mihalas-niebur-currents": (programs.mihalas_niebur(30, 10, -0.6), None),
    "mihalas-niebur-negative": (programs.mihalas_niebur(-80, 5, -0.3), None),
    "erbp-hidden": (programs.erbp_hidden(), ErbpRule()),
    "erbp-hidden-options": (
        programs.erbp_hidden(leak_shift=4, synapse_shift=3, noise_shift=2, refractory=2),
        ErbpRule(-1, 600, 1),
    ),
    "erbp-output": (programs.erbp_output(), ErbpRule(-(1 << 15), 1024)),
    "erbp-output-options": (
        programs.erbp_output(leak_shift=5, synapse_shift=2, noise_shift=0, refractory=1),
        ErbpRule(-(1 << 15), 1024),
    ),
    "erbp-error": (programs.erbp_error(), None),
    "erbp-error-ratio": (programs.erbp_error(10), None),
    "random-1": (random_program(1), ErbpRule(-3000, 3000, 2)),
    "random-2": (random_program(2), ErbpRule(-(1 << 15), 1 << 15, 0)),
}
"""Neuron programs that the neuron unit is run with, and the plasticity rules that go with them."""


# --- cases -------------------------------------------------------------------------------------------


def _neuron_units() -> Iterator[Case]:
    for number, (name, (program, rule)) in enumerate(PROGRAMS.items()):
        widths = (16, 12)[: program.n_ports] if "hidden" in name else (16, 16)[: program.n_ports]
        options = {"program": program, "rule": rule, "lanes": 1 + number % 3, "port_widths": widths}
        yield Case(name, options, BOTH if name in ("erbp-hidden-options", "random-1") else ICARUS)


def _files() -> Iterator[Case]:
    for depth, latency in ((1, 0), (2, 1), (3, 1), (4, 2), (9, 2)):
        yield Case(
            f"depth-{depth}",
            {"depth": depth, "width": 12},
            BOTH if depth in (3, 9) else ICARUS,
            {"kind": "file", "latency": latency},
        )


def _synapse_memories() -> Iterator[Case]:
    for latency, depth in ((2, 7), (3, 16)):
        options = {"depth": depth, "width": 24, "latency": latency}
        yield Case(f"latency-{latency}", options, BOTH, {"kind": "synapses", "latency": latency})


def _feedback_ports() -> Iterator[Case]:
    for kind, network, number, lanes in (
        ("sign", _small(), 0, 5),
        ("sign-one-word", _small(), 0, 13),
        ("sign-one-lane", _small(), 0, 1),
        ("wide", _small(n_classes=5), 0, 3),
        ("wide-two-words", _small(n_classes=3), 0, 7),
        ("direct", _small(), 1, 4),
        ("direct-three-words", _small(n_classes=5), 1, 2),
    ):
        simulators = BOTH if kind in ("sign", "wide") else ICARUS
        yield Case(kind, {"network": network, "number": number, "lanes": lanes}, simulators)


def _weight_accesses() -> Iterator[Case]:
    for n, lanes, width in ((7, 3, 8), (5, 5, 12), (6, 1, 4), (8, 4, 16), (1, 1, 8)):
        yield Case(
            f"{n}-neurons-{lanes}-lanes-{width}-bits",
            {"n_neurons": n, "lanes": lanes, "width": width},
            BOTH if n == 7 else ICARUS,
        )


def _encoders() -> Iterator[Case]:
    yield Case("bernoulli", {"network": _small(n_inputs=21, n_ticks=9)}, BOTH)
    yield Case("bernoulli-one-input", {"network": _small(n_inputs=1, n_ticks=5)})
    yield Case("bernoulli-delay-3", {"network": _small(n_inputs=18, n_ticks=7, feedback_delay=3)})
    yield Case("phase", {"network": _small(n_inputs=22, n_ticks=9, encoder="phase")}, BOTH)
    yield Case("phase-wide", {"network": _small(n_inputs=300, n_ticks=4, encoder="phase")})


def _prediction_units() -> Iterator[Case]:
    for name, network, lanes in (
        ("tiny", _small(), 4),
        ("one-lane", _small(quiet_ticks=1), 1),
        ("odd-classes", _small(n_classes=5, quiet_ticks=2), 3),
        ("two-classes", _small(n_classes=2, quiet_ticks=0), 2),
        ("ten-classes", _small(n_classes=10), 4),
        ("error-9-10", replace(_small(), error=ErrorNeurons(9, 10)), 3),
        ("error-255", replace(_small(n_classes=3), error=ErrorNeurons(255, 255)), 3),
    ):
        simulators = BOTH if name in ("odd-classes", "error-9-10") else ICARUS
        yield Case(name, {"network": network, "hardware": Hardware(lanes=lanes)}, simulators)


def _layers() -> Iterator[Case]:
    def case(
        name: str,
        network: Network,
        *,
        number: int = 0,
        lanes: int = 5,
        latency: int = 2,
        simulators: tuple[SimulatorName, ...] = ICARUS,
        **stimuli: Any,
    ) -> Case:
        hardware = Hardware(lanes=lanes, memory_latency=latency)
        return Case(name, {"network": network, "number": number, "hardware": hardware}, simulators, stimuli)

    for lanes in (1, 3, 4, 5, 7, 13):
        yield case(f"lanes-{lanes}", _small(), lanes=lanes, simulators=BOTH if lanes == 5 else ICARUS)
    for lanes in (3, 4, 13):
        yield case(f"latency-3-lanes-{lanes}", _small(), lanes=lanes, latency=3)
    for width in (4, 12, 16):
        yield case(f"width-{width}", _small(weight_width=width), lanes=7, latency=2 + width % 3 % 2)
    blanked = _small(synapse_keep=160, neuron_keep=180)
    yield case("blank-out", blanked, simulators=BOTH)
    yield case("blank-out-one-word", _small(synapse_keep=100, neuron_keep=224), lanes=13)
    paper: dict[str, Any] = {"leak_shift": 4, "synapse_shift": 3, "noise_shift": 2, "refractory": 2}
    yield case("paper-options", _small(**paper), lanes=4)
    yield case("paper-options-one-lane", _small((5,), **paper), lanes=1, latency=3)
    yield case("first-tick-3", _small(first_tick=3), lanes=6)
    yield case("delay-3", _small(feedback_delay=3), lanes=7)
    yield case("wide-feedback", _small(n_classes=5), lanes=4)
    yield case("output", _small(), number=1, lanes=4, simulators=BOTH)
    yield case("output-lanes-3", _small((6,), n_classes=10), number=1, lanes=3)
    yield case("output-lanes-1", _small((6,), n_classes=3), number=1, lanes=1)
    yield case("output-no-margin", _small((6,), margin=0), number=1, lanes=2)
    yield case("output-12-bit-noise", _small((6,), weight_width=12, noise_shift=1), number=1, lanes=4)
    yield case("one-neuron", _small((1,), feedback="wide", n_classes=5), lanes=1)
    yield case("fixed-weights", _plain_layer(programs.lif_second_order(threshold=300)), lanes=5)
    yield case("mihalas-niebur", _plain_layer(programs.mihalas_niebur(5, 10, -0.6)), lanes=4)
    # So many rows of the largest weights saturate the input port at both ends.
    yield case("saturation", _small((4,), n_inputs=300), lanes=2, saturate=True, simulators=BOTH)
    yield case("saturation-4-bit", _small((3,), n_inputs=320, weight_width=4), lanes=3, saturate=True)


def _arrays() -> Iterator[Case]:
    def case(
        name: str,
        network: Network,
        lanes: int,
        depth: int = 4,
        latency: int = 2,
        simulators: tuple[SimulatorName, ...] = ICARUS,
    ) -> Case:
        hardware = Hardware(lanes=lanes, fifo_depth=depth, memory_latency=latency)
        return Case(name, {"network": network, "hardware": hardware}, simulators)

    tiny = _small((12,), gain=12)
    yield case("tiny", tiny, 12, simulators=BOTH)
    yield case("lanes-1", _small((6,), n_inputs=9, n_ticks=8), 1, 64)
    yield case("tiny-lanes-5-seed-2", _small((12,), seed=2), 5, 2, 3)
    yield case("single-layer", _small((), n_classes=6, n_inputs=20), 4, simulators=BOTH)
    yield case("single-layer-delay-2", _small((), n_classes=3, feedback_delay=2), 2, 2)
    deep = _small((9, 7), n_inputs=10, n_classes=3, n_ticks=8, feedback_delay=3)
    yield case("two-hidden-delay-3", deep, 3, 2, simulators=BOTH)
    yield case("two-hidden-lanes-9", _small((9, 7), n_inputs=10, n_classes=4, n_ticks=8, seed=5), 9)
    phase = _small((10,), encoder="phase", n_inputs=14, n_classes=5, decide_after=2, feedback_delay=2)
    yield case("phase", phase, 4, simulators=BOTH)
    options: dict[str, Any] = {"leak_shift": 4, "synapse_shift": 3, "noise_shift": 2, "refractory": 1}
    paper = _small((8,), error=(9, 10), synapse_keep=200, neuron_keep=200, weight_width=12, **options)
    yield case("paper-options", paper, 3, 4, 3, simulators=BOTH)


_CASES: dict[type[Component], tuple[Any, str, Iterator[Case], Callable[..., Component] | None]] = {
    Generator: (
        rng.Generator,
        "rng",
        iter([Case("salt", {"salt": 0x9E3779B9}, BOTH), Case("salt-1", {"salt": 1})]),
        None,
    ),
    NoiseBank: (
        rng.Generator.noise,
        "rng",
        iter(
            Case(f"lanes-{lanes}", {"salt": 0x1234567, "lanes": lanes, "n_neurons": n}, simulators)
            for lanes, n, simulators in ((1, 4, ICARUS), (3, 7, BOTH), (5, 5, ICARUS), (4, 8, ICARUS))
        ),
        None,
    ),
    WordFile: (list, "memories", _files(), None),
    WordRom: (
        list,
        "memories",
        iter([Case("five-words", {"words": [5, 4095, 0, 77, 2048], "width": 12}, BOTH, {"kind": "rom"})]),
        None,
    ),
    SynapseMemory: (list, "memories", _synapse_memories(), None),
    NeuronUnit: (Population.sweep, "neuron_unit", _neuron_units(), None),
    FeedbackGate: (list, "feedback", iter([Case("tiny", {"network": _small()}, BOTH)]), None),
    FeedbackPort: (ErbpLayer.feedback, "feedback", _feedback_ports(), None),
    WeightAccess: (list, "weight_access", _weight_accesses(), None),
    SampleBuffer: (
        list,
        "sample_buffer",
        iter(Case(f"inputs-{n}", {"n_inputs": n}, BOTH if n == 21 else ICARUS) for n in (1, 4, 21, 64)),
        None,
    ),
    Encoder: (encoder_of, "encoder", _encoders(), None),
    SpikeSerializer: (
        list,
        "serializer",
        iter(Case(f"lanes-{n}", {"lanes": n}, BOTH if n == 37 else ICARUS) for n in (1, 5, 16, 37)),
        None,
    ),
    PredictionUnit: (ErbpPrediction, "prediction", _prediction_units(), None),
    Fork: (list, "fork", iter([Case("readers-3", {"shape": 11, "readers": 3, "depth": 4}, BOTH)]), None),
    Queue: (
        list,
        "fork",
        iter([Case("depth-2", {"shape": 9, "depth": 2}), Case("depth-5", {"shape": 9, "depth": 5}, BOTH)]),
        None,
    ),
    LayerEngine: (ErbpLayer, "layer", _layers(), ProbedLayer),
    ErbiumArray: (ArrayModel, "array", _arrays(), ProbedArray),
}

REGISTRY: dict[str, Entry] = {
    component.__name__: Entry(component, model, bench, tuple(cases), top)
    for component, (model, bench, cases, top) in _CASES.items()
}
"""Every component that has a bench of its own, by name."""

COVERED_BY = {"LayerControl": "LayerEngine", "LayerPipeline": "LayerEngine"}
"""Components that cannot be told apart from their parent's behaviour, and the component whose bench covers them."""


def current() -> Case:
    """Return the case that this simulation runs."""
    name, case = os.environ[BENCH_VARIABLE].split("/")
    return REGISTRY[name].case(case)
