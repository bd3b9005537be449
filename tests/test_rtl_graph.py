# SPDX-License-Identifier: BSD-2-Clause
"""Arrays of graphs that are no chain: recurrent, with several sources, without a readout."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from erbium.fpga.driver import BoardArray
from erbium.fpga.simulated import simulated_chip
from erbium.gen.graph_chip import GraphChip
from erbium.gen.presets import PRESETS, preset
from erbium.hdl.fit import check_hardware
from erbium.hdl.population import engine_populations
from erbium.sw_model.description.chain import chain
from erbium.sw_model.description.connect import Dense, Identity, Sparse, Uniform
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import Bernoulli, Constant, Population, Projection, Source, SpikeCount
from erbium.sw_model.graph_fast.array import FastGraph
from erbium.sw_model.graph_model.array import GraphModel
from erbium.sw_model.network import Hardware
from erbium.sw_model.programs import DescriptionError, lif
from erbium.verif.graphs import recurrent
from erbium.verif.library import RtlChip
from erbium.verif.random_graphs import search

SEEDS = np.array([7, 8], dtype=np.uint32)


@pytest.fixture(scope="module")
def ring():
    """A recurrent network, samples of 1,000 ticks, and what its reference made of them."""
    graph = recurrent()
    images = np.random.default_rng(3).integers(0, 256, (2, graph.n_pixels)).astype(np.uint8)
    model = GraphModel(graph)
    return graph, images, model, model.run(images, SEEDS)


def compare(chip, images, model, expected):
    got = chip.run(images, SEEDS)
    for field in ("answers", "ticks", "ticks_to_decision"):
        assert getattr(got, field).tolist() == getattr(expected, field).tolist()
    assert chip.counters() == model.counters()
    assert all((chip.weights[name] == values).all() for name, values in model.weights.items())


def test_a_recurrent_network_on_the_compiled_path(ring):
    graph, *expected = ring
    compare(FastGraph(graph), *expected)


@pytest.mark.slow
@pytest.mark.verilator
@pytest.mark.parametrize("lanes", [1, 3, 8])
def test_a_recurrent_network_on_the_hardware(ring, lanes):
    graph, *expected = ring
    compare(GraphChip(graph, RtlChip(graph, Hardware(lanes=lanes))), *expected)


@pytest.mark.slow
@pytest.mark.verilator
def test_a_recurrent_network_on_the_simulated_board(ring):
    graph, *expected = ring
    line = simulated_chip(
        graph, Hardware(lanes=3), clock_frequency=25_000_000, baud_rate=1_000_000, buffer_bytes=2048
    )
    board = BoardArray(graph, line)
    compare(GraphChip(graph, board), *expected)
    board.close()


@pytest.mark.slow
def test_random_networks_on_the_hardware():
    seen: list[Graph] = []
    search(4, 11, seen.append)
    assert len(seen) >= 4


@pytest.mark.parametrize("name", PRESETS)
def test_the_hardware_takes_every_preset_as_a_graph(name):
    network = preset(name).network
    check_hardware(chain(network))
    for population, layer, weights in zip(
        engine_populations(network), network.layers, network.initial_weights(), strict=True
    ):
        assert (population.weight_min, population.weight_max) == (layer.weight_min, layer.weight_max)
        assert population.rate.full == layer.full_rate
        assert (population.initial_rows() == weights).all()


SIDE_BY_SIDE = """
from erbium.gen.verilog import component_rtlil
from erbium.hdl.array import ErbiumArray
from erbium.sw_model.description.connect import Dense
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import Population, Projection, Source
from erbium.sw_model.programs import lif

names = ("one", "two", "three", "four")
graph = Graph(
    "side-by-side",
    (Source("input", 5),),
    tuple(Population(name, 3, lif()) for name in names),
    tuple(Projection("input", name, Dense()) for name in names),
)
print(component_rtlil(ErbiumArray(graph), "top"))
"""


def test_the_text_of_a_graph_does_not_depend_on_the_run():
    texts = {
        subprocess.run(
            [sys.executable, "-c", SIDE_BY_SIDE],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(texts) == 1


RING = recurrent()
TINY = chain(preset("tiny").network)
FIRST = chain(preset("first-spike-tiny").network)


def with_projection(graph, name, **fields):
    """Change one projection."""
    changed = [replace(p, **fields) if p.name == name else p for p in graph.projections]
    return replace(graph, projections=tuple(changed))


def more(graph, *projections):
    """Add projections."""
    return replace(graph, projections=(*graph.projections, *projections))


@pytest.mark.parametrize(
    ("graph", "says"),
    [
        (
            with_projection(
                RING, "excite_to_inhibit", connect=Sparse(targets=((0,),) * 8, weights=Uniform(9))
            ),
            "projection 'excite_to_inhibit' is Sparse; the array keeps a weight for every pair",
        ),
        (
            with_projection(RING, "excite_to_excite", connect=Dense(width=6)),
            "the projections onto population 'excite' have [6, 8] as bits of a weight; the array has one",
        ),
        (
            with_projection(RING, "excite_to_excite", connect=Dense(keep=99)),
            "have [99, 256] as synaptic blank-out",
        ),
        (
            replace(RING, sources=(Source("input", 6, Constant()), RING.sources[1])),
            "no source of the graph takes pixels; the array needs one",
        ),
        (
            replace(
                RING,
                populations=(*RING.populations, Population("third", 8, lif())),
                projections=(*RING.projections, Projection("excite", "third", Identity(3))),
            ),
            "projection 'excite_to_third' ends on population 'third', which has no stored weights",
        ),
        (
            more(RING, Projection("inhibit", "inhibit", Identity(5), delay=1, name="own")),
            "projection 'own' reaches port 0 of population 'inhibit' without stored weights",
        ),
        (
            with_projection(TINY, "bias_to_layer1", rule=None),
            "projection 'bias_to_layer1' onto population 'layer1' is fixed while others learn",
        ),
        (
            with_projection(TINY, "error_to_layer2", connect=Identity(-3, "source")),
            "projection 'error_to_layer2' onto port 1 of population 'layer2' has the weight -3",
        ),
        (
            replace(TINY, readout=replace(SpikeCount("layer2"), quiet="layer1", quiet_ticks=2)),
            "the readout waits for the silence of 'layer1'",
        ),
        (
            with_projection(FIRST, "input_to_layer1", rule=None),
            "projection 'input_to_layer1' of a first-spike graph has the rule None",
        ),
        (
            with_projection(FIRST, "layer1_to_layer2", connect=Dense(keep=99)),
            "keep of projection 'layer1_to_layer2' is 99; in a first-spike graph of the array only neurons",
        ),
        (
            with_projection(FIRST, "input_to_layer1", when="learn"),
            "population 'layer1' of a first-spike graph gets 'input'; in the array its only input is 'input', at once",
        ),
        (
            replace(FIRST, sources=(Source("input", 16, Bernoulli()),)),
            "source 'input' of a first-spike graph has the encoder Bernoulli",
        ),
        (
            replace(FIRST, populations=(FIRST.populations[0], replace(FIRST.populations[1], keep=99))),
            "keep of population 'layer2' is 99; in the array no class is blanked out",
        ),
    ],
)
def test_what_the_hardware_cannot_have_is_said(graph, says):
    with pytest.raises(DescriptionError) as caught:
        check_hardware(graph)
    assert says in str(caught.value)
