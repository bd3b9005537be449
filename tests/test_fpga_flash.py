# SPDX-License-Identifier: BSD-2-Clause
"""Loading a bitstream into a board: what openFPGALoader is told, and what the user is told when it cannot be."""

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest

from erbium.fpga.boards import BOARDS, board
from erbium.fpga.flash import flash
from erbium.fpga.flash_data import write_data
from erbium.fpga.placement import Timing
from erbium.fpga.report import BuildReport
from erbium.gen.presets import preset
from erbium.sw_model.programs import DescriptionError
from erbium.verif.simulators import ToolError

TINY = preset("tiny").network
ULX3S, ICEBREAKER, ICESUGAR = board("ulx3s-25f"), board("icebreaker"), board("icesugar")


@pytest.fixture
def loader(tmp_path, monkeypatch):
    """Stand in for openFPGALoader: write down the arguments, do as the file ``answer`` says."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "openFPGALoader"
    program.write_text(
        f'#!/bin/sh\ncase "$1" in --Version) echo 0.10.0; exit;; --scan-usb) . {tmp_path}/scan; exit;; esac\n'
        f'echo "$@" > {tmp_path}/arguments\n. {tmp_path}/answer\n'
    )
    program.chmod(0o755)
    (tmp_path / "answer").write_text("echo done\n")
    # What version 0.8 says, which cannot look.
    (tmp_path / "scan").write_text("echo 'Option scan-usb does not exist' >&2\nexit 1\n")
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


HEAD = "Bus device vid:pid       probe type      manufacturer serial               product"
ULX3S_1 = "001 010    0x0403:0x6015 ft231X          FER-RADIONA-EMARD D00123           ULX3S FPGA 25K v3.0.8"
ULX3S_2 = "002 004    0x0403:0x6015 ft231X          FER-RADIONA-EMARD D00456           ULX3S FPGA 25K v3.1.7"
ICEBREAKER_1 = "001 011    0x0403:0x6010 FTDI2232        1BitSquared  ib0001               iCEBreaker V1.0e"
DENIED = "Error: can't open device with vid:vid = 0x0403:0x6015. Error code -3 Access denied"


def sees(loader, *lines):
    """Let the stand-in find these on the USB, as openFPGALoader 0.10.0 prints them."""
    (loader / "usb").write_text("\n".join([f"found {len(lines)} USB device", HEAD, *lines, ""]))
    (loader / "scan").write_text(f'while read -r line; do echo "$line"; done < {loader}/usb\n')


def test_the_board_that_is_plugged_in(loader):
    built(loader / "out", ULX3S)
    sees(loader, ICEBREAKER_1, ULX3S_1)
    told: list[str] = []
    flash(ULX3S, TINY, loader / "out", tell=told.append)
    assert told == ["found ft231X FER-RADIONA-EMARD D00123 ULX3S FPGA 25K v3.0.8 at USB 001:010"]
    expected = f"--board ulx3s --busdev-num 001:010 {loader}/out/erbium.bit"
    assert (loader / "arguments").read_text().strip() == expected


def test_one_of_two_boards(loader):
    built(loader / "out", ULX3S)
    sees(loader, ULX3S_1, ULX3S_2)
    with pytest.raises(
        ToolError,
        match=r"2 programmers .* ULX3S 25F's .*001:010 \(.*D00123.*002:004 .*choose one with --usb 001:010",
    ):
        flash(ULX3S, TINY, loader / "out")
    assert not (loader / "arguments").exists()
    flash(ULX3S, TINY, loader / "out", usb="2:4")
    assert "--busdev-num 002:004 " in (loader / "arguments").read_text()
    with pytest.raises(
        ToolError, match=r"no programmer of ULX3S 25F \(USB 0403:6015\) at 1:99; 001:010 .*, 002:004 "
    ):
        flash(ULX3S, TINY, loader / "out", usb="1:99")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ((), r"no ULX3S 25F is plugged in: openFPGALoader finds no USB device 0403:6015; plug it in"),
        (
            (ICEBREAKER_1,),
            r"no USB device 0403:6015, only 001:011 \(FTDI2232 1BitSquared ib0001 iCEBreaker V1.0e\);",
        ),
        ((DENIED,), r"0403:6015 of ULX3S 25F is plugged in and you may not open it; .*udev rules"),
    ],
    ids=["none", "another", "denied"],
)
def test_no_board_is_plugged_in(loader, lines, words):
    built(loader / "out", ULX3S)
    sees(loader, *lines)
    with pytest.raises(ToolError, match=words):
        flash(ULX3S, TINY, loader / "out")
    assert not (loader / "arguments").exists()


def test_what_the_user_is_told(loader, run):
    built(Path("out"), ULX3S)
    sees(loader, ULX3S_1)
    code, out, err = run("flash ulx3s-25f tiny -i out")
    assert (code, err) == (0, "Found ft231X FER-RADIONA-EMARD D00123 ULX3S FPGA 25K v3.0.8 at USB 001:010.\n")
    assert out.startswith("ULX3S 25F runs tiny at 50 MHz")
    code, out, err = run("flash ulx3s-25f tiny -i out --usb ttyUSB0")
    assert (code, out) == (2, "")
    assert "'ttyUSB0' is no USB bus and device; write it as 001:010" in err


def test_a_scan_that_does_not_end(loader, monkeypatch):
    monkeypatch.setattr("erbium.fpga.probes.SCAN_SECONDS", 0.3)
    (loader / "scan").write_text("exec /bin/sleep 60\n")
    built(loader / "out", ULX3S)
    with pytest.raises(ToolError, match=r"openFPGALoader was stopped after 0.3 s without an end"):
        flash(ULX3S, TINY, loader / "out")


def test_each_board_that_can_be_loaded_has_a_usb_number():
    for described in BOARDS.values():
        assert bool(re.fullmatch(r"[0-9a-f]{4}:[0-9a-f]{4}", described.usb_id)) == bool(described.loader)


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


def test_data_are_written_behind_the_bitstream(loader):
    file = loader / "data.bin"
    file.write_bytes(b"data")
    write_data(ULX3S, file)
    expected = f"--board ulx3s --write-flash --offset {1 << 20} {file}"
    assert (loader / "arguments").read_text().strip() == expected
    write_data(ICEBREAKER, file)
    assert f"--write-flash --offset {1 << 20}" in (loader / "arguments").read_text()
    with pytest.raises(DescriptionError, match="cannot learn from the flash of iCESugar"):
        write_data(ICESUGAR, file)
    (loader / "answer").write_text("echo 'no cable'\nexit 1\n")
    with pytest.raises(ToolError, match="exit code 1 and says: no cable; check that ULX3S 25F is plugged in"):
        write_data(ULX3S, file)
