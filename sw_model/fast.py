# SPDX-License-Identifier: BSD-2-Clause
"""The compiled path of the model: the integers of :mod:`erbium.sw_model.array`, for whole epochs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from erbium.sw_model import fast_kernels as kernels
from erbium.sw_model.compiling import announce
from erbium.sw_model.constants import Array
from erbium.sw_model.fast_common import Batch, FastLearner, Totals
from erbium.sw_model.fast_fault_kernels import FaultArrays
from erbium.sw_model.fast_first_spike import Decisions
from erbium.sw_model.fast_learners import fast_learner
from erbium.sw_model.faults import Faults
from erbium.sw_model.network import Network
from erbium.sw_model.results import Results
from erbium.sw_model.rules.pixels import rounded

announce()


class FastArray:
    """The array, compiled: :class:`erbium.sw_model.array.ArrayModel` without the view into each tick.

    Answers, ticks, counters and weights are the same integers. The first use on a machine compiles for some
    seconds; later ones read the result from disk.

    Parameters
    ----------
    network : Network
    learner : FastLearner, optional
        What runs the network; default is what its description asks for. Another one may be given to compare with.
    faults : Faults, optional
        What is broken; only without `learner`, which has faults of its own.

    Attributes
    ----------
    decide_after : int
        Output spikes of one neuron that end an inference, 0 for never; at first the network's.
    """

    def __init__(
        self, network: Network, learner: FastLearner | None = None, faults: Faults | None = None
    ) -> None:
        if learner is not None and learner.network != network:
            raise ValueError(
                f"the learner is that of network {learner.network.name!r}, not of {network.name!r}"
            )
        self.network = network
        self.decide_after = network.decide_after
        if learner is not None and faults:
            raise ValueError("there are a learner and faults; give the faults to the learner")
        self._learner = learner or fast_learner(network, faults)
        self._state = self._learner.new_state()
        self._faults = self._learner.new_faults()
        self._rates = np.array(network.rates, dtype=np.int64)
        self._weights = np.zeros((self._learner.first_rows[-1], self._learner.lanes), dtype=np.int16)
        self._totals = Totals.zeros(len(network.layers))
        self._store(network.initial_weights())

    def set_rates(self, rates: Sequence[int]) -> None:
        """Set the learning rate of each layer, 0 ... its full rate."""
        if len(rates) != len(self._rates):
            raise ValueError(f"there are {len(rates)} rates; the network has {len(self._rates)} layers")
        self._rates[:] = rates

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
        batch = self._checked(images, seeds, labels, n_ticks)
        return _results(self._run(self._state, self._faults, batch, self._totals))

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
        return _results(self._run_parallel(self._checked(images, seeds, None, n_ticks), threads))

    def decisions(
        self, images: Array, seeds: Array, n_ticks: int | None = None, threads: int | None = None
    ) -> Decisions:
        """Infer samples with a first-spike network as :meth:`infer_parallel` does; tell what each decision took.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, n_inputs)
        seeds : ndarray of uint32, shape (n,)
        n_ticks : int, optional
            Longest presentation; default is the network's.
        threads : int, optional
            Default is the number of processors.

        Raises
        ------
        ValueError
            If the network learns by error neurons: no spike of its outputs decides.
        """
        if not self.network.error.decides_by_a_spike:
            raise ValueError(
                f"network {self.network.name!r} learns by error neurons; decisions are those of first-spike networks"
            )
        batch = self._checked(images, seeds, None, n_ticks)
        found: Decisions = self._learner.decisions(self._run_parallel(batch, threads))
        return found

    def spikes(
        self, images: Array, seeds: Array, n_ticks: int | None = None, threads: int | None = None
    ) -> Array:
        """Infer samples as :meth:`infer_parallel` does; return how often each population spiked in each of them.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, n_inputs)
        seeds : ndarray of uint32, shape (n,)
        n_ticks : int, optional
            Longest presentation; default is the network's.
        threads : int, optional
            Default is the number of processors.

        Returns
        -------
        ndarray of int64, shape (n, 1 + n_layers)
            Spikes of the encoder, and of each layer from the first to the output.
        """
        table = self._run_parallel(self._checked(images, seeds, None, n_ticks), threads)
        return table[:, -1 - len(self.network.layers) :]

    def _checked(self, images: Array, seeds: Array, labels: Array | None, n_ticks: int | None) -> Batch:
        """Check what the kernels, which check nothing, rely on."""
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != self.network.n_inputs:
            raise ValueError(
                f"images are {images.dtype} of shape {images.shape}; they must be uint8 of shape "
                f"(n, {self.network.n_inputs})"
            )
        seeds = np.array(seeds, dtype=np.int64)
        if seeds.shape != (len(images),):
            raise ValueError(f"seeds have shape {seeds.shape}; there are {len(images)} images")
        learn = labels is not None
        targets = np.zeros(len(images), np.int64) if labels is None else np.array(labels, dtype=np.int64)
        if targets.shape != seeds.shape:
            raise ValueError(f"labels have shape {targets.shape}; there are {len(images)} images")
        if targets.size and not 0 <= targets.min() <= targets.max() < self.network.n_classes:
            raise ValueError(f"labels must be from 0 to {self.network.n_classes - 1}")
        ticks = n_ticks or self.network.n_ticks
        if ticks < 0:
            raise ValueError(f"n_ticks is {n_ticks}; it must be at least 1")
        self._learner.check_ticks(ticks)
        # Numba compiles once more for read-only arrays, such as memory maps: let all be read-only.
        images = np.ascontiguousarray(rounded(images, self.network.pixel_bits)).view()
        images.flags.writeable = False
        return Batch(images, seeds, targets, learn, ticks)

    def _run(self, state: object, faults: FaultArrays | None, batch: Batch, totals: Totals) -> Array:
        table = np.zeros((len(batch.images), self._learner.n_columns), dtype=np.int64)
        self._learner.run(state, faults, self._weights, self._rates, batch, self.decide_after, totals, table)
        return table

    def _run_parallel(self, batch: Batch, threads: int | None) -> Array:
        n = len(batch.images)
        shards = max(1, min(threads or os.cpu_count() or 1, n))
        bounds = [n * k // shards for k in range(shards + 1)]

        def infer(k: int) -> tuple[Array, Totals]:
            here = slice(bounds[k], bounds[k + 1])
            part = batch._replace(
                images=batch.images[here], seeds=batch.seeds[here], labels=batch.labels[here]
            )
            totals = Totals.zeros(len(self.network.layers))
            table = self._run(self._learner.new_state(), self._learner.new_faults(), part, totals)
            return table, totals

        with ThreadPoolExecutor(shards) as pool:
            parts = list(pool.map(infer, range(shards)))
        for _, totals in parts:
            self._totals.add(totals)
        return np.concatenate([table for table, _ in parts])

    def counters(self) -> dict[str, int]:
        """Return all counters by name; layers are numbered from 1."""
        array, layers = self._totals
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
        return result | {self.network.error.counter: int(array[kernels.OWN_COUNTER])}

    def _view(self, number: int) -> Array:
        """Return the weights of a layer within the weight array."""
        first, end = self._learner.first_rows[number : number + 2]
        return self._weights[first:end, : self.network.layers[number].n_neurons]

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
            # What a broken memory held can be loaded again, though no rule would write it.
            lowest = layer.weight_min if self._learner.faults is None else -layer.weight_max - 1
            if np.min(values) < lowest or np.max(values) > layer.weight_max:
                raise ValueError(
                    f"a weight of layer {number + 1} is outside of {lowest} ... {layer.weight_max}"
                )
        self._store(weights)

    def _store(self, weights: Sequence[Array]) -> None:
        for number, values in enumerate(weights):
            broken = self._learner.faults
            self._view(number)[:] = values if broken is None else broken.loaded(number, values)


def _results(table: Array) -> Results:
    return Results(table[:, kernels.ANSWER], table[:, kernels.TICKS_RUN], table[:, kernels.TICKS_TO_DECISION])
