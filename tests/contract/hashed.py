# SPDX-License-Identifier: BSD-2-Clause
"""docs/constants.md: everything that comes from the hash."""

from __future__ import annotations

from functools import cache

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
SALT, SAMPLE, WEIGHT, FEEDBACK, NEURON, SHIFT, TEST_IMAGE = range(1, 8)
ENCODER, PLASTICITY, BLANK_SYNAPSE, BLANK_NEURON, NOISE = range(5)


def step(h: int, word: int) -> int:
    h = ((h ^ (word & MASK)) + GOLDEN) & MASK
    h = ((h ^ (h >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    h = ((h ^ (h >> 27)) * 0x94D049BB133111EB) & MASK
    return h ^ (h >> 31)


def hash64(*words: int) -> int:
    h = GOLDEN
    for word in words:
        h = step(h, word)
    return h


def salt(process: int, stream: int) -> int:
    return hash64(SALT, process, stream) & 0xFFFFFFFF | 1


def sample_seed(seed: int, learn: int, n: int) -> int:
    return hash64(SAMPLE, seed, learn, n) >> 32


def mixing(neuron: int) -> int:
    return hash64(NEURON, neuron) >> 48


def shift(seed: int, n: int, most: int) -> tuple[int, int]:
    h, span = hash64(SHIFT, seed, n), 2 * most + 1
    return (h >> 40) % span - most, (h >> 8 & 0xFFFFFF) % span - most


def weight_range(width: int, first_spike: bool) -> tuple[int, int]:
    half = 1 << (width - 1)
    return (1 - half if first_spike else -half), half - 1


@cache
def drawn_weights(seed: int, layer: int, count: int, bound: int) -> tuple[int, ...]:
    """Return the weights of a layer as they are drawn; many presets have the same ones."""
    of_layer, span = hash64(WEIGHT, seed, layer), 2 * bound + 1
    return tuple((step(of_layer, index) >> 32) % span - bound for index in range(count))


def initial_weights(
    seed: int, layer: int, rows: int, neurons: int, bound: int, width: int, first_spike: bool
) -> list[list[int]]:
    low, high = weight_range(width, first_spike)
    drawn = drawn_weights(seed, layer, rows * neurons, bound)
    wide = [w << (width - 8) if width >= 8 else w >> (8 - width) for w in drawn]
    clipped = [min(max(w, low), high) for w in wide]
    return [clipped[k * neurons : (k + 1) * neurons] for k in range(rows)]


def initial_weight(
    seed: int, layer: int, neurons: int, bound: int, width: int, first_spike: bool, row: int, neuron: int
) -> int:
    return initial_weights(seed, layer, row + 1, neurons, bound, width, first_spike)[row][neuron]


def feedback(kind: str, seed: int, layer: int, neuron: int, classes: int) -> list[int]:
    """Return the feedback weights of one neuron, one for each class."""
    if kind == "direct":
        return [int(c == neuron) for c in range(classes)]
    first = neuron * classes
    if kind == "sign":
        keys = [hash64(FEEDBACK, seed, layer, first + c) for c in range(classes)]
        positive = sorted(range(classes), key=keys.__getitem__)[: classes // 2]
        return [1 if c in positive else -1 for c in range(classes)]
    if kind == "wide":
        attempt = 0
        while True:
            words = (hash64(FEEDBACK, seed, layer, attempt, first + c) for c in range(classes))
            values = [(h >> 32) % 7 - 3 for h in words]
            if any(values) and sum(values) == 0:
                return values
            attempt += 1
    raise ValueError(f"feedback is {kind!r}; docs/description.md knows 'sign', 'wide' and 'direct'")


def image(n: int, n_inputs: int) -> list[int]:
    """Return image number n of the whole runs."""
    of_image = hash64(TEST_IMAGE, n)
    hashes = (step(of_image, p) for p in range(n_inputs))
    return [h >> 56 if h & 1 else 0 for h in hashes]
