# SPDX-License-Identifier: BSD-2-Clause
"""An eRBP network in the arrays of the compiled path."""

from __future__ import annotations

import numpy as np

from erbium.sw_model import fast_erbp_kernels as kernels
from erbium.sw_model.constants import Array
from erbium.sw_model.encoder import start_phase
from erbium.sw_model.fast_common import Batch, FastLearner, Totals, record
from erbium.sw_model.fast_fault_kernels import FaultArrays
from erbium.sw_model.faults import Faults
from erbium.sw_model.network import Network
from erbium.sw_model.programs import MAX_STATES, DescriptionError
from erbium.sw_model.rules import ErbpRule, ErrorNeurons, Rule


class ErbpLearner(FastLearner):
    """Event-driven random backpropagation: error neurons, and learning in each row pass."""

    def __init__(self, network: Network, faults: Faults | None = None) -> None:
        super().__init__(network, faults)
        assert isinstance(network.error, ErrorNeurons)
        n_layers = len(network.layers)
        feedback = np.zeros((n_layers, network.n_classes, self.lanes), dtype=np.int8)
        for number, layer in enumerate(network.layers):
            feedback[number, :, : layer.n_neurons] = network.feedback_weights(number).T
        common = {
            "n_layers": n_layers,
            "n_classes": network.n_classes,
            "phase": network.encoder == "phase",
            "margin": network.margin,
            "quiet_ticks": network.quiet_ticks,
            "delay": network.feedback_delay,
            "error_weight": network.error.weight,
            "error_threshold": network.error.threshold,
        }
        layers = [self._layer_record(number) for number in range(n_layers)]
        self._description = kernels.Description(
            network=np.array([record(kernels.NETWORK, common)], dtype=kernels.NETWORK),
            layers=np.array(layers, dtype=kernels.LAYER),
            operations=self.operations,
            variables=self.variables,
            feedback=feedback,
            neuron_constants=self.neuron_constants,
            salts=self.salts,
            start_phase=start_phase(np.arange(network.n_inputs)),
        )

    def _layer_record(self, number: int) -> tuple[int, ...]:
        layer = self.network.layers[number]
        own = {
            "bias_row": self.network.n_rows(number) - 1,
            **rule_fields(layer.rule),
            "rounding_shift": layer.rounding_shift,
            "has_feedback": layer.feedback != "none",
            "synapse_keep": layer.synapse_keep,
        }
        return record(kernels.LAYER, self.layer_fields(number) | own)

    def new_state(self) -> kernels.State:
        """Return what changes while samples run, except the weights; one run at a time can use it."""
        network, lanes = self.network, self.lanes
        n_layers, n_classes, delay = len(network.layers), network.n_classes, network.feedback_delay
        longest = max(network.shape) + 4  # the bias row, and what an encoder writes after its last spike

        def zeros(dtype: type, *shape: int) -> Array:
            return np.zeros(shape, dtype=dtype)

        return kernels.State(
            x=zeros(np.int32, n_layers, MAX_STATES, lanes),
            y=zeros(np.int32, n_layers, MAX_STATES, lanes),
            u=zeros(np.int16, n_layers, 2, lanes),
            whole=zeros(np.int16, n_layers, lanes),
            rest=zeros(np.int16, n_layers, lanes),
            word_range=zeros(np.int64, n_layers, 2),
            active=zeros(np.int32, n_layers, lanes),
            refractory=zeros(np.int32, n_layers, lanes),
            noise=zeros(np.int32, n_layers, 1, lanes),
            fires=zeros(np.int32, lanes),
            draws=zeros(np.int64, n_layers + 1, 5),
            spikes=zeros(np.int64, n_layers + 1, longest),
            n_spikes=zeros(np.int64, n_layers + 1),
            row_draws=zeros(np.int64, 2 * longest),  # a row that is passed twice draws twice
            pixels=zeros(np.int64, network.n_inputs + 4),
            values=zeros(np.int64, network.n_inputs + 4),
            phase=zeros(np.int64, network.n_inputs + 4),
            counts=zeros(np.int64, n_classes),
            fired=zeros(np.int64, n_classes),
            error_states=zeros(np.int64, 2 * n_classes),
            errors=zeros(np.int64, delay, 2 * n_classes),
            n_errors=zeros(np.int64, delay),
            stops=zeros(np.int64, delay),
        )

    def run(
        self,
        state: kernels.State,
        faults: FaultArrays | None,
        weights: Array,
        rates: Array,
        batch: Batch,
        decide_after: int,
        totals: Totals,
        results: Array,
    ) -> None:
        """Present samples in order."""
        kernels.run_batch(
            self._description, state, weights, rates, *batch, decide_after, *totals, results, faults
        )


def rule_fields(rule: Rule | None) -> dict[str, int]:
    """Return what the kernels take of a rule, which forms its words in the sweep; ``None`` is for fixed weights.

    Raises
    ------
    DescriptionError
        If the rule is not compiled.
    """
    names = ("gate_lower", "gate_upper", "modulator", "first_tick")
    if rule is None:
        return {"has_rule": 0} | dict.fromkeys(names, 0)
    if type(rule) is not ErbpRule:
        raise DescriptionError(
            f"the compiled path of graphs does not know the plasticity rule {type(rule).__name__}; use the reference"
        )
    return {"has_rule": 1} | {name: getattr(rule, name) for name in names}
