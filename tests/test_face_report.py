# SPDX-License-Identifier: BSD-2-Clause
"""The HTML report: self-contained, for people and programs, equal for equal records, never half written."""

import base64
import hashlib
import html
import json
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pytest
from markupsafe import Markup

from erbium.gen.presets import erbp_network, first_spike_network
from erbium.report import (
    SECTIONS,
    Check,
    CurvePoint,
    DatasetFacts,
    Decisions,
    Exactness,
    Mistake,
    Performance,
    RunRecord,
    Section,
    Speed,
    Stage,
    render,
    trace_sample,
    write_report,
)
from erbium.report.parts import short
from erbium.report.sections import N_FIELDS, N_GROWN, exactness, learning_curve
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.constants import sample_seeds
from erbium.sw_model.datasets.sources import load_digits
from erbium.sw_model.fast import FastArray
from erbium.sw_model.network import Hardware

VOID = {"meta", "link", "img", "br", "hr", "input"}
ALL_KEYS = [
    "curve",
    "confusion",
    "mistakes",
    "raster",
    "fields",
    "weights",
    "spikes",
    "exactness",
    "network",
    "counters",
    "made",
]


@cache
def make_record(hidden=(6,), n_classes=4, size=(4, 4), learn=True):
    """Learn a few random images with a tiny network and record everything there is to record."""
    net = erbp_network("tiny", hidden, n_inputs=size[0] * size[1], n_classes=n_classes, n_ticks=8)
    draw = np.random.default_rng(1)
    images = draw.integers(0, 256, (8, net.n_inputs), dtype=np.uint8)
    labels = draw.integers(0, n_classes, 8)
    array = ArrayModel(net)
    array.run(images, sample_seeds(1, True, 0, 8), labels)
    answers = ArrayModel(net).run(images, sample_seeds(1, False, 0, 8)).answers
    confusion = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(confusion, (labels, answers), 1)
    return RunRecord(
        title="A tiny run",
        network=net,
        dataset=DatasetFacts("noise", "a generator", "", *size),
        backend="rtl",
        version="1.2.3",
        date="1 April 2025",
        seed=7,
        commands=("erbium train tiny --seed 7", "erbium eval tiny"),
        recipe={"epochs": 1, "shift": 0},
        images_learned=8,
        hardware=Hardware(lanes=4),
        curve=(
            CurvePoint(1, "validation", 75.0, 8),
            CurvePoint(8, "validation", 12.5, 8),
            CurvePoint(8, "test", 37.5),
        ),
        confusion=confusion,
        exactness=Exactness((Check("weights", 100, 100), Check("counters", 9, 9))),
        counters=array.counters(),
        performance=Performance(1000, 125.0, 0.75, 2.5),
        trace=trace_sample(net, array.weights, images[0], int(labels[0]), 5, learn),
        weights=tuple(array.weights),
        speed=Speed("ULX3S 85F", 80_000_000, 4_000.0, 2_000.0, "simulated clocks", 4),
        mistakes=tuple(Mistake(k, images[k].tolist(), 0, 1) for k in (2, 5)),
        sample=0,
        during=Stage(4, net.initial_weights()[0]),
    )


FIRST_SPIKE_KEYS = [
    "curve",
    "confusion",
    "mistakes",
    "decisions",
    "rows",
    "raster",
    "traces",
    "fields",
    "weights",
    "spikes",
    "exactness",
    "network",
    "counters",
    "made",
]


@cache
def make_first_spike_record(hidden=(6,), n_classes=4, size=(4, 4), **options):
    """Learn a few random images with a tiny first-spike network and record everything there is to record."""
    thresholds = (400, 200, 200, 200)[: len(hidden) + 1]
    net = first_spike_network(
        "tiny",
        hidden,
        n_inputs=size[0] * size[1],
        n_classes=n_classes,
        n_ticks=8,
        deadline=6,
        **({"thresholds": thresholds} | options),
    )
    draw = np.random.default_rng(1)
    images = draw.integers(0, 256, (8, net.n_inputs), dtype=np.uint8)
    labels = draw.integers(0, n_classes, 8)
    array = ArrayModel(net)
    array.run(images, sample_seeds(1, True, 0, 8), labels)
    trace = trace_sample(net, array.weights, images[0], int(labels[0]), 5, False)
    found = FastArray(net)
    found.load(array.weights)
    decided = found.decisions(images, sample_seeds(1, False, 0, 8))
    return replace(
        make_record(),
        network=net,
        dataset=DatasetFacts("noise", "a generator", "", *size),
        confusion=np.eye(n_classes, dtype=np.int64),
        recipe={"image shift": "off"},
        counters=array.counters(),
        trace=trace,
        weights=tuple(array.weights),
        mistakes=tuple(Mistake(k, images[k].tolist(), 0, 1) for k in (2, 5)),
        during=Stage(4, net.initial_weights()[0]),
        decisions=Decisions.of(
            net, decided.ticks_to_decision, [decided.input_spikes, *decided.hidden_spikes.T]
        ),
    )


@cache
def usual_page():
    return render(make_record())


class Page(HTMLParser):
    """Checks that tags are closed in order, and collects what tests ask for."""

    def __init__(self, text):
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append((self.open[-1] if self.open else "", data))

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def data(self):
        return json.loads(next(words for tag, words in self.words if tag == "script"))

    @property
    def text(self):
        words = "".join(words for tag, words in self.words if tag not in ("script", "style"))
        return re.sub(r"\s+", " ", words)


def section_keys(page):
    return [attributes["id"] for attributes in page.all("section")]


def test_page_has_every_section_and_links_to_each():
    page = Page(usual_page())
    assert section_keys(page) == ALL_KEYS
    assert [a["href"] for a in page.all("a")] == [f"#{key}" for key in ALL_KEYS]
    for words in ("A tiny run", "erbium train tiny --seed 7", "1 April 2025", "1.2.3", "erbp-hidden"):
        assert words in page.text


def test_page_asks_nobody_for_anything():
    text = usual_page()
    assert "http:" not in text
    assert "https:" not in text
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    for _, attributes in Page(text).elements:
        for name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
            assert attributes.get(name, "#").startswith(("#", "data:"))
    assert "default-src 'none'" in text  # and the browser enforces it


@pytest.mark.parametrize("make", [make_record, make_first_spike_record])
def test_names_inside_the_page_are_unique_and_found(make):
    text = render(make(hidden=(6, 5, 4)))
    names = [attributes["id"] for _, attributes in Page(text).elements if "id" in attributes]
    assert len(names) == len(set(names))
    for name in re.findall(r"""url\(#([^)]+)\)|href="#([^"]+)""", text):
        assert "".join(name) in names


def test_pictures_have_words_for_those_who_cannot_see_them():
    page = Page(usual_page())
    pictures = page.all("img") + page.all("svg")
    assert len(pictures) == 2 + 3 * 6 + 6 + 1 + 3
    assert all(picture.get("alt") or picture.get("aria-label") for picture in pictures)


def test_plots_take_their_colours_from_the_page():
    text = usual_page()
    style = text[text.index("<style>") : text.index("</style>")]
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style
    plots = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert not re.search(r"(fill|stroke): ?#", plots)
    used = set(re.findall(r"var\(--([\w-]+)", text))
    # Set by the page for both themes, or by an element for itself.
    assert all(f"--{name}:" in text for name in used)
    assert set(re.findall(r"var\(--([\w-]+)", plots)) <= set(re.findall(r"--(\w+):", style))


def test_data_block_has_the_numbers_of_the_record():
    record = make_record()
    data = Page(render(record)).data
    assert data == json.loads(record.to_json())
    assert data["confusion"] == record.confusion.tolist()
    assert data["counters"] == record.counters
    assert data["curve"][0] == {"images": 1, "split": "validation", "error": 75.0, "n_samples": 8}
    assert data["exactness"]["equal"] is True
    assert data["test_error"] == record.test_error
    assert data["digest"] == record.network.digest == data["network"]["digest"]
    assert data["performance"]["busy_share"] == 0.75
    assert data["trace"]["input_spikes"] == record.trace.input_spikes
    assert "weights" not in data


def test_numbers_that_json_has_not_become_null():
    record = replace(make_record(), performance=Performance(cycles_per_sample=float("nan")))
    assert json.loads(record.to_json())["performance"]["cycles_per_sample"] is None
    assert "Cycles per sample nan" not in Page(render(record)).text


HOSTILE = (
    """</script><script>alert(1)</script><img src=x onerror=alert(2)> "quoted" 'single' & {{ 7 * 7 }} $x$"""
)


def test_hostile_strings_stay_words():
    record = make_record()
    network = replace(record.network)
    object.__setattr__(
        network, "name", HOSTILE
    )  # a description refuses it; the page has to be safe without that
    record = replace(
        record,
        title=HOSTILE,
        backend=HOSTILE,
        version=HOSTILE,
        date=HOSTILE,
        commands=(HOSTILE,),
        recipe={HOSTILE: HOSTILE},
        dataset=replace(record.dataset, name=HOSTILE, source=HOSTILE, notice=HOSTILE, digest=HOSTILE),
        exactness=Exactness((Check(HOSTILE, 2, 1),), HOSTILE),
        counters=record.counters | {HOSTILE: 1},
        network=network,
    )
    text = render(record)
    page = Page(text)
    assert [script.get("id") for script in page.all("script")] == ["record", None]
    assert all("onerror" not in attributes for _, attributes in page.elements)
    assert page.data["title"] == page.data["exactness"]["first_difference"] == HOSTILE
    assert page.text.count(re.sub(r"\s+", " ", HOSTILE)) >= 8


def test_equal_records_give_equal_pages():
    pages = set()
    for _ in range(3):
        make_record.cache_clear()
        pages.add(render(make_record()))
    assert len(pages) == 1


def test_writing_is_all_or_nothing(tmp_path):
    path = tmp_path / "new folder" / "report.html"
    write_report(path, make_record())
    before = path.read_text(encoding="utf-8")
    assert before == usual_page()

    def broken(record):
        raise RuntimeError("no such plot")

    with pytest.raises(RuntimeError, match="no such plot"):
        write_report(path, make_record(), (*SECTIONS, broken))
    assert path.read_text(encoding="utf-8") == before
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_failure_while_writing_leaves_the_old_report(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("erbium.report.page.os.replace", full)
    with pytest.raises(OSError, match="no space left"):
        write_report(path, make_record())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_learner_adds_its_own_section(tmp_path):
    def causal(record):
        return Section("causal", "Causal sets", "How to read it.", Markup("<p>here</p>"))

    page = Page(render(make_record(), (*SECTIONS, causal)))
    assert section_keys(page) == [*ALL_KEYS, "causal"]
    assert "Causal sets How to read it. here" in page.text


@pytest.mark.parametrize(
    ("hidden", "n_classes", "size"),
    [
        ((), 4, (4, 4)),
        ((5, 4, 3), 4, (4, 4)),
        ((6,), 3, (4, 4)),
        ((6,), 2, (2, 7)),
        ((6,), 10, (1, 1)),
        ((50,), 24, (5, 2)),
    ],
    ids=["one layer", "three hidden layers", "three classes", "not square", "one pixel", "many classes"],
)
@pytest.mark.parametrize("learn", [True, False], ids=["learn", "infer"])
def test_odd_shapes(hidden, n_classes, size, learn):
    record = make_record(hidden, n_classes, size, learn)
    page = Page(render(record))
    assert section_keys(page) == ALL_KEYS
    first = record.network.layers[0].n_neurons
    alts = [img["alt"] for img in page.all("img") if img["alt"].startswith("Weights of")]
    fields = [alt for alt in alts if re.search(r"neuron \d+$", alt)]
    assert len(fields) == min(first, N_FIELDS)
    assert len(alts) - len(fields) == 3 * min(first, N_GROWN)
    assert ("the label did not spike" in page.text) is learn


def test_a_first_spike_network_has_sections_of_its_own():
    record = make_first_spike_record()
    text = render(record)
    page = Page(text)
    assert section_keys(page) == FIRST_SPIKE_KEYS
    for words in (
        "Ticks to decide",
        "Hidden spikes",
        "Decided in tick",
        "Step of a weight",
        "±2",
        "blank-out",
    ):
        assert words in page.text
    # What eRBP has and this has not.
    for words in ("error spike", "error neuron", "feedback weights", "Gain", "gain", "false positive"):
        assert words not in page.text
    pictures = page.all("img") + page.all("svg")
    assert len(pictures) == 2 + 3 * 6 + 6 + 1 + 6
    assert all(picture.get("alt") or picture.get("aria-label") for picture in pictures)
    plots = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert not re.search(r"(fill|stroke): ?#", plots)
    assert "nan" not in plots.lower()
    assert page.data["decisions"]["n_samples"] == 8
    assert page.data["trace"]["decision"] == record.trace.decision
    assert [probe["layer"] for probe in page.data["trace"]["probes"]][-4:] == [1] * 4


def test_decisions_count_what_was_sent_until_then():
    record = make_first_spike_record()
    net, images = record.network, np.random.default_rng(1).integers(0, 256, (8, 16), dtype=np.uint8)
    ticks, sent = np.zeros(8, dtype=int), np.zeros((2, 8), dtype=int)
    for k, seed in enumerate(sample_seeds(1, False, 0, 8)):
        trace = trace_sample(net, record.weights, images[k], 0, int(seed), False)
        end = trace.n_ticks if trace.decision is None else trace.decision + 1
        ticks[k] = end
        sent[0, k] = sum(map(len, trace.input_spikes[:end]))
        sent[1, k] = sum(map(len, trace.layer_spikes[0][:end]))
    expected = Decisions.of(net, ticks, list(sent))
    assert record.decisions == expected
    assert expected.mean_ticks == ticks.mean()
    assert expected.mean_spikes == tuple(sent.mean(axis=1))
    assert expected.rows_read(net) == (sent[0].mean() / 16, sent[1].mean() / 6)
    assert (ticks < 8).any()


def test_probes_follow_the_neurons_that_matter():
    record = make_first_spike_record()
    trace, net = record.trace, record.network
    hidden = [probe for probe in trace.probes if probe.layer == 0]
    spiking = {neuron for neurons in trace.layer_spikes[0] for neuron in neurons}
    assert spiking
    assert {probe.neuron for probe in hidden} & spiking
    assert len(hidden) <= 6
    assert [probe.neuron for probe in trace.probes if probe.layer == 1] == [0, 1, 2, 3]
    for probe in trace.probes:
        assert len(probe.v) == len(probe.i) == trace.n_ticks
        # Without decay a membrane grows by the current of each tick.
        assert np.array_equal(np.diff([0, *probe.v]), probe.i)
        threshold = net.layers[probe.layer].program.threshold
        if probe.neuron in {n for neurons in trace.layer_spikes[probe.layer] for n in neurons}:
            assert max(probe.v) >= threshold
    assert trace.decision == next(tick for tick, spikes in enumerate(trace.layer_spikes[-1]) if spikes)


@pytest.mark.parametrize(
    "options",
    [
        {"hidden": (), "thresholds": (300,)},
        {"hidden": (6, 5)},
        {"hidden": (60,), "n_classes": 24, "size": (5, 2)},
        {"hidden": (6,), "thresholds": (400, 5_000)},
        {"hidden": (6,), "current_shifts": (2, 3)},
        {"hidden": (6,), "levels": ((128, 0), (0, 3))},
        {"hidden": (2,), "size": (1, 1), "thresholds": (1, 1)},
    ],
    ids=[
        "one layer",
        "two hidden layers",
        "many classes",
        "no decision",
        "decay",
        "late pixels",
        "one pixel",
    ],
)
def test_odd_first_spike_networks(options):
    record = make_first_spike_record(**options)
    text = render(record)
    assert section_keys(Page(text)) == FIRST_SPIKE_KEYS
    assert "nan" not in "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL)).lower()


def test_first_spike_sections_without_data_are_left_out():
    bare = replace(make_first_spike_record(), decisions=None, trace=None)
    missing = ("decisions", "rows", "raster", "traces")
    assert section_keys(Page(render(bare))) == [key for key in FIRST_SPIKE_KEYS if key not in missing]


def test_sections_without_data_are_left_out():
    record = make_record()
    bare = RunRecord(
        title="Bare",
        network=record.network,
        dataset=DatasetFacts("events"),
        backend="model",
        version="1",
        date="",
        seed=1,
        commands=(),
        recipe={},
        images_learned=0,
    )
    page = Page(render(bare))
    assert section_keys(page) == ["network", "made"]
    assert page.data["confusion"] is None
    no_images = replace(record, dataset=DatasetFacts("events"))
    keys = section_keys(Page(render(no_images)))
    assert keys == [key for key in ALL_KEYS if key not in ("fields", "mistakes")]


@pytest.mark.parametrize(
    ("checks", "difference", "equal"),
    [
        ([(10, 10)], None, True),
        ([(10, 9)], None, False),
        ([(10, 10), (3, 2)], None, False),
        ([(10, 10)], "weight of row 3", False),
        ([(0, 0)], None, False),
        ([], None, False),
    ],
)
def test_only_equality_of_everything_is_bit_exact(checks, difference, equal):
    verdict = Exactness(tuple(Check("integers", *pair) for pair in checks), difference)
    assert verdict.equal is equal
    text = render(replace(make_record(), exactness=verdict), [exactness])
    page = Page(text)
    assert ("Every integer is the same" in page.text) is equal
    assert (difference or "") in page.text
    tile = "tile good" if equal else "tile bad"
    assert re.findall(r'<div class="([^"]*)"><dt>Bit-exact</dt>', text) == [tile]


@pytest.mark.parametrize(
    "points",
    [
        [(640, 3.3)],
        [(100, 0.0), (200, 0.0)],
        [(0, 90.0), (50, 100.0)],
        [(1000, 2.4), (1100, 2.2), (1200, 2.1)],
        [(10, 0.01), (10_000_000, 90.0)],
    ],
)
def test_any_learning_curve_can_be_drawn(points):
    record = replace(make_record(), curve=tuple(CurvePoint(x, "validation", y) for x, y in points))
    text = render(record, [learning_curve])
    plot = re.search(r'<svg class="plot" role="img" aria-label="Learning.*?</svg>', text, re.DOTALL)
    assert plot is not None
    assert "nan" not in plot[0].lower()


def test_facts_of_a_data_set():
    digits = load_digits("a notice")
    facts = DatasetFacts.of(digits)
    assert (facts.name, facts.notice, facts.size, facts.digest) == (
        "digits",
        "a notice",
        (8, 8),
        digits.digest,
    )


def test_test_error_is_that_of_the_confusion_matrix():
    record = make_record()
    right = int(np.trace(record.confusion))
    assert record.test_error == pytest.approx(100 * (1 - right / 8))
    assert replace(record, confusion=None).test_error == 37.5
    assert replace(record, confusion=None, curve=()).test_error is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"confusion": np.zeros((3, 4), int)}, r"confusion has shape \(3, 4\).*\(4, 4\)"),
        ({"weights": (np.zeros((2, 2)),)}, r"weights have shapes \[\(2, 2\)\].*\(17, 6\)"),
        ({"dataset": DatasetFacts("noise", height=3, width=4)}, r"3 x 4 pixels.*16 inputs"),
    ],
)
def test_record_that_does_not_fit_its_network_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(make_record(), **change)


def test_trace_has_the_spikes_that_the_counters_count():
    record = make_record()
    net, image = record.network, np.array(record.trace.image, dtype=np.uint8)
    weights = [values.copy() for values in record.weights]
    trace = trace_sample(net, weights, image, 2, 11, True)
    assert all((a == b).all() for a, b in zip(weights, record.weights, strict=True))
    array = ArrayModel(net)
    array.load(weights)
    result = array.sample(image, seed=11, label=2)
    counters = array.counters()
    assert trace.n_ticks == result.ticks == len(trace.error_spikes) == len(trace.membranes)
    assert trace.answer == result.answer
    assert sum(map(len, trace.input_spikes)) == counters["input_spikes"]
    assert [sum(map(len, spikes)) for spikes in trace.layer_spikes] == [
        counters["layer1_spikes"],
        counters["layer2_spikes"],
    ]
    assert sum(map(len, trace.error_spikes)) == counters["error_spikes"]
    assert trace_sample(net, weights, image, 2, 11, False).error_spikes == [[]] * net.n_ticks


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.123, "0.123"),
        (12.34, "12.3"),
        (99.96, "100"),
        (5210.4, "5,210"),
        (135867, "135,867"),
        (2.5e6, "2.50 M"),
    ],
)
def test_headline_numbers_are_short(value, words):
    assert short(value) == words


def style_variables(scheme):
    """Return the colours that the page gives its roles: those of the light scheme, or of the dark one."""
    found = re.findall(r":root \{(.*?)\}", usual_page(), re.DOTALL)
    return dict(re.findall(r"--(\w+): (#\w+);", found[scheme]))


def luminance(colour):
    digits = colour[1:] if len(colour) > 4 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_colour_can_be_read_on_its_ground(scheme):
    """What is written in it, 4.5 to 1 as WCAG asks; and both schemes have the same roles."""
    colours = style_variables(scheme)
    assert colours.keys() == style_variables(1 - scheme).keys()
    for role in colours.keys() - {"paper", "card", "rule", "shade"}:
        for ground in ("card", "paper"):
            dark, light = sorted([luminance(colours[role]), luminance(colours[ground])])
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (role, ground)


def test_nothing_is_wider_than_a_phone():
    """No width in pixels but those that only limit; the browser's test looks at the outcome."""
    page = usual_page()
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page
    fixed = re.findall(r"(?<![\w-])(?:min-)?width: ?(\d+)px", page[: page.index("</style>")])
    assert max(map(int, fixed), default=0) <= 60
    for plot in re.findall(r"<svg[^>]*>", page):
        assert "viewBox" in plot
        assert not re.search(r'\s(width|height)="', plot)


def test_plots_take_their_colours_from_the_scheme():
    plots = re.findall(r"<svg.*?</svg>", usual_page(), re.DOTALL)
    assert len(plots) >= 3
    assert all("var(--" in plot and not re.search(r"#[0-9a-f]{3,6}\b(?=[;\"])", plot) for plot in plots)


def test_the_speed_of_the_chip_is_the_headline():
    words = Page(usual_page()).text
    assert (
        "The chip learns 20,000 / s images: 4,000 simulated clocks each, at 80 MHz, the clock of a ULX3S 85F"
        in words
    )
    assert "The chip answers 40,000 / s" in words
    assert words.index("The chip learns") < words.index("Test error")


def test_mistakes_have_picture_label_and_answer():
    record = make_record()
    page = Page(render(record))
    alts = [picture["alt"] for picture in page.all("img")]
    assert "Test image 5, a 0 that was answered 1" in alts
    assert page.data["mistakes"] == [{"number": k, "label": 0, "answer": 1} for k in (2, 5)]
    none = replace(record, mistakes=(Mistake(1, record.mistakes[0].image, 2, record.network.n_classes),))
    assert "2 → none" in Page(render(none)).text
    assert "mistakes" not in section_keys(Page(render(replace(record, mistakes=()))))


def test_receptive_fields_are_shown_before_during_and_after():
    words = Page(usual_page()).text
    assert "Before After 4 images After 8 images The hidden neurons at the end" in words
    without = Page(render(replace(make_record(), during=None))).text
    assert "Before After 8 images The hidden neurons" in without


def test_weights_on_the_way_have_to_fit():
    with pytest.raises(ValueError, match="weights on the way have shape"):
        replace(make_record(), during=Stage(4, np.zeros((2, 2), dtype=np.int16)))


def test_the_script_is_the_only_one_that_may_run():
    text = usual_page()
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html.unescape(text)
    assert "fetch" not in scripts[0]
