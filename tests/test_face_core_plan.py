# SPDX-License-Identifier: BSD-2-Clause
"""What of a graph fits into the core of a board, at the command line."""

import json
from pathlib import Path

from erbium.fpga.boards import board
from erbium.fpga.build import BuildRequest
from erbium.sw_model.description.codec import to_json
from erbium.verif.machines import rewarded


def test_what_fits_is_shown(run):
    code, out, _ = run("plan ulx3s-85f core erbp-mnist-100")
    assert code == 0
    assert "of 32 words of 32 neurons" in out
    assert "of 8192 words of 32 weights" in out


def test_a_graph_of_a_file_and_json(run):
    Path("machine.json").write_text(to_json(rewarded()))
    code, out, _ = run("plan ulx3s-85f core machine.json --json")
    assert code == 0
    needs = json.loads(out)["needs"]
    assert {"what": "modulators", "needed": 3, "available": 16, "fits": True} in needs


def test_the_size_of_a_core(run):
    code, out, _ = run("plan ulx3s-85f core")
    assert code == 0
    assert "lanes: 32" in out
    assert json.loads(run("plan ulx3s-85f core --json")[1])["core"]["weight_words"] == 8192


def test_what_does_not_fit_is_said_with_what_is_missing(run):
    code, out, error = run("plan ulx3s-85f core erbp-mnist-500")
    assert code == 2
    assert "too many" in out
    assert "does not fit this core: it takes" in error
    assert "too many; take a core with more of them or a smaller graph" in error


def test_bad_input(run):
    for line, says in (
        ("plan icebreaker core tiny", "no core is planned for icebreaker; there is one for ulx3s-85f"),
        (
            "plan ulx3s-85f core tiny --lanes 3",
            "the lanes of a core are those of its board; leave --lanes out",
        ),
        ("plan ulx3s-85f tiny tiny", "there are two networks, 'tiny' and 'tiny'; give one"),
        ("plan ulx3s-85f core none.json", "none.json"),
        ("plan ulx3s-85f core first-spike-tiny", "the core does not have the readout FirstSpike"),
    ):
        code, _, error = run(line)
        assert code == 2, line
        assert says in error, line
        assert "Traceback" not in error
    Path("broken.json").write_text(to_json(rewarded()).replace('"size": 6', '"size": 0'))
    code, _, error = run("plan ulx3s-85f core broken.json")
    assert code == 2
    assert "broken.json: " in error


def test_a_core_is_built_and_flashed_by_its_name(run):
    for line, says in (
        ("build icebreaker core", "no core is planned for icebreaker; there is one for ulx3s-85f"),
        ("build ulx3s-85f core --lanes 3", "the lanes of a core are those of its board; leave --lanes out"),
        (
            "flash ulx3s-85f core",
            "build/boards/ulx3s-85f/core holds no bitstream; build it with 'erbium build ulx3s-85f core'",
        ),
        ("simulate icebreaker core", "no core is planned for icebreaker; there is one for ulx3s-85f"),
    ):
        code, _, error = run(line)
        assert code != 0, line
        assert says in error, (line, error)
        assert "Traceback" not in error
    request = BuildRequest(board("ulx3s-85f"), None, clock=70_000_000, named="core")
    assert request.folder == Path("build/boards/ulx3s-85f/core")
    assert request.command == "erbium build ulx3s-85f core --clock 70"
