# SPDX-License-Identifier: BSD-2-Clause
"""Coverage of the generated Verilog: counted by Verilator, added up by names, holes gathered."""

import json
import re
from pathlib import Path

import pytest
from amaranth.hdl import Fragment

from erbium import bench
from erbium.bench import coverage as coverage_bench
from erbium.verif.coverage import CONFIGURATIONS, QUICK, Coverage, Hole, Point, covered, holes, read, share
from erbium.verif.points import CORNERS, WAIVED, Pointed
from erbium.verif.registry import REGISTRY

ROOT = Path(__file__).parent.parent


def line(count, **fields):
    said = "".join(f"\x01{key}\x02{value}" for key, value in fields.items())
    return f"C '{said}' {count}\n"


def counted(tmp_path, *lines):
    path = tmp_path / "coverage.dat"
    path.write_text("# SystemC::Coverage-3\n" + "".join(lines))
    return read(path, "module a;\n  if (go) begin\n", ("address: the first", "address: the last"))


def test_points_are_read_and_configurations_added_up(tmp_path):
    place = {"f": "a.v", "n": 3, "page": "v", "h": "bench_top.inner.part"}
    around = place | {"h": "bench_top"}
    first = counted(
        tmp_path,
        line(0, t="branch", l=2, o="if", **place),
        line(7, t="branch", l=2, o="else", **place),
        line(0, t="toggle", l=1, o="count[3]:0->1", **place),
        line(0, t="toggle", l=1, o="count[2]:0->1", **place),
        line(0, t="toggle", l=1, o="store[17][2]:0->1", **place),
        line(0, t="toggle", l=1, o="unused:0->1", **place),
        line(1, t="toggle", l=1, o="clk:0->1", **place),
        line(1, t="branch", l=2, o="if", **around),
        line(0, t="toggle", l=1, o="points[0]:0->1", **around),
        line(3, t="toggle", l=1, o="points[1]:0->1", **around),
        line(0, t="toggle", l=1, o="points[1]:1->0", **around),
        line(0, t="toggle", l=1, o="rst:0->1", **around),
    )
    assert first.points == {
        Point("", "address: the first", ""): False,
        Point("", "address: the last", ""): True,
    }
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


def test_the_bench_adds_up_and_keeps(tmp_path, monkeypatch):
    ran, reaches = [], False

    def pretended(entry, case, seed):
        ran.append((entry.name, case.name))
        points = {Point("", "c", ""): True, Point("", "result_o: two clocks in a row", ""): reaches}
        return Coverage({Point("", "a", "if"): True}, {Point("", "b", "0->1"): entry.name == "Crc"}, points)

    monkeypatch.setattr(coverage_bench, "covered", pretended)
    for _ in range(2):
        found = bench.run("coverage", quick=True, jobs=1, keep=tmp_path, json_file=tmp_path / "a.json")
        shares = {row.id.partition("/")[2]: row.value for row in found.rows}
        # Of a SampleCount it is waived that results come in two clocks in a row, of a Crc it is not.
        assert shares == {"line": 100.0, "toggle": 50.0, "points": 66.7}
    assert ran == [(name, case) for name, cases in QUICK.items() for case in cases]
    listed = json.loads((tmp_path / "a.json").read_text())["rows"][1]["components"]
    assert [one["holes"] for one in listed] == [0, 1]
    assert listed[1]["largest"] == [{"place": "", "what": "b", "points": 1}]
    corners = json.loads((tmp_path / "a.json").read_text())["rows"][2]["components"][1]
    assert list(corners["waived"]) == ["result_o: two clocks in a row"]
    assert corners["waived_and_reached"] == []
    reaches = True
    found = bench.run("coverage", quick=True, jobs=1, json_file=tmp_path / "b.json")
    corners = json.loads((tmp_path / "b.json").read_text())["rows"][2]["components"][1]
    assert corners["waived"] == {}
    assert corners["waived_and_reached"] == ["result_o: two clocks in a row"]


@pytest.mark.verilator
@pytest.mark.slow
def test_a_bench_covers_its_component_with_a_reset_in_each_state():
    entry = REGISTRY["CobsEncoder"]
    found = covered(entry, entry.case("cobs"))
    assert share(found.lines) == share(found.toggles) == 100.0
    assert len(found.toggles) > 100
    resets = {
        point.what for point, there in found.points.items() if point.what.startswith("reset: ") and there
    }
    assert len(resets) == 5


def test_each_point_is_of_a_component_that_has_it():
    """A waived point that no component has would be a reason for nothing."""
    names = {}
    for name, cases in CONFIGURATIONS.items():
        case = REGISTRY[name].case(cases[0])
        pointed = Pointed(REGISTRY[name].build(case), case.options)
        Fragment.get(pointed, None)
        names[name] = set(pointed.names)
    assert set(CORNERS) <= set(names)
    for component, point, _ in WAIVED:
        fits = [name for name in names if re.fullmatch(component, name)]
        assert any(re.fullmatch(point, one) for name in fits for one in names[name]), (component, point)


def test_the_page_is_of_these_configurations():
    rows = {row["id"]: row for row in json.loads((ROOT / "docs" / "coverage.json").read_text())["rows"]}
    assert not any(one["waived_and_reached"] for one in rows["coverage/points"]["components"])
    for kind in ("line", "toggle", "points"):
        # What has not been counted yet is named on the page.
        for one in rows[f"coverage/{kind}"]["components"]:
            assert set(one["cases"]) <= set(CONFIGURATIONS[one["component"]]), (
                "erbium bench coverage --keep FOLDER --json docs/coverage.json --overwrite"
            )


def test_the_configurations_are_there():
    for name, cases in (*CONFIGURATIONS.items(), *QUICK.items()):
        assert all(REGISTRY[name].case(case) for case in cases)
