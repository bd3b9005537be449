# SPDX-License-Identifier: BSD-2-Clause
"""What the compiled path needs of a learner, and the arrays that are the same for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from erbium.sw_model import fast_kernels as kernels
from erbium.sw_model.constants import Array, neuron_constants, salt
from erbium.sw_model.fast_fault_kernels import FaultArrays
from erbium.sw_model.fast_faults import FastFaults
from erbium.sw_model.faults import Faults
from erbium.sw_model.network import Network
from erbium.sw_model.programs import MAX_OPERATIONS, MAX_STATES, RESET_MODES, NeuronProgram

VECTOR = 32
"""Neurons are padded to a multiple of this: 64 bytes of int16, a cache line and the widest vector."""

_KINDS = {"state": kernels.FROM_STATE, "port": kernels.FROM_PORT, "noise": kernels.FROM_NOISE}


def lanes_of(n_neurons: int) -> int:
    """Return a number of neurons, rounded up to whole vectors."""
    return -(-n_neurons // VECTOR) * VECTOR


def record(dtype: np.dtype[Any], values: Mapping[str, int]) -> tuple[int, ...]:
    """Return values in the order of a structured type, which must have all of them and no others."""
    assert set(dtype.names or ()) == set(values)
    return tuple(int(values[name]) for name in dtype.names or ())


class Batch(NamedTuple):
    """Samples, checked and as the kernels take them.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, n_inputs)
    seeds, labels : ndarray of int64, shape (n,)
        Without `learn` the labels do not matter.
    learn : bool
    n_ticks : int
        Longest presentation.
    """

    images: Array
    seeds: Array
    labels: Array
    learn: bool
    n_ticks: int


class Totals(NamedTuple):
    """Counters of the array and of its layers, int64 of shapes ``(4,)`` and ``(n_layers, 4)``."""

    array: Array
    layers: Array

    @classmethod
    def zeros(cls, n_layers: int) -> Totals:
        """Return counters that have counted nothing."""
        return cls(np.zeros(4, dtype=np.int64), np.zeros((n_layers, 4), dtype=np.int64))

    def add(self, other: Totals) -> None:
        """Add what others have counted."""
        self.array[:] += other.array
        self.layers[:] += other.layers


class FastLearner:
    """A network in arrays, and the loops of its learner.

    Parameters
    ----------
    network : Network
    faults : Faults, optional
        What is broken.

    Attributes
    ----------
    n_columns : int
        Columns of the results. The first three are the same for all learners, and so are the last: the spikes of the
        encoder and of each layer.
    lanes : int
        Neurons of the widest layer, rounded up to whole vectors.
    first_rows : list of int
        First row of each layer in the weight array, and at the end the number of all rows.
    faults : FastFaults or None
    """

    def __init__(self, network: Network, faults: Faults | None = None) -> None:
        self.network = network
        n_layers = len(network.layers)
        self.n_columns = 3 + 1 + n_layers
        self.lanes = max(lanes_of(layer.n_neurons) for layer in network.layers)
        rows = [network.n_rows(number) for number in range(n_layers)]
        self.first_rows = [int(row) for row in np.cumsum([0, *rows])]
        self.faults = FastFaults.of(network, faults, self.first_rows, self.lanes)
        programs = [program_arrays(layer.program) for layer in network.layers]
        self.operations = np.stack([operations for operations, _ in programs])
        self.variables = np.stack([variables for _, variables in programs])
        self.neuron_constants = neuron_constants(self.lanes).astype(np.uint16)
        self.salts = np.array(
            [[salt(process, stream) for stream in range(5)] for process in range(n_layers + 1)]
        )

    def check_ticks(self, n_ticks: int) -> None:
        """Raise ``ValueError`` if the learner cannot present a sample for so long."""

    def new_state(self) -> Any:
        """Return what changes while samples run, except the weights; one run at a time can use it."""
        raise NotImplementedError

    def new_faults(self) -> FaultArrays | None:
        """Return the faults with what changes of them while samples run; one run at a time can use it."""
        return None if self.faults is None else self.faults.new_arrays()

    def run(
        self,
        state: Any,
        faults: FaultArrays | None,
        weights: Array,
        rates: Array,
        batch: Batch,
        decide_after: int,
        totals: Totals,
        results: Array,
    ) -> None:
        """Present samples in order.

        Parameters
        ----------
        state
            From :meth:`new_state`.
        faults : FaultArrays or None
            From :meth:`new_faults`.
        weights : ndarray of int16, shape (first_rows[-1], lanes)
            Changed in place when learning.
        rates : ndarray of int64, shape (n_layers,)
        batch : Batch
        decide_after : int
        totals : Totals
            What is counted is added to it.
        results : ndarray of int64, shape (n, n_columns)
            Written.
        """
        raise NotImplementedError

    def decisions(self, results: Array) -> Any:
        """Return what the results tell of each decision, where a single spike decides."""
        raise NotImplementedError

    def layer_fields(self, number: int) -> dict[str, int]:
        """Return what is known of a layer whatever its learner is."""
        layer, program = self.network.layers[number], self.network.layers[number].program
        return {
            "n_neurons": layer.n_neurons,
            "lanes": lanes_of(layer.n_neurons),
            "first_row": self.first_rows[number],
            "n_states": program.n_states,
            "n_ports": program.n_ports,
            "n_operations": len(program.operations),
            "threshold": program.threshold,
            "adaptive": program.adaptive,
            "refractory": program.refractory,
            "hold": program.hold,
            "uses_noise": program.uses_noise,
            "weight_min": layer.weight_min,
            "weight_max": layer.weight_max,
            "transmit_factor": 1 << (24 - layer.weight_width),
            "neuron_keep": layer.neuron_keep,
        }


def program_arrays(program: NeuronProgram) -> tuple[Array, Array]:
    """Return the operations and the state variables of a program."""
    operations = np.zeros(MAX_OPERATIONS, dtype=kernels.OPERATION)
    for k, operation in enumerate(program.operations):
        kind = _KINDS[operation.kind]
        operations[k] = (operation.destination, kind, operation.index, operation.shift, operation.sign)
    variables = np.zeros(MAX_STATES, dtype=kernels.VARIABLE)
    modes = [RESET_MODES.index(mode) for mode in program.reset_mode]
    columns = (program.bias, program.lower, program.upper, modes, program.reset_value, program.initial)
    for k, values in enumerate(zip(*columns, strict=True)):
        variables[k] = values
    return operations, variables
