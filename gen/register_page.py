# SPDX-License-Identifier: BSD-2-Clause
"""The tables of ``docs/host-link.md``, from the one declaration of registers and messages.

``python -m erbium.gen.register_page`` writes them into the page, between the lines that mark where they are.
"""

from __future__ import annotations

import enum
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from erbium.gen.presets import preset
from erbium.hdl.core.link_map import CoreMap
from erbium.hdl.registers import (
    Control,
    ErrorCode,
    LinkMap,
    PixelFormat,
    Register,
    RegisterMap,
    Request,
    Status,
)
from erbium.sw_model.description.machine import CoreHardware
from erbium.sw_model.network import Hardware

PRESETS = ("erbp-mnist-160", "first-spike-mnist-20x20-320")
"""Networks whose registers the page shows, one of each learner."""

CORE = CoreHardware(lanes=32, units=4, weight_width=8)
"""The core whose windows the page shows."""

PAGE = Path("docs") / "host-link.md"

_REPLACED = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def meanings(members: type[enum.IntEnum] | type[enum.IntFlag]) -> dict[str, str]:
    """Return what the docstring of an enumeration says of each of its members."""
    text = (members.__doc__ or "").split("-------\n", 1)[-1]
    found: dict[str, str] = {}
    for line in text.splitlines():
        words = line.strip()
        name, colon, meaning = words.partition(" : ")
        if colon and name in members.__members__:
            found[name] = meaning
        elif words and found:
            found[list(found)[-1]] += f" {words}"
    return {name: meaning.replace("``", "`") for name, meaning in found.items()}


def _table(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def code_table(members: type[enum.IntEnum]) -> str:
    """Return numbers, names and meanings as a table."""
    told = meanings(members)
    return _table(("code", "name", "meaning"), ((m.value, f"`{m.name}`", told[m.name]) for m in members))


def _flags(members: type[enum.IntFlag]) -> str:
    told = meanings(members)
    return _table(
        ("bit", "name", "meaning"),
        ((m.value.bit_length() - 1, f"`{m.name}`", told.get(m.name or "", "")) for m in members),
    )


def _access(register: Register) -> str:
    if register.value is not None:
        return f"constant {register.value:#x}" if register.width >= 32 else f"constant {register.value}"
    if not register.writable:
        return "read"
    return f"write {register.low} ... {register.high}, reset {register.reset}"


def _registers(name: str) -> str:
    found = RegisterMap(preset(name).network, Hardware(), 12_000_000, 0)
    return _table(
        ("word", "register", "bits", "access", "meaning"),
        ((r.address, f"`{r.name}`", r.width, _access(r), r.meaning) for r in found),
    )


def _windows(found: LinkMap) -> str:
    return _table(
        ("number", "window", "entries", "bytes of an entry", "written", "meaning"),
        (
            (w.number, w.name, w.entries, w.entry_bytes, "yes" if w.writable else "no", w.meaning)
            for w in found.windows
        ),
    )


def tables() -> dict[str, str]:
    """Return the tables by the names under which the page has them."""
    result = {
        "requests": code_table(Request),
        "errors": code_table(ErrorCode),
        "formats": code_table(PixelFormat),
        "status": _flags(Status),
        "control": _flags(Control),
    }
    for name in PRESETS:
        kind = preset(name).network.error.stem
        result[f"registers-{kind}"] = f"`{name}`:\n\n{_registers(name)}"
        windows = _windows(RegisterMap(preset(name).network, Hardware()))
        result[f"windows-{kind}"] = f"`{name}`:\n\n{windows}"
    result["windows-core"] = _windows(CoreMap(CORE))
    return result


def rendered(page: str) -> str:
    """Return the page with its tables as they have to be.

    Raises
    ------
    ValueError
        If the page lacks a table, or asks for one that there is not.
    """
    found = tables()
    asked = [match["name"] for match in _REPLACED.finditer(page)]
    if sorted(asked) != sorted(found):
        raise ValueError(
            f"the page has the tables {sorted(asked)}; it must have each of {sorted(found)} once"
        )
    return _REPLACED.sub(lambda match: f"{match[1]}{found[match['name']]}{match[3]}", page)


def main(page: Path = PAGE) -> int:
    """Write the tables into the page."""
    page.write_text(rendered(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
