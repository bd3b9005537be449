// SPDX-License-Identifier: BSD-2-Clause
// The system under Verilator: what its UART says goes to stdout, until it says the end of its transmission.
#include "Vsoc.h"
#include "verilated.h"

#include <cstdio>

// Return 0, or 1 if the system has come to no end in so many clocks.
extern "C" int simulate(unsigned long long most)
{
    const unsigned char end = 4;
    VerilatedContext context;
    Vsoc soc{&context};
    soc.serial_sink_valid = 0;
    soc.serial_source_ready = 1;
    soc.sys_rst = 1;
    for (unsigned long long clock = 0; clock < most; clock++) {
        soc.sys_clk = 0;
        soc.eval();
        const bool says = soc.serial_source_valid;
        const unsigned char byte = soc.serial_source_data;
        if (says && byte == end) {
            std::printf("clocks %llu\n", clock);
            return std::fflush(stdout) != 0;
        }
        if (says)
            std::putchar(byte);
        soc.sys_clk = 1;
        soc.eval();
        if (clock == 4)
            soc.sys_rst = 0;
    }
    std::fflush(stdout);
    std::fprintf(stderr, "the firmware has come to no end in %llu clocks\n", most);
    return 1;
}
