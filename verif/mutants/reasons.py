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

REASONS: tuple[tuple[str, str, str], ...] = (
    ("UartTransmitter", r".*_ready", "a bit lasts a clock more or less, within what a receiver bears"),
    ("", r"not asked, ", "open: the memories have more bits than the solver gets through"),
    (
        "",
        r"opened_",
        "open: it asks something else of a memory, whose many bits the solver does not get through",
    ),
    ("", r"not asked yet", "open: no solver has been asked yet"),
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
