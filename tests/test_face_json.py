# SPDX-License-Identifier: BSD-2-Clause
"""What ``--json`` prints: what ``docs/json.md`` says, and nothing else; and tables that do not break what is copied."""

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from erbium import doctor
from erbium.commands import common
from erbium.fpga.boards import BOARDS, board
from erbium.fpga.planner import plan
from erbium.gen.presets import PRESETS
from erbium.sw_model import datasets
from erbium.tables import PlainTable

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "json.md").read_text()


def names_in(command):
    """Return the names that the page gives for a command."""
    (line,) = re.findall(rf"^\| `{re.escape(command)}` \| (.*) \|$", PAGE, re.MULTILINE)
    return set(re.findall(r"`([a-z_]+)`", line))


def keys_of(value):
    """Return all names in an object."""
    if isinstance(value, dict):
        return set(value).union(*map(keys_of, value.values()))
    return set().union(*map(keys_of, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("words", ["presets", "boards", "plan BOARD", "doctor"])
def test_the_page_has_every_name(run, words):
    _, out, _ = run(f"{words.replace('BOARD', 'icebreaker tiny')} --json")
    stated = names_in(f"erbium {words} --json") - {"required", "optional"}
    assert keys_of(json.loads(out)) == stated


def test_presets(run):
    code, out, err = run("presets --json")
    assert (code, err) == (0, "")
    found = {each["name"]: each for each in json.loads(out)["presets"]}
    assert list(found) == list(PRESETS)
    assert found["tiny"]["shape"] == list(PRESETS["tiny"].network.shape)
    assert found["tiny"]["digest"] == PRESETS["tiny"].network.digest


def test_boards(run):
    code, out, err = run("boards --json")
    assert (code, err) == (0, "")
    assert [each["name"] for each in json.loads(out)["boards"]] == list(BOARDS)
    assert json.loads(out)["boards"][0]["clock"] == 80_000_000


def test_plans(run):
    code, out, err = run("plan ulx3s-85f --json")
    assert (code, err) == (0, "")
    plans = {each["network"]: each for each in json.loads(out)["plans"]}
    assert list(plans) == list(PRESETS)
    expected = plan(board("ulx3s-85f"), PRESETS["erbp-digits"].network)
    assert [need["need"] for need in plans["erbp-digits"]["needs"]] == [need.need for need in expected.needs]
    assert [each["takes"] for each in plans["erbp-digits"]["memories"]] == [
        use.count for use in expected.memories
    ]


def test_a_plan_that_does_not_fit_is_json_all_the_same(run):
    code, out, err = run("plan ulx3s-25f erbp-mnist-500 --lanes 16 --json")
    assert code == 2
    assert json.loads(out)["plans"][0]["fits"] is False
    assert err.startswith("erbium: erbp-mnist-500 with 16 lanes needs")
    code, out, err = run("plan ulx4s --json")
    assert (code, out) == (2, "")


@pytest.mark.parametrize("found", [True, False])
def test_doctor(run, monkeypatch, found):
    rows = [doctor.Row("Verilator", "simulates the chip", "required", found, "5.036", "/x", "get it")]
    monkeypatch.setattr(doctor, "report", lambda: rows)
    code, out, err = run("doctor --json")
    assert (code, err) == (int(not found), "")
    assert json.loads(out)["ok"] is found
    assert json.loads(out)["tools"][0]["version"] == "5.036"


def test_a_network_that_is_not_there_is_refused_before_data_is_loaded(run, monkeypatch):
    def load(*arguments, **options):
        pytest.fail("data was loaded")

    monkeypatch.setattr(datasets, "load", load)
    code, _, err = run("train nothing")
    assert code == 2
    assert "there is no preset 'nothing'" in err
    code, _, err = run("train")
    assert code == 2
    assert "name a network to train" in err


@pytest.mark.parametrize(
    "words", ["presets", "boards", "plan ulx3s-85f", "plan ulx3s-85f tiny", "show tiny", "doctor"]
)
def test_the_first_column_of_no_table_breaks_at_80_columns(run, monkeypatch, words):
    shown = []
    monkeypatch.setattr(common, "console", lambda: Console(width=80, highlight=False))
    add_row = PlainTable.add_row

    def note(table, *cells, **options):
        shown.append(str(cells[0]))
        add_row(table, *cells, **options)

    monkeypatch.setattr(PlainTable, "add_row", note)
    _, out, _ = run(words)
    starts = [line.strip() for line in out.splitlines()]
    for cell in shown:
        plain = re.sub(r"\[/?[a-z]*\]", "", cell)
        assert any(start.startswith(plain) for start in starts), cell


def test_a_column_as_wide_as_the_terminal():
    text = io.StringIO()
    table = PlainTable("name", "what it is")
    table.add_row("n" * 60, "word " * 30)
    Console(file=text, width=80).print(table)
    assert "n" * 60 in text.getvalue()


def test_every_table_is_of_that_kind():
    for path in (ROOT / "erbium").rglob("*.py"):
        if path.name != "tables.py":
            assert not re.search(r"(?<!Plain)\bTable\(", path.read_text()), path
