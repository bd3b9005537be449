# SPDX-License-Identifier: BSD-2-Clause
"""The demo and the comparison behind it: a difference of one bit is found, named, and can be repeated."""

import io
import shlex
from dataclasses import replace

import click
import numpy as np
import pytest
from rich.console import Console

from erbium import demo
from erbium.chip import Chip, open_chip
from erbium.commands.demo import demo as demo_command
from erbium.exact import Lockstep, MismatchError, compare
from erbium.gen.presets import preset
from erbium.interrupt import Interruption, StoppedError
from erbium.sw_model import constants, datasets
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.datasets import write_idx
from erbium.sw_model.network import Hardware
from erbium.sw_model.results import Results

TINY = preset("tiny").network


class FakeRtl(ArrayModel):
    """The reference model in place of the hardware, with a defect where a test wants one."""

    def __init__(self, network, defect=None, at=1 << 40):
        super().__init__(network)
        self.defect, self.at, self.learned = defect, at, 0

    def run(self, images, seeds, labels=None, *, n_ticks=None):
        rows = []
        for k in range(len(images)):
            label = None if labels is None else labels[k : k + 1]
            results = super().run(images[k : k + 1], seeds[k : k + 1], label, n_ticks=n_ticks)
            rows.append((results.answers[0], results.ticks[0], results.ticks_to_decision[0]))
            if labels is not None:
                self.learned += 1
            # By the seed, so that learning the sample again shows the defect again.
            if seeds[k] == constants.sample_seeds(self.network.seed, labels is not None, self.at, 1)[0]:
                rows[-1] = self.go_wrong(rows[-1], labels is not None)
        table = np.array(rows, dtype=np.int64).reshape(-1, 3)
        return Results(table[:, 0], table[:, 1], table[:, 2])

    def go_wrong(self, row, learning):
        if self.defect == "weight" and learning:
            self.layers[0].weights[3, 7] ^= 64
        if self.defect == "test" and not learning:
            self.layers[0].weights[3, 7] ^= 64
        if self.defect == "counter" and learning:
            self.layers[1].counters.spikes += 1
        if self.defect == "answer" and not learning:
            return ((row[0] + 1) % self.network.n_classes, *row[1:])
        return row

    def performance(self):
        return {"cycles": 100 * self.learned, "layer1_row_words": 91 * self.learned}


def opener(**defect):
    def open_one(network, backend, hardware):
        if backend == "rtl":
            return Chip(network, FakeRtl(network, **defect), "rtl")
        return open_chip(network, backend, hardware)

    return open_one


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "blocks"
    path.mkdir()
    random = np.random.default_rng(2)
    for name, n in (("train", 120), ("t10k", 30)):
        labels = (np.arange(n) % 4).astype(np.uint8)
        images = random.integers(0, 120, (n, 4, 4), dtype=np.uint8)
        images[np.arange(n), labels] = 220
        write_idx(path / f"{name}-images-idx3-ubyte", images)
        write_idx(path / f"{name}-labels-idx1-ubyte", labels)
    return path


def show(folder, monkeypatch, defect=None, **options):
    """Run the demo on the little data set; return exit code and text."""
    monkeypatch.setattr(demo, "N_VALIDATION", 6)
    monkeypatch.setattr(demo, "N_CHIP_TEST", 20)
    given = demo.Options(**({"preset": "tiny", "images": 50, "data": folder} | options))
    out = io.StringIO()
    code = demo.run(given, Console(file=out, width=100), opener(**(defect or {})))
    return code, out.getvalue()


def test_the_demo(folder, monkeypatch, tmp_path):
    code, text = show(folder, monkeypatch, report=tmp_path / "out.html")
    assert code == 0, text
    n_weights = sum(values.size for values in TINY.initial_weights())
    assert f"bit-exact: {n_weights:,} of {n_weights:,} weights and 12 of 12 counters equal\n" in text
    assert "50 images learned:" in text
    assert "of 30 images, 20 of them on the chip too" in text
    for line in (
        "20 images on the chip; of each, on average: 16.0 ticks",
        "cycles 100 per image learned",
        "lanes busy 91.0 %",
        "synaptic operations",
        "weights changed",
    ):
        assert line in " ".join(text.split())
    page = (tmp_path / "out.html").read_text()
    assert TINY.digest in page
    assert "erbium demo --images 50 --preset tiny" in page


def test_the_demo_tests_with_what_it_learned(folder, monkeypatch):
    _, text = show(folder, monkeypatch)
    data = datasets.load(folder)
    network, _, plan = demo.choose(demo.Options(preset="tiny", images=50), data)
    with open_chip(network, "reference") as chip:
        for position in range(50):
            chip.set_rate(plan.rate(position))
            chip.learn(data.train.images[[position]], data.train.labels[[position]])
        error = (chip.infer(data.test.images).answers != data.test.labels).mean()
    assert f"{100 * error:.2f} %" in text


def test_the_sizes_that_were_asked_for(folder):
    data = datasets.load(folder)
    options = demo.Options(preset="erbp-mnist-200", images=50, hidden=(6, 5))
    assert demo.choose(options, data)[0].shape == (16, 6, 5, 4)
    assert "--preset erbp-mnist-200 --hidden 6,5" in options.command()
    # Where nothing was asked for, it is proposed, and so is what fits.
    with pytest.raises(
        datasets.DatasetError, match=r"with --hidden 200, .* --preset: tiny, first-spike-tiny$"
    ):
        demo.choose(replace(options, hidden=None), data)


def test_the_demo_of_a_first_spike_network(folder, monkeypatch, tmp_path):
    network = preset("first-spike-tiny").network
    options = {"preset": network.name, "report": tmp_path / "out.html"}
    code, text = show(folder, monkeypatch, **options)
    assert code == 0, text
    n_weights = sum(values.size for values in network.initial_weights())
    assert f"bit-exact: {n_weights:,} of {n_weights:,} weights and 12 of 12 counters equal\n" in text
    words = " ".join(text.split())
    for line in (
        "samples that changed something",
        "30 images; of each, on average: ",
        "ticks to the decision",
        "of the rows of hidden looked up",
    ):
        assert line in words
    assert "error spikes" not in text
    assert network.digest in (tmp_path / "out.html").read_text()
    # Online, the answers of learning are answers: there is something to see at the first sample already.
    code, text = show(folder, monkeypatch, {"defect": "weight", "at": 17}, **options)
    assert code == 1
    assert "layer 1, row 3, neuron 7: the weight is" in text


def test_the_demo_crops(monkeypatch):
    random = np.random.default_rng(1)
    split = (random.integers(0, 256, (10, 28, 28), dtype=np.uint8), np.arange(10, dtype=np.uint8))
    whole = datasets.split.make_dataset(
        name="noise", source="a test", notice="", size=(28, 28), train=split, validation=split, test=split
    )
    network, dataset, plan = demo.choose(demo.Options(preset="first-spike-mnist-20x20-320"), whole)
    assert (dataset.height, dataset.width, network.n_inputs) == (20, 20, 400)
    assert plan.recipe.crop == 20
    assert plan.n_ticks == network.n_ticks, "it stops by itself"
    assert demo.choose(demo.Options(preset="erbp-mnist-100"), whole)[1] is whole
    with pytest.raises(datasets.DatasetError, match="8 x 8 pixels and the middle 20 x 20"):
        demo.choose(
            demo.Options(preset="first-spike-mnist-20x20-320"), datasets.sources.load_digits("stand in")
        )


@pytest.mark.parametrize(
    ("defect", "at", "texts"),
    [
        ("weight", 17, ["sample 17", "layer 1, row 3, neuron 7: the weight is", "in rtl and", "in model"]),
        ("counter", 0, ["sample 0", "counter layer2_spikes counts +1"]),
        ("counter", 49, ["sample 49", "counter layer2_spikes"]),
    ],
)
def test_a_difference_is_named_and_can_be_repeated(folder, monkeypatch, tmp_path, defect, at, texts):
    report = tmp_path / "out.html"
    code, text = show(folder, monkeypatch, {"defect": defect, "at": at}, report=report)
    assert code == 1
    assert "NOT bit-exact: " in text
    for part in texts:
        assert part in text
    seed = int(constants.sample_seeds(TINY.seed, True, at, 1)[0])
    assert f"seed {seed:#010x}" in text
    assert not report.exists()
    words = shlex.split(text.split("to repeat it: ")[1])
    assert words[:2] == ["erbium", "demo"]
    context = demo_command.make_context("demo", words[2:])
    again = {name: context.params[name] for name in ("preset", "images", "data", "stop_after")}
    assert again == {"preset": "tiny", "images": 50, "data": folder, "stop_after": at + 1}
    code, repeated = show(folder, monkeypatch, {"defect": defect, "at": at}, **again)
    assert code == 1
    assert all(part in repeated for part in texts)


def test_a_wrong_answer_is_found(folder, monkeypatch):
    code, text = show(folder, monkeypatch, {"defect": "answer", "at": 4})
    assert code == 1
    assert "inferred image 4: answers is" in text


def test_a_weight_that_changes_after_learning_is_found_too(folder, monkeypatch, tmp_path):
    # Image 19 is not among those of the evaluations, and the last one of the test on the chip.
    code, text = show(folder, monkeypatch, {"defect": "test", "at": 19}, report=tmp_path / "out.html")
    assert code == 1
    assert "NOT bit-exact: " in text
    assert "first difference: layer 1, row 3, neuron 7: the weight is" in text
    assert "to repeat it: erbium demo --images 50 --preset tiny" in text
    assert "row 3, neuron 7" in (tmp_path / "out.html").read_text()


def test_a_weight_that_no_sample_betrays_is_found_at_the_end(folder, monkeypatch):
    class Sly(FakeRtl):
        @property
        def weights(self):
            values = super().weights
            values[1][2, 1] += 1
            return values

    def open_sly(network, backend, hardware):
        return Chip(network, Sly(network), "rtl") if backend == "rtl" else open_chip(network, backend)

    monkeypatch.setattr(demo, "N_VALIDATION", 6)
    out = io.StringIO()
    options = demo.Options(preset="tiny", images=20, data=folder)
    assert demo.run(options, Console(file=out, width=100), open_sly) == 1
    n = sum(values.size for values in TINY.initial_weights())
    assert f"NOT bit-exact: {n - 1:,} of {n:,} weights and 12 of 12 counters equal" in out.getvalue()
    assert "layer 2, row 2, neuron 1: the weight is" in out.getvalue()
    assert "to repeat it: erbium demo --images 20 --preset tiny" in out.getvalue()


def test_the_model_alone_proves_nothing(folder, monkeypatch):
    code, text = show(folder, monkeypatch, backend="model")
    assert code == 0
    assert "Nothing was compared" in text
    assert "bit-exact" not in text
    code, text = show(folder, monkeypatch, backend="reference")
    assert "bit-exact: " in text


def test_without_mnist_the_digits_have_a_network_of_their_own(monkeypatch):
    digits = datasets.sources.load_digits("MNIST is not there; digits stand in.")
    monkeypatch.setattr(datasets, "load", lambda folder: digits)
    monkeypatch.setattr(demo, "N_CHIP_TEST", 5)
    monkeypatch.setattr(demo, "N_VALIDATION", 5)
    out = io.StringIO()
    code = demo.run(demo.Options(images=4), Console(file=out, width=200), opener())
    assert code == 0
    assert out.getvalue().startswith("MNIST is not there; digits stand in.\nerbp-digits (64-64-10")
    assert "bit-exact: " in out.getvalue()
    with pytest.raises(
        datasets.DatasetError, match="8 x 8 = 64 pixels and network 'erbp-mnist-200' takes 784"
    ):
        demo.run(demo.Options(preset="erbp-mnist-200"), Console(file=out), opener())


def test_ctrl_c_tells_how_far_it_was_exact(folder, monkeypatch):
    class Impatient(Interruption):
        def __enter__(self):
            super().__enter__()
            self.number = 2
            return self

    monkeypatch.setattr(demo, "Interruption", Impatient)
    with pytest.raises(StoppedError, match="Stopped after 0 images, bit-exact: ") as caught:
        show(folder, monkeypatch)
    assert caught.value.exit_code == 130


def test_when_the_demo_asks():
    assert demo.evaluate_at(10_000) == (0, 100, 200, 500, *range(1000, 10_001, 1000))
    assert demo.evaluate_at(3) == (0, 1, 2, 3)
    for total in (1, 7, 99, 12_345):
        places = demo.evaluate_at(total)
        assert places[-1] == total
        assert list(places) == sorted(set(places))


def test_the_command_line_of_options():
    options = demo.Options("tiny", 7, 3, Hardware(lanes=8), "reference", None, None, 5)
    words = shlex.split(options.command())
    context = demo_command.make_context("demo", words[2:])
    expected = dict(preset="tiny", images=7, seed=3, lanes=8, backend="reference", stop_after=5)
    assert expected.items() <= context.params.items()
    with pytest.raises(click.exceptions.NoSuchOption):
        demo_command.make_context("demo", ["--nothing"])


def test_compare_counts_and_names_the_first():
    weights = TINY.initial_weights()
    others = [values.copy() for values in weights]
    others[0][16, 11] += 1
    others[1][0, 0] -= 1
    verdict = compare((weights, others), ({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 0}), ("left", "right"))
    n = sum(values.size for values in weights)
    assert (verdict.n_weights, verdict.n_weights_equal) == (n, n - 2)
    assert (verdict.n_counters, verdict.n_counters_equal) == (3, 1)
    assert verdict.first_difference == (
        f"layer 1, row 16, neuron 11: the weight is {weights[0][16, 11]} in left "
        f"and {others[0][16, 11]} in right"
    )
    assert not verdict.equal
    same = compare((weights, weights), ({"a": 1}, {"a": 1}))
    assert same.equal
    assert same.first_difference == ""
    counters = compare((weights, weights), ({"a": 1}, {"a": 2}))
    assert not counters.equal
    assert counters.first_difference == "counter a is 1 in rtl and 2 in model"


def three_samples():
    random = np.random.default_rng(1)
    return random.integers(0, 256, (3, 16), dtype=np.uint8), np.array([0, 1, 2])


def test_a_defect_that_needs_two_samples_in_a_call():
    class Leaky(FakeRtl):
        def run(self, images, seeds, labels=None, *, n_ticks=None):
            results = super().run(images, seeds, labels, n_ticks=n_ticks)
            if len(images) > 1:
                self.layers[0].counters.spikes += 1
            return results

    images, labels = three_samples()
    pair = Lockstep(Chip(TINY, Leaky(TINY), "rtl"), open_chip(TINY, "reference"))
    with pytest.raises(MismatchError, match=r"^sample 1 \(.*: counter layer1_spikes counts \+1$") as caught:
        pair.learn(images, labels)
    assert caught.value.position == 2
    assert caught.value.verdict.n_counters_equal == 11
    pair = Lockstep(Chip(TINY, Leaky(TINY), "rtl"), open_chip(TINY, "reference"))
    with pytest.raises(MismatchError, match=r"^inferred image 5: counter layer1_spikes is"):
        pair.infer(images, first=5)


def test_a_defect_that_does_not_come_back():
    engine = FakeRtl(TINY)
    images, labels = three_samples()
    pair = Lockstep(Chip(TINY, engine, "rtl"), open_chip(TINY, "reference"))
    pair.learn(images[:1], labels[:1])
    pair.verify()
    pair.learn(images[1:], labels[1:])
    engine.layers[0].weights[0, 0] ^= 1
    with pytest.raises(MismatchError, match="samples 1 to 2 once more gives no difference") as caught:
        pair.verify()
    assert "layer 1, row 0, neuron 0" in str(caught.value)
    assert caught.value.position == 3


@pytest.mark.slow
@pytest.mark.verilator
@pytest.mark.parametrize("name", ["tiny", "first-spike-tiny"])
def test_the_demo_on_the_generated_verilog(folder, monkeypatch, name):
    monkeypatch.setattr(demo, "N_VALIDATION", 6)
    out = io.StringIO()
    options = demo.Options(preset=name, images=60, data=folder, hardware=Hardware(lanes=8))
    assert demo.run(options, Console(file=out, width=100)) == 0
    assert "bit-exact: " in out.getvalue()
    assert "lanes busy" in out.getvalue()


def test_a_seed_is_another_network(folder):
    data = datasets.load(folder)
    network, *_ = demo.choose(demo.Options(preset="tiny", seed=9), data)
    assert network == replace(TINY, seed=9)
