# SPDX-License-Identifier: BSD-2-Clause
"""Sweeps: their axes and points, what is measured, what is kept, and that nothing is lost or done twice."""

import csv
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import Future
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from erbium import open_chip, summary
from erbium.gen.files import OutputError
from erbium.gen.presets import preset
from erbium.report.plots import STAND_IN
from erbium.sw_model import datasets
from erbium.sw_model.datasets.sources import load_digits
from erbium.sw_model.faults import Faults
from erbium.sw_model.network import Hardware
from erbium.sw_model.programs import DescriptionError
from erbium.sw_model.rules import FirstSpikeErrors
from erbium.sweep import axes, page, plots
from erbium.sweep.axes import Settings
from erbium.sweep.measure import MEASURES, Trained, cycles, hardware_of, measure, memory, train
from erbium.sweep.point import Ask, Base, describe_fields, resolve
from erbium.sweep.run import Work
from erbium.sweep.run import run as carry_out
from erbium.sweep.store import DONE, FAILED, REFUSED, Row, Store, table
from erbium.sweep.tasks import Measurement, Place, carry_out_measurement
from erbium.train import Plan, Trainer

DOCS = Path(__file__).parent.parent / "docs"
DIGITS = load_digits()
BASE = Base("erbp-digits", DIGITS, Ask(images=60))
SMALL: axes.Settings = {"hidden": 12, "images": 200}


def point(**settings):
    """A quick point; fields with dots are written with double underscores."""
    named = {name.replace("__", "."): value for name, value in settings.items()}
    return resolve(BASE, SMALL | named)


# --- Axes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=1", (1,)),
        ("a=6,8,10", (6, 8, 10)),
        ("a=4..7", (4, 5, 6, 7)),
        ("a=16..64+24", (16, 40, 64)),
        ("a=16..100+24", (16, 40, 64, 88)),
        ("a=16..128*2,200", (16, 32, 64, 128, 200)),
        ("a=0,1e-3..0.1*10", (0, 0.001, 0.01, 0.1)),
        ("a=0..0.3+0.1", (0, 0.1, 0.2, 0.3)),
        ("a=-4..-2", (-4, -3, -2)),
        ("a=true,False", (True, False)),
        ("a.*.b=phase,bernoulli", ("phase", "bernoulli")),
        ("hidden=100,200-200", (100, "200-200")),
    ],
)
def test_values_and_ranges(text, values):
    found = axes.parse_axis(text)
    assert found == (text.partition("=")[0], values)
    assert [type(value) for value in found[1]] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a", "'a' is no axis of a sweep; write FIELD=VALUES"),
        ("=1", "no axis"),
        ("a=", "no axis"),
        ("a=1,,2", "empty value"),
        ("a=1,2,1", "a has the value 1 twice"),
        ("a=5..2", "range '5..2' does not go up"),
        ("a=1..5+0", "does not go up"),
        ("a=0..8*2", "does not go up"),
        ("a=1..8*1", "does not go up"),
        ("a=0..1+1e-9", "number of values of a range"),
    ],
)
def test_mistakes_in_axes_are_told(text, sentence):
    with pytest.raises(DescriptionError, match=sentence.replace("..", r"\.\.")):
        axes.parse_axis(text)


def test_axes_span_a_grid_the_last_one_fastest():
    made = axes.join({"a": (1, 2), "b": (3, 4, 5)}, [])
    assert axes.points(made)[:4] == [{"a": 1, "b": 3}, {"a": 1, "b": 4}, {"a": 1, "b": 5}, {"a": 2, "b": 3}]


def test_axes_walk_together():
    made = axes.join({"a": (1, 2), "b": (3, 4), "c": (5, 6)}, [["c", "a"]])
    assert axes.points(made) == [
        {"c": 5, "a": 1, "b": 3},
        {"c": 5, "a": 1, "b": 4},
        {"c": 6, "a": 2, "b": 3},
        {"c": 6, "a": 2, "b": 4},
    ]
    with pytest.raises(DescriptionError, match="'d', which has no values"):
        axes.join({"a": (1, 2)}, [["a", "d"]])
    with pytest.raises(DescriptionError, match="a has 2, b has 1"):
        axes.join({"a": (1, 2), "b": (3,)}, [["a", "b"]])
    with pytest.raises(DescriptionError, match="'a' twice"):
        axes.join({"a": (1,), "b": (3,), "c": (1,)}, [["a", "b"], ["c", "a"]])


def test_a_sample_is_a_part_of_the_grid_and_the_same_each_time():
    made = axes.join({"a": tuple(range(1000)), "b": tuple(range(1000)), "c": tuple(range(1000))}, [])
    few = axes.points(made, 50, seed=3)
    assert few == axes.points(made, 50, seed=3)
    assert few != axes.points(made, 50, seed=4)
    assert len({tuple(one.values()) for one in few}) == 50
    everything = axes.join({"a": (1, 2), "b": (3, 4, 5)}, [])
    assert axes.points(everything, 6) == axes.points(everything)
    with pytest.raises(DescriptionError, match="--sample is 7; it must be from 1 to 6"):
        axes.points(everything, 7)


# --- Points -----------------------------------------------------------------------------------------------


def test_fields_of_everything_can_be_set():
    found = point(
        layers__0__weight_width=6,
        layers__1__program__threshold=700,
        error__weight=2,
        error__threshold=3,
        encoder="phase",
        n_ticks=16,
        recipe__shift=1,
        recipe__schedule="linear",
        hardware__lanes=4,
        faults__dead_neurons=0.5,
        faults__onset="inference",
        eval__ticks=8,
        build__board="ulx3s-85f",
    )
    network = found.network
    assert network.shape == (64, 12, 10)
    assert [layer.weight_width for layer in network.layers] == [6, 8]
    assert network.layers[1].program.threshold == 700
    assert (network.error.weight, network.error.threshold) == (2, 3)
    assert (network.encoder, network.n_ticks, found.recipe.shift, found.n_learn) == ("phase", 16, 1, 200)
    assert found.recipe.factor(150, 200) == pytest.approx(0.25, abs=0.01)
    assert (found.hardware.lanes, found.lanes, found.ask.ticks) == (4, 4, 8)
    assert found.faults == Faults(dead_neurons=0.5)
    assert found.learning_faults == Faults()
    assert found.build.board == "ulx3s-85f"
    both = point(**{"layers__*__weight_width": 5})
    assert [layer.weight_width for layer in both.network.layers] == [5, 5]
    other = resolve(BASE, {"network": "first-spike-digits", "error.margin": 2, "recipe.epochs": 2})
    assert isinstance(other.network.error, FirstSpikeErrors)
    assert other.network.error.margin == 2
    assert other.n_learn == 2 * len(DIGITS.train)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"layers.0.wight": 3}, "no field 'layers.0.wight' to sweep; there are n_neurons, program"),
        ({"lanes": 3}, "no field 'lanes' to sweep; .*'erbium sweep --fields' lists all"),
        ({"hardware.lane": 3}, "no field 'hardware.lane' to sweep; there are lanes, fifo_depth"),
        ({"layers.2.gain": 3}, "'2' must be a number from 0 to 1, or '\\*' for all"),
        ({"layers.x.gain": 3}, "'x' must be a number"),
        ({"n_ticks.x": 3}, "no field 'n_ticks.x'"),
        ({"error": 3}, "'error' has fields of its own"),
        ({"layers": 3}, "'layers' has fields of its own"),
        ({"layers.0.weight_width": 17}, "weight_width is 17; it must be from 4 to 16"),
        ({"layers.0.weight_width": 6.5}, "weight_width is 6.5; it must be an integer"),
        ({"hidden": "a-b"}, "hidden is 'a-b'"),
        ({"network": "nothing"}, "no preset 'nothing'"),
        ({"recipe.schedule": "up"}, "recipe.schedule is 'up'; it must be one of"),
        ({"faults.onset": "later"}, "faults.onset is 'later'"),
        ({"faults.dead_neurons": 2}, "dead_neurons is 2; it is a share"),
        ({"eval.ticks": 33}, "eval.ticks is 33; it must be from 1 to 32"),
        ({"images": 0}, "images is 0"),
        ({"build.board": "none"}, "no board 'none'"),
        ({"n_inputs": 65}, "fit the network to the data with hidden=SIZES"),
    ],
)
def test_impossible_points_are_refused_with_a_sentence(settings, sentence):
    with pytest.raises((DescriptionError, datasets.DatasetError), match=sentence):
        resolve(BASE, settings)


def test_every_field_that_is_listed_can_be_set():
    for name in ("erbp-digits", "first-spike-digits"):
        listed = dict(describe_fields(name))
        assert {
            "layers.0.weight_width",
            "hidden",
            "faults.dead_neurons",
            "hardware.lanes",
            "eval.ticks",
        } < set(listed)
        for field, value in listed.items():
            if field in ("network", "hidden", "images") or value == "its own" or value.startswith("("):
                continue
            plain = None if value == "None" else axes.parse_value(value)
            if plain != "":
                resolve(replace(BASE, network=name), {field: plain})  # type: ignore[dict-item]


def test_a_key_is_the_content_of_a_point():
    assert point().key == point(layers__0__weight_width=8).key  # which it has anyway
    assert point().key == point(faults__seed=5, faults__onset="inference").key  # of no faults
    keys = [
        point().key,
        point(layers__0__gain=5).key,
        point(images=201).key,
        point(eval__ticks=4).key,
        point(hardware__lanes=4).key,
        point(recipe__shift=1).key,
        point(faults__dead_neurons=0.1).key,
        point(faults__dead_neurons=0.1, faults__onset="inference").key,
        point(faults__dead_neurons=0.1, faults__seed=2).key,
        point(build__board="ulx3s-85f").key,
        point(build__board="ulx3s-85f", build__seed=2).key,
        resolve(replace(BASE, count_cycles=True), SMALL).key,
        resolve(replace(BASE, ask=Ask(images=60, test=True)), SMALL).key,
    ]
    assert len(set(keys)) == len(keys)


def test_points_that_learn_the_same_share_their_weights():
    shared = point().training_key
    assert point(eval__ticks=4, hardware__lanes=2).training_key == shared
    assert point(faults__dead_neurons=0.1, faults__onset="inference").training_key == shared
    assert point(faults__dead_neurons=0.1).training_key != shared
    assert point(images=100).training_key != shared


# --- Measures ---------------------------------------------------------------------------------------------


def learned(network, recipe, n_learn, faults=None):
    chip = open_chip(network, "model", faults=faults)
    for _ in Trainer(chip, DIGITS, Plan(recipe, n_learn)).run():
        pass
    return chip


@pytest.mark.parametrize("network", ["erbp-digits", "first-spike-digits"])
@pytest.mark.parametrize("onset", ["learning", "inference"])
def test_a_point_is_what_a_chip_does(network, onset):
    faults = Faults(3, 0.01, 0.02, 0.01, 1e-5, 0.01, 0.01, 1e-4, 0.1, 0.05, 0.05)
    one = resolve(
        replace(BASE, network=network, ask=Ask(images=20, test=True)),
        {"images": 60, "faults.onset": onset} | {f"faults.{name}": v for name, v in vars(faults).items()},
    )
    found = measure(one, DIGITS, train(one, DIGITS))
    if onset == "learning":
        chip = learned(one.network, one.recipe, 60, faults)
        work = chip.counters
    else:
        healthy = learned(one.network, one.recipe, 60)
        work = healthy.counters
        chip = open_chip(one.network, "model", faults=faults)
        chip.load(healthy.weights)
    expected = summary.ask(chip, DIGITS.validation, 0, 20)
    assert found["validation_error"] == expected.error
    assert found["test_error"] == summary.ask(chip, DIGITS.test, 0, 20).error
    assert found["synops_per_inference"] == summary.synaptic_operations(expected.work) / 20
    assert found["synops_per_learned_image"] == summary.synaptic_operations(work) / 60
    assert set(found) <= set(MEASURES)


def test_memory_is_that_of_show(run):
    network = point().network
    bits = 65 * 12 * 8 + 13 * 10 * 8
    assert memory(network, Hardware(lanes=64)) == {"weight_bits": bits, "memory_bits": bits}
    # Five lanes: 3 words of 5 for 12 neurons, 2 for 10.
    assert memory(network, Hardware(lanes=5))["memory_bits"] == 65 * 15 * 8 + 13 * 10 * 8


@pytest.mark.slow
@pytest.mark.verilator
def test_the_formulas_give_the_cycles_that_are_counted_to_a_few_percent():
    base = replace(BASE, ask=Ask(images=255), count_cycles=True)
    one = resolve(base, {"images": 400, "hardware.lanes": 8})
    found = measure(one, DIGITS, train(one, DIGITS))
    assert found["cycles_per_inference"] == pytest.approx(found["counted_cycles_per_inference"], rel=0.05)
    chip = learned(one.network, one.recipe, 400)
    before = chip.counters
    n_train = len(DIGITS.train)
    more = np.arange(400, 700) % n_train
    chip.set_rate(1.0)
    chip.learn(DIGITS.train.images[more], DIGITS.train.labels[more])
    work = {key: value - before[key] for key, value in chip.counters.items()}
    expected = cycles(one.network, one.hardware, work, learning=True) / 300
    assert expected == pytest.approx(found["counted_cycles_per_learned_image"], rel=0.08)


# --- What is kept -----------------------------------------------------------------------------------------


def some_row(key="k", **measures):
    return Row(key, DONE, "", measures)


def test_a_store_remembers(tmp_path):
    store = Store(tmp_path / "a" / "b")
    assert store.row("k") is None
    assert store.trained("k") is None
    row = some_row(validation_error=0.25, images_learned=3)
    store.keep(row)
    weights = Trained([np.arange(6, dtype=np.int16).reshape(2, 3), np.ones((1, 1), np.int16)], {"ticks": 7})
    store.keep_trained("k", weights)
    again = Store(tmp_path / "a" / "b")
    assert again.id == store.id
    assert again.row("k") == row
    found = again.trained("k")
    assert found is not None
    assert found.work == {"ticks": 7}
    assert [values.tolist() for values in found.weights] == [values.tolist() for values in weights.weights]
    store.forget("k")
    assert store.row("k") is None


def test_half_a_file_is_none(tmp_path):
    store = Store(tmp_path)
    for text in ("", "{", '{"status": "done"}', "[]"):
        (store.points / "k.json").write_text(text)
        assert store.row("k") is None
    (store.weights / "k.npz").write_bytes(b"PK")
    assert store.trained("k") is None


def test_two_sweeps_do_not_share_a_folder_at_once(tmp_path):
    one, other = Store(tmp_path), Store(tmp_path)
    busy = r"another sweep is at work in .*; wait for its end, or name another folder with --output"
    with one.locked(), pytest.raises(OutputError, match=busy), other.locked():
        pass
    with other.locked():
        pass


def test_the_table_has_typed_columns():
    rows: list[tuple[axes.Settings, Row]] = [
        ({"a": 1, "b": 0.5, "c": "x", "d": True}, some_row(validation_error=0.1, luts=7)),
        ({"a": 2, "b": 1, "c": (1, 2), "d": False}, Row("", REFUSED, "why", {})),
    ]
    made = table(rows, "the command")
    types = {name: str(made.schema.field(name).type) for name in made.schema.names}
    assert list(types)[:7] == ["a", "b", "c", "d", "key", "status", "message"]
    assert [types[name] for name in "abcd"] == ["int64", "double", "string", "bool"]
    assert (types["validation_error"], types["luts"], types["build_problem"]) == ("double", "int64", "string")
    assert made["validation_error"].to_pylist() == [0.1, None]
    assert made.schema.metadata == {b"erbium.command": b"the command"}


# --- Who does what ----------------------------------------------------------------------------------------


class InPlace:
    """A client that does the work itself, at once."""

    def __init__(self):
        self.submitted = []

    def nthreads(self):
        return {"here": 2}

    def submit(self, function, task, key, pure):
        self.submitted.append((function.__name__.removeprefix("carry_out_"), task.key))
        future: Future[object] = Future()
        future.release = lambda: None  # type: ignore[attr-defined]
        try:
            future.set_result(function(task))
        except Exception as error:
            future.set_exception(error)
        return future


def place_of(store, folder_id=None, log=None):
    return Place(str(store.folder), folder_id or store.id, "digits", log)


@pytest.mark.parametrize("within_reach", [True, False])
def test_what_points_share_is_learned_once_and_all_is_kept(tmp_path, within_reach):
    store = Store(tmp_path)
    place = place_of(store, None if within_reach else "elsewhere", str(tmp_path / "log"))
    points = [point(eval__ticks=ticks) for ticks in (4, 8, 16)] + [point(images=150)]
    client = InPlace()
    seen: list[Row] = []
    carry_out(Work(points, store, place), client, seen.append)
    assert Counter(kind for kind, _ in client.submitted) == {"training": 1, "measurement": 4}
    assert {row.key for row in seen} == {one.key for one in points}
    assert all(store.row(one.key) == next(row for row in seen if row.key == one.key) for one in points)
    assert store.trained(points[0].training_key) is not None
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert Counter(line["what"] for line in lines) == {"begin": 5, "end": 5}
    # Once more, and more of it: the weights are there.
    client = InPlace()
    carry_out(Work([point(eval__ticks=2)], store, place), client, seen.append)
    assert client.submitted == [("measurement", point(eval__ticks=2).key)]
    expected = measure(point(eval__ticks=2), DIGITS, train(point(eval__ticks=2), DIGITS))
    assert seen[-1].measures | {"seconds": 0} == expected | {"seconds": 0}


def test_a_worker_looks_before_it_computes(tmp_path):
    store = Store(tmp_path)
    row = some_row(point().key, validation_error=0.5)
    store.keep(row)
    task = Measurement(point(), place_of(store, log=str(tmp_path / "log")))
    assert carry_out_measurement(task) == row
    assert not (tmp_path / "log").exists()


def test_a_point_that_fails_is_an_outcome(tmp_path):
    store = Store(tmp_path)
    wrong = replace(point(), data="0" * 16)
    rows: list[Row] = []
    carry_out(Work([wrong, point(images=150)], store, place_of(store)), InPlace(), rows.append)
    status = {row.key: row for row in rows}
    assert status[point(images=150).key].status == DONE
    assert status[wrong.key].status == FAILED
    assert "a worker found digits with digest" in status[wrong.key].message


def test_what_does_not_fit_is_not_trained(tmp_path):
    store = Store(tmp_path)
    large = point(hidden=4000, images=10**9, build__board="icebreaker", hardware__lanes=1)
    row = carry_out_measurement(Measurement(large, place_of(store)))
    assert row.status == FAILED
    assert "needs 188 block RAMs (lanes: 1) and iCEBreaker has 30; sweep over smaller" in row.message
    fits = point(build__board="icebreaker")
    assert hardware_of(fits).layer_memories == ("spram",)


def test_a_training_that_fails_fails_its_points(tmp_path):
    store = Store(tmp_path)
    rows: list[Row] = []
    points = [replace(point(eval__ticks=ticks), data="0" * 16) for ticks in (4, 8)]
    carry_out(Work(points, store, place_of(store)), InPlace(), rows.append)
    assert [row.status for row in rows] == [FAILED, FAILED]
    assert all(store.row(one.key) is not None for one in points)


def test_a_run_that_is_to_stop_begins_nothing_more(tmp_path):
    store = Store(tmp_path)
    rows: list[Row] = []
    points = [point(images=images) for images in range(100, 110)]
    carry_out(Work(points, store, place_of(store)), InPlace(), rows.append, lambda: len(rows) >= 3)
    assert 3 <= len(rows) <= 5


# --- Plots ------------------------------------------------------------------------------------------------


def results():
    rows = []
    for width in (4, 8, 12):
        for share in (0, 0.001, 0.01, 0.1):
            for seed in (1, 2):
                error = 0.02 + 0.1 / width + share + 0.001 * seed
                bits = 1000 * width
                measures = {
                    "validation_error": error,
                    "memory_bits": bits,
                    "synops_per_inference": 5.0 * bits,
                }
                settings = {"layers.*.weight_width": width, "faults.weight_stuck_0": share, "seed": seed}
                rows.append((settings, some_row(**measures)))
    return [*rows, ({"layers.*.weight_width": 3}, Row("", REFUSED, "weight_width is 3 <b>", {}))]


def test_plots_are_those_that_the_results_are_good_for():
    made = plots.plots(results())
    assert [plot.name for plot in made] == [
        "error-memory",
        "error-synops",
        "error-layers-all-weight_width",
        "error-faults-weight_stuck_0",
    ]
    for plot in made:
        assert plots.write(plot, "png").startswith(b"\x89PNG")
        drawn = plots.write(plot, "svg")
        assert drawn == plots.write(plot, "svg")
        assert b"#0102" not in drawn  # the stand-ins of the page
    assert plots.plots([]) == []


def test_the_front_is_what_nobody_beats():
    points = [plots.Cost({}, cost, error) for cost, error in ((3, 5), (1, 9), (2, 5), (2, 7), (4, 1), (5, 1))]
    assert [(point.cost, point.error) for point in plots.pareto(points)] == [(1, 9), (2, 5), (4, 1)]


@pytest.mark.parametrize(
    ("errors", "limit"),
    [
        ([5.0, 6.0, 5.5, 7.0, 6.5, 88.0], 7.0),
        ([5.0, 6.0, 5.5, 7.0, 6.5, 8.0], 8.0),  # nothing lies far out
        ([90.0, 40.0, 12.0, 8.0, 6.0, 6.0, 5.9], 90.0),  # a slope is no outlier
        ([5.0, 88.0], 88.0),  # too few to say
        ([], 0.0),
    ],
)
def test_what_lies_far_out(errors, limit):
    assert plots.inside(errors) == limit


def far_out():
    rows: list[tuple[Settings, Row]] = [
        ({"hidden": hidden, "seed": 1}, some_row(validation_error=error, memory_bits=1000 * hidden))
        for hidden, error in ((10, 0.08), (20, 0.07), (40, 0.065), (80, 0.06), (160, 0.058), (320, 0.9))
    ]
    return plots.plots(rows), rows


def test_points_far_out_do_not_stretch_the_axes_and_are_named():
    made, rows = far_out()
    assert [plot.off for plot in made] == [("hidden 320: 90.00 %",)] * 2
    for plot in made:
        axes = plot.draw(STAND_IN).axes[0]
        assert axes.get_ylim()[1] < 12
        assert any(line.get_label() == "off the scale" for line in axes.lines)
    text = page.render("a title", "about", "erbium sweep x", rows, made)
    assert "Off the scale, marked at the edge: hidden 320: 90.00 %." in text
    assert all(not plot.off for plot in plots.plots(results())[2:])


@pytest.mark.parametrize("scale", [1, 600, 99_999])
def test_the_numbers_of_an_axis_have_room(scale):
    rows: list[tuple[Settings, Row]] = [
        (
            {"hidden": size * scale},
            some_row(validation_error=0.3 / size, memory_bits=1000 * size * scale + 480),
        )
        for size in range(4, 20)
    ]
    for plot in plots.plots(rows):
        figure = plot.draw(STAND_IN)
        figure.canvas.draw()
        axes, (left, bottom, right, _) = figure.axes[0], figure.bbox.extents
        low, high = sorted(axes.get_xlim())
        boxes = [
            label.get_window_extent()
            for place, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
            if low <= place <= high
        ]
        assert len(boxes) >= 3
        assert all(left <= box.x0 and box.x1 <= right and bottom <= box.y0 for box in boxes)
        assert all(one.x1 + 4 < other.x0 for one, other in pairwise(boxes))


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("layers.*.weight_width", "bits of a weight, all layers"),
        ("layers.0.weight_width", "bits of a weight, layer 1"),
        ("layers.1.program.threshold", "threshold of a neuron, layer 2"),
        ("hidden", "hidden neurons"),
        ("n_ticks", "longest presentation, ticks"),
        ("faults.weight_stuck_0", "weight stuck 0 (faults)"),
        ("margin", "margin"),
    ],
)
def test_axes_have_readable_names(field, words):
    assert plots.readable(field) == words


def test_svg_files_follow_the_screen():
    drawn = plots.write(plots.plots(results())[0], "svg").decode()
    assert "prefers-color-scheme: dark" in drawn
    assert drawn.count("--hidden: #") == 2


def test_the_table_is_there_as_csv(tmp_path):
    store = Store(tmp_path)
    rows = results()
    store.write_table(rows, "erbium sweep x")
    lines = (tmp_path / "results.csv").read_text().splitlines()
    assert len(lines) == 1 + len(rows)
    with open(tmp_path / "results.csv", newline="") as file:
        read = list(csv.DictReader(file))
    assert read[0]["layers.*.weight_width"] == "4"
    assert read[0]["status"] == DONE
    assert float(read[0]["validation_error"]) == rows[0][1].measures["validation_error"]
    assert read[-1]["message"] == "weight_width is 3 <b>"
    assert 'href="results.csv"' in page.render("a title", "about", "erbium sweep x", rows, [])


def test_repetitions_are_averaged():
    done = [(settings, row) for settings, row in results() if row.status == DONE]
    found = plots.costs(done, "memory_bits")
    assert len(found) == 12
    assert found[0].error == pytest.approx(100 * (0.02 + 0.1 / 4 + 0.0015))
    assert "seed" not in found[0].settings


def test_the_page_says_all_of_it():
    rows = results()
    made = page.render("a title", "about", "erbium sweep x", rows, plots.plots(rows))
    for text in (
        "a title",
        "erbium sweep x",
        "weight_width is 3 &lt;b&gt;",
        "Pareto front",
        "24 were measured",
    ):
        assert text in made
    assert made.count("<svg") == 4
    assert made == page.render("a title", "about", "erbium sweep x", rows, plots.plots(rows))


# --- The command ------------------------------------------------------------------------------------------


def sentence(text):
    *_, line = text.strip().splitlines()
    assert line.startswith("erbium: ")
    assert "bug" not in line
    return line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "name a network to sweep"),
        ("tiny", "a sweep goes over something; name it with --over"),
        ("tiny --over a", "'a' is no axis"),
        ("tiny --over n_ticks=1 --over n_ticks=2", "--over names 'n_ticks' twice"),
        ("tiny --over n_ticks=1 --set n_ticks=2", "'n_ticks' is set and swept over"),
        ("tiny --set n_ticks=1,2 --over margin=1", "has 2 values; to try several, use --over"),
        (
            "erbp-digits --data digits --over n_tick=1,2",
            "all 2 points are refused: there is no field 'n_tick'",
        ),
        ("nothing --data digits --over n_ticks=1", "no preset 'nothing'"),
        ("erbp-digits --data digits --over n_ticks=1 --jobs 0", "--jobs is 0"),
        ("erbp-digits --data digits --over n_ticks=1 --jobs 2 --scheduler tcp://x:1", "give one of them"),
        ("erbp-digits --data digits --over n_ticks=1 --eval-images 0", "--eval-images is 0"),
        ("there-is-none.toml", "there-is-none.toml: no such file"),
    ],
)
def test_a_mistake_is_one_sentence(run, text, expected):
    code, _, err = run(f"sweep {text}")
    assert code == 2
    assert expected in sentence(err)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = ", "is no TOML"),
        ("cores = 3", "says 'cores'; a sweep has network, over"),
        ("network = 3", "'network' is 3"),
        ("network = 'tiny'\n[over]\nn_ticks = 3", "'n_ticks' goes over 3; write a list"),
        ("[over]\nn_ticks = [3]", "name a network"),
    ],
)
def test_a_mistake_in_a_file_is_one_sentence(run, tmp_path, text, expected):
    (tmp_path / "mine.toml").write_text(text)
    code, _, err = run("sweep mine.toml")
    assert code == 2
    assert expected in sentence(err)


def test_a_file_says_what_options_say(run, tmp_path):
    (tmp_path / "mine.toml").write_text(
        """network = "erbp-digits"
        zip = [["layers.0.weight_width", "layers.1.weight_width"]]
        [set]
        recipe.epochs = 2
        [over]
        "layers.0.weight_width" = [6, 8]
        "layers.1.weight_width" = "7..9+2"
        n_ticks = [8, 16, 99999]
        """
    )
    code, out, err = run("sweep mine.toml --data digits --list")
    assert code == 0
    assert "2 of 6 points are refused" in err
    assert "2 times: n_ticks is 99999" in err
    assert (
        out.splitlines()[0] == "1: recipe.epochs=2 layers.0.weight_width=6 layers.1.weight_width=7 n_ticks=8"
    )
    assert out.splitlines()[-1].endswith("weight_width=9 n_ticks=99999 (refused)")
    code, same, _ = run(
        "sweep erbp-digits --data digits --list --set recipe.epochs=2 --over layers.0.weight_width=6,8 "
        "--over layers.1.weight_width=7,9 --over n_ticks=8,16,99999 --zip layers.0.weight_width,layers.1.weight_width"
    )
    assert same == out


def test_the_file_of_the_documentation_is_one(run, tmp_path):
    (said,) = re.findall(r"```toml\n(.*?)```", (DOCS / "sweep.md").read_text(), re.DOTALL)
    (tmp_path / "mine.toml").write_text(said.replace("erbp-mnist-100", "erbp-digits"))
    code, out, err = run("sweep mine.toml --data digits --list")
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == 20


def test_fields_are_listed(run):
    code, out, _ = run("sweep --fields first-spike-digits")
    assert code == 0
    assert "layers.0.rule.step" in out
    assert "faults.weight_upsets" in out


def test_what_is_missing_is_told(run, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pyarrow" else found(name))
    code, _, err = run("sweep erbp-digits --data digits --over n_ticks=8")
    assert code == 2
    assert "'erbium sweep' needs pyarrow, not installed here" in sentence(err)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("tcp://127.0.0.1:9", "refused"),
        ("tcp://127.0.0.1", "host or port are missing"),
        ("node1:8786", "it begins with neither"),
        ("tcp://127.0.0.1:x", "Port could not be cast"),
    ],
)
def test_a_scheduler_that_does_not_answer_is_told(run, address, why):
    code, _, err = run(
        f"sweep erbp-digits --data digits --over n_ticks=8 --set images=10 --scheduler {address}"
    )
    assert code == 2
    assert f"no Dask scheduler answers at '{address}'" in sentence(err)
    assert why in err


CLUSTER = """
import sys
from distributed import LocalCluster
with LocalCluster(
    n_workers=1, threads_per_worker=2, processes=False, protocol="tcp://", dashboard_address=None
) as cluster:
    print(cluster.scheduler_address, flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
def test_a_cluster_does_the_same_work(tmp_path):
    # In processes of their own: what Dask leaves behind would be found by other tests.
    line = "sweep erbp-digits --data digits --over n_ticks=8,12,99999 --set hidden=8 --set images=50 -o there"
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as cluster:
        assert cluster.stdout is not None
        address = cluster.stdout.readline().strip()
        assert address.startswith("tcp://")
        done = subprocess.run(
            [sys.executable, "-m", "erbium.cli", *line.split(), "--scheduler", address],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        cluster.communicate("")
    assert (done.returncode, "2 of 3 points measured" in done.stdout) == (0, True), done.stderr
    found = parquet.read_table(tmp_path / "there" / "results.parquet").to_pylist()
    assert [row["status"] for row in found] == ["done", "done", "refused"]
    assert found[2]["message"].startswith("n_ticks is 99999")
    base = Base("erbp-digits", DIGITS)
    for row in found[:2]:
        one = resolve(base, {"hidden": 8, "images": 50, "n_ticks": row["n_ticks"]})
        expected = measure(one, DIGITS, train(one, DIGITS))
        del expected["seconds"]
        assert {name: row[name] for name in expected} == expected
    assert (tmp_path / "there" / "index.html").read_text().startswith("<!DOCTYPE html>")


# --- Ctrl-C and killed workers ----------------------------------------------------------------------------

GRID = [
    *("sweep", "erbp-digits", "--data", "digits", "--jobs", "2", "--log", "log", "-o", "swept"),
    *("--over", "layers.0.gain=4..13", "--over", "faults.dead_neurons=0..0.95+0.05"),
    *("--set", "images=400", "--eval-images", "100"),
]


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for(condition, process, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def begun(lines, pid=None):
    """What was begun, by one process or by any, and not ended by it."""
    open_: Counter[str] = Counter()
    for line in lines:
        if pid in (None, line["pid"]):
            open_[line["key"]] += 1 if line["what"] == "begin" else -1
    return +open_


@pytest.mark.slow
def test_200_points_survive_a_killed_worker_and_ctrl_c(tmp_path):
    # Compiled here, where nothing waits for it: two workers at once take minutes on a machine that has more to do.
    network = preset("erbp-digits").network
    with open_chip(network, faults=Faults(dead_neurons=0.5)) as chip:
        chip.learn(np.zeros((1, network.n_inputs), dtype=np.uint8), np.zeros(1, dtype=np.int64))
    log = tmp_path / "log"
    process = subprocess.Popen(
        [sys.executable, "-m", "erbium.cli", *GRID],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        # A worker is killed in the middle of a point.
        wait_for(lambda: len(lines_of(log)) >= 40 and lines_of(log)[-1]["what"] == "begin", process)
        victim = lines_of(log)[-1]["pid"]
        assert victim != process.pid
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: sum(line["what"] == "end" for line in lines_of(log)) >= 60, process)
        # Ctrl-C reaches all processes of a terminal.
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130, (out, err)
    assert "the same command carries on" in err
    assert "Traceback" not in err
    first = lines_of(log)
    lost = begun(first, victim)
    assert sum(lost.values()) <= 1
    ended = [line["key"] for line in first if line["what"] == "end"]
    assert 60 <= len(ended) < 200
    table_then = parquet.read_table(tmp_path / "swept" / "results.parquet")
    assert sorted(table_then["key"].to_pylist()) == sorted(ended)

    again = subprocess.run(
        [sys.executable, "-m", "erbium.cli", *GRID],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    assert f"{len(ended)} of them measured before" in again.stderr
    lines = lines_of(log)
    begins = Counter(line["key"] for line in lines if line["what"] == "begin")
    ends = Counter(line["key"] for line in lines if line["what"] == "end")
    assert len(ends) == 200
    assert set(ends.values()) == {1}  # nothing computed twice
    assert begins == ends + lost  # but for what the killed worker was at
    found = parquet.read_table(tmp_path / "swept" / "results.parquet")
    assert found["status"].to_pylist() == ["done"] * 200
    kept = {row["key"]: row for row in found.to_pylist()}
    assert all(kept[row["key"]] == row for row in table_then.to_pylist())  # nothing lost
