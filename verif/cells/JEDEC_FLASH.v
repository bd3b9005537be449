// SPDX-License-Identifier: BSD-2-Clause
// A flash memory beside a chip, with its four wires taken apart: what the chip drives, where it does, and what is there.
// In Icarus it is that of cocotbext-qspi (its module qspi_flash, which the simulator is given, too), and a wire that
// nobody drives is high, as on a board. Verilator does not follow that module's wires; there a plain description stands in
// that reads, and wakes up, by the same commands.

module JEDEC_FLASH #(
  parameter DUMMY = 0
) (
  input SELECT, CLOCK,
  input [3:0] DRIVEN, ENABLE,
  output [3:0] THERE
);
`ifdef VERILATOR
  wire [3:0] out, driving;
  assign THERE = (DRIVEN & ENABLE) | (out & driving & ~ENABLE) | ~(ENABLE | driving);
  plain_flash #(.DUMMY(DUMMY)) flash (.clk(CLOCK), .csb(~SELECT), .in(THERE), .out(out), .driving(driving));
`else
  wire [3:0] io;

  assign io[0] = ENABLE[0] ? DRIVEN[0] : 1'bz;
  assign io[1] = ENABLE[1] ? DRIVEN[1] : 1'bz;
  assign io[2] = ENABLE[2] ? DRIVEN[2] : 1'bz;
  assign io[3] = ENABLE[3] ? DRIVEN[3] : 1'bz;
  pullup high [3:0] (io);
  assign THERE = io;

  qspi_flash #(.DUMMY(DUMMY)) flash (.clk(CLOCK), .csb(~SELECT), .io(io));
`endif
endmodule

`ifdef VERILATOR
module plain_flash #(
  parameter DUMMY = 0
) (
  input clk, csb,
  input [3:0] in,
  output reg [3:0] out, driving
);
  reg [7:0] memory [0:65535];
  reg [7:0] command = 0, byte_in = 0, byte_out = 0;
  reg [23:0] address = 0;
  reg [2:0] lanes = 1;
  reg [3:0] bits = 0, taken = 0, dummy = 0;
  reg awake = 0, sends = 0;

  wire [7:0] shifted = lanes == 4 ? {byte_in[3:0], in} : lanes == 2 ? {byte_in[5:0], in[1:0]} : {byte_in[6:0], in[0]};
  wire [3:0] now = bits + {1'b0, lanes};
  wire [23:0] whole = {address[15:0], shifted};
  wire reads = command == 8'h03 ? taken == 3 : (command == 8'hbb || command == 8'heb) && taken == 4;
  // Behind the address of a read on one wire there is no other byte.
  wire [23:0] start = command == 8'h03 ? whole : address;

  always @(posedge clk or posedge csb) begin
    if (csb) begin
      if (command == 8'hab && taken == 1) awake <= 1;
      {bits, taken, dummy} <= 0;
      sends <= 0;
      lanes <= 1;
      command <= 0;
    end else if (dummy != 0) begin
      dummy <= dummy - 1;
    end else if (sends) begin
      bits <= now == 8 ? 0 : now;
      byte_out <= now == 8 ? memory[address[15:0]] : byte_out << lanes;
      if (now == 8) address <= address + 1;
    end else begin
      byte_in <= shifted;
      bits <= now == 8 ? 0 : now;
      if (now == 8) begin
        taken <= taken + 1;
        if (taken == 0) begin
          command <= shifted;
          lanes <= shifted == 8'hbb ? 2 : shifted == 8'heb ? 4 : 1;
        end else if (taken < 4) begin
          address <= whole;
        end
        if (reads && awake) begin
          sends <= 1;
          dummy <= DUMMY;
          byte_out <= memory[start[15:0]];
          address <= start + 1;
        end
      end
    end
  end

  always @(negedge clk or posedge csb) begin
    if (csb) begin
      driving <= 0;
    end else if (sends && dummy == 0) begin
      driving <= lanes == 4 ? 4'b1111 : lanes == 2 ? 4'b0011 : 4'b0010;
      out <= lanes == 4 ? byte_out[7:4] : lanes == 2 ? {2'b00, byte_out[7:6]} : {2'b00, byte_out[7], 1'b0};
    end
  end
endmodule
`endif
