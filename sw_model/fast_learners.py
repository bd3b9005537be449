# SPDX-License-Identifier: BSD-2-Clause
"""The learners of layered networks in the compiled path, and the rules that it knows."""

from __future__ import annotations

from erbium.sw_model.fast_common import FastLearner
from erbium.sw_model.fast_erbp import ErbpLearner
from erbium.sw_model.fast_first_spike import FirstSpikeLearner
from erbium.sw_model.faults import Faults
from erbium.sw_model.network import Network
from erbium.sw_model.programs import DescriptionError
from erbium.sw_model.rules import ErbpRule, ErrorNeurons, FirstSpikeErrors, FirstSpikeRule, OutputErrors

LEARNERS: dict[type[OutputErrors], type[FastLearner]] = {
    ErrorNeurons: ErbpLearner,
    FirstSpikeErrors: FirstSpikeLearner,
}
"""By the class of :attr:`erbium.sw_model.network.Network.error`."""

COMPILED_RULES = (type(None), ErbpRule, FirstSpikeRule)
"""Classes of the plasticity rules that the compiled path knows."""


def compiles(network: Network) -> bool:
    """Return whether the compiled path knows all rules of a network; the reference knows every one."""
    return all(type(layer.rule) in COMPILED_RULES for layer in network.layers)


def fast_learner(network: Network, faults: Faults | None = None) -> FastLearner:
    """Return what runs a network.

    Raises
    ------
    DescriptionError
        If a rule of the network is not compiled.
    """
    for number, layer in enumerate(network.layers, 1):
        if type(layer.rule) not in COMPILED_RULES:
            raise DescriptionError(
                f"the compiled model does not know the rule {type(layer.rule).__name__} of layer {number}; "
                "backend 'reference' does"
            )
    return LEARNERS[type(network.error)](network, faults=faults)
