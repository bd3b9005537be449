# SPDX-License-Identifier: BSD-2-Clause
"""The bench of the papers: what is measured, what stands beside it, and that an interruption costs nothing."""

import json
import os
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from erbium.bench import papers
from erbium.bench.papers import ann, errors, learning_speed, plan, runs
from erbium.bench.papers.published import FIRST_DECISION_OPERATIONS, TEST_ERRORS
from erbium.bench.request import Request
from erbium.bench.work import Task
from erbium.gen.presets import Recipe, preset
from erbium.report.parts import STYLE_SHEET
from erbium.sw_model import constants
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.datasets.sources import load_digits, load_tiny_digits

CI = os.environ.get("CI", "").lower() in ("true", "1")

ordinary = pytest.mark.skipif(
    not ann.is_there() and not CI, reason="PyTorch was not found; get it with 'pip install torch'"
)
"""Tests of the ordinary networks; CI has PyTorch, or they fail."""

COMMAND = "bench papers --quick --data digits --jobs 1"


@pytest.fixture
def short(monkeypatch):
    """Make the quick form shorter still."""
    monkeypatch.setattr(plan, "QUICK", plan.Effort((1, 2), 1, 2, 1, (4, 8), 100))
    monkeypatch.setattr(errors, "NETWORKS", ((200,), (20, 20)))


def sentence(text):
    *_, line = text.strip().splitlines()
    assert line.startswith("erbium: ")
    assert "bug" not in line
    return line


@pytest.mark.slow
@ordinary
def test_every_table_and_figure_is_made(run, tmp_path, short):
    code, out, err = run(f"{COMMAND} --json a.json --report a.html --pictures pictures --keep kept")
    assert code == 0
    rows = json.loads((tmp_path / "a.json").read_text())["rows"]
    ids = [row["id"] for row in rows]
    assert len(set(ids)) == len(ids)
    for part in papers.PARTS:
        assert part.title in out
    for row in rows:
        assert row["id"] in out
        assert row["command"].startswith(f"erbium bench papers --only {row['id']} --quick --data digits")
        assert row["seeds"] == [1, 2]
        assert row["value"] == pytest.approx(np.mean(row["values"]), abs=1e-3)
        assert row["spread"] == pytest.approx(max(row["values"]) - min(row["values"]), abs=1e-3)
        # These are not the data of the sources, and no whole run.
        assert (row["published"], row["target"]) == (None, None)
    by_id = {row["id"]: row for row in rows}
    # Tables that mean the same run share it.
    network, eight = by_id["papers/64-200-10/erbp"], by_id["papers/weights/8-bits"]
    assert network["values"] == eight["values"]
    last = by_id["papers/decision/ticks-32"]
    assert last["values"] == by_id["papers/64-200-10/erbp-shift"]["values"]
    energy = by_id["papers/energy/erbp-whole-presentation"]
    assert energy["value"] == pytest.approx(last["point"]["operations"] * 23.6 / 1000, rel=1e-4)
    assert energy["estimate"] is True
    assert "estimate" in energy["unit"]

    text = (tmp_path / "a.html").read_text()
    for part in papers.PARTS:
        assert part.title.split(",")[0] in text
        picture = ET.parse(tmp_path / "pictures" / f"papers-{part.key}.svg").getroot()
        assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    # Every colour that a picture asks for is in it, for light and for dark.
    picture = (tmp_path / "pictures/papers-errors.svg").read_text()
    assert picture.count("--hidden: #") == 2

    # Again, from what was kept: nothing is trained, and the outcome is the same.
    n_runs = len(list((tmp_path / "kept").iterdir()))
    code, _, err = run(f"{COMMAND} --json b.json --report b.html --keep kept")
    assert code == 0
    assert f"{n_runs} of {n_runs} runs are kept in kept." in err
    assert "done" not in err
    assert (tmp_path / "b.json").read_text() == (tmp_path / "a.json").read_text()
    assert (tmp_path / "b.html").read_text() == text


def test_without_pytorch_the_rest_is_shown(run, tmp_path, short, monkeypatch):
    monkeypatch.setattr(ann, "is_there", lambda: False)
    monkeypatch.setattr(errors, "NETWORKS", ((20, 20),))
    code, out, err = run(f"{COMMAND} --only papers/64-20-20-10 --json a.json")
    assert code == 0
    assert "PyTorch, which is not installed; get it with 'pip install \"torch>=2.3\"'" in err.replace(
        "\n", " "
    )
    ids = [row["id"].rpartition("/")[2] for row in json.loads((tmp_path / "a.json").read_text())["rows"]]
    assert ids == ["erbp", "perbp", "erbp-shift"]
    code, out, err = run(f"{COMMAND} --only papers/64-20-20-10/ann-bp")
    assert (code, out) == (2, "")
    assert 'pip install "torch' in sentence(err)


def test_an_interrupted_bench_goes_on(run, tmp_path, short, monkeypatch):
    carried_out: list[str] = []
    real = runs.carry_out

    def stops_at_the_third(advance, a_run, data):
        if len(carried_out) == 2:
            raise KeyboardInterrupt
        carried_out.append(a_run.name)
        return real(advance, a_run, data)

    command = f"{COMMAND} --only papers/weights --keep kept --json a.json"
    with monkeypatch.context() as patch:
        patch.setattr(runs, "carry_out", stops_at_the_third)
        assert run(command)[0] == 130
    assert len(list((tmp_path / "kept").iterdir())) == 2
    assert not (tmp_path / "a.json").exists()
    code, _, err = run(command)
    assert code == 0
    assert "2 of 4 runs are kept in kept." in err
    assert not any(f"{name}: done" in err for name in carried_out)
    interrupted = (tmp_path / "a.json").read_text()

    # The same without an interruption; the file of a run that is broken is not taken for one.
    whole = tmp_path / "whole"
    assert run(f"{COMMAND} --only papers/weights --keep whole --json b.json")[0] == 0
    first, second = (json.loads(text)["rows"] for text in (interrupted, (tmp_path / "b.json").read_text()))
    for row, other in zip(first, second, strict=True):
        assert {**row, "seconds": 0} == {**other, "seconds": 0}
    broken = next(whole.iterdir())
    broken.write_text("{")
    code, _, err = run(f"{COMMAND} --only papers/weights --keep whole")
    assert code == 2
    assert f"{broken.name} is no result of a run; remove it" in sentence(err)


def test_a_kept_run_is_that_of_one_network(tmp_path):
    """Another seed, preset or data set is another run, whatever stands in the folder."""
    dataset = load_digits()
    whole = plan.Plan(Request("papers", quick=True), plan.QUICK, dataset)
    one, other = (runs.spiking_run(whole, "erbp", (200,), seed) for seed in (1, 2))
    small = plan.Plan(whole.request, whole.effort, load_tiny_digits())
    assert papers._digest(one, whole) != papers._digest(other, whole)
    assert papers._digest(one, whole) != papers._digest(one, small)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--keep x", "keeps no runs"),
        ("--report x.html", "has no figures"),
        ("--pictures x", "has no figures"),
    ],
)
def test_other_benches_refuse_what_they_do_not_have(run, option, words):
    code, out, err = run(f"bench model-speed --quick {option}")
    assert (code, out) == (2, "")
    for word in (option.split()[0], words, "papers"):
        assert word in sentence(err)
    assert os.listdir() == []


def test_a_report_needs_its_folder(run):
    code, _, err = run(f"{COMMAND} --report none/a.html")
    assert code == 2
    assert "none" in sentence(err)


@ordinary
def test_the_gradient_is_that_of_pytorch():
    import torch

    network = ann.OrdinaryNetwork((5, 7, 6, 3), "ann-bp", 1)
    generator = torch.Generator().manual_seed(2)
    images, labels = torch.rand((11, 5), generator=generator), torch.arange(11) % 3
    parameters = [*network.weights, *network.biases]
    for values in parameters:
        values.requires_grad_()
    values = images
    for number, (weights, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        values = values @ weights + bias
        values = values if number == 2 else values.relu()
    torch.nn.functional.cross_entropy(values, labels).backward()
    with torch.no_grad():
        found = network.gradients(images, labels)
    for gradient, values in zip(found, parameters, strict=True):
        torch.testing.assert_close(gradient, values.grad)

    # By feedback alignment the outputs learn by the gradient, and hidden neurons by fixed weights.
    other = ann.OrdinaryNetwork((5, 7, 6, 3), "ann-rbp", 1)
    aligned = other.gradients(images, labels)
    torch.testing.assert_close(aligned[2], found[2])
    assert not torch.allclose(aligned[0], found[0])
    other.feedback = [torch.zeros_like(values) for values in other.feedback]
    assert not other.gradients(images, labels)[0].any()


@ordinary
@pytest.mark.parametrize(("learner", "most"), [("ann-bp", 8), ("ann-rbp", 12)])
def test_ordinary_networks_learn_and_are_repeated_by_their_seed(learner, most):
    digits = load_digits()

    def learned(seed):
        network = ann.OrdinaryNetwork((64, 50, 10), learner, seed)
        seen = list(network.train(digits.train, Recipe(epochs=20)))
        assert seen[0] == 100
        assert seen[-1] == 20 * len(digits.train)
        return network.error(digits.test, len(digits.test)), network.weights[0]

    error, weights = learned(1)
    again, same = learned(1)
    assert error == again <= most
    assert bool((weights == same).all())
    assert not bool((weights == learned(2)[1]).all())


def test_early_decisions_are_those_of_the_reference_model():
    """Sample by sample, with the operations counted tick by tick."""
    network, data = preset("tiny").network, load_tiny_digits()
    split = type(data.test)(data.test.images[:25], data.test.labels[:25])
    array = ArrayModel(network)
    seeds = constants.sample_seeds(network.seed, True, 0, 40)
    array.run(data.train.images[:40], seeds, data.train.labels[:40])
    weights = array.weights
    found = runs.decisions(network, weights, split)
    assert [point["ticks"] for point in found["by_ticks"]] == [1, 2, 3, 4, 6, 8, 12, 16]

    for point in found["by_spikes"][:3]:
        array.prediction.decide_after = point["spikes"]
        n_wrong = operations = ticks = 0
        for image, label, seed in zip(
            split.images, split.labels, constants.sample_seeds(network.seed, False, 0, 25), strict=True
        ):
            counted: list[int] = []
            before = sum(layer.counters.synaptic_operations for layer in array.layers)

            def count(array, tick, counted=counted, before=before):
                counted.append(sum(layer.counters.synaptic_operations for layer in array.layers) - before)

            result = array.sample(image, seed=int(seed), observer=count)
            n_wrong += result.answer != label
            ticks += result.ticks_to_decision
            operations += counted[result.ticks_to_decision - 1]
        assert point["error"] == pytest.approx(100 * n_wrong / 25)
        assert point["ticks"] == pytest.approx(ticks / 25)
        assert point["operations"] == pytest.approx(operations / 25)
        assert point["operations_run"] >= point["operations"]


def test_the_distribution_of_weights_counts_all_of_them():
    layer = preset("tiny").network.layers[0]
    low, high = layer.weight_min, layer.weight_max
    weights = np.array([[low, low, 0, high], [1, 2, 3, 4]], dtype=np.int16)
    found = runs.weight_distribution(layer, weights)
    assert found["at_bounds"] == 3 / 8
    assert sum(found["shares"]) == 1
    assert (found["shares"][0], found["shares"][-1]) == (2 / 8, 1 / 8)


def test_samples_are_counted_between_the_points_of_a_curve():
    curve = [[100, 50.0], [1000, 10.0], [10_000, 4.0]]
    assert learning_speed.samples_until(curve, 60) == 100
    assert learning_speed.samples_until(curve, 7) == pytest.approx(3162, abs=1)
    assert learning_speed.samples_until(curve, 3) is None
    assert learning_speed.error_at(curve, 1000) == 10
    assert learning_speed.error_at(curve, 1001) == 4


def test_published_figures_stand_beside_mnist_alone(monkeypatch):
    digits = load_digits()
    mnist = type(digits)(**{**vars(digits), "name": "MNIST"})
    result = {"error": 3.0, "shift": 0, "n_images": 10, "seconds": 1.0, "curve": [[100, 5.0]]}
    for data, quick, published, target in ((mnist, False, 3.53, 3.53), (mnist, True, 3.53, None)):
        described = plan.Plan(Request("papers", quick=quick), plan.QUICK, data)
        row = next(line for line in errors.lines(described) if "200-10/erbp" in line.id).make([result])
        assert (row.extra["published"], row.target) == (published, target)
        assert row.columns["published"] == "3.53"
        assert "table 1" in row.extra["source"]
    assert set(TEST_ERRORS) >= {(hidden, "erbp") for hidden in plan.NETWORKS}
    assert FIRST_DECISION_OPERATIONS.value == 53_407


def test_a_page_of_some_rows_has_their_sections_alone(run, tmp_path, short):
    assert run(f"{COMMAND} --only papers/energy/first-spike --report a.html --pictures pictures")[0] == 0
    text = (tmp_path / "a.html").read_text()
    assert text.count("<section ") == 1
    assert os.listdir(tmp_path / "pictures") == ["papers-energy.svg"]
    assert STYLE_SHEET in text


def test_tasks_tell_when_they_are_done():
    from erbium.bench.display import Display
    from erbium.bench.work import carry_out_longest_first

    told = []
    tasks = [Task(str(n), 1, double, (n,)) for n in (1, 2, 3)]
    with Display() as display:
        found = carry_out_longest_first(tasks, [1, 3, 2], 1, display, lambda *done: told.append(done))
    assert found == [2, 4, 6]
    assert told == [(1, 4), (2, 6), (0, 2)]


def double(advance, number):
    return 2 * number
