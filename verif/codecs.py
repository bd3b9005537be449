# SPDX-License-Identifier: BSD-2-Clause
"""Tokens as benches see them: tuples that read well in a message, packed by the layouts of the hardware."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Shape
from amaranth.lib import data

from erbium.hdl.tokens import (
    AccessKind,
    AccessToken,
    Begin,
    ErrorToken,
    EventToken,
    FeedbackToken,
    Kind,
    Pixel,
    Result,
    SampleKind,
    SampleToken,
    SweepToken,
    piece_width,
)
from erbium.hdl.weight_access import AccessRequest
from erbium.sw_model.description.chain import graph_of
from erbium.sw_model.network import Network

Token = tuple[Any, ...]
"""First what it says, as a word, then its values; such as ``("SPIKE", 7)``."""


def signed(bits: int, width: int) -> int:
    """Return the value of a two's complement number."""
    return bits - (1 << width) if bits >> (width - 1) & 1 else bits


class Packer:
    """Packs fields to an integer and back, at the positions that an Amaranth layout says.

    Parameters
    ----------
    layout : amaranth.lib.data.Layout
        A structure or an array of numbers, structures and arrays.
    """

    def __init__(self, layout: Any) -> None:
        self.layout = layout
        self.size = layout.size
        self._fields: dict[Any, tuple[int, int, bool, Packer | None]] = {}
        for name, field in layout:
            nested = Packer(field.shape) if isinstance(field.shape, data.Layout) else None
            self._fields[name] = (field.offset, field.width, bool(Shape.cast(field.shape).signed), nested)

    def pack(self, fields: Mapping[Any, Any]) -> int:
        """Return the bits of a structure; fields that are not named are 0."""
        bits = 0
        for name, value in fields.items():
            offset, width, _, nested = self._fields[name]
            if nested is not None:
                items = value if isinstance(value, Mapping) else dict(enumerate(value))
                value = nested.pack(items)
            if not -(1 << width) // 2 <= value < 1 << width:
                raise ValueError(f"{name} is {value}, which {width} bits cannot hold")
            bits |= (int(value) & ((1 << width) - 1)) << offset
        return bits

    def unpack(self, bits: int) -> dict[Any, Any]:
        """Return the fields of a structure, or the items of an array by their index."""
        result: dict[Any, Any] = {}
        for name, (offset, width, is_signed, nested) in self._fields.items():
            value = bits >> offset & ((1 << width) - 1)
            if nested is not None:
                result[name] = nested.unpack(value)
            else:
                result[name] = signed(value, width) if is_signed and width else value
        return result


def _numbers(kinds: Any) -> dict[str, int]:
    """Return the numbers of an enumeration of the hardware by name; to a type checker it is no enumeration."""
    return {kind.name: kind.value for kind in kinds}


_KINDS, _SAMPLE_KINDS, _ACCESS_KINDS = _numbers(Kind), _numbers(SampleKind), _numbers(AccessKind)
_KIND_NAMES = {number: name for name, number in _KINDS.items()}
_BEGIN = Packer(Begin())
_PIXEL = Packer(Pixel())


def _begin_bits(seed: int, label: int, learn: int) -> int:
    return _BEGIN.pack({"seed": seed, "label": label, "learn": learn})


def _begin_token(bits: int) -> Token:
    fields = _BEGIN.unpack(bits)
    return ("BEGIN", fields["seed"], fields["label"], fields["learn"])


class _BeginPieces:
    """Takes what a ``BEGIN`` says apart, and puts it together again.

    Parameters
    ----------
    count : int
        Payloads that it takes.
    """

    def __init__(self, count: int) -> None:
        self._count, self._width = count, piece_width(count)
        self._taken: list[int] = []

    def apart(self, token: Token) -> list[int]:
        """Return the pieces, the lowest bits first."""
        bits, mask = _begin_bits(*token[1:]), (1 << self._width) - 1
        return [bits >> self._width * k & mask for k in range(self._count)]

    def together(self, piece: int) -> Token | None:
        """Return the token with its last piece."""
        self._taken.append(piece & ((1 << self._width) - 1))
        if len(self._taken) < self._count:
            return None
        bits = sum(part << self._width * k for k, part in enumerate(self._taken))
        self.clear()
        return _begin_token(bits)

    def clear(self) -> None:
        """Forget pieces of a token that is not whole: the hardware was reset."""
        self._taken.clear()


class EventCodec:
    """``("BEGIN", seed, label, learn)``, ``("SPIKE", address)``, ``("TICK",)``, ``("END",)``.

    Parameters
    ----------
    layout : EventToken, optional
        Of the channel. If its spikes carry their tick, they are ``("SPIKE", address, tick)``. If a token has up to two
        spikes, ``("SPIKE", address, address)`` is one with two, which is decoded as a list of both.
    """

    def __init__(self, layout: EventToken | None = None) -> None:
        layout = layout or EventToken()
        self.spikes = layout.spikes
        self._packer, self._spike = Packer(layout), Packer(layout.spike)
        self._pieces = _BeginPieces(layout.begin_pieces)
        self.clear = self._pieces.clear
        self._names = [name for name, field in layout.spike if field.width]
        self.size = self._packer.size

    def encode(self, token: Token) -> list[int]:
        """Return the payloads of a token; what its channel does not carry is left out."""
        kind = token[0]
        contents = [0]
        if kind == "BEGIN":
            contents = self._pieces.apart(token)
        elif kind == "SPIKE" and self.spikes == 2:
            first, *second = (self._spike.pack({"address": address}) for address in token[1:])
            size = self._spike.size
            contents = [first + sum((other << size) + (1 << 2 * size) for other in second)]
        elif kind == "SPIKE":
            contents = [self._spike.pack(dict(zip(self._names, token[1:], strict=False)))]
        return [self._packer.pack({"kind": _KINDS[kind], "data": content}) for content in contents]

    def decode(self, bits: int) -> Token | list[Token] | None:
        """Return the token of a payload, without what its kind does not carry; none before the last piece."""
        fields = self._packer.unpack(bits)
        kind, content, size = _KIND_NAMES[fields["kind"]], fields["data"], self._spike.size
        if kind == "BEGIN":
            return self._pieces.together(content)
        if kind != "SPIKE":
            return (kind,)
        first = self._decode_spike(content)
        if self.spikes == 2 and content >> 2 * size & 1:
            return [first, self._decode_spike(content >> size)]
        return first

    def _decode_spike(self, bits: int) -> Token:
        spike = self._spike.unpack(bits & (1 << self._spike.size) - 1)
        return ("SPIKE", *(spike[name] for name in self._names))


class SweepCodec:
    """As :class:`EventCodec`, but ``("SPIKE", address of lane 0, spikes, membranes)`` for each word.

    `spikes` are bits, lane 0 lowest; `membranes` is a tuple with one value for each lane that has a neuron,
    empty on a channel without them.

    Parameters
    ----------
    layout : SweepToken
        Of the channel.
    """

    def __init__(self, layout: SweepToken) -> None:
        self.lanes, self.n_neurons = layout.lanes, layout.n_neurons
        self.with_membranes = layout.with_membranes
        self._packer, self._pieces = Packer(layout), _BeginPieces(layout.begin_pieces)
        self.clear = self._pieces.clear
        self.size = self._packer.size

    def encode(self, token: Token) -> list[int]:
        """Return the payloads of a token."""
        kind = token[0]
        fields: dict[str, Any] = {"kind": _KINDS[kind]}
        if kind == "BEGIN":
            return [self._packer.pack(fields | {"data": piece}) for piece in self._pieces.apart(token)]
        if kind == "SPIKE":
            fields |= {"data": token[1], "spikes": token[2]}
            if self.with_membranes:
                fields["v"] = token[3]
        return [self._packer.pack(fields)]

    def decode(self, bits: int) -> Token | None:
        """Return the token of a payload; none before the last piece of a ``BEGIN``."""
        fields = self._packer.unpack(bits)
        kind = _KIND_NAMES[fields["kind"]]
        if kind == "BEGIN":
            return self._pieces.together(fields["data"])
        if kind != "SPIKE":
            return (kind,)
        here = min(self.lanes, self.n_neurons - fields["data"])
        membranes = tuple(fields["v"][lane] for lane in range(here)) if self.with_membranes else ()
        return ("SPIKE", fields["data"], fields["spikes"], membranes)


class FeedbackCodec:
    """``("SPIKE", error neuron)``, ``("TICK", stop)``, ``("END",)``, or ``("END", replay)`` if it `replays`."""

    def __init__(self, n_addresses: int, *, replays: bool = False) -> None:
        self._replays = replays
        self._packer = Packer(FeedbackToken(n_addresses))
        self.size = self._packer.size

    def encode(self, token: Token) -> int:
        """Return the payload of a token."""
        value = token[1] if len(token) > 1 else 0
        return self._packer.pack({"kind": _KINDS[token[0]], "address": int(value)})

    def decode(self, bits: int) -> Token:
        """Return the token of a payload."""
        fields = self._packer.unpack(bits)
        kind = _KIND_NAMES[fields["kind"]]
        if kind == "TICK" or (kind == "END" and self._replays):
            return (kind, fields["address"] & 1)
        return ("SPIKE", fields["address"]) if kind == "SPIKE" else (kind,)


def feedback_codec(network: Network) -> FeedbackCodec:
    """Return the codec of a network's feedback."""
    graph = graph_of(network)
    return FeedbackCodec(2 * graph.n_classes, replays=graph.replays)


class ErrorCodec:
    """``("SPIKE", neuron, later)``, ``("END", replay)``, for a layer of so many neurons."""

    def __init__(self, n_neurons: int) -> None:
        self._packer = Packer(ErrorToken(n_neurons))
        self.size = self._packer.size

    def encode(self, token: Token) -> int:
        """Return the payload of a token."""
        kind, *address, later = token
        return self._packer.pack(
            {"kind": _KINDS[kind], "address": address[0] if address else 0, "later": later}
        )

    def decode(self, bits: int) -> Token:
        """Return the token of a payload."""
        fields = self._packer.unpack(bits)
        kind = _KIND_NAMES[fields["kind"]]
        return (kind, fields["address"], fields["later"]) if kind == "SPIKE" else (kind, fields["later"])


class SampleCodec:
    """``("BEGIN", seed, label, learn)``, ``("PIXEL", value, address)``, ``("END",)``."""

    def __init__(self) -> None:
        self._packer = Packer(SampleToken())
        self.size = self._packer.size

    def encode(self, token: Token) -> int:
        """Return the payload of a token."""
        kind = token[0]
        content = 0
        if kind == "BEGIN":
            content = _begin_bits(*token[1:])
        elif kind == "PIXEL":
            content = _PIXEL.pack({"value": token[1], "address": token[2]})
        return self._packer.pack({"kind": _SAMPLE_KINDS[kind], "data": content})


class ResultCodec:
    """``("RESULT", answer, ticks, ticks to decision)``."""

    def __init__(self) -> None:
        self._packer = Packer(Result())

    def decode(self, bits: int) -> Token:
        """Return the token of a payload."""
        fields = self._packer.unpack(bits)
        return ("RESULT", fields["answer"], fields["ticks"], fields["ticks_to_decision"])


class AccessCodec:
    """``("SEEK", row)``, ``("READ",)``, ``("WRITE", weight)``; for an array also the layer, as last value."""

    def __init__(self, *, with_layer: bool) -> None:
        self._with_layer = with_layer
        self._packer = Packer(AccessToken() if with_layer else AccessRequest())
        self.size = self._packer.size

    def encode(self, token: Token) -> int:
        """Return the payload of a token."""
        fields = {"kind": _ACCESS_KINDS[token[0]]}
        values = list(token[1:])
        if self._with_layer:
            fields["layer"] = values.pop()
        if values:
            fields["data"] = values[0]
        return self._packer.pack(fields)


def decode_int16(bits: int) -> Token:
    """Return the answer to a ``READ``: ``("WEIGHT", value)``."""
    return ("WEIGHT", signed(bits, 16))
