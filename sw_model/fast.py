# SPDX-License-Identifier: BSD-2-Clause
"""The compiled path of the model: the integers of :mod:`erbium.sw_model.array`, for whole epochs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from erbium.sw_model import fast_kernels as kernels
from erbium.sw_model.array import Results
from erbium.sw_model.constants import Array, neuron_constants, salt
from erbium.sw_model.encoder import start_phase
from erbium.sw_model.network import Layer, Network
from erbium.sw_model.programs import MAX_OPERATIONS, MAX_STATES, RESET_MODES
from erbium.sw_model.rules import ErbpRule

VECTOR = 32
"""Neurons are padded to a multiple of this: 64 bytes of int16, a cache line and the widest vector."""

_KINDS = {"state": kernels.FROM_STATE, "port": kernels.FROM_PORT, "noise": kernels.FROM_NOISE}


def _lanes(n_neurons: int) -> int:
    return -(-n_neurons // VECTOR) * VECTOR


def _layer_record(network: Network, number: int, first_row: int) -> tuple[int, ...]:
    layer, program = network.layers[number], network.layers[number].program
    rule = layer.rule if isinstance(layer.rule, ErbpRule) else None
    fields = {
        "n_neurons": layer.n_neurons,
        "lanes": _lanes(layer.n_neurons),
        "first_row": first_row,
        "bias_row": network.n_rows(number) - 1,
        "n_states": program.n_states,
        "n_ports": program.n_ports,
        "n_operations": len(program.operations),
        "threshold": program.threshold,
        "adaptive": program.adaptive,
        "refractory": program.refractory,
        "hold": program.hold,
        "uses_noise": program.uses_noise,
        "has_rule": rule is not None,
        "gate_lower": rule.gate_lower if rule else 0,
        "gate_upper": rule.gate_upper if rule else 0,
        "modulator": rule.modulator if rule else 0,
        "first_tick": rule.first_tick if rule else 0,
        "weight_min": layer.weight_min,
        "weight_max": layer.weight_max,
        "transmit_factor": 1 << (24 - layer.weight_width),
        "rounding_shift": layer.rounding_shift,
        "has_feedback": layer.feedback != "none",
        "synapse_keep": layer.synapse_keep,
        "neuron_keep": layer.neuron_keep,
    }
    names = kernels.LAYER.names or ()
    return tuple(int(fields[name]) for name in names)


def _program_arrays(layer: Layer) -> tuple[Array, Array]:
    """Return the operations and the state variables of a layer's program."""
    program = layer.program
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


def _describe(network: Network) -> kernels.Description:
    """Write a network into arrays."""
    n_layers = len(network.layers)
    lanes = max(_lanes(layer.n_neurons) for layer in network.layers)
    first_rows = np.cumsum([0, *(network.n_rows(number) for number in range(n_layers))])
    layers = [_layer_record(network, number, int(first_rows[number])) for number in range(n_layers)]
    feedback = np.zeros((n_layers, network.n_classes, lanes), dtype=np.int8)
    for number, layer in enumerate(network.layers):
        feedback[number, :, : layer.n_neurons] = network.feedback_weights(number).T
    programs = [_program_arrays(layer) for layer in network.layers]
    common = (
        n_layers,
        network.n_classes,
        network.encoder == "phase",
        network.margin,
        network.quiet_ticks,
        network.feedback_delay,
        network.error_neurons.weight,
        network.error_neurons.threshold,
    )
    return kernels.Description(
        network=np.array([common], dtype=kernels.NETWORK),
        layers=np.array(layers, dtype=kernels.LAYER),
        operations=np.stack([operations for operations, _ in programs]),
        variables=np.stack([variables for _, variables in programs]),
        feedback=feedback,
        neuron_constants=neuron_constants(lanes).astype(np.uint16),
        salts=np.array([[salt(process, stream) for stream in range(5)] for process in range(n_layers + 1)]),
        start_phase=start_phase(np.arange(network.n_inputs)),
    )


def _new_state(network: Network) -> kernels.State:
    n_layers, n_classes, delay = len(network.layers), network.n_classes, network.feedback_delay
    lanes = max(_lanes(layer.n_neurons) for layer in network.layers)
    longest = max(network.shape) + 4  # the bias row, and what an encoder writes behind its last spike

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
        row_draws=zeros(np.int64, longest),
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


class FastArray:
    """The array, compiled: :class:`erbium.sw_model.array.ArrayModel` without the view into each tick.

    Answers, ticks, counters and weights are the same integers. The first use on a machine compiles for some
    seconds; later ones read the result from disk.

    Parameters
    ----------
    network : Network

    Attributes
    ----------
    decide_after : int
        Output spikes of one neuron that end an inference, 0 for never; at first the network's.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.decide_after = network.decide_after
        self._description = _describe(network)
        self._state = _new_state(network)
        self._gains = np.array(network.rates, dtype=np.int64)
        rows = sum(network.n_rows(number) for number in range(len(network.layers)))
        lanes = self._description.neuron_constants.size
        self._weights = np.zeros((rows, lanes), dtype=np.int16)
        self._counters = np.zeros(4, dtype=np.int64)
        self._layer_counters = np.zeros((len(network.layers), 4), dtype=np.int64)
        self.load(network.initial_weights())

    def set_rates(self, gains: Sequence[int]) -> None:
        """Set the gain of each layer, 0 ... its gain at full rate."""
        if len(gains) != len(self._gains):
            raise ValueError(f"there are {len(gains)} gains; the network has {len(self._gains)} layers")
        self._gains[:] = gains

    def run(
        self, images: Array, seeds: Array, labels: Array | None = None, *, n_ticks: int | None = None
    ) -> Results:
        """Present samples in order; learn them if there are labels.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, n_inputs)
        seeds : ndarray of uint32, shape (n,)
        labels : ndarray of int, shape (n,), optional
        n_ticks : int, optional
            Longest presentation; default is the network's.
        """
        images, seeds, ticks = self._checked(images, seeds, n_ticks)
        learn = labels is not None
        targets = np.zeros(len(images), np.int64) if labels is None else np.array(labels, dtype=np.int64)
        if targets.shape != seeds.shape:
            raise ValueError(f"labels have shape {targets.shape}; there are {len(images)} images")
        if targets.size and not 0 <= targets.min() <= targets.max() < self.network.n_classes:
            raise ValueError(f"labels must be from 0 to {self.network.n_classes - 1}")
        return self._run(
            self._state, images, seeds, targets, learn, ticks, self._counters, self._layer_counters
        )

    def infer_parallel(
        self, images: Array, seeds: Array, n_ticks: int | None = None, threads: int | None = None
    ) -> Results:
        """Infer samples on several threads: what :meth:`run` without labels gives, counters included.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, n_inputs)
        seeds : ndarray of uint32, shape (n,)
        n_ticks : int, optional
            Longest presentation; default is the network's.
        threads : int, optional
            Default is the number of processors.
        """
        images, seeds, ticks = self._checked(images, seeds, n_ticks)
        shards = max(1, min(threads or os.cpu_count() or 1, len(images)))
        bounds = [len(images) * k // shards for k in range(shards + 1)]

        def infer(k: int) -> tuple[Results, Array, Array]:
            counters, layer_counters = np.zeros_like(self._counters), np.zeros_like(self._layer_counters)
            here = slice(bounds[k], bounds[k + 1])
            labels = np.zeros(bounds[k + 1] - bounds[k], dtype=np.int64)
            results = self._run(
                _new_state(self.network),
                images[here],
                seeds[here],
                labels,
                False,
                ticks,
                counters,
                layer_counters,
            )
            return results, counters, layer_counters

        with ThreadPoolExecutor(shards) as pool:
            parts = list(pool.map(infer, range(shards)))
        for _, counters, layer_counters in parts:
            self._counters += counters
            self._layer_counters += layer_counters
        return Results(
            np.concatenate([part.answers for part, *_ in parts]),
            np.concatenate([part.ticks for part, *_ in parts]),
            np.concatenate([part.ticks_to_decision for part, *_ in parts]),
        )

    def _checked(self, images: Array, seeds: Array, n_ticks: int | None) -> tuple[Array, Array, int]:
        """Check what the kernel, which checks nothing, relies on."""
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != self.network.n_inputs:
            raise ValueError(
                f"images are {images.dtype} of shape {images.shape}; they must be uint8 of shape "
                f"(n, {self.network.n_inputs})"
            )
        seeds = np.array(seeds, dtype=np.int64)
        if seeds.shape != (len(images),):
            raise ValueError(f"seeds have shape {seeds.shape}; there are {len(images)} images")
        ticks = n_ticks or self.network.n_ticks
        if ticks < 0:
            raise ValueError(f"n_ticks is {n_ticks}; it must be at least 1")
        # Numba compiles once more for read-only arrays, such as memory maps: let all be read-only.
        images = np.ascontiguousarray(images).view()
        images.flags.writeable = False
        return images, seeds, ticks

    def _run(
        self,
        state: kernels.State,
        images: Array,
        seeds: Array,
        labels: Array,
        learn: bool,
        ticks: int,
        counters: Array,
        layer_counters: Array,
    ) -> Results:
        table = np.zeros((len(images), 3), dtype=np.int64)
        kernels.run_batch(
            self._description,
            state,
            self._weights,
            self._gains,
            images,
            seeds,
            labels,
            learn,
            ticks,
            self.decide_after,
            counters,
            layer_counters,
            table,
        )
        return Results(
            table[:, kernels.ANSWER], table[:, kernels.TICKS_RUN], table[:, kernels.TICKS_TO_DECISION]
        )

    def counters(self) -> dict[str, int]:
        """Return all counters by name; layers are numbered from 1."""
        array, layers = self._counters, self._layer_counters
        result = {
            "samples": int(array[kernels.SAMPLES]),
            "ticks": int(array[kernels.TICKS]),
            "input_spikes": int(array[kernels.INPUT_SPIKES]),
        }
        columns = {
            "spikes": kernels.SPIKES,
            "synaptic_operations": kernels.SYNAPTIC_OPERATIONS,
            "rows_learned": kernels.ROWS_LEARNED,
            "weights_changed": kernels.WEIGHTS_CHANGED,
        }
        for number in range(len(layers)):
            for name, column in columns.items():
                result[f"layer{number + 1}_{name}"] = int(layers[number, column])
        return result | {"error_spikes": int(array[kernels.ERROR_SPIKES])}

    def _view(self, number: int) -> Array:
        """Return the weights of a layer within the weight array."""
        layer = self._description.layers[number]
        first = int(layer["first_row"])
        return self._weights[first : first + int(layer["bias_row"]) + 1, : int(layer["n_neurons"])]

    @property
    def weights(self) -> list[Array]:
        """Weights of each layer, int16 of shape ``(n_rows, n_neurons)``, as a copy."""
        return [self._view(number).copy() for number in range(len(self.network.layers))]

    def load(self, weights: Sequence[Array]) -> None:
        """Replace all weights.

        Raises
        ------
        ValueError
            If a layer's shape is another one, or a weight does not fit its width.
        """
        if len(weights) != len(self.network.layers):
            raise ValueError(f"there are weights of {len(weights)} layers, not {len(self.network.layers)}")
        for number, (layer, values) in enumerate(zip(self.network.layers, weights, strict=True)):
            view = self._view(number)
            if np.shape(values) != view.shape:
                raise ValueError(
                    f"weights of layer {number + 1} have shape {np.shape(values)}, not {view.shape}"
                )
            if np.min(values) < layer.weight_min or np.max(values) > layer.weight_max:
                raise ValueError(
                    f"a weight of layer {number + 1} is outside of {layer.weight_min} ... {layer.weight_max}"
                )
        for number, values in enumerate(weights):
            self._view(number)[:] = values
