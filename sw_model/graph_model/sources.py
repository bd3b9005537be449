# SPDX-License-Identifier: BSD-2-Clause
"""Reference model of the sources: where spikes come from that no neuron sends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np

from erbium.sw_model import constants
from erbium.sw_model.constants import STREAM_ENCODER, Array
from erbium.sw_model.description.parts import Bernoulli, Constant, Events, Label, Phase, Source
from erbium.sw_model.encoder import BernoulliEncoder, LatencyModel, PhaseEncoder


class SourceModel(Protocol):
    """Makes the spikes of one source."""

    def begin(self, image: Array, seed: int | None, label: int | None) -> None:
        """Take a sample: its part of the pixels, uint8, the seed, and the label in learning, else ``None``.

        Without a seed the random numbers run on.
        """

    def tick(self) -> Array:
        """Return the addresses that spike in this tick, ascending."""


class EncodedSource:
    """A source that encodes pixels by one of the encoders."""

    def __init__(self, encoder: BernoulliEncoder | PhaseEncoder | LatencyModel) -> None:
        self._encoder = encoder
        self.tick = encoder.tick

    def begin(self, image: Array, seed: int | None, label: int | None) -> None:
        """Take a sample."""
        self._encoder.begin(image, seed)


class ConstantSource:
    """Every neuron spikes at every tick."""

    def __init__(self, size: int) -> None:
        self._spikes = np.arange(size)

    def begin(self, image: Array, seed: int | None, label: int | None) -> None:
        """Take a sample."""

    def tick(self) -> Array:
        """Return all addresses."""
        return self._spikes


class LabelSource:
    """The label of a learned sample spikes at every tick."""

    def __init__(self) -> None:
        self._spikes = np.array([], dtype=np.int64)

    def begin(self, image: Array, seed: int | None, label: int | None) -> None:
        """Take a sample."""
        self._spikes = np.array([] if label is None else [label], dtype=np.int64)

    def tick(self) -> Array:
        """Return the label, if there is one."""
        return self._spikes


class EventSource:
    """The host says which neurons spike, tick by tick; after what it has said there is silence."""

    def __init__(self) -> None:
        self.give(())

    def give(self, events: Iterable[Array]) -> None:
        """Take the addresses of the ticks to come, ascending in each."""
        self._ticks = iter(events)

    def begin(self, image: Array, seed: int | None, label: int | None) -> None:
        """Take a sample."""

    def tick(self) -> Array:
        """Return what the host said."""
        return next(self._ticks, np.array([], dtype=np.int64))


def source_model(source: Source) -> SourceModel:
    """Return the model of a source."""
    encoder = source.encoder
    if isinstance(encoder, Constant):
        return ConstantSource(source.size)
    if isinstance(encoder, Label):
        return LabelSource()
    if isinstance(encoder, Events):
        return EventSource()
    if isinstance(encoder, Phase):
        return EncodedSource(PhaseEncoder())
    if isinstance(encoder, Bernoulli):
        model = BernoulliEncoder()
        model.generator.salt = constants.salt(source.process, STREAM_ENCODER)
        return EncodedSource(model)
    return EncodedSource(LatencyModel(encoder))
