# SPDX-License-Identifier: BSD-2-Clause
"""NIR: what Erbium exports comes back as it was, and what others wrote does what they say, in integers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest

from erbium.checkpoint import Checkpoint
from erbium.gen.presets import PRESETS, preset
from erbium.nir import files, metadata
from erbium.nir.incoming import from_nir, parts_of
from erbium.nir.integers import leak_terms
from erbium.nir.layered import Learning, aligned, as_network
from erbium.nir.options import Options
from erbium.nir.outgoing import to_nir
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.description import codec
from erbium.sw_model.description.connect import Dense, Given, Uniform
from erbium.sw_model.description.graph import Graph
from erbium.sw_model.description.parts import Constant, Population, Projection, Source
from erbium.sw_model.graph_model.array import GraphModel
from erbium.sw_model.programs import DescriptionError, lif, lif_first_order

DT = 1e-4

RING = Graph(
    name="ring",
    sources=(Source("input", 6), Source("drive", 1, Constant())),
    populations=(Population("excite", 8, lif(threshold=300)), Population("inhibit", 4, lif_first_order())),
    projections=(
        Projection("input", "excite", Dense(weights=Uniform(60))),
        Projection("drive", "excite", Dense(weights=Given(((40,) * 8,)))),
        Projection("excite", "excite", Dense(weights=Uniform(40)), delay=1),
        Projection("inhibit", "excite", Dense(weights=Uniform(80)), delay=3),
        Projection("excite", "inhibit", Dense(10, Uniform(90)), delay=2),
    ),
)


def brought(graph, options=None) -> Any:
    """Bring a graph in; what it becomes, its test knows."""
    return from_nir(graph, options)


def through_a_file(graph, folder: Path):
    files.write(folder / "net.nir", graph)
    return files.read(folder / "net.nir")


# --- out and back ----------------------------------------------------------------------------------------


SMALL = [name for name, chosen in PRESETS.items() if max(chosen.network.shape[1:]) <= 100]


@pytest.mark.parametrize("name", [*SMALL, "erbp-mnist-200-200"])
def test_a_preset_comes_back_with_its_digest(name, tmp_path):
    network = preset(name).network
    found = brought(through_a_file(to_nir(network).graph, tmp_path))
    assert found.description == network
    assert found.description.digest == network.digest
    assert found.weights is None
    assert found.report.changes == []


@pytest.mark.parametrize("name", ["tiny", "first-spike-tiny"])
def test_what_was_learned_comes_back(name, tmp_path):
    network = preset(name).network
    draws = np.random.default_rng(3)
    weights: Any = [
        draws.integers(layer.weight_min, layer.weight_max + 1, values.shape).astype(np.int16)
        for layer, values in zip(network.layers, network.initial_weights(), strict=True)
    ]
    found = brought(through_a_file(to_nir(network, weights).graph, tmp_path))
    assert found.description == network
    assert all((a == b).all() for a, b in zip(found.weights, weights, strict=True))


def test_a_recurrent_graph_comes_back(tmp_path):
    made = to_nir(RING).graph
    assert codec.digest(brought(through_a_file(made, tmp_path)).description) == codec.digest(RING)
    values = {"excite_to_excite": np.arange(64).reshape(8, 8) - 32}
    found = brought(through_a_file(to_nir(RING, values).graph, tmp_path)).description
    assert (found.initial_weights(found.projections[2]) == values["excite_to_excite"]).all()


def test_weights_that_were_trained_further_are_rounded_to_the_same_unit(tmp_path):
    network = preset("tiny").network
    made = to_nir(network).graph
    made.nodes["input_to_layer1"].weight += 0.3 / 256
    found = brought(through_a_file(made, tmp_path))
    assert found.description == network
    assert found.weights is None  # each moved by 0.3 of a step
    assert [(c.node, c.what) for c in found.report.changes] == [("input_to_layer1", "weights")]
    made.nodes["input_to_layer1"].weight += 1 / 256
    assert (brought(made).weights[0][:-1] == network.initial_weights()[0][:-1] + 1).all()


def test_what_nodes_cannot_say_is_said():
    notes = "\n".join(to_nir(preset("first-spike-tiny").network).notes)
    assert "its refractory time of " in notes
    assert "error_to_layer1" in "\n".join(to_nir(preset("tiny").network).notes)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda g: g.nodes["layer1"].v_threshold.__imul__(2), "v_threshold of node 'layer1' is not what"),
        (lambda g: g.nodes.pop("layer1"), "node 'layer1' is not there"),
        (lambda g: g.edges.append(("layer2", "layer1")), "the edges of the graph are not those"),
        (lambda g: g.nodes["input_to_layer1"].weight.__imul__(np.nan), "not all finite"),
        (lambda g: g.metadata.update(erbium="{}"), "'format' must be"),
    ],
)
def test_metadata_of_another_graph_are_refused(spoil, words):
    made = to_nir(preset("tiny").network).graph
    spoil(made)
    with pytest.raises(DescriptionError, match=words):
        brought(made)


# --- what others wrote -----------------------------------------------------------------------------------


def full(size: int, value: float):
    return np.full(size, value)


def lif_node(size: int, keep: float = 0.75, threshold: float = 1.0, **more):
    values = {"v_leak": full(size, 0.0), "v_reset": full(size, 0.0)} | more
    return nir.LIF(
        tau=full(size, DT / (1 - keep)),
        r=full(size, 1 / (1 - keep)),
        v_threshold=full(size, threshold),
        **values,
    )


def spikes_of(graph: Graph, n_ticks: int = 24, value: int = 90):
    """Run one sample; return what came in and what each population sent, by tick."""
    seen: list[dict[str, list[int]]] = []
    states: list[dict[str, list[int]]] = []

    def look(model, tick):
        seen.append({name: list(spikes) for name, spikes in tick.spikes.items()})
        states.append({name: list(p.neurons.x[0]) for name, p in model.populations.items()})

    image = np.full(graph.n_pixels, value, np.uint8)
    GraphModel(graph).sample(image, seed=5, n_ticks=n_ticks, observer=look)
    return seen, states


class Floats:
    """One neuron population as its equations say, in floating point: an independent reading of NIR."""

    def __init__(self, node, size: int) -> None:
        self.node, self.kind = node, type(node).__name__
        self.v, self.i = np.zeros(size), np.zeros(size)

    def tick(self, current):
        node, kind = self.node, self.kind
        if kind in ("CubaLIF", "CubaLI"):
            self.i = self.i + DT / node.tau_syn * (node.w_in * current - self.i)
            self.v = self.v + DT / node.tau_mem * (node.v_leak - self.v + node.r * self.i)
        elif kind in ("LIF", "LI"):
            self.v = self.v + DT / node.tau * (node.v_leak - self.v + node.r * current)
        elif kind in ("IF", "I"):
            self.v = self.v + DT * node.r * current
        else:
            return current > node.threshold
        if kind in ("LI", "CubaLI", "I"):
            return np.zeros_like(self.v, dtype=bool)
        spikes = self.v > node.v_threshold
        self.v = np.where(spikes, node.v_reset, self.v)
        return spikes


N = 12
NEURONS = {
    "LIF": lif_node(N),
    "LIF of a threshold each": lif_node(N, threshold=1.0).__class__(
        tau=full(N, 4 * DT),
        r=full(N, 4.0),
        v_leak=full(N, 0.0),
        v_threshold=np.linspace(0.5, 2, N),
        v_reset=full(N, 0.0),
    ),
    "LIF that leaks to a voltage": lif_node(N, v_leak=full(N, 0.5), v_reset=full(N, -0.25)),
    "IF": nir.IF(r=full(N, 1 / DT), v_threshold=full(N, 1.0)),
    "Threshold": nir.Threshold(full(N, 0.9)),
    "CubaLIF": nir.CubaLIF(
        tau_syn=full(N, 2 * DT),
        tau_mem=full(N, 8 * DT),
        r=full(N, 8.0),
        v_leak=full(N, 0.0),
        v_threshold=full(N, 2.0),
        w_in=full(N, 2.0),
    ),
    "LI": nir.LI(tau=full(N, 8 * DT), r=full(N, 8.0), v_leak=full(N, 0.0)),
    "CubaLI": nir.CubaLI(
        tau_syn=full(N, 2 * DT), tau_mem=full(N, 8 * DT), r=full(N, 1.0), v_leak=full(N, 0.0)
    ),
}


@pytest.mark.parametrize("name", NEURONS)
@pytest.mark.parametrize("encoder", ["bernoulli", "phase"])
def test_neurons_do_what_their_equations_say(name, encoder):
    draws = np.random.default_rng(7)
    weight, bias = draws.uniform(-0.3, 0.5, (N, 20)), draws.uniform(-0.1, 0.1, N)
    graph = nir.NIRGraph.from_list(nir.Affine(weight, bias), NEURONS[name])
    found = parts_of(graph, Options(n_ticks=24, encoder=encoder), "one")
    seen, states = spikes_of(brought(graph, Options(n_ticks=24, encoder=encoder)).description)
    reference, unit = Floats(NEURONS[name], N), found.parts[0].whole.unit / 2 ** found.parts[0].whole.shift
    population, differs, total = found.parts[0].name, 0, 0
    for tick, spikes in enumerate(seen):
        arrived = np.isin(np.arange(20), spikes["input"])
        ours = np.isin(np.arange(N), spikes[population])
        theirs = reference.tick(weight @ arrived + bias)
        if "LI" in name and "LIF" not in name:
            # A membrane that is read out: within what rounding the weights can come to.
            gain = found.parts[0].dynamics.gain * unit
            assert (
                np.abs(np.array(states[tick][population]) - reference.v * unit).max()
                < 20 * 24 * gain.max() / 100
            )
        differs += int((ours != theirs).sum())
        total += int(theirs.sum())
    assert total or name in ("LI", "CubaLI")
    # A membrane within rounding of its threshold may spike a tick sooner or later.
    assert differs <= total // 20, (differs, total)


def test_scale_flatten_delay_and_loops():
    """Linear nodes become one matrix; a loop has a tick of delay; sizes follow from the nodes before."""
    scale, loop = np.linspace(1, 2, 6), np.full((4, 4), -0.5)
    graph = nir.NIRGraph(
        nodes={
            "input": nir.Input(np.array([2, 3])),
            "flat": nir.Flatten({"input": np.array([2, 3])}, 0),
            "scale": nir.Scale(scale),
            "late": nir.Delay(full(6, 2 * DT)),
            "in": nir.Linear(np.arange(24).reshape(4, 6) / 24),
            "neurons": lif_node(1, threshold=2.0),
            "loop": nir.Linear(loop),
            "output": nir.Output(np.array([4])),
        },
        edges=[
            ("input", "flat"),
            ("flat", "scale"),
            ("scale", "late"),
            ("late", "in"),
            ("in", "neurons"),
            ("neurons", "loop"),
            ("loop", "neurons"),
            ("neurons", "output"),
        ],
        type_check=False,
    )
    description = brought(graph).description
    forward, back = description.projections
    assert (forward.delay, back.delay) == (2, 1)
    expected = (np.arange(24).reshape(4, 6) / 24 * scale).T
    unit = 127 / expected.max()
    assert (description.initial_weights(forward) == np.rint(expected * unit)).all()
    assert (description.initial_weights(back) == round(-0.5 * unit)).all()
    assert description.readout.population == "neurons"


def test_the_tick_is_that_of_the_metadata_unless_one_is_named():
    synapses = nir.Linear(np.ones((2, 2)))
    graph = nir.NIRGraph.from_list(synapses, nir.LI(full(2, 0.01), full(2, 1.0), full(2, 0.0)))
    graph.metadata["dt"] = 0.005
    expected = brought(graph).description
    assert "x0 <- -x0 >> 1" in expected.populations[0].program.describe()
    said: Any
    for said in ("soon", -1.0, np.nan, []):
        graph.metadata["dt"] = said
        with pytest.raises(DescriptionError, match="the metadata of the graph say a tick of"):
            from_nir(graph)
        assert brought(graph, Options(dt=0.005)).description == expected


def test_a_graph_within_a_graph_is_opened(tmp_path):
    inner = nir.NIRGraph(
        nodes={
            "input": nir.Input(np.array([5])),
            "lif": lif_node(5),
            "w_rec": nir.Linear(np.eye(5)),
            "output": nir.Output(np.array([5])),
        },
        edges=[("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")],
    )
    outer = nir.NIRGraph.from_list(
        nir.Linear(np.ones((5, 3))), inner, nir.Linear(np.ones((2, 5))), lif_node(2)
    )
    description = brought(through_a_file(outer, tmp_path)).description
    joined = {(p.source, p.target, p.delay) for p in description.projections}
    assert joined == {
        ("input", "nirgraph_lif", 0),
        ("nirgraph_lif", "nirgraph_lif", 1),
        ("nirgraph_lif", "lif", 0),
    }


def test_a_synapse_of_its_own_is_part_of_its_neuron():
    graph = nir.NIRGraph.from_list(
        nir.Linear(np.full((3, 2), 0.5)),
        nir.LI(tau=full(3, 2 * DT), r=full(3, 2.0), v_leak=full(3, 0.0)),
        nir.IF(r=full(3, 1 / DT), v_threshold=full(3, 3.0)),
    )
    (population,) = brought(graph).description.populations
    assert population.program.states == ("v", "i")
    assert "x1 <- -x1 >> 1" in population.program.describe()


def test_leaks_are_sums_of_few_shifts():
    for keep in (0.0, 0.5, 0.8, 0.9, 0.95, 0.99, 1.0):
        terms, value = leak_terms(1 - keep, 4)
        assert len(terms) <= 4
        assert abs(value - (1 - keep)) < 0.001
    assert leak_terms(0.0625, 4) == ([(4, 1)], 0.0625)


def test_resets_of_other_frameworks():
    graph = nir.NIRGraph.from_list(nir.Linear(np.full((2, 2), 0.5)), lif_node(2))
    unit, kept = 127 / 0.5, 0.75

    def program(**options):
        return brought(graph, Options(**options)).description.populations[0].program

    assert program().reset_mode == ("set",)
    assert program(reset="subtract").reset_value == (-round(unit),)
    late = program(late_reset=True)
    assert (late.refractory, late.hold, late.reset_mode) == (1, True, ("set",))
    assert program(reset="subtract", late_reset=True).reset_value == (-round(unit / kept),)


def test_weights_of_other_widths_transmit_the_same():
    graph = nir.NIRGraph.from_list(nir.Linear(np.random.default_rng(2).normal(size=(4, 9))), lif_node(4))
    eight, twelve, five = (
        brought(graph, Options(width=width)).description.projections[0] for width in (8, 12, 5)
    )
    assert (np.array(twelve.connect.weights.values) == 16 * np.array(eight.connect.weights.values)).all()
    assert (
        np.abs(8 * np.array(five.connect.weights.values) - np.array(eight.connect.weights.values)).max() <= 7
    )


CONV = nir.Conv2d((4, 4), np.ones((1, 1, 2, 2)), 1, 0, 1, 1, np.zeros(1))
REFUSED = {
    "convolution": ([CONV, lif_node(9)], "node 'conv2d' is a Conv2d"),
    "pooling": ([nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])), lif_node(4)], "'avgpool2d'"),
    "nothing": ([nir.Linear(np.ones((2, 2)))], "has no neurons"),
    "zeros": ([nir.Linear(np.zeros((2, 2))), lif_node(2)], "all weights onto node 'lif' are 0"),
    "nan": ([nir.Linear(np.full((2, 2), np.nan)), lif_node(2)], "weight of node 'linear' holds nan"),
    "threshold": ([nir.Linear(np.ones((2, 2))), lif_node(2, threshold=-1.0)], "threshold of node 'lif' is -1"),
    "fast": ([nir.Linear(np.ones((2, 2))), nir.LI(full(2, DT / 2), full(2, 1.0), full(2, 0.0))], "tau of node 'li'"),
    "leaks": (
        [nir.Linear(np.ones((2, 2))), nir.LI(np.array([2, 4]) * DT, full(2, 1.0), full(2, 0.0))],
        "the membranes of node 'li' keep 0.5 to 0.75",
    ),
    "tiny gain": ([nir.Linear(np.ones((2, 2))), nir.IF(r=full(2, 1e-5), v_threshold=full(2, 1.0))], "node 'if' is 1"),
    "too many": ([nir.Linear(np.ones((5000, 1))), lif_node(5000)], "node 'lif' has 5000 neurons"),
    "membrane": (
        [nir.Linear(np.ones((2, 2))), nir.LI(full(2, DT), full(2, 1.0), full(2, 0.0)), nir.Linear(np.ones((2, 2))),
         lif_node(2)],
        "node 'li' is a LI, whose membrane goes to 'linear_1'",
    ),
    "linear output": ([nir.Linear(np.ones((2, 2))), lif_node(2), nir.Linear(np.ones((3, 2)))], "reads node 'linear_1'"),
    "delay": ([nir.Delay(full(2, 2.5 * DT)), nir.Linear(np.ones((2, 2))), lif_node(2)], "delay of node 'delay' is 2.5"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_array_lacks_is_refused_by_the_node(name):
    nodes, words = REFUSED[name]
    start = [nir.Input(np.array([1, 4, 4]))] if name == "pooling" else []
    graph = nir.NIRGraph.from_list(*start, *nodes, type_check=False)
    with pytest.raises(DescriptionError, match=words):
        brought(graph)


@pytest.mark.parametrize(
    ("edge", "words"),
    [(("lif", "nowhere"), "no node 'nowhere'"), (("lif", "linear"), "1 values|3 values|arrive")],
)
def test_edges_that_do_not_fit(edge, words):
    graph = nir.NIRGraph.from_list(nir.Linear(np.ones((3, 2))), lif_node(3))
    graph.edges.append(edge)
    with pytest.raises(DescriptionError, match=words):
        brought(graph)


# --- layers that learn on --------------------------------------------------------------------------------


def two_layers(seed: int = 0):
    draws = np.random.default_rng(seed)
    return nir.NIRGraph.from_list(
        nir.Affine(draws.normal(size=(20, 16)) / 4, draws.normal(size=20) / 20),
        lif_node(20),
        nir.Affine(draws.normal(size=(4, 20)) / 4, draws.normal(size=4) / 20),
        lif_node(4),
    )


def test_layers_answer_as_the_graph_does_and_their_order_changes_nothing():
    options = Options(n_ticks=16)
    parts = parts_of(two_layers(), options, "two")
    network, weights = as_network(parts)
    described = brought(two_layers(), options).description
    images = np.random.default_rng(1).integers(0, 256, (8, 16)).astype(np.uint8)
    seeds = np.arange(8) + 100

    def answers(values):
        model = ArrayModel(network)
        model.load(values)
        return model.run(images, seeds).answers, model.counters()["layer2_spikes"]

    # As the neurons stand in the graph.
    plain = [np.vstack([part.weights[0], part.bias[None]]) for part in parts.parts]
    one, two = answers(plain), answers(weights)
    assert (one[0] == two[0]).all()
    assert one[1] == two[1]
    # The encoder of a graph draws by its name.
    source = replace(described.sources[0], stream=0)
    model = GraphModel(replace(described, sources=(source, *described.sources[1:])))
    assert (model.run(images, seeds).answers == one[0]).all()
    feedback = network.feedback_weights(0).astype(float)

    def fit(values):
        return np.corrcoef(feedback.ravel(), values[1][:-1].ravel())[0, 1]

    assert fit(weights) > fit(plain) + 0.4
    assert fit(aligned(network, plain)) == fit(weights)


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        (nir.NIRGraph.from_list(nir.Linear(np.ones((N, 2))), NEURONS["LI"]), "does not spike"),
        (RING, "layer|hears"),
    ],
)
def test_only_layers_in_a_row_are_layers(graph, words):
    if isinstance(graph, Graph):
        graph = to_nir(graph).graph
        del graph.metadata[metadata.FIELD]
    with pytest.raises(DescriptionError, match=words):
        as_network(parts_of(graph, Options(), "no"))


def test_a_learning_rate_outside_of_its_range():
    with pytest.raises(DescriptionError, match="from 1/16 to 8"):
        Learning(rate=100)


# --- the command -----------------------------------------------------------------------------------------


def test_the_command_out_and_back(run, tmp_path):
    code, out, err = run("nir")
    assert (code, err, out.startswith("Usage: erbium nir")) == (0, "", True)
    assert run("nir export tiny -o net.nir")[0] == 0
    code, out, _ = run("nir import net.nir -o net.json --json")
    assert code == 0
    assert json.loads(out)["digest"] == preset("tiny").network.digest
    assert run("show net.json")[0] == 0
    assert run("nir import net.nir -o net.npz")[0] == 0
    assert run("nir export net.npz -o again.nir")[0] == 0
    code, _, err = run("nir export tiny -o net.nir")
    assert (code, "is there already" in err) == (2, True)


def test_the_command_takes_other_graphs_and_names_the_file_that_it_refuses(run, tmp_path):
    nir.write(tmp_path / "two.nir", two_layers())
    code, out, _ = run("nir import two.nir -o two.npz --ticks 16")
    assert code == 0
    for words in ("membrane: kept in a tick", "320 values in steps of", "root mean square error"):
        assert words in out
    saved = Checkpoint.load(tmp_path / "two.npz")
    assert saved.network.shape == (16, 20, 4)
    assert run("nir import two.nir -o two.json --encoder phase")[0] == 0
    assert run("nir export two.json -o back.nir")[0] == 0
    assert run("nir import back.nir -o same.json")[0] == 0
    same = [json.loads((tmp_path / name).read_text())["digest"] for name in ("two.json", "same.json")]
    assert same[0] == same[1]
    nir.write(tmp_path / "conv.nir", nir.NIRGraph.from_list(CONV, lif_node(9), type_check=False))
    code, _, err = run("nir import conv.nir -o conv.json")
    assert code == 2
    assert err.startswith("erbium: conv.nir: node 'conv2d' is a Conv2d, which the array does not have; write")
    assert not (tmp_path / "conv.json").exists()
    (tmp_path / "text.nir").write_text("no HDF5")
    for line, words in (
        ("text.nir -o x.json", "is no NIR graph"),
        ("none.nir -o x.json", "no such file"),
        ("two.nir -o x.txt", "must end in .npz"),
        ("two.nir -o x.json --dt 0", "dt is 0"),
        ("two.nir -o x.json --width 40", "width of a weight is 40"),
        ("back.nir -o x.npz", "no row of layers"),
    ):
        code, out, err = run(f"nir import {line}")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert words in err


def test_without_the_package(run, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "nir", None)
    code, _, err = run("nir export tiny -o net.nir")
    assert code == 2
    assert "NIR needs the package 'nir', which is not installed: pip install \"nir" in err
