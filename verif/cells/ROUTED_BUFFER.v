// SPDX-License-Identifier: BSD-2-Clause
// A buffer of an iCE40 that drives a global net.

module ROUTED_BUFFER (input USER_SIGNAL_TO_GLOBAL_BUFFER, output GLOBAL_BUFFER_OUTPUT);
  assign GLOBAL_BUFFER_OUTPUT = USER_SIGNAL_TO_GLOBAL_BUFFER;
endmodule
