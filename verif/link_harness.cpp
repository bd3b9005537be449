// SPDX-License-Identifier: BSD-2-Clause
// A chip behind the bytes of its frames, for runs of very many of them.

#include <cstdint>
#include <memory>

#include "Vframes.h"
#include "verilated.h"

namespace {

struct Chip {
    VerilatedContext context;
    std::unique_ptr<Vframes> top;
    uint64_t clocks = 0;

    Chip() : top(new Vframes(&context)) {
        top->rst = 1;
        for (int k = 0; k < 4; ++k) edge();
        top->rst = 0;
    }
    ~Chip() { top->final(); }

    void settle() {
        top->clk = 0;
        top->eval();
    }
    void edge() {
        settle();
        top->clk = 1;
        top->eval();
        ++clocks;
    }
};

}  // namespace

extern "C" {

void* link_new() { return new Chip; }
void link_free(void* handle) { delete static_cast<Chip*>(handle); }
uint64_t link_clocks(void* handle) { return static_cast<Chip*>(handle)->clocks; }
int link_idle(void* handle) { return static_cast<Chip*>(handle)->top->idle; }
int link_collision(void* handle) { return static_cast<Chip*>(handle)->top->collision; }

// Sends n bytes, one every `spacing` clocks at most, and waits for the ends of n_frames replies; then runs `more`
// clocks. Replies go to `replies`, which has room for `capacity` bytes. Returns their number, -1 if nothing
// moved for `patience` clocks, or -2 if there was no more room.
int64_t link_run(void* handle, const uint8_t* bytes, int64_t n, int64_t spacing, int64_t n_frames, int64_t more,
                 uint64_t patience, uint8_t* replies, int64_t capacity) {
    Chip& chip = *static_cast<Chip*>(handle);
    Vframes& top = *chip.top;
    int64_t sent = 0, got = 0, frames = 0, wait = 0;
    uint64_t still = 0;
    top.byte_o_ready = 1;
    while (sent < n || frames < n_frames || more > 0) {
        if (sent == n && frames >= n_frames) --more;
        top.byte_i_valid = sent < n && wait == 0;
        if (top.byte_i_valid) top.byte_i_payload = bytes[sent];
        if (wait > 0) --wait;
        chip.settle();
        ++still;
        if (top.byte_i_valid && top.byte_i_ready) {
            ++sent;
            wait = spacing - 1;
            still = 0;
        }
        if (top.byte_o_valid) {
            if (got == capacity) return -2;
            replies[got++] = top.byte_o_payload;
            frames += top.byte_o_payload == 0;
            still = 0;
        }
        chip.edge();
        if (more <= 0 && still > patience) return -1;
    }
    top.byte_i_valid = 0;
    return got;
}

}  // extern "C"
