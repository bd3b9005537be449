# SPDX-License-Identifier: BSD-2-Clause
"""The memory planner: lanes, memories, what fits and what is said of what does not."""

import re

import pytest
from amaranth.back import rtlil

from erbium.fpga.boards import BOARDS, board
from erbium.fpga.chip_memories import synapse_memories
from erbium.fpga.design import chip
from erbium.fpga.inventory import other_memories
from erbium.fpga.memories import Memory
from erbium.fpga.planner import plan, with_hidden
from erbium.gen.presets import preset
from erbium.sw_model.network import Hardware
from erbium.sw_model.programs import DescriptionError

ULX3S_85F, ULX3S_25F = board("ulx3s-85f"), board("ulx3s-25f")
ICEBREAKER = board("icebreaker")


def network(name):
    return preset(name).network


def test_four_words_for_each_row():
    planned = plan(ULX3S_85F, network("erbp-mnist-200"), 64)
    assert planned.fits
    assert planned.lanes == planned.hardware.lanes == 64
    first, second = planned.memories[:2]
    # 785 rows of four words of 64 weights; the last word of a row is an eighth full.
    assert (first.memory.depth, first.memory.width, first.words_per_row) == (3140, 512, 4)
    assert (second.memory.depth, second.memory.width, second.words_per_row) == (201, 80, 1)
    assert first.resource == second.resource == "block RAM"
    # 57 columns of 9 bits and two banks of 2,048 rows; 5 columns of 18 bits.
    assert (first.count, second.count) == (114, 5)
    assert first.wasted == pytest.approx(1 - 3140 * 512 / (114 * 18_432))
    assert planned.require() is planned


def test_a_word_for_each_row_of_many_lanes():
    planned = plan(ULX3S_85F, network("erbp-mnist-200"))
    assert planned.fits
    assert planned.lanes == 200
    assert (planned.hardware.rows_per_clock, planned.hardware.layer_neuron_units) == (2, (50, 10))
    assert plan(ULX3S_85F, network("erbp-mnist-200"), 64).hardware.rows_per_clock == 1


def test_what_is_counted_is_all_there_is():
    """The plan's memories are those of the design that is synthesized."""
    described = network("tiny")
    hardware = Hardware(lanes=4)
    design = chip(ULX3S_85F, described, hardware, 75_000_000, 3_000_000)
    planned = synapse_memories(described, hardware) + other_memories(design)
    text = rtlil.convert(chip(ULX3S_85F, described, hardware, 75_000_000, 3_000_000), name="top")
    declared = re.findall(r"^ *memory width (\d+) size (\d+) ", text, re.MULTILINE)
    assert sorted((m.width, m.depth) for m in planned) == sorted((int(w), int(d)) for w, d in declared)


@pytest.mark.parametrize(("described", "cell"), [(ULX3S_85F, "DP16KD"), (ICEBREAKER, "SB_SPRAM256KA")])
def test_the_blocks_of_a_synapse_memory_are_those_of_the_design(described, cell):
    planned = plan(described, network("erbp-digits"), 4)
    text = rtlil.convert(
        chip(described, planned.network, planned.hardware, described.clock, described.baud_rate), name="top"
    )
    made = [use for use in planned.memories if use.memory.kind in ("ecp5", "spram")]
    assert sum(use.count for use in made) == len(re.findall(rf"cell \\{cell} ", text))


def test_an_ultraplus_keeps_the_first_layer_in_single_port_ram():
    planned = plan(ICEBREAKER, network("first-spike-tiny"), 4)
    assert planned.lanes == 4
    assert planned.hardware.layer_lanes == (4, 1)
    assert planned.hardware.short_pipelines
    assert planned.hardware.layer_memories == ("spram",)
    first, second = planned.memories[:2]
    assert first.memory == Memory("layer1_synapses", 48, 32, "spram")
    assert (first.resource, first.count) == ("SPRAM", 2)
    assert second.memory == Memory("layer2_synapses", 48, 8, "generic")
    assert (second.resource, second.count) == ("block RAM", 1)


@pytest.mark.parametrize(
    ("size", "lanes", "blocks"), [(160, 4, 4), (168, 4, 6), (160, 1, 4), (166, 1, 4), (168, 1, 5)]
)
def test_weights_that_fill_the_single_port_ram(size, lanes, blocks):
    described = with_hidden(network("erbp-mnist-200"), size)
    assert plan(ICEBREAKER, described, lanes=lanes).memories[0].count == blocks


def test_lanes_that_the_user_asks_for():
    planned = plan(ULX3S_85F, network("erbp-mnist-200"), lanes=25)
    assert planned.lanes == 25
    assert planned.memories[0].words_per_row == 8
    with pytest.raises(DescriptionError, match="--lanes is 0"):
        plan(ULX3S_85F, network("tiny"), lanes=0)


def test_fewer_lanes_where_the_usual_number_does_not_fit():
    planned = plan(ULX3S_25F, network("erbp-mnist-100"))
    assert planned.fits
    assert planned.lanes < ULX3S_25F.lanes
    assert not plan(ULX3S_25F, network("erbp-mnist-100"), ULX3S_25F.lanes).fits


def test_what_does_not_fit_is_refused_with_what_does():
    planned = plan(ULX3S_25F, network("erbp-mnist-500"))
    assert not planned.fits
    with pytest.raises(DescriptionError) as caught:
        planned.require()
    need = next(need for need in planned.needs if need.name == "block RAMs")
    text = str(caught.value)
    assert f"needs {need.need} block RAMs and ULX3S 25F has 56" in text
    ((size, lanes),) = re.findall(
        r"the largest hidden layer that fits has (\d+) neurons, with (\d+) lanes", text
    )
    assert lanes == "16"
    assert plan(ULX3S_25F, with_hidden(network("erbp-mnist-500"), int(size)), 16).fits
    assert not plan(ULX3S_25F, with_hidden(network("erbp-mnist-500"), int(size) + 1), 16).fits


def test_too_many_lanes_are_answered_with_the_number_that_fits():
    refused = plan(ULX3S_25F, network("erbp-mnist-100"), lanes=100)
    assert not refused.fits
    usual = plan(ULX3S_25F, network("erbp-mnist-100"))
    assert usual.fits
    with pytest.raises(DescriptionError, match=f"with {usual.lanes} lanes it fits"):
        refused.require()


@pytest.mark.parametrize("described", BOARDS.values(), ids=BOARDS)
@pytest.mark.parametrize("name", ["tiny", "first-spike-tiny", "erbp-digits", "first-spike-digits"])
def test_small_networks_fit_on_every_board(described, name):
    assert plan(described, network(name)).fits


@pytest.mark.parametrize("name", ["erbp-mnist-160", "first-spike-mnist-20x20-320"])
def test_networks_made_for_an_up5k_fit_on_one(name):
    assert plan(ICEBREAKER, network(name)).fits
