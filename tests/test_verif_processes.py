# SPDX-License-Identifier: BSD-2-Clause
"""Programs and other processes that are waited for: to their end, or to a limit in time."""

import fcntl
import os
import time

import pytest

from erbium.fpga import flow
from erbium.fpga.boards import board
from erbium.verif import files, run_bench
from erbium.verif.files import locked
from erbium.verif.processes import run_within
from erbium.verif.simulators import Tool, ToolError


def test_a_program_that_ends():
    done = run_within(60, ["/bin/sh", "-c", "cat; echo out; echo err >&2; exit 3"])
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_a_program_that_does_not_end_is_stopped_with_what_it_has_started():
    begin = time.monotonic()
    with pytest.raises(
        ToolError, match=r"^sh was stopped after 0.3 s without an end; try again on a machine"
    ):
        # The second one holds the pipes open.
        run_within(0.3, ["/bin/sh", "-c", "sleep 60 & wait"])
    assert time.monotonic() - begin < 20


def test_a_folder_that_another_process_keeps(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LOCK_SECONDS", 0.2)
    with locked(tmp_path / "thing"):
        pass
    with open(tmp_path / "thing.lock", "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with (
            pytest.raises(ToolError, match=r"another process has kept .*thing.lock for 0.2 s"),
            locked(tmp_path / "thing"),
        ):
            pytest.fail("the folder is kept")
    with locked(tmp_path / "thing"):
        pass


def test_a_run_time_that_is_kept_leaves_the_others(tmp_path):
    other, folder, runtime = (tmp_path / name for name in ("runtime-1", "build", "runtime-2"))
    for one in (other, folder):
        one.mkdir()
        (one / "verilated.o").write_bytes(b"object")
    os.utime(other, (0, 0))
    run_bench._keep_runtime(folder, runtime)
    assert [(one / "verilated.o").read_bytes() for one in (other, runtime)] == [b"object"] * 2


def test_a_stage_of_a_build_that_does_not_end(tmp_path, monkeypatch):
    program = tmp_path / "yosys"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(flow, "STAGE_SECONDS", 0.2)
    monkeypatch.setattr("erbium.fpga.tools.find", lambda name: Tool(name, program, "1", True))
    endless = flow.Flow(board("icebreaker"), {}, (("yosys",),) * 3)
    with pytest.raises(
        ToolError, match=r"synthesis was stopped after .* h without an end; ask for fewer --lanes"
    ):
        flow.run(endless, tmp_path, lambda stage, seconds: None, [1])
