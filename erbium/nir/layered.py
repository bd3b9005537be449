# SPDX-License-Identifier: BSD-2-Clause
"""What was brought in as layers in a row: a network that every command takes, and that learns on.

The chip learns by its own rule, event-driven random backpropagation: error neurons compare the spikes of the output
with the label, and a layer that learns has a dendrite on port 1 and a gate on its membrane. Thresholds, gates, gains
and the margin are in the proportions of the presets (``gen/presets.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from erbium.nir.incoming import Part, Parts
from erbium.sw_model.constants import Array
from erbium.sw_model.description.connect import check_choice
from erbium.sw_model.network import EncoderKind, FeedbackKind, Layer, Network
from erbium.sw_model.programs import STATE_MAX, STATE_MIN, DescriptionError
from erbium.sw_model.rules import ErbpRule

Learns = Literal["all", "output", "none"]
LEARNS: tuple[Learns, ...] = ("all", "output", "none")
Gate = Literal["near", "wide"]
GATES: dict[Gate, tuple[int, int]] = {"near": (-1, 3), "wide": (-64, 64)}
"""Membranes of hidden neurons that learn, in thresholds: near theirs, or all that there are."""

MARGIN = 0.2
"""What is taken from the label's neuron at each tick of learning, in thresholds."""


@dataclass(frozen=True)
class Learning:
    """Which layers learn on, and how fast.

    Parameters
    ----------
    layers : str
        ``"all"``, ``"output"`` or ``"none"``.
    rate : float
        Full learning rate in that of the presets, 1/16 ... 8.
    gate : str
        Which hidden neurons learn: ``"near"``, those whose membrane is near the threshold; ``"wide"``, all. The latter
        moves what has become silent, or never rests.
    """

    layers: Learns = "all"
    rate: float = 1.0
    gate: Gate = "near"

    def __post_init__(self) -> None:
        check_choice("which layers learn", self.layers, LEARNS)
        check_choice("gate", self.gate, tuple(GATES))
        if not 1 / 16 <= self.rate <= 8:
            raise DescriptionError(
                f"the learning rate is {self.rate}; it must be from 1/16 to 8 of the presets'"
            )


def as_network(found: Parts, learning: Learning | None = None) -> tuple[Network, list[Array]]:
    """Return layers in a row, and their weights, with the hidden neurons where the chip's feedback suits them.

    Raises
    ------
    DescriptionError
        If the graph is no such row: the node, and the form that can hold it.
    """
    learning = learning or Learning()
    parts, source = _row(found)
    kind: FeedbackKind = "wide" if parts[-1].dynamics.size % 2 else "sign"
    layers = []
    for part in parts:
        last = part is parts[-1]
        learns = learning.layers == "all" or (last and learning.layers == "output")
        threshold = part.whole.threshold
        program = part.whole.program("imported", dendrite_shift=(4 if last else 3) if learns else None)
        low, high = GATES[learning.gate]
        # The output learns whatever it has done, as in the presets.
        gate = (STATE_MIN, 4 * threshold)
        if not last:
            gate = max(low * threshold, STATE_MIN), min(high * threshold, STATE_MAX)
        scale = threshold * 2**part.whole.shift / 256
        base = (4 if last else 12 if kind == "sign" else 8) * scale
        layers.append(
            Layer(
                n_neurons=part.dynamics.size,
                program=program,
                rule=ErbpRule(*gate, 1) if learns else None,
                weight_width=found.options.width,
                weight_bound=0,
                feedback=("direct" if last else kind) if learns else "none",
                gain=min(max(round(base * learning.rate), 1), 255) if learns else 0,
            )
        )
    encoder: EncoderKind = "bernoulli" if found.options.encoder == "bernoulli" else "phase"
    output = parts[-1].whole
    network = Network(
        name=found.name,
        n_inputs=found.inputs[source],
        layers=tuple(layers),
        encoder=encoder,
        n_ticks=found.options.n_ticks,
        margin=round(MARGIN * output.threshold * 2**output.shift),
        seed=found.options.seed,
    )
    weights = [np.vstack([part.weights[0], part.bias[None]]) for part in parts]
    return network, aligned(network, [values.astype(np.int16) for values in weights])


def aligned(network: Network, weights: list[Array]) -> list[Array]:
    """Return the same network with its hidden neurons in an order that suits the chip's feedback.

    The feedback of a hidden neuron is fixed and random: that of its place. Which neuron stands where changes no
    answer, so each stands where the feedback is most like its weights to the next layer.
    """
    weights = [values.copy() for values in weights]
    # From the output down: what a neuron does to the classes, through the layers after it.
    effect = np.eye(network.n_classes)
    for number in range(len(network.layers) - 1, 0, -1):
        effect = weights[number][:-1].astype(np.float64) @ effect
        if network.layers[number - 1].feedback in ("sign", "wide"):
            feedback = network.feedback_weights(number - 1).astype(np.float64)
            # Both are per class: an error of +1 lowers what makes that class spike.
            _, place = linear_sum_assignment(-(feedback @ effect.T))
            weights[number - 1] = weights[number - 1][:, place]
            weights[number][:-1] = weights[number][place]
            effect = effect[place]
    return weights


def _row(found: Parts) -> tuple[list[Part], str]:
    form = "a graph (.json) can hold it"
    if len(found.inputs) != 1:
        raise DescriptionError(
            f"the graph has inputs {', '.join(map(repr, found.inputs))}; layers in a row have one, and {form}"
        )
    before = source = next(iter(found.inputs))
    for part in found.parts:
        heard = [path.source for path in part.paths]
        if heard != [before] or part.paths[0].delay:
            raise DescriptionError(
                f"node {part.dynamics.name!r} hears {', '.join(map(repr, heard))}; layers in a row hear the one "
                f"before, at once, and {form}"
            )
        if not part.whole.spikes:
            raise DescriptionError(
                f"node {part.dynamics.name!r} does not spike; layers in a row do, and {form}"
            )
        before = part.name
    if found.readout != before:
        raise DescriptionError(f"the outputs are not those of the last layer, {before!r}; {form}")
    return list(found.parts), source
