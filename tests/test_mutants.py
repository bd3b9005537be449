# SPDX-License-Identifier: BSD-2-Clause
"""Mutants: what a bench notices is killed, what changes nothing is proved harmless, and nothing else is called so."""

import json
from pathlib import Path

import pytest

from erbium import bench
from erbium.verif.mutants import campaign, harmless
from erbium.verif.mutants.aig import Circuit, Graph, read
from erbium.verif.mutants.campaign import Verdict
from erbium.verif.mutants.harmless import Prover
from erbium.verif.mutants.netlist import Mutant
from erbium.verif.mutants.reasons import reason_of
from erbium.verif.mutants.table import OTHERS, QUICK, SUBJECTS
from erbium.verif.registry import REGISTRY
from erbium.verif.simulators import ToolError

ROOT = Path(__file__).parent.parent


def circuit(*, result=None):
    """A valid bit that follows an input, a value that follows another one; the value is offered while it is valid.

    Mutant 1 inverts the value as it comes in, 2 does so while it is not valid, 3 inverts a register that nobody reads.
    """
    # Nodes: mutant[0] 1, mutant[1] 2, valid_i 3, value_i 4; registers valid 5, value 6, unread 7; gates from 8 on.
    m0, m1, valid_i, value_i, valid, value, _ = range(2, 16, 2)
    gates = [(m1 ^ 1, m0), (m1, m0 ^ 1), (m1, m0)]
    one, two, three = 16, 18, 20
    gates += [(two, valid_i ^ 1), (one ^ 1, 22 ^ 1)]
    flips = 24 ^ 1
    gates += [(flips, value_i ^ 1), (flips ^ 1, value_i), (26 ^ 1, 28 ^ 1)]
    gates += [(three, value_i ^ 1), (three ^ 1, value_i), (32 ^ 1, 34 ^ 1)]
    outputs = ("token_o_valid", "token_o_payload")
    return Circuit(
        ("mutant[0]", "mutant[1]", "valid_i", "value_i"),
        outputs,
        ("valid", "value[0]", "unread[0]"),
        (valid_i, 30 ^ 1, 36 ^ 1),
        result or (valid, value),
        tuple(gates),
    )


def test_what_nobody_can_notice_is_harmless_and_nothing_else():
    prover = Prover(circuit(), {})
    assert prover.ask(1) == harmless.Answer(False, "token_o_payload may differ")
    assert prover.ask(2).harmless
    assert prover.ask(3).harmless


def test_a_payload_counts_while_it_is_valid_and_an_output_always():
    seen = circuit(result=(10, 12))
    bare = Circuit(seen.inputs, ("valid", "value"), seen.registers, seen.latches, seen.results, seen.gates)
    assert Prover(bare, {}).ask(2) == harmless.Answer(False, "value may differ")


def test_a_tap_counts_while_it_fires():
    seen = circuit()
    tapped = Circuit(
        seen.inputs, ("tap_fires", "tap_value[0]"), seen.registers, seen.latches, seen.results, seen.gates
    )
    assert Prover(tapped, {"tap_value": 0}).ask(2).harmless
    assert not Prover(tapped, {"tap_value": 0}).ask(1).harmless


def test_a_graph_holds_no_gate_twice():
    graph = Graph(lambda clause: None)
    a, b = graph.free(), graph.free()
    assert graph.join(a, b) == graph.join(b, a)
    assert graph.join(a, a) == a
    assert graph.join(a, a ^ 1) == graph.join(a, 0) == 0
    assert graph.join(a, 1) == a
    assert graph.differ(a, a) == 0
    assert graph.differ(a, a ^ 1) == 1


def test_a_file_of_gates_is_read(tmp_path):
    path = tmp_path / "a.aig"
    # One input, one register that takes what both are, one output that is not the register.
    path.write_bytes(b"aig 3 1 1 1 1\n6\n5\n\x02\x02i0 x[3]\nl0 r\no0 y\nc\n")
    found = read(path)
    assert found == Circuit(("x[3]",), ("y",), ("r",), (6,), (5,), ((4, 2),))
    path.write_bytes(b"aig 1 0 1 0 0\n0 1\n")
    with pytest.raises(ValueError, match="registers that do not start with 0"):
        read(path)


@pytest.mark.verilator
@pytest.mark.slow
def test_the_short_form_kills_and_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    out = tmp_path / "a.json"
    found = bench.run("mutants", quick=True, jobs=1, json_file=out, keep=tmp_path / "kept")
    rows = {row.id: row for row in found.rows}
    total = sum(one.count for one in QUICK)
    assert rows["mutants/sampled"].value == total
    assert rows["mutants/killed"].value >= total - 4
    listed = json.loads(out.read_text())["rows"][0]["subjects"]
    assert [(one["component"], one["case"], one["sampled"]) for one in listed] == [
        (one.component, one.case, one.count) for one in QUICK
    ]
    # As if it had been stopped in the middle of a line.
    (results,) = (tmp_path / "kept").glob("Crc-*/results.jsonl")
    lines = results.read_text().splitlines()
    results.write_text("\n".join([*lines[:-1], lines[-1][:20]]))
    again = []

    def noted(run, **_):
        again.append(json.loads(Path(run.variables["ERBIUM_MUTANTS"]).read_text())["numbers"])
        results.write_text("\n".join([*lines, ""]))

    monkeypatch.setattr(campaign, "run_bench", noted)
    assert bench.run("mutants", quick=True, jobs=1, keep=tmp_path / "kept").rows == found.rows
    assert again == [[json.loads(lines[-1])["number"]]]


@pytest.mark.verilator
@pytest.mark.slow
def test_nothing_that_a_bench_kills_is_proved_harmless(tmp_path):
    (subject,) = [one for one in QUICK if one.component == "Crc"]
    made = campaign.plant(subject, 1, tmp_path)
    tests = campaign.simulate(subject, made, lambda _: None)
    killed = [number for number, (test, _) in tests.items() if test]
    assert len(killed) >= 5
    assert not [number for number, answer in campaign.prove(subject, made, killed).items() if answer.harmless]


def test_a_hang_is_named():
    mutant = Mutant(1, "", "$and", "a[0]", "Y[0]", "inv", "")
    assert Verdict(mutant, "hang").kind == "hang"
    assert Verdict(mutant, "samples").kind == Verdict(mutant, "crash").kind == "killed"
    assert Verdict(mutant, "", harmless=True).kind == "harmless"
    assert Verdict(mutant, "").kind == "survived"


def test_a_solver_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(harmless, "not_installed", lambda name: [name])
    with pytest.raises(ToolError, match=r"PySAT was not found; get it with 'pip install .*python-sat"):
        harmless.check_solver()


def test_every_component_is_sampled_or_named():
    sampled = {one.component for one in SUBJECTS}
    assert sampled | set(OTHERS) == set(REGISTRY)
    assert not sampled & set(OTHERS)
    for one in (*SUBJECTS, *QUICK):
        assert REGISTRY[one.component].case(one.case)
    assert sum(one.count for one in SUBJECTS) >= 1000
    assert any(one.component == "ErbiumArray" and "first-spike" in one.case for one in SUBJECTS)


def test_the_page_is_of_these_mutants_and_every_survivor_has_a_reason():
    rows = {row["id"]: row for row in json.loads((ROOT / "docs" / "mutants.json").read_text())["rows"]}
    listed = [(one["component"], one["case"], one["sampled"]) for one in rows["mutants/sampled"]["subjects"]]
    whole = [(one.component, one.case, one.count) for one in SUBJECTS]
    # What has not been carried out yet is named on the page.
    assert listed == [one for one in whole if one in listed], (
        "carry them out: erbium bench mutants --keep FOLDER --json docs/mutants.json --overwrite"
    )
    assert sum(count for _, _, count in listed) == rows["mutants/sampled"]["value"]
    survivors = rows["mutants/survived"]["survivors"]
    assert len(survivors) == rows["mutants/survived"]["value"]
    assert all(reason_of(one) for one in survivors)
