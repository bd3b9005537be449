# SPDX-License-Identifier: BSD-2-Clause
"""The reference model of a graph: equal to that of layers in a row; other graphs by values made by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erbium.gen.presets import PRESETS, erbp_network, first_spike_network
from erbium.sw_model.array import ArrayModel, Tick
from erbium.sw_model.constants import hash64, named_stream
from erbium.sw_model.description.chain import chain
from erbium.sw_model.description.codec import from_json, to_json
from erbium.sw_model.description.connect import Dense, Given, Identity, RandomSigns, Sparse, Uniform
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import Bernoulli, Constant, Population, Projection, Source, SpikeCount
from erbium.sw_model.graph_fast.array import FastGraph
from erbium.sw_model.graph_model.array import GraphModel, GraphTick
from erbium.sw_model.graph_model.readout import NO_ANSWER
from erbium.sw_model.network import Network
from erbium.sw_model.programs import NeuronProgram, Operation
from erbium.sw_model.rules import ErbpRule, LatencyEncoder
from erbium.verif.graphs import graphs, recurrent

COUNTER = NeuronProgram(
    "counter", ("v",), (Operation(0, "u0"),), 1, 10, reset_mode=("set",), reset_value=(0,)
)
"""Adds up what comes, and spikes and starts again at 10."""


def images_of(n_inputs: int, count: int, seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    images = draw.integers(0, 256, (count, n_inputs), dtype=np.uint8)
    return np.where(draw.random(images.shape) < 0.2, images, 0).astype(np.uint8)


def compare(network: Network, count: int) -> None:
    """Run both models and compare every token, state, weight and counter."""
    graph = chain(network)
    layered, model = ArrayModel(network), GraphModel(graph)
    images = images_of(network.n_inputs, count, 5)
    seen: list[Tick] = []
    names = [f"layer{number + 1}" for number in range(len(network.layers))]

    def keep(_array: ArrayModel, tick: Tick) -> None:
        seen.append(tick)

    def look(graph_model: GraphModel, tick: GraphTick) -> None:
        other = seen[look_at[0]]
        look_at[0] += 1
        assert tick.number == other.number
        assert tick.stop == other.stop
        assert tick.spikes["input"] == other.input_spikes
        assert [tick.spikes[name] for name in names] == other.layer_spikes
        if graph_model.readout.learn:
            assert tick.spikes.get("error", []) == other.errors

    look_at = [0]
    for k in range(2 * count):
        label = k % network.n_classes if k % 3 else None
        seen.clear()
        look_at[0] = 0
        arguments: dict[str, Any] = {"seed": 1000 + k, "label": label}
        first = layered.sample(images[k % count], observer=keep, **arguments)
        assert model.sample(images[k % count], observer=look, **arguments) == first
        assert look_at[0] == len(seen)
        for name, layer in zip(names, layered.layers, strict=True):
            assert (model.populations[name].neurons.x == layer.population.x).all()
    assert model.counters() == layered.counters()
    for number, weights in enumerate(layered.weights):
        mine = [model.weights[p.name] for p in graph.stored(names[number])]
        assert (np.concatenate(mine) == weights).all()


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_the_same_as_a_graph(name: str) -> None:
    network = PRESETS[name].network
    compare(network, 1 if network.n_inputs > 100 else 4)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_chain_is_the_same_as_a_graph(data: st.DataObject) -> None:
    draw = data.draw
    hidden = draw(st.lists(st.integers(1, 9), max_size=3))
    sizes: dict[str, Any] = {"n_inputs": draw(st.integers(1, 12)), "n_classes": 2 * draw(st.integers(1, 3))}
    if draw(st.booleans()):
        network = erbp_network(
            "any",
            hidden,
            **sizes,
            weight_width=draw(st.integers(4, 12)),
            encoder=draw(st.sampled_from(["bernoulli", "phase"])),
            feedback=draw(st.sampled_from(["sign", "wide"])),
            quiet_ticks=draw(st.integers(0, 4)),
            decide_after=draw(st.integers(0, 2)),
            feedback_delay=draw(st.integers(1, 3)),
            synapse_keep=draw(st.sampled_from([256, 200])),
            neuron_keep=draw(st.sampled_from([256, 200])),
            noise_shift=draw(st.sampled_from([None, 2])),
            refractory=draw(st.integers(0, 2)),
            margin=draw(st.sampled_from([0, 320])),
            n_ticks=12,
        )
    else:
        network = first_spike_network(
            "any", hidden or [4], **sizes, thresholds=[90] * (len(hidden or [4]) + 1)
        )
    compare(network, 3)


def test_a_recurrent_graph_runs_without_a_label_and_without_an_answer() -> None:
    model = GraphModel(recurrent())
    result = model.sample(images_of(6, 1, 2)[0] | 64, seed=9)
    assert (result.answer, result.ticks) == (NO_ANSWER, 1000)
    counters = model.counters()
    assert counters["excite_spikes"] > 20
    assert counters["inhibit_spikes"] > 5


def agree(graph: Graph, count: int, seed: int) -> tuple[GraphModel, FastGraph]:
    """Learn and infer on both paths; compare every answer, weight and counter."""
    model, fast = GraphModel(graph), FastGraph(graph)
    images = images_of(graph.n_pixels, count, seed)
    seeds, labels = np.arange(count) + seed, np.arange(count) % max(graph.n_classes, 1)
    for rates in ({}, {name: rate // 2 for name, rate in graph.rates.items()}):
        for chosen in (labels, None):
            for chip in (model, fast):
                chip.set_rates(rates)
            first, second = model.run(images, seeds, chosen), fast.run(images, seeds, chosen)
            for name in ("answers", "ticks", "ticks_to_decision"):
                assert (getattr(first, name) == getattr(second, name)).all()
    assert model.counters() == fast.counters()
    assert list(model.weights) == list(fast.weights)
    for name, weights in model.weights.items():
        assert (weights == fast.weights[name]).all()
    return model, fast


def test_a_recurrent_graph_is_the_same_compiled() -> None:
    model, _ = agree(recurrent(), 1, 2)
    assert model.counters()["excite_spikes"] > 20


@settings(max_examples=60, deadline=None)
@given(graphs(), st.integers(0, 1000))
def test_any_graph_is_the_same_compiled(graph: Graph, seed: int) -> None:
    agree(graph, 4, seed)


@settings(max_examples=40, deadline=None)
@given(graphs())
def test_any_graph_survives_json(graph: Graph) -> None:
    assert from_json(to_json(graph)) == graph


@pytest.mark.parametrize("delay", [1, 2, 5])
def test_a_delay_is_counted_in_ticks(delay: int) -> None:
    graph = Graph(
        name="delayed",
        sources=(Source("drive", 1, Constant()),),
        populations=(Population("first", 1, COUNTER), Population("second", 1, COUNTER)),
        projections=(
            Projection("drive", "first", Dense(weights=Given(((5,),)))),
            Projection("first", "second", Dense(weights=Given(((10,),))), delay=delay),
        ),
        n_ticks=12,
    )
    spikes: dict[str, list[int]] = {"first": [], "second": []}

    def look(_model: GraphModel, tick: GraphTick) -> None:
        for name, ticks in spikes.items():
            ticks += [tick.number] * len(tick.spikes[name])

    GraphModel(graph).sample(np.zeros(0, dtype=np.uint8), seed=1, observer=look)
    assert spikes["first"] == [1, 3, 5, 7, 9, 11]
    assert spikes["second"] == [tick + delay for tick in spikes["first"] if tick + delay < 12]


def test_what_is_in_flight_at_the_end_does_not_reach_the_next_sample() -> None:
    model = GraphModel(recurrent(n_ticks=20))
    image = images_of(6, 1, 2)[0] | 64
    seen: list[object] = []

    def look(_model: GraphModel, tick: GraphTick) -> None:
        seen.append((tick.number, tick.spikes))

    model.sample(image, seed=3, observer=look)
    first = list(seen)
    seen.clear()
    model.sample(image, seed=3, observer=look)
    assert seen == first


def test_sparse_projections_reach_their_targets_only() -> None:
    graph = Graph(
        name="sparse",
        sources=(Source("drive", 2, Constant()),),
        populations=(Population("cells", 4, COUNTER),),
        projections=(
            Projection(
                "drive", "cells", Sparse(weights=Given(((1, 2, 3, 4), (5, 6, 7, 8))), targets=((0, 2), (2,)))
            ),
        ),
        n_ticks=1,
    )
    model = GraphModel(graph)
    model.sample(np.zeros(0, dtype=np.uint8), seed=1)
    assert model.populations["cells"].neurons.x[0].tolist() == [1, 0, 0, 0]  # 3 + 7 make neuron 2 spike
    assert model.counters()["cells_spikes"] == 1
    assert model.counters()["cells_synaptic_operations"] == 3


def test_two_sources_share_the_pixels_of_a_sample() -> None:
    graph = Graph(
        name="eyes",
        sources=(Source("left", 2, Bernoulli()), Source("right", 3, Bernoulli())),
        populations=(Population("cells", 2, COUNTER),),
        projections=(
            Projection("left", "cells", Dense(weights=Given(((1, 0),) * 2))),
            Projection("right", "cells", Dense(weights=Given(((0, 1),) * 3))),
        ),
        n_ticks=8,
    )
    assert graph.n_pixels == 5
    assert not graph.one_bit_pixels
    model = GraphModel(graph)
    model.sample(np.array([0, 0, 255, 255, 255], dtype=np.uint8), seed=4)
    left, right = model.populations["cells"].counters.spikes, model.populations["cells"].neurons.x[0]
    assert right[0] == 0
    assert left >= 1


def test_one_bit_says_whether_a_pixel_spikes() -> None:
    def graph(*levels: tuple[tuple[int, int], ...]) -> Graph:
        base = chain(PRESETS["first-spike-tiny"].network)
        source = next(one for one in base.sources if isinstance(one.encoder, LatencyEncoder))
        others = tuple(one for one in base.sources if one is not source)
        more = [
            replace(source, name=f"eye{k}", encoder=LatencyEncoder(one)) for k, one in enumerate(levels[1:])
        ]
        return replace(base, sources=(replace(source, encoder=LatencyEncoder(levels[0])), *more, *others))

    assert graph(((128, 0),)).one_bit_pixels
    assert graph(((90, 1),), ((90, 0),)).one_bit_pixels
    assert not graph(((128, 0),), ((90, 0),)).one_bit_pixels
    assert not graph(((128, 0), (64, 1))).one_bit_pixels


def test_a_recurrent_population_may_learn() -> None:
    hidden = PRESETS["tiny"].network.layers[0].program
    base = chain(PRESETS["tiny"].network)
    more = Projection("layer1", "layer1", Dense(weights=Uniform(8)), delay=2, rule=ErbpRule(), name="loop")
    graph = replace(base, projections=(*base.projections, more))
    assert graph.population("layer1").program is hidden
    model = GraphModel(graph)
    before = model.weights["loop"].copy()
    images = images_of(16, 20, 3)
    model.run(images, np.arange(20), np.arange(20) % 4)
    assert (model.weights["loop"] != before).any()
    assert model.weights["loop"].shape == (12, 12)


def test_a_name_stands_for_a_number_of_random_streams() -> None:
    # By the hash of the page on constants, written there in Python.
    assert named_stream("input") == int(hash64(8, *b"input")) & 0xFFFF_FFFF | 0x10000
    assert named_stream("input") != named_stream("inputs")
    assert all(named_stream(name) >= 0x10000 for name in ("a", "b", "excite"))


def test_rates_have_names_and_bounds() -> None:
    graph = chain(PRESETS["tiny"].network)
    assert list(graph.rates.values()) == list(PRESETS["tiny"].network.rates)
    model = GraphModel(graph)
    model.set_rates({"error_to_layer1": 3})
    with pytest.raises(ValueError, match=r"rate 'layer9' is set to 1; the graph has error_to_layer1 \(0 to"):
        model.set_rates({"layer9": 1})
    assert list(chain(PRESETS["first-spike-tiny"].network).rates.values()) == [65536, 65536]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda: recurrent(
                projections=(*recurrent().projections, Projection("inhibit", "excite", Identity(1)))
            ),
            "the name 'inhibit_to_excite' is there 2 times",
        ),
        (
            lambda: recurrent(
                projections=(*recurrent().projections, Projection("inhibit", "excite", Dense(), name="again"))
            ),
            "projection 'again' from 'inhibit' to 'excite' has delay 0, but its source is not swept before its target; "
            "give it a delay of at least 1, or list the source first",
        ),
        (
            lambda: recurrent(
                projections=(Projection("input", "excite", Dense(), port=1), *recurrent().projections[1:])
            ),
            "projection 'input_to_excite' ends on port 1 of 'excite', whose program 'lif' has ports 0 to 0",
        ),
        (
            lambda: recurrent(
                projections=(Projection("nobody", "excite", Dense()), *recurrent().projections[1:])
            ),
            "begins at 'nobody', which is not there; there are input, drive, excite, inhibit",
        ),
        (
            lambda: recurrent(
                projections=(
                    Projection("input", "excite", Dense(), rule=ErbpRule()),
                    *recurrent().projections[1:],
                )
            ),
            "modulator is 1 but program 'lif' has states 0 to 0",
        ),
        (
            lambda: recurrent(
                projections=(Projection("input", "excite", Identity(2)), *recurrent().projections[1:])
            ),
            r"projection 'input_to_excite' is an identity \(pairs: none\) from 6 to 8 neurons; it needs 6 targets",
        ),
        (
            lambda: Projection("input", "excite", RandomSigns(300)),
            "weight of random signs is 300; it must be from 0 to 255",
        ),
        (
            lambda: Projection("input", "excite", Identity(2), rule=ErbpRule()),
            "projection 'input_to_excite' has the rule ErbpRule, but a connectivity Identity, whose weights are fixed",
        ),
        (
            lambda: recurrent(readout=SpikeCount("excite", quiet="nobody", quiet_ticks=2)),
            "there is no population 'nobody'; there are 'excite', 'inhibit'",
        ),
        (lambda: Source("a b", 3), "the name of a source is 'a b'; it must begin with a letter"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(change: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        change()  # type: ignore[operator]
