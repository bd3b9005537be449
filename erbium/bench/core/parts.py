# SPDX-License-Identifier: BSD-2-Clause
"""What the tasks of the core share: weights that are written out."""

from __future__ import annotations

from erbium.sw_model.constants import Array
from erbium.sw_model.description.connect import Given


def given(weights: Array) -> Given:
    """Return weights, int of shape ``(rows, columns)``, as a description has them."""
    return Given(tuple(tuple(int(value) for value in row) for row in weights))
