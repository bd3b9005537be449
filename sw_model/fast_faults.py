# SPDX-License-Identifier: BSD-2-Clause
"""Faults in the arrays of the compiled path."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from erbium.sw_model import fast_fault_kernels as kernels
from erbium.sw_model.constants import Array
from erbium.sw_model.faults import STATE_WIDTH, Faults, LayerFaults, faults_of
from erbium.sw_model.network import Network
from erbium.sw_model.programs import MAX_STATES


class FastFaults:
    """The faults of a network, as the compiled path takes them.

    Parameters
    ----------
    network : Network
    layers : sequence of LayerFaults
    first_rows : sequence of int
        First row of each layer in the weight array, and at the end the number of all rows.
    lanes : int
        Neurons of the widest layer, rounded up to whole vectors.
    """

    def __init__(
        self, network: Network, layers: Sequence[LayerFaults], first_rows: Sequence[int], lanes: int
    ) -> None:
        self.layers = layers
        self._longest = max(network.shape) + 4
        n_layers = len(layers)
        self._weight_keep = np.full((first_rows[-1], lanes), -1, dtype=np.int16)
        self._weight_set = np.zeros_like(self._weight_keep)
        self._state_keep = np.full((n_layers, MAX_STATES, lanes), -1, dtype=np.int32)
        self._state_set = np.zeros_like(self._state_keep)
        self._alive = np.ones((n_layers, lanes), dtype=np.int32)
        for number, layer in enumerate(layers):
            rows, neurons = slice(first_rows[number], first_rows[number + 1]), slice(layer.n_neurons)
            self._weight_keep[rows, neurons] = layer.weight_keep
            self._weight_set[rows, neurons] = layer.weight_set
            self._state_keep[number, : layer.n_states, neurons] = layer.state_keep
            self._state_set[number, : layer.n_states, neurons] = layer.state_set
            self._alive[number, neurons] = ~layer.dead
        self._salts = np.array([layer.salts for layer in layers], dtype=np.int64)
        self._records = np.array([_record(layer) for layer in layers], dtype=kernels.FAULT_LAYER)

    @classmethod
    def of(
        cls, network: Network, faults: Faults | None, first_rows: Sequence[int], lanes: int
    ) -> FastFaults | None:
        """Return the faults of a network, or None if nothing is broken."""
        layers = faults_of(network, faults)
        return None if layers is None else cls(network, layers, first_rows, lanes)

    def loaded(self, number: int, weights: Array) -> Array:
        """Return what the memory of a layer holds of weights that are loaded."""
        return self.layers[number].loaded(weights)

    def new_arrays(self) -> kernels.FaultArrays:
        """Return them, with room for what changes while samples run; one run at a time can use it."""
        n_layers = len(self.layers)
        events = (n_layers, 2 * self._longest)
        return kernels.FaultArrays(
            layers=self._records,
            weight_keep=self._weight_keep,
            weight_set=self._weight_set,
            state_keep=self._state_keep,
            state_set=self._state_set,
            alive=self._alive,
            salts=self._salts,
            draws=np.zeros((n_layers, 3), dtype=np.int64),
            received=np.zeros(events, dtype=np.int64),
            ticks=np.zeros(events, dtype=np.int64),
            n_received=np.zeros(n_layers, dtype=np.int64),
            n_seen=np.zeros(n_layers, dtype=np.int64),
            delta=np.zeros(self._alive.shape[1], dtype=np.int16),
        )


def _record(layer: LayerFaults) -> tuple[int, ...]:
    width = layer.layer.weight_width
    return (
        width,
        layer.n_rows * layer.n_neurons * width,
        layer.weight_rate.whole,
        layer.weight_rate.fraction,
        layer.n_states * layer.n_neurons * STATE_WIDTH,
        layer.state_rate.whole,
        layer.state_rate.fraction,
        layer.drop_below,
        layer.duplicate_below,
    )
