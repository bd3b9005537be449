# SPDX-License-Identifier: BSD-2-Clause
"""Mutants: what a bench notices is killed, what changes nothing is proved harmless, and nothing else is called so."""

import json
from pathlib import Path

import numpy as np
import pytest

from erbium import bench
from erbium.hdl.neuron_unit import state_range
from erbium.hdl.tokens import Begin, FeedbackToken, SweepToken
from erbium.sw_model.neuron import Population
from erbium.verif.mutants import campaign, contract, harmless
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


def test_bits_that_a_kind_of_token_does_not_carry_are_no_output():
    # Nodes: mutant 1, valid_i 2, kind_i 3 and 4; a token whose third bit is the mutant's, valid as it comes in.
    names = ("token_o_payload[0]", "token_o_payload[1]", "token_o_payload[2]", "token_o_valid")
    shown = Circuit(("mutant[0]", "valid_i", "kind_i[0]", "kind_i[1]"), names, (), (), (6, 8, 2, 4), ())
    every, spike = frozenset(range(4)), frozenset({1})
    assert not Prover(shown, {}).ask(1).harmless
    assert not Prover(shown, {}, {"token_o_payload": [every, every, spike]}).ask(1).harmless
    assert Prover(shown, {}, {"token_o_payload": [every, every, frozenset()]}).ask(1).harmless
    tick = Circuit(shown.inputs, names, (), (), (0, 1, 2, 4), ())
    assert Prover(tick, {}, {"token_o_payload": [every, every, spike]}).ask(1).harmless


def test_what_the_tokens_carry_is_what_their_layouts_say():
    feedback = contract.carried(FeedbackToken(6))
    assert feedback == [frozenset(range(4))] * 2 + [frozenset({1, 2, 3})] + [frozenset({1})] * 2
    sweep = contract.carried(SweepToken(2, True, 5)) or []
    assert sweep[2:43] == [frozenset({0, 1})] * 41
    assert sweep[43:] == [frozenset({1})] * 34
    assert contract.carried(Begin()) is None


@pytest.mark.parametrize("name", ["random-1", "erbp-output-options", "mihalas-niebur-currents"])
def test_what_a_sweep_leaves_is_within_the_bounds_that_are_assumed_of_what_is_stored(name):
    program = REGISTRY["NeuronUnit"].case(name).options["program"]
    draw = np.random.default_rng(1)
    population = Population(program, 200)
    for tick in range(100):
        population.u[:] = draw.integers(-32768, 32768, population.u.shape)
        population.sweep(tick, draw.integers(-510, 511, 200), np.zeros(200, dtype=bool))
        for state in range(program.n_states):
            low, high = state_range(program, state)
            assert low <= population.x[state].min()
            assert population.x[state].max() <= high
        assert population.refractory.min() >= 0
        assert population.refractory.max() <= program.refractory


def bounded(*, shows):
    """A number of two bits that comes in while it is valid, and is shown a clock later; the mutant shows 3 as 2."""
    # Nodes: mutant 1, valid 2, number 3 and 4; registers valid 5, number 6 and 7; gates from 8 on: hold or load.
    m, valid, x0, x1, was, y0, y1 = range(2, 16, 2)
    gates = [(valid, x0), (valid ^ 1, y0), (16 ^ 1, 18 ^ 1), (valid, x1), (valid ^ 1, y1), (22 ^ 1, 24 ^ 1)]
    gates += [(y0, y1), (m, 28), (y0, 30 ^ 1)]
    return Circuit(
        ("mutant[0]", "valid", "number[0]", "number[1]"),
        ("valid_o", "number_o[0]", "number_o[1]"),
        ("valid_o", "y[0]", "y[1]"),
        (valid, 20 ^ 1, 26 ^ 1),
        (was if shows else 1, 32, y1),
        tuple(gates),
    )


def test_inputs_have_bounds_and_so_has_what_was_filled_from_them():
    legal = [contract.Bound("number", 0, 2, False, 0, 2)]
    assert not Prover(bounded(shows=True), {}).ask(1).harmless
    assert Prover(bounded(shows=True), {}, {}, legal).ask(1).harmless
    assert not Prover(bounded(shows=True), {}, {}, [legal[0]._replace(high=3)]).ask(1).harmless
    signed = [contract.Bound("number", 0, 2, True, -2, -1)]
    assert not Prover(bounded(shows=True), {}, {}, signed).ask(1).harmless
    assert Prover(bounded(shows=True), {}, {}, [signed[0]._replace(high=1, low=0)]).ask(1).harmless


MEMORY = r"""
autoidx 9
module \top
  wire width 2 input 1 \a
  wire width 4 output 2 \q
  memory width 4 size 4 \m
  memory width 4 size 4 \table
  cell $memrd_v2 \read
    parameter \MEMID "\\m"
    parameter \ABITS 2
    parameter \WIDTH 4
    connect \ADDR \a
    connect \DATA \q
    connect \EN 1'1
    connect \ARST 1'0
    connect \SRST 1'0
  end
  cell $memwr_v2 \write
    parameter \MEMID "\\m"
    parameter \ABITS 2
    parameter \WIDTH 4
    connect \ADDR \a
    connect \DATA { \a \a }
    connect \EN 4'1111
  end
  cell $memrd_v2 \look
    parameter \MEMID "\\table"
    parameter \ABITS 2
    parameter \WIDTH 4
  end
end
"""


def test_a_memory_that_is_written_is_taken_out_and_a_table_stays():
    text = harmless.opened(MEMORY)
    for gone in ("\\read\n", "$memwr_v2", " \\m\n"):
        assert gone not in text
    for stays in ("$memrd_v2 \\look", "memory width 4 size 4 \\table"):
        assert stays in text
    assert "wire width 4 input 5 \\opened_reads_0_data\n" in text
    assert "connect \\q \\opened_reads_0_data\n" in text
    assert "wire width 2 output 6 \\opened_writes_1_addr\n" in text
    assert "connect \\opened_writes_1_data { \\a \\a }\n" in text
    with pytest.raises(ValueError, match="read with a reset"):
        harmless.opened(MEMORY.replace("SRST 1'0", "SRST \\rst"))


def test_what_is_asked_of_a_memory_counts_where_it_is_enabled():
    # Nodes: mutant 1, enable 2, address 3, and a gate of the address that the mutant turns where it is not enabled.
    names = ("opened_reads_0_addr", "opened_reads_0_en")
    inputs = ("mutant[0]", "enable", "address")
    assert Prover(Circuit(inputs, names, (), (), (8, 4), ((6, 4),)), {}).ask(1).harmless
    gates = ((2, 5), (8, 6), (8 ^ 1, 6), (2, 4), (14 ^ 1, 6))
    assert Prover(Circuit(inputs, names, (), (), (12, 4), gates), {}).ask(1).harmless
    assert not Prover(Circuit(inputs, names, (), (), (16, 4), gates), {}).ask(1).harmless


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
