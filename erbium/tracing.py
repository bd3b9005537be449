# SPDX-License-Identifier: BSD-2-Clause
"""One sample from inside: every spike and every state of every neuron, after each tick."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from erbium.chip import check_sample
from erbium.sw_model import constants
from erbium.sw_model.array import ArrayModel, Tick
from erbium.sw_model.constants import Array
from erbium.sw_model.network import Network
from erbium.sw_model.programs import check_range


@dataclass(frozen=True, eq=False)
class Trace:
    """What happened in one sample.

    Attributes
    ----------
    network : Network
    image : ndarray of uint8, shape (n_inputs,)
    label : int or None
        The class that it was learned with; None if it was only answered.
    seed : int
        32-bit seed of the sample.
    answer : int
        Class that the readout named.
    ticks : int
        Ticks that were run.
    decision_tick : int or None
        Tick, from 0, of the early decision, if there was one.
    spikes : mapping of str to ndarray of bool, shape (ticks, n_neurons)
        By population: ``"input"``, then the layers as :attr:`layers` names them, then, in eRBP, ``"error"``: error
        neuron 2c is for class c named wrongly, 2c + 1 for class c missed.
    states : mapping of str to mapping of str to ndarray of int32, shape (ticks, n_neurons)
        By layer, then by the name of the state in the neuron program, such as ``states["output"]["v"]``: the
        values after the sweep of each tick, resets done.
    weights : tuple of ndarray of int16, shape (n_rows, n_neurons)
        Of each layer, after the sample; as before it if it was only answered.
    """

    network: Network
    image: Array
    label: int | None
    seed: int
    answer: int
    ticks: int
    decision_tick: int | None
    spikes: Mapping[str, Array]
    states: Mapping[str, Mapping[str, Array]]
    weights: tuple[Array, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers: hidden, or hidden 1, hidden 2 and so on, and output."""
        return tuple(self.states)

    def events(self, population: str) -> Iterator[tuple[int, int]]:
        """Return the spikes of a population as pairs of tick and neuron, in their order."""
        return ((int(tick), int(neuron)) for tick, neuron in np.argwhere(self.spikes[population]))

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {int(fired.sum()):,}" for name, fired in self.spikes.items())
        return f"<Trace: answer {self.answer} after {self.ticks} ticks; spikes: {counts}>"


def trace(
    network: Network,
    image: Array,
    label: int | None = None,
    *,
    weights: Sequence[Array] | None = None,
    number: int = 0,
    n_ticks: int | None = None,
) -> Trace:
    """Run one sample on the model and keep every spike and every state.

    Every backend gives the same integers, so this is also what happens inside of the chip.

    Parameters
    ----------
    network : Network
    image : ndarray of uint8, shape (n_inputs,)
    label : int, optional
        Learn the sample with this class, 0 ... n_classes - 1; without it the sample is only answered.
    weights : sequence of ndarray, optional
        Of each layer, shape ``(n_rows, n_neurons)``; they stay as they are. Default: the initial weights.
    number : int
        Number of the sample, which decides its random numbers: of the test image for an answer as
        :meth:`erbium.chip.Chip.infer` gives it, of the training sample for a learned one.
    n_ticks : int, optional
        Longest presentation; default is the network's.

    Returns
    -------
    Trace

    Raises
    ------
    ChipError
        If image, label or weights do not fit the network.
    DescriptionError
        If `number` or `n_ticks` is out of range.

    Examples
    --------
    >>> import erbium
    >>> from erbium.sw_model import datasets
    >>> data = datasets.load("digits")
    >>> network = erbium.preset("erbp-digits").network
    >>> found = erbium.trace(network, data.test.images[0])
    >>> found.spikes["output"].shape == (found.ticks, network.n_classes)
    True
    """
    check_range("number of the sample", number, 0, (1 << 63) - 1)
    seed = int(constants.sample_seeds(network.seed, label is not None, number, 1)[0])
    return trace_seed(network, image, label, seed, weights=weights, n_ticks=n_ticks)


def trace_seed(
    network: Network,
    image: Array,
    label: int | None,
    seed: int,
    *,
    weights: Sequence[Array] | None = None,
    n_ticks: int | None = None,
    rates: Sequence[int] | None = None,
) -> Trace:
    """Do as :func:`trace` with the sample's own 32-bit seed, and with given learning rates."""
    image = check_sample(network, image, label, weights, n_ticks)
    array = ArrayModel(network)
    if weights is not None:
        array.load(weights)
    if rates is not None:
        array.set_rates(rates)
    ticks: list[Tick] = []
    states: list[list[Array]] = []

    def keep(array: ArrayModel, tick: Tick) -> None:
        ticks.append(tick)
        states.append([layer.population.x.copy() for layer in array.layers])

    result = array.sample(image, seed=seed, label=label, n_ticks=n_ticks, observer=keep)
    names = layer_names(network)
    spikes = {"input": _fired([tick.input_spikes for tick in ticks], network.n_inputs)}
    for k, (name, layer) in enumerate(zip(names, network.layers, strict=True)):
        spikes[name] = _fired([tick.layer_spikes[k] for tick in ticks], layer.n_neurons)
    for name, (_, size) in network.error.populations(network.n_classes).items():
        spikes[name] = _fired([tick.errors for tick in ticks], size)
    by_state = {
        name: {
            state: np.array([values[k][s] for values in states], dtype=np.int32)
            for s, state in enumerate(network.layers[k].program.states)
        }
        for k, name in enumerate(names)
    }
    return Trace(
        network,
        image,
        label,
        seed,
        result.answer,
        len(ticks),
        array.prediction.decision_tick,
        spikes,
        by_state,
        tuple(array.weights),
    )


def layer_names(network: Network) -> list[str]:
    """Return what people call the layers: hidden 1, hidden 2, ..., output."""
    hidden = len(network.layers) - 1
    return [f"hidden {k}" if hidden > 1 else "hidden" for k in range(1, hidden + 1)] + ["output"]


def _fired(spikes: Sequence[Sequence[int]], n_neurons: int) -> Array:
    fired = np.zeros((len(spikes), n_neurons), dtype=bool)
    for tick, neurons in enumerate(spikes):
        fired[tick, list(neurons)] = True
    return fired
