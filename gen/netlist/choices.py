# SPDX-License-Identifier: BSD-2-Clause
"""Statements of several registers together, with equal choices made once."""

from __future__ import annotations

from dataclasses import dataclass

from erbium.gen.netlist.bits import Sig
from erbium.gen.netlist.module import Assign, Statement, Switch


@dataclass(frozen=True)
class Write:
    """A register gets a value."""

    wire: str
    assign: Assign


@dataclass
class Choice:
    """Several registers do what the selector says."""

    selector: Sig
    cases: list[tuple[tuple[str, ...], list[Write | Choice]]]


def merged(items: list[tuple[str, tuple[Statement, ...]]]) -> list[Write | Choice]:
    """Return what the statements of several registers do together, with equal choices made once."""
    result: list[Write | Choice] = []
    groups: dict[object, list[tuple[str, Switch]]] = {}
    places: dict[object, int] = {}
    for wire, statements in items:
        for statement in statements:
            if isinstance(statement, Assign):
                result.append(Write(wire, statement))
                continue
            key: object = (statement.selector, tuple(patterns for patterns, _ in statement.cases))
            if len(statements) > 1:
                key = object()
            if key not in groups:
                places[key] = len(result)
                result.append(Choice(statement.selector, []))
            groups.setdefault(key, []).append((wire, statement))
    for key, members in groups.items():
        cases: list[tuple[tuple[str, ...], list[Write | Choice]]] = []
        for index, (patterns, _) in enumerate(members[0][1].cases):
            bodies = [(wire, switch.cases[index][1]) for wire, switch in members]
            cases.append((patterns, merged(bodies)))
        result[places[key]] = Choice(members[0][1].selector, cases)
    return result
