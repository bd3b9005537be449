# SPDX-License-Identifier: BSD-2-Clause
"""A first-spike network in the arrays of the compiled path, and hidden errors to compare its own with.

The errors of the outputs are plasticity words D_o: +1 later, -1 earlier. Four ways to bring them to a hidden
neuron h that spiked at t_h are here, C_o = (t_h <= t_o) being its causal set and w_ho the weight as transmitted:

"sign-popcount"
    ``sign(sum_o D_o C_o sign(w_ho))``, where 0 counts as positive: the learner itself.
"exact-gradient"
    ``g_h = sum_o D_o C_o w_ho / S_o``. Without decay an output has the membrane
    ``V_o(t) = sum_h w_ho (t - t_h + 1)`` over the h that have spiked, and reaches its threshold theta_o at
    ``t_o = (theta_o + sum_h w_ho (t_h - 1)) / S_o`` with ``S_o = sum_h w_ho`` over ``t_h <= t_o``; so
    ``w_ho / S_o`` is its derivative with respect to t_h. An output that has spiked has S_o > 0, unless a port
    saturated. For one that has not, which has no derivative, S_o is the sum over all h that spiked, and at
    least theta_o / n_ticks: what is less does not reach the threshold within a sample.

    The hidden weights lose ``step * g_h / mean |g|``, the mean being over the hidden neurons of the sample with
    g_h other than 0, so that the mean step is that of sign-popcount and only its share for each neuron differs.
    A step is rounded stochastically: with ``a = floor(2**16 * step * g_h / mean |g| + 1/2)`` and r the upper
    half of the row's random number, the lower half of which is what the rate is compared with, a weight loses
    ``(a + r) >> 16``.
"exact-sign"
    ``sign(g_h)``.
"random-signs"
    Sign-popcount with fixed random signs in place of those of the weights: those that
    :func:`erbium.sw_model.constants.uniform_weights` gives for a layer behind the last one, with bound 127.

Only the first is a chip's; the others are run by ``FastArray(network, FirstSpikeLearner(network, "exact-sign"))``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from erbium.sw_model import constants
from erbium.sw_model import fast_first_spike_kernels as kernels
from erbium.sw_model.constants import Array
from erbium.sw_model.fast_common import Batch, FastLearner, Totals, record
from erbium.sw_model.fast_fault_kernels import FaultArrays
from erbium.sw_model.fast_kernels import ANSWER, TICKS_TO_DECISION
from erbium.sw_model.faults import Faults
from erbium.sw_model.network import Network
from erbium.sw_model.programs import MAX_STATES, DescriptionError, NeuronProgram, Operation, first_spike
from erbium.sw_model.rules import FirstSpikeErrors, FirstSpikeRule, LatencyEncoder

HiddenError = Literal["sign-popcount", "exact-gradient", "exact-sign", "random-signs"]

_HIDDEN_ERRORS = {
    "sign-popcount": kernels.SIGN_POPCOUNT,
    "exact-gradient": kernels.EXACT_GRADIENT,
    "exact-sign": kernels.EXACT_SIGN,
    "random-signs": kernels.RANDOM_SIGNS,
}
_RAMP = sorted(map(repr, (Operation(0, "x1"), Operation(0, "u0"), Operation(1, "u0"))))


@dataclass(frozen=True)
class Decisions:
    """Decisions of a batch and what they took, each an int64 array with an entry per sample.

    Attributes
    ----------
    answers : ndarray, shape (n,)
        Class that the readout names.
    ticks_to_decision : ndarray, shape (n,)
        Ticks until the first output spike, or those of the sample if there was none.
    input_spikes : ndarray, shape (n,)
        Input spikes in these ticks.
    hidden_spikes : ndarray, shape (n, n_hidden_layers)
        Spikes of each hidden layer in these ticks.
    """

    answers: Array
    ticks_to_decision: Array
    input_spikes: Array
    hidden_spikes: Array


class FirstSpikeLearner(FastLearner):
    """The first-spike learner, which learns behind each sample.

    Parameters
    ----------
    network : Network
    hidden_error : str
        How errors reach the hidden layer; see :mod:`erbium.sw_model.fast_first_spike`. All but
        ``"sign-popcount"`` are for comparison, of networks with one hidden layer.
    faults : Faults, optional
        What is broken.

    Raises
    ------
    DescriptionError
        If the network has another learner, or the hidden error is unknown or not defined for the network.
    """

    def __init__(
        self,
        network: Network,
        hidden_error: HiddenError = "sign-popcount",
        faults: Faults | None = None,
    ) -> None:
        _check_hidden_error(network, hidden_error)
        if faults and hidden_error != "sign-popcount":
            raise DescriptionError(
                f"hidden_error is {hidden_error!r} and there are faults; only the chip's own learner, "
                "'sign-popcount', has faults"
            )
        super().__init__(network, faults)
        assert isinstance(network.error, FirstSpikeErrors)
        n_layers, errors = len(network.layers), network.error
        self.n_columns += n_layers
        common = {
            "n_layers": n_layers,
            "n_classes": network.n_classes,
            "n_ticks": network.n_ticks,
            "delay": network.feedback_delay,
            "margin": errors.margin,
            "deadline": errors.deadline,
            "earliest_only": errors.earliest_only,
            "hidden_error": _HIDDEN_ERRORS[hidden_error],
        }
        layers = [self._layer_record(number) for number in range(n_layers)]
        assert isinstance(network.encoder, LatencyEncoder)
        levels = network.encoder.levels
        ends = [256, *(lowest for lowest, _ in levels)]
        self._description = kernels.Description(
            network=np.array([record(kernels.NETWORK, common)], dtype=kernels.NETWORK),
            layers=np.array(layers, dtype=kernels.LAYER),
            levels=np.array(
                [(low, end, tick) for (low, tick), end in zip(levels, ends, strict=False)],
                dtype=kernels.LEVEL,
            ),
            operations=self.operations,
            variables=self.variables,
            neuron_constants=self.neuron_constants,
            salts=self.salts,
            negative=random_signs(network) < 0,
        )

    def _layer_record(self, number: int) -> tuple[int, ...]:
        layer = self.network.layers[number]
        assert isinstance(layer.rule, FirstSpikeRule)
        own = {"step": layer.rule.step, "ramp": _is_ramp(layer.program)}
        return record(kernels.LAYER, self.layer_fields(number) | own)

    def check_ticks(self, n_ticks: int) -> None:
        """Raise ``ValueError`` for samples that are longer than the network's: neurons might spike twice."""
        if n_ticks > self.network.n_ticks:
            raise ValueError(
                f"n_ticks is {n_ticks}; network {self.network.name!r} has neurons that spike once within "
                f"{self.network.n_ticks} ticks, and it must be at most that"
            )

    def new_state(self) -> kernels.State:
        """Return what changes while samples run, except the weights; one run at a time can use it."""
        network, lanes = self.network, self.lanes
        n_layers = len(network.layers)
        longest = max(network.shape) + 1  # a kernel writes an address before it knows whether it counts

        def zeros(dtype: type, *shape: int) -> Array:
            return np.zeros(shape, dtype=dtype)

        return kernels.State(
            x=zeros(np.int32, n_layers, MAX_STATES, lanes),
            y=zeros(np.int32, n_layers, MAX_STATES, lanes),
            u=zeros(np.int16, n_layers, 2, lanes),
            active=zeros(np.int32, n_layers, lanes),
            limit=zeros(np.int32, n_layers, lanes),
            noise=zeros(np.int32, n_layers, 1, lanes),
            spike_tick=zeros(np.int16, n_layers, lanes),
            word=zeros(np.int16, n_layers, lanes),
            delta=zeros(np.int16, lanes),
            amount=zeros(np.int64, lanes),
            slope=zeros(np.float64, network.n_classes),
            gradient=zeros(np.float64, lanes),
            draws=zeros(np.int64, n_layers + 1, 5),
            spikes=zeros(np.int64, n_layers + 1, longest),
            ticks=zeros(np.int64, n_layers + 1, longest),
            n_spikes=zeros(np.int64, n_layers + 1),
            counts=zeros(np.int64, network.n_classes),
            stops=zeros(np.int64, network.feedback_delay),
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

    def decisions(self, results: Array) -> Decisions:
        """Read the results of an inference."""
        first = kernels.SPIKES_TO_DECISION
        return Decisions(
            results[:, ANSWER],
            results[:, TICKS_TO_DECISION],
            results[:, first],
            results[:, first + 1 : first + len(self.network.layers)],
        )


def random_signs(network: Network) -> Array:
    """Return the numbers whose signs stand for those of the last layer's weights, shape ``(rows, n_classes)``."""
    number = len(network.layers)
    return constants.uniform_weights(network.seed, number, network.n_rows(number - 1), network.n_classes, 127)


def _is_ramp(program: NeuronProgram) -> bool:
    """Whether a program integrates a current that does not decay, and does nothing else."""
    operations = sorted(map(repr, program.operations))
    return operations == _RAMP and program.n_states == 2 and not any(program.bias)


def _check_hidden_error(network: Network, hidden_error: HiddenError) -> None:
    if not isinstance(network.error, FirstSpikeErrors):
        raise DescriptionError(
            f"network {network.name!r} learns by error neurons; the first-spike learner needs FirstSpikeErrors"
        )
    if hidden_error not in get_args(HiddenError):
        raise DescriptionError(
            f"hidden_error is {hidden_error!r}; it must be one of {', '.join(map(repr, get_args(HiddenError)))}"
        )
    if hidden_error == "sign-popcount":
        return
    if len(network.layers) != 2:
        raise DescriptionError(
            f"hidden_error is {hidden_error!r}; it is defined for one hidden layer, and network {network.name!r} "
            f"has {len(network.layers) - 1}"
        )
    program = network.layers[-1].program
    usual = first_spike(threshold=program.threshold)
    usual = replace(usual, name=program.name, states=program.states, refractory=program.refractory)
    if hidden_error != "random-signs" and (program != usual or program.threshold < 1):
        raise DescriptionError(
            f"hidden_error is {hidden_error!r}; it is the gradient of the program 'first-spike' without synaptic "
            f"decay and with a threshold above 0, and the output of network {network.name!r} runs another one"
        )
