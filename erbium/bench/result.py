# SPDX-License-Identifier: BSD-2-Clause
"""What a bench comes to: rows of figures, each with its target and the command that repeats it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from erbium.tables import PlainTable

Limit = Literal["at most", "at least", "exactly"]

_OWN_KEYS = ("id", "value", "unit", "target", "ok", "command")


@dataclass(frozen=True)
class Row:
    """One published number.

    Parameters
    ----------
    id : str
        ``bench/network/quantity``, by which tables refer to it.
    value : float or int
    unit : str
    command : str
        Command line that repeats this row.
    target : float or int, optional
        What it has to reach; without one it is for information.
    limit : str
        How the target is meant.
    extra : mapping
        Anything else that belongs to the number and that JSON can hold.
    columns : mapping of str to str
        What the table shows besides, heading to text.
    section : str
        Title of the table that it belongs to, where a bench has several.
    """

    id: str
    value: float
    unit: str
    command: str
    target: float | None = None
    limit: Limit = "at most"
    extra: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    section: str = ""

    def __post_init__(self) -> None:
        clash = [key for key in (*_OWN_KEYS, "limit") if key in self.extra]
        if clash:
            raise ValueError(f"row {self.id}: {clash[0]!r} among the extra keys is a key of every row")

    @property
    def ok(self) -> bool | None:
        """Whether the value reaches the target; None without one."""
        if self.target is None:
            return None
        match self.limit:
            case "at most":
                return self.value <= self.target
            case "at least":
                return self.value >= self.target
            case "exactly":
                return self.value == self.target

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON has it."""
        row = {key: getattr(self, key) for key in _OWN_KEYS}
        if self.target is not None:
            row["limit"] = self.limit
        return {**row, **self.extra}


@dataclass(frozen=True)
class Outcome:
    """All rows of one bench.

    Attributes
    ----------
    bench : str
    version : str
        Version of Erbium that was measured.
    rows : tuple of Row
    """

    bench: str
    version: str
    rows: tuple[Row, ...]

    @property
    def ok(self) -> bool:
        """Whether no row misses its target."""
        return all(row.ok is not False for row in self.rows)

    @property
    def sections(self) -> list[str]:
        """Titles of the tables, in their order."""
        return list(dict.fromkeys(row.section for row in self.rows))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        return {"bench": self.bench, "version": self.version, "rows": [row.to_dict() for row in self.rows]}

    def to_json(self) -> str:
        """Return the text of the JSON file."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n"

    def show(self, console: Console) -> None:
        """Print the rows as a table, or as one for each section, and name what misses its target."""
        for section in self.sections:
            if section:
                console.print(section, style="bold", highlight=False)
            table = _table([row for row in self.rows if row.section == section])
            if not console.is_terminal:
                # A file has lines as long as it takes.
                unlimited = console.options.update(width=10_000)
                console.width = max(console.width, 160, console.measure(table, options=unlimited).maximum)
            console.print(table, highlight=False)
            if section:
                console.print()
        for row in self.rows:
            if row.ok is False:
                console.print(
                    f"{row.id} misses its target; to repeat it: {row.command}",
                    highlight=False,
                    soft_wrap=True,
                    markup=False,
                )


def _table(rows: Sequence[Row]) -> Table:
    table = PlainTable()
    table.add_column("id", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    table.add_column("target", no_wrap=True)
    table.add_column("", no_wrap=True)
    further = list(dict.fromkeys(heading for row in rows for heading in row.columns))
    for heading in further:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        target = "" if row.target is None else f"{row.limit} {row.target:,g}"
        texts = [row.columns.get(heading, "") for heading in further]
        table.add_row(row.id, number(row.value), row.unit, target, _verdict(row.ok), *texts)
    return table


def number(value: float) -> str:
    """Return a value for people: thousands set apart, decimals where they say something."""
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:,.2f}"


def _verdict(ok: bool | None) -> str:
    return {None: "", True: "[green]ok[/]", False: "[red]missed[/]"}[ok]
