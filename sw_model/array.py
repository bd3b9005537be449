# SPDX-License-Identifier: BSD-2-Clause
"""Reference model of the whole array: it defines the tokens of every channel and every memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from erbium.sw_model.constants import Array
from erbium.sw_model.encoder import encoder_of
from erbium.sw_model.faults import Faults, faults_of
from erbium.sw_model.layer import LayerModel
from erbium.sw_model.learners import LEARNERS
from erbium.sw_model.network import Network
from erbium.sw_model.prediction import PredictionModel
from erbium.sw_model.results import SampleModel, SampleResult


@dataclass(frozen=True)
class Tick:
    """What went over the channels in one tick.

    Attributes
    ----------
    number : int
        From 0.
    input_spikes : list of int
    layer_spikes : list of list of int
        Spikes of each layer, the output layer last.
    errors : list of int
        Error spikes formed in this tick (they act ``feedback_delay`` ticks later).
    stop : bool
        Whether this tick decided to stop the sample.
    """

    number: int
    input_spikes: list[int]
    layer_spikes: list[list[int]]
    errors: list[int]
    stop: bool


class Observer(Protocol):
    """Called after each tick with the array as it stands then."""

    def __call__(self, array: ArrayModel, tick: Tick, /) -> None:
        """Look; change nothing."""


class ArrayModel(SampleModel):
    """The array, one sample at a time.

    Parameters
    ----------
    network : Network
    faults : Faults, optional
        What is broken.

    Attributes
    ----------
    layers : list of LayerModel
    prediction : PredictionModel
    samples, ticks, input_spikes : int
        Counters.
    """

    def __init__(self, network: Network, faults: Faults | None = None) -> None:
        self.network = network
        self.encoder = encoder_of(network)
        learner = LEARNERS[type(network.error)]
        broken = faults_of(network, faults)
        self.layers: list[LayerModel] = [
            learner.layer(network, number, broken[number] if broken else None)
            for number in range(len(network.layers))
        ]
        self.prediction: PredictionModel = learner.prediction(network)
        self.samples = self.ticks = self.input_spikes = 0

    @property
    def decide_after(self) -> int:
        """Output spikes that settle an inference, 0 for none; may be set between samples."""
        return self.prediction.decide_after

    @decide_after.setter
    def decide_after(self, n_spikes: int) -> None:
        self.prediction.decide_after = n_spikes

    def set_rates(self, rates: Sequence[int]) -> None:
        """Set the learning rate of each layer, 0 ... its full rate."""
        for layer, rate in zip(self.layers, rates, strict=True):
            layer.rate = rate

    def sample(
        self,
        image: Array,
        *,
        seed: int,
        label: int | None = None,
        n_ticks: int | None = None,
        observer: Observer | None = None,
    ) -> SampleResult:
        """Present one sample; learn it if it has a label.

        Parameters
        ----------
        image : ndarray of uint8, shape (n_inputs,)
        seed : int
            32-bit seed of the sample.
        label : int, optional
            Class to learn; ``None`` infers.
        n_ticks : int, optional
            Longest presentation; default is the network's.
        observer : Observer, optional
            Called after each tick.
        """
        learn = label is not None
        delay = self.network.feedback_delay
        # A feedback loop is a channel that holds `delay` tokens before the first one is written.
        errors_in_flight: deque[list[int]] = deque([[] for _ in range(delay)])
        stops_in_flight: deque[bool] = deque([False] * delay)
        self.encoder.begin(image, seed)
        for layer in self.layers:
            layer.begin(seed, learn)
        self.prediction.begin(learn, label or 0)
        number = 0
        for number in range(n_ticks or self.network.n_ticks):
            errors = errors_in_flight.popleft()
            channels = [self.encoder.tick()]
            for layer in self.layers:
                layer.tick(channels[-1])
                if label is not None and layer is self.layers[-1]:
                    layer.teach(label)
                layer.feedback(errors)
                channels.append(layer.sweep())
            new_errors, stop = self.prediction.tick(channels[-1], self.layers[-1].population.x[0])
            errors_in_flight.append(new_errors)
            stops_in_flight.append(stop)
            self.ticks += 1
            self.input_spikes += channels[0].size
            if observer is not None:
                lists = [[int(k) for k in channel] for channel in channels]
                observer(self, Tick(number, lists[0], lists[1:], new_errors, stop))
            if stops_in_flight.popleft():
                break
        self._learn_after()
        self.samples += 1
        return SampleResult.of(self.prediction.answer, self.prediction.decision_tick, number)

    def _learn_after(self) -> None:
        """Learn what is known only at the end of a sample, from the outputs down."""
        word = self.prediction.finish()
        for layer in reversed(self.layers):
            if word is None:
                break
            word = layer.replay(word)

    def counters(self) -> dict[str, int]:
        """Return all counters by name; layers are numbered from 1."""
        result = {"samples": self.samples, "ticks": self.ticks, "input_spikes": self.input_spikes}
        for number, layer in enumerate(self.layers, 1):
            result |= {f"layer{number}_{name}": value for name, value in vars(layer.counters).items()}
        return result | self.prediction.counters()

    @property
    def weights(self) -> list[Array]:
        """Weights of each layer, int16 of shape ``(n_rows, n_neurons)``, as a copy."""
        return [layer.weights.astype(np.int16) for layer in self.layers]

    def load(self, weights: Sequence[Array]) -> None:
        """Replace all weights."""
        for layer, values in zip(self.layers, weights, strict=True):
            layer.load(values)
