# SPDX-License-Identifier: BSD-2-Clause
"""Trained weights as files, and in the Verilog of arrays and chips."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from erbium.gen.export import ExportOptions, SerialLine, export
from erbium.gen.files import OutputError
from erbium.gen.presets import preset
from erbium.gen.verilog import component_verilog
from erbium.gen.weights_export import FORMATS, export_weights
from erbium.hdl.array import ErbiumArray
from erbium.hdl.synapse_memory import SynapseMemory
from erbium.hdl.weight_words import memory_words
from erbium.sw_model.array import ArrayModel
from erbium.sw_model.network import Hardware, Network
from erbium.sw_model.programs import DescriptionError
from erbium.verif.simulators import cell_models, every_verilator, find_icarus, lint
from erbium.verif.yosys import run_yosys

TINY, FIRST = preset("tiny").network, preset("first-spike-tiny").network


def trained(network: Network) -> list[np.ndarray]:
    """Return weights that are nobody's initial ones, with both ends of their range."""
    draw = np.random.default_rng(5)
    result = []
    for number, layer in enumerate(network.layers):
        shape = network.n_rows(number), layer.n_neurons
        values = draw.integers(layer.weight_min, layer.weight_max + 1, shape).astype(np.int16)
        values.flat[:2] = layer.weight_min, layer.weight_max
        result.append(values)
    return result


BENCH = """
module tb;
  reg clk = 0, rst = 1;
  integer place, waited;
  reg [20:0] access;
  reg access_valid = 0;
  wire access_ready, answer_valid;
  wire [15:0] answer;
  reg [%(sample_top)d:0] sample = 0;
  reg sample_valid = 0;
  wire sample_ready, result_valid;
  wire [%(result_top)d:0] result;
  reg [%(sample_top)d:0] tokens [0:%(last_token)d];
  always #5 clk = ~clk;
  dut dut(.clk(clk), .rst(rst), .sample_i_payload(sample), .sample_i_valid(sample_valid), .sample_i_ready(sample_ready),
    .result_o_payload(result), .result_o_valid(result_valid), .result_o_ready(1'b1),
    .access_i_payload(access), .access_i_valid(access_valid), .access_i_ready(access_ready),
    .access_o_payload(answer), .access_o_valid(answer_valid), .access_o_ready(1'b1),
    .counter_i_payload(8'd0), .counter_i_valid(1'b0), .counter_o_ready(1'b1),
    .n_ticks(16'd%(n_ticks)d), .decide_after(16'd%(decide_after)d), %(rates)s);
  task read_all;
    begin
%(reads)s
    end
  endtask
  task send(input [20:0] token);
    begin
      access = token; access_valid = 1; #1;
      while (access_ready !== 1) begin @(posedge clk); #1; end
      @(posedge clk); #1; access_valid = 0;
    end
  endtask
  always @(posedge clk) begin
    if (answer_valid === 1) $display("weight %%0d", $signed(answer));
    if (result_valid === 1) $display("result %%0d", result);
  end
  initial begin
    $readmemh("tokens.hex", tokens);
    repeat (4) @(posedge clk);
    #1 rst = 0;
    read_all;
    repeat (100) @(posedge clk);
    $display("learn");
    for (place = 0; place <= %(last_token)d; place = place + 1) begin
      #1 sample = tokens[place]; sample_valid = 1; #1;
      while (sample_ready !== 1) begin @(posedge clk); #1; end
      @(posedge clk); #1 sample_valid = 0;
    end
    waited = 0;
    while (dut.idle !== 1 || waited < 50) begin @(posedge clk); #1 waited = waited + 1; end
    read_all;
    repeat (100) @(posedge clk);
    $finish;
  end
  initial #2000000 begin $display("hung"); $finish; end
endmodule
"""


def tokens(
    network: Network, described: dict[str, Any], image: np.ndarray, seed: int, label: int
) -> list[int]:
    """Return the tokens of one learned sample, put together from the layouts of the manifest."""
    stream, codes = described["streams"]["sample_i"], described["codes"]["SampleKind"]

    def packed(layout: str, **values: int) -> int:
        fields = {field["name"]: field for field in stream["layouts"][layout]}
        assert all(value < 1 << fields[name]["width"] for name, value in values.items())
        return sum(value << fields[name]["low"] for name, value in values.items())

    begin = packed("begin", learn=1, label=label, seed=seed)
    result = [packed("token", kind=codes["BEGIN"], data=begin)]
    for address, value in enumerate(image):
        if value >= network.lowest_pixel:
            pixel = packed("pixel", address=address, value=int(value))
            result.append(packed("token", kind=codes["PIXEL"], data=pixel))
    return [*result, packed("token", kind=codes["END"])]


@pytest.mark.icarus
@pytest.mark.parametrize("power_up", [True, False])
@pytest.mark.parametrize("network", [TINY, FIRST], ids=lambda network: network.name)
def test_the_verilog_holds_what_was_learned_and_learns_on(network, power_up, tmp_path):
    weights = trained(network)
    hardware = Hardware(lanes=3)
    rows = [values.tolist() for values in weights]
    described = export(network, hardware, tmp_path, ExportOptions("dut", rows, power_up=power_up))
    text = (tmp_path / "dut.v").read_text()
    # Without values at power-up nothing but memories is written by `initial`, and only those that hold something.
    blocks = re.findall(r"^  initial begin\n(.*?)^  end", text, re.MULTILINE | re.DOTALL)
    assert blocks
    for line in "".join(blocks).splitlines() if not power_up else ():
        assert re.match(r"\s+\w+\[\d+\] = ", line), line
    image = np.random.default_rng(2).integers(0, 256, network.n_inputs, dtype=np.uint8)
    sample = tokens(network, described, image, seed=77, label=1)
    (tmp_path / "tokens.hex").write_text("\n".join(f"{token:x}" for token in sample))
    reads = []
    for number, values in enumerate(weights):
        reads.append(f"      send({number << 2});")
        reads.append(f"      repeat ({values.size}) send({1 | number << 2});")
    ports = {port["name"]: port["width"] for port in described["ports"]}
    rates = [name for name in ports if re.fullmatch(r"(gain|rate)_\d+", name)]
    (tmp_path / "tb.v").write_text(
        BENCH
        % {
            "sample_top": ports["sample_i_payload"] - 1,
            "result_top": ports["result_o_payload"] - 1,
            "last_token": len(sample) - 1,
            "n_ticks": network.n_ticks,
            "decide_after": network.decide_after,
            "rates": ", ".join(
                f".{name}({ports[name]}'d{rate})" for name, rate in zip(rates, network.rates, strict=True)
            ),
            "reads": "\n".join(reads),
        }
    )
    for command in (
        [str(find_icarus().require()), "-g2005", "-o", "tb", "tb.v", "dut.v"],
        ["vvp", "-n", "tb"],
    ):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "hung" not in done.stdout
    before, after = (
        re.findall(r"^weight (\S+)$", part, re.MULTILINE) for part in done.stdout.split("learn\n")
    )
    assert before == [str(value) for values in weights for value in values.flat]
    model = ArrayModel(network)
    model.load(weights)
    model.run(image[None], np.array([77], dtype=np.uint32), np.array([1]))
    assert after == [str(value) for values in model.weights for value in values.flat]
    assert after != before


@pytest.mark.verilator
@pytest.mark.parametrize("network", [TINY, FIRST], ids=lambda network: network.name)
def test_the_chip_lints_with_and_without_weights(network, tmp_path):
    rows = [values.tolist() for values in trained(network)]
    slow = SerialLine(25_000_000, 115_200)
    for name, line, options in (
        ("plain", SerialLine(), ExportOptions("plain", serial=SerialLine())),
        ("full", slow, ExportOptions("full", rows, slow, power_up=False)),
    ):
        described = export(network, Hardware(lanes=4), tmp_path, options)
        assert {port["name"] for port in described["ports"]} == {
            *("clk", "rst", "rx", "tx", "learning", "active", "answer")
        }
        assert all(port["meaning"] for port in described["ports"])
        assert described["serial"]["baud_rate"] == line.baud_rate
        assert (described["weights"] == "undefined") == (name == "plain")
        assert {layer["starts_with_weights"] for layer in described["layers"]} == {name == "full"}
        for tool in every_verilator():
            assert lint([tmp_path / f"{name}.v"], name, verilator=tool) == ""


def test_a_clock_that_cannot_make_the_baud_rate(tmp_path):
    options = ExportOptions(serial=SerialLine(1_000_000, 900_000))
    with pytest.raises(DescriptionError, match="choose another --baud or --clock"):
        export(TINY, Hardware(), tmp_path / "out", options)
    assert not (tmp_path / "out").exists()


class Refused(ErbiumArray):
    """An array that is never made whole."""

    _MustUse__silence = True


class RefusedMemory(SynapseMemory):
    """A memory that is never made whole."""

    _MustUse__silence = True


def test_weights_of_another_network_are_refused():
    rows = [values.tolist() for values in trained(TINY)]
    with pytest.raises(ValueError, match="there are weights for 1 layers"):
        Refused(TINY, Hardware(), rows[:1])
    with pytest.raises(ValueError, match="weights of layer 1 are not 17 rows"):
        Refused(TINY, Hardware(), [rows[0][:-1], rows[1]])
    rows[0][0][0] = 128
    with pytest.raises(ValueError, match="a weight of layer 1 is 128; it must be from -128 to 127"):
        Refused(TINY, Hardware(), rows)


def test_spram_holds_nothing():
    with pytest.raises(ValueError, match="SPRAM holds no initial contents"):
        RefusedMemory(4, 8, 2, "spram", [1])


class Reader(wiring.Component):
    """A memory with the ports that it has at one copy of its addresses."""

    def __init__(self, depth: int, width: int, contents: list[int]) -> None:
        self.store = SynapseMemory(depth, width, 3, "ecp5", contents)
        super().__init__(self.store.signature)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.store = self.store
        connect(m, flipped(self), self.store)
        return m


@pytest.mark.icarus
@pytest.mark.parametrize(("depth", "width"), [(100, 18), (1024, 24), (1500, 20), (2100, 11), (4000, 8)])
def test_block_ram_of_an_ecp5_holds_weights(depth, width, tmp_path):
    contents = [int(word) for word in np.random.default_rng(depth).integers(0, 1 << width, depth)]
    memory = Reader(depth, width, contents)
    (tmp_path / "dut.v").write_text(text := component_verilog(memory, "dut"))
    bits = (depth - 1).bit_length()
    (tmp_path / "tb.v").write_text(
        f"""module tb; reg clk = 0; reg [{bits - 1}:0] a = 0; wire [{width - 1}:0] d; integer k;
        dut dut(.clk(clk), .rst(1'b0), .read_address(a), .read_enable(1'b1), .read_data(d), .write_address({bits}'d0),
          .write_enable(1'b0), .write_data({width}'d0));
        initial begin for (k = 0; k < {depth}; k = k + 1) begin a = k; repeat (4) begin #1 clk = 1; #1 clk = 0; end
          $display("%h", d); end $finish; end endmodule"""
    )
    sources = ["tb.v", "dut.v", *map(str, cell_models(text))]
    for command in ([str(find_icarus().require()), "-g2012", "-o", "tb", *sources], ["vvp", "-n", "tb"]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    found = [int(line, 16) for line in done.stdout.splitlines() if re.fullmatch(r"[0-9a-f]+", line)]
    assert found == contents


def test_block_ram_is_filled_as_yosys_fills_it(tmp_path):
    # The other opinion on where the bits of a word lie in the INITVALs: a memory that Yosys maps to a block itself.
    contents = [int(word) for word in np.random.default_rng(1).integers(0, 1 << 18, 1024)]
    lines = "".join(f"m[{k}] = {word};" for k, word in enumerate(contents))
    (tmp_path / "plain.v").write_text(
        "module plain(input clk, input we, input [9:0] a, b, input [17:0] d, output reg [17:0] q);"
        f"reg [17:0] m [0:1023]; initial begin {lines} end"
        " always @(posedge clk) begin if (we) m[a] <= d; q <= m[b]; end endmodule"
    )
    run_yosys(
        ["read_verilog plain.v", "synth_ecp5 -top plain", "write_verilog -noexpr mapped.v"], tmp_path, "map"
    )
    theirs = dict(re.findall(r"\.(INITVAL_\w\w)\(320'h([0-9a-fx_]+)\)", (tmp_path / "mapped.v").read_text()))
    text = component_verilog(Reader(1024, 18, contents), "dut")
    ours = dict(re.findall(r"\.(INITVAL_\w\w)\(\d+'h([0-9a-f]+)\)", text))
    assert len(ours) == len(theirs) == 64
    assert {name: int(value, 16) for name, value in ours.items()} == {
        name: int(value, 16) for name, value in theirs.items()
    }


@pytest.fixture(params=["tiny", "wide"])
def network(request) -> Network:
    if request.param == "tiny":
        return TINY
    return replace(
        TINY, name="Wide_12", layers=tuple(replace(layer, weight_width=12) for layer in TINY.layers)
    )


def test_every_format_has_every_weight(network, tmp_path):
    weights = trained(network)
    files = export_weights(network, weights, tmp_path, lanes=1)
    stem = f"erbium_weights_{network.name}"
    assert files == sorted(
        [f"{stem}.h", f"{stem}.json", f"{stem}.npz", f"{stem}_layer1.hex", f"{stem}_layer2.hex"]
    )
    flat = [[int(value) for value in values.flat] for values in weights]
    read = json.loads((tmp_path / f"{stem}.json").read_text())
    assert Network.from_json(json.dumps(read["network"])) == network
    assert [[value for row in rows for value in row] for rows in read["layers"]] == flat
    with np.load(tmp_path / f"{stem}.npz") as arrays:
        assert str(arrays["digest"]) == network.digest
        for number, values in enumerate(weights, 1):
            assert (arrays[f"layer{number}"] == values).all()
            assert arrays[f"layer{number}"].dtype == np.int16
    width = network.layers[0].weight_width
    for number, expected in enumerate(flat, 1):
        lines = (tmp_path / f"{stem}_layer{number}.hex").read_text().splitlines()
        assert [int(line, 16) for line in lines if not line.startswith("//")] == [
            value & (1 << width) - 1 for value in expected
        ]


def test_the_header_is_what_c_reads(network, tmp_path):
    weights = trained(network)
    export_weights(network, weights, tmp_path, ["c"], name="learned")
    loops = "".join(
        f"for (unsigned k = 0; k < sizeof LEARNED_LAYER{n} / sizeof LEARNED_LAYER{n}[0][0]; k++) "
        f'printf("%d\\n", (&LEARNED_LAYER{n}[0][0])[k]);\n'
        for n in (1, 2)
    )
    (tmp_path / "main.c").write_text(
        f'#include "learned.h"\n#include "learned.h"\n#include <stdio.h>\nint main(void) {{ {loops} return 0; }}\n'
    )
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    assert compiler, "the tests need a C compiler"
    subprocess.run(
        [compiler, "-Wall", "-Wextra", "-Werror", "main.c", "-o", "main"], cwd=tmp_path, check=True
    )
    said = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout.split()
    assert said == [str(value) for values in weights for value in values.flat]


@pytest.mark.icarus
def test_readmemh_reads_the_words_of_a_memory(tmp_path):
    weights, hardware = trained(TINY), Hardware(lanes=5)
    export_weights(TINY, weights, tmp_path, ["hex"], name="w", lanes=5)
    words = memory_words(weights[0].tolist(), 5, hardware.stride_of(TINY, 0), TINY.layers[0].weight_width)
    (tmp_path / "tb.v").write_text(
        f"module tb; reg [39:0] m [0:{len(words) - 1}]; integer k; initial begin "
        f'$readmemh("w_layer1.hex", m); for (k = 0; k < {len(words)}; k = k + 1) $display("%h", m[k]); end endmodule'
    )
    subprocess.run([find_icarus().require(), "-o", "tb", "tb.v"], cwd=tmp_path, check=True)
    done = subprocess.run(["vvp", "-n", "tb"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert [int(line, 16) for line in done.stdout.split()] == words
    assert "WARNING" not in done.stdout + done.stderr


def test_files_that_are_there_stay(tmp_path):
    weights = trained(TINY)
    (tmp_path / "w.json").write_text("mine")
    with pytest.raises(OutputError, match=r"w\.json is there already; add --overwrite"):
        export_weights(TINY, weights, tmp_path, name="w")
    assert [path.name for path in tmp_path.iterdir()] == ["w.json"]
    assert len(export_weights(TINY, weights, tmp_path, name="w", overwrite=True)) == 5


def test_the_formats_of_the_command_are_those_of_the_writer():
    from erbium.commands.export import FORMATS as NAMED

    assert tuple(FORMATS) == NAMED
