# SPDX-License-Identifier: BSD-2-Clause
"""Every public component of the hardware: how to build it, its model, its bench, and the cases to run."""

from __future__ import annotations

import itertools
import os
import random
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from amaranth.lib.wiring import Component

from erbium.gen.flash_image import play
from erbium.gen.presets import erbp_network, first_spike_network, preset
from erbium.hdl.array import ErbiumArray
from erbium.hdl.bus_chip import AxiChip, WishboneChip
from erbium.hdl.causal_fifo import CausalFifo
from erbium.hdl.chip import ErbiumChip, FrameChip
from erbium.hdl.cobs import CobsDecoder, CobsEncoder
from erbium.hdl.core.chip import FrameCore
from erbium.hdl.core.engine import CoreEngine
from erbium.hdl.core.link_map import CoreMap
from erbium.hdl.counter_bank import Count, CounterBank
from erbium.hdl.crc import Crc
from erbium.hdl.encoder import Encoder
from erbium.hdl.feedback_gate import FeedbackGate
from erbium.hdl.feedback_port import FeedbackPort
from erbium.hdl.first_spike_prediction import FirstSpikePrediction
from erbium.hdl.flash.block_reader import BlockReader
from erbium.hdl.flash.instructions import ADDRESS_BITS
from erbium.hdl.flash.link import FlashLink, FlashPort
from erbium.hdl.flash.processor import Processor
from erbium.hdl.flash.reader import FlashReader
from erbium.hdl.flash.sample_draw import SampleDraw
from erbium.hdl.flash.sample_player import SamplePlayer
from erbium.hdl.flash.small_link import SmallFlashLink
from erbium.hdl.fork import Fork, Queue
from erbium.hdl.frame import FrameReceiver, FrameSender
from erbium.hdl.host_link import HostLink, MessageLink
from erbium.hdl.layer import LayerEngine
from erbium.hdl.neuron_unit import NeuronUnit
from erbium.hdl.plan import LayerPlan
from erbium.hdl.prediction import PredictionUnit
from erbium.hdl.registers import RegisterMap
from erbium.hdl.rng import Generator, NoiseBank
from erbium.hdl.sample_buffer import SampleBuffer
from erbium.hdl.sample_count import SampleCount
from erbium.hdl.sample_split import SampleSplit
from erbium.hdl.serializer import SpikeSerializer
from erbium.hdl.sign_popcount import SignPopcount
from erbium.hdl.skid import Skid
from erbium.hdl.synapse_memory import SynapseMemory
from erbium.hdl.tick_merge import MergeInput, TickMerge
from erbium.hdl.tokens import EventToken
from erbium.hdl.uart import UartReceiver, UartTransmitter
from erbium.hdl.weight_access import WeightAccess
from erbium.hdl.word_file import WordFile, WordRom
from erbium.sw_model import first_spike, programs, rng
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.constants import image_shifts
from erbium.sw_model.datasets import shift_images
from erbium.sw_model.description.chain import chain
from erbium.sw_model.description.machine import CoreHardware
from erbium.sw_model.encoder import encoder_of
from erbium.sw_model.erbp import ErbpLayer, ErbpPrediction
from erbium.sw_model.graph_model.array import GraphModel
from erbium.sw_model.graph_model.merge import merged
from erbium.sw_model.layer import LayerModel
from erbium.sw_model.network import Hardware, Layer, Network
from erbium.sw_model.neuron import Population
from erbium.sw_model.programs import MAX_OPERATIONS, MAX_SHIFT, NeuronProgram, Operation, ResetMode
from erbium.sw_model.rules import ErbpRule, ErrorNeurons, ThreeFactorRule
from erbium.verif.bus_model import BusModel
from erbium.verif.flash_model import FlashedChip, FlashedReader
from erbium.verif.link_array import ModelledArray
from erbium.verif.link_model import LinkModel
from erbium.verif.machines import competing, rewarded
from erbium.verif.probes import ProbedArray, ProbedLayer
from erbium.verif.processor_model import ProcessorModel, random_instructions
from erbium.verif.simulators import SimulatorName

BENCH_VARIABLE = "ERBIUM_BENCH"
ICARUS: tuple[SimulatorName, ...] = ("icarus",)
VERILATOR: tuple[SimulatorName, ...] = ("verilator",)
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
    bench : str
        Module of ``erbium.verif.benches`` if it is not that of the component.
    """

    name: str
    options: Mapping[str, Any]
    simulators: tuple[SimulatorName, ...] = ICARUS
    stimuli: Mapping[str, Any] = field(default_factory=dict)
    bench: str = ""


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
    packages : tuple of str
        Distributions that the bench needs beside cocotb.
    measured : tuple of Case
        Cases that take minutes: ``erbium bench`` runs them, and ``erbium verify`` by name.
    """

    component: type[Component]
    model: Any
    bench: str
    cases: tuple[Case, ...]
    top: Callable[..., Component] | None = None
    packages: tuple[str, ...] = ()
    measured: tuple[Case, ...] = ()

    @property
    def name(self) -> str:
        """Name of the component."""
        return str(self.component.__name__)

    def build(self, case: Case) -> Component:
        """Return the device under test."""
        return (self.top or self.component)(**case.options)

    def bench_of(self, case: Case) -> str:
        """Return the name of the module of ``erbium.verif.benches`` that a case runs."""
        return case.bench or self.bench

    def bench_file(self, case: Case) -> Path:
        """Return where that module lies."""
        return Path(__file__).parent / "benches" / f"{self.bench_of(case)}.py"

    def case(self, name: str) -> Case:
        """Return the case of this name."""
        return next(case for case in (*self.cases, *self.measured) if case.name == name)


# --- networks and programs ---------------------------------------------------------------------------


def _small(hidden: tuple[int, ...] = (13,), *, gain: int = 255, **options: Any) -> Network:
    """Return a network that a bench runs through in a second; its high gain makes most weights move."""
    defaults = {"n_inputs": 16, "n_classes": 4, "n_ticks": 16}
    network = erbp_network("bench", hidden, **(defaults | options))
    return replace(network, layers=tuple(replace(layer, gain=gain) for layer in network.layers))


def _first(hidden: tuple[int, ...] = (13,), **options: Any) -> Network:
    """Return a first-spike network as small, whose thresholds let about half of the neurons spike."""
    scale = {"n_inputs": 16, "n_classes": 4, "n_ticks": 8, "margin": 3, "deadline": 6} | options
    thresholds = scale.pop("thresholds", (200,) * (len(hidden) + 1))
    return first_spike_network("bench", hidden, thresholds=thresholds, **scale)


LATE = ((200, 0), (100, 2), (0, 5))
"""Levels of a latency encoder with late pixels: black ones spike, too."""


def _counter_banks() -> Iterator[Case]:
    """Counters of one network, one alone, more than 16, and one whose words overflow."""
    mixed = [
        Count(),
        Count(most=4),
        Count(spacing=7, factor=160),
        Count(most=3, spacing=2, factor=10),
        Count(),
    ]
    for name, counts, simulators in (
        ("five", mixed, BOTH),
        ("one", mixed[1:2], ICARUS),
        ("twenty", 4 * mixed, ICARUS),
        ("overflow", [Count(factor=(1 << 41) + 1), Count(most=9, factor=(1 << 36) - 3)], ICARUS),
    ):
        yield Case(name, {"counts": counts}, simulators)


def _plain_layer(program: NeuronProgram, n: int = 13) -> Network:
    """Return a network whose first layer neither learns nor gets feedback."""
    network = _small()
    first = Layer(n_neurons=n, program=program, rule=None, weight_bound=100)
    return replace(network, layers=(first, network.layers[-1]))


def _without_rule(network: Network) -> Network:
    """Return a network whose first layer does not learn."""
    return replace(network, layers=(replace(network.layers[0], rule=None), *network.layers[1:]))


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


def two_resets() -> NeuronProgram:
    """Return a program that holds its membrane, and sets a second state too, which goes on while it rests."""
    operations = (Operation(0, "u0"), Operation(1, "u0", 1), Operation(1, "x1", 2, -1))
    modes: tuple[ResetMode, ...] = ("set", "set")
    return NeuronProgram(
        name="two-resets",
        states=("v", "i"),
        operations=operations,
        n_ports=1,
        threshold=500,
        reset_mode=modes,
        reset_value=(-20, 70),
        refractory=3,
        hold=True,
    )


PROGRAMS: dict[str, tuple[NeuronProgram, ThreeFactorRule | None]] = {
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
    "two-resets": (two_resets(), None),
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
        if number % 2:
            yield Case(f"{name}-short", options | {"short": True}, BOTH if number == 1 else ICARUS)


def _files() -> Iterator[Case]:
    for depth, width, latency in (
        (1, 12, 0),
        (2, 12, 1),
        (3, 12, 1),
        (4, 12, 1),
        (9, 12, 1),
        (17, 12, 2),
        (400, 34, 2),
    ):
        yield Case(
            f"depth-{depth}",
            {"depth": depth, "width": width},
            BOTH if depth in (3, 9) else ICARUS,
            # One of RAM is read and written like a memory of synapses: never the same word at once.
            {"kind": "file", "latency": latency, "collides": depth > 3},
        )
    for depth in (1, 3, 9):
        options: dict[str, Any] = {"depth": depth, "width": 12, "registered": False}
        stimuli = {"kind": "file", "latency": min(depth - 1, 1), "collides": depth > 3}
        yield Case(f"depth-{depth}-unregistered", options, BOTH if depth == 9 else ICARUS, stimuli)


def _roms() -> Iterator[Case]:
    yield Case("five-words", {"words": [5, 4095, 0, 77, 2048], "width": 12}, BOTH, {"kind": "rom"})
    # A synthesis makes block RAM of these; the test of the netlists runs on them.
    for depth, width in ((700, 12), (3000, 3)):
        draw = random.Random(depth)
        words = [draw.getrandbits(width) for _ in range(depth)]
        yield Case(f"{depth}-words", {"words": words, "width": width}, ICARUS, {"kind": "rom"})


def _synapse_memories() -> Iterator[Case]:
    for latency, depth in ((2, 7), (3, 16)):
        options: dict[str, Any] = {"depth": depth, "width": 24, "latency": latency}
        yield Case(f"latency-{latency}", options, BOTH, {"kind": "synapses", "latency": latency})
    # Of one bank or more, whole or not, and of blocks that are not used in full.
    for kind, depth, width in (
        ("ecp5", 5, 20),
        ("ecp5", 1500, 9),
        ("ecp5", 2500, 40),
        ("ecp5", 6144, 12),
        # So many blocks that they take several copies of an address.
        ("ecp5", 3000, 160),
        ("spram", 40, 24),
        ("spram", 50, 8),
        ("spram", 70_000, 5),
        ("spram", 20_000, 16),
    ):
        latency = 2 if kind == "spram" and width <= 8 else 3
        options = {"depth": depth, "width": width, "latency": latency, "kind": kind}
        stimuli = {"kind": "synapses", "latency": latency, "ports": 1 if kind == "spram" else 2}
        yield Case(f"{kind}-{depth}", options, BOTH, stimuli)
    for kind, depth, width in (("generic", 40, 24), ("ecp5", 40, 20), ("ecp5", 3000, 160)):
        options = {"depth": depth, "width": width, "latency": 3, "kind": kind, "two_reads": True}
        yield Case(f"two-reads-{kind}-{depth}", options, BOTH, {"kind": "synapses", "latency": 3})


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
        yield Case(kind, {"plan": LayerPlan(network, number, Hardware(lanes=lanes))}, simulators)
    for lanes, units in ((5, 2), (13, 4)):
        plan = LayerPlan(_small(), 0, Hardware(lanes=lanes, neuron_units=units))
        yield Case(f"sign-parts-{plan.parts}", {"plan": plan})


def _weight_accesses() -> Iterator[Case]:
    for n, lanes, width in ((7, 3, 8), (5, 5, 12), (6, 1, 4), (8, 4, 16), (1, 1, 8)):
        yield Case(
            f"{n}-neurons-{lanes}-lanes-{width}-bits",
            {"n_neurons": n, "lanes": lanes, "width": width},
            BOTH if n == 7 else ICARUS,
        )


def _encoders() -> Iterator[Case]:
    def case(
        name: str,
        network: Network,
        simulators: tuple[SimulatorName, ...] = ICARUS,
        begin_pieces: int = 1,
        pixels: int = 4,
        rows: int = 1,
    ) -> Case:
        hardware = Hardware(begin_pieces=begin_pieces, encoder_pixels=pixels, rows_per_clock=rows)
        return Case(name, {"network": network, "hardware": hardware}, simulators)

    yield case("bernoulli", _small(n_inputs=21, n_ticks=9), BOTH)
    yield case("bernoulli-pieces-4", _small(n_inputs=21, n_ticks=9), begin_pieces=4)
    yield case("bernoulli-one-input", _small(n_inputs=1, n_ticks=5))
    yield case("bernoulli-delay-3", _small(n_inputs=18, n_ticks=7, feedback_delay=3))
    yield case("phase", _small(n_inputs=22, n_ticks=9, encoder="phase"), BOTH)
    yield case("phase-wide", _small(n_inputs=300, n_ticks=4, encoder="phase"))
    yield case("latency", _first(n_inputs=21), BOTH)
    yield case("latency-one-input", _first(n_inputs=1, levels=((1, 0),), thresholds=(60, 200)))
    late = _first(n_inputs=22, levels=LATE, margin=4, feedback_delay=3)
    yield case("latency-late-pixels", late, BOTH)
    yield case("latency-late-pixels-pieces-3", late, begin_pieces=3)
    eight = (*((240 - 30 * k, k + 1) for k in range(7)), (0, 9))
    yield case("latency-8-levels", _first(n_inputs=40, n_ticks=10, levels=eight))
    one = _small(n_inputs=21, n_ticks=9)
    yield case("one-pixel-bernoulli", one, BOTH, begin_pieces=4, pixels=1)
    yield case("one-pixel-one-input", _small(n_inputs=1, n_ticks=5), pixels=1)
    yield case("one-pixel-phase", _small(n_inputs=22, n_ticks=9, encoder="phase"), pixels=1)
    yield case("one-pixel-latency", _first(n_inputs=32), BOTH, begin_pieces=4, pixels=1)
    yield case("one-pixel-late-pixels", late, pixels=1)
    for name, network in (
        ("bernoulli", _small(n_inputs=21, n_ticks=9)),
        ("phase", _small(n_inputs=22, n_ticks=9, encoder="phase")),
        ("latency", _first(n_inputs=22, levels=((200, 0), (100, 2), (17, 5)), margin=4, feedback_delay=3)),
    ):
        for pixels in (1, 4):
            seen = replace(network, pixel_bits=4)
            yield case(
                f"nibbles-{name}-{pixels}", seen, BOTH if name == "bernoulli" else ICARUS, pixels=pixels
            )
    yield case("two-spikes-bernoulli", _small(n_inputs=45, n_ticks=9), BOTH, rows=2)
    yield case("two-spikes-phase", _small(n_inputs=22, n_ticks=9, encoder="phase"), begin_pieces=3, rows=2)
    yield case("two-spikes-one-input", _small(n_inputs=1, n_ticks=5), rows=2)


def _sample_buffers() -> Iterator[Case]:
    for n in (1, 4, 21, 64, 784):
        yield Case(f"inputs-{n}", {"n_inputs": n}, BOTH if n == 21 else ICARUS)
    for name, n, levels in (("binary", 21, ((128, 0),)), ("one-input", 1, LATE), ("late-pixels", 19, LATE)):
        yield Case(name, {"n_inputs": n, "levels": levels}, BOTH if n == 19 else ICARUS)
    yield Case("nibbles", {"n_inputs": 21, "pixel_bits": 4})
    yield Case("nibbles-late-pixels", {"n_inputs": 19, "levels": LATE, "pixel_bits": 4})


def _sign_popcounts() -> Iterator[Case]:
    for n, lanes in ((1, 1), (10, 10), (16, 16), (17, 17), (17, 5), (64, 64), (65, 64), (65, 16), (256, 64)):
        options = {"n_neurons": n, "lanes": lanes}
        yield Case(f"{n}-neurons-{lanes}-lanes", options, BOTH if (n, lanes) == (65, 16) else ICARUS)
    yield Case("256-neurons-1-lane", {"n_neurons": 256, "lanes": 1})


def _forks() -> Iterator[Case]:
    yield Case("readers-3", {"shape": 11, "readers": 3, "depth": 4}, BOTH)
    yield Case("prompt", {"shape": 11, "readers": 3, "depth": 4, "prompt": True}, BOTH)
    for readers in (1, 2, 3):
        options = {"shape": 11, "readers": readers, "depth": 7, "in_turn": True}
        yield Case(f"in-turn-{readers}", options, BOTH if readers == 3 else ICARUS)


def _tick_merges() -> Iterator[Case]:
    two = (MergeInput(5), MergeInput(3, first_row=5))
    yield Case("inputs-1", {"inputs": (MergeInput(9),)})
    yield Case("inputs-2", {"inputs": two}, BOTH)
    yield Case("pieces-4", {"inputs": two, "begin_pieces": 4})
    yield Case("delays", {"inputs": (MergeInput(4, 0, 2), *two, MergeInput(6, 12, 1))}, BOTH)
    kinds = (MergeInput(3, kind="constant"), MergeInput(4, 3), MergeInput(2, 7, kind="label"))
    yield Case("kinds", {"inputs": (*kinds, MergeInput(3, 9, delay=2, kind="constant"))}, BOTH)
    learned = (MergeInput(2, learned=True), MergeInput(5, 2, begins=False), MergeInput(4, 7, kind="label"))
    yield Case("learned", {"inputs": learned, "begin_pieces": 4})
    paced = (MergeInput(2, 0, 1), MergeInput(3, 2, kind="constant", learned=True), MergeInput(8, kind="pace"))
    yield Case("paced", {"inputs": paced})
    yield Case("last-delayed-3", {"inputs": (MergeInput(1), MergeInput(4, 1, 3))})


def _sample_splits() -> Iterator[Case]:
    yield Case("two", {"sizes": (5, 3)}, BOTH)
    yield Case("three", {"sizes": (1, 7, 2)})


def _serializers() -> Iterator[Case]:
    for lanes in (1, 5, 16, 37):
        yield Case(f"lanes-{lanes}", {"lanes": lanes}, BOTH if lanes in (1, 37) else ICARUS)
    for lanes in (1, 3):
        options = {"lanes": lanes, "n_neurons": 300, "begin_pieces": 4}
        yield Case(f"lanes-{lanes}-pieces-4", options)
    for lanes in (1, 5, 16, 70):
        options = {"lanes": lanes, "at_once": 2}
        yield Case(f"two-spikes-lanes-{lanes}", options, BOTH if lanes == 70 else ICARUS)
    options = {"lanes": 19, "n_neurons": 300, "begin_pieces": 4, "at_once": 2}
    yield Case("two-spikes-pieces-4", options)


def _causal_fifos() -> Iterator[Case]:
    for n, n_ticks in ((1, 1), (2, 8), (5, 16), (16, 16), (9, 300)):
        options = {"n_inputs": n, "n_ticks": n_ticks}
        yield Case(f"{n}-inputs", options, BOTH if n == 5 else ICARUS)


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
    for n_classes, lanes, simulators in ((10, 10, BOTH), (5, 5, ICARUS), (7, 4, ICARUS), (5, 3, ICARUS)):
        hardware = Hardware(lanes=lanes, rows_per_clock=2)
        options = {"network": _small(n_classes=n_classes, quiet_ticks=1), "hardware": hardware}
        yield Case(f"pairs-{n_classes}-classes-{lanes}-lanes", options, simulators)
    narrow = Hardware(lanes=1, begin_pieces=4)
    yield Case("narrow", {"network": _small(n_classes=10, seed=3), "hardware": narrow}, BOTH)


def _first_spike_predictions() -> Iterator[Case]:
    for name, network, lanes in (
        ("tiny", _first(), 4),
        ("one-lane", _first(n_classes=5, margin=1, deadline=8), 1),
        ("three-lanes", _first(n_classes=10, n_ticks=12, margin=4), 3),
        ("two-classes", _first(n_classes=2, feedback_delay=1), 2),
        ("earliest-only", _first(n_classes=7, earliest_only=True), 3),
        ("earliest-only-one-word", _first(n_classes=5, earliest_only=True, deadline=1), 64),
        ("delay-5", _first(n_classes=6, margin=3, feedback_delay=5), 4),
        ("delay-1-margin-5", _first(n_classes=3, margin=5, feedback_delay=1), 2),
        ("one-tick", _first(n_classes=4, n_ticks=1, margin=1, deadline=1), 3),
        ("17-classes", _first(n_classes=17), 17),
        ("256-classes", _first(n_classes=256), 64),
    ):
        simulators = BOTH if name in ("three-lanes", "earliest-only") else ICARUS
        yield Case(name, {"network": network, "hardware": Hardware(lanes=lanes)}, simulators)
    narrow = Hardware(lanes=1, begin_pieces=4)
    yield Case("narrow", {"network": _first(n_classes=10, margin=2), "hardware": narrow}, BOTH)


def _layer_case(
    name: str,
    network: Network,
    *,
    number: int = 0,
    lanes: int = 5,
    latency: int = 2,
    memories: tuple[str, ...] = (),
    short: bool = False,
    units: int = 0,
    rows: int = 1,
    simulators: tuple[SimulatorName, ...] = ICARUS,
    bench: str = "",
    **stimuli: Any,
) -> Case:
    hardware = Hardware(
        lanes=lanes,
        memory_latency=latency,
        layer_memories=memories,
        short_pipelines=short,
        neuron_units=units,
        rows_per_clock=rows,
    )
    options = {"network": network, "number": number, "hardware": hardware}
    return Case(name, options, simulators, stimuli, bench)


def _layers() -> Iterator[Case]:
    case = _layer_case
    for lanes in (1, 3, 4, 5, 7, 13):
        yield case(f"lanes-{lanes}", _small(), lanes=lanes, simulators=BOTH if lanes == 5 else ICARUS)
    # More lanes than a group has.
    yield case("two-groups", _small((37,)), lanes=19, simulators=BOTH)
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
    for lanes in (1, 3, 4, 13):
        yield case(
            f"spram-lanes-{lanes}",
            _small(first_tick=1 + lanes % 3),
            lanes=lanes,
            memories=("spram",),
            simulators=BOTH if lanes == 3 else ICARUS,
        )
    # One lane: words in pairs, of an even and of an odd number of neurons.
    spram: dict[str, Any] = {"memories": ("spram",), "short": True}
    yield case("spram-pairs", _small((12,)), lanes=1, **spram, simulators=BOTH)
    yield case("spram-pairs-odd", _small((5,), weight_width=6), lanes=1, **spram)
    yield case("spram-pairs-two-lanes", _small((14,), weight_width=4), lanes=2, memories=("spram",))
    for lanes in (1, 3, 5, 13):
        yield case(f"short-lanes-{lanes}", _small(**paper), lanes=lanes, short=True)
        yield case(
            f"short-output-lanes-{lanes}", _small((6,), n_classes=10), number=1, lanes=lanes, short=True
        )
    yield case("short-blank-out", blanked, short=True)
    # Nothing learns, so nothing but its feedback makes the layer wait after a sweep.
    yield case("feedback-only", _without_rule(_small()), lanes=13, latency=3)
    # Fewer neuron units than lanes: words in parts, of one size or not, of one word or several, of two groups of lanes.
    for lanes, units in ((4, 2), (5, 3), (7, 2), (13, 4), (13, 1)):
        yield case(
            f"units-{units}-lanes-{lanes}",
            _small(),
            lanes=lanes,
            units=units,
            simulators=BOTH if lanes == 5 else ICARUS,
        )
    yield case("units-paper-options", _small(**paper), lanes=7, units=3, latency=3)
    yield case("units-two-groups", _small((37,)), lanes=19, units=5, simulators=BOTH)
    yield case("units-blank-out", blanked, lanes=6, units=2)
    yield case("units-output", _small(n_classes=6), number=1, lanes=6, units=2)
    yield case("units-short", _small(**paper), lanes=5, units=2, short=True)
    yield case("units-long", _small((40,)), lanes=4, units=1)
    yield case("spram-output", _small(), number=1, lanes=4, memories=("generic", "spram"))
    yield case("ecp5", _small(), lanes=4, memories=("ecp5",), simulators=BOTH)
    # Two rows a clock: rows of one word and of several, of a power of two or not; in block RAM; in parts; saturating.
    for lanes in (1, 3, 4, 13):
        yield case(f"rows-2-lanes-{lanes}", _small(), lanes=lanes, rows=2)
    yield case("rows-2-two-groups", _small((37,)), lanes=37, units=8, rows=2, simulators=BOTH)
    yield case(
        "rows-2-ecp5", _small((13,), n_inputs=40), lanes=13, memories=("ecp5",), rows=2, simulators=BOTH
    )
    yield case("rows-2-latency-3", _small(first_tick=3), lanes=7, latency=3, rows=2)
    for width in (4, 12, 16):
        yield case(f"rows-2-width-{width}", _small(weight_width=width), lanes=13, rows=2)
    yield case("rows-2-paper-options", _small(**paper), lanes=13, rows=2)
    yield case("rows-2-output", _small(), number=1, lanes=4, rows=2, simulators=BOTH)
    yield case("rows-2-output-no-margin", _small((6,), margin=0), number=1, lanes=2, rows=2)
    yield case(
        "rows-2-fixed-weights", _plain_layer(programs.lif_second_order(threshold=300)), lanes=5, rows=2
    )
    yield case(
        "rows-2-saturation", _small((4,), n_inputs=540), lanes=4, rows=2, saturate=True, simulators=BOTH
    )


def _first_spike_layers() -> Iterator[Case]:
    def case(name: str, network: Network, **options: Any) -> Case:
        return _layer_case(f"first-spike-{name}", network, bench="first_spike_layer", **options)

    for lanes in (1, 3, 5, 7, 13):
        yield case(f"lanes-{lanes}", _first(), lanes=lanes, simulators=BOTH if lanes == 5 else ICARUS)
        later = _first((9, 13))
        yield case(
            f"later-lanes-{lanes}", later, number=1, lanes=lanes, simulators=BOTH if lanes == 5 else ICARUS
        )
    yield case("later-two-groups", _first((9, 37)), number=1, lanes=18, simulators=BOTH)
    yield case("latency-3", _first(), lanes=4, latency=3)
    yield case("later-latency-3", _first((9, 13)), number=1, lanes=4, latency=3)
    yield case("levels", _first(levels=LATE), lanes=4, simulators=BOTH)
    decay = _first(current_shifts=(4, 3), thresholds=(300, 200), weight_width=12, step=5)
    yield case("decay-12-bit", decay, lanes=7)
    yield case("blank-out", _first((13, 11), neuron_keep=160, weight_width=6), number=1, lanes=4)
    yield case("output", _first((11,)), number=1, lanes=4, simulators=BOTH)
    yield case("output-lanes-3", _first((12,), n_classes=10), number=1, lanes=3)
    yield case("output-lanes-1", _first((6,), n_classes=3, current_shifts=(4, 3)), number=1, lanes=1)
    yield case("two-inputs", _first((2,), n_classes=3), number=1, lanes=3)
    yield case("one-word-latency-3", _first((5,), n_classes=3), lanes=5, latency=3)
    yield case("one-neuron", _first((1,), n_classes=3), lanes=1)
    yield case("long", _first((11,), n_ticks=300, margin=4), number=1, lanes=2)
    for lanes in (1, 3, 13):
        yield case(f"spram-lanes-{lanes}", _first(), lanes=lanes, memories=("spram",))
    for lanes in (1, 4, 13):
        later = _first((9, 13))
        yield case(f"short-spram-lanes-{lanes}", _first((12,)), lanes=lanes, memories=("spram",), short=True)
        yield case(f"later-short-lanes-{lanes}", later, number=1, lanes=lanes, short=True)
        yield case(f"later-spram-lanes-{lanes}", later, number=1, lanes=lanes, memories=("generic", "spram"))
        units = -(-lanes // 2)
        yield case(f"units-{units}-lanes-{lanes}", _first(), lanes=lanes, units=units)
        yield case(f"later-units-{units}-lanes-{lanes}", later, number=1, lanes=lanes, units=units)
    yield case("later-units-4-lanes-7", _first((9, 13)), number=1, lanes=7, units=4)
    yield case("later-units-two-groups", _first((9, 37)), number=1, lanes=18, units=7, simulators=BOTH)
    yield case("units-levels", _first(levels=LATE), lanes=5, units=2)
    yield case("units-output", _first((12,), n_classes=10), number=1, lanes=5, units=2)


def _array_case(
    name: str,
    network: Network,
    lanes: int,
    depth: int = 4,
    latency: int = 2,
    memories: tuple[str, ...] = (),
    layer_lanes: tuple[int, ...] = (),
    short: bool = False,
    simulators: tuple[SimulatorName, ...] = ICARUS,
    begin_pieces: int = 1,
    pixels: int = 4,
    units: int = 0,
    rows: int = 1,
) -> Case:
    hardware = Hardware(
        lanes,
        depth,
        latency,
        layer_lanes,
        memories,
        short,
        begin_pieces,
        pixels,
        units,
        rows_per_clock=rows,
    )
    return Case(name, {"network": network, "hardware": hardware}, simulators)


def _arrays() -> Iterator[Case]:
    case = _array_case
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
    # These two and their likes below are also run on the netlists that a synthesis makes of them.
    yield case("spram", tiny, 4, memories=("spram",), layer_lanes=(0, 2), simulators=BOTH)
    yield case("ecp5", tiny, 12, memories=("ecp5", "ecp5"), simulators=BOTH)
    yield case("small", tiny, 1, memories=("spram",), short=True, begin_pieces=4, pixels=1, simulators=BOTH)
    yield case("units-ecp5", tiny, 12, memories=("ecp5", "ecp5"), units=3, simulators=BOTH)
    yield case("two-hidden-pieces-3", deep, 4, 2, begin_pieces=3)
    yield case("rows-2", tiny, 12, units=3, rows=2, simulators=BOTH)
    yield case("rows-2-ecp5", tiny, 12, memories=("ecp5", "ecp5"), rows=2)
    yield case("rows-2-two-hidden", deep, 9, 2, rows=2, begin_pieces=3)
    yield case("rows-2-phase", phase, 4, 16, 3, rows=2)


def _first_spike_arrays() -> Iterator[Case]:
    def case(name: str, network: Network, *arguments: Any, **options: Any) -> Case:
        return _array_case(f"first-spike-{name}", network, *arguments, **options)

    tiny = preset("first-spike-tiny").network
    yield case("tiny", tiny, 12, simulators=BOTH)
    yield case("tiny-lanes-1-latency-3", tiny, 1, 2, 3)
    yield case("tiny-lanes-5", tiny, 5, 64)
    yield case("tiny-units-2", tiny, 5, units=2)
    yield case("single-layer", _first((), n_inputs=20, n_classes=6, thresholds=(250,)), 64, simulators=BOTH)
    yield case("single-layer-lanes-2", _first((), n_classes=3, feedback_delay=1, thresholds=(300,)), 2, 2)
    deep: dict[str, Any] = {"n_inputs": 12, "n_classes": 3}
    two = _first((9, 7), **deep, margin=2, feedback_delay=3)
    yield case("two-hidden", two, 3, 2, simulators=BOTH)
    yield case("two-hidden-latency-3", two, 4, 4, 3)
    yield case("tiny-spram", tiny, 4, memories=("spram",), layer_lanes=(0, 2), simulators=BOTH)
    yield case("small", tiny, 1, memories=("spram",), short=True, begin_pieces=4, pixels=1, simulators=BOTH)
    yield case("two-hidden-short", two, 3, 2, short=True)
    yield case(
        "two-hidden-ecp5", two, 4, memories=("ecp5", "ecp5", "ecp5"), layer_lanes=(5, 0, 2), simulators=BOTH
    )
    yield case("two-hidden-spram", two, 4, memories=("spram", "spram"), layer_lanes=(5, 0, 2))
    three = _first((8, 7, 6), **deep, neuron_keep=200, thresholds=(150, 150, 150, 120))
    yield case("three-hidden", three, 3)
    yield case("two-inputs", _first((2, 2), n_inputs=6, thresholds=(90, 60, 60)), 4, 64)
    late = _first((9,), n_classes=5, levels=LATE, n_ticks=10, margin=4, earliest_only=True)
    yield case("late-pixels", late, 4, simulators=BOTH)
    decay = _first((9,), current_shifts=(4, 3), thresholds=(250, 200), weight_width=12, n_classes=5)
    yield case("decay-12-bit", decay, 3, 4, 3)
    yield case("two-hidden-pieces-3", two, 4, 2, begin_pieces=3)


def _uarts() -> Iterator[Case]:
    for name, clock_frequency, baud_rate in (
        ("4-clocks", 12_000_000, 3_000_000),
        ("4.5-clocks", 27_000_000, 6_000_000),
        ("8.3-clocks", 25_000_000, 3_000_000),
        ("104.2-clocks", 12_000_000, 115_200),
    ):
        options = {"clock_frequency": clock_frequency, "baud_rate": baud_rate}
        yield Case(name, options, BOTH if name in ("4-clocks", "8.3-clocks") else ICARUS)


def _frame_receivers() -> Iterator[Case]:
    for max_length in (1, 24, 256, 300):
        options = {"max_length": max_length, "timeout": 400}
        yield Case(f"length-{max_length}", options, BOTH if max_length == 24 else ICARUS)


def _message_links() -> Iterator[Case]:
    for name, network in (
        ("small", _small()),
        ("wide-weights", _small((6, 5), weight_width=12, n_inputs=21)),
        ("one-layer", _small((), n_inputs=300, n_classes=3)),
        ("first-spike", _first(n_inputs=16)),
        ("nibbles", replace(_small(n_inputs=21), pixel_bits=4)),
    ):
        options = {"registers": RegisterMap(network, Hardware(), 12_000_000, 40), "timeout": 300}
        yield Case(name, options, BOTH if name in ("small", "wide-weights") else ICARUS)


def _host_links() -> Iterator[Case]:
    for period, buffer_bytes in ((4, 0), (5, 200)):
        options = {
            "network": _small(),
            "hardware": Hardware(),
            # A slow clock makes a short time-out.
            "clock_frequency": 10_000 * period,
            "baud_rate": 10_000,
            "buffer_bytes": buffer_bytes,
        }
        yield Case(f"buffer-{buffer_bytes}", options, BOTH, {"period": period})


def _chips() -> Iterator[Case]:
    options = {
        "network": preset("tiny").network,
        "hardware": Hardware(lanes=4),
        "clock_frequency": 12_000_000,
        "baud_rate": 3_000_000,
        "buffer_bytes": 0,
    }
    yield Case("tiny", options, BOTH, {"period": 4})


def _flash_readers() -> Iterator[Case]:
    """On one, two and four wires."""
    for lanes in (1, 2, 4):
        yield Case(f"lanes-{lanes}", {"lanes": lanes, "wake_clocks": 5 * lanes}, BOTH)


def _block_readers() -> Iterator[Case]:
    for most in (1, 5, 64, 100):
        yield Case(f"length-{most}", {"max_length": most}, BOTH if most == 64 else ICARUS)


def _sample_players() -> Iterator[Case]:
    for height, width, n_classes in ((4, 4, 4), (5, 3, 2), (1, 17, 10), (12, 12, 10)):
        options = {"n_inputs": height * width, "n_classes": n_classes, "address_bits": 8}
        simulators = BOTH if height == 5 else ICARUS
        yield Case(f"{height}-by-{width}", options, simulators, {"size": (height, width)})


def _flash_links() -> Iterator[Case]:
    """Whole chips, of both learners, of weights of one byte and of two, on two wires and on four."""
    for name, network, lanes in (
        ("tiny", preset("tiny").network, 2),
        ("first-spike-tiny", preset("first-spike-tiny").network, 4),
        ("wide-weights", _small((6,), weight_width=12), 2),
    ):
        options = {
            "network": network,
            "hardware": Hardware(lanes=4),
            # A slow clock makes short times in which a button bounces and a flash wakes.
            "clock_frequency": 400_000,
            "baud_rate": 100_000,
            "flash": FlashPort(lanes, 0x3000),
        }
        yield Case(name, options, BOTH if name == "tiny" else VERILATOR, {"period": 4})


def _small_flash_links() -> Iterator[Case]:
    """Whole chips whose processor plays the flash. A run takes half a million clocks: Icarus does a short one."""
    for case in _flash_links():
        flash = FlashPort(1, case.options["flash"].data_at, small=True)
        small = replace(case, options={**case.options, "flash": flash})
        if case.name == "tiny":
            yield replace(small, simulators=ICARUS, bench="flash_run")
        elif case.name == "wide-weights":
            yield replace(small, simulators=VERILATOR)


def _processors() -> Iterator[Case]:
    """Programs drawn at random."""
    for seed, length in enumerate((256, 64, 1024)):
        options = {
            "program": random_instructions(seed, length),
            "octets": 1 << ADDRESS_BITS,
            "contents": tuple(range(3, 203)),
        }
        yield Case(f"{length}-instructions", options, BOTH if seed == 0 else ICARUS)


def _frame_chips() -> Iterator[Case]:
    for name, network in (("tiny", preset("tiny").network), ("wide-weights", _small((6,), weight_width=12))):
        registers = RegisterMap(network, Hardware(lanes=4), 12_000_000)
        yield Case(name, {"registers": registers, "timeout": 400}, BOTH if name == "tiny" else ICARUS)


def _bus_chips(**options: Any) -> Iterator[Case]:
    for name, lanes in (("tiny", 4), ("first-spike-tiny", 5)):
        registers = RegisterMap(preset(name).network, Hardware(lanes=lanes), 12_000_000)
        yield Case(name, {"registers": registers} | options, BOTH if name == "tiny" else VERILATOR)


def _wishbone_chips() -> Iterator[Case]:
    yield from _bus_chips()
    pipelined, _ = _bus_chips(pipelined=True)
    yield replace(pipelined, name="pipelined", simulators=VERILATOR)


def _at_work(name: str, of: str = "", **options: Any) -> Iterator[Case]:
    """Yield a case in which digits are learned among accesses."""
    case = next(case for case in _bus_chips(**options) if case.name == (of or name))
    yield replace(case, name=f"{name}-at-work", simulators=ICARUS, bench="bus_learning")


def _digits(prefix: str = "", **options: Any) -> Iterator[Case]:
    """Yield both learners of 8 x 8 digits."""
    for name in ("erbp-digits", "first-spike-digits"):
        registers = RegisterMap(preset(name).network, Hardware(lanes=4), 12_000_000)
        yield Case(prefix + name, {"registers": registers} | options, VERILATOR, bench="bus_learning")


def _cores() -> Iterator[Case]:
    """Graphs that learn by each rule, on cores of several sizes."""
    small = CoreHardware(lanes=2, units=1)
    machine, tiny = rewarded(24), replace(chain(_small()), n_ticks=6)
    yield Case("machine", {"hardware": small}, BOTH, {"graph": machine})
    yield Case("layers", {"hardware": small}, ICARUS, {"graph": tiny})
    yield Case("passes", {"hardware": small}, ICARUS, {"graph": competing(24)})
    # As on a board: differences of weights take as many bits as there are.
    narrow = replace(small, weight_width=8)
    yield Case("machine-8-bit", {"hardware": narrow}, VERILATOR, {"graph": machine})
    yield Case("passes-8-bit", {"hardware": narrow}, ICARUS, {"graph": competing(24)})
    for lanes, units in ((1, 1), (4, 4), (8, 2)):
        hardware = CoreHardware(lanes=lanes, units=units)
        yield Case(f"machine-{lanes}-{units}", {"hardware": hardware}, ICARUS, {"graph": machine})
        yield Case(f"layers-{lanes}-{units}", {"hardware": hardware}, VERILATOR, {"graph": tiny})


def _frame_cores() -> Iterator[Case]:
    """A graph that learns, on a core whose memories are hardly larger than it asks for, and keep half of its spikes."""
    small = {"sources": 4, "populations": 2, "modulators": 4, "groups": 2, "record_words": 8}
    registers = CoreMap(CoreHardware(lanes=2, units=1, **small), 12_000_000)
    yield Case("machine", {"registers": registers, "timeout": 400}, BOTH, {"graph": rewarded(8)})


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
    WordRom: (list, "memories", _roms(), None),
    SynapseMemory: (list, "memories", _synapse_memories(), None),
    NeuronUnit: (Population.sweep, "neuron_unit", _neuron_units(), None),
    FeedbackGate: (
        list,
        "feedback",
        iter([Case("tiny", {"n_addresses": 8}, BOTH), Case("two", {"n_addresses": 2})]),
        None,
    ),
    FeedbackPort: (ErbpLayer.feedback, "feedback", _feedback_ports(), None),
    WeightAccess: (list, "weight_access", _weight_accesses(), None),
    SampleBuffer: (
        list,
        "sample_buffer",
        _sample_buffers(),
        None,
    ),
    Encoder: (encoder_of, "encoder", _encoders(), None),
    SpikeSerializer: (
        list,
        "serializer",
        _serializers(),
        None,
    ),
    SignPopcount: (first_spike.sign_popcount, "sign_popcount", _sign_popcounts(), None),
    FirstSpikePrediction: (
        first_spike.FirstSpikePrediction,
        "first_spike_prediction",
        _first_spike_predictions(),
        None,
    ),
    CausalFifo: (list, "causal_fifo", _causal_fifos(), None),
    PredictionUnit: (ErbpPrediction, "prediction", _prediction_units(), None),
    CounterBank: (int, "counter_bank", _counter_banks(), None),
    Fork: (list, "fork", _forks(), None),
    Queue: (
        list,
        "fork",
        iter([Case("depth-2", {"shape": 9, "depth": 2}), Case("depth-5", {"shape": 9, "depth": 5}, BOTH)]),
        None,
    ),
    Skid: (list, "fork", iter([Case("width-9", {"shape": 9}, BOTH, {"latency": 1})]), None),
    SampleSplit: (list, "sample_split", _sample_splits(), None),
    SampleCount: (list, "sample_count", iter([Case("five", {"token": EventToken(5)}, BOTH)]), None),
    TickMerge: (merged, "tick_merge", _tick_merges(), None),
    UartReceiver: (bytes, "uart", _uarts(), None),
    UartTransmitter: (bytes, "uart", _uarts(), None),
    CobsDecoder: (bytes, "cobs", iter([Case("cobs", {}, BOTH)]), None),
    CobsEncoder: (bytes, "cobs", iter([Case("cobs", {}, BOTH)]), None),
    Crc: (zlib.crc32, "crc", iter([Case("crc", {}, BOTH)]), None),
    FrameReceiver: (zlib.crc32, "frame", _frame_receivers(), None),
    FrameSender: (zlib.crc32, "frame", iter([Case("frames", {}, BOTH)]), None),
    HostLink: (LinkModel, "host_link", _host_links(), None),
    MessageLink: (LinkModel, "message_link", _message_links(), None),
    ErbiumChip: (ModelledArray, "chip", _chips(), None),
    FrameChip: (ModelledArray, "chip", _frame_chips(), None),
    FlashReader: (bytes, "flash_reader", _flash_readers(), FlashedReader),
    BlockReader: (zlib.crc32, "flash_blocks", _block_readers(), None),
    SampleDraw: (image_shifts, "flash_draw", iter([Case("draws", {}, BOTH)]), None),
    SamplePlayer: (shift_images, "flash_player", _sample_players(), None),
    FlashLink: (play, "flash_link", _flash_links(), FlashedChip),
    SmallFlashLink: (play, "flash_link", _small_flash_links(), FlashedChip),
    Processor: (ProcessorModel, "processor", _processors(), None),
    AxiChip: (BusModel, "bus", itertools.chain(_bus_chips(), _at_work("first-spike-tiny")), None),
    WishboneChip: (BusModel, "bus", itertools.chain(_wishbone_chips(), _at_work("tiny")), None),
    LayerEngine: (LayerModel, "layer", itertools.chain(_layers(), _first_spike_layers()), ProbedLayer),
    CoreEngine: (GraphModel, "core_engine", _cores(), None),
    FrameCore: (GraphModel, "core_link", _frame_cores(), None),
    ErbiumArray: (ArrayModel, "array", itertools.chain(_arrays(), _first_spike_arrays()), ProbedArray),
}

_HOSTS = ("cocotbext-axi", "cocotbext-wishbone")
_FLASH = ("cocotbext-qspi",)
_PACKAGES: dict[type[Component], tuple[str, ...]] = {
    AxiChip: _HOSTS,
    WishboneChip: _HOSTS,
    FlashReader: _FLASH,
    FlashLink: _FLASH,
    SmallFlashLink: _FLASH,
}

_MEASURED: dict[type[Component], tuple[Case, ...]] = {
    AxiChip: (*_at_work("tiny"), *_digits()),
    WishboneChip: (
        *_at_work("pipelined", "tiny", pipelined=True),
        *_digits(),
        *_digits("pipelined-", pipelined=True),
    ),
}

REGISTRY: dict[str, Entry] = {
    component.__name__: Entry(
        component,
        model,
        bench,
        tuple(cases),
        top,
        _PACKAGES.get(component, ()),
        _MEASURED.get(component, ()),
    )
    for component, (model, bench, cases, top) in _CASES.items()
}
"""Every component that has a bench of its own, by name."""

COVERED_BY = {
    "CoreCsr": "FrameCore",
    "CoreLink": "FrameCore",
    "CoreMessageLink": "FrameCore",
    "CoreReader": "FrameCore",
    "ErbiumCore": "FrameCore",
    "SpikeRecord": "FrameCore",
    "TokenReader": "FrameCore",
    "SerialLink": "HostLink",
    "CoreCounters": "CoreEngine",
    "CoreInfo": "CoreEngine",
    "CoreReadout": "CoreEngine",
    "MicroUnit": "CoreEngine",
    "NoiseSource": "CoreEngine",
    "RowLanes": "CoreEngine",
    "RowWalker": "CoreEngine",
    "Sequencer": "CoreEngine",
    "SourceUnit": "CoreEngine",
    "SpikeMemory": "CoreEngine",
    "Sweeper": "CoreEngine",
    "SynapseLane": "CoreEngine",
    "WindowMemory": "CoreEngine",
    "LayerControl": "LayerEngine",
    "ErrorSpikes": "PredictionUnit",
    "LayerPipeline": "LayerEngine",
    "LaneGroup": "LayerEngine",
    "RowPairs": "LayerEngine",
    "PixelMemory": "Encoder",
    "EntryCursor": "MessageLink",
    "FlashControl": "FlashLink",
    "SharedLink": "SmallFlashLink",
    "AxiLite": "AxiChip",
    "BusFront": "AxiChip",
    "SampleWords": "AxiChip",
    "Wishbone": "WishboneChip",
    "CsrBlock": "MessageLink",
    "Handshake": "MessageLink",
    "CsrRegisters": "MessageLink",
    "ReplyWriter": "MessageLink",
    "RequestReader": "MessageLink",
}
"""Components that cannot be told apart from their parent's behaviour, and the component whose bench covers them."""


def current() -> Case:
    """Return the case that this simulation runs."""
    name, case = os.environ[BENCH_VARIABLE].split("/")
    return REGISTRY[name].case(case)
