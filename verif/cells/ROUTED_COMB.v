// SPDX-License-Identifier: BSD-2-Clause
// Half of an ECP5's slice as nextpnr places it: a look-up table, half of a carry cell, or a bit of a small memory, with
// the multiplexer behind it. As TRELLIS_COMB of Yosys, but for its carry, which there never leaves the cell.

module ROUTED_COMB #(
  parameter MODE = "LOGIC",
  parameter [15:0] INITVAL = 16'h0,
  parameter CCU2_INJECT1 = "NO",
  parameter WREMUX = "WRE",
  parameter [0:0] WIDE = 1'b0
) (
  input A, B, C, D, M,
  input FCI, F1, FXA, FXB,
  input WD, WAD0, WAD1, WAD2, WAD3, WRE, WCK,
  output F, FCO, OFX
);
  // Input by input: what an unknown one does not decide is known.
  wire [7:0] half = D ? INITVAL[15:8] : INITVAL[7:0];
  wire [3:0] quarter = C ? half[7:4] : half[3:0];
  wire [1:0] eighth = B ? quarter[3:2] : quarter[1:0];
  wire table4 = A ? eighth[1] : eighth[0];
  wire table2 = INITVAL[{2'b00, B, A}];
  generate
    if (MODE == "LOGIC") begin
      assign F = table4;
      assign FCO = 1'b0;
    end else if (MODE == "CCU2") begin
      assign F = table4 ^ (CCU2_INJECT1 == "YES" ? 1'b0 : FCI);
      assign FCO = (~table4 & (CCU2_INJECT1 == "YES" ? 1'b0 : table2)) | (table4 & FCI);
    end else if (MODE == "DPRAM") begin
      reg [15:0] store = INITVAL;
      wire writes = WREMUX == "1" ? 1'b1 : WREMUX == "0" ? 1'b0 : WREMUX == "INV" ? ~WRE : WRE;
      always @(posedge WCK)
        if (writes) store[{WAD3, WAD2, WAD1, WAD0}] <= WD;
      assign F = store[{A, C, B, D}];
      assign FCO = 1'b0;
    end else
      no_such_mode no_such_mode();
    assign OFX = WIDE ? (M ? FXB : FXA) : (M ? F1 : F);
  endgenerate
endmodule
