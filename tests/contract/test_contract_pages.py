# SPDX-License-Identifier: BSD-2-Clause
"""The numbers of docs/constants.md are those of its simulator and of the model; docs/description.md is complete."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from erbium.gen.presets import PRESETS, preset
from erbium.hdl.registers import counter_names
from erbium.sw_model import constants, rng
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.network import Network

from . import hashed, pages, simulator, streams

VECTORS = pages.table("constants", "vectors")
RUNS = pages.table("constants", "runs")


def of_the_pages() -> dict[str, Any]:
    """Return what the table of vectors calls, as the simulator of the pages has it."""
    names = ("hash64", "salt", "sample_seed", "initial_weight", "feedback", "mixing", "shift")
    return {name: getattr(hashed, name) for name in names} | {"draws": streams.draws}


def of_the_model() -> dict[str, Any]:
    """Return what the table of vectors calls, as the model has it."""

    def initial_weight(seed, layer, neurons, bound, width, first_spike, row, neuron):
        base = preset("first-spike-tiny" if first_spike else "tiny").network
        described = json.loads(base.to_json())
        del described["digest"]
        here = dict(described["layers"][0], n_neurons=neurons, weight_bound=bound, weight_width=width)
        after = described["layers"][1]
        described |= {"seed": seed, "n_inputs": row + 1, "layers": [here] * layer + [here, after]}
        network = Network.from_json(json.dumps(described))
        return int(network.initial_weights()[layer][row, neuron])

    def feedback(kind, seed, layer, neuron, classes):
        make = {"sign": constants.sign_feedback, "wide": constants.wide_feedback}[kind]
        return make(seed, layer, neuron + 1, classes)[neuron].tolist()

    def draws(seed, salt, count):
        generator = rng.Generator(salt)
        generator.seed(seed)
        return [generator.draw() for _ in range(count)]

    return {
        "hash64": lambda *words: int(constants.hash64(*words)),
        "salt": constants.salt,
        "sample_seed": lambda seed, learn, n: int(constants.sample_seeds(seed, bool(learn), n, 1)[0]),
        "initial_weight": initial_weight,
        "feedback": feedback,
        "mixing": constants.neuron_constant,
        "shift": lambda seed, n, m: tuple(int(d[0]) for d in constants.image_shifts(seed, n, 1, m)),
        "draws": draws,
    }


def test_the_page_has_vectors_of_everything() -> None:
    assert len(VECTORS) >= 30
    assert {re.sub(r"\(.*", "", call) for call, _ in VECTORS} == set(of_the_pages())
    assert {name for name, *_ in RUNS} == {"tiny", "erbp-digits", "first-spike-tiny", "first-spike-digits"}


@pytest.mark.parametrize("where", [of_the_pages, of_the_model], ids=["pages", "model"])
@pytest.mark.parametrize(("call", "value"), VECTORS, ids=[call for call, _ in VECTORS])
def test_a_vector(call: str, value: str, where: Any) -> None:
    assert eval(call, where()) == ast.literal_eval(value)


def test_the_hash_of_the_page_is_the_hash() -> None:
    hash64: Any = pages.names("constants")["hash64"]
    for words in ((), (0,), (1, 2, 3), (-1,), (2**64 + 5, 7)):
        assert hash64(*words) == hashed.hash64(*words) == int(constants.hash64(*words))


@pytest.mark.parametrize(
    ("name", "count", "answers", "ticks", "crc", "counters"), RUNS, ids=[run[0] for run in RUNS]
)
def test_a_whole_run(name: str, count: str, answers: str, ticks: str, crc: str, counters: str) -> None:
    """What the table says is what both simulators come to."""
    network = preset(name).network
    array, model = simulator.Simulator(network.to_json()), ArrayModel(network)
    images = [hashed.image(n, network.n_inputs) for n in range(int(count))]
    for n, image in enumerate(images):
        label = n % network.n_classes
        array.learn(image, label, n)
        seed = hashed.sample_seed(network.seed, 1, n)
        model.sample(np.array(image, dtype=np.uint8), seed=seed, label=label)
    outcomes = [array.infer(image, n) for n, image in enumerate(images)]
    seeds = np.array([hashed.sample_seed(network.seed, 0, n) for n in range(int(count))])
    results = model.run(np.array(images, dtype=np.uint8), seeds)
    assert [outcome.answer for outcome in outcomes] == results.answers.tolist() == numbers(answers)
    assert [outcome.ticks for outcome in outcomes] == results.ticks.tolist() == numbers(ticks)
    assert list(array.counters().values()) == list(model.counters().values()) == numbers(counters)
    assert list(array.counters()) == counter_names(network)
    assert array.weights_crc() == int(crc, 16)
    assert [rows.tolist() for rows in model.weights] == array.weights


def numbers(cell: str) -> list[int]:
    return [int(word) for word in cell.split()]


# --- The description --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_the_digest_is_made_as_the_page_says(name: str) -> None:
    network = PRESETS[name].network
    described = json.loads(network.to_json())
    digest: Any = pages.names("description")["digest"]
    assert digest(described) == simulator.digest(described) == network.digest
    (named,) = re.findall(r"`tiny` has the digest `([0-9a-f]{16})`", pages.page("description"))
    assert named == preset("tiny").network.digest


def keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for inner in value.values() for key in keys(inner)}
    return {key for inner in value for key in keys(inner)} if isinstance(value, list) else set()


def test_the_page_names_every_field() -> None:
    text = pages.page("description")
    for name, found in PRESETS.items():
        for key in keys(json.loads(found.network.to_json())):
            assert re.search(rf'["`]{key}["`]', text), (
                f"field {key!r} of {name} is not in docs/description.md"
            )


def test_what_is_no_description_is_refused() -> None:
    text = preset("tiny").network.to_json()
    with pytest.raises(simulator.DescriptionError, match="digest is 2e1b37e7b70e8d11; the content has"):
        simulator.read(text.replace('"threshold": 256', '"threshold": 255'))
    with pytest.raises(simulator.DescriptionError, match="format and version are"):
        simulator.read(text.replace('"version": 1', '"version": 0'))
    with pytest.raises(ValueError, match="feedback is 'odd'"):
        hashed.feedback("odd", 1, 0, 0, 4)


# --- Honesty ----------------------------------------------------------------------------------------------

SIMULATOR = ("__init__", "hashed", "streams", "population", "erbp", "first_spike", "simulator")


@pytest.mark.parametrize("name", SIMULATOR)
def test_the_simulator_knows_nothing_of_the_model(name: str) -> None:
    """It imports the standard library and itself."""
    tree = ast.parse((Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8"))
    own = {None, *SIMULATOR}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            assert all(alias.name in sys.stdlib_module_names for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            assert node.level == 1
            assert node.module in own
            assert node.module or all(alias.name in own for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".", maxsplit=1)[0] in sys.stdlib_module_names - {"importlib"}
        elif isinstance(node, ast.Name):
            assert node.id not in ("__import__", "exec", "eval")


def test_every_file_of_the_simulator_is_looked_at() -> None:
    files = {path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("test_")}
    assert files == {*SIMULATOR, "pages"}
