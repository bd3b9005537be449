// SPDX-License-Identifier: BSD-2-Clause
// Behaviour of the iCE40 UltraPlus's single-port RAM, awake: 16,384 words of 16 bits, contents unknown at first.
// The output is unknown after a write. What is unknown is any number where `ARBITRARY` is defined: a real memory holds
// something, and gates make more unknowns of an unknown than there are. Sleep modes end the simulation.

module SB_SPRAM256KA (
  input [13:0] ADDRESS,
  input [15:0] DATAIN,
  input [3:0] MASKWREN,
  input WREN, CHIPSELECT, CLOCK, STANDBY, SLEEP, POWEROFF,
  output reg [15:0] DATAOUT
);
  reg [15:0] store [0:16383];

`ifdef ARBITRARY
  integer seed = 1, place;
  initial begin
    for (place = 0; place < 16384; place = place + 1) store[place] = $random(seed);
    DATAOUT = $random(seed);
  end
`endif

  // POWEROFF is active low.
  always @(posedge CLOCK) begin
    if (STANDBY | SLEEP | ~POWEROFF) begin
      $display("SB_SPRAM256KA: a mode that this description does not know");
      $finish;
    end
    if (CHIPSELECT) begin
      if (WREN) begin
        if (MASKWREN[0]) store[ADDRESS][3:0] <= DATAIN[3:0];
        if (MASKWREN[1]) store[ADDRESS][7:4] <= DATAIN[7:4];
        if (MASKWREN[2]) store[ADDRESS][11:8] <= DATAIN[11:8];
        if (MASKWREN[3]) store[ADDRESS][15:12] <= DATAIN[15:12];
`ifdef ARBITRARY
        DATAOUT <= $random(seed);
`else
        DATAOUT <= 16'bx;
`endif
      end else
        DATAOUT <= store[ADDRESS];
    end
  end
endmodule
