// SPDX-License-Identifier: BSD-2-Clause
// A look-up table of a Gowin part as a carry cell, by its truth table: all of it with the carry makes the sum, and the
// quarter in which the upper two inputs are 0 says which carry is made. In ADD, SUB and all the other modes of the cell ALU
// the table is another, and this is the same.

module GOWIN_CARRY #(parameter [15:0] INIT = 16'h0000) (input I0, I1, I2, I3, CIN, output SUM, COUT);
  wire passes = INIT[{I3, I2, I1, I0}];
  assign SUM = passes ^ CIN;
  assign COUT = passes ? CIN : INIT[{2'b00, I1, I0}];
endmodule
