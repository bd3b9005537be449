# SPDX-License-Identifier: BSD-2-Clause
"""The sign-popcount first-spike learner, as a description: its plasticity rule, and which outputs are wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from erbium.sw_model.programs import STATE_MAX, DescriptionError, check_range
from erbium.sw_model.rules.base import (
    FULL_PROBABILITY,
    MAX_TICKS,
    ROW_PROBABILITY,
    LearningRate,
    OutputErrors,
    Rule,
)
from erbium.sw_model.rules.encoders import LatencyEncoder

if TYPE_CHECKING:
    from erbium.sw_model.description.graph import Graph
    from erbium.sw_model.description.parts import Population
    from erbium.sw_model.network import Layer, Network

MAX_CAUSES = 1_024
"""Neurons after a first-spike layer: each of its spikes is replayed to every one of them, and they vote on it."""


@dataclass(frozen=True)
class FirstSpikeRule(Rule):
    """Plasticity rule of the first-spike learner.

    After a sample that is to change something, each neuron has a plasticity word e: +1 to make it spike later,
    -1 earlier, 0 to leave it. The presynaptic spikes of the sample are replayed, and a row is touched with
    probability P / 65536: then ``w <- clamp(w - step * e)`` for every neuron that had not spiked before the row
    did. Weights are clamped to a symmetric range, so that +step and -step are equally likely to be lost.

    Parameters
    ----------
    step : int
        Change of one weight, 1 ... 32767.

    Notes
    -----
    Source: Mostafa, *Fast classification using sparsely active spiking networks*, ISCAS 2017, last two slides;
    the integer form is this project's own (``docs/contract-first-spike.md``).
    """

    step: int = 2
    mark: ClassVar[str] = "step"
    symmetric: ClassVar[bool] = True
    full_rate: ClassVar[int] = FULL_PROBABILITY
    rate: ClassVar[LearningRate] = ROW_PROBABILITY
    replays: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_range("step", self.step, 1, STATE_MAX)

    def check_population(self, graph: Graph, population: Population) -> None:
        if graph.readout is None or not graph.readout.replays:
            raise DescriptionError(
                f"population {population.name!r} learns by a FirstSpikeRule, but the readout is "
                f"{type(graph.readout).__name__}; it needs a FirstSpike readout, which forms the plasticity words"
            )
        if population.program.refractory < graph.n_ticks - 1:
            raise DescriptionError(
                f"refractory time of population {population.name!r} is {population.program.refractory}; its "
                f"neurons spike once per sample, so it must be at least {graph.n_ticks - 1}"
            )

    def describe(self) -> str:
        return f"learns in steps of {self.step} after the sample"


@dataclass(frozen=True)
class FirstSpikeErrors(OutputErrors):
    """Which output neurons are to spike earlier or later, seen from the label's first-spike tick.

    An output that spikes before ``label's tick + margin`` although it is not the label is to spike later. If
    there is one, or the label did not spike before tick `deadline`, then the label is to spike earlier;
    otherwise the sample changes nothing.

    Parameters
    ----------
    margin : int
        Ticks by which every other output has to stay after the label.
    deadline : int
        The label has to spike before this tick.
    earliest_only : bool
        Of the wrong outputs only the earliest (the lowest of them) is to spike later.
    """

    margin: int = 4
    deadline: int = 12
    earliest_only: bool = False

    mark: ClassVar[str] = "deadline"
    stem: ClassVar[str] = "first-spike"
    counter: ClassVar[str] = "updates"
    spikes_once: ClassVar[bool] = True
    decides_by_a_spike: ClassVar[bool] = True
    learns_from_silence: ClassVar[bool] = False
    usual_schedule: ClassVar[str] = "linear"

    def __post_init__(self) -> None:
        check_range("margin of the first-spike errors", self.margin, 1, MAX_TICKS)
        check_range("deadline", self.deadline, 1, MAX_TICKS)
        if not isinstance(self.earliest_only, bool):
            raise DescriptionError(f"earliest_only is {self.earliest_only!r}; it must be true or false")

    def check(self, network: Network) -> None:
        check_range(
            "margin of the first-spike errors", self.margin, 1, network.n_ticks, " ticks, a sample's length"
        )
        check_range("deadline", self.deadline, 1, network.n_ticks, "; a sample has no later tick")
        check_range(
            "decide_after of a first-spike network", network.decide_after, 0, 1, "; a neuron spikes once"
        )
        for what, value in (("margin", network.margin), ("quiet_ticks", network.quiet_ticks)):
            check_range(f"{what} of a first-spike network", value, 0, 0, "; it belongs to error neurons")
        if not isinstance(network.encoder, LatencyEncoder):
            raise DescriptionError(
                f"encoder is {network.encoder!r}; the first-spike learner replays one spike per pixel and needs a "
                "LatencyEncoder"
            )
        start: int | None = network.encoder.levels[0][1]
        for number, layer in enumerate(network.layers, 1):
            _check_layer(network, number, layer)
            drive = min(network.shape[number - 1] * layer.transmitted(layer.weight_max), STATE_MAX)
            start = layer.program.earliest_spike(drive, start or 0, network.n_ticks)
            if start is None:
                raise DescriptionError(
                    f"threshold of layer {number} is {layer.program.threshold}; even with all "
                    f"{network.shape[number - 1]} inputs at the largest weight no neuron reaches it within "
                    f"{network.n_ticks} ticks"
                )

    def decide_limit(self, n_ticks: int) -> tuple[int, str]:
        return 1, "; a neuron spikes once"

    def evaluation_ticks(self, most: int, n_ticks: int) -> int:
        # It is left to itself: it stops with its answer.
        return n_ticks

    def check_depth(self, network: Network, hidden: Sequence[int]) -> None:
        patterns = len(network.layers) - 1
        if len(hidden) != patterns:
            raise DescriptionError(
                f"--hidden asks for {len(hidden)} hidden layers and the thresholds of network {network.name!r} are "
                f"made for {patterns}; give as many sizes, or change the description that 'erbium show PRESET "
                "--json' prints"
            )

    def resized(self, layer: Layer, number: int, growth: float) -> Layer:
        # A sum of as many random weights grows with the square root; later layers depend on what learning decides.
        if number > 0:
            return layer
        threshold = max(1, round(layer.program.threshold * math.sqrt(growth)))
        return replace(layer, program=replace(layer.program, threshold=threshold))


def _check_layer(network: Network, number: int, layer: Layer) -> None:
    what = f"layer {number} of a first-spike network"
    if not isinstance(layer.rule, FirstSpikeRule):
        raise DescriptionError(f"rule of {what} is {layer.rule!r}; it must be a FirstSpikeRule")
    if layer.feedback != "none":
        raise DescriptionError(f"feedback of {what} is {layer.feedback!r}; it has none")
    if layer.synapse_keep != 256:
        raise DescriptionError(
            f"synapse_keep of {what} is {layer.synapse_keep}; only neurons can be blanked out there, it must be 256"
        )
    if layer.program.refractory < network.n_ticks - 1:
        raise DescriptionError(
            f"refractory time of {what} is {layer.program.refractory}; a neuron spikes once per sample, so it "
            f"must be at least {network.n_ticks - 1}"
        )
    if number > 1:
        check_range(
            f"neurons of {what}",
            layer.n_neurons,
            1,
            MAX_CAUSES,
            ", the votes on a spike of the layer before",
        )
    if number == len(network.layers) and layer.neuron_keep != 256:
        raise DescriptionError(
            f"neuron_keep of {what} is {layer.neuron_keep}; a class cannot be blanked out, it must be 256"
        )
