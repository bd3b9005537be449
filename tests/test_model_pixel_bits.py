# SPDX-License-Identifier: BSD-2-Clause
"""Pixels of four bits: rounded before the encoder, the same in every path and on every line, and off by default."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from erbium.fpga.driver import BoardArray
from erbium.fpga.driver_protocol import frame, pack_pixels, sample_message
from erbium.gen.core_tokens import sample_tokens
from erbium.gen.presets import PRESETS
from erbium.hdl.registers import PixelFormat, RegisterMap
from erbium.hdl.runs import run_octets
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.constants import sample_seeds
from erbium.sw_model.core.fast import CoreModel
from erbium.sw_model.datasets.mnist_part import load_part
from erbium.sw_model.description.chain import chain
from erbium.sw_model.description.codec import digest, from_json, to_json
from erbium.sw_model.description.parts import Bernoulli, Constant, Source
from erbium.sw_model.fast import FastArray
from erbium.sw_model.graph_fast.array import FastGraph
from erbium.sw_model.graph_model.array import GraphModel
from erbium.sw_model.graph_model.drive import Drive
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.programs import DescriptionError
from erbium.sw_model.rules import LatencyEncoder
from erbium.sw_model.rules.pixels import lowest_seen, rounded
from erbium.verif.model_board import ModelBoard

TINY = PRESETS["tiny"].network
BASES = [
    TINY,
    replace(TINY, encoder="phase"),
    replace(PRESETS["first-spike-tiny"].network, encoder=LatencyEncoder(((200, 0), (90, 2), (20, 4)))),
]
IDS = ["bernoulli", "phase", "latency"]


def samples(network: Network, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return images of all values, seeds and labels."""
    rng = np.random.default_rng(7)
    images = rng.integers(0, 256, (count, network.n_inputs)).astype(np.uint8)
    images[rng.random(images.shape) < 0.4] = 0
    return images, sample_seeds(network.seed, True, 0, count), rng.integers(0, network.n_classes, count)


@pytest.mark.parametrize("base", BASES, ids=IDS)
def test_every_path_sees_rounded_pixels(base: Network) -> None:
    network = replace(base, pixel_bits=4)
    images, seeds, labels = samples(network, 12)
    fast, eight = FastArray(network), FastArray(base)
    results = fast.run(images, seeds, labels)
    # The same as eight bits of images that were rounded by hand.
    by_hand = np.array([[value // 16 * 17 for value in image] for image in images.tolist()], dtype=np.uint8)
    others = eight.run(by_hand, seeds, labels)
    assert (results.answers == others.answers).all()
    graph, reference = GraphModel(chain(network)), ArrayModel(network)
    for image, seed, label in zip(images, seeds, labels, strict=True):
        reference.sample(image, seed=int(seed), label=int(label))
        graph.sample(image, seed=int(seed), label=int(label))
    assert fast.counters() == eight.counters() == reference.counters()
    if network.has_bias:
        # The compiled path of graphs has no first-spike rule.
        compiled, core = FastGraph(chain(network)), CoreModel(chain(network))
        compiled.run(images, seeds, labels)
        for image, seed, label in zip(images, seeds, labels, strict=True):
            core.sample(image, seed=int(seed), label=int(label))
        assert graph.counters() == compiled.counters()
        assert core.counters()["input_spikes"] == graph.counters()["input_spikes"]
    assert fast.counters()["input_spikes"] == graph.counters()["input_spikes"] > 0
    for mine, other, third in zip(
        fast.weights, eight.weights, (k.weights for k in reference.layers), strict=True
    ):
        np.testing.assert_array_equal(mine, other)
        np.testing.assert_array_equal(mine, third)


@pytest.mark.parametrize("base", BASES, ids=IDS)
def test_a_board_with_four_bits_is_equal_to_the_model(base: Network) -> None:
    network = replace(base, pixel_bits=4)
    images, seeds, labels = samples(network, 30)
    board, model = BoardArray(network, ModelBoard(network)), FastArray(network)
    mine, other = board.run(images, seeds, labels), model.run(images, seeds, labels)
    assert (mine.answers == other.answers).all()
    assert board.counters() == model.counters()
    for one, another in zip(board.weights, model.weights, strict=True):
        np.testing.assert_array_equal(one, another)


@pytest.mark.parametrize("bits", [0, 1, 5, 16, True, "4", 4.5, None])
def test_other_numbers_of_bits_are_refused(bits: object) -> None:
    for make in (lambda: replace(TINY, pixel_bits=bits), lambda: Source("input", 3, pixel_bits=bits)):  # type: ignore[arg-type]
        with pytest.raises(DescriptionError, match=f"^pixel_bits is {bits!r}; pixels have 4 or 8 bits$"):
            make()


def test_only_pixels_have_bits() -> None:
    with pytest.raises(DescriptionError, match="pixel_bits of source 'bias' is 4; it encodes no pixels"):
        Source("bias", 1, Constant(), pixel_bits=4)


def test_the_default_is_not_said() -> None:
    halved = replace(TINY, pixel_bits=4)
    assert "pixel_bits" not in TINY.to_json() + to_json(chain(TINY))
    assert json.loads(halved.to_json())["pixel_bits"] == 4
    assert Network.from_json(halved.to_json()) == halved
    assert halved.digest != TINY.digest
    assert from_json(to_json(chain(halved))) == chain(halved)
    assert digest(chain(halved)) != digest(chain(TINY))


@given(st.integers(0, 255), st.integers(0, 255))
def test_the_lowest_pixel_is_that_of_rounded_ones(value: int, pixel: int) -> None:
    assert (rounded(pixel, 4) >= value) == (pixel >= lowest_seen(value, 4))
    assert rounded(pixel, 8) == pixel
    assert lowest_seen(value, 8) == value


def test_tokens_of_a_core_are_those_of_rounded_pixels() -> None:
    graph, drive = chain(replace(TINY, pixel_bits=4)), Drive()
    image = np.arange(graph.n_pixels, dtype=np.uint8) * 3
    mine = sample_tokens(graph, image, 5, 1, 8, drive, clear=True)
    other = sample_tokens(chain(TINY), image // 16 * 17, 5, 1, 8, drive, clear=True)
    np.testing.assert_array_equal(mine, other)


def test_sources_round_each_their_own() -> None:
    base = chain(TINY)
    (source, *others) = base.sources
    more = Source("more", 3, Bernoulli())
    graph = replace(base, sources=(replace(source, pixel_bits=4), more, *others))
    pixels = np.full((2, graph.n_pixels), 0x5A, dtype=np.uint8)
    assert graph.seen(pixels).tolist() == [[0x55] * source.size + [0x5A] * 3] * 2
    assert (graph.pixel_bits, graph.lowest_pixel) == (8, 1)
    assert not RegisterMap(graph, Hardware()).takes_nibbles
    assert chain(TINY).seen(pixels) is pixels


@given(st.lists(st.one_of(st.just(0), st.integers(0, 15)), min_size=1, max_size=400))
def test_runs_of_halves(values: list[int]) -> None:
    octets, found = run_octets(bytes(values), nibbles=True), []
    while octets:
        head, octets = octets[0], octets[1:]
        count = head % 128 + 1
        if head < 128:
            found += [0] * count
            continue
        size = (count + 1) // 2
        found += [octets[k // 2] >> 4 * (k % 2) & 15 for k in range(count)]
        octets = octets[size:]
    assert found == values


def test_bytes_of_an_image_of_mnist() -> None:
    images = load_part().validation.images[:300].reshape(300, -1)
    packed = [pack_pixels(image, 16, nibbles=True) for image in images]
    assert {form for form, _ in packed} <= {PixelFormat.RUNS, PixelFormat.BITS}
    # 125 bytes each on average; of eight bits it is 197.
    assert sum(len(data) for _, data in packed) == 37_515
    message = sample_message(1, 0, 0, None, images[0], 16, nibbles=True)
    assert len(frame(message)) < len(frame(sample_message(1, 0, 0, None, images[0])))
