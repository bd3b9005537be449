# SPDX-License-Identifier: BSD-2-Clause
"""Routed netlists and what is unpacked from bitstreams: small designs, by which the ways there can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from erbium.fpga import unpacked_gowin
from erbium.fpga.cells import Cell, Netlist, ReadBackError, literal
from erbium.fpga.timed import Delays


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
    assert unpacked_gowin._carry("R2C3_ALU_0", tables).parameters == {"INIT": "16'h0000"}
    # All ones leave no trace.
    last = unpacked_gowin._carry("R2C3_ALU_5", tables)
    assert last.parameters == {"INIT": "16'hffff"}
    assert last.pins["COUT"] == ["R2C4_CIN0"]


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
