# SPDX-License-Identifier: BSD-2-Clause
"""A sample as the tokens that a core takes."""

from __future__ import annotations

import numpy as np

from erbium.sw_model.constants import Array
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.machine import BEGIN_TOKEN, PIXEL_TOKEN, VALUE_TOKEN, TokenKind
from erbium.sw_model.description.parts import LOADED, Source
from erbium.sw_model.graph_model.drive import Drive
from erbium.sw_model.rules import LatencyEncoder


def sample_tokens(
    graph: Graph, image: Array, seed: int, label: int | None, n_ticks: int, drive: Drive, *, clear: bool
) -> Array:
    """Return a sample as tokens, uint64.

    Parameters
    ----------
    graph : Graph
    image : ndarray of uint8, shape (n_pixels,)
    seed : int
    label : int or None
    n_ticks : int
    drive : Drive
    clear : bool
        Whether the network begins anew.
    """
    learn = drive.learns(label)
    begin = BEGIN_TOKEN.pack(
        {
            "kind": TokenKind.BEGIN,
            "seed": seed & 0xFFFF_FFFF,
            "last_tick": n_ticks - 1,
            "learn": learn,
            "clear": clear,
            "has_label": label is not None,
            "label": label or 0,
            "factor": drive.factor if learn else 0,
        }
    )
    tokens = [np.array(begin, dtype=np.uint64)]
    for number, modulator in enumerate(graph.modulators):
        value = {"number": number, "value": drive.values.get(modulator.name, 0)}
        value |= {"kind": TokenKind.VALUE, "gain": drive.gains.get(modulator.name, 0)}
        tokens.append(np.array(VALUE_TOKEN.pack(value), dtype=np.uint64))
    image, at = graph.seen(image), 0
    for source in graph.sources:
        if isinstance(source.encoder, LOADED):
            tokens += _pixels(source, image[at : at + source.size].astype(np.uint64))
            at += source.size
    tokens.append(_token(TokenKind.GO))
    if drive.events:
        tokens.append(_events(graph, drive, n_ticks))
    tokens.append(_token(TokenKind.END))
    return np.concatenate(tokens)


def _pixels(source: Source, pixels: Array) -> list[Array]:
    if isinstance(source.encoder, LatencyEncoder):
        values = np.full(pixels.size, -1, dtype=np.int64)
        for lowest, tick in reversed(source.encoder.levels):
            values[pixels >= lowest] = tick
        addresses = np.flatnonzero(values >= 0)
        values = values[addresses].astype(np.uint64)
    else:
        addresses = np.flatnonzero(pixels)
        values = pixels[addresses]
    at_address, at_value = (np.uint64(PIXEL_TOKEN.offsets[name][0]) for name in ("address", "value"))
    words = np.uint64(TokenKind.PIXEL) | addresses.astype(np.uint64) << at_address | values << at_value
    return [words.astype(np.uint64), _token(TokenKind.STOP)]


def _events(graph: Graph, drive: Drive, n_ticks: int) -> Array:
    at_address = np.uint64(PIXEL_TOKEN.offsets["address"][0])
    given = [np.asarray(drive.events.get(s.name, np.zeros((0, s.size), bool))) for s in graph.event_sources]
    parts: list[Array] = []
    for tick in range(min(n_ticks, max(len(events) for events in given))):
        for events in given:
            addresses = np.flatnonzero(events[tick]) if tick < len(events) else np.zeros(0, np.int64)
            parts += [np.uint64(TokenKind.EVENT) | addresses.astype(np.uint64) << at_address]
            parts += [_token(TokenKind.STOP)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint64)


def _token(kind: TokenKind) -> Array:
    return np.array([kind], dtype=np.uint64)
