# SPDX-License-Identifier: BSD-2-Clause
"""Populations that do not spike: what makes an answer none.

The readout names a class whatever happened (``docs/contract.md``): where no output neuron spiked, the one with the
largest membrane, and of equal ones the first. That integer is the hardware's and stays; what it is worth is told here,
from the spikes of each sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from erbium.sw_model import constants
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.constants import Array
from erbium.sw_model.datasets import Split
from erbium.sw_model.faults import Faults
from erbium.sw_model.network import Layer, Network
from erbium.sw_model.rules import LatencyEncoder
from erbium.tracing import layer_names

ENOUGH = 0.5
"""A population that is silent in this share of the images, or more, is worth a hint."""


@dataclass(frozen=True)
class Silence:
    """In how many images a population did not spike.

    Attributes
    ----------
    n_images : int
        Images that were inferred.
    silent : dict of str to int
        Images without a spike of the population, from the input to the output.
    no_answer : tuple of int
        For each label, its images without an output spike.
    hints : dict of str to str
        For each population, what to change if it is too quiet.
    """

    n_images: int
    silent: dict[str, int]
    no_answer: tuple[int, ...]
    hints: dict[str, str]

    @property
    def n_without_answer(self) -> int:
        """Images without an output spike."""
        return self.silent["output"]

    @property
    def dead(self) -> bool:
        """Whether there is no answer at all: no output neuron ever spiked, or nothing of any image came in."""
        return self._dead_population != ""

    @property
    def _dead_population(self) -> str:
        return next((name for name in ("input", "output") if self.silent[name] == self.n_images), "")

    def exit_code(self, n_learned: int, n_train: int) -> int:
        """Return how a command ends: 1 if there is no answer although all was learned once, or nothing came in.

        A few images into a run, silence is usual.
        """
        return int(self._dead_population == "input" or (self.dead and n_learned >= n_train))

    def sentence(self) -> str:
        """Return which populations were silent and what to change, or nothing if the output always spiked.

        A hidden population that is silent throughout is told of, too: then only the bias drives what follows.
        """
        quiet = {name: count for name, count in self.silent.items() if count}
        throughout = [name for name, count in quiet.items() if count == self.n_images]
        if not self.n_without_answer and not throughout:
            return ""
        counts = ", ".join(f"{name} in {count:,}" for name, count in quiet.items())
        text = f"populations without a spike, of {self.n_images:,} images: {counts}"
        if self.n_without_answer:
            text += "; without an output spike there is no answer"
        cause = next((name for name, count in quiet.items() if count >= ENOUGH * self.n_images), None)
        return text if cause is None else f"{text}; {self.hints[cause]}"

    def verdict(self, error: str, what: str) -> str:
        """Return `error`, a part of a sentence, with the images that have no answer; that alone if none has one.

        Parameters
        ----------
        error : str
            Such as "error 2.00 % of 100".
        what : str
            What the images are called.
        """
        if self.dead:
            return f"no answer: no {self._dead_population} neuron spiked in any of {self.n_images:,} {what}"
        missing = (
            f", {self.n_without_answer:,} of them without an output spike" if self.n_without_answer else ""
        )
        return f"{error} {what}{missing}"

    def facts(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return {"without_answer": self.n_without_answer, "silent": self.silent, "silence": self.sentence()}


def population_names(network: Network) -> list[str]:
    """Return what people call the populations: input, hidden 1, hidden 2, ..., output."""
    return ["input", *layer_names(network)]


def spikes_of(
    network: Network,
    weights: Sequence[Array],
    images: Array,
    *,
    n_ticks: int | None = None,
    decide_after: int | None = None,
    faults: Faults | None = None,
    threads: int | None = None,
) -> Array:
    """Return how often each population spikes in each image: int64 of shape ``(n, 1 + n_layers)``, input first.

    Parameters
    ----------
    network : Network
    weights : sequence of ndarray
        They stay as they are.
    images : ndarray of uint8, shape (n, n_inputs)
        The first of a split, which decides their random numbers.
    n_ticks, decide_after : int, optional
        Longest presentation and output spikes that settle it; default is the network's.
    faults : Faults, optional
        What is broken.
    threads : int, optional
        Default is the number of processors.

    Notes
    -----
    The model is asked: it counts for each sample, and its integers are those of every backend.
    """
    from erbium.sw_model.fast import FastArray
    from erbium.sw_model.fast_learners import compiles

    seeds = constants.sample_seeds(network.seed, False, 0, len(images))
    if compiles(network):
        array = FastArray(network, faults=faults)
        array.load(weights)
        array.decide_after = network.decide_after if decide_after is None else decide_after
        return array.spikes(images, seeds, n_ticks, threads)
    slow = ArrayModel(network, faults)
    slow.load(weights)
    slow.prediction.decide_after = network.decide_after if decide_after is None else decide_after
    counted = [_counted(slow)]
    for image, seed in zip(images, seeds, strict=True):
        slow.sample(image, seed=int(seed), n_ticks=n_ticks)
        counted.append(_counted(slow))
    return np.diff(np.array(counted, dtype=np.int64), axis=0)


def _counted(array: ArrayModel) -> list[int]:
    return [array.input_spikes, *(layer.counters.spikes for layer in array.layers)]


def silence(
    network: Network,
    weights: Sequence[Array],
    split: Split,
    n_images: int,
    *,
    n_ticks: int | None = None,
    decide_after: int | None = None,
    faults: Faults | None = None,
    threads: int | None = None,
) -> Silence:
    """Return in how many of the first `n_images` of a split a population does not spike.

    Parameters
    ----------
    network, weights, n_ticks, decide_after, faults, threads
        As in :func:`spikes_of`.
    split : Split
    n_images : int
    """
    spikes = spikes_of(
        network,
        weights,
        split.images[:n_images],
        n_ticks=n_ticks,
        decide_after=decide_after,
        faults=faults,
        threads=threads,
    )
    names = population_names(network)
    silent = dict(zip(names, (spikes == 0).sum(axis=0).tolist(), strict=True))
    labels = split.labels[:n_images][spikes[:, -1] == 0]
    no_answer = np.bincount(labels, minlength=network.n_classes).tolist()
    hints = dict(zip(names, [_input_hint(network), *map(_hint, network.layers, names[1:])], strict=True))
    return Silence(n_images, silent, tuple(no_answer), hints)


def _input_hint(network: Network) -> str:
    if isinstance(network.encoder, LatencyEncoder):
        return (
            f"no pixel reaches {network.lowest_pixel}, the encoder's lowest level; use brighter images, or lower its "
            "'levels'"
        )
    return "the images are black, or nearly; look whether the data are what they should be"


def _hint(layer: Layer, name: str) -> str:
    return (
        f"to make the {name} neurons spike, lower their threshold ({layer.program.threshold}), raise weight_bound "
        f"({layer.weight_bound}) of that layer, or show the images for more ticks"
    )
