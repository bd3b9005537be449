# SPDX-License-Identifier: BSD-2-Clause
"""Loading a bitstream into a board: what openFPGALoader is told, and what the user is told when it cannot be."""

import hashlib
from dataclasses import replace

import pytest

from erbium.fpga.boards import board
from erbium.fpga.flash import flash
from erbium.fpga.placement import Timing
from erbium.fpga.report import BuildReport
from erbium.gen.presets import preset
from erbium.verif.simulators import ToolError

TINY = preset("tiny").network
ULX3S, ICEBREAKER, ICESUGAR = board("ulx3s-25f"), board("icebreaker"), board("icesugar")


@pytest.fixture
def loader(tmp_path, monkeypatch):
    """Stand in for openFPGALoader: write down the arguments, do as the file ``answer`` says."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "openFPGALoader"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\n. {tmp_path}/answer\n')
    program.chmod(0o755)
    (tmp_path / "answer").write_text("echo done\n")
    monkeypatch.setenv("PATH", str(folder))
    return tmp_path


def built(folder, described, name="erbium.bit"):
    """Put what a build leaves into a folder."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"bits")
    report = BuildReport(
        described.name,
        described.title,
        described.device.name,
        "tiny",
        TINY.digest,
        TINY.shape,
        {},
        4,
        described.clock,
        described.baud_rate,
        0,
        1,
        (80.0,),
        Timing(80.0, 75.0, "a", "b"),
        {},
        {},
        {},
        name,
        4,
        hashlib.sha256(b"bits").hexdigest(),
        "erbium build",
        "0.1.0",
    )
    (folder / "report.json").write_text(report.to_json())
    return report


@pytest.mark.parametrize(
    ("described", "permanent", "arguments"),
    [
        (ULX3S, False, "--board ulx3s {}/erbium.bit"),
        (ULX3S, True, "--board ulx3s --write-flash {}/erbium.bit"),
        (ICEBREAKER, True, "--board ice40_generic {}/erbium.bit"),
    ],
)
def test_what_the_loader_is_told(loader, described, permanent, arguments):
    folder = loader / "out"
    report = built(folder, described)
    assert flash(described, TINY, folder, permanent=permanent) == report
    assert (loader / "arguments").read_text().strip() == arguments.format(folder)


def test_the_loader_fails(loader):
    built(loader / "out", ULX3S)
    (loader / "answer").write_text("echo unable to open ftdi device >&2\nexit 1\n")
    with pytest.raises(
        ToolError, match=r"exit code 1 and says: unable to open ftdi device; check that ULX3S 25F is"
    ):
        flash(ULX3S, TINY, loader / "out")


def test_the_loader_is_not_there(tmp_path, monkeypatch):
    built(tmp_path, ULX3S)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolError, match=r"openFPGALoader was not found; get it with '.*openfpgaloader.*'"):
        flash(ULX3S, TINY, tmp_path)


def test_a_board_that_the_loader_cannot_program(loader):
    built(loader / "out", ICESUGAR, "erbium.bin")
    with pytest.raises(ToolError, match=r"cannot program iCESugar; copy the file .*erbium\.bin$"):
        flash(ICESUGAR, TINY, loader / "out")


def test_there_is_no_bitstream(loader):
    with pytest.raises(ToolError, match="holds no bitstream; build it with 'erbium build ulx3s-25f tiny'"):
        flash(ULX3S, TINY, loader / "out")


def test_the_bitstream_of_another_board(loader):
    built(loader / "out", ICEBREAKER)
    with pytest.raises(ToolError, match="is for icebreaker and not for ulx3s-25f"):
        flash(ULX3S, TINY, loader / "out")


def test_the_bitstream_of_another_network(loader):
    built(loader / "out", ULX3S)
    with pytest.raises(ToolError, match=f"digest {TINY.digest} and tiny has"):
        flash(ULX3S, replace(TINY, seed=2), loader / "out")


def test_a_bitstream_that_was_changed(loader):
    built(loader / "out", ULX3S)
    (loader / "out" / "erbium.bit").write_bytes(b"bots")
    with pytest.raises(ToolError, match="was changed since it was built"):
        flash(ULX3S, TINY, loader / "out")


def test_a_report_that_is_none(loader):
    built(loader / "out", ULX3S)
    (loader / "out" / "report.json").write_text("{}")
    with pytest.raises(ToolError, match=r"no report of a build.*; build it again"):
        flash(ULX3S, TINY, loader / "out")


def test_a_loader_that_does_not_end(loader, tmp_path, monkeypatch):
    monkeypatch.setattr("erbium.fpga.flash.FLASH_SECONDS", 0.3)
    (loader / "answer").write_text("exec /bin/sleep 60\n")
    built(tmp_path / "built", ULX3S)
    with pytest.raises(ToolError, match=r"openFPGALoader was stopped after 0.3 s without an end"):
        flash(ULX3S, TINY, tmp_path / "built")
