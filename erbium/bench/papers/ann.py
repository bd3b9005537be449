# SPDX-License-Identifier: BSD-2-Clause
"""The same networks as ordinary ones, in floating point and in mini-batches, with PyTorch.

Rectified linear hidden neurons, a softmax over the outputs, cross-entropy, gradient descent with momentum.
*Backpropagation* sends errors back through the weights; *random backpropagation* sends them from the outputs
directly to each hidden layer, through fixed random weights, as the spiking networks do.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from erbium.gen.presets import Recipe
from erbium.sw_model.constants import Array
from erbium.sw_model.datasets import Split
from erbium.sw_model.distribution import pip_install

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 100
"""Images of a mini-batch."""

RATES = {"ann-bp": 0.1, "ann-rbp": 0.1}
"""Learning rates, chosen on validation images."""

FEEDBACK = 0.3
"""Range of the fixed random weights, over that of initial weights; chosen on validation images, too."""

MOMENTUM = 0.9

MISSING = (
    "the rows of ordinary networks need PyTorch, which is not installed; get it with "
    f"'{pip_install('torch')}' (a build for the CPU only is enough)"
)

Learner = Literal["ann-bp", "ann-rbp"]


def is_there() -> bool:
    """Whether PyTorch is installed."""
    return importlib.util.find_spec("torch") is not None


class OrdinaryNetwork:
    """A multi-layer perceptron on one core.

    Parameters
    ----------
    shape : sequence of int
        Sizes from the input to the output.
    learner : str
        ``"ann-bp"``: errors go back through the weights. ``"ann-rbp"``: through fixed random ones, from the outputs
        to each hidden layer.
    seed : int
        Of initial weights, feedback weights and the order of the images.

    Notes
    -----
    Sources: Lillicrap and others, *Nature Communications* 7:13276 (2016), feedback alignment; Nøkland, NIPS 2016,
    its direct form.
    """

    def __init__(self, shape: Sequence[int], learner: Learner, seed: int) -> None:
        import torch

        # Several of these run side by side, each on a core of its own.
        torch.set_num_threads(1)
        self._torch = torch
        self._generator = torch.Generator().manual_seed(seed)
        self.learner = learner
        self.weights = [self._uniform((n_in, n_out), (6 / n_in) ** 0.5) for n_in, n_out in pairwise(shape)]
        self.biases = [torch.zeros(size) for size in shape[1:]]
        self.feedback = [
            self._uniform((shape[-1], size), FEEDBACK * (6 / size) ** 0.5) for size in shape[1:-1]
        ]
        self._speeds = [torch.zeros_like(values) for values in (*self.weights, *self.biases)]

    def _uniform(self, shape: tuple[int, int], bound: float) -> Tensor:
        drawn: Tensor = self._torch.rand(shape, generator=self._generator)
        return (2 * drawn - 1) * bound

    def _activities(self, images: Tensor) -> list[Tensor]:
        """Return what goes into each layer, and the outputs before the softmax."""
        activities = [images]
        for number, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = self._torch.addmm(bias, activities[-1], weights)
            activities.append(values if number == len(self.weights) - 1 else values.relu_())
        return activities

    def gradients(self, images: Tensor, labels: Tensor) -> list[Tensor]:
        """Return what the learner takes for the gradient of the mean cross-entropy: of weights, then of biases.

        Parameters
        ----------
        images : Tensor of float, shape (n, n_inputs)
            Pixels, 0 ... 1.
        labels : Tensor of int64, shape (n,)
        """
        activities = self._activities(images)
        error = activities[-1].softmax(1)
        error[self._torch.arange(len(labels)), labels] -= 1
        error /= len(labels)
        errors = [error]
        for number in range(len(self.weights) - 1, 0, -1):
            if self.learner == "ann-bp":
                back = errors[0] @ self.weights[number].T
            else:
                back = error @ self.feedback[number - 1]
            errors.insert(0, back * (activities[number] > 0))
        return [
            *(values.T @ error for values, error in zip(activities[:-1], errors, strict=True)),
            *(error.sum(0) for error in errors),
        ]

    def learn(self, images: Tensor, labels: Tensor, rate: float) -> None:
        """Learn one mini-batch."""
        parameters = (*self.weights, *self.biases)
        for values, speed, gradient in zip(
            parameters, self._speeds, self.gradients(images, labels), strict=True
        ):
            speed.mul_(MOMENTUM).add_(gradient)
            values.sub_(speed, alpha=rate)

    def train(
        self, split: Split, recipe: Recipe, rate: float | None = None, batch: int = BATCH
    ) -> Iterator[int]:
        """Learn whole epochs, each in an order of its own; yield the images seen after each mini-batch.

        Parameters
        ----------
        split : Split
        recipe : Recipe
            Epochs and schedule; its image shift does not matter here.
        rate : float, optional
            Learning rate at the beginning.
        batch : int
        """
        torch = self._torch
        images, labels = _pixels(split.images), torch.tensor(split.labels.astype(np.int64))
        n, full = len(labels), RATES[self.learner] if rate is None else rate
        for epoch in range(recipe.epochs):
            order = torch.randperm(n, generator=self._generator)
            for first in range(0, n, batch):
                chosen, seen = order[first : first + batch], epoch * n + first
                self.learn(images[chosen], labels[chosen], full * recipe.factor(seen, recipe.epochs * n))
                yield seen + len(chosen)

    def error(self, split: Split, n_images: int) -> float:
        """Return the error in % on the first images of a split."""
        answers = self._activities(_pixels(split.images[:n_images]))[-1].argmax(1).numpy()
        return 100 * float((answers != split.labels[:n_images]).mean())


def _pixels(images: Array) -> Tensor:
    import torch

    # A copy: images are read-only, which tensors cannot be.
    return torch.tensor(images).float() / 255
