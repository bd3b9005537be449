# SPDX-License-Identifier: BSD-2-Clause
"""What the sources published, as far as they put it in numbers: data, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A published number: its value, and the place that it stands at."""

    value: float
    place: str


NEFTCI = "Neftci, Augustine, Paul, Detorakis, Front. Neurosci. 11:324 (2017), arXiv 1612.05596"
MOSTAFA = "Mostafa and others, Fast classification using sparsely active spiking networks, ISCAS 2017"
MOSTAFA_FLOAT = (
    "Mostafa, Supervised learning based on temporal coding in spiking neural networks, arXiv 1606.08165"
)
DAVIES = "Davies and others, Loihi, IEEE Micro 38(1):82 (2018), table 1"

_TABLE = f"{NEFTCI}, table 1"


def _row(hidden: tuple[int, ...], *errors: float) -> dict[tuple[tuple[int, ...], str], Figure]:
    """Return a row of the source's table: eRBP, peRBP, ANN by random and by exact backpropagation."""
    learners = ("erbp", "perbp", "ann-rbp", "ann-bp")
    return {(hidden, name): Figure(error, _TABLE) for name, error in zip(learners, errors, strict=True)}


TEST_ERRORS: dict[tuple[tuple[int, ...], str], Figure] = {
    **_row((100,), 3.94, 3.02, 2.74, 2.19),
    **_row((200,), 3.53, 2.69, 2.15, 1.81),
    **_row((500,), 2.76, 2.40, 2.08, 1.80),
    **_row((200, 200), 3.48, 2.29, 2.42, 1.91),
}
"""MNIST test error in %, by hidden layers and learner."""

FIRST_DECISION_ERROR = Figure(4.5, f"{NEFTCI}, classification by the first output spike, 784-200-10")
"""Test error in % below which the first output spike decides ..."""

FIRST_DECISION_OPERATIONS = Figure(53_407, FIRST_DECISION_ERROR.place)
"""... after this many synaptic operations."""

FIRST_SPIKE = {
    "test-error": Figure(3.0, f"{MOSTAFA}, 784-600-10 on an FPGA, 8 bit, trained off the chip"),
    "ticks-to-decision": Figure(167, f"{MOSTAFA}, in time steps of its FPGA"),
    "hidden-spikes-to-decision": Figure(30, MOSTAFA),
    "rows-read-layer-1": Figure(13, MOSTAFA),
    "rows-read-layer-2": Figure(5, MOSTAFA),
}
"""The first-spike network of 600 hidden neurons."""

FIRST_SPIKE_FLOAT_ERROR = Figure(2.45, f"{MOSTAFA_FLOAT}, 784-800-10, exact gradient, floating point")

PICOJOULES = Figure(23.6, DAVIES)
"""Energy of a synaptic operation on a chip made for them, from which energies are estimated."""
