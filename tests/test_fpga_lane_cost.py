# SPDX-License-Identifier: BSD-2-Clause
"""What a lane costs, synthesized."""

import pytest

from erbium.fpga import lane_cost
from erbium.fpga.boards import CORE, board
from erbium.fpga.core_plan import core_of
from erbium.fpga.planner import plan
from erbium.gen.presets import preset
from erbium.hdl.plan import LayerPlan


@pytest.mark.slow
def test_a_lane_stays_within_its_budget(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert lane_cost.main() == 0
    assert "LUT4 per lane of a group of 16 lanes with 4 neuron units" in capsys.readouterr().out


def test_neuron_units_of_the_boards():
    planned = plan(board("ulx3s-85f"), preset("erbp-mnist-200").network, 64)
    layers = [LayerPlan(planned.network, number, planned.hardware) for number in range(2)]
    # Four words of 64 lanes in four parts each; ten lanes in one.
    assert [(layer.parts, layer.units, layer.places) for layer in layers] == [(4, 16, 16), (1, 10, 1)]
    # More than 16 words would leave the RAM that is made of logic.
    wide = plan(board("ulx3s-85f"), preset("first-spike-mnist-24x24-640").network, 64)
    assert LayerPlan(wide.network, 0, wide.hardware).parts == 1


def test_a_preset_gets_the_lanes_with_which_it_was_routed():
    planned = plan(board("ulx3s-85f"), preset("first-spike-mnist-24x24-640").network)
    assert planned.fits
    assert (planned.lanes, LayerPlan(planned.network, 0, planned.hardware).words) == (128, 5)
    wide = plan(board("ulx3s-85f"), preset("erbp-mnist-200").network)
    assert (wide.lanes, wide.hardware.rows_per_clock) == (200, 2)


def test_a_clock_goes_with_the_lanes_with_which_it_was_routed():
    ulx3s = board("ulx3s-85f")
    core = (CORE, core_of(ulx3s).lanes)
    those = (("erbp-mnist-200", 200), ("erbp-mnist-200", 64), ("tiny", 8), core)
    assert [ulx3s.clock_for(*one) for one in those] == [83_333_333, 80_000_000, 80_000_000, 60_000_000]
