# SPDX-License-Identifier: BSD-2-Clause
"""A run in which nothing spikes says so: which population, in how many images, and what to change."""

import csv
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from erbium import open_chip
from erbium.gen.presets import preset
from erbium.silence import population_names, silence, spikes_of
from erbium.sw_model import constants
from erbium.sw_model.array import ArrayModel, Tick
from erbium.sw_model.datasets import Split, write_idx
from erbium.sw_model.rules import ErbpRule

TINY = preset("tiny").network
SPIKING = preset("first-spike-tiny").network
SPLIT = Split(
    np.random.default_rng(5).integers(0, 256, (40, 16), dtype=np.uint8), (np.arange(40) % 4).astype(np.uint8)
)


def write_data(folder, scale):
    folder.mkdir()
    random = np.random.default_rng(2)
    for name, n in (("train", 60), ("t10k", 12)):
        images = random.integers(0, 256, (n, 4, 4)) * scale
        write_idx(folder / f"{name}-images-idx3-ubyte", images.astype(np.uint8))
        write_idx(folder / f"{name}-labels-idx1-ubyte", (np.arange(n) % 4).astype(np.uint8))
    return folder


@pytest.fixture
def blank(tmp_path, monkeypatch):
    folder = write_data(tmp_path / "blank", 0)
    monkeypatch.setenv("ERBIUM_DATA", str(folder))
    return folder


def with_hidden_threshold(network, threshold):
    hidden, output = network.layers
    program = replace(hidden.program, threshold=threshold)
    return replace(network, layers=(replace(hidden, program=program), output))


@pytest.mark.parametrize("network", [TINY, SPIKING], ids=lambda network: network.name)
@pytest.mark.parametrize(("n_ticks", "decide_after"), [(None, None), (3, 0), (6, 1)])
def test_spikes_of_each_sample_are_those_of_the_reference(network, n_ticks, decide_after):
    array = ArrayModel(network)
    if decide_after is not None:
        array.prediction.decide_after = decide_after
    seeds = constants.sample_seeds(network.seed, False, 0, 40)
    counted = []
    for image, seed in zip(SPLIT.images, seeds, strict=True):
        ticks: list[Tick] = []
        array.sample(
            image, seed=int(seed), n_ticks=n_ticks, observer=lambda _, tick, to=ticks: to.append(tick)
        )
        counted.append(
            [
                sum(len(t.input_spikes) for t in ticks),
                *(sum(len(t.layer_spikes[k]) for t in ticks) for k in range(2)),
            ]
        )
    found = spikes_of(
        network,
        network.initial_weights(),
        SPLIT.images,
        n_ticks=n_ticks,
        decide_after=decide_after,
        threads=3,
    )
    assert found.tolist() == counted


def test_spikes_of_a_rule_of_ones_own_are_counted_by_the_reference():
    class Own(ErbpRule):
        """Not known to the compiled path."""

    own = replace(TINY, layers=tuple(replace(layer, rule=Own()) for layer in TINY.layers))
    weights = TINY.initial_weights()
    assert np.array_equal(spikes_of(own, weights, SPLIT.images), spikes_of(TINY, weights, SPLIT.images))


def test_counting_leaves_the_integers_of_the_chip_alone():
    with open_chip(SPIKING, "model") as chip, open_chip(SPIKING, "reference") as reference:
        mine, others = chip.infer(SPLIT.images), reference.infer(SPLIT.images)
        assert np.array_equal(mine.answers, others.answers)
        assert chip.counters == reference.counters


def test_silence_names_each_population_and_the_first_cause():
    silent = with_hidden_threshold(SPIKING, 8_000)
    found = silence(silent, silent.initial_weights(), SPLIT, 40)
    assert found.dead
    assert found.silent == {"input": 0, "hidden": 40, "output": 40}
    assert found.no_answer == (10, 10, 10, 10)
    sentence = found.sentence()
    assert "hidden in 40, output in 40; without an output spike there is no answer" in sentence
    assert (
        "to make the hidden neurons spike, lower their threshold (8000), raise weight_bound (64)" in sentence
    )
    assert found.verdict("error 75.00 % of 40", "images") == (
        "no answer: no output neuron spiked in any of 40 images"
    )


def test_a_part_of_the_images_may_be_silent():
    images = SPLIT.images.copy()
    images[10:] = 0
    found = silence(SPIKING, SPIKING.initial_weights(), Split(images, SPLIT.labels), 40)
    assert found.silent["input"] == 30
    assert "input in 30" in found.sentence()
    assert "no pixel reaches 128, the encoder's lowest level" in found.sentence()
    assert not found.dead
    assert "of them without an output spike" in found.verdict("error 1 % of 40", "images")


def test_a_hidden_layer_that_never_spikes_is_told_of_although_the_bias_drives_the_output():
    silent = with_hidden_threshold(TINY, 4095)
    weights = silent.initial_weights()
    weights[1][-1] = 127  # the bias row
    found = silence(silent, weights, SPLIT, 40)
    assert found.silent["hidden"] == 40
    assert found.silent["output"] == 0
    assert "hidden in 40; to make the hidden neurons spike" in found.sentence()


def test_a_network_that_spikes_says_nothing():
    weights = TINY.initial_weights()
    weights[0][:], weights[1][:] = 40, 40
    found = silence(TINY, weights, SPLIT, 40)
    assert (found.sentence(), found.n_without_answer) == ("", 0)
    assert found.verdict("error 2 % of 40", "images") == "error 2 % of 40 images"


def test_populations_are_called_as_reports_call_them():
    deep = replace(TINY, layers=(TINY.layers[0], TINY.layers[0], TINY.layers[1]))
    assert population_names(deep) == ["input", "hidden 1", "hidden 2", "output"]


@pytest.mark.parametrize("name", ["tiny", "first-spike-tiny"])
def test_train_and_eval_say_that_nothing_spiked(run, blank, tmp_path, name):
    code, out, err = run(f"train {name} --images 60 --checkpoint run.npz --report run.html")
    assert code == 1
    assert "no answer: no input neuron spiked in any of 12 images; the checkpoint is run.npz" in out
    assert "test error" not in out
    assert " % right of" not in err
    assert err.count("no answer, as no input neuron spiked in any of 10 validation images") >= 2
    if name == "first-spike-tiny":  # in eRBP the bias makes neurons spike
        assert "populations without a spike, of 12 images: input in 12, hidden in 12, output in 12" in err
    assert "populations without a spike, of 12 images: input in 12" in err
    page = (tmp_path / "run.html").read_text(encoding="utf-8")
    assert "Silent populations" in page
    (data,) = re.findall(r'type="application/json"[^>]*>(.*?)</script>', page, re.S)
    record = json.loads(data)
    assert record["test_error"] is None
    assert record["silence"]["silent"]["input"] == 12

    code, out, err = run("eval run.npz")
    assert code == 1
    assert out.startswith("no answer: no input neuron spiked in any of 12 test images of blank")
    assert "label (rows) and answer" not in out
    code, out, _ = run("eval run.npz --json")
    record = json.loads(out)
    assert (code, record["error"], record["wrong"], record["silent"]["input"]) == (1, None, None, 12)
    assert record["confusion"] is None


def test_eval_shows_images_without_an_answer_beside_the_classes(run, tmp_path, monkeypatch):
    folder = write_data(tmp_path / "noise", 1)
    images = np.random.default_rng(3).integers(0, 256, (12, 4, 4), dtype=np.uint8)
    images[:5] = 0
    write_idx(folder / "t10k-images-idx3-ubyte", images)
    monkeypatch.setenv("ERBIUM_DATA", str(folder))
    run("train first-spike-tiny --images 60 --checkpoint run.npz")
    code, out, err = run("eval run.npz --json")
    record = json.loads(out)
    assert (code, record["silent"]["input"]) == (0, 5)
    assert 5 <= record["without_answer"] < 12
    assert "input in 5" in err
    assert sum(map(sum, record["confusion"])) == 12
    _, out, _ = run("eval run.npz")
    assert f"{record['without_answer']} of them without an output spike" in out
    assert "(no output spike)" in out


def test_a_sweep_quotes_no_error_of_points_without_an_answer(run, blank, tmp_path):
    line = "sweep tiny --over hidden=4,5,6 --set images=20 --test --jobs 1 -o there"
    code, out, err = run(line)
    assert code == 1
    assert "3 of 3 points measured, 3 of them without an answer" in out
    assert "% wrong" not in err
    assert err.count("no answer; populations without a spike, of 10 images: input in 10") == 3
    with (tmp_path / "there" / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["validation_error"], row["test_error"]) for row in rows] == [("", "")] * 3
    assert not list((tmp_path / "there").glob("error-*"))
