# SPDX-License-Identifier: BSD-2-Clause
"""A small spiking network, trained by surrogate gradients in snnTorch and written as a NIR graph."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from dataclasses import dataclass
from typing import Any

from erbium.sw_model.constants import Array
from erbium.sw_model.datasets import Dataset, Split
from erbium.sw_model.distribution import not_installed, pip_install
from erbium.sw_model.programs import DescriptionError

PACKAGES = ("torch", "snntorch", "nir", "nirtorch")
BATCH, TEST_BATCH = 128, 1000

SMALL = 5_000
"""Training images that are not worth several threads."""


@dataclass(frozen=True)
class Setup:
    """How a network is trained and asked.

    Parameters
    ----------
    hidden : int
    keep : float
        What a membrane keeps in a tick.
    epochs : int
    train_ticks, ticks : int
        Ticks of a sample in training, and in a test or on the chip.
    rate : float
        Learning rate of Adam, which falls to 0 as a cosine.
    samples : int
        That the chip learns after a shift.
    """

    hidden: int
    keep: float
    epochs: int
    train_ticks: int
    ticks: int
    rate: float
    samples: int

    def shape(self, dataset: Dataset) -> str:
        """Return the sizes of the layers."""
        return f"{dataset.n_pixels}-{self.hidden}-{dataset.n_classes}"


FULL = Setup(200, 0.9375, 2, 8, 16, 2e-3, 2000)
QUICK = Setup(60, 0.9375, 12, 8, 16, 1e-2, 400)


@dataclass(frozen=True)
class Trained:
    """A network of snnTorch, and the NIR graph that snnTorch has made of it.

    Attributes
    ----------
    modules : list of torch.nn.Module
    graph : nir.NIRGraph
    """

    modules: list[Any]
    graph: Any


def require() -> None:
    """Raise :class:`DescriptionError` unless the packages are there."""
    if missing := not_installed(*PACKAGES):
        raise DescriptionError(
            f"a network of snnTorch needs {', '.join(missing)}, not installed; get it with '{pip_install(*missing)}' "
            "(a build of PyTorch for the CPU only is enough)"
        )


def train(setup: Setup, dataset: Dataset, seed: int = 1) -> Trained:
    """Train a network on the training images; pixels of value p spike with probability p / 256 in a tick."""
    import torch

    if len(dataset.train) < SMALL:
        torch.set_num_threads(1)  # what they would share is less than what they wait for each other
    torch.manual_seed(seed)
    modules = _modules(setup, dataset.n_pixels, dataset.n_classes)
    parameters = [value for module in modules for value in module.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=setup.rate)
    images, labels = _tensors(dataset.train)
    steps = setup.epochs * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(setup.epochs):
        order = torch.randperm(len(images))
        for first in range(0, len(images) - BATCH + 1, BATCH):
            here = order[first : first + BATCH]
            spikes = _forward(modules, images[here], setup.train_ticks)
            # The class spikes at every tick, and nobody else: what the chip's error neurons ask for, too.
            wanted = torch.nn.functional.one_hot(labels[here], dataset.n_classes)
            loss = ((spikes / setup.train_ticks - wanted) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return Trained(modules, exported(modules, dataset.n_pixels))


def accuracy(trained: Trained, setup: Setup, split: Split, seed: int) -> float:
    """Return the share of right answers: the class with most spikes."""
    import torch

    torch.manual_seed(seed)
    images, labels = _tensors(split)
    right = 0
    with torch.no_grad():
        for first in range(0, len(images), TEST_BATCH):
            here = slice(first, first + TEST_BATCH)
            spikes = _forward(trained.modules, images[here], setup.ticks)
            right += int((spikes.argmax(1) == labels[here]).sum())
    return right / len(images)


def exported(modules: list[Any], n_inputs: int) -> Any:
    """Return the NIR graph that snnTorch makes of layers in a row."""
    import torch
    from snntorch import utils
    from snntorch.export_nir import export_to_nir

    network = torch.nn.Sequential(*modules)
    for module in modules:
        if hasattr(module, "init_hidden"):
            module.init_hidden = True
    utils.reset(network)
    log = logging.getLogger()
    level = log.level
    # It prints and warns of things that are none of the user's concern.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log.setLevel(logging.ERROR)
        try:
            return export_to_nir(network, torch.zeros(1, n_inputs), ignore_dims=[0])
        finally:
            log.setLevel(level)
            for module in modules:
                if hasattr(module, "init_hidden"):
                    module.init_hidden = False


def leaky(size: int, keep: float, **options: Any) -> Any:
    """Return LIF neurons of snnTorch, with a parameter each: it writes no others to NIR."""
    import snntorch
    import torch

    usual = {"reset_mechanism": "zero", "reset_delay": False}
    return snntorch.Leaky(beta=torch.full((size,), keep), threshold=torch.ones(size), **(usual | options))


def _modules(setup: Setup, n_inputs: int, n_classes: int) -> list[Any]:
    import torch
    from snntorch import surrogate

    gradient = surrogate.fast_sigmoid(slope=25)
    return [
        torch.nn.Linear(n_inputs, setup.hidden),
        leaky(setup.hidden, setup.keep, spike_grad=gradient),
        torch.nn.Linear(setup.hidden, n_classes),
        leaky(n_classes, setup.keep, spike_grad=gradient),
    ]


def _tensors(split: Split) -> tuple[Any, Any]:
    import torch

    images: Array = split.images.astype("float32") / 256
    return torch.from_numpy(images), torch.from_numpy(split.labels.astype("int64"))


def _forward(modules: list[Any], images: Any, n_ticks: int) -> Any:
    """Return how often each class has spiked."""
    import torch

    first, hidden, last, output = modules
    currents = first((torch.rand((n_ticks, *images.shape)) < images).float())
    inner, outer = torch.zeros(currents.shape[1:]), torch.zeros((len(images), last.out_features))
    total = torch.zeros_like(outer)
    for current in currents:
        spikes, inner = hidden(current, inner)
        answer, outer = output(last(spikes), outer)
        total = total + answer
    return total
