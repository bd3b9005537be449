# SPDX-License-Identifier: BSD-2-Clause
"""docs/host-link.md: its frames are those of the link, and what it says of any network is so for all presets."""

from __future__ import annotations

import zlib

import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from erbium.fpga.driver_protocol import frame
from erbium.gen.presets import PRESETS, preset
from erbium.hdl.registers import RegisterMap
from erbium.sw_model.network import Hardware
from erbium.verif.model_board import ModelBoard

from . import pages, simulator

FRAMES = [
    (what, bytes.fromhex(message), bytes.fromhex(sent))
    for what, message, sent in pages.table("host-link", "frames")
]


def stuffed(data: bytes) -> bytes:
    """Stuff bytes as the page says it in words."""
    pieces = data.split(b"\0")
    out = b""
    for number, piece in enumerate(pieces):
        while len(piece) >= 254:
            out += b"\xff" + piece[:254]
            piece = piece[254:]
            if not piece and number == len(pieces) - 1:
                return out
        out += bytes([len(piece) + 1]) + piece
    return out


@given(
    st.binary(max_size=600)
    | st.binary(min_size=250, max_size=800).map(lambda data: data.replace(b"\0", b"\1"))
)
def test_the_words_about_cobs_are_cobs(data: bytes) -> None:
    assert stuffed(data) == cobs.encode(data)


@pytest.mark.parametrize(
    ("what", "message", "sent"), FRAMES, ids=[f"{what} {m[:2].hex()}" for what, m, _ in FRAMES]
)
def test_a_frame_of_the_page(what: str, message: bytes, sent: bytes) -> None:
    assert sent == stuffed(message + zlib.crc32(message).to_bytes(4, "little")) + b"\0" == frame(message)


def test_the_crc_of_the_page() -> None:
    assert f"{zlib.crc32(FRAMES[0][1]):#010x}" in pages.page("host-link")


def test_the_frames_of_the_page_get_its_replies() -> None:
    """From the board with the model in it."""
    network = preset("tiny").network
    board = ModelBoard(network)
    assert [what for what, *_ in FRAMES[::2]] == ["READ", "SAMPLE", "refused"]
    for (_, _, request), (what, _, reply) in zip(FRAMES[::2], FRAMES[1::2], strict=True):
        board.write(request)
        assert (what, board.read(1.0)) == ("its reply", reply)


def test_the_sample_of_the_page_is_learned_by_its_simulator() -> None:
    """Turn, answer and both ticks are what the contract makes of label, seed and events."""
    array = simulator.Simulator(preset("tiny").network.to_json())
    _, message, _ = FRAMES[2]
    events = message[9:]
    image = [0] * 16
    for low, high, value in zip(events[::3], events[1::3], events[2::3], strict=True):
        image[low + 256 * high] = value
    outcome = array.sample(image, int.from_bytes(message[5:9], "little"), message[4])
    answer = bytes([message[2], outcome.answer])
    ticks = outcome.ticks.to_bytes(2, "little") + outcome.ticks_to_decision.to_bytes(2, "little")
    assert FRAMES[3][1][2:] == answer + ticks


@pytest.mark.parametrize("name", PRESETS)
def test_windows_and_registers_of_any_network(name: str) -> None:
    """As the page has them in words."""
    array = simulator.Simulator(PRESETS[name].network.to_json())
    described, n_layers = array.network, len(array.layers)
    found = RegisterMap(PRESETS[name].network, Hardware())
    longest = 0
    for number, (layer, rows) in enumerate(zip(described["layers"], array.weights, strict=True), 1):
        row_bytes = layer["n_neurons"] * (2 if layer["weight_width"] > 8 else 1)
        longest = max(longest, row_bytes)
        window = found.window(15 + number)
        assert (window.entries, window.entry_bytes, window.writable) == (len(rows), row_bytes, True)
        rate = found["rate_" + str(number) if array.is_first_spike else "gain_" + str(number)]
        assert (rate.address, rate.high) == (23 + number, 65536 if array.is_first_spike else layer["gain"])
    assert found.max_message == max(9 + described["n_inputs"], 5 + longest)
    assert found["decide_after"].high == (1 if array.is_first_spike else described["n_ticks"])
    counters = [
        *array.counters(),
        "cycles",
        *(f"layer{number}_row_words" for number in range(1, n_layers + 1)),
    ]
    assert [found[f"count_{counter}"].address for counter in counters] == list(
        range(32, 32 + 2 * len(counters), 2)
    )
    assert found.window(0).entries == 32 + 2 * (5 + 5 * n_layers) == found.n_words
    assert found["digest"].value == int(simulator.digest(described), 16)
