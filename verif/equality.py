# SPDX-License-Identifier: BSD-2-Clause
"""Whether two arrays did the same: every integer of their results, weights and counters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from erbium.sw_model.results import Results

RESULTS = ("answers", "ticks", "ticks_to_decision")


class Array(Protocol):
    """What all backends offer: weights of each layer, and counters."""

    @property
    def weights(self) -> list[np.ndarray[Any, np.dtype[np.int16]]]: ...
    def counters(self) -> Mapping[str, int]: ...


def assert_same_results(got: Results, expected: Results) -> None:
    """Fail unless two batches gave the same answers, ticks and ticks to the decision."""
    for name in RESULTS:
        mine, other = getattr(got, name), getattr(expected, name)
        assert mine.dtype == other.dtype == np.int64, name
        np.testing.assert_array_equal(mine, other, name)


def assert_same_weights(got: Array, expected: Array) -> None:
    """Fail unless the weights of each layer are the same."""
    for number, (mine, other) in enumerate(zip(got.weights, expected.weights, strict=True), 1):
        assert mine.dtype == other.dtype == np.int16, f"weights of layer {number}"
        np.testing.assert_array_equal(mine, other, f"weights of layer {number}")


def assert_same_state(got: Array, expected: Array) -> None:
    """Fail unless weights and counters are the same, the latter in the same order."""
    assert list(got.counters().items()) == list(expected.counters().items())
    assert_same_weights(got, expected)
