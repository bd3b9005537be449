// SPDX-License-Identifier: BSD-2-Clause
// The simulated core behind a flat C interface: memories in pieces of 32 bits, whole samples as tokens.
// `core_ports.h` is generated beside this file and says how wide the core is built.

#include <cstdint>

#include "Vcore.h"
#include "core_ports.h"
#include "verilated.h"

namespace {

// Clocks without any progress after which the core counts as hung.
constexpr uint64_t PATIENCE = 4'000'000;

struct Core {
    VerilatedContext context;
    Vcore* top = nullptr;
    uint64_t clocks = 0;

    Core() {
        top = new Vcore(&context);
        top->rst = 1;
        for (int k = 0; k < 4; ++k) clock();
        top->rst = 0;
        settle();
    }
    Core(const Core&) = delete;
    ~Core() {
        top->final();
        delete top;
    }
    void settle() {
        top->clk = 0;
        top->eval();
    }
    void edge() {
        top->clk = 1;
        top->eval();
        ++clocks;
    }
    void clock() {
        settle();
        edge();
    }
};

uint64_t request(uint32_t window, bool write, uint32_t address, uint32_t data) {
    return uint64_t(window) | uint64_t(write) << 4 | uint64_t(address) << 5 | uint64_t(data) << 29;
}

}  // namespace

extern "C" {

void* core_new() { return new Core; }
void core_free(void* handle) { delete static_cast<Core*>(handle); }
uint64_t core_clocks(void* handle) { return static_cast<Core*>(handle)->clocks; }

// Reads or writes n pieces of a window from an address on. Returns 0, or -1 if the core does not take them.
int core_access(void* handle, uint32_t window, uint32_t address, int64_t n, uint32_t* data, int write) {
    Core& core = *static_cast<Core*>(handle);
    Vcore& top = *core.top;
    int64_t sent = 0, received = 0;
    uint64_t waiting = 0;
    top.sample_i_valid = 0;
    while (sent < n || (!write && received < n)) {
        top.host_i_valid = sent < n;
        if (sent < n) top.host_i_payload = request(window, write, address + uint32_t(sent), write ? data[sent] : 0);
        core.settle();
        const bool taken = top.host_i_valid && top.host_i_ready;
        if (top.reply) data[received++] = top.reply_data;
        core.edge();
        sent += taken;
        waiting = taken ? 0 : waiting + 1;
        if (waiting > PATIENCE) return -1;
    }
    top.host_i_valid = 0;
    core.settle();
    return 0;
}

// Presents a sample. result: answered, answer, ticks, decision, clocks. spikes: n_ticks rows of as many bytes as there
// are places for neurons; states: likewise of 4 int16, or null. Returns 0, or -1 if the core hung.
int core_run(void* handle, int64_t n, const uint64_t* tokens, int64_t n_ticks, uint8_t* spikes, int16_t* states,
             int64_t* result) {
    Core& core = *static_cast<Core*>(handle);
    Vcore& top = *core.top;
    int64_t sent = 0, tick = 0;
    uint64_t waiting = 0;
    const uint64_t before = core.clocks;
    bool done = false;
    top.result_o_ready = 1;
    while (!done || !top.idle || sent < n) {
        top.sample_i_valid = sent < n;
        if (sent < n) top.sample_i_payload = tokens[sent];
        core.settle();
        const bool taken = top.sample_i_valid && top.sample_i_ready;
        if (top.probe_valid && tick < n_ticks) {
            const int64_t first = int64_t(top.probe_part) * CORE_UNITS;
            for (int unit = 0; unit < CORE_UNITS; ++unit) {
                spikes[tick * CORE_PLACES + first + unit] = top.probe_spikes >> unit & 1;
                for (int state = 0; states && state < 4; ++state)
                    states[(tick * CORE_PLACES + first + unit) * 4 + state] =
                        int16_t(core_state_word(top, 2 * unit + state / 2) >> (16 * (state % 2)));
            }
        }
        tick += top.tick_done;
        if (top.result_o_valid) {
            const uint64_t payload = top.result_o_payload;
            result[0] = payload >> 12 & 1;
            result[1] = payload & 0xfff;
            result[2] = payload >> 13 & 0x1fff;
            result[3] = payload >> 26 & 0x1fff;
            result[4] = core.clocks - before;
            done = true;
        }
        core.edge();
        sent += taken;
        waiting = taken || top.tick_done ? 0 : waiting + 1;
        if (waiting > PATIENCE) return -1;
    }
    top.sample_i_valid = 0;
    core.settle();
    return 0;
}
}
