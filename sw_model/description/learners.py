# SPDX-License-Identifier: BSD-2-Clause
"""What a learner adds to layers in a row when they become a graph: the populations of its errors, and its readout."""

from __future__ import annotations

from functools import singledispatch
from typing import NamedTuple

from erbium.sw_model.description.connect import Identity
from erbium.sw_model.description.parts import (
    FirstSpike,
    Label,
    Population,
    Projection,
    Readout,
    Source,
    SpikeCount,
)
from erbium.sw_model.network import Network
from erbium.sw_model.rules import ErrorNeurons, FirstSpikeErrors


class EndOfChain(NamedTuple):
    """What comes after the last layer."""

    readout: Readout
    sources: tuple[Source, ...] = ()
    populations: tuple[Population, ...] = ()
    projections: tuple[Projection, ...] = ()


@singledispatch
def end_of_chain(errors: object, network: Network, last: str) -> EndOfChain:
    """Return what forms the errors of a network whose last layer is the population `last`."""
    raise NotImplementedError(f"there is no graph with {type(errors).__name__}")


@end_of_chain.register
def _(errors: ErrorNeurons, network: Network, last: str) -> EndOfChain:
    quiet = "error" if network.quiet_ticks else ""
    return EndOfChain(
        SpikeCount(last, network.decide_after, quiet, network.quiet_ticks, network.feedback_delay),
        sources=(Source("label", network.n_classes, Label()),),
        populations=(Population("error", 2 * network.n_classes, errors.program),),
        projections=(
            Projection(last, "error", Identity(errors.weight, pairs="target"), when="learn"),
            Projection("label", "error", Identity(-errors.weight, pairs="target"), when="learn"),
        ),
    )


@end_of_chain.register
def _(errors: FirstSpikeErrors, network: Network, last: str) -> EndOfChain:
    return EndOfChain(
        FirstSpike(
            last,
            errors.margin,
            errors.deadline,
            errors.earliest_only,
            network.decide_after,
            network.feedback_delay,
        )
    )
