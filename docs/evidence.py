# SPDX-License-Identifier: BSD-2-Clause
"""The pages of what was measured about the hardware's trustworthiness: made of the records that benches write."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from erbium.verif.coverage import CONFIGURATIONS
from erbium.verif.equivalence import OPEN
from erbium.verif.formal.table import PROOFS
from erbium.verif.mutants.reasons import reason_of
from erbium.verif.mutants.table import OTHERS, SUBJECTS

ROOT = Path(__file__).resolve().parent.parent


def table(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "".join(
        f"| {' | '.join(str(cell).replace('|', r'&#124;') for cell in line)} |\n" for line in lines
    )


def record(name: str) -> dict[str, dict[str, Any]]:
    """Return the rows that a bench has written to ``docs/NAME.json``, by id; none if there is no such file."""
    path = ROOT / "docs" / f"{name}.json"
    if not path.exists():
        return {}
    return {row["id"]: row for row in json.loads(path.read_text(encoding="utf-8"))["rows"]}


def code(text: str) -> str:
    """Return a piece of a source as it fits into a cell: in one line, and nothing of it is taken for Markdown."""
    letters = [one if one.isalnum() or one == " " else f"&#{ord(one)};" for one in " ".join(text.split())]
    return f"<code>{''.join(letters)}</code>"


# --- mutants -----------------------------------------------------------------------------------------


def mutants() -> str:
    """Return the page of the mutation score."""
    rows = record("mutants")
    page = (ROOT / "docs" / "mutants.md.in").read_text(encoding="utf-8")
    figures = table(
        ("sampled", "killed", "hang", "harmless", "survived", "score"),
        [
            [
                *(
                    rows[f"mutants/{name}"]["value"]
                    for name in ("sampled", "killed", "hang", "harmless", "survived")
                ),
                f"**{rows['mutants/score']['value']} %**",
            ]
        ],
    )
    subjects = table(
        ("component", "configuration", "sampled", "killed", "hang", "harmless", "survived"),
        (
            (
                f"`{one['component']}`",
                one["case"],
                *(one[k] or "" for k in ("sampled", "killed", "hang", "harmless", "survived")),
            )
            for one in rows["mutants/sampled"]["subjects"]
        ),
    )
    survivors = table(
        (
            "component",
            "configuration",
            "where",
            "cell",
            "port",
            "fault",
            "the solver says",
            "why it is none, or not noticed",
        ),
        (
            (
                f"`{one['component']}`",
                one["case"],
                code(one["wire"]),
                code(one["cell"]),
                one["port"],
                one["mode"],
                one["why"],
                reason_of(one),
            )
            for one in rows["mutants/survived"]["survivors"]
        ),
    )
    ran = [(one["component"], one["case"]) for one in rows["mutants/sampled"]["subjects"]]
    waiting = [one for one in SUBJECTS if (one.component, one.case) not in ran]
    names = ", ".join(f"`{one.component}` {one.case} ({one.count})" for one in waiting)
    pending = f"In the table of the sample, and not carried out yet: {names}.\n" if waiting else ""
    others = ", ".join(f"`{name}` ({why})" for name, why in OTHERS.items())
    for mark, text in (
        ("FIGURES", figures),
        ("TABLE", subjects),
        ("SURVIVORS", survivors),
        ("OTHERS", others),
        ("PENDING", pending),
    ):
        page = page.replace(f"@{mark}@", text)
    return page


# --- coverage ----------------------------------------------------------------------------------------


def coverage() -> str:
    """Return the page of what the benches cover."""
    rows = record("coverage")
    page = (ROOT / "docs" / "coverage.md.in").read_text(encoding="utf-8")
    kinds = {kind: rows[f"coverage/{kind}"] for kind in ("line", "toggle")}
    corners = rows["coverage/points"]
    figures = table(
        ("", "points", "reached", "share", "asked"),
        (
            (kind, f"{row['points']:,}", f"{row['reached']:,}", f"**{row['value']} %**", f"{row['target']} %")
            for kind, row in (*kinds.items(), ("functional points", corners))
        ),
    )
    lines, toggles = (row["components"] for row in kinds.values())
    shares = table(
        ("component", "configurations", "lines", "reached, %", "toggles", "reached, %", "functional points"),
        (
            (
                f"`{line['component']}`",
                ", ".join(line["cases"]),
                line["points"],
                line["share"],
                toggle["points"],
                toggle["share"],
                f"{corner['reached']} of {corner['points']}",
            )
            for line, toggle, corner in zip(lines, toggles, corners["components"], strict=True)
        ),
    )
    missed = table(
        ("component", "point", "reason"),
        (
            *(
                (f"`{one['component']}`", hole["what"], "open: the bench does not come there")
                for one in corners["components"]
                for hole in one["largest"]
            ),
            *(
                (f"`{one['component']}`", what, f"cannot be: {why}")
                for one in corners["components"]
                for what, why in one["waived"].items()
            ),
        ),
    )
    gaps = table(
        ("component", "kind", "where", "what", "points"),
        (
            (f"`{one['component']}`", kind, hole["place"], code(hole["what"]), hole["points"])
            for kind, row in kinds.items()
            for one in row["components"]
            for hole in one["largest"][: SHOWN_HOLES[kind]]
        ),
    )
    counted = {(one["component"], case) for one in lines for case in one["cases"]}
    waiting = [(name, case) for name, cases in CONFIGURATIONS.items() for case in cases]
    names = ", ".join(f"`{name}` {case}" for name, case in waiting if (name, case) not in counted)
    pending = f"- **Not counted yet**, though in that table: {names}." if names else ""
    reasons = table(("kind of hole", "reason"), HOLE_REASONS)
    for mark, text in (
        ("FIGURES", figures),
        ("TABLE", shares),
        ("HOLES", gaps),
        ("MISSED", missed),
        ("PYTHON", _python()),
        ("REASONS", f"\n\n{reasons}"),
        ("PENDING", pending),
    ):
        page = page.replace(f"@{mark}@", text)
    return page


def _python() -> str:
    """Return what ``make coverage`` has counted of the Python."""
    path = ROOT / "docs" / "python-coverage.json"
    if not path.exists():
        return "Nobody has counted it with the whole of the tests yet.\n"
    found = json.loads(path.read_text(encoding="utf-8"))
    packages = table(
        ("folder", "lines", "reached", "share"),
        (
            (
                f"`{name}`" if "/" not in name and " " not in name else name,
                f"{one['lines']:,}",
                f"{one['reached']:,}",
                f"{100 * one['reached'] / one['lines']:.1f} %",
            )
            for name, one in found["packages"].items()
        ),
    )
    gaps = table(
        ("file", "lines that nothing reaches"),
        ((f"`{one['file']}`", one["lines"]) for one in found["largest"]),
    )
    return (
        f"**{found['share']} %** of the lines, without those that numba compiles, of which `coverage` sees nothing. "
        f"They are compared with the reference.\n\n{packages}\n{gaps}"
    )


SHOWN_HOLES = {"line": 8, "toggle": 6}
"""Holes of a component on the page; the record has more."""

HOLE_REASONS = (
    (
        "upper bits of a counter, an address or a setting",
        "the configuration is small, and never counts so far",
    ),
    ("bits of a port that a parent ties to a constant", "settings that the network fixes"),
    ("branches of an access in a layer or an array", "reads and writes of weights have benches of their own"),
)
"""What the holes have in common."""


# --- the status of each component --------------------------------------------------------------------


def scores() -> dict[str, str]:
    """Return the mutation score of each component that is sampled."""
    rows = record("mutants")
    totals: dict[str, list[int]] = {}
    for one in rows["mutants/sampled"]["subjects"] if rows else ():
        total = totals.setdefault(one["component"], [0, 0])
        total[0] += one["sampled"] - one["survived"]
        total[1] += one["sampled"]
    return {name: f"{good} of {all_of}" for name, (good, all_of) in totals.items()}


def total_score() -> str:
    """Return the score of the whole sample."""
    rows = record("mutants")
    return f"{rows['mutants/score']['value']} % of {rows['mutants/sampled']['value']}" if rows else ""


def total_share() -> str:
    """Return the shares of all components together, and of how many."""
    rows = record("coverage")
    if not rows:
        return ""
    of = len(rows["coverage/line"]["components"])
    return " / ".join(str(rows[f"coverage/{kind}"]["value"]) for kind in ("line", "toggle")) + f" of {of}"


def shares() -> dict[str, str]:
    """Return the shares of lines and of toggles that the benches of a component reach."""
    rows = record("coverage")
    if not rows:
        return {}
    lines, toggles = (rows[f"coverage/{kind}"]["components"] for kind in ("line", "toggle"))
    return {
        line["component"]: f"{line['share']} / {toggle['share']}"
        for line, toggle in zip(lines, toggles, strict=True)
    }


def proved() -> dict[str, str]:
    """Return how each component is proved that is."""
    found: dict[str, list[str]] = {}
    for proof in PROOFS:
        found.setdefault(proof.component, []).append(proof.how)
    return {name: "; ".join(dict.fromkeys(how)) for name, how in found.items()}


def read_back() -> str:
    """Return the table of what was read back from bitstreams and run on routed netlists, if it was."""
    rows = record("read-back")
    if not rows:
        return "Nothing has been read back from a bitstream yet.\n"
    return table(
        ("what", "value", "unit"),
        ((f"`{name}`", row["value"], row.get("unit", "")) for name, row in rows.items()),
    )


def service() -> str:
    """Return the table of what happened to boards that learned, and what came of it."""
    found: dict[str, dict[str, Any]] = {}
    for row_id, row in record("service").items():
        _, name, quantity = row_id.split("/")
        found.setdefault(name, {"facts": row})[quantity] = row["value"]
    return table(
        (
            "preset and fault",
            "times",
            "differing integers",
            "brought back",
            "samples learned",
            "learned again",
        ),
        (
            (
                f"`{name}`",
                one["faults"],
                one["differing-integers"],
                one["resumed"],
                f"{one['facts']['samples']:,}",
                f"{one['facts']['samples_done_again']:,}",
            )
            for name, one in found.items()
        ),
    )


def equivalence() -> str:
    """Return the table of netlists that are proved to do what their sources do."""
    rows = record("equivalence")
    if not rows:
        return "Not all of them have been carried out yet; `erbium bench equivalence` does.\n"
    families = [name.split("/")[1] for name in rows if name.endswith("/components")]
    proved = {
        family: {one["component"]: one for one in rows[f"equivalence/{family}/components"]["netlists"]}
        for family in families
    }
    names = list(dict.fromkeys(name for one in proved.values() for name in one))
    return table(
        ("component", "configuration", *(f"bits proved equal, {family}" for family in families)),
        (
            (
                f"`{name}`",
                next(one[name]["case"] for one in proved.values() if name in one),
                *(f"{one[name]['points']:,}" if name in one else "" for one in proved.values()),
            )
            for name in names
        ),
    )


def not_equivalent() -> str:
    """Return the components whose netlists are not proved, by family."""
    return "; ".join(
        f"for {family} {', '.join(f'`{name}`' for name in sorted(names))}" for family, names in OPEN.items()
    )


def history() -> str:
    """Return the table of the faults that the hardware had, and how each was found."""
    faults = json.loads((ROOT / "docs" / "history.json").read_text(encoding="utf-8"))
    return table(
        ("component", "fault", "found by", "commit"),
        ((f"`{one['component']}`", one["fault"], one["found"], f"`{one['commit']}`") for one in faults),
    )
