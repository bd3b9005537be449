# SPDX-License-Identifier: BSD-2-Clause
"""Pixels of fewer bits than the eight in which images come."""

from __future__ import annotations

from typing import Any

from erbium.sw_model.programs import DescriptionError

PIXEL_BITS = (4, 8)


def check_pixel_bits(bits: object) -> None:
    """Raise :class:`DescriptionError` unless pixels can have so many bits."""
    if isinstance(bits, bool) or bits not in PIXEL_BITS:
        raise DescriptionError(f"pixel_bits is {bits!r}; pixels have 4 or 8 bits")


def rounded(pixels: Any, bits: int) -> Any:
    """Return pixels, uint8, as an encoder with so many bits sees them: of four bits the upper ones, and 15 is 255."""
    return pixels if bits == 8 else (pixels >> 4) * 17


def lowest_seen(value: int, bits: int) -> int:
    """Return the smallest pixel that is at least `value` once it is rounded."""
    return value if bits == 8 else -(-value // 17) * 16
