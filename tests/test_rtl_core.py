# SPDX-License-Identifier: BSD-2-Clause
"""The core in hardware against its model: every spike, state, weight, counter and answer."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from erbium import preset
from erbium.gen.core_chip import CoreChip, CoreError
from erbium.gen.core_image import CoreImage
from erbium.hdl.core.layouts import layout_of
from erbium.sw_model.core.fast import CoreModel
from erbium.sw_model.description import machine
from erbium.sw_model.description.chain import chain
from erbium.sw_model.description.codec import digest
from erbium.sw_model.description.connect import Dense, Uniform
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.machine import CoreHardware, Record
from erbium.sw_model.description.parts import Constant, Population, Projection, Source
from erbium.sw_model.graph_model.drive import Drive
from erbium.sw_model.programs import DescriptionError, lif
from erbium.sw_model.rules import HistoryRule
from erbium.verif.core_library import SMALL, CoreRtl
from erbium.verif.graphs import graphs
from erbium.verif.random_machines import machines

pytestmark = pytest.mark.verilator

drawn = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@pytest.fixture(scope="module")
def rtl():
    return CoreRtl(chain(preset("tiny").network), SMALL, probes=True)


def compare(graph, rtl, samples):
    """Load a graph and present samples to it and to its model."""
    model = CoreModel(graph, probes=True)
    rtl.load_graph(graph)
    for number, (image, options, rates) in enumerate(samples):
        for chip in (model, rtl):
            chip.set_rates(rates)
        expected, got = (chip.sample(image, **options) for chip in (model, rtl))
        for name, spikes in model.spikes.items():
            assert np.array_equal(spikes, rtl.spikes[name]), (number, name)
            assert np.array_equal(model.states[name], rtl.states[name]), (number, name)
        assert got == expected, number
        weights = rtl.weights
        assert weights.keys() == model.weights.keys()
        for name, values in model.weights.items():
            assert np.array_equal(values, weights[name]), (number, name)
        assert rtl.counters() == model.counters(), number


def machine_samples(graph, seed):
    """Samples that clear and that run on, learned and not, with events, rewards and every factor."""
    rng = np.random.default_rng(seed)
    for number in range(4):
        events = {source.name: rng.random((40, source.size)) < 0.2 for source in graph.event_sources}
        drive = Drive(
            learn=number != 2,
            clear=number in (0, 3),
            factor=int(rng.integers(-1, 2)),
            events=events,
            values={"push": int(rng.integers(-300, 300))},
            gains={"reward": int(rng.integers(-1, 2)), "again": 1},
        )
        image = rng.integers(0, 80, graph.n_pixels).astype(np.uint8)
        yield image, {"seed": seed, "drive": drive}, {}


def layered_samples(graph, seed):
    """Samples with labels and without, with half of the learning rates from the third one on."""
    rng = np.random.default_rng(seed)
    for number in range(5):
        image = rng.integers(0, 256, graph.n_pixels).astype(np.uint8)
        image[rng.random(graph.n_pixels) < 0.3] = 0
        label = int(rng.integers(0, max(graph.n_classes, 1))) if number % 3 else None
        rates = {name: full // 2 for name, full in graph.rates.items()} if number >= 3 else {}
        drive = Drive(clear=number != 4, factor=(1, -1, 0)[number % 3])
        yield image, {"seed": number, "label": label, "drive": drive}, rates


@drawn
@given(machines(passes=True), st.integers(0, 1000), st.booleans())
def test_machines_with_histories_and_rewards(rtl, graph, seed, learns):
    if not learns:
        graph = replace(graph, projections=tuple(replace(p, rule=None) for p in graph.projections))
    compare(graph, rtl, machine_samples(graph, seed))


@drawn
@given(graphs(), st.integers(0, 1000))
def test_graphs_of_every_connectivity_encoder_and_readout(rtl, graph, seed):
    compare(graph, rtl, layered_samples(graph, seed))


def test_a_preset_learns_as_a_graph(rtl):
    graph = chain(preset("tiny").network)
    compare(graph, rtl, [sample for seed in range(3) for sample in layered_samples(graph, seed)])
    assert rtl.counters()["layer1_weights_changed"] > 0


COUNTS = [(1, 1), (4, 4), (16, 2), (32, 8)]


@pytest.mark.long
@pytest.mark.parametrize(("lanes", "units"), COUNTS)
def test_lanes_and_units_change_no_integer(lanes, units):
    chip = CoreRtl(chain(preset("tiny").network), CoreHardware(lanes=lanes, units=units), probes=True)

    @settings(drawn, max_examples=30)
    @given(machines(passes=True), graphs(), st.integers(0, 1000))
    def same(graph, layered, seed):
        compare(graph, chip, machine_samples(graph, seed))
        compare(layered, chip, layered_samples(layered, seed))

    same()
    digits = chain(preset("erbp-digits").network)
    compare(digits, chip, layered_samples(digits, 1))


def clocks_of_a_tick(rtl, sizes, n_inputs, n_projections, spiking):
    """Count the clocks of a tick in which no neuron spikes, of neurons that do two operations.

    A pixel of each projection never spikes; a source with one synapse for each neuron does in every tick if `spiking`.
    """
    names = [f"population{number}" for number in range(len(sizes))]
    projections = [
        Projection("pixels", name, Dense(8, Uniform(9)), name=f"{name}_{number}")
        for name in names
        for number in range(n_projections)
    ]
    if spiking:
        projections += [Projection("bias", name, Dense(8, Uniform(1))) for name in names]
    taken = []
    for n_ticks in (10, 30):
        graph = Graph(
            "quiet",
            (Source("pixels", n_inputs), *([Source("bias", 1, Constant())] if spiking else [])),
            tuple(Population(name, size, lif()) for name, size in zip(names, sizes, strict=True)),
            tuple(projections),
            n_ticks=n_ticks,
        )
        rtl.load_graph(graph)
        rtl.sample(np.zeros(n_inputs, dtype=np.uint8), seed=1)
        taken.append(rtl.clocks)
    return (taken[1] - taken[0]) / 20


@pytest.mark.parametrize("n_inputs", [16, 40])
@pytest.mark.parametrize(("sizes", "n_projections"), [((4,), 1), ((8,), 2), ((4, 6), 1), ((9, 4, 5), 3)])
@pytest.mark.parametrize("spiking", [False, True])
def test_a_tick_takes_what_its_parts_say(rtl, sizes, n_projections, n_inputs, spiking):
    # Two lanes and one unit: a part of a sweep is one neuron, of two operations; a word of synapses is two.
    sweeps = sum(13 + 3 * size for size in sizes)
    silent_rows = 4 + -(-n_inputs // 16)
    one_row = [12 + -(-size // 2) if spiking else 0 for size in sizes]
    expected = 3 + sweeps + len(sizes) * n_projections * silent_rows + sum(one_row)
    assert clocks_of_a_tick(rtl, sizes, n_inputs, n_projections, spiking) == expected


@pytest.mark.parametrize("name", ["NETWORK", "POPULATION", "PROJECTION", "BEGINNING", "SOURCE", "OPERATION"])
def test_hardware_reads_the_bits_that_the_host_packs(name):
    record: Record = getattr(machine, name)
    layout = layout_of(record)
    for chosen, (_, field) in record.offsets.items():
        value = -1 if field.signed else (1 << field.width) - 1
        words = record.pack({each: value if each == chosen else 0 for each in record.offsets})
        bits = sum(word << (64 * number) for number, word in enumerate(words))
        view = layout.from_bits(bits)
        assert view[chosen] == value
        assert all(view[other] == 0 for other in record.offsets if other != chosen)


def net(size=4, inputs=4, width=8, **more):
    fields = {
        "sources": (Source("pixels", inputs),),
        "populations": (Population("neurons", size, lif()),),
        "projections": (Projection("pixels", "neurons", Dense(width, Uniform(9))),),
    }
    return Graph("net", **(fields | more))


@pytest.mark.parametrize(
    ("graph", "hardware", "says"),
    [
        (net(520), SMALL, "it takes 260 words of 2 neurons of 256, 4 too many"),
        (net(200, 100), SMALL, "it takes 10000 words of 2 weights of 8192, 1808 too many"),
        (net(width=12), replace(SMALL, weight_width=8), "have 12 bits; those of this core have 8"),
        (
            net(
                projections=(
                    Projection("pixels", "neurons", Dense(8, Uniform(9)), rule=HistoryRule(causal=(1, 1, 1))),
                )
            ),
            replace(SMALL, window=16),
            "looks at 32 ticks; this core keeps 16",
        ),
        (chain(preset("first-spike-tiny").network), SMALL, "the core does not have the readout FirstSpike"),
    ],
)
def test_what_does_not_fit_is_said(graph, hardware, says):
    with pytest.raises(DescriptionError, match=re.escape(says)):
        CoreImage(graph, hardware)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"lanes": 3}, "'lanes' of a core is 3; it must be a power of two"),
        ({"lanes": 4, "units": 8}, "'units' of a core is 8; it must be from 1 to 4"),
        ({"weight_width": 12}, "'weight_width' of a core is 12; it must be 8 or 16"),
        ({"window": 20}, "'window' of a core is 20; it must be 16 or 32"),
        ({"pixels": 0}, "'pixels' of a core is 0; it must be from 2 to 65536"),
    ],
)
def test_a_core_that_cannot_be_built_is_refused(options, says):
    with pytest.raises(DescriptionError, match=re.escape(says)):
        CoreHardware(**options)


def test_a_graph_that_does_not_fit_leaves_the_one_before(rtl):
    graph = net()
    rtl.load_graph(graph)
    image = np.full(4, 200, dtype=np.uint8)
    before = rtl.sample(image, seed=1)
    with pytest.raises(DescriptionError, match="does not fit this core"):
        rtl.load_graph(net(520))
    assert rtl.graph is graph
    assert rtl.sample(image, seed=1) == before
    with pytest.raises(ValueError, match="a weight of projection 'pixels_to_neurons' is 200; its bounds are"):
        rtl.load({"pixels_to_neurons": np.full((4, 4), 200)})
    with pytest.raises(ValueError, match="no weights of a projection 'none'"):
        rtl.load({"none": np.zeros((4, 4))})


def test_a_core_says_how_large_it_is_and_what_is_loaded(rtl):
    assert rtl.hardware == SMALL
    for graph in (net(), chain(preset("tiny").network)):
        rtl.load_graph(graph)
        assert rtl.loaded
        assert rtl.digest == digest(graph)


def test_a_loading_that_is_interrupted_leaves_a_core_that_says_so_and_takes_the_next_network(
    rtl, monkeypatch
):
    graph, image = net(), np.full(4, 200, dtype=np.uint8)
    rtl.load_graph(graph)
    expected = rtl.sample(image, seed=3)
    write, writes = rtl.port.write, []

    def interrupted(*access):
        writes.append(access)
        if len(writes) == 4:
            raise KeyboardInterrupt
        write(*access)

    with monkeypatch.context() as patch:
        patch.setattr(rtl.port, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            rtl.load_graph(graph)
    assert not rtl.loaded
    with pytest.raises(
        CoreError,
        match="no whole network is loaded: loading was interrupted, or the board was switched on anew",
    ):
        rtl.sample(image, seed=3)
    rtl.load_graph(graph)
    assert rtl.sample(image, seed=3) == expected


@pytest.mark.parametrize(
    ("place", "says"),
    [
        (machine.Info.MAGIC, "what answers is no core: it says 0x7 and not"),
        (machine.Info.VERSION, "the core has tables of version 7, this host writes those of version 3"),
    ],
)
def test_what_is_no_core_is_not_loaded(place, says):
    class Port:
        def read(self, window, address, count):
            values = {machine.Info.MAGIC: machine.MAGIC, machine.Info.VERSION: machine.TABLES_VERSION} | {
                place: 7
            }
            return np.array([values[address]], dtype=np.uint32)

        def write(self, window, address, contents):
            raise AssertionError("nothing may be written")

        def present(self, tokens, n_ticks):
            raise AssertionError("nothing may be sent")

    with pytest.raises(CoreError, match=re.escape(says)):
        CoreChip(Port())
