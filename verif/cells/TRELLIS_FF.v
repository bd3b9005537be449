// SPDX-License-Identifier: BSD-2-Clause
// Behaviour of an ECP5's flip-flop, whose value after configuration is the one that a reset gives it. That value is a
// constant here: Yosys's description gets it through a wire, and a simulator may read that before the wire has it.

module TRELLIS_FF #(
  parameter GSR = "ENABLED",
  parameter CEMUX = "1",
  parameter CLKMUX = "CLK",
  parameter LSRMUX = "LSR",
  parameter SRMODE = "LSR_OVER_CE",
  parameter REGSET = "RESET"
) (
  input CLK, LSR, CE, DI,
  output reg Q
);
  localparam [0:0] START = REGSET == "SET";
  wire enable = CEMUX == "1" ? 1'b1 : CEMUX == "0" ? 1'b0 : CEMUX == "INV" ? ~CE : CE;
  wire reset = LSRMUX == "INV" ? ~LSR : LSR;
  wire clock = CLKMUX == "INV" ? ~CLK : CLK;

  initial Q = START;

  generate
    if (SRMODE == "ASYNC") begin
      always @(posedge clock or posedge reset)
        if (reset) Q <= START;
        else if (enable) Q <= DI;
    end else begin
      always @(posedge clock)
        if (reset) Q <= START;
        else if (enable) Q <= DI;
    end
  endgenerate
endmodule
