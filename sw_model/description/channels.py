# SPDX-License-Identifier: BSD-2-Clause
"""Channels: what joins the parts of a graph, declared once for model, hardware, probes, benches and drawings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Channel:
    """Tokens from one source or population, in order, to the projections that begin there with the same delay.

    Parameters
    ----------
    name : str
    source : str
        Source or population that writes it.
    sinks : tuple of str
        Projections that read it.
    addresses : int
        Addresses of its ``SPIKE`` tokens are ``0 ... addresses - 1``.
    delay : int
        ``TICK`` tokens that lie in the channel at ``BEGIN``: what is written in tick t is read in tick t + delay, and
        what has not been read at ``END`` is dropped.
    """

    name: str
    source: str
    sinks: tuple[str, ...]
    addresses: int
    delay: int = 0
