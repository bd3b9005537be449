# SPDX-License-Identifier: BSD-2-Clause
"""The spike-time network: exact first spike times in floating point, and their gradients.

A neuron integrates, without leak, synaptic currents that each input spike sets off and that decay
exponentially; it spikes once, when its membrane reaches 1. Times t are in units of the synaptic time constant.
With z = exp(t) the output time is a rational function of the input times:

    z_out = sum_C w_i z_i / (sum_C w_i - 1)          dz_out/dw_p = (z_p - z_out) / (sum_C w_i - 1)
                                                     dz_out/dz_p = w_p / (sum_C w_i - 1)

C is the causal set: the smallest set of earliest inputs with sum_C w_i > 1 whose z_out is not behind the next
input. A neuron for which there is none does not spike; its z_out is infinite.

This is what the integer first-spike network approximates and what its accuracy is held against. Nothing of it
runs on a chip, and no result of it is compared bit by bit.

Source: H. Mostafa, *Supervised learning based on temporal coding in spiking neural networks*,
arXiv 1606.08165. Decided here: the deadline `z_max`, the cost of a silent label, the scales of weights and
rates, and the answer when no output spikes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from erbium.sw_model import spike_time_kernels as kernels
from erbium.sw_model.compiling import announce
from erbium.sw_model.constants import Array
from erbium.sw_model.datasets import shift_images
from erbium.sw_model.programs import DescriptionError, check_range

announce()

PIXEL_THRESHOLD = 127
"""Pixels above it spike at t = 0."""

MAX_NEURONS = 1 << 16

CHUNK = 256
"""Samples that are in memory at once where no batch size is given."""


def _check_number(what: str, value: object, low: float, high: float, hint: str = "") -> None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    if not good:
        raise DescriptionError(f"{what} is {value!r}; it must be a number from {low:g} to {high:g}{hint}")


@dataclass(frozen=True)
class SpikeTimeNetwork:
    """Everything, besides the data, that decides a spike-time network and its training.

    Parameters
    ----------
    shape : tuple of int
        Inputs, hidden neurons of each hidden layer, classes: at least an input and an output layer, 1 ... 65536
        each. There is no bias.
    late_z : float or None
        z of the pixels that are not above 127, 1 ... `z_max`; those above spike at z = 1. None: they never spike;
        then the sum of the initial weights has to be larger, since few inputs spike: on MNIST 8, with a `z_max` of
        10 and a `silent_cost` of 10, trains as stably, about half a point worse, in half of the time.
    z_max : float
        A neuron that would spike after this z does not spike, and the cost takes it as spiking at `z_max`,
        1.001 ... 1e9. It bounds the gradients, which grow with z².
    initial_sum : float
        Expected sum of a neuron's initial weights, -1000 ... 1000. Above 1 it spikes once all inputs have.
    initial_spread : float
        Standard deviation of that sum, 0 ... 1000: one weight has 1 / sqrt(n_inputs) of it.
    learning_rate, final_learning_rate : float
        Rate of the first and of the last epoch, 1e-12 ... 1000; geometric between them.
    n_epochs : int
        Epochs that the schedule spans, 1 ... 100000. Later ones keep the final rate.
    batch_size : int
        Samples per update, 1 ... 65536.
    max_gradient_norm : float
        The gradient of a weight matrix, averaged over a batch, is scaled down to this Frobenius norm if it is
        larger, 1e-12 ... 1e12: next to a causal set whose weights sum to 1, gradients have no bound.
    weight_sum_cost : float
        K, 0 ... 1e6, of the cost ``K * max(0, 1 - sum of weights)`` of every neuron, which revives those that
        could not even spike if all of their inputs did. It is outside of the limit on the gradient.
    silent_cost : float
        Cost, 0 ... 1e6, of the distance between the threshold and the label's membrane at `z_max`, if the label's
        output does not spike. It makes the spike-time cost continuous, and brings back outputs that the
        weight-sum cost cannot see because not all of their inputs spike.
    l2 : float
        Lambda, 0 ... 1000, of the cost ``lambda / 2 * w²`` of every weight.
    seed : int
        Of the initial weights, the order of the images and their shifts, 0 ... 2³² - 1.

    Raises
    ------
    DescriptionError
        For any value outside of these ranges.
    """

    shape: tuple[int, ...] = (784, 600, 10)
    late_z: float | None = 6.0
    z_max: float = 100.0
    initial_sum: float = 3.0
    initial_spread: float = 0.5
    learning_rate: float = 0.05
    final_learning_rate: float = 0.0005
    n_epochs: int = 20
    batch_size: int = 10
    max_gradient_norm: float = 3.0
    weight_sum_cost: float = 0.05
    silent_cost: float = 1.0
    l2: float = 0.0
    seed: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.shape, tuple) or len(self.shape) < 2:
            raise DescriptionError(
                f"shape is {self.shape!r}; it must be a tuple of at least two sizes, inputs first and classes last"
            )
        for size in self.shape:
            check_range("a size in shape", size, 1, MAX_NEURONS)
        _check_number("z_max", self.z_max, 1.001, 1e9)
        if self.late_z is not None:
            _check_number("late_z", self.late_z, 1, self.z_max, ", which is z_max, or None for never")
        _check_number("initial_sum", self.initial_sum, -1000, 1000)
        _check_number("initial_spread", self.initial_spread, 0, 1000)
        _check_number("learning_rate", self.learning_rate, 1e-12, 1000)
        _check_number("final_learning_rate", self.final_learning_rate, 1e-12, 1000)
        check_range("n_epochs", self.n_epochs, 1, 100_000)
        check_range("batch_size", self.batch_size, 1, 1 << 16)
        _check_number("max_gradient_norm", self.max_gradient_norm, 1e-12, 1e12)
        _check_number("weight_sum_cost", self.weight_sum_cost, 0, 1e6)
        _check_number("silent_cost", self.silent_cost, 0, 1e6)
        _check_number("l2", self.l2, 0, 1000)
        check_range("seed", self.seed, 0, (1 << 32) - 1)

    @property
    def n_inputs(self) -> int:
        """Pixels of an image."""
        return self.shape[0]

    @property
    def n_classes(self) -> int:
        """Output neurons."""
        return self.shape[-1]

    def rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch, counted from 0."""
        share = min(epoch / max(self.n_epochs - 1, 1), 1.0)
        return float(self.learning_rate * (self.final_learning_rate / self.learning_rate) ** share)

    def initial_weights(self) -> list[Array]:
        """Return the weights of each layer before training, float64 of shape (inputs, neurons)."""
        random = np.random.default_rng([self.seed, 0])
        weights = []
        for n_inputs, n_neurons in pairwise(self.shape):
            noise = random.standard_normal((n_inputs, n_neurons)) * (
                self.initial_spread / math.sqrt(n_inputs)
            )
            weights.append(noise + self.initial_sum / n_inputs)
        return weights


def spike_time_cost(z: Array, labels: Array, z_max: float) -> tuple[Array, Array]:
    """Return what output times cost, and the gradient: ``L = -ln(exp(-z_label) / sum_i exp(-z_i))``.

    Parameters
    ----------
    z : ndarray of float64, shape (n, n_classes)
        exp(spike time) of the outputs; infinity, for no spike, counts as `z_max`.
    labels : ndarray of integers, shape (n,)
    z_max : float

    Returns
    -------
    costs : ndarray of float64, shape (n,)
    gradient : ndarray of float64, shape (n, n_classes)
        dL/dz; 0 for an output that does not spike, since no change of its time exists.
    """
    samples = np.arange(len(z))
    capped = np.minimum(z, z_max)
    earliest = capped.min(axis=1)
    likelihood = np.exp(earliest[:, None] - capped)
    total = likelihood.sum(axis=1)
    costs = capped[samples, labels] - earliest + np.log(total)
    gradient = -likelihood / total[:, None]
    gradient[samples, labels] += 1.0
    gradient[z > z_max] = 0.0
    return costs, gradient


class Evaluation(NamedTuple):
    """How a network does on labelled images.

    Attributes
    ----------
    error : float
        Share of wrong answers, 0 ... 1.
    cost : float
        Mean of the spike-time cost, the cost of silent labels not included.
    hidden_spikes : float
        Hidden spikes up to the decision, the first output spike: mean over the images. All hidden spikes of an
        image without a decision count.
    time_to_decision : float
        Time of the first output spike after the first pixels, in synaptic time constants: mean over the images,
        those without a decision taken at ``ln(z_max)``.
    undecided : float
        Share of images for which no output spikes, 0 ... 1.
    """

    error: float
    cost: float
    hidden_spikes: float
    time_to_decision: float
    undecided: float


class _Pass(NamedTuple):
    """What the forward pass of a layer leaves for the backward pass; see the kernels for each array."""

    z_in: Array
    order: Array
    n_spikes: Array
    z_out: Array
    excess: Array
    last_cause: Array


class SpikeTimeModel:
    """A spike-time network with its weights.

    Results repeat exactly for the same description, data and calls. The first use on a machine compiles for
    some seconds; later ones read the result from disk.

    Parameters
    ----------
    network : SpikeTimeNetwork

    Attributes
    ----------
    network : SpikeTimeNetwork
    weights : list of ndarray of float64, shape (inputs, neurons)
        One per layer. Read them; `load` changes them.
    epoch : int
        Epochs trained so far. A resumed run sets it.

    Raises
    ------
    ValueError
        From any method, if images are not uint8 of shape (n, n_inputs), or labels not n integers from 0 to
        n_classes - 1, or if there is no image where labels are needed.
    """

    def __init__(self, network: SpikeTimeNetwork) -> None:
        self.network = network
        self.epoch = 0
        self.weights = network.initial_weights()
        self._column_sums = [weights.sum(axis=0) for weights in self.weights]
        self._gradients = [np.zeros_like(weights) for weights in self.weights]

    def load(self, weights: Sequence[Array]) -> None:
        """Replace the weights of all layers by copies of these.

        Raises
        ------
        ValueError
            If a shape differs or a weight is not finite.
        """
        shapes = list(pairwise(self.network.shape))
        if [np.shape(values) for values in weights] != shapes:
            raise ValueError(f"weights have shapes {[np.shape(values) for values in weights]}, not {shapes}")
        if not all(np.isfinite(values).all() for values in weights):
            raise ValueError("a weight is infinite or not a number; all must be finite")
        self.weights = [np.array(values, dtype=np.float64, order="C") for values in weights]
        self._column_sums = [values.sum(axis=0) for values in self.weights]

    def input_times(self, images: Array) -> Array:
        """Return z of every pixel, float64 of shape (n, n_inputs): 1 above 127, else `late_z` or infinity."""
        late = np.inf if self.network.late_z is None else self.network.late_z
        return np.ascontiguousarray(np.where(self._checked_images(images) > PIXEL_THRESHOLD, 1.0, late))

    def forward(self, images: Array) -> list[Array]:
        """Return when the neurons spike.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, n_inputs)

        Returns
        -------
        list of ndarray of float64, shape (n, n_neurons)
            exp(spike time) of each layer after the input, 1 ... z_max, or infinity for no spike.
        """
        return self.forward_times(self.input_times(images))

    def forward_times(self, z: Array) -> list[Array]:
        """Return when the neurons spike, as `forward`, for any input times.

        Parameters
        ----------
        z : ndarray of float, shape (n, n_inputs)
            exp(spike time) of the inputs, at least 1; those after `z_max`, such as infinity, do not spike.

        Raises
        ------
        ValueError
            If the shape is another, or a z is below 1 or not a number.
        """
        return [layer.z_out for layer in self._run(self._checked_times(z))]

    def gradients(self, images: Array, labels: Array) -> tuple[float, list[Array]]:
        """Return the cost of the output times of a batch, mean over the samples, and its gradient.

        That is the spike-time cost and the cost of silent labels. Weight-sum cost and L2, which depend on no
        sample, are not in it; see `regularization`.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, n_inputs)
        labels : ndarray of integers, shape (n,)

        Returns
        -------
        cost : float
        gradients : list of ndarray of float64, shape (inputs, neurons)
            One per layer, before any limit on the norm.
        """
        return self.gradients_times(self.input_times(images), labels)

    def gradients_times(self, z: Array, labels: Array) -> tuple[float, list[Array]]:
        """Return cost and gradients, as `gradients`, for input times as in `forward_times`."""
        z = self._checked_times(z)
        cost = self._accumulate(z, self._checked_labels(labels, len(z)))
        gradients = [gradient / len(z) for gradient in self._gradients]
        for gradient in self._gradients:
            gradient[:] = 0.0
        return cost, gradients

    def regularization(self) -> tuple[float, list[Array]]:
        """Return weight-sum cost plus L2 cost of all weights, and the gradient of the sum."""
        k, l2 = self.network.weight_sum_cost, self.network.l2
        cost, gradients = 0.0, []
        for weights, sums in zip(self.weights, self._column_sums, strict=True):
            cost += k * float(np.maximum(1.0 - sums, 0.0).sum()) + l2 / 2 * float((weights**2).sum())
            gradients.append(l2 * weights - k * (sums < 1.0))
        return cost, gradients

    def train_batch(self, images: Array, labels: Array, rate: float | None = None) -> float:
        """Move the weights down the gradient of one batch.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, n_inputs)
        labels : ndarray of integers, shape (n,)
        rate : float, optional
            Learning rate; by default that of the current epoch.

        Returns
        -------
        float
            Cost of the output times, as of `gradients`, before the update.
        """
        network = self.network
        rate = network.rate(self.epoch) if rate is None else rate
        z = self.input_times(images)
        cost = self._accumulate(z, self._checked_labels(labels, len(z)))
        for weights, gradient, sums in zip(self.weights, self._gradients, self._column_sums, strict=True):
            norm = math.sqrt(kernels.sum_of_squares(gradient)) / len(z)
            limit = min(1.0, network.max_gradient_norm / norm) if norm > 0.0 else 1.0
            revival = rate * network.weight_sum_cost * (sums < 1.0)
            kernels.descend(weights, gradient, limit * rate / len(z), revival, rate * network.l2, sums)
        return cost

    def train_epoch(self, images: Array, labels: Array, shift: tuple[int, int] | None = None) -> float:
        """Train on every image once, in an order drawn from seed and epoch.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, n_inputs)
        labels : ndarray of integers, shape (n,)
        shift : tuple of int, optional
            Height and width of the images, to shift each by a random -1, 0 or 1 pixel in both directions.

        Returns
        -------
        float
            Cost of the output times, mean over the images, each before its update.
        """
        images = self._checked_images(images)
        labels = self._checked_labels(labels, len(images))
        random = np.random.default_rng([self.network.seed, 1, self.epoch])
        order = random.permutation(len(images))
        if shift is not None:
            dy, dx = random.integers(-1, 2, (2, len(images)))
            images = shift_images(images, *shift, dy, dx)
        total = 0.0
        for batch in _chunks(order, self.network.batch_size):
            total += self.train_batch(images[batch], labels[batch]) * len(batch)
        self.epoch += 1
        return total / len(images)

    def predict(self, images: Array) -> Array:
        """Return the class whose output spikes first, of each image.

        Ties go to the lower class; where no output spikes, to the one whose membrane is highest at `z_max`.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, n_inputs)

        Returns
        -------
        ndarray of int64, shape (n,)
        """
        answers = [np.zeros(0, dtype=np.int64)]
        answers += [_answers(self._run(self.input_times(chunk))[-1]) for chunk in _chunks(images, CHUNK)]
        return np.concatenate(answers)

    def evaluate(self, images: Array, labels: Array) -> Evaluation:
        """Return error, cost, hidden spikes and time to decision on labelled images.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, n_inputs)
        labels : ndarray of integers, shape (n,)

        Returns
        -------
        Evaluation
        """
        images = self._checked_images(images)
        labels = self._checked_labels(labels, len(images))
        z_max, totals = self.network.z_max, np.zeros(5)
        for chunk, targets in zip(_chunks(images, CHUNK), _chunks(labels, CHUNK), strict=True):
            layers = self._run(self.input_times(chunk))
            decision = np.minimum(layers[-1].z_out.min(axis=1), z_max)
            totals[0] += (_answers(layers[-1]) != targets).sum()
            totals[1] += spike_time_cost(layers[-1].z_out, targets, z_max)[0].sum()
            totals[2] += sum((layer.z_out <= decision[:, None]).sum() for layer in layers[:-1])
            totals[3] += np.log(decision).sum()
            totals[4] += np.isinf(layers[-1].z_out).all(axis=1).sum()
        return Evaluation(*(totals / len(images)).tolist())

    def _run(self, z: Array) -> list[_Pass]:
        """Run the layers one after the other."""
        layers, z_max = [], self.network.z_max
        for weights, sums in zip(self.weights, self._column_sums, strict=True):
            order, n_spikes = np.empty(z.shape, dtype=np.int64), np.empty(len(z), dtype=np.int64)
            kernels.order_spikes(z, z_max, order, n_spikes)
            z_out, excess, last_cause = np.empty((3, len(z), weights.shape[1]))
            kernels.forward(z, order, n_spikes, weights, sums, z_max, z_out, excess, last_cause)
            layers.append(_Pass(z, order, n_spikes, z_out, excess, last_cause))
            z = z_out
        return layers

    def _accumulate(self, z: Array, labels: Array) -> float:
        """Add the gradients of a batch, summed over the samples, to the buffers; return the mean cost."""
        layers = self._run(z)
        costs, z_gradient = spike_time_cost(layers[-1].z_out, labels, self.network.z_max)
        costs += self._charge_silent_labels(layers[-1], labels, z_gradient)
        for number in range(len(layers) - 1, -1, -1):
            z_in, order, n_spikes, z_out, excess, last_cause = layers[number]
            with_inputs = number > 0
            z_in_gradient = np.empty(z_in.shape if with_inputs else (0, 0))
            kernels.backward(
                z_in,
                order,
                n_spikes,
                self.weights[number],
                z_out,
                excess,
                last_cause,
                z_gradient,
                self._gradients[number],
                z_in_gradient,
                with_inputs,
            )
            z_gradient = z_in_gradient
        return float(costs.mean())

    def _charge_silent_labels(self, outputs: _Pass, labels: Array, z_gradient: Array) -> Array:
        """Return the cost of silent labels, and prepare the backward pass for it.

        The membrane at z_max is sum w_i (1 - z_i / z_max) over the inputs that spike. Its negative has the
        derivatives of an output that spikes at z_max, of all inputs, with weights that sum to 2: divided by z_max.
        """
        z_max, cost = self.network.z_max, self.network.silent_cost
        silent = np.flatnonzero(np.isinf(outputs.z_out[np.arange(len(labels)), labels]))
        place = (silent, labels[silent])
        costs = np.zeros(len(labels))
        costs[silent] = -cost * outputs.excess[place]
        outputs.z_out[place] = z_max
        outputs.excess[place] = 1.0
        outputs.last_cause[place] = z_max
        z_gradient[place] = cost / z_max
        return costs

    def _checked_images(self, images: Array) -> Array:
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != self.network.n_inputs:
            raise ValueError(
                f"images are {images.dtype} of shape {images.shape}; they must be uint8 of shape "
                f"(n, {self.network.n_inputs})"
            )
        return images

    def _checked_times(self, z: Array) -> Array:
        z = np.ascontiguousarray(z, dtype=np.float64)
        if z.ndim != 2 or z.shape[1] != self.network.n_inputs:
            raise ValueError(f"input times have shape {z.shape}; it must be (n, {self.network.n_inputs})")
        if not (z >= 1.0).all():
            raise ValueError("an input z is below 1 or not a number; z = exp(t) with t from 0 to infinity")
        return z

    def _checked_labels(self, labels: Array, n: int) -> Array:
        labels = np.asarray(labels)
        if n == 0:
            raise ValueError("there is no image; at least one is needed")
        if labels.shape != (n,) or not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(f"labels are {labels.dtype} of shape {labels.shape}; they must be {n} integers")
        if not 0 <= labels.min() <= labels.max() < self.network.n_classes:
            raise ValueError(f"labels must be from 0 to {self.network.n_classes - 1}")
        return labels


def _answers(outputs: _Pass) -> Array:
    silent = np.isinf(outputs.z_out).all(axis=1)
    answers: Array = np.where(silent, outputs.excess.argmax(axis=1), outputs.z_out.argmin(axis=1))
    return answers


def _chunks(array: Array, size: int) -> Iterator[Array]:
    for start in range(0, len(array), size):
        yield array[start : start + size]
