// SPDX-License-Identifier: BSD-2-Clause
// A block RAM of a Gowin part as 2,048 words of 9 bits with two ports, as far as Erbium uses it: outputs without a further
// register; a port that writes reads what it writes; what one port reads where the other one writes is unknown.

module GOWIN_DP9 #(parameter [18431:0] INIT = 0) (
  input CLKA, CEA, WREA, CLKB, CEB, WREB,
  input [13:0] ADA, ADB,
  input [8:0] DIA, DIB,
  output reg [8:0] DOA, DOB
);
  reg [8:0] store [0:2047];
  integer k;
  initial begin
    for (k = 0; k < 2048; k = k + 1) store[k] = INIT[9 * k +: 9];
    DOA = 0;
    DOB = 0;
  end
  wire same = ADA[13:3] == ADB[13:3];
  always @(posedge CLKA)
    if (CEA) begin
      if (WREA) store[ADA[13:3]] <= DIA;
      DOA <= WREA ? DIA : (CEB & WREB & same) ? 9'bx : store[ADA[13:3]];
    end
  always @(posedge CLKB)
    if (CEB) begin
      if (WREB) store[ADB[13:3]] <= DIB;
      DOB <= WREB ? DIB : (CEA & WREA & same) ? 9'bx : store[ADB[13:3]];
    end
endmodule
