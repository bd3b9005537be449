# SPDX-License-Identifier: BSD-2-Clause
"""Nobody asks which learner a network has, but the files of the learners, their rules, readouts and presets.

What is to be known of a learner is a fact or a hook of its part (`sw_model/rules/base.py`), or stands in a room of its
own that the class of the part finds. A question elsewhere is an arm that the next learner has to be fitted into.
"""

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("erbium", "fpga", "gen", "hdl", "sw_model", "verif")

PARTS = {
    *("ErbpRule", "ThreeFactorRule", "FirstSpikeRule"),
    *("ErrorNeurons", "FirstSpikeErrors"),
    *("SpikeCount", "FirstSpike"),
}
"""Classes of a description that name a learner."""

KINDS = (
    *(
        "ErbpLayer",
        "ErbpPrediction",
        "ErbpLearner",
        "FirstSpikeLayer",
        "FirstSpikePrediction",
        "FirstSpikeLearner",
    ),
    *("ThreeFactorModel", "FirstSpikeModel", "SpikeCountModel", "FirstSpikeReadout"),
    *("ThreeFactorPart", "FirstSpikePart", "FirstSpikeView", "FirstSpikeProbe", "FirstSpikeLearning"),
    *("ErbpFace", "FirstSpikeFace"),
)
"""Classes of the rooms that belong to a learner."""

STEMS = ("erbp", "first-spike", "first_spike")
"""Names of a learner: nothing is to be compared with them."""

NAMES = ("is_first_spike", "is_erbp", "first_spike_errors", "error_neurons")
"""Attributes that would be the question itself."""

OWN = {
    # The description.
    "sw_model/rules/erbp.py",
    "sw_model/rules/first_spike.py",
    # The models.
    "sw_model/erbp.py",
    "sw_model/first_spike.py",
    "sw_model/fast_erbp.py",
    "sw_model/fast_first_spike.py",
    # The hardware.
    "hdl/readout_fit.py",
    "hdl/first_spike_prediction.py",
    "hdl/prediction.py",
    # The benches.
    "verif/benches/first_spike_layer.py",
    "verif/benches/array_learning.py",
    # What people read.
    "erbium/learners/erbp.py",
    "erbium/learners/first_spike.py",
}
"""Files of the learners in which a part looks at what it is."""


def _names(node: ast.expr) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)} | {
        inner.attr for inner in ast.walk(node) if isinstance(inner, ast.Attribute)
    }


def _is_type_of(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "type"


def _compares_learners(sides: list[ast.expr], classes: set[str]) -> bool:
    words = {inner.value for side in sides for inner in ast.walk(side) if isinstance(inner, ast.Constant)}
    kinds = {name for side in sides for name in _names(side)} & classes
    return bool(words & set(STEMS)) or (bool(kinds) and any(map(_is_type_of, sides)))


def questions(source: str) -> list[tuple[int, str]]:
    """Return line and text of each question "which learner?" in a source."""
    classes = PARTS | set(KINDS)
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(attr=name) | ast.Name(id=name):
                asked = name in NAMES
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, kinds]):
                asked = bool(_names(kinds) & classes)
            case ast.MatchClass(cls=kind):
                asked = bool(_names(kind) & classes)
            case ast.Compare(left=left, comparators=others):
                asked = _compares_learners([left, *others], classes)
            case _:
                asked = False
        if asked:
            assert isinstance(node, ast.expr | ast.pattern)
            found.append((node.lineno, ast.unparse(node)))
    return found


@cache
def _sources() -> dict[str, str]:
    paths = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    assert len(paths) > 300
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}


@cache
def _all_questions() -> dict[str, list[tuple[int, str]]]:
    asked = {path: questions(source) for path, source in _sources().items()}
    return {path: found for path, found in asked.items() if found}


def test_nobody_asks_which_learner_it_is() -> None:
    elsewhere = [
        f"{path}:{line}: {text}"
        for path, found in _all_questions().items()
        if path not in OWN
        for line, text in found
    ]
    assert not elsewhere, f"{len(elsewhere)} questions 'which learner?':\n" + "\n".join(elsewhere)


def test_the_search_finds_what_the_learners_ask_of_themselves() -> None:
    counted = Counter({path: len(found) for path, found in _all_questions().items()})
    idle = sorted(path for path in OWN if not counted[path])
    assert not idle, f"nothing is asked in {', '.join(idle)}; take it off the list"


def test_the_classes_that_are_looked_for_are_there() -> None:
    text = "\n".join(_sources().values())
    missing = [name for name in (*PARTS, *KINDS) if not re.search(rf"^class {name}\b", text, re.MULTILINE)]
    assert not missing, f"no class is called {', '.join(missing)}"


@pytest.mark.parametrize(
    "source",
    [
        "if network.is_first_spike: pass",
        "errors = network.error_neurons",
        "isinstance(layer.rule, FirstSpikeRule)",
        "isinstance(layer.rule, (parts.SpikeCount, int))",
        "issubclass(kind, ErrorNeurons)",
        "type(network.error) is ErrorNeurons",
        "type(rule) in (ErbpRule, ThreeFactorRule)",
        "network.error.stem == 'erbp'",
        "kind in ('first-spike', 'other')",
        "match rule:\n    case FirstSpikeRule(step=2): pass",
    ],
)
def test_a_question_is_found(source: str) -> None:
    assert questions(source), source


@pytest.mark.parametrize(
    "source",
    [
        "LEARNERS = {ErrorNeurons: ErbpLearner}",
        "LEARNERS[type(network.error)]",
        "network.error.spikes_once",
        "FirstSpikeRule(step=2)",
        "name = 'erbp'",
    ],
)
def test_a_part_that_is_asked_is_no_question(source: str) -> None:
    assert not questions(source), source
