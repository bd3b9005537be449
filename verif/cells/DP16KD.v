// SPDX-License-Identifier: BSD-2-Clause
// Behaviour of the ECP5's block RAM, as far as Erbium uses it: both ports clocked by one edge, words of 1, 2, 4, 9 or
// 18 bits, output registers. A port that reads where the other one writes gets unknown data. Whatever else is
// asked for ends the simulation.

module DP16KD #(
  parameter DATA_WIDTH_A = 18,
  parameter DATA_WIDTH_B = 18,
  parameter REGMODE_A = "NOREG",
  parameter REGMODE_B = "NOREG",
  parameter RESETMODE = "SYNC",
  parameter ASYNC_RESET_RELEASE = "SYNC",
  parameter CSDECODE_A = "0b000",
  parameter CSDECODE_B = "0b000",
  parameter WRITEMODE_A = "NORMAL",
  parameter WRITEMODE_B = "NORMAL",
  parameter CLKAMUX = "CLKA",
  parameter CLKBMUX = "CLKB",
  parameter GSR = "DISABLED"
) (
  input CLKA, CEA, OCEA, WEA, RSTA, CSA0, CSA1, CSA2,
  input ADA0, ADA1, ADA2, ADA3, ADA4, ADA5, ADA6, ADA7, ADA8, ADA9, ADA10, ADA11, ADA12, ADA13,
  input DIA0, DIA1, DIA2, DIA3, DIA4, DIA5, DIA6, DIA7, DIA8,
  input DIA9, DIA10, DIA11, DIA12, DIA13, DIA14, DIA15, DIA16, DIA17,
  output DOA0, DOA1, DOA2, DOA3, DOA4, DOA5, DOA6, DOA7, DOA8,
  output DOA9, DOA10, DOA11, DOA12, DOA13, DOA14, DOA15, DOA16, DOA17,
  input CLKB, CEB, OCEB, WEB, RSTB, CSB0, CSB1, CSB2,
  input ADB0, ADB1, ADB2, ADB3, ADB4, ADB5, ADB6, ADB7, ADB8, ADB9, ADB10, ADB11, ADB12, ADB13,
  input DIB0, DIB1, DIB2, DIB3, DIB4, DIB5, DIB6, DIB7, DIB8,
  input DIB9, DIB10, DIB11, DIB12, DIB13, DIB14, DIB15, DIB16, DIB17,
  output DOB0, DOB1, DOB2, DOB3, DOB4, DOB5, DOB6, DOB7, DOB8,
  output DOB9, DOB10, DOB11, DOB12, DOB13, DOB14, DOB15, DOB16, DOB17
);
  // Nine bits at each address of a word of nine; narrower words leave the ninth unused.
  reg [8:0] store [0:2047];
  reg [17:0] read_a, read_b, held_a, held_b;

  wire [13:0] address_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
  wire [13:0] address_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
  wire [17:0] data_a = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9,
                        DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
  wire [17:0] data_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9,
                        DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
  wire enable_a = CEA & ~(CSA0 | CSA1 | CSA2);
  wire enable_b = CEB & ~(CSB0 | CSB1 | CSB2);
  wire [17:0] out_a = REGMODE_A == "OUTREG" ? held_a : read_a;
  wire [17:0] out_b = REGMODE_B == "OUTREG" ? held_b : read_b;
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
          DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = out_a;
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
          DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} = out_b;

  initial begin
    if (RESETMODE != "SYNC" || CSDECODE_A != "0b000" || CSDECODE_B != "0b000" || WRITEMODE_A != "NORMAL"
        || WRITEMODE_B != "NORMAL" || CLKAMUX != "CLKA" || CLKBMUX != "CLKB"
        || (DATA_WIDTH_A != 1 && DATA_WIDTH_A != 2 && DATA_WIDTH_A != 4 && DATA_WIDTH_A != 9 && DATA_WIDTH_A != 18)
        || (DATA_WIDTH_B != 1 && DATA_WIDTH_B != 2 && DATA_WIDTH_B != 4 && DATA_WIDTH_B != 9 && DATA_WIDTH_B != 18))
    begin
      $display("DP16KD: parameters that this description does not know");
      $finish;
    end
  end

  // A word of w bits at an address: for w < 9 a part of nine bits, else one or two times nine.
  always @(posedge CLKA) begin
    if (enable_a & WEA) begin
      if (DATA_WIDTH_A == 18) begin
        if (address_a[0]) store[{address_a[13:4], 1'b0}] <= data_a[8:0];
        if (address_a[1]) store[{address_a[13:4], 1'b1}] <= data_a[17:9];
      end else if (DATA_WIDTH_A == 9)
        store[address_a[13:3]] <= data_a[8:0];
      else if (DATA_WIDTH_A == 4)
        store[address_a[13:3]][{address_a[2], 2'b00} +: 4] <= data_a[3:0];
      else if (DATA_WIDTH_A == 2)
        store[address_a[13:3]][{address_a[2:1], 1'b0} +: 2] <= data_a[1:0];
      else
        store[address_a[13:3]][address_a[2:0] +: 1] <= data_a[0];
    end
    if (RSTA) read_a <= 18'b0;
    else if (enable_a & ~WEA) read_a <= word(DATA_WIDTH_A, address_a, enable_b & WEB, address_b);
    if (RSTA) held_a <= 18'b0;
    else if (OCEA) held_a <= read_a;
  end

  always @(posedge CLKB) begin
    if (enable_b & WEB) begin
      if (DATA_WIDTH_B == 18) begin
        if (address_b[0]) store[{address_b[13:4], 1'b0}] <= data_b[8:0];
        if (address_b[1]) store[{address_b[13:4], 1'b1}] <= data_b[17:9];
      end else if (DATA_WIDTH_B == 9)
        store[address_b[13:3]] <= data_b[8:0];
      else if (DATA_WIDTH_B == 4)
        store[address_b[13:3]][{address_b[2], 2'b00} +: 4] <= data_b[3:0];
      else if (DATA_WIDTH_B == 2)
        store[address_b[13:3]][{address_b[2:1], 1'b0} +: 2] <= data_b[1:0];
      else
        store[address_b[13:3]][address_b[2:0] +: 1] <= data_b[0];
    end
    if (RSTB) read_b <= 18'b0;
    else if (enable_b & ~WEB) read_b <= word(DATA_WIDTH_B, address_b, enable_a & WEA, address_a);
    if (RSTB) held_b <= 18'b0;
    else if (OCEB) held_b <= read_b;
  end

  function [17:0] word(input integer width, input [13:0] address, input other_writes, input [13:0] other);
    begin
      if (width == 18) word = {store[{address[13:4], 1'b1}], store[{address[13:4], 1'b0}]};
      else if (width == 9) word = {9'b0, store[address[13:3]]};
      else if (width == 4) word = {14'b0, store[address[13:3]][{address[2], 2'b00} +: 4]};
      else if (width == 2) word = {16'b0, store[address[13:3]][{address[2:1], 1'b0} +: 2]};
      else word = {17'b0, store[address[13:3]][address[2:0] +: 1]};
      // A word of 18 bits lies at two addresses of nine.
      if (other_writes && other[13:4] == address[13:4]
          && (DATA_WIDTH_A == 18 || DATA_WIDTH_B == 18 || other[3] == address[3])) word = 18'bx;
    end
  endfunction
endmodule
