# SPDX-License-Identifier: BSD-2-Clause
"""Why mutants survive that are neither killed nor proved harmless, by what the solver says may differ."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_CLOCKS = (
    "probably only when a token is taken or given, which no contract counts: "
    "all tokens were the same under all stalls"
)
_UNREAD = "what a memory shows in a clock for which nothing was read; nobody looks at it"

REASONS: tuple[tuple[str, str, str], ...] = (
    ("WordFile", r"read_data", _UNREAD),
    ("SynapseMemory", r"read_data", _UNREAD),
    ("Fork", r"has_room", "a hint that leaves room for more tokens than are asked for"),
    ("UartTransmitter", r".*_ready", "a bit lasts a clock more or less, within what a receiver bears"),
    ("", r"not asked, ", "open: the memories have more bits than the solver gets through"),
    ("", r"not asked yet", "open: no solver has been asked yet"),
    (
        "NeuronUnit",
        r".*_o\b",
        "open: a stored state out of the bounds of its program may show it, and no clip leaves such a one",
    ),
    ("", r".*_(ready|valid)\b", _CLOCKS),
    (
        "",
        r"the solver gave up",
        "nothing is seen under all stalls; the solver came to no end, so this says no more",
    ),
    ("", r"", "open: inputs that the contract excludes may show it, or the bench has a hole"),
)
"""Component, or empty for any; how the solver's words begin; the reason. The first that fits counts."""


def reason_of(survivor: Mapping[str, Any]) -> str:
    """Return the reason of a survivor."""
    return next(
        reason
        for component, words, reason in REASONS
        if component in ("", survivor["component"]) and re.match(words, survivor["why"])
    )
