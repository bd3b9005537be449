# SPDX-License-Identifier: BSD-2-Clause
"""NeuroBench's harness on the chip: accuracy, footprint, sparsity and synaptic operations by its own names.

The chip has counters for what NeuroBench finds out with hooks in a network of PyTorch, so the metrics here read
them: they are those of the hardware, on every backend. The formulas are NeuroBench's.

Source: Yik and others, *The NeuroBench framework for benchmarking neuromorphic computing algorithms and systems*,
Nature Communications 16:1545 (2025).
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import numpy as np
import torch
from neurobench.benchmarks import Benchmark
from neurobench.metrics.abstract import AccumulatedMetric, StaticMetric
from neurobench.metrics.workload import ClassificationAccuracy
from neurobench.models import NeuroBenchModel
from torch.utils.data import DataLoader, TensorDataset

from erbium.chip import Chip
from erbium.sw_model.datasets import Split

BATCH = 500


class ChipModel(NeuroBenchModel):
    """A chip as NeuroBench takes a model.

    Parameters
    ----------
    chip : Chip

    Attributes
    ----------
    before : dict of int
        The counters of the chip when the model was made: what came before is no part of a benchmark.
    """

    def __init__(self, chip: Chip) -> None:
        super().__init__()
        self.chip, self.position = chip, 0
        self.before = chip.counters

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        """Return the answers to images, uint8 of shape ``(n, n_inputs)``."""
        images = np.ascontiguousarray(batch.numpy())
        answers = self.chip.infer(images, first=self.position).answers
        self.position += len(images)
        return torch.from_numpy(np.asarray(answers, dtype=np.int64))

    def __net__(self) -> torch.nn.Module:
        """Return a network without layers: the chip has no modules to hook into."""
        return torch.nn.Module()

    @property
    def work(self) -> Mapping[str, int]:
        """Counters since the model was made."""
        return {name: value - self.before.get(name, 0) for name, value in self.chip.counters.items()}


class Footprint(StaticMetric):
    """Bytes of the synapse memories."""

    def __call__(self, model: ChipModel) -> float:
        """Return the bits of all weights, bias rows included, over 8."""
        return sum(model.chip.network.weight_bits) / 8


class ConnectionSparsity(StaticMetric):
    """Share of the weights that are 0."""

    def __call__(self, model: ChipModel) -> float:
        """Return it over all layers, bias rows included."""
        weights = model.chip.weights
        zeros = sum(int((values == 0).sum()) for values in weights)
        return zeros / sum(values.size for values in weights)


class _Counted(AccumulatedMetric):
    """A metric of the counters; the harness asks after each batch, and the last answer is of all."""

    def __init__(self) -> None:
        super().__init__(requires_hooks=False)
        self.reset()

    def reset(self) -> None:
        self.model: ChipModel | None = None

    def __call__(self, model: ChipModel, preds: Any, data: Any) -> Any:
        self.model = model
        return self.compute()


class ActivationSparsity(_Counted):
    """Share of neurons and ticks without a spike, over all layers and samples."""

    def compute(self) -> float:
        """Return it, 0 ... 1."""
        if self.model is None:
            return 0.0
        work, network = self.model.work, self.model.chip.network
        spikes = sum(work[f"layer{number}_spikes"] for number in range(1, len(network.layers) + 1))
        there = work["ticks"] * sum(network.shape[1:])
        return (there - spikes) / there if there else 0.0


class SynapticOperations(_Counted):
    """Synaptic operations of a sample, as the chip has counted them: additions only."""

    def compute(self) -> dict[str, float]:
        """Return ``Effective_MACs`` (none), ``Effective_ACs`` (synapses walked) and ``Dense`` (all, at every tick)."""
        if self.model is None:
            return {"Effective_MACs": 0.0, "Effective_ACs": 0.0, "Dense": 0.0}
        work, network = self.model.work, self.model.chip.network
        layers = range(len(network.layers))
        walked = sum(work[f"layer{number + 1}_synaptic_operations"] for number in layers)
        synapses = sum(network.n_rows(number) * network.layers[number].n_neurons for number in layers)
        samples = max(work["samples"], 1)
        return {
            "Effective_MACs": 0.0,
            "Effective_ACs": walked / samples,
            "Dense": synapses * work["ticks"] / samples,
        }


METRICS: list[list[type]] = [
    [Footprint, ConnectionSparsity],
    [ClassificationAccuracy, ActivationSparsity, SynapticOperations],
]
"""Those of the model, and those of a workload, as ``neurobench.benchmarks.Benchmark`` takes them."""


def benchmark(chip: Chip, split: Split, n_images: int | None = None) -> dict[str, Any]:
    """Run NeuroBench's harness over labelled images; return its results by the names of the metrics.

    Parameters
    ----------
    chip : Chip
        With the weights that are to be measured.
    split : Split
    n_images : int, optional
        The first so many; default is all.
    """
    count = len(split) if n_images is None else n_images
    images = torch.from_numpy(np.array(split.images[:count]))  # a copy: it has to be writable
    labels = torch.from_numpy(split.labels[:count].astype(np.int64))
    loader = DataLoader(TensorDataset(images, labels), batch_size=BATCH)
    harness = Benchmark(ChipModel(chip), loader, [], [], METRICS)
    text = io.StringIO()
    with redirect_stdout(text), redirect_stderr(io.StringIO()):
        results: dict[str, Any] = dict(harness.run())
    # The harness prints what fails in a metric, and goes on with a 0 in its place.
    failed = [line for line in text.getvalue().splitlines() if line.startswith("Error")]
    if failed:
        raise RuntimeError(failed[0])
    return results
