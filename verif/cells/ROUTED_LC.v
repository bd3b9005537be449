// SPDX-License-Identifier: BSD-2-Clause
// A logic cell of an iCE40 as nextpnr places it: look-up table, half of a carry, flip-flop. As ICESTORM_LC of Yosys, for
// simulators that know no undriven pins; delays are those of the file that nextpnr writes.

module ROUTED_LC #(
  parameter [15:0] LUT_INIT = 0,
  parameter [0:0] NEG_CLK = 0,
  parameter [0:0] CARRY_ENABLE = 0,
  parameter [0:0] DFF_ENABLE = 0,
  parameter [0:0] SET_NORESET = 0,
  parameter [0:0] ASYNC_SR = 0,
  parameter [0:0] CIN_CONST = 0,
  parameter [0:0] CIN_SET = 0
) (
  input I0, I1, I2, I3, CIN, CLK, CEN, SR,
  output O, LO, COUT
);
  wire carry = CIN_CONST ? CIN_SET : CIN;
  // Input by input: what an unknown one does not decide is known.
  wire [7:0] half = I3 ? LUT_INIT[15:8] : LUT_INIT[7:0];
  wire [3:0] quarter = I2 ? half[7:4] : half[3:0];
  wire [1:0] eighth = I1 ? quarter[3:2] : quarter[1:0];
  wire table_out = I0 ? eighth[1] : eighth[0];
  assign COUT = CARRY_ENABLE & ((I1 & I2) | ((I1 | I2) & carry));
  assign LO = table_out;
  generate
    if (!DFF_ENABLE)
      assign O = table_out;
    else begin
      reg held = 1'b0;
      assign O = held;
      if (ASYNC_SR) begin
        always @(posedge CLK, posedge SR)
          if (SR) held <= SET_NORESET;
          else if (CEN) held <= table_out;
      end else
        always @(posedge CLK)
          if (CEN) held <= SR ? SET_NORESET : table_out;
    end
    if (NEG_CLK) no_such_edge no_such_edge();
  endgenerate
`ifdef TIMING
  specify
    (I0 => O) = 0; (I1 => O) = 0; (I2 => O) = 0; (I3 => O) = 0;
    (I0 => LO) = 0; (I1 => LO) = 0; (I2 => LO) = 0; (I3 => LO) = 0;
    (I1 => COUT) = 0; (I2 => COUT) = 0; (CIN => COUT) = 0;
    (posedge CLK => (O : I0)) = 0;
    (SR => O) = 0;
  endspecify
`endif
endmodule
