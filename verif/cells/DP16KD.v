// SPDX-License-Identifier: BSD-2-Clause
// Behaviour of the ECP5's block RAM, as far as Erbium uses it: both ports clocked by one edge, words of 1, 2, 4, 9 or
// 18 bits, output registers; words of 36 bits that port A writes with the data of both ports, or that port B reads
// onto the outputs of both. A port that writes keeps its output, or reads what was there before. A port that reads where
// the other one writes gets unknown data. Contents are unknown at first unless an INITVAL says otherwise. Whatever
// else is asked for ends the simulation.

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
  parameter [319:0] INITVAL_00 = 320'bx,
  parameter [319:0] INITVAL_01 = 320'bx,
  parameter [319:0] INITVAL_02 = 320'bx,
  parameter [319:0] INITVAL_03 = 320'bx,
  parameter [319:0] INITVAL_04 = 320'bx,
  parameter [319:0] INITVAL_05 = 320'bx,
  parameter [319:0] INITVAL_06 = 320'bx,
  parameter [319:0] INITVAL_07 = 320'bx,
  parameter [319:0] INITVAL_08 = 320'bx,
  parameter [319:0] INITVAL_09 = 320'bx,
  parameter [319:0] INITVAL_0A = 320'bx,
  parameter [319:0] INITVAL_0B = 320'bx,
  parameter [319:0] INITVAL_0C = 320'bx,
  parameter [319:0] INITVAL_0D = 320'bx,
  parameter [319:0] INITVAL_0E = 320'bx,
  parameter [319:0] INITVAL_0F = 320'bx,
  parameter [319:0] INITVAL_10 = 320'bx,
  parameter [319:0] INITVAL_11 = 320'bx,
  parameter [319:0] INITVAL_12 = 320'bx,
  parameter [319:0] INITVAL_13 = 320'bx,
  parameter [319:0] INITVAL_14 = 320'bx,
  parameter [319:0] INITVAL_15 = 320'bx,
  parameter [319:0] INITVAL_16 = 320'bx,
  parameter [319:0] INITVAL_17 = 320'bx,
  parameter [319:0] INITVAL_18 = 320'bx,
  parameter [319:0] INITVAL_19 = 320'bx,
  parameter [319:0] INITVAL_1A = 320'bx,
  parameter [319:0] INITVAL_1B = 320'bx,
  parameter [319:0] INITVAL_1C = 320'bx,
  parameter [319:0] INITVAL_1D = 320'bx,
  parameter [319:0] INITVAL_1E = 320'bx,
  parameter [319:0] INITVAL_1F = 320'bx,
  parameter [319:0] INITVAL_20 = 320'bx,
  parameter [319:0] INITVAL_21 = 320'bx,
  parameter [319:0] INITVAL_22 = 320'bx,
  parameter [319:0] INITVAL_23 = 320'bx,
  parameter [319:0] INITVAL_24 = 320'bx,
  parameter [319:0] INITVAL_25 = 320'bx,
  parameter [319:0] INITVAL_26 = 320'bx,
  parameter [319:0] INITVAL_27 = 320'bx,
  parameter [319:0] INITVAL_28 = 320'bx,
  parameter [319:0] INITVAL_29 = 320'bx,
  parameter [319:0] INITVAL_2A = 320'bx,
  parameter [319:0] INITVAL_2B = 320'bx,
  parameter [319:0] INITVAL_2C = 320'bx,
  parameter [319:0] INITVAL_2D = 320'bx,
  parameter [319:0] INITVAL_2E = 320'bx,
  parameter [319:0] INITVAL_2F = 320'bx,
  parameter [319:0] INITVAL_30 = 320'bx,
  parameter [319:0] INITVAL_31 = 320'bx,
  parameter [319:0] INITVAL_32 = 320'bx,
  parameter [319:0] INITVAL_33 = 320'bx,
  parameter [319:0] INITVAL_34 = 320'bx,
  parameter [319:0] INITVAL_35 = 320'bx,
  parameter [319:0] INITVAL_36 = 320'bx,
  parameter [319:0] INITVAL_37 = 320'bx,
  parameter [319:0] INITVAL_38 = 320'bx,
  parameter [319:0] INITVAL_39 = 320'bx,
  parameter [319:0] INITVAL_3A = 320'bx,
  parameter [319:0] INITVAL_3B = 320'bx,
  parameter [319:0] INITVAL_3C = 320'bx,
  parameter [319:0] INITVAL_3D = 320'bx,
  parameter [319:0] INITVAL_3E = 320'bx,
  parameter [319:0] INITVAL_3F = 320'bx,
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
  localparam integer WIDER = DATA_WIDTH_A > DATA_WIDTH_B ? DATA_WIDTH_A : DATA_WIDTH_B;
  localparam integer PLACE = WIDER == 36 ? 5 : WIDER == 18 ? 4 : WIDER == 9 ? 3 : WIDER == 4 ? 2 : WIDER == 2 ? 1 : 0;

  // Nine bits at each address of a word of nine; narrower words leave the ninth unused.
  reg [8:0] store [0:2047];
  reg [17:0] read_a, held_a;
  reg [35:0] read_b, held_b;

  wire [13:0] address_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
  wire [13:0] address_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
  wire [17:0] data_a = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9,
                        DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
  wire [17:0] data_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9,
                        DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
  wire enable_a = CEA & ~(CSA0 | CSA1 | CSA2);
  wire enable_b = CEB & ~(CSB0 | CSB1 | CSB2);
  // Wide words are written by parts of nine bits; no part, no write.
  wire writes_a = enable_a & WEA
      & (DATA_WIDTH_A == 36 ? |address_a[3:0] : DATA_WIDTH_A == 18 ? |address_a[1:0] : 1'b1);
  wire writes_b = enable_b & WEB & (DATA_WIDTH_B == 18 ? |address_b[1:0] : 1'b1);
  // A word of 36 bits lies on the outputs of both ports, the lower half on those of port A. Words that are narrower
  // than what the other port writes come on the outputs of their own port.
  wire [35:0] wide = REGMODE_B == "OUTREG" ? held_b : read_b;
  wire [17:0] out_a = DATA_WIDTH_B == 36 ? wide[17:0] : REGMODE_A == "OUTREG" ? held_a : read_a;
  wire [17:0] out_b = DATA_WIDTH_B == 36 ? wide[35:18] : wide[17:0];
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
          DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = out_a;
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
          DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} = out_b;

  initial begin
    if ((RESETMODE != "SYNC" && RESETMODE != "ASYNC") || CSDECODE_A != "0b000" || CSDECODE_B != "0b000"
        || (WRITEMODE_A != "NORMAL" && WRITEMODE_A != "READBEFOREWRITE")
        || (WRITEMODE_B != "NORMAL" && WRITEMODE_B != "READBEFOREWRITE")
        || CLKAMUX != "CLKA" || CLKBMUX != "CLKB"
        || (DATA_WIDTH_A != 1 && DATA_WIDTH_A != 2 && DATA_WIDTH_A != 4 && DATA_WIDTH_A != 9 && DATA_WIDTH_A != 18
            && DATA_WIDTH_A != 36)
        || (DATA_WIDTH_B != 1 && DATA_WIDTH_B != 2 && DATA_WIDTH_B != 4 && DATA_WIDTH_B != 9 && DATA_WIDTH_B != 18
            && DATA_WIDTH_B != 36))
    begin
      $display("DP16KD: parameters that this description does not know");
      $finish;
    end
  end

  wire resets_at_once = RESETMODE == "ASYNC" && (RSTA || RSTB);
  always @(resets_at_once)
    if (resets_at_once) begin
      $display("DP16KD: a reset that this description does not know");
      $finish;
    end

  // A word of w bits at an address: for w < 9 a part of nine bits, else one or two times nine.
  always @(posedge CLKA) begin
    if (enable_a & WEA) begin
      if (DATA_WIDTH_A == 36) begin
        if (address_a[0]) store[{address_a[13:5], 2'd0}] <= data_a[8:0];
        if (address_a[1]) store[{address_a[13:5], 2'd1}] <= data_a[17:9];
        if (address_a[2]) store[{address_a[13:5], 2'd2}] <= data_b[8:0];
        if (address_a[3]) store[{address_a[13:5], 2'd3}] <= data_b[17:9];
      end else if (DATA_WIDTH_A == 18) begin
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
    else if (enable_a & (~WEA | WRITEMODE_A == "READBEFOREWRITE")) read_a <= word(DATA_WIDTH_A, address_a, writes_b, address_b);
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
    if (RSTB) read_b <= 36'b0;
    else if (enable_b & (~WEB | WRITEMODE_B == "READBEFOREWRITE")) read_b <= word(DATA_WIDTH_B, address_b, writes_a, address_a);
    if (RSTB) held_b <= 36'b0;
    else if (OCEB) held_b <= read_b;
  end

  function [35:0] word(input integer width, input [13:0] address, input other_writes, input [13:0] other);
    begin
      if (width == 36)
        word = {store[{address[13:5], 2'd3}], store[{address[13:5], 2'd2}],
                store[{address[13:5], 2'd1}], store[{address[13:5], 2'd0}]};
      else if (width == 18) word = {18'b0, store[{address[13:4], 1'b1}], store[{address[13:4], 1'b0}]};
      else if (width == 9) word = {27'b0, store[address[13:3]]};
      else if (width == 4) word = {32'b0, store[address[13:3]][{address[2], 2'b00} +: 4]};
      else if (width == 2) word = {34'b0, store[address[13:3]][{address[2:1], 1'b0} +: 2]};
      else word = {35'b0, store[address[13:3]][address[2:0] +: 1]};
      // The wider word of both ports decides how many addresses are the same place.
      if (other_writes && other >> PLACE == address >> PLACE) word = 36'bx;
    end
  endfunction

  // 16 words of 18 bits in each INITVAL, every one in a field of 20.
  task fill(input [5:0] number, input [319:0] contents);
    integer k;
    begin
      for (k = 0; k < 16; k = k + 1) begin
        store[{number, k[3:0], 1'b0}] = contents[20 * k +: 9];
        store[{number, k[3:0], 1'b1}] = contents[20 * k + 9 +: 9];
      end
    end
  endtask

  initial begin
    fill(0, INITVAL_00);
    fill(1, INITVAL_01);
    fill(2, INITVAL_02);
    fill(3, INITVAL_03);
    fill(4, INITVAL_04);
    fill(5, INITVAL_05);
    fill(6, INITVAL_06);
    fill(7, INITVAL_07);
    fill(8, INITVAL_08);
    fill(9, INITVAL_09);
    fill(10, INITVAL_0A);
    fill(11, INITVAL_0B);
    fill(12, INITVAL_0C);
    fill(13, INITVAL_0D);
    fill(14, INITVAL_0E);
    fill(15, INITVAL_0F);
    fill(16, INITVAL_10);
    fill(17, INITVAL_11);
    fill(18, INITVAL_12);
    fill(19, INITVAL_13);
    fill(20, INITVAL_14);
    fill(21, INITVAL_15);
    fill(22, INITVAL_16);
    fill(23, INITVAL_17);
    fill(24, INITVAL_18);
    fill(25, INITVAL_19);
    fill(26, INITVAL_1A);
    fill(27, INITVAL_1B);
    fill(28, INITVAL_1C);
    fill(29, INITVAL_1D);
    fill(30, INITVAL_1E);
    fill(31, INITVAL_1F);
    fill(32, INITVAL_20);
    fill(33, INITVAL_21);
    fill(34, INITVAL_22);
    fill(35, INITVAL_23);
    fill(36, INITVAL_24);
    fill(37, INITVAL_25);
    fill(38, INITVAL_26);
    fill(39, INITVAL_27);
    fill(40, INITVAL_28);
    fill(41, INITVAL_29);
    fill(42, INITVAL_2A);
    fill(43, INITVAL_2B);
    fill(44, INITVAL_2C);
    fill(45, INITVAL_2D);
    fill(46, INITVAL_2E);
    fill(47, INITVAL_2F);
    fill(48, INITVAL_30);
    fill(49, INITVAL_31);
    fill(50, INITVAL_32);
    fill(51, INITVAL_33);
    fill(52, INITVAL_34);
    fill(53, INITVAL_35);
    fill(54, INITVAL_36);
    fill(55, INITVAL_37);
    fill(56, INITVAL_38);
    fill(57, INITVAL_39);
    fill(58, INITVAL_3A);
    fill(59, INITVAL_3B);
    fill(60, INITVAL_3C);
    fill(61, INITVAL_3D);
    fill(62, INITVAL_3E);
    fill(63, INITVAL_3F);
  end
endmodule
