# SPDX-License-Identifier: BSD-2-Clause
"""Numbers fixed when a network is described: salts, seeds, hashed neuron constants, feedback weights.

All of them come from one counter-based hash, so that they depend on neither the platform nor the version
of any library. Nothing here runs on the chip; the chip gets the results as constants or as data.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_MASK64 = (1 << 64) - 1

Array = np.ndarray[Any, np.dtype[Any]]


def hash64(*words: int | Array) -> Array:
    """Hash any number of integer words to 64 bits (splitmix64 over a chain of the words).

    Parameters
    ----------
    words : int or array of int
        Broadcast against each other; only the low 64 bits of each matter.

    Returns
    -------
    ndarray of uint64
        Of the broadcast shape.
    """
    state: Any = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        for word in words:
            value = np.uint64(word & _MASK64) if isinstance(word, int) else np.asarray(word).astype(np.uint64)
            state = (state ^ value) + np.uint64(0x9E3779B97F4A7C15)
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return np.asarray(state)


# Domains keep the uses of the hash apart.
_SALT, _SAMPLE, _WEIGHT, _FEEDBACK, _NEURON, _SHIFT, _NAME = 1, 2, 3, 4, 5, 6, 8
"""7 is the domain of the test images that the documentation draws."""

STREAM_ENCODER, STREAM_PLASTICITY, STREAM_BLANK_SYNAPSE, STREAM_BLANK_NEURON, STREAM_NOISE = range(5)
"""The random number streams of one process. Each process and stream has a generator of its own."""


def salt(process: int, stream: int) -> int:
    """Return the nonzero 32-bit constant that sets one stream of one process apart.

    `process` is 0 for the encoder and 1, 2, ... for the layers in order.
    """
    return int(hash64(_SALT, process, stream)) & 0xFFFF_FFFF | 1


def named_stream(name: str) -> int:
    """Return the 32-bit number that a name stands for where streams of random numbers are told apart.

    Numbers below 65536 are left to parts that say their number themselves.
    """
    return int(hash64(_NAME, *name.encode())) & 0xFFFF_FFFF | 1 << 16


def sample_seeds(seed: int, learn: bool, first: int, count: int) -> Array:
    """Return the seeds, one uint32 each, of samples number ``first ... first + count - 1``.

    Every random number drawn while a sample is on the chip follows from its seed. So a sample can be
    repeated alone, a run resumes from a sample number, and inference neither disturbs learning nor depends
    on the order of the images.
    """
    numbers = np.arange(first, first + count, dtype=np.uint64)
    return (hash64(_SAMPLE, seed, int(learn), numbers) >> np.uint64(32)).astype(np.uint32)


def sample_seed_state(seed: int, learn: bool) -> int:
    """Return the state of the hash of :func:`sample_seeds` before the number of the sample goes into it.

    With it a chip forms the seed of each of its samples itself.
    """
    return int(hash64(_SAMPLE, seed, int(learn)))


def image_shift_state(seed: int) -> int:
    """Return the state of the hash of :func:`image_shifts` before the number of the sample goes into it."""
    return int(hash64(_SHIFT, seed))


def uniform_weights(seed: int, layer: int, rows: int, neurons: int, bound: int) -> Array:
    """Return initial weights, int16 of shape ``(rows, neurons)``, uniform on ``-bound ... bound``."""
    index = np.arange(rows * neurons, dtype=np.uint64)
    draws = (hash64(_WEIGHT, seed, layer, index) >> np.uint64(32)) % np.uint64(2 * bound + 1)
    return (draws.astype(np.int64) - bound).astype(np.int16).reshape(rows, neurons)


def sign_feedback(seed: int, layer: int, neurons: int, classes: int) -> Array:
    """Return feedback weights, int8 of shape ``(neurons, classes)``, each row half +1 and half -1."""
    index = np.arange(neurons * classes, dtype=np.uint64).reshape(neurons, classes)
    order = np.argsort(hash64(_FEEDBACK, seed, layer, index), axis=1, kind="stable")
    signs = np.empty((neurons, classes), dtype=np.int8)
    np.put_along_axis(signs, order[:, : classes // 2], np.int8(1), axis=1)
    np.put_along_axis(signs, order[:, classes // 2 :], np.int8(-1), axis=1)
    return signs


def wide_feedback(seed: int, layer: int, neurons: int, classes: int) -> Array:
    """Return feedback weights, int8 of shape ``(neurons, classes)``, from -3 ... 3, each row with sum 0."""
    index = np.arange(neurons * classes, dtype=np.uint64).reshape(neurons, classes)
    values = np.zeros((neurons, classes), dtype=np.int8)
    todo = np.arange(neurons)
    attempt = 0
    while todo.size:
        draws = (hash64(_FEEDBACK, seed, layer, attempt, index[todo]) >> np.uint64(32)) % np.uint64(7)
        values[todo] = draws.astype(np.int8) - 3
        done = (values[todo].sum(axis=1) == 0) & (values[todo] != 0).any(axis=1)
        todo = todo[~done]
        attempt += 1
    return values


def neuron_constant(index: int) -> int:
    """Return the 16-bit constant that neuron `index` mixes into a draw shared by its whole layer."""
    return int(hash64(_NEURON, index)) >> 48


def neuron_constants(count: int) -> Array:
    """Return :func:`neuron_constant` of neurons ``0 ... count - 1`` as uint32, shape ``(count,)``."""
    return (hash64(_NEURON, np.arange(count, dtype=np.uint64)) >> np.uint64(48)).astype(np.uint32)


def image_shifts(seed: int, first: int, count: int, bound: int) -> tuple[Array, Array]:
    """Return the row and column shifts, int64 of shape ``(count,)`` each, of training samples from `first` on.

    Uniform on ``-bound ... bound``; a function of the sample number, so that a resumed run repeats them.
    """
    numbers = np.arange(first, first + count, dtype=np.uint64)
    span = np.uint64(2 * bound + 1)
    draws = hash64(_SHIFT, seed, numbers)
    rows = (draws >> np.uint64(40)) % span
    columns = ((draws >> np.uint64(8)) & np.uint64(0xFFFFFF)) % span
    return rows.astype(np.int64) - bound, columns.astype(np.int64) - bound
