# SPDX-License-Identifier: BSD-2-Clause
"""Coverage of the generated Verilog: counted by Verilator, added up by names, holes gathered."""

import json
from pathlib import Path

import pytest

from erbium import bench
from erbium.bench import coverage as coverage_bench
from erbium.verif.coverage import CONFIGURATIONS, QUICK, Coverage, Hole, Point, covered, holes, read, share
from erbium.verif.registry import REGISTRY

ROOT = Path(__file__).parent.parent


def line(count, **fields):
    said = "".join(f"\x01{key}\x02{value}" for key, value in fields.items())
    return f"C '{said}' {count}\n"


def counted(tmp_path, *lines):
    path = tmp_path / "coverage.dat"
    path.write_text("# SystemC::Coverage-3\n" + "".join(lines))
    return read(path, "module a;\n  if (go) begin\n")


def test_points_are_read_and_configurations_added_up(tmp_path):
    place = {"f": "a.v", "n": 3, "page": "v", "h": "bench_top.part"}
    first = counted(
        tmp_path,
        line(0, t="branch", l=2, o="if", **place),
        line(7, t="branch", l=2, o="else", **place),
        line(0, t="toggle", l=1, o="count[3]:0->1", **place),
        line(0, t="toggle", l=1, o="count[2]:0->1", **place),
        line(0, t="toggle", l=1, o="store[17][2]:0->1", **place),
        line(0, t="toggle", l=1, o="unused:0->1", **place),
        line(1, t="toggle", l=1, o="clk:0->1", **place),
    )
    assert first.lines == {
        Point("part", "if (go) begin", "if"): False,
        Point("part", "if (go) begin", "else"): True,
    }
    assert first.toggles == {Point("part", f"count[{k}]", "0->1"): False for k in (2, 3)}
    assert holes(first.lines) == [Hole("part", "if (go) begin", 1)]
    assert holes(first.toggles) == [Hole("part", "count[3:2]", 2)]
    assert share(first.lines) == 50.0
    first.add(counted(tmp_path, line(1, t="branch", l=2, o="if", **place)))
    assert share(first.lines) == 100.0
    assert not holes(first.lines)


@pytest.mark.verilator
@pytest.mark.slow
def test_a_bench_covers_its_component():
    entry = REGISTRY["Crc"]
    found = covered(entry, entry.case("crc"))
    assert share(found.lines) == share(found.toggles) == 100.0
    assert len(found.toggles) > 100


def test_the_bench_adds_up_and_keeps(tmp_path, monkeypatch):
    ran = []

    def pretended(entry, case, seed):
        ran.append((entry.name, case.name))
        return Coverage({Point("", "a", "if"): True}, {Point("", "b", "0->1"): entry.name == "Crc"})

    monkeypatch.setattr(coverage_bench, "covered", pretended)
    for _ in range(2):
        found = bench.run("coverage", quick=True, jobs=1, keep=tmp_path, json_file=tmp_path / "a.json")
        assert {row.id: row.value for row in found.rows} == {"coverage/line": 100.0, "coverage/toggle": 50.0}
    assert ran == [(name, case) for name, cases in QUICK.items() for case in cases]
    listed = json.loads((tmp_path / "a.json").read_text())["rows"][1]["components"]
    assert [one["holes"] for one in listed] == [0, 1]
    assert listed[1]["largest"] == [{"place": "", "what": "b", "points": 1}]


def test_the_page_is_of_these_configurations():
    rows = {row["id"]: row for row in json.loads((ROOT / "docs" / "coverage.json").read_text())["rows"]}
    for kind in ("line", "toggle"):
        # What has not been counted yet is named on the page.
        for one in rows[f"coverage/{kind}"]["components"]:
            assert set(one["cases"]) <= set(CONFIGURATIONS[one["component"]]), (
                "erbium bench coverage --keep FOLDER --json docs/coverage.json --overwrite"
            )


def test_the_configurations_are_there():
    for name, cases in (*CONFIGURATIONS.items(), *QUICK.items()):
        assert all(REGISTRY[name].case(case) for case in cases)
