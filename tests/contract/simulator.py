# SPDX-License-Identifier: BSD-2-Clause
"""The array of docs/contract.md and docs/contract-first-spike.md, from the JSON of docs/description.md."""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import Any, NamedTuple

from . import hashed, streams
from .erbp import ErbpLayer, ErbpPrediction
from .first_spike import FirstSpikeLayer, FirstSpikePrediction

FORMAT, VERSION = "erbium-network", 1


class DescriptionError(ValueError):
    """A text that docs/description.md does not describe."""


class Outcome(NamedTuple):
    """Result of a sample."""

    answer: int
    ticks: int
    ticks_to_decision: int


def digest(network: dict[str, Any]) -> str:
    content = {key: value for key, value in network.items() if key not in ("format", "version", "digest")}
    text = json.dumps(content | {"name": ""}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read(text: str) -> dict[str, Any]:
    """Return a network from its JSON.

    Raises
    ------
    DescriptionError
        If it is another format or version, or its digest is wrong.
    """
    network: dict[str, Any] = json.loads(text)
    found = (network.get("format"), network.get("version"))
    if found != (FORMAT, VERSION):
        raise DescriptionError(f"format and version are {found}; the page has {(FORMAT, VERSION)}")
    if network.get("digest", digest(network)) != digest(network):
        raise DescriptionError(f"digest is {network['digest']}; the content has {digest(network)}")
    return network


class Simulator:
    """The array, one sample at a time.

    Parameters
    ----------
    text : str
        JSON of the network.
    """

    def __init__(self, text: str) -> None:
        self.network = network = read(text)
        self.is_first_spike = "deadline" in network["error"]
        sizes = [network["n_inputs"], *(layer["n_neurons"] for layer in network["layers"])]
        kind = FirstSpikeLayer if self.is_first_spike else ErbpLayer
        self.layers = [kind(network, number, sizes[number]) for number in range(len(network["layers"]))]
        self.prediction = FirstSpikePrediction(network) if self.is_first_spike else ErbpPrediction(network)
        self.samples = self.ticks = self.input_spikes = 0

    def learn(self, image: list[int], label: int, n: int) -> Outcome:
        """Learn training sample number n."""
        return self.sample(image, hashed.sample_seed(self.network["seed"], 1, n), label)

    def infer(self, image: list[int], n: int) -> Outcome:
        """Infer image number n of a data set."""
        return self.sample(image, hashed.sample_seed(self.network["seed"], 0, n))

    def sample(
        self, image: list[int], seed: int, label: int | None = None, n_ticks: int | None = None
    ) -> Outcome:
        """Present a sample; learn it if it has a label."""
        delay = self.network["feedback_delay"]
        coming: dict[int, tuple[list[int], bool]] = {}
        for layer in self.layers:
            layer.begin(seed, label is not None)
        self.prediction.begin(label)
        t = 0
        if self.network.get("pixel_bits", 8) == 4:
            image = [17 * (value >> 4) for value in image]
        pixels = streams.input_spikes(
            self.network["encoder"], image, seed, n_ticks or self.network["n_ticks"]
        )
        for t, spikes in enumerate(pixels):
            self.input_spikes += len(spikes)
            errors, stop = coming.pop(t, ([], False))
            for layer in self.layers:
                layer.rows(spikes)
                if isinstance(layer, ErbpLayer):
                    if label is not None and layer is self.layers[-1]:
                        layer.take_margin(label, self.network["margin"])
                    layer.take_errors(errors)
                spikes = layer.sweep()
            coming[t + delay] = self.prediction.tick(spikes, self.layers[-1].x[0])
            if stop:
                break
        if label is not None and isinstance(self.prediction, FirstSpikePrediction):
            self._learn(self.prediction.words())
        self.samples += 1
        self.ticks += t + 1
        decision = self.prediction.decision
        return Outcome(self.prediction.answer, t + 1, t + 1 if decision is None else decision + 1)

    def _learn(self, words: list[int] | None) -> None:
        for layer in reversed(self.layers):
            if words is None or not any(words):
                return
            assert isinstance(layer, FirstSpikeLayer)
            words = layer.replay(words)

    def counters(self) -> dict[str, int]:
        """Return the counters in their order."""
        counts = {"samples": self.samples, "ticks": self.ticks, "input_spikes": self.input_spikes}
        for number, layer in enumerate(self.layers, 1):
            for name in ("spikes", "synaptic_operations", "rows_learned", "weights_changed"):
                counts[f"layer{number}_{name}"] = getattr(layer, name)
        if isinstance(self.prediction, FirstSpikePrediction):
            return counts | {"updates": self.prediction.updates}
        return counts | {"error_spikes": self.prediction.error_spikes}

    @property
    def weights(self) -> list[list[list[int]]]:
        """Weights of each layer, row by row."""
        return [layer.weights for layer in self.layers]

    def load(self, weights: list[list[list[int]]]) -> None:
        """Replace all weights."""
        for layer, rows in zip(self.layers, weights, strict=True):
            layer.weights = [list(row) for row in rows]

    def set_rates(self, rates: list[int]) -> None:
        """Set gain or probability of each layer."""
        for layer, rate in zip(self.layers, rates, strict=True):
            if isinstance(layer, FirstSpikeLayer):
                layer.probability = rate
            else:
                layer.gain = rate

    def weights_crc(self) -> int:
        """Return the CRC-32 that docs/constants.md has of the weights after a run."""
        values = (w for layer in self.layers for row in layer.weights for w in row)
        return zlib.crc32(b"".join(w.to_bytes(2, "little", signed=True) for w in values))
