# SPDX-License-Identifier: BSD-2-Clause
"""Networks of snnTorch on the chip, and NeuroBench's harness: with packages that CI has and others may lack."""

import importlib.util
import json
import os
from typing import Any

import nir
import numpy as np
import pytest

from erbium.bench import bridge
from erbium.bench.bridge import shifts, snn
from erbium.chip import open_chip
from erbium.gen.presets import PRESETS, preset
from erbium.nir.incoming import from_nir
from erbium.nir.options import Options
from erbium.sw_model.datasets.sources import load_tiny_digits
from erbium.sw_model.graph_model.array import GraphModel

CI = bool(os.environ.get("CI"))
THERE = all(importlib.util.find_spec(name) for name in (*snn.PACKAGES, "neurobench"))
needs_packages = pytest.mark.skipif(
    not THERE and not CI, reason="not installed: pip install 'erbium-snn[bridge]' has snnTorch and NeuroBench"
)

T = 30


def spikes(graph, image):
    """Return what came in and what each population sent, as arrays (tick, neuron)."""
    found: dict[str, np.ndarray] = {}

    def look(model, tick):
        for name, sent in tick.spikes.items():
            size = model.graph.size_of(name)
            found.setdefault(name, np.zeros((T, size)))[tick.number, list(sent)] = 1

    GraphModel(graph).sample(image, seed=3, n_ticks=T, observer=look)
    return found


def layers_of_snntorch(kind):
    import snntorch
    import torch

    torch.manual_seed(1)
    n = 12
    keep, threshold = torch.full((n,), 0.875), torch.ones(n)
    options = dict(threshold=threshold, reset_mechanism="zero", reset_delay=False)
    match kind:
        case "leaky":
            neurons = snntorch.Leaky(beta=keep, **options)
        case "late subtraction":
            neurons = snntorch.Leaky(beta=keep, threshold=threshold)
        case "late zero":
            neurons = snntorch.Leaky(beta=keep, threshold=threshold, reset_mechanism="zero")
        case "recurrent, late zero":
            neurons = snntorch.RLeaky(
                beta=keep, linear_features=n, threshold=threshold, reset_mechanism="zero"
            )
        case "synaptic":
            neurons = snntorch.Synaptic(alpha=torch.full((n,), 0.5), beta=keep, **options)
        case _:
            neurons = snntorch.RLeaky(beta=keep, linear_features=n, **options)
    first = torch.nn.Linear(40, n)
    with torch.no_grad():
        first.weight += 0.05
    return [first, neurons]


@needs_packages
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("leaky", {}),
        ("late subtraction", {"reset": "subtract", "late_reset": True}),
        ("late zero", {}),  # what the membrane had is gone a tick later, and what comes in then is not
        ("synaptic", {}),
        ("recurrent", {}),
        ("recurrent, late zero", {"late_reset": True}),  # what comes in is gone, too
    ],
)
def test_neurons_spike_as_in_snntorch(kind, options, tmp_path):
    """The same spikes go in; nearly the same come out, but for what 8 bits and a rounded leak do near a threshold."""
    import torch

    modules = layers_of_snntorch(kind)
    path = tmp_path / "net.nir"
    nir.write(path, snn.exported(modules, 40))
    graph: Any = from_nir(nir.read(path), Options(n_ticks=T, **options)).description
    image = np.random.default_rng(1).integers(0, 256, 40).astype(np.uint8)
    found = spikes(graph, image)
    (name,) = [population.name for population in graph.populations]
    first, neurons = modules
    neurons.reset_mem()
    state = None
    expected = []
    with torch.no_grad():
        for tick in torch.from_numpy(found["input"]).float():
            current = first(tick)
            if kind == "synaptic":
                state = state or neurons.init_synaptic()
                spike, *state = neurons(current, *state)
            elif "recurrent" in kind:
                state = neurons(current, *(state or neurons.init_rleaky()))
                spike = state[0]
            else:
                state = state or [neurons.init_leaky()]
                spike, *state = neurons(current, *state)
            expected.append(spike.reshape(-1).numpy())
    theirs = np.array(expected)
    assert theirs.sum() > 20
    same_count = np.abs(found[name].sum(axis=0) - theirs.sum(axis=0))
    assert same_count.max() <= 2
    assert (found[name] != theirs).sum() <= 0.15 * theirs.sum()


@needs_packages
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_trained_network_is_brought_in_and_learns_on():
    dataset = load_tiny_digits()
    setup = snn.Setup(24, 0.9375, 6, 8, 16, 2e-2, 200)
    trained = snn.train(setup, dataset)
    there = np.mean([snn.accuracy(trained, setup, dataset.test, seed) for seed in (1, 2)])
    here = np.mean([shifts.accuracy(trained.graph, setup, dataset.test, seed) for seed in (1, 2)])
    assert there > 0.6
    assert here > there - 0.05
    shift = shifts.Shift("mirrored", lambda images: np.ascontiguousarray(images[:, ::-1]), 2.0, "near")
    run = shifts.run(lambda steps: None, trained.graph, setup, shift, 1, dataset)
    assert run["shifted"] < run["before"] - 10
    assert run["after"] > run["shifted"] + 10
    assert [position for position, _ in run["curve"]][-1] == 200


def test_shifts():
    images = np.zeros((1, 28 * 28), np.uint8)
    images[0, 14 * 28 : 15 * 28] = 200
    assert shifts.dead_rows(images).sum() == 0
    assert (shifts.inverted(images)[0, :28] == 255).all()
    turned = shifts.rotated(images).reshape(28, 28)
    assert turned[14, 14] > 100
    assert turned[14, 0] == 0
    rows = shifts.dead_rows(np.full((1, 28 * 28), 9, np.uint8)).reshape(28, 28)
    assert [int(k) for k in np.flatnonzero(rows[:, 0] == 0)] == [11, 12, 13, 14]


def test_without_the_packages(run, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None)
    code, _, err = run("bench nir --only nir/snntorch --quick")
    assert code == 2
    assert "a network of snnTorch needs torch, snntorch, nir, nirtorch, not installed" in err
    code, _, err = run("neurobench run.npz")
    assert code == 2
    assert "the harness of NeuroBench needs torch, neurobench" in err


# --- NeuroBench ------------------------------------------------------------------------------------------


@needs_packages
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_neurobench_counts_what_the_chip_counts():
    """NeuroBench's own formula, on the spikes of each tick, comes to the chip's counters; the harness prints those."""
    import torch
    from neurobench.metrics.utils.layers import single_layer_MACs

    from erbium.neurobench import benchmark

    network, split = preset("tiny").network, load_tiny_digits().test
    chip = open_chip(network, "reference")
    chip.learn(split.images[:3], split.labels[:3])  # what came before is no part of a benchmark
    before = chip.counters
    results = benchmark(chip, split, 6)
    after = chip.counters
    operations = [
        after[f"layer{k}_synaptic_operations"] - before[f"layer{k}_synaptic_operations"] for k in (1, 2)
    ]
    theirs = [0, 0]
    fired = ticks = 0
    for number in range(6):
        trace = chip.trace(split.images[number], number=number)
        ticks += trace.ticks
        for at, sent in enumerate((trace.spikes["input"], trace.spikes["hidden"])):
            size = network.n_rows(at)
            linear = torch.nn.Linear(size, network.layers[at].n_neurons, bias=False)
            torch.nn.init.ones_(linear.weight)
            for tick in sent:
                row = torch.tensor([*tick.astype(np.float32), 1.0])  # and the bias row
                theirs[at] += int(single_layer_MACs(row, linear)[0])
        fired += sum(int(trace.spikes[name].sum()) for name in ("hidden", "output"))
    assert theirs == operations
    assert results["SynapticOperations"]["Effective_ACs"] == sum(operations) / 6
    assert results["SynapticOperations"]["Effective_MACs"] == 0
    assert results["SynapticOperations"]["Dense"] == (17 * 12 + 13 * 4) * ticks / 6
    assert results["ActivationSparsity"] == 1 - fired / (ticks * 16)
    assert results["Footprint"] == 17 * 12 + 13 * 4
    answers = chip.infer(split.images[:6]).answers
    assert results["ClassificationAccuracy"] == pytest.approx((answers == split.labels[:6]).mean())


@needs_packages
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_command(run):
    assert run("train tiny --images 20 --evaluate-images 2 --backend reference --data tiny-digits")[0] == 0
    code, out, _ = run("neurobench tiny.npz --data tiny-digits --images 5 --backend reference --json")
    assert code == 0
    assert json.loads(out)["Footprint"] == 256
    code, out, _ = run("neurobench tiny.npz --data tiny-digits --images 5 --backend reference")
    assert "SynapticOperations Effective_ACs" in out
    code, _, err = run("neurobench tiny.npz --data tiny-digits --images 500")
    assert (code, "--images is 500" in err) == (2, True)


# --- the bench -------------------------------------------------------------------------------------------


@needs_packages
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_bench_has_a_row_for_each_figure(run, monkeypatch, tmp_path):
    monkeypatch.setattr(bridge, "load_digits", load_tiny_digits)
    monkeypatch.setattr(bridge, "PRESETS", {"tiny": PRESETS["tiny"]})
    monkeypatch.setattr(bridge, "SEEDS", (1, 2))
    monkeypatch.setattr(snn, "QUICK", snn.Setup(16, 0.9375, 2, 8, 8, 2e-2, 100))
    code, _, _ = run("bench nir --quick --jobs 1 --json a.json --pictures pics --report a.html")
    assert code == 0
    rows = {row["id"]: row for row in json.loads((tmp_path / "a.json").read_text())["rows"]}
    won = "nir/shift/won-back"
    names = [won, *(f"{won}/{shift.name}" for shift in shifts.SHIFTS)]
    assert list(rows) == ["nir/round-trip/differing-digests", "nir/snntorch/points-lost", *names]
    assert rows["nir/round-trip/differing-digests"]["value"] == 0
    lost = rows["nir/snntorch/points-lost"]
    assert lost["value"] == pytest.approx(np.mean(lost["snntorch"]) - np.mean(lost["chip"]), abs=1e-3)
    shares = [share for name in names[1:] for share in rows[name]["shares"]]
    assert rows[won]["shares"] == shares
    assert rows[won]["value"] == pytest.approx(np.mean(shares), abs=0.01)
    one = rows[names[1]]
    for before, shifted, after, share in zip(
        one["before"], one["shifted"], one["after"], one["shares"], strict=True
    ):
        assert share == pytest.approx(100 * (after - shifted) / (before - shifted) if before > shifted else 0)
    assert "before the shift" in (tmp_path / "pics" / "nir-shift.svg").read_text()
    assert won in (tmp_path / "a.html").read_text()


def test_digests_that_differ_are_counted(run, monkeypatch):
    class Wrong:
        description, weights = PRESETS["tiny"].network, None

    monkeypatch.setattr(bridge, "PRESETS", {name: PRESETS[name] for name in ("tiny", "erbp-digits")})
    monkeypatch.setattr(bridge, "from_nir", lambda graph: Wrong)
    assert run("bench nir --only nir/round-trip")[0] == 1
