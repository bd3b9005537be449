# SPDX-License-Identifier: BSD-2-Clause
"""How a layer is planned: parts, stages, and the clocks that follow from them."""

from dataclasses import replace
from itertools import product
from unittest.mock import patch

import pytest
from amaranth.hdl import Fragment, Module, Signal
from amaranth.sim import Simulator

from erbium.gen.presets import PRESETS, preset
from erbium.hdl.bounds import above, exceeds
from erbium.hdl.hazard import Hazard, HazardError
from erbium.hdl.layer import LayerEngine
from erbium.hdl.plan import LayerPlan, channel_spikes
from erbium.sw_model.network import Hardware

TINY = preset("tiny").network


@pytest.mark.parametrize(("lanes", "units"), [(1, 1), (5, 2), (12, 5), (64, 0), (19, 5), (4, 3)])
def test_a_sweep_meets_each_neuron_once(lanes, units):
    network = replace(TINY, layers=(replace(TINY.layers[0], n_neurons=37), *TINY.layers[1:]))
    plan = LayerPlan(network, 0, Hardware(lanes=lanes, neuron_units=units))
    found = [neuron for place in range(plan.places) for neuron in plan.neurons_at(place)]
    assert sorted(neuron for neuron in found if neuron is not None) == list(range(37))
    assert len(found) == plan.places * plan.units
    # A token names the neurons of a word, so a word is swept before the next one.
    words = [
        {neuron // plan.lanes for neuron in plan.neurons_at(place) if neuron is not None}
        for place in range(plan.places)
    ]
    assert all(word <= {place // plan.parts} for place, word in enumerate(words))


def test_units_of_single_layers():
    hardware = Hardware(lanes=12, neuron_units=3, layer_neuron_units=(0, 2))
    assert [LayerPlan(TINY, number, hardware).parts for number in range(2)] == [4, 2]
    assert LayerPlan(TINY, 0, Hardware(lanes=12)).parts == 1


def test_where_two_rows_go_together():
    two = Hardware(rows_per_clock=2)
    assert [LayerPlan(TINY, number, two).rows.at_once for number in range(2)] == [2, 2]
    assert [channel_spikes(TINY, two, name) for name in ("input", "layer1", "layer2")] == [2, 2, 1]
    assert LayerPlan(TINY, 0, Hardware()).rows.at_once == channel_spikes(TINY, Hardware(), "input") == 1
    # A mask for each row; a memory with one port; rows that all may change.
    masked = replace(TINY, layers=(replace(TINY.layers[0], synapse_keep=200), *TINY.layers[1:]))
    assert [LayerPlan(masked, number, two).rows.at_once for number in range(2)] == [1, 2]
    assert LayerPlan(TINY, 0, replace(two, layer_memories=("spram",))).rows.at_once == 1
    assert LayerPlan(preset("first-spike-tiny").network, 0, two).rows.at_once == 1


@pytest.mark.parametrize("name", PRESETS)
def test_no_plan_of_a_preset_has_a_hazard(name):
    network = preset(name).network
    for lanes, latency, kind, units in product((1, 3, 16, 64, 200), (2, 3), ("", "short", "rows"), (0, 1, 4)):
        hardware = Hardware(
            lanes=lanes,
            memory_latency=latency,
            short_pipelines=kind == "short",
            neuron_units=units,
            rows_per_clock=1 + (kind == "rows"),
        )
        for number in range(len(network.layers)):
            LayerPlan(network, number, hardware).check()


def test_a_hazard_is_refused_when_a_layer_is_elaborated():
    layer = LayerEngine(TINY, 0, Hardware(lanes=4))
    with (
        patch.object(LayerPlan, "hazards", (Hazard("states", 2, 5, settles=False),)),
        pytest.raises(HazardError, match="states of layer1: 2 clocks from one slot to the next; it takes 5"),
    ):
        Fragment.get(layer, None)


def test_comparisons_with_constants():
    for width in (1, 2, 5):
        limits = range(-(1 << width), 1 << width)
        m, value = Module(), Signal(width)
        outputs = [(Signal(), Signal()) for _ in limits]
        for limit, (signed, unsigned) in zip(limits, outputs, strict=True):
            m.d.comb += [
                signed.eq(above(value.as_signed(), limit)),
                unsigned.eq(exceeds(value, max(limit, -1))),
            ]

        async def bench(ctx, value=value, outputs=outputs, limits=limits, width=width):
            for number in range(1 << width):
                ctx.set(value, number)
                signed = number - (number >> width - 1 << width)
                got = [(ctx.get(a), ctx.get(b)) for a, b in outputs]
                assert got == [(signed > limit, number > max(limit, -1)) for limit in limits]

        simulation = Simulator(m)
        simulation.add_testbench(bench)
        simulation.run()
