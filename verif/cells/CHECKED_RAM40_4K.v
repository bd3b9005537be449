// SPDX-License-Identifier: BSD-2-Clause
// The iCE40's block RAM as Yosys describes it, with one difference: what is read where it is being written is unknown.
// Where `ARBITRARY` is defined, its output is a number before the first read.

module CHECKED_RAM40_4K #(
  parameter WRITE_MODE = 0,
  parameter READ_MODE = 0,
  parameter [255:0] INIT_0 = 256'b0,
  parameter [255:0] INIT_1 = 256'b0,
  parameter [255:0] INIT_2 = 256'b0,
  parameter [255:0] INIT_3 = 256'b0,
  parameter [255:0] INIT_4 = 256'b0,
  parameter [255:0] INIT_5 = 256'b0,
  parameter [255:0] INIT_6 = 256'b0,
  parameter [255:0] INIT_7 = 256'b0,
  parameter [255:0] INIT_8 = 256'b0,
  parameter [255:0] INIT_9 = 256'b0,
  parameter [255:0] INIT_A = 256'b0,
  parameter [255:0] INIT_B = 256'b0,
  parameter [255:0] INIT_C = 256'b0,
  parameter [255:0] INIT_D = 256'b0,
  parameter [255:0] INIT_E = 256'b0,
  parameter [255:0] INIT_F = 256'b0
) (
  output [15:0] RDATA,
  input RCLK, RCLKE, RE,
  input [10:0] RADDR,
  input WCLK, WCLKE, WE,
  input [10:0] WADDR,
  input [15:0] MASK, WDATA
);
  wire [15:0] data;
  reg collided = 1'b0;

  // Words are parts of rows of 16 bits: 1, 2, 4 or 8 in a row. The row is the lower part of the address.
  wire same_row = RADDR[7:0] == WADDR[7:0];
  wire same_part = READ_MODE != WRITE_MODE || READ_MODE == 0
      || (RADDR[8] == WADDR[8] && (READ_MODE < 2 || RADDR[9] == WADDR[9]) && (READ_MODE < 3 || RADDR[10] == WADDR[10]));
  wire writes = WE & WCLKE & ((WRITE_MODE != 0) | ~(&MASK));

  always @(posedge RCLK)
    if (RE & RCLKE) collided <= writes & same_row & same_part;
  assign RDATA = collided ? 16'bx : data;
`ifdef ARBITRARY
  integer seed = 1;
  initial ram.RDATA_I = $random(seed);
`endif

  SB_RAM40_4K #(
    .WRITE_MODE(WRITE_MODE), .READ_MODE(READ_MODE),
    .INIT_0(INIT_0), .INIT_1(INIT_1), .INIT_2(INIT_2), .INIT_3(INIT_3),
    .INIT_4(INIT_4), .INIT_5(INIT_5), .INIT_6(INIT_6), .INIT_7(INIT_7),
    .INIT_8(INIT_8), .INIT_9(INIT_9), .INIT_A(INIT_A), .INIT_B(INIT_B),
    .INIT_C(INIT_C), .INIT_D(INIT_D), .INIT_E(INIT_E), .INIT_F(INIT_F)
  ) ram (
    .RDATA(data), .RCLK(RCLK), .RCLKE(RCLKE), .RE(RE), .RADDR(RADDR),
    .WCLK(WCLK), .WCLKE(WCLKE), .WE(WE), .WADDR(WADDR), .MASK(MASK), .WDATA(WDATA)
  );
endmodule
