# SPDX-License-Identifier: BSD-2-Clause
"""Routed netlists and what is unpacked from bitstreams: small designs, by which the ways there can fail."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from erbium.fpga import routed_ecp5, unpacked_bits, unpacked_gowin
from erbium.fpga.boards import board
from erbium.fpga.cells import Cell, Netlist, ReadBackError, RoutedCell, literal
from erbium.fpga.simulated_line import TOP
from erbium.fpga.timed import Delays, play
from erbium.verif.simulators import ToolError, cell_models, find_icarus


def _cell(name: str, inputs: list[str], output: str) -> Cell:
    pins = {"I": inputs, "O": [output]}
    return Cell("BUF", name, {}, pins, frozenset({"O"}))


def test_a_netlist_keeps_what_its_output_depends_on() -> None:
    netlist = Netlist(
        [_cell("a", ["rx"], "x"), _cell("b", ["y"], "z"), _cell("c", ["w"], "v")], ["clk"], "rx", "z"
    )
    netlist.aliases = {"y": "long", "long": "x"}
    netlist.resolve()
    assert [cell.name for cell in netlist.cells] == ["a", "b"]
    assert netlist.floating() == {}
    netlist.cells[0].pins["I"] = ["nobody"]
    assert netlist.floating() == {"nobody": ["BUF.I"]}


def test_a_net_that_drives_itself_is_told() -> None:
    netlist = Netlist(aliases={"a": "b", "b": "a"})
    with pytest.raises(ReadBackError, match="drives itself"):
        netlist.root("a")


def test_parameters_of_nextpnr() -> None:
    assert literal("01x1") == "4'b0101"
    assert literal("1111000011110000", 8) == "8'b11110000"
    assert literal("LOGIC ") == '"LOGIC"'


def test_a_bitstream_in_which_a_net_has_two_drivers_is_told() -> None:
    with pytest.raises(
        ReadBackError, match="net R1C1_A0 of the bitstream is driven by R1C1_F0 and by R1C1_F1"
    ):
        unpacked_gowin._Text("assign R1C1_A0 = R1C1_F0;\nassign R1C1_A0 = R1C1_F1;\n")


def test_tables_that_the_unpacker_leaves_out() -> None:
    text = (
        "assign R2C3_F0 = VSS;\nLUT4 R2C3_LUT4_1 (\n.F(R2C3_F1)\n);\ndefparam R2C3_LUT4_1.INIT = 16'h00c0;\n"
    )
    tables = unpacked_gowin._tables(text)
    assert tables == {("2", "3", "0"): "16'h0000", ("2", "3", "1"): "16'h00c0"}
    assert unpacked_gowin._carry(2, 3, 0, tables).parameters == {"INIT": "16'h0000"}
    # All ones leave no trace.
    last = unpacked_gowin._carry(2, 3, 5, tables)
    assert last.parameters == {"INIT": "16'hffff"}
    assert last.pins["COUT"] == ["R2C4_CIN0"]


def test_an_input_that_decides_nothing_is_unhooked() -> None:
    def unhooked(kind: str, init: str, *nets: str) -> list[str]:
        cell = Cell(kind, "a", {"INIT": init}, {f"I{k}": [net] for k, net in enumerate(nets)}, frozenset("F"))
        unpacked_gowin._unhook(Netlist([cell]))
        return [cell.pins[f"I{k}"][0] for k in range(4)]

    # I1 and I2, and what was not routed anywhere hears what the cell drives.
    assert unhooked("LUT4", "16'hc0c0", "own", "b", "c", "own") == ["1'b1", "b", "c", "1'b1"]
    # I3 decides only while I2 is 0, which it never is.
    assert unhooked("LUT4", "16'h303f", "a", "b", "1'b1", "own") == ["1'b1", "b", "1'b1", "1'b1"]
    assert unhooked("LUT4", "16'h303f", "a", "b", "c", "own") == ["1'b1", "b", "c", "own"]
    # The sum of a carry cell hears I0 nowhere, but the carry does: its quarter is 1, 0, 1, 0.
    assert unhooked("GOWIN_CARRY", "16'h00fa", "a", "b", "1'b1", "d") == ["a", "1'b1", "1'b1", "d"]
    assert unhooked("LUT4", "16'h00fa", "a", "b", "1'b1", "d") == ["1'b1", "1'b1", "1'b1", "d"]
    assert unhooked("LUT4", "16'h6996", "a", "b", "c", "d") == ["a", "b", "c", "d"]


def test_what_a_block_ram_holds_at_first() -> None:
    class Tile:
        width = 60

    class Device:
        height, simplio_rows = 2, {4, 1}

        def __getitem__(self, place: tuple[int, int]) -> Tile:
            return Tile()

        def rev_logicinfo(self, name: str) -> list[tuple[int]]:
            assert name == "BSRAM_INIT"
            return [(k + 1,) for k in range(72)]

    lines = [[0] * 300 for _ in range(2 + 2 * 256)]
    assert unpacked_gowin._initial(Device(), lines[:2], 4, 2) == 0
    # Second row of block RAMs, third tile: bit 3 of word 0, and bit 17 of word 0x2A6, in the quarter of 2.
    below = 2 + 256
    lines[below + 255][2 * 60 + 3 * 4] = 1
    lines[below + 255 - (0x40 + (0x2A6 >> 2 & 0x3F))][2 * 60 + 17 * 4 + 2] = 1
    assert unpacked_gowin._initial(Device(), lines, 4, 2) == 1 << 3 | 1 << 18 * 0x2A6 + 17


def _routed(kind: str, parameters: dict[str, str], pins: dict[str, list[str]], outputs: str) -> RoutedCell:
    return RoutedCell("a", kind, parameters, pins, frozenset({outputs}))


def test_open_inputs_of_an_ecp5_are_1() -> None:
    table = _routed("TRELLIS_COMB", {"INITVAL": "1"}, {"A": ["n1"], "D": [""], "DI0": [""], "F": ["n2"]}, "F")
    assert routed_ecp5._comb(table).pins == {"A": ["n1"], "D": ["1'b1"], "F": ["n2"]}
    switches = {"ADA0MUX": "1 ", "ADA1MUX": "0 ", "RSTAMUX": "INV", "WEAMUX": "WEA"}
    inputs = {port: [""] for port in ("ADA0", "ADA1", "RSTA", "WEA")}
    memory = _routed("DP16KD", switches, inputs | {"CEA": ["n3"], "DOA0": ["n4"]}, "DOA0")
    assert routed_ecp5._memory(memory).pins == {
        "ADA0": ["1'b1"],
        "ADA1": ["1'b0"],
        "RSTA": ["1'b0"],
        "WEA": ["1'b1"],
        "CEA": ["n3"],
        "DOA0": ["n4"],
    }
    with pytest.raises(ReadBackError, match="input CEA of a is inverted"):
        routed_ecp5._memory(_routed("DP16KD", {"CEAMUX": "INV"}, {"CEA": ["n3"]}, ""))


def test_a_multiplexer_of_an_ecp5_whose_sources_are_other_slices_is_wide() -> None:
    two = {"M": ["n1"], "FXA": ["n2"], "FXB": ["n3"], "OFX": ["n4"], "F": [""]}
    assert (
        routed_ecp5._comb(_routed("TRELLIS_COMB", {"INITVAL": "1"}, two, "OFX")).parameters["WIDE"] == "1'b1"
    )
    for one in (
        {"M": ["n1"], "F1": ["n2"], "OFX": ["n4"], "FXA": [""]},
        {"M": ["n1"], "F1": ["n2"], "OFX": ["n4"]},
    ):
        assert (
            "WIDE" not in routed_ecp5._comb(_routed("TRELLIS_COMB", {"INITVAL": "1"}, one, "OFX")).parameters
        )


CELLS = r"""
module bench;
  reg clk = 0, m = 0;
  wire wide, narrow, set, cleared;
  ROUTED_COMB #(.INITVAL(16'hffff), .WIDE(1'b1)) a(
    .A(1'b0), .B(1'b0), .C(1'b0), .D(1'b0), .M(m), .FXA(1'b0), .FXB(1'b1), .F1(1'bx), .OFX(wide));
  ROUTED_COMB #(.INITVAL(16'hffff)) b(
    .A(1'bx), .B(1'bx), .C(1'bx), .D(1'bx), .M(m), .FXA(1'bx), .FXB(1'bx), .F1(1'b0), .OFX(narrow));
  ROUTED_LC #(.LUT_INIT(16'hff00)) c(.I0(1'bx), .I1(1'bx), .I2(1'bx), .I3(m), .O(table_out));
  TRELLIS_FF #(.REGSET("SET"), .CEMUX("0")) d(.CLK(clk), .LSR(1'b0), .CE(1'b0), .DI(1'b0), .Q(set));
  TRELLIS_FF #(.REGSET("RESET"), .CEMUX("0")) e(.CLK(clk), .LSR(1'b0), .CE(1'b0), .DI(1'b1), .Q(cleared));
  initial begin
    $write("%b%b", set, cleared);
    #1 clk = 1;
    #1 $write(" %b%b%b", wide, narrow, table_out);
    m = 1;
    #1 $write(" %b%b%b %b%b\n", wide, narrow, table_out, set, cleared);
    $finish;
  end
endmodule
"""


@pytest.mark.icarus
def test_placed_cells_start_with_their_values_and_know_what_no_unknown_decides(tmp_path: Path) -> None:
    compiler = find_icarus().require()
    (tmp_path / "bench.v").write_text(CELLS)
    sources = [str(path) for path in cell_models(CELLS)]
    subprocess.run(
        [compiler, "-g2012", "-s", "bench", "-o", "bench.vvp", "bench.v", *sources], cwd=tmp_path, check=True
    )
    done = subprocess.run(
        [compiler.with_name("vvp"), "-n", "bench.vvp"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "10 010 101 10\n"


SDF = """\
        (INTERCONNECT a\\$b/O c.d/I3 (662:662:700) (662:662:700))
    (CELLTYPE "ICESTORM_LC")
    (INSTANCE c.d)
        (IOPATH I3 O (874:874:874) (874:874:874))
        (IOPATH (posedge CLK) O (1391:1391:1391) (1391:1391:1391))
      (SETUPHOLD (posedge I0) (posedge CLK) (100:100:100) (0:0:0))
      (SETUPHOLD (negedge I0) (posedge CLK) (120:120:120) (0:0:0))
"""


def test_delays_of_an_sdf_file(tmp_path: Path) -> None:
    (tmp_path / "a.sdf").write_text(SDF)
    delays = Delays.read(tmp_path / "a.sdf")
    assert delays.wires == {("c.d", "I3"): 700}
    assert delays.paths == {("c.d", "I3", "O"): 874, ("c.d", "CLK", "O"): 1391}
    assert delays.setups == {("c.d", "I0"): 120}


def _programs(monkeypatch: pytest.MonkeyPatch, files: dict[str, str | bytes]) -> None:
    """Let the programs of a family write these files."""

    def run(folder: Path, program: str, *arguments: str) -> None:
        for name in files.keys() & set(arguments):
            content = files[name]
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)

    monkeypatch.setattr(unpacked_bits, "_run", run)


ASC = """\
.comment made by nextpnr
.device 5k

.logic_tile 1 1
0010
0000

.ram_data 6 1
00ff

.sym 5 clk
"""


def test_bits_of_an_ice40(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "erbium.asc").write_text(ASC)
    empty = ".ram_data 6 3\n0000\n"
    _programs(monkeypatch, {"unpacked.asc": ASC.replace("nextpnr", "iceunpack") + empty})
    assert unpacked_bits.compare(board("icebreaker"), tmp_path) == (10, [])
    _programs(monkeypatch, {"unpacked.asc": ASC.replace("0010", "0011").replace("00ff", "00fe")})
    assert unpacked_bits.compare(board("icebreaker"), tmp_path).differing == [
        ".logic_tile 1 1: line 0, bit 3",
        ".ram_data 6 1: line 0, bit 15",
    ]


def test_bits_of_an_ecp5(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "erbium.bit").write_bytes(b"Erbium")
    for again, differing in ((b"Erbium", []), (b"Ermium", ["byte 2"]), (b"Erbi", ["length"])):
        _programs(monkeypatch, {"repacked.bit": again})
        assert unpacked_bits.compare(board("ulx3s-85f"), tmp_path) == (6, differing)
    with pytest.raises(ToolError, match="bits of the Tang Nano 9K are read back as logic"):
        unpacked_bits.compare(board("tang-nano-9k"), tmp_path)


@pytest.mark.icarus
def test_what_a_timed_netlist_sends_is_told_bit_by_bit(tmp_path: Path) -> None:
    """One that sends what it hears: two bytes at once, one that waits for them, and what does not come in time."""
    echo = (
        f"`timescale 1ps/1ps\nmodule {TOP} (input clk, rst, rx, output tx); assign #100 tx = rx; endmodule\n"
    )
    steps = [1 << 31, 0x41, 0xFE, 1 << 31 | 2, 0x00]
    asked = (24_000_000, 3_000_000, tmp_path, 60.0)
    assert play(echo, steps, 3, *asked) == ["01000001", "11111110", "00000000"]
    assert play(echo, steps, 4, *asked) == ["01000001", "11111110", "00000000", "late"]
    stuck = echo.replace("tx = rx", "tx = (bench.step == 0)")
    assert play(stuck, [0x41], 1, *asked)[0] == "00000000 without a stop bit"
