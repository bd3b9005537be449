# SPDX-License-Identifier: BSD-2-Clause
"""A board that learns from its flash: data that are written, a run that is watched, and what is said of bad data."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from erbium.checkpoint import Checkpoint
from erbium.chip import open_chip
from erbium.flash_plan import flash_run
from erbium.fpga import flow
from erbium.fpga.boards import BOARDS, board
from erbium.fpga.build import BuildRequest
from erbium.fpga.design import chip
from erbium.fpga.driver_flash import FlashArray, FlashProgress
from erbium.fpga.planner import plan
from erbium.fpga.top import BoardTop
from erbium.gen.flash_image import binarised, flash_image, play, read_image
from erbium.gen.presets import Recipe, preset
from erbium.hdl.flash.layout import Fault, PixelKind, RunState
from erbium.sw_model.datasets.sources import load_tiny_digits
from erbium.sw_model.datasets.split import make_dataset
from erbium.train import Plan, Trainer

RECIPE = Recipe(
    epochs=3, shift=1, shift_share=0.7, schedule=((0.4, 1.0), (0.8, 0.5), (1.0, 0.2)), learn_ticks=7
)
N_TRAIN, N_TEST = 40, 15


def first_images(pixels):
    """Return the first of the tiny digits, as the flash keeps them."""
    data = load_tiny_digits()

    def cut(split, count):
        split = binarised(split) if pixels is PixelKind.BITS else split
        return split.images[:count].reshape(-1, 4, 4), split.labels[:count]

    return make_dataset(
        name="few",
        source="",
        notice="",
        size=(4, 4),
        train=cut(data.train, N_TRAIN),
        validation=cut(data.validation, 3),
        test=cut(data.test, N_TEST),
    )


@pytest.mark.parametrize("pixels", PixelKind)
@pytest.mark.parametrize("name", ["tiny", "first-spike-tiny"])
def test_the_run_is_that_of_training(name, pixels):
    """Order, seeds, shifts, rates and lengths: the weights are those that a trainer comes to."""
    network = preset(name).network
    run = flash_run(network, RECIPE, load_tiny_digits(), pixels, epochs=3, n_train=N_TRAIN, n_test=N_TEST)
    with open_chip(network, "model") as model, open_chip(network, "model") as other:
        engine: Any = model.engine
        rights = play(read_image(flash_image(run, 1 << 20, 1 << 20), network), engine)
        data = first_images(pixels)
        for _ in Trainer(other, data, Plan(RECIPE, 3 * N_TRAIN)).run():
            pass
        for mine, theirs in zip(model.weights, other.weights, strict=True):
            np.testing.assert_array_equal(mine, theirs)
        answers = other.infer(data.test.images).answers
        assert rights[-1] == (answers == data.test.labels).sum()
    assert len({one.rates for one in run.passes if one.learn}) == 3
    assert {one.shift for one in run.passes if one.learn} == {0, 1}


def written(run, *, options="", target="sim:ulx3s-25f", name="tiny"):
    """Write data for a simulated board."""
    return run(
        f"flash {target} {name} --data tiny-digits --images {N_TRAIN} --test-images {N_TEST} {options}"
    )


@pytest.mark.slow
@pytest.mark.verilator
def test_a_simulated_board_learns_from_its_flash(run):
    for options in ("--epochs 2 --shift 1", "--epochs 2 --shift 1 --pixels runs --overwrite"):
        code, out, err = written(run, options=options)
        assert (code, err) == (0, "")
        assert f"{N_TRAIN + N_TEST} samples of tiny digits for tiny" in out
        code, out, _ = run("run sim:ulx3s-25f tiny --from flash")
        assert code == 0
        assert "bit-exact: 256 of 256 weights" in out
        assert "images learned per second" in out
    code, out, _ = run("run sim:ulx3s-25f tiny --from flash --json --checkpoint kept.npz --no-compare")
    facts = json.loads(out)
    assert code == 0
    assert (facts["learned"], facts["tested"], facts["comparison"]) == (2 * N_TRAIN, N_TEST, None)
    assert facts["images_per_second"] > 0
    file = Path("build/flash/ulx3s-25f/tiny.bin")
    network = preset("tiny").network
    with open_chip(network, "model") as model:
        engine: Any = model.engine
        play(read_image(file.read_bytes(), network), engine)
        for mine, theirs in zip(model.weights, Checkpoint.load(Path("kept.npz")).weights, strict=True):
            np.testing.assert_array_equal(mine, theirs)
    # What is wrong is a sentence, and the code of the chip.
    octets = bytearray(file.read_bytes())
    octets[-40] ^= 4
    Path("damaged.bin").write_bytes(octets)
    Path("none.bin").write_bytes(b"")
    assert written(run, name="first-spike-tiny", options="--epochs 1 -o other.bin")[0] == 0
    for name, says in (
        (
            "damaged.bin",
            "a checksum in the flash of the simulated ULX3S 25F was wrong in pass",
        ),
        (
            "none.bin",
            "there are no data of Erbium in the flash of the simulated ULX3S 25F; write them with",
        ),
        (
            "other.bin",
            "are for another network than 'tiny'; write its own with 'erbium flash sim:ulx3s-25f tiny",
        ),
    ):
        code, _, err = run(f"run sim:ulx3s-25f tiny --from flash --image {name}")
        assert code == 2
        assert says in err


@pytest.mark.slow
@pytest.mark.verilator
def test_a_small_board_learns_from_its_flash(run, monkeypatch):
    for options in ("--epochs 1 --shift 1", "--epochs 1 --pixels runs --overwrite"):
        assert written(run, target="sim:icebreaker", options=options)[0] == 0
        code, out, _ = run("run sim:icebreaker tiny --from flash")
        assert code == 0
        assert "bit-exact: 256 of 256 weights and 13 of 13 counters equal" in out
    # A run that does not go on is told, whatever the reason.
    monkeypatch.setattr("erbium.flash_run.STILL_SECONDS", 0.004)
    stuck = FlashProgress(RunState.LEARNS, Fault.NONE, 2, 7, 1, 0)
    monkeypatch.setattr(FlashArray, "progress", lambda self: stuck)
    code, _, err = run("run sim:icebreaker tiny --from flash")
    assert code == 2
    assert "has stood still for 0.004 s in pass 2, after 7 samples of it; reset the board" in err


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (
            "flash sim:tang-nano-9k tiny --data tiny-digits",
            "cannot learn from the flash of Tang Nano 9K.*ulx3s-85f",
        ),
        ("flash ulx3s-25f tiny --images 3", "--images are for data; name the data with --data"),
        ("flash sim:ulx3s-25f tiny --data tiny-digits --images 0", "--images is 0"),
        ("flash sim:ulx3s-25f tiny --data tiny-digits --epochs 0", "--epochs is 0"),
        ("flash sim:ulx3s-25f tiny --data tiny-digits --shift 5", "shift is 5"),
        ("flash sim:ulx3s-25f tiny --data digits", "8 x 8 = 64"),
        ("flash ulx3s-25f core --data digits", "leave core, --permanent and --input out"),
        ("run sim:ulx3s-25f tiny --from flash --images 3", "leave --images out"),
        ("run sim:ulx3s-25f tiny --from flash --image nowhere.bin", "there is no file nowhere.bin"),
        ("run sim:ulx3s-25f tiny --image nowhere.bin", "leave it out, or say --from flash"),
        ("run sim:ulx3s-25f:core tiny --from flash", "a core does not learn from the flash"),
        ("run sim:tang-nano-9k tiny --from flash", "cannot learn from the flash of Tang Nano 9K"),
        ("build tang-nano-9k tiny --from-flash", "cannot learn from the flash of Tang Nano 9K"),
        ("build ulx3s-25f core --from-flash", "a core does not learn from the flash"),
    ],
)
def test_what_cannot_be_is_a_sentence(run, command, says):
    code, _, err = run(command)
    assert code == 2
    assert re.search(says, err.replace("\n", " ")), err


def test_data_are_not_replaced_unasked(run):
    assert written(run)[0] == 0
    code, _, err = written(run)
    assert code == 2
    assert "--overwrite to replace it" in err


def test_data_that_are_too_large_for_the_flash(run, monkeypatch):
    monkeypatch.setitem(BOARDS, "ulx3s-25f", _with_room(board("ulx3s-25f"), 900))
    code, _, err = written(run)
    assert code == 2
    assert "take" in err
    assert "the flash has 900 behind the bitstream" in err


def _with_room(described, room):
    flash = described.flash
    return replace(described, flash=replace(flash, octets=flash.data_at + room))


@pytest.mark.parametrize("name", [name for name, each in BOARDS.items() if each.flash is not None])
def test_a_board_is_joined_to_its_flash(name):
    described, network = board(name), preset("tiny").network
    hardware = plan(described, network).require().hardware
    made = chip(described, network, hardware, described.clock, described.baud_rate, from_flash=True)
    files = flow.prepare(described, BoardTop(described, made, described.clock), described.clock).files
    text = "".join(str(content) for content in files.values())
    assert described.flash is not None
    pins = [described.flash.select, *described.flash.data, *described.flash.high]
    for pin in pins if described.family == "ice40" else []:
        assert f" {pin}\n" in text
    for pin in pins if described.family == "ecp5" else []:
        assert f'SITE "{pin}"' in text
    assert ("USRMCLK" in text) == (described.family == "ecp5")


def test_a_command_names_the_option():
    request = BuildRequest(board("ulx3s-25f"), preset("tiny").network, from_flash=True)
    assert request.command == "erbium build ulx3s-25f tiny --from-flash"
