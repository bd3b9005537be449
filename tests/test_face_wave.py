# SPDX-License-Identifier: BSD-2-Clause
"""A sample as a waveform: what is in the file is what the model says, and the layouts name what is there."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from erbium import preset, trace
from erbium.cli import cli
from erbium.hdl.kept_state import rest_told_by
from erbium.hdl.population import engine_populations
from erbium.sw_model import constants
from erbium.sw_model.network import Hardware
from erbium.sw_model.programs import STATE_MAX, DescriptionError
from erbium.verif import waveform
from erbium.verif.simulators import ToolError
from erbium.verif.waveform_verilog import TEXT_BYTES, wave_design
from erbium.wave import Sample, write_wave

NETWORKS = {name: preset(name).network for name in ("tiny", "first-spike-tiny")}
LANES = 5


class Vcd:
    """The changes of a waveform's signals, by their full names, of those above the hardware."""

    def __init__(self, path: Path) -> None:
        self.changes: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self.widths: dict[str, int] = {}
        names: dict[str, list[str]] = defaultdict(list)
        scope: list[str] = []
        time = 0
        for line in path.read_text().splitlines():
            words = line.split()
            match words:
                case ["$scope", _, name, "$end"]:
                    scope.append(name)
                case ["$upscope", "$end"]:
                    scope.pop()
                case ["$var", _, width, code, name, *_]:
                    full = ".".join([*scope, name])
                    self.widths[full] = int(width)
                    if "rtl" not in scope:
                        names[code].append(full)
                case [one] if one.startswith("#"):
                    time = int(one[1:])
                case [bits, code] if bits[0] == "b":
                    self._take(names.get(code, ()), time, int(bits[1:], 2))
                case [one] if one[0] in "01":
                    self._take(names.get(one[1:], ()), time, int(one[0]))

    def _take(self, names: Any, time: int, value: int) -> None:
        for name in names:
            self.changes[name].append((time, value))

    def each_clock(self, name: str, clocks: int) -> list[int]:
        """Return the value in each clock, as it stands before the edge that ends it."""
        values, found, place = self.changes[f"TOP.erbium.{name}"], [], 0
        value = 0
        for clock in range(clocks):
            while place < len(values) and values[place][0] <= 10 * clock:
                value = values[place][1]
                place += 1
            found.append(value)
        return found

    def texts(self, name: str, clocks: int) -> list[str]:
        """Return the words of a text signal, one for each clock that has some."""
        every = (value.to_bytes(TEXT_BYTES, "big").decode() for value in self.each_clock(name, clocks))
        return [" ".join(text.split()) for text in every if text.strip()]


@pytest.fixture(scope="module", params=NETWORKS)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    network = NETWORKS[request.param]
    image = np.random.default_rng(4).integers(0, 256, network.n_inputs, dtype=np.uint8)
    seed = int(constants.sample_seeds(network.seed, True, 9, 1)[0])
    path = tmp_path_factory.mktemp("wave") / "sample.vcd"
    made = write_wave(path, network, Hardware(lanes=LANES), network.initial_weights(), Sample(image, 1, seed))
    return network, image, made, Vcd(path)


@pytest.mark.slow
@pytest.mark.verilator
def test_tokens_and_states_are_those_of_the_model(written: Any) -> None:
    network, image, made, found = written
    expected = trace(network, image, 1, number=9)
    assert made.trace.answer == expected.answer
    for number, population in enumerate(("input", "hidden")):
        tokens = found.texts(f"layer{number + 1}_events.token", made.clocks)
        spikes = iter(tokens[1 : tokens.index("END") + 1])
        for tick in expected.spikes[population]:
            wanted = [f"SPIKE {neuron}" for neuron in np.flatnonzero(tick)]
            assert [next(spikes) for _ in wanted] == wanted
            assert next(spikes) == "TICK"
        assert next(spikes) == "END"
        assert tokens[0] == "BEGIN"
    pixels = found.texts("sample_i.token", made.clocks)
    assert pixels[0] == "BEGIN"
    assert pixels[-1] == "END"
    assert all(re.fullmatch(r"PIXEL \d+", pixel) for pixel in pixels[1:-1])
    for number, name in enumerate(expected.layers):
        rests = set(np.flatnonzero(expected.spikes[name].any(axis=0)).tolist())
        for state, values in expected.states[name].items():
            for neuron in range(network.layers[number].n_neurons):
                signal = f"layer{number + 1}.neuron[{neuron}].{state}"
                width = found.widths[f"TOP.erbium.{signal}"]
                last = found.each_clock(signal, made.clocks)[-1]
                value = values[-1, neuron]
                # The hardware keeps no more of a membrane that has spiked and rests to the end.
                if (
                    state == "v"
                    and rest_told_by(engine_populations(network)[number]) == "membrane"
                    and neuron in rests
                ):
                    value = STATE_MAX
                assert (last - (1 << width) if last >> (width - 1) else last) == value, signal


@pytest.mark.slow
@pytest.mark.verilator
def test_state_machines_have_their_words(written: Any) -> None:
    _, _, made, found = written
    words = set(found.texts("layer1_control.text", made.clocks))
    assert {"IDLE", "ROWS", "TICK"} <= words
    machines = set(found.texts("encoder.text", made.clocks))
    assert {"IDLE", "TICK"} <= machines


@pytest.mark.slow
@pytest.mark.verilator
def test_layouts_name_signals_that_are_there(written: Any) -> None:
    _, _, made, found = written
    gtkwave, surfer = made.layouts
    shown = re.findall(r"^(?:\+\{[^}]*\} )?(TOP\.\S+)$", gtkwave.read_text(), re.MULTILINE)
    assert len(shown) > 30
    assert {re.sub(r"\[\d+:0\]$", "", name) for name in shown} <= set(found.widths)
    assert '[dumpfile] "sample.vcd"' in gtkwave.read_text()
    added = re.findall(r"^variable_add (\S+)$", surfer.read_text(), re.MULTILINE)
    assert len(added) == len(shown)
    assert set(added) <= set(found.widths)


@pytest.mark.slow
@pytest.mark.verilator
def test_the_hardware_is_in_it(written: Any) -> None:
    found = written[3]
    inside = [name for name in found.widths if ".rtl." in name]
    assert len(inside) > 500
    assert any("layer1.pipeline" in name for name in inside)


def test_an_enumeration_names_each_kind() -> None:
    text = wave_design(NETWORKS["tiny"], Hardware(lanes=LANES)).verilog
    assert (
        "typedef enum logic [2:0] {BEGIN = 3'd0, SPIKE = 3'd1, TICK = 3'd2, END = 3'd3, NONE = 3'd7} kind_t;"
        in text
    )
    assert "PIXEL = 3'd1" in text
    assert "SETTLE_1 = " in text


@pytest.mark.slow
@pytest.mark.verilator
def test_an_fst_file_has_the_same_signals(tmp_path: Path) -> None:
    try:
        waveform.require_fst()
    except ToolError as error:
        pytest.skip(str(error))
    path = tmp_path / "digit.fst"
    command = ["wave", "erbp-digits", "--data", "digits", "--lanes", "40", "--sample", "3", "-o", str(path)]
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert done.exit_code == 0
    assert "simulated clocks with 40 lanes; answer, ticks and weights are the model's" in done.output
    assert {file.name for file in tmp_path.iterdir()} == {"digit.fst", "digit.gtkw", "digit.sucl"}
    assert path.read_bytes()[0] == 0  # the header block of the format
    again = CliRunner().invoke(cli, command)
    assert isinstance(again.exception, DescriptionError)
    assert "digit.fst is there already; add --overwrite" in str(again.exception)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tiny", "-o", "x.png"], "must end in .fst"),
        (["tiny", "-o", "x"], "must end in .fst"),
        (["tiny", "--sample", "-1", "-o", "x.vcd"], "--sample is -1"),
        (["erbp-digits", "--data", "digits", "--sample", "100000", "-o", "x.vcd"], "--sample is 100000"),
        (["tiny", "--data", "digits", "-o", "x.vcd"], "8 x 8 = 64 pixels"),
        (["nonsense", "-o", "x.vcd"], "there is no preset 'nonsense'"),
        (["gone.npz", "-o", "x.vcd"], "gone.npz"),
        (["tiny", "--lanes", "0", "-o", "x.vcd"], "lanes is 0"),
        (["tiny", "-o", "no/such/x.vcd"], "No such folder"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_is_one_sentence(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["wave", *arguments])
    assert done.exit_code != 0
    assert words in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_fst_without_its_libraries_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("c++") is None:
        pytest.skip("no compiler")
    monkeypatch.setattr(waveform, "_HEADERS", ("no_such_header.h",))
    with pytest.raises(ToolError, match=r"zlib1g-dev liblz4-dev', or name a \.vcd file"):
        waveform.require_fst()
