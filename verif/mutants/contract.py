# SPDX-License-Identifier: BSD-2-Clause
"""What contracts say that a solver cannot see: what a token carries, and what states a neuron can be stored with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from amaranth.hdl import Shape

from erbium.hdl.neuron_unit import NeuronUnit, state_range
from erbium.hdl.tokens import (
    ErrorToken,
    EventToken,
    FeedbackToken,
    Kind,
    SampleKind,
    SampleToken,
    SweepToken,
    piece_width,
)

KIND_WIDTH = 2
"""Bits of the kind of a token, which are its lowest."""

Kinds = frozenset[int]


def _numbers(kinds: Any) -> dict[str, int]:
    return {kind.name: kind.value for kind in kinds}


_KINDS, _SAMPLE_KINDS = _numbers(Kind), _numbers(SampleKind)


class Bound(NamedTuple):
    """Bits of an input that hold a number of a range.

    Members
    -------
    name : of the input
    start, width : its bits
    signed : whether the highest is a sign
    low, high : ends of the range
    """

    name: str
    start: int
    width: int
    signed: bool
    low: int
    high: int


def carried(shape: object) -> list[Kinds] | None:
    """Return for each bit of a token the kinds that carry it; None if it is no token of several kinds.

    See the layouts in :mod:`erbium.hdl.tokens`. What a kind does not carry may be anything: readers do not look at it.
    """
    begin, spike, tick, end = (frozenset({_KINDS[name]}) for name in ("BEGIN", "SPIKE", "TICK", "END"))
    every = begin | spike | tick | end
    if isinstance(shape, EventToken):
        size = shape.spike.size if shape.spikes == 1 else 2 * shape.spike.size + 1
        fields = {"data": _data(shape["data"].width, shape.begin_pieces, spike, size)}
    elif isinstance(shape, SweepToken):
        width = shape["data"].width
        fields = {"data": _data(width, shape.begin_pieces, spike, width), "spikes": [spike] * shape.lanes}
        if shape.with_membranes:
            fields["v"] = [spike] * shape["v"].width
    elif isinstance(shape, FeedbackToken):
        fields = {"address": [spike | tick | end] + [spike] * (shape["address"].width - 1)}
    elif isinstance(shape, ErrorToken):
        fields = {"address": [spike] * shape["address"].width, "later": [every]}
    elif isinstance(shape, SampleToken):
        some = frozenset(_SAMPLE_KINDS[name] for name in ("BEGIN", "PIXEL"))
        fields = {"data": [some] * shape["data"].width}
    else:
        return None
    kinds = [every] * shape.size
    for name, bits in fields.items():
        start = shape[name].offset
        kinds[start : start + len(bits)] = bits
    return kinds


def _data(width: int, begin_pieces: int, spike: Kinds, size: int) -> list[Kinds]:
    """Return the kinds that carry the bits of a piece of a ``BEGIN``, in whose place a spike of some bits is."""
    begin = frozenset({_KINDS["BEGIN"]})
    piece = piece_width(begin_pieces)
    return [
        (begin if bit < piece else frozenset()) | (spike if bit < size else frozenset())
        for bit in range(width)
    ]


def carried_by_outputs(part: Any) -> dict[str, list[Kinds]]:
    """Return for each payload of a component that has tokens of several kinds what its bits are carried by."""
    found = {}
    for path, member, _ in part.signature.flatten(part):
        if path[-1] == "payload" and (kinds := carried(member.shape)) is not None:
            found["_".join(map(str, path))] = kinds
    return found


def bounds_of(part: Any) -> Sequence[Bound]:
    """Return the ranges of the inputs of a component.

    What is stored of a neuron is what a sweep has left or its initial state: its states are in their
    :func:`erbium.hdl.neuron_unit.state_range`, and it rests no longer than its program says.
    """
    if not isinstance(part, NeuronUnit):
        return ()
    bounds = []
    for lane in range(part.lanes):
        for name, field in part.layout:
            shape, program = Shape.cast(field.shape), part.program
            low, high = (
                (0, program.refractory) if name == "refractory" else state_range(program, int(name[1:]))
            )
            start = lane * part.layout.size + field.offset
            bounds.append(Bound("neurons", start, shape.width, shape.signed, low, high))
    return bounds
