# SPDX-License-Identifier: BSD-2-Clause
"""The parts that benches are made of, without a simulator."""

import re
from types import SimpleNamespace

import pytest
from amaranth.hdl import signed
from amaranth.lib import data

from erbium.gen.presets import erbp_network, preset
from erbium.hdl.plan import LayerPlan
from erbium.hdl.tokens import ErrorToken, EventToken, SweepToken
from erbium.sw_model.network import Hardware
from erbium.verif.codecs import ErrorCodec, EventCodec, Packer, SampleCodec, SweepCodec, feedback_codec
from erbium.verif.layer_codecs import CauseCodec, word_codec
from erbium.verif.probes import layer_taps
from erbium.verif.scoreboard import MismatchError, Scoreboard
from erbium.verif.streams import STALLS, Stall, reader_of


def test_a_packer_finds_the_fields_of_a_layout():
    inner = data.StructLayout({"a": signed(5), "b": 3})
    layout = data.StructLayout({"x": 2, "list": data.ArrayLayout(inner, 2), "y": signed(4)})
    packer = Packer(layout)
    items = [{"a": -16, "b": 5}, {"a": 15, "b": 0}]
    fields = {"x": 3, "list": items, "y": -1}
    bits = packer.pack(fields)
    assert bits == layout.const(fields).as_bits()
    assert packer.unpack(bits) == {"x": 3, "list": dict(enumerate(items)), "y": -1}
    with pytest.raises(ValueError, match="x is 4, which 2 bits cannot hold"):
        packer.pack({"x": 4})


@pytest.mark.parametrize("token", [("BEGIN", 0xDEADBEEF, 255, 1), ("SPIKE", 65535), ("TICK",), ("END",)])
def test_event_tokens(token):
    codec = EventCodec()
    assert codec.size == EventToken().size
    assert codec.decode(*codec.encode(token)) == token


@pytest.mark.parametrize("pieces", [1, 2, 3, 4, 8, 41])
def test_a_begin_in_pieces(pieces):
    token = ("BEGIN", 0xDEADBEEF, 0x5A, 1)
    for codec in (EventCodec(EventToken(5, 0, pieces)), SweepCodec(SweepToken(1, False, 5, pieces))):
        for _ in range(2):
            *first, last = codec.encode(token)
            assert len(first) == pieces - 1
            assert [codec.decode(bits) for bits in first] == [None] * (pieces - 1)
            assert codec.decode(last) == token
        assert codec.size <= 2 + max(-(-41 // pieces), 3) + 1


@pytest.mark.parametrize(
    "token", [("BEGIN", 1, 2, 0), ("SPIKE", 3, 0b101, (-32768, 32767, -1)), ("TICK",), ("END",)]
)
def test_sweep_tokens(token):
    codec = SweepCodec(SweepToken(3, True, 100))
    assert codec.size == SweepToken(3, True).size
    assert codec.decode(*codec.encode(token)) == token


def test_lanes_without_neuron_have_no_membrane():
    codec = SweepCodec(SweepToken(3, True, 4))
    assert codec.decode(*codec.encode(("SPIKE", 3, 1, [7, 8, 9]))) == ("SPIKE", 3, 1, (7,))


@pytest.mark.parametrize("token", [("SPIKE", 7), ("TICK", 1), ("TICK", 0), ("END",)])
def test_feedback_tokens(token):
    codec = feedback_codec(erbp_network("n", (3,), n_inputs=2, n_classes=4))
    assert codec.decode(codec.encode(token)) == token


@pytest.mark.parametrize("token", [("SPIKE", 3), ("TICK", 1), ("END", 1), ("END", 0)])
def test_the_feedback_of_a_first_spike_network_says_whether_to_replay(token):
    codec = feedback_codec(preset("first-spike-tiny").network)
    assert codec.decode(codec.encode(token)) == token


@pytest.mark.parametrize("token", [("SPIKE", 65535, 0), ("SPIKE", 0, 1), ("END", 1), ("END", 0)])
def test_error_tokens(token):
    codec = ErrorCodec(1 << 16)
    assert codec.size == ErrorToken().size
    assert codec.decode(codec.encode(token)) == token


@pytest.mark.parametrize("token", [("BEGIN", 7, 1, 1), ("SPIKE", 65535, 4095), ("TICK",), ("END",)])
def test_spikes_with_their_tick(token):
    codec = EventCodec(EventToken(1 << 16, 4096))
    assert codec.decode(*codec.encode(token)) == token


def test_taps_of_a_first_spike_layer():
    network = preset("first-spike-tiny").network
    names = [[tap.name for tap in layer_taps(network, number, Hardware(lanes=5), "")] for number in range(2)]
    assert names == [
        ["states", "writes", "learned", "words"],
        ["states", "writes", "learned", "words", "spike_ticks", "causes"],
    ]
    # 12 neurons in words of 5: two bits of the number of the word, and the last word has two neurons.
    words = word_codec(LayerPlan(network, 0, Hardware(lanes=5)), 2)
    assert words.width == 2 + 10
    assert words.decode(0b11_10_01_10_01 << 2 | 0b01) == (1, (1, 2, 1, 2, 3))
    assert words.decode(0b11_10_01_10_01 << 2 | 0b10) == (2, (1, 2))
    assert CauseCodec(LayerPlan(network, 1, Hardware(lanes=5))).decode(0b0110_0101) == (5, 6)


def test_sample_tokens_are_as_the_compiled_library_packs_them():
    codec = SampleCodec()
    assert codec.encode(("BEGIN", 5, 6, 1)) == (5 | 6 << 32 | 1 << 40) << 2
    assert codec.encode(("PIXEL", 200, 300)) == (200 | 300 << 8) << 2 | 1
    assert codec.encode(("END",)) == 3


def test_a_scoreboard_says_where(monkeypatch):
    monkeypatch.setenv("ERBIUM_SEED", "42")
    monkeypatch.setenv("ERBIUM_WAVE_FILE", "waves.fst")
    monkeypatch.setenv("ERBIUM_COMMAND", "the command")
    board = Scoreboard()
    channel = board.channel("event_o")
    channel.expect(("SPIKE", 3), sample=2, tick=5)
    channel.expect(("TICK",), sample=2, tick=5)
    assert channel.left == 2
    channel.check(("SPIKE", 3))
    expected = (
        "event_o differs from the model at sample 2, tick 5, token 1\n  expected  ('TICK',)\n"
        "  got       ('SPIKE', 4)\n  seed      42\n  waveform  waves.fst\n  repeat    the command"
    )
    with pytest.raises(MismatchError, match=f"^{re.escape(expected)}$"):
        channel.check(("SPIKE", 4))
    with pytest.raises(MismatchError, match="expected  nothing more"):
        channel.check(("END",))
    assert channel.left == 0
    assert "event_o: all 1 tokens came" in str(board)


@pytest.mark.parametrize(("digits", "value"), [("0", 0), ("1", 1), ("1" + 70 * "0", 1 << 70)])
def test_an_output_is_read_unsigned(digits, value):
    assert (
        reader_of(SimpleNamespace(_handle=SimpleNamespace(get_signal_val_binstr=lambda: digits)))() == value
    )


@pytest.mark.parametrize("digits", ["x", "z", "10x1", "X0"])
def test_a_bit_that_is_unknown_is_no_number(digits):
    read = reader_of(SimpleNamespace(_handle=SimpleNamespace(get_signal_val_binstr=lambda: digits)))
    with pytest.raises(ValueError, match="invalid literal"):
        read()


@pytest.mark.parametrize(("pattern", "low", "high"), [("0", 0, 0), ("0.3", 0.25, 0.35), ("0.8", 0.75, 0.85)])
def test_stalls_are_as_frequent_as_asked(pattern, low, high):
    stall = Stall(pattern, "s")
    assert low <= sum(stall() for _ in range(5000)) / 5000 <= high


def test_stalls_repeat_with_the_seed(monkeypatch):
    def run(name="s"):
        return {pattern: [Stall(pattern, name)() for _ in range(3)] for pattern in STALLS}

    def bursts():
        stall = Stall("bursts", "s")
        return [stall() for _ in range(400)]

    assert run() == run()
    first = bursts()
    assert first == bursts()
    assert 0.2 < sum(first) / len(first) < 0.8
    monkeypatch.setenv("ERBIUM_SEED", "2")
    assert first != bursts()
