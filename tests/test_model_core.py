# SPDX-License-Identifier: BSD-2-Clause
"""The core: histories against spike trains, the compiled loop against the reference, parts as JSON, bad input."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from erbium.gen.core_image import CoreImage
from erbium.sw_model.core.fast import CoreModel
from erbium.sw_model.description.chain import chain
from erbium.sw_model.description.codec import digest, from_json, to_json
from erbium.sw_model.description.connect import Dense, Given, Identity, Uniform
from erbium.sw_model.description.drawing import as_svg, as_text
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.machine import CoreHardware
from erbium.sw_model.description.parts import (
    Events,
    Modulator,
    Population,
    Projection,
    Source,
)
from erbium.sw_model.graph_fast.array import FastGraph
from erbium.sw_model.graph_model.array import GraphModel
from erbium.sw_model.graph_model.drive import Drive
from erbium.sw_model.graph_model.rules import word_of
from erbium.sw_model.programs import DescriptionError, NeuronProgram, Operation
from erbium.sw_model.rules import EndRule, HistoryRule, PlasticityWord
from erbium.verif.machines import NOISY
from erbium.verif.random_machines import machines

REPEATER = NeuronProgram(
    name="repeater",
    states=("v",),
    operations=(Operation(0, "u0"), Operation(0, "x0", 0, -1)),
    n_ports=2,
    threshold=1,
)
"""Spikes at every tick in which port 0 gets something above 0."""


def pair(rule, width=16):
    """One plastic synapse between two trains that the host gives: the second one makes the neuron spike."""
    return Graph(
        "pair",
        (Source("pre", 1, Events()), Source("post", 1, Events())),
        (Population("neuron", 1, REPEATER),),
        (
            Projection("pre", "neuron", Dense(width=width, weights=Given(((0,),))), port=1, rule=rule),
            Projection("post", "neuron", Identity(weight=1)),
        ),
        n_ticks=400,
    )


def nearest_pairs(pre, post, rule):
    """Return the weight after two spike trains by the nearest-neighbour pair rule, written down from the trains."""
    ends = (*rule.zones, rule.window)

    def height(heights, distance):
        return next((h for h, end in zip(heights, ends, strict=True) if distance < end), 0)

    weight, n_ticks = 0, len(pre)
    spikes = [int(t) for t in np.flatnonzero(pre)]
    posts = [int(t) for t in np.flatnonzero(post)]
    # When each pair is counted: a postsynaptic spike after a presynaptic one at the row's next event, one before it
    # at the presynaptic spike.
    for k, tick in enumerate(spikes):
        after = spikes[k + 1] if k + 1 < len(spikes) else n_ticks + rule.window
        seen = min(after, tick + rule.window)
        later = [t for t in posts if tick <= t < seen]
        if later and seen < n_ticks:
            weight += height(rule.causal, later[0] - tick)
        before = spikes[k - 1] if k else -rule.window
        earlier = [t for t in posts if max(before, tick - rule.window) <= t < tick]
        if earlier:
            weight += height(rule.acausal, tick - 1 - earlier[-1])
        weight += rule.presynaptic
    return weight


@pytest.mark.parametrize("window", [16, 32])
@pytest.mark.parametrize("seed", range(6))
def test_forward_look_up_is_the_nearest_neighbour_pair_rule(window, seed):
    rule = HistoryRule(
        window=window,
        zones=(3, 7),
        causal=(32, 8, 2),
        acausal=(-16, -4, -1),
        presynaptic=1,
        by_word=(False, False, False),
        rounding=0,
    )
    rng = np.random.default_rng(seed)
    pre, post = rng.random(400) < 0.02 * (1 + seed), rng.random(400) < 0.08
    model = GraphModel(pair(rule))
    model.sample(
        np.zeros(0, dtype=np.uint8),
        seed=1,
        drive=Drive(learn=True, events={"pre": pre[:, None], "post": post[:, None]}),
    )
    assert int(model.weights["pre_to_neuron"][0, 0]) == nearest_pairs(pre, post, rule)
    assert model.counters()["neuron_spikes"] == post.sum()


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (PlasticityWord(lower=0, upper=10, inside=5, outside=-3), [-3, 5, 5, -3]),
        (PlasticityWord(lower=0, upper=10, inside=5, term="state", state=1, shift=2), [25, 30, -20, -25]),
        (PlasticityWord(lower=0, upper=10, inside=5, term="gated", state=1, shift=2), [0, 30, -20, 0]),
        (
            PlasticityWord(lower=0, upper=10, inside=5, term="below", state=1, shift=2, offset=7),
            [-18, -13, 37, 32],
        ),
        (PlasticityWord(inside=32767, term="state", state=1), [32767, 32767, 32667, 32667]),
    ],
)
def test_words(word, expected):
    x = np.array([[-1, 0, 9, 10], [100, 100, -100, -100]])
    assert word_of(word, x).tolist() == expected


def same(one, other):
    assert one.counters() == other.counters()
    for name, weights in one.weights.items():
        assert (weights == other.weights[name]).all(), name


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(machines(passes=True), st.integers(0, 1000))
def test_the_core_is_the_reference(graph, seed):
    reference, core = GraphModel(graph), CoreModel(graph, probes=True)
    rng = np.random.default_rng(seed)
    for number in range(4):
        spikes: dict[str, list[list[int]]] = {p.name: [] for p in graph.populations}
        states: dict[str, list[np.ndarray]] = {p.name: [] for p in graph.populations}

        def look(model, tick, spikes=spikes, states=states):
            for name, population in model.populations.items():
                spikes[name].append(list(tick.spikes[name]))
                states[name].append(population.neurons.x.copy())

        drive = Drive(
            learn=number != 2,
            clear=number in (0, 3),
            factor=int(rng.integers(-1, 2)),
            events={"host": rng.random((40, 4)) < 0.2},
            values={"push": int(rng.integers(-300, 300))},
            gains={"reward": int(rng.integers(-1, 2)), "again": 1},
        )
        image = rng.integers(0, 80, graph.n_pixels).astype(np.uint8)
        result = reference.sample(image, seed=seed, drive=drive, observer=look)
        assert core.sample(image, seed=seed, drive=drive) == result
        same(reference, core)
        for name, ticks in spikes.items():
            assert [np.flatnonzero(row).tolist() for row in core.spikes[name]] == ticks
            assert (core.states[name] == np.array(states[name])).all()


@pytest.mark.parametrize("name", ["tiny", "erbp-digits"])
def test_layers_in_a_row_run_on_the_core(name):
    from erbium import preset

    graph = chain(preset(name).network)
    core, array = CoreModel(graph), FastGraph(graph)
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (12, graph.n_pixels)).astype(np.uint8)
    labels = rng.integers(0, graph.n_classes, 12)
    seeds = np.arange(12, dtype=np.uint32)
    for some in (labels, None):
        one, other = core.run(images, seeds, some), array.run(images, seeds, some)
        for field in ("answers", "ticks", "ticks_to_decision"):
            assert (getattr(one, field) == getattr(other, field)).all()
    assert core.counters() == array.counters()
    assert core.counters()[f"{graph.populations[0].name}_weights_changed"] > 0
    same(core, array)


def machine():
    rule = HistoryRule(causal=(16, 8, 2), word=PlasticityWord(term="state", state=1))
    return Graph(
        "machine",
        (Source("pixels", 6), Source("host", 4, Events())),
        (Population("first", 5, NOISY, lasting=(1,)),),
        (
            Projection("pixels", "first", Dense(weights=Uniform(120)), rule=rule),
            Projection("host", "first", Dense(weights=Uniform(60))),
        ),
        modulators=(Modulator("reward", "first", 1, "first", 20),),
    )


WON = PlasticityWord(gate=1, lower=1, inside=1)
"""The word of neurons whose state 1 says that they have won."""


def winners(rule, weights):
    """Rows and neurons of whose words the initial state is all: neurons differ by what port 1 brought them."""
    program = NeuronProgram(
        name="winner",
        states=("v", "won"),
        operations=(Operation(0, "u0"), Operation(1, "u1")),
        n_ports=2,
        threshold=32767,
    )
    return Graph(
        "winners",
        (Source("rows", len(weights), Events()), Source("win", len(weights[0]), Events())),
        (Population("neurons", len(weights[0]), program),),
        (
            Projection("rows", "neurons", Dense(weights=Given(weights)), rule=rule),
            Projection("win", "neurons", Identity(weight=1), port=1),
        ),
        n_ticks=4,
    )


@pytest.mark.parametrize("model", [GraphModel, CoreModel])
@pytest.mark.parametrize("rows", ["all", "spiked"])
@pytest.mark.parametrize("factor", [-1, 0, 1])
def test_the_pass_at_the_end_moves_the_winner_alone(model, rows, factor):
    """In the mean of many samples the step is the asked one; a row that moved has one random number for all."""
    rule = EndRule(word=WON, rows=rows, up=4, down=3, lowest=0, highest=127)
    chip = model(winners(rule, ((60, 60, 60), (60, 60, 60))))
    here = np.zeros((2, 2), dtype=bool)
    here[0, 0] = True  # row 0 spikes in tick 0
    moved = []
    for seed in range(1, 401):
        chip.load({"rows_to_neurons": np.full((2, 3), 60)})
        chip.sample(
            np.zeros(0, dtype=np.uint8),
            seed=seed * 2654435761 % 2**32,
            drive=Drive(
                learn=True, factor=factor, events={"rows": here, "win": np.array([[True, False, True]])}
            ),
        )
        weights = chip.weights["rows_to_neurons"].astype(int)
        assert (weights[:, 1] == 60).all()
        assert (weights[:, 0] == weights[:, 2]).all()
        moved.append(weights[:, 0] - 60)
    up, down = np.mean(moved, axis=0)
    assert {int(m[0]) for m in moved} == ({4 * factor, 4 * factor + factor} if factor else {0})
    assert abs(up - factor * 67 / 16) < 0.08
    assert abs(down + (rows == "all") * factor * 60 / 8) < 0.08
    assert chip.counters()["neurons_rows_learned"] == 400 * abs(factor) * (2 if rows == "all" else 1)


@pytest.mark.parametrize("model", [GraphModel, CoreModel])
def test_rows_spike_for_their_own_sample_only(model):
    """A network that runs on forgets at `END` which rows spiked, whether it learned or not."""
    rule = EndRule(word=PlasticityWord(inside=1), rows="spiked", up=0, lowest=0, highest=127)
    chip = model(winners(rule, ((5,), (5,), (5,))))
    for number, (learn, factor) in enumerate(((False, 1), (True, 0), (True, 1))):
        events = {"rows": np.eye(3, dtype=bool)[number : number + 1]}
        drive = Drive(learn=learn, factor=factor, clear=number == 0, events=events)
        chip.sample(np.zeros(0, dtype=np.uint8), seed=1, drive=drive)
    assert chip.weights["rows_to_neurons"].ravel().tolist() == [5, 5, 127]


@pytest.mark.parametrize(
    "graph", [machine(), winners(EndRule(word=WON, rows="spiked", up=3, down=5, lowest=0), ((1, 2), (3, 4)))]
)
def test_a_graph_comes_back_from_its_text(graph):
    assert from_json(to_json(graph)) == graph


def test_it_is_written_and_read():
    graph = machine()
    renamed = from_json(to_json(graph).replace('"reward"', '"praise"').replace(digest(graph), digest(graph)))
    assert renamed.modulators[0].name == "praise"
    assert "learns by HistoryRule" in as_text(graph)
    assert "modulator reward: 20 for each spike of first -> port 1 of first" in as_text(graph)
    assert "Events" in as_svg(graph)


def test_a_network_runs_on():
    whole, parts = CoreModel(machine()), CoreModel(machine())
    image = np.full(6, 60, dtype=np.uint8)
    events = np.random.default_rng(1).random((90, 4)) < 0.3
    drive = Drive(learn=True, gains={"reward": 1}, events={"host": events})
    whole.sample(image, seed=9, n_ticks=90, drive=drive)
    rasters = []
    for number in range(3):
        part = replace(drive, clear=number == 0, events={"host": events[30 * number : 30 * number + 30]})
        parts.sample(image, seed=9 + number, n_ticks=30, drive=part)
        rasters.append(parts.spikes["first"])
    assert (np.concatenate(rasters) == whole.spikes["first"]).all()
    same_weights = [(whole.weights[name] == parts.weights[name]).all() for name in whole.weights]
    assert all(same_weights)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: HistoryRule(window=20), "window of a rule is 20 ticks"),
        (
            lambda: HistoryRule(causal=(3, 0, 0)),
            "a causal height of a rule is 3; it must be 0 or a power of two",
        ),
        (lambda: HistoryRule(zones=(5, 5)), "begin of the third zone is 5; it must be from 6 to 32"),
        (lambda: HistoryRule(rounding=17), "rounding of a rule is 17"),
        (
            lambda: PlasticityWord(term="square"),  # type: ignore[arg-type]
            "term of a plasticity word is 'square'",
        ),
        (lambda: Population("a", 1, REPEATER, lasting=(1,)), "lasting state of population 'a' is 1"),
        (
            lambda: replace(machine(), modulators=(Modulator("m", "pixels"),)),
            "modulator 'm' names 'pixels', a source",
        ),
        (lambda: replace(machine(), modulators=(Modulator("m", "none"),)), "there is no population 'none'"),
        (
            lambda: replace(machine(), modulators=(Modulator("first", "first"),)),
            "the name 'first' is there 2 times",
        ),
        (
            lambda: pair(HistoryRule(word=PlasticityWord(gate=1))),
            "'gate' of a plasticity word is 1, but program",
        ),
        (
            lambda: pair(HistoryRule(lowest=-200), width=8),
            "'lowest' of the rule of projection 'pre_to_neuron' is -200",
        ),
        (
            lambda: pair(EndRule(highest=200), width=8),
            "'highest' of the rule of projection 'pre_to_neuron' is 200",
        ),
        (lambda: pair(EndRule(word=WON)), "'gate' of a plasticity word is 1, but program"),
        (lambda: EndRule(up=9), "up of an end rule is 9; it must be from 0 to 8, a shift"),
        (lambda: EndRule(down=-1), "down of an end rule is -1; it must be from 0 to 8, a shift"),
        (lambda: EndRule(rows="some"), "rows of an end rule are 'some'; they must be one of"),  # type: ignore[arg-type]
        (lambda: EndRule(lowest=5, highest=4), "highest weight of a rule is 4; it must be from 5"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, says):
    with pytest.raises(DescriptionError) as caught:
        wrong()
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("drive", "says"),
    [
        (Drive(factor=2), "factor is 2; it must be -1, 0 or 1"),
        (Drive(events={"pixels": np.zeros((1, 6), dtype=bool)}), "no source 'pixels' takes events; host do"),
        (Drive(events={"host": np.zeros((1, 3), dtype=bool)}), "must be bool of shape (ticks, 4)"),
        (Drive(values={"praise": 1}), "there is no modulator 'praise'; there are reward"),
        (Drive(gains={"reward": 3}), "gain of modulator 'reward' is 3; it must be from -1 to 1"),
        (Drive(values={"reward": 40000}), "value of modulator 'reward' is 40000"),
    ],
)
@pytest.mark.parametrize("model", [GraphModel, CoreModel])
def test_a_drive_that_does_not_fit_changes_nothing(model, drive, says):
    one = model(machine())
    with pytest.raises(ValueError, match=re.escape(says)):
        one.sample(np.zeros(6, dtype=np.uint8), seed=1, drive=drive)
    assert one.counters()["samples"] == 0


def test_paths_that_do_not_have_a_part_say_so():
    from erbium.hdl.fit import check_hardware

    with pytest.raises(DescriptionError, match="the compiled path of layered graphs has none: use CoreModel"):
        FastGraph(machine())
    with pytest.raises(DescriptionError, match="the array has none; the core's models run it"):
        check_hardware(machine())
    with pytest.raises(DescriptionError, match="a rule that is no part of it, 'rows_to_neurons'"):
        check_hardware(replace(winners(EndRule(), ((1,),)), sources=(Source("rows", 1), Source("win", 1))))
    first_spike = chain(__import__("erbium").preset("first-spike-tiny").network)
    with pytest.raises(DescriptionError, match="the core does not have the readout FirstSpike"):
        CoreModel(first_spike)
    with pytest.raises(DescriptionError, match="the core does not have the readout FirstSpike"):
        CoreImage(first_spike, CoreHardware())
