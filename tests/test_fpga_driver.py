# SPDX-License-Identifier: BSD-2-Clause
"""The driver against the board in Python: whatever the line does, every integer is the model's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from erbium.fpga import driver_link
from erbium.fpga.driver import BoardArray
from erbium.fpga.driver_protocol import (
    FrameSplitter,
    Outcome,
    entry_body,
    frame,
    pack_pixels,
    pack_weights,
    sample_message,
    unpack_weights,
)
from erbium.fpga.transport import BoardLostError, BoardMismatchError, LineLostError, LinkError, NoAnswerError
from erbium.gen.presets import erbp_network, preset
from erbium.hdl.registers import ErrorCode, PixelFormat
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.constants import Array, sample_seeds
from erbium.sw_model.datasets.mnist_part import load_part
from erbium.sw_model.network import Network
from erbium.verif.equality import assert_same_results, assert_same_state
from erbium.verif.model_board import Fault, ModelBoard

TINY = preset("tiny").network
FIRST_SPIKE = preset("first-spike-tiny").network
SMALL = erbp_network("small", (3,), n_inputs=6, n_classes=2, n_ticks=4)


class GoneError(LineLostError):
    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)


def batch(network: Network, count: int, seed: int = 1) -> tuple[Array, Array, Array]:
    """Return images of all kinds, seeds and labels."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, network.n_inputs), dtype=np.uint8)
    images[::3][random.random(images[::3].shape) < 0.8] = 0
    images[1::3] = np.where(images[1::3] > 128, 255, 0)
    return images, sample_seeds(network.seed, True, seed, count), random.integers(0, network.n_classes, count)


def work(board: BoardArray, network: Network, n_learn: int = 20, n_infer: int = 9) -> None:
    """Learn and infer on the board and on the model, and compare everything."""
    model = ArrayModel(network)
    assert_same_state(board, model)
    for number, factor in enumerate((1.0, 0.3)):
        rates = network.scaled_rates(factor)
        board.set_rates(rates)
        model.set_rates(rates)
        images, seeds, labels = batch(network, n_learn, number)
        assert_same_results(board.run(images, seeds, labels), model.run(images, seeds, labels))
        board.decide_after = model.prediction.decide_after = 1
        part = images[:n_infer], seeds[:n_infer]
        assert_same_results(board.run(*part, n_ticks=3), model.run(*part, n_ticks=3))
        board.decide_after = model.prediction.decide_after = network.decide_after
    assert_same_state(board, model)


@pytest.mark.parametrize("buffer_bytes", [0, 64, 4096])
@pytest.mark.parametrize("network", [TINY, FIRST_SPIKE], ids=["erbp", "first-spike"])
def test_a_sound_line(network: Network, buffer_bytes: int) -> None:
    line = ModelBoard(network, buffer_bytes=buffer_bytes)
    board = BoardArray(network, line)
    work(board, network)
    assert (board.retries, line.overruns, line.refusals) == (0, 0, [])
    assert board.facts.buffer_bytes == buffer_bytes
    assert board.performance()["cycles"] == 0
    board.close()
    assert line.closed


def test_many_samples_go_round_all_turns() -> None:
    board, model = BoardArray(SMALL, ModelBoard(SMALL, buffer_bytes=4096)), ArrayModel(SMALL)
    for number in range(2):
        images, seeds, labels = batch(SMALL, 300, number)
        assert_same_results(board.run(images, seeds, labels), model.run(images, seeds, labels))
    assert_same_state(board, model)


@pytest.mark.parametrize("width", [4, 8, 9, 16])
def test_weights_of_all_widths(width: int) -> None:
    network = replace(SMALL, layers=tuple(replace(layer, weight_width=width) for layer in SMALL.layers))
    board = BoardArray(network, ModelBoard(network))
    random = np.random.default_rng(width)
    weights = [
        random.integers(layer.weight_min, layer.weight_max + 1, network.n_rows(number) * layer.n_neurons)
        .reshape(network.n_rows(number), layer.n_neurons)
        .astype(np.int16)
        for number, layer in enumerate(network.layers)
    ]
    weights[0][0, 0], weights[0][0, 1] = network.layers[0].weight_min, network.layers[0].weight_max
    board.load(weights)
    for got, expected in zip(board.weights, weights, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_more_rows_than_there_are_tags() -> None:
    # A row fills a reply, and the chip has room for the requests for all of them.
    network = replace(preset("first-spike-mnist-24x24-640").network, name="wide")
    board = BoardArray(network, ModelBoard(network, buffer_bytes=8192))
    model = ArrayModel(network)
    assert_same_state(board, model)
    random = np.random.default_rng(1)
    weights = [random.integers(-9, 10, np.shape(one), dtype=np.int16) for one in model.weights]
    board.load(weights)
    for got, expected in zip(board.weights, weights, strict=True):
        np.testing.assert_array_equal(got, expected)


FAULTS = st.dictionaries(st.integers(0, 90), st.sampled_from(Fault), max_size=12)


@settings(max_examples=60, deadline=None)
@given(requests=FAULTS, replies=FAULTS, buffer_bytes=st.sampled_from([0, 60, 4096]))
def test_a_line_that_loses_damages_doubles_and_delays(
    requests: dict[int, Fault], replies: dict[int, Fault], buffer_bytes: int
) -> None:
    line = ModelBoard(SMALL, faults=requests, reply_faults=replies, buffer_bytes=buffer_bytes)
    work(BoardArray(SMALL, line), SMALL, 18, 5)


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("network", [TINY, FIRST_SPIKE], ids=["erbp", "first-spike"])
def test_every_fifth_frame_is_in_trouble(network: Network, fault: Fault) -> None:
    some = dict.fromkeys(range(2, 400, 5), fault)
    line = ModelBoard(network, faults=some, reply_faults=some, buffer_bytes=256)
    board = BoardArray(network, line)
    work(board, network)
    assert board.retries > 0 or fault in (Fault.DUPLICATE, Fault.DELAY)


@settings(max_examples=40, deadline=None)
@given(after=st.integers(0, 80), requests=FAULTS)
def test_a_board_that_goes_away_is_one_clear_error(after: int, requests: dict[int, Fault]) -> None:
    line = ModelBoard(SMALL, vanish_after=after, faults=requests, buffer_bytes=256, gone=GoneError)
    model = ArrayModel(SMALL)
    images, seeds, labels = batch(SMALL, 60)
    error = None
    try:
        board = BoardArray(SMALL, line)
        board.run(images, seeds, labels)
    except LinkError as caught:
        error = caught
    if after < 60:
        assert error is not None
    if error is not None:
        assert "unplugged" in str(error)
        assert "\n" not in str(error)
    if isinstance(error, BoardLostError) and error.results is not None:
        done = slice(0, error.n_done)
        assert_same_results(error.results, model.run(images[done], seeds[done], labels[done]))


def test_a_board_that_falls_silent() -> None:
    line = ModelBoard(SMALL, faults=dict.fromkeys(range(30, 1000), Fault.DROP))
    board = BoardArray(SMALL, line)
    images, seeds, labels = batch(SMALL, 60)
    with pytest.raises(
        BoardLostError, match=r"gives no answer after 8 attempts: nothing comes back; .* samples"
    ):
        board.run(images, seeds, labels)


def test_a_board_that_is_reset_in_between() -> None:
    line = ModelBoard(SMALL)
    board = BoardArray(SMALL, line)
    images, seeds, labels = batch(SMALL, 20)
    board.run(images, seeds, labels)
    line.reset()
    with pytest.raises(BoardLostError, match="has counted 0 samples of 20; it was reset meanwhile"):
        board.counters()
    with pytest.raises(LinkError, match="expects turn 0 and sample 0 of the batch has turn 21"):
        board.run(images, seeds, labels)


class Silent:
    name = "the line"
    baud_rate = 9_600

    def __init__(self, answer: bytes = b"") -> None:
        self.answer = answer
        self.closed = False

    def read(self, timeout: float) -> bytes:
        return self.answer

    def write(self, data: bytes) -> None:
        pass

    def now(self) -> float:
        return 0.0

    def close(self) -> None:
        self.closed = True


def test_nothing_answers() -> None:
    line = Silent()
    with pytest.raises(
        NoAnswerError, match=r"nothing comes back; check the cable and the baud rate, .* 'tiny'"
    ):
        BoardArray(TINY, line)
    assert line.closed


def test_noise_answers() -> None:
    with pytest.raises(
        NoAnswerError,
        match="what it sends cannot be read, as if it were another device; check the cable and the baud",
    ):
        BoardArray(TINY, Silent(b"login:\0"))
    with pytest.raises(NoAnswerError, match="what it sends cannot be read"):
        BoardArray(TINY, Silent(b"x" * 5000))


@pytest.mark.parametrize(
    ("register", "value", "text"),
    [
        ("magic", 7, "what answers on the model board is no Erbium chip: .* 0x00000007 and not 0x4d425245"),
        ("protocol", 99, "speaks version 99 of the host link and this Erbium version 2"),
        ("digest", 5, "holds a network with digest 0000000000000005, no preset, and 'tiny' has digest"),
        (
            "digest",
            int(FIRST_SPIKE.digest, 16),
            f"holds 'first-spike-tiny' .digest {FIRST_SPIKE.digest}., and 'tiny' has digest {TINY.digest}; "
            "run 'first-spike-tiny' on it, or load a bitstream of 'tiny'",
        ),
    ],
)
def test_another_chip(register: str, value: int, text: str) -> None:
    class Other(ModelBoard):
        def _words(self) -> dict[int, int]:
            place = self._registers[register]
            words = super()._words()
            return words | {place.address + k: value >> 32 * k & 0xFFFFFFFF for k in range(place.words)}

    with pytest.raises(BoardMismatchError, match=text) as caught:
        BoardArray(TINY, Other(TINY))
    assert "\n" not in str(caught.value)


def test_a_collision_is_a_defect() -> None:
    class Colliding(ModelBoard):
        def _words(self) -> dict[int, int]:
            return super()._words() | {self._registers["status"].address: 3}

    with pytest.raises(LinkError, match="was read where it was written; this is a defect"):
        BoardArray(TINY, Colliding(TINY))


def test_the_shortest_format_is_taken() -> None:
    image = np.zeros(784, dtype=np.uint8)
    assert pack_pixels(image) == (PixelFormat.EVENTS, b"")
    image[5] = 3
    assert pack_pixels(image) == (PixelFormat.EVENTS, bytes([5, 0, 3]))
    assert pack_pixels(image, lowest=4) == (PixelFormat.EVENTS, b"")
    image[5] = 255
    image[700] = 255
    assert pack_pixels(image) == (PixelFormat.EVENTS, bytes([5, 0, 255, 188, 2, 255]))
    image[300:400] = 255
    assert pack_pixels(image)[0] is PixelFormat.BITS
    image[:300] = 9
    assert pack_pixels(image)[0] is PixelFormat.RUNS
    ones = b"\xff" * 50 + bytes(37) + b"\x10" + bytes(10)
    assert pack_pixels(image, one_bit=True) == (PixelFormat.BITS, ones)
    image[:] = 9
    assert pack_pixels(image) == (PixelFormat.BYTES, image.tobytes())


def test_runs_of_a_digit() -> None:
    row = [0] * 6 + [30, 255, 0, 200, 7] + [0] * 17
    image = np.array([[0] * 28] * 5 + [row] * 20 + [[0] * 28] * 3, dtype=np.uint8).reshape(-1)
    runs = b"\x7f\x11" + b"\x16".join([b"\x84\x1e\xff\0\xc8\7"] * 20) + b"\x64"
    assert pack_pixels(image) == (PixelFormat.RUNS, runs)
    # Header 9, CRC 4, the end 1, and a byte of stuffing: 157 in place of 255 as events.
    assert len(frame(sample_message(1, 0, 0x01010101, 3, image))) == len(runs) + 15 == 157


def test_bytes_of_an_image_of_mnist() -> None:
    images = load_part().validation.images[:300].reshape(300, -1)
    assert np.minimum(3 * np.count_nonzero(images, axis=1), 784).sum() == 130_131
    assert sum(len(pack_pixels(image)[1]) for image in images) == 59_112


@given(st.binary(min_size=1, max_size=1000), st.binary(max_size=20), st.integers(1, 40))
def test_messages_come_out_as_they_went_in(message: bytes, noise: bytes, step: int) -> None:
    splitter = FrameSplitter()
    splitter.feed(noise.replace(b"\0", b"") + b"\0")
    data = frame(message)
    assert data.count(b"\0") == 1
    found = [one for at in range(0, len(data), step) for one in splitter.feed(data[at : at + step])]
    assert found == [message]


@given(st.integers(4, 16), st.integers(1, 5), st.data())
def test_weights_come_out_as_they_went_in(width: int, n_neurons: int, data: st.DataObject) -> None:
    half = 1 << (width - 1)
    values = data.draw(st.lists(st.integers(-half, half - 1), min_size=n_neurons, max_size=n_neurons))
    rows = np.array([values, values[::-1]], dtype=np.int16)
    np.testing.assert_array_equal(unpack_weights(pack_weights(rows, width), n_neurons, width), rows)


def test_an_entry_of_the_results() -> None:
    assert Outcome.of(entry_body(bytes([7, 0, 1, 2, 3, 4, 0, 0]))) == Outcome(7, 0x201, 0x403)


def test_patience_grows_with_a_slow_line_and_not_with_a_bad_one() -> None:
    patience = driver_link.Patience(0.5, 30)
    patience.answered(0.01)
    assert patience.seconds == 0.5
    patience.answered(1.0)
    assert patience.seconds == 4.0
    for _ in range(10):
        patience.expired()
    assert patience.seconds == 30
    patience.answered(100.0)
    assert patience.seconds == 30, "it took long because it was asked twice"
    patience.answered(0.5)
    assert patience.seconds == pytest.approx(3.6)


def test_the_chip_says_why_it_refuses() -> None:
    line = ModelBoard(TINY)
    line.write(frame(bytes([9, 1])))
    line.write(frame(bytes([3, 1, 0, 8, 0, 0, 0, 0, 0])))
    assert line.refusals == [ErrorCode.UNKNOWN_REQUEST, ErrorCode.BAD_FORMAT]
