// SPDX-License-Identifier: BSD-2-Clause
// A block RAM of a Gowin part as 512 words of 36 bits that port A writes, byte by byte, and port B reads, as far as Erbium
// uses it: outputs without a further register; what is read where it is being written is unknown.

module GOWIN_SDP36 #(parameter [18431:0] INIT = 0) (
  input CLKA, CEA, WREA, CLKB, CEB, WREB,
  input [13:0] ADA, ADB,
  input [35:0] DI,
  output reg [35:0] DO
);
  reg [35:0] store [0:511];
  integer k;
  initial begin
    for (k = 0; k < 512; k = k + 1) store[k] = INIT[36 * k +: 36];
    DO = 0;
  end
  always @(posedge CLKA)
    if (CEA & WREA) begin
      if (ADA[0]) store[ADA[13:5]][8:0] <= DI[8:0];
      if (ADA[1]) store[ADA[13:5]][17:9] <= DI[17:9];
      if (ADA[2]) store[ADA[13:5]][26:18] <= DI[26:18];
      if (ADA[3]) store[ADA[13:5]][35:27] <= DI[35:27];
    end
  always @(posedge CLKB)
    if (CEB) DO <= (CEA & WREA & ADA[13:5] == ADB[13:5]) ? 36'bx : store[ADB[13:5]];
endmodule
