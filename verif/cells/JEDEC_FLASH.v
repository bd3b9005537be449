// SPDX-License-Identifier: BSD-2-Clause
// The flash memory of cocotbext-qspi (its module qspi_flash, which the simulator is given, too), with its four wires
// taken apart: what the chip drives, where it does, and what is there. A wire that nobody drives is high, as on a board.

module JEDEC_FLASH #(
  parameter DUMMY = 0
) (
  input SELECT, CLOCK,
  input [3:0] DRIVEN, ENABLE,
  output [3:0] THERE
);
  wire [3:0] io;

  assign io[0] = ENABLE[0] ? DRIVEN[0] : 1'bz;
  assign io[1] = ENABLE[1] ? DRIVEN[1] : 1'bz;
  assign io[2] = ENABLE[2] ? DRIVEN[2] : 1'bz;
  assign io[3] = ENABLE[3] ? DRIVEN[3] : 1'bz;
  pullup high [3:0] (io);
  assign THERE = io;

  qspi_flash #(.DUMMY(DUMMY)) flash (.clk(CLOCK), .csb(~SELECT), .io(io));
endmodule
