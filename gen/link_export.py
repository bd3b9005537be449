# SPDX-License-Identifier: BSD-2-Clause
"""What programs need to know of the host link: lines of the C header, and a part of the manifest."""

from __future__ import annotations

import enum
from typing import Any

from erbium.hdl.registers import (
    ERROR_REPLY,
    EVENT_BYTES,
    HISTORY,
    NIBBLES,
    REPLY_BIT,
    Control,
    ErrorCode,
    PixelFormat,
    RegisterMap,
    Request,
    Status,
)

_ENUMS: dict[str, type[enum.IntEnum] | type[enum.IntFlag]] = {
    "request": Request,
    "pixel_format": PixelFormat,
    "error": ErrorCode,
    "status": Status,
    "control": Control,
}


def link_manifest(registers: RegisterMap) -> dict[str, Any]:
    """Return messages, windows and registers as JSON has them."""
    return {
        "codes": {
            name: {member.name: member.value for member in members} for name, members in _ENUMS.items()
        },
        "reply_bit": REPLY_BIT,
        "error_reply": ERROR_REPLY,
        "history": HISTORY,
        "event_bytes": EVENT_BYTES,
        "nibbles": NIBBLES if registers.takes_nibbles else 0,
        "max_message": registers.max_message,
        "windows": [
            {
                "name": window.name,
                "number": window.number,
                "entries": window.entries,
                "entry_bytes": window.entry_bytes,
                "writable": window.writable,
                "meaning": window.meaning,
            }
            for window in registers.windows
        ],
        "registers": [
            {
                "name": register.name,
                "address": register.address,
                "width": register.width,
                "writable": register.writable,
                "low": register.low,
                "high": register.high,
                "reset": register.reset,
                "meaning": register.meaning,
            }
            for register in registers
        ],
    }


def link_header(registers: RegisterMap, prefix: str) -> list[str]:
    """Return the lines of the C header about the host link; their macros begin with `prefix`."""
    lines = [
        "",
        "/* The host link: frames of COBS(message, CRC-32) and a zero byte; little endian; see docs/host-link.md. */",
        f"#define {prefix}_LINK_REPLY_BIT {REPLY_BIT:#x}",
        f"#define {prefix}_LINK_ERROR_REPLY {ERROR_REPLY:#x}",
        f"#define {prefix}_LINK_HISTORY {HISTORY} /* results that window 1 holds */",
        f"#define {prefix}_LINK_EVENT_BYTES {EVENT_BYTES}",
        f"#define {prefix}_LINK_NIBBLES {NIBBLES if registers.takes_nibbles else 0} "
        "/* flag of a sample with two pixels in a byte; 0 if the chip takes none */",
        f"#define {prefix}_LINK_MAX_MESSAGE {registers.max_message} /* bytes of the longest message of the host */",
    ]
    for name, members in _ENUMS.items():
        lines.append("")
        lines += [f"#define {prefix}_{name.upper()}_{member.name} {member.value}" for member in members]
    lines += ["", "/* Windows: number, entries, bytes of an entry. */"]
    for window in registers.windows:
        stem = f"{prefix}_WINDOW_{window.name.upper()}"
        lines += [
            f"#define {stem} {window.number} /* {window.meaning} */",
            f"#define {stem}_ENTRIES {window.entries}",
            f"#define {stem}_ENTRY_BYTES {window.entry_bytes}",
        ]
    lines += ["", "/* Registers: word in window 0; the largest value of those that are written. */"]
    for register in registers:
        stem = f"{prefix}_REGISTER_{register.name.upper()}"
        lines.append(f"#define {stem} {register.address} /* {register.meaning} */")
        if register.writable:
            lines.append(f"#define {stem}_HIGH {register.high}")
    return lines
