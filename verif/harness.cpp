// SPDX-License-Identifier: BSD-2-Clause
// The simulated array behind a flat C interface that takes whole batches: one call per batch instead of one
// per clock is what makes whole epochs affordable. `array_ports.h` is generated beside this file and lists
// the ports that depend on the network. Of C++'s library there are only numbers here: a browser has no more.

#include <cstdint>

#include "Varray.h"
#include "array_ports.h"
#include "verilated.h"

namespace {

enum SampleKind : uint64_t { SAMPLE_BEGIN = 0, SAMPLE_PIXEL = 1, SAMPLE_END = 3 };
enum AccessKind : uint32_t { ACCESS_SEEK = 0, ACCESS_READ = 1, ACCESS_WRITE = 2 };

// Clocks without any progress after which the array counts as hung.
constexpr uint64_t PATIENCE = 4'000'000;

struct Chip {
    VerilatedContext context;
    Varray* top = nullptr;
    uint64_t clocks = 0;
#ifdef ARRAY_TRACE
    ARRAY_TRACE* trace = nullptr;
    uint64_t time = 0;
#endif
#ifdef ARRAY_WATCH
    ArrayLog log;
#endif

    Chip() {
#ifdef ARRAY_TRACE
        context.traceEverOn(true);
#endif
        top = new Varray(&context);
        top->rst = 1;
        top->n_ticks = 1;
        for (int k = 0; k < 4; ++k) clock();
        top->rst = 0;
        settle();
    }
    Chip(const Chip&) = delete;
    ~Chip() {
        top->final();
#ifdef ARRAY_TRACE
        delete trace;
#endif
        delete top;
    }

    void settle() {
        top->clk = 0;
        top->eval();
    }
    void edge() {
#ifdef ARRAY_WATCH
        array_watch(*top, log);
#endif
        dump();
        top->clk = 1;
        top->eval();
        ++clocks;
        dump();
    }
    // Half a clock of the waveform, if one is being written.
    void dump() {
#ifdef ARRAY_TRACE
        if (trace) trace->dump(time);
        time += ARRAY_HALF_CLOCK;
#endif
    }
    void clock() {
        settle();
        edge();
    }
};

uint64_t begin_token(uint32_t seed, uint32_t label, bool learn) {
    return (uint64_t(seed) | uint64_t(label) << 32 | uint64_t(learn) << 40) << 2 | SAMPLE_BEGIN;
}

uint64_t pixel_token(uint32_t value, uint32_t address) {
    return (uint64_t(value) | uint64_t(address) << 8) << 2 | SAMPLE_PIXEL;
}

// The tokens of a sample, one after the other: BEGIN, the pixels that are not left out, END.
class Tokens {
    const uint8_t* image_ = nullptr;
    int64_t n_inputs_ = 0, next_ = 0;

    void find() {
        while (next_ < n_inputs_ && image_[next_] < ARRAY_LOWEST_PIXEL) ++next_;
        token = next_ < n_inputs_ ? pixel_token(image_[next_], uint32_t(next_)) : SAMPLE_END;
    }

public:
    bool left = false;
    uint64_t token = 0;

    void start(uint64_t begin, const uint8_t* image, int64_t n_inputs) {
        image_ = image, n_inputs_ = n_inputs, next_ = -1;
        left = true, token = begin;
    }
    void take() {
        left = next_ < n_inputs_;
        ++next_;
        if (left) find();
    }
};

}  // namespace

extern "C" {

void* chip_new() { return new Chip; }
void chip_free(void* handle) { delete static_cast<Chip*>(handle); }
uint64_t chip_clocks(void* handle) { return static_cast<Chip*>(handle)->clocks; }

void chip_reset(void* handle) {
    Chip& chip = *static_cast<Chip*>(handle);
    chip.top->rst = 1;
    chip.clock();
    chip.top->rst = 0;
    chip.settle();
}

// Presents n samples; labels may be null (inference). results: n rows of answer, ticks, ticks to decision.
// Returns 0, or -1 if the array hung.
int chip_run(void* handle, int64_t n, int64_t n_inputs, const uint8_t* images, const uint32_t* seeds,
             const uint8_t* labels, const uint32_t* rates, uint32_t n_ticks, uint32_t decide_after,
             int64_t* results) {
    Chip& chip = *static_cast<Chip*>(handle);
    Varray& top = *chip.top;
    array_set_rates(top, rates);
    top.n_ticks = n_ticks;
    top.decide_after = decide_after;
    top.result_o_ready = 1;
    Tokens tokens;
    int64_t sent = 0, done = 0;
    uint64_t waiting = 0;
    while (done < n) {
        if (!tokens.left && sent < n) {
            tokens.start(begin_token(seeds[sent], labels ? labels[sent] : 0, labels != nullptr),
                         images + sent * n_inputs, n_inputs);
            ++sent;
        }
        top.sample_i_valid = tokens.left;
        if (tokens.left) top.sample_i_payload = tokens.token;
        chip.settle();
        if (top.sample_i_valid && top.sample_i_ready) tokens.take();
        ++waiting;
        if (top.result_o_valid) {
            const uint64_t result = top.result_o_payload;
            results[3 * done] = result & 0xff;
            results[3 * done + 1] = result >> 8 & 0xffff;
            results[3 * done + 2] = result >> 24 & 0xffff;
            ++done;
            waiting = 0;
        }
        chip.edge();
        if (waiting > PATIENCE) return -1;
    }
    top.sample_i_valid = 0;
    chip.clock();
    // The result of a sample may be out before it has been learned.
    for (waiting = 0; !top.idle; ++waiting) {
        if (waiting > PATIENCE) return -1;
        chip.clock();
    }
    return 0;
}

// Writes whole rows, n_rows * n_neurons values, or reads so many from the first neuron of a row on. Returns 0, or -1 if the array hung.
int chip_access(void* handle, uint32_t layer, uint32_t row, int64_t count, int16_t* values, int write) {
    Chip& chip = *static_cast<Chip*>(handle);
    Varray& top = *chip.top;
    const auto request = [&](uint32_t kind, uint16_t data) {
        return kind | layer << 2 | uint32_t(data) << 5;
    };
    top.access_i_valid = 1;
    top.access_i_payload = request(ACCESS_SEEK, uint16_t(row));
    top.access_o_ready = 1;
    // Requests that were taken, the first of which goes to the row, and answers that came: an answer may come later.
    int64_t asked = -1, answered = write ? count : 0;
    uint64_t waiting = 0;
    while (asked < count || answered < count) {
        chip.settle();
        const bool taken = top.access_i_valid && top.access_i_ready, comes = answered < count && top.access_o_valid;
        if (comes) values[answered++] = int16_t(top.access_o_payload);
        chip.edge();
        waiting = taken || comes ? 0 : waiting + 1;
        if (waiting > PATIENCE) return -1;
        if (!taken) continue;
        ++asked;
        top.access_i_valid = asked < count;
        if (asked < count)
            top.access_i_payload = request(write ? ACCESS_WRITE : ACCESS_READ, write ? uint16_t(values[asked]) : 0);
    }
    // A last word may still be on its way to the memory.
    for (int k = 0; write && k < ARRAY_ACCESS_TAIL; ++k) chip.clock();
    return 0;
}

// Reads all counters, in the order of their numbers. Returns 0, or -1 if the array hung.
int chip_counters(void* handle, uint64_t* values) {
    Chip& chip = *static_cast<Chip*>(handle);
    Varray& top = *chip.top;
    top.counter_o_ready = 1;
    uint64_t waiting = 0;
    for (int asked = 0, answered = 0; answered < ARRAY_COUNTERS; ++waiting) {
        if (waiting > PATIENCE) return -1;
        top.counter_i_valid = asked < ARRAY_COUNTERS;
        top.counter_i_payload = uint8_t(asked);
        chip.settle();
        if (top.counter_i_valid && top.counter_i_ready) ++asked;
        if (top.counter_o_valid) values[answered++] = top.counter_o_payload;
        chip.edge();
    }
    top.counter_i_valid = 0;
    return 0;
}

#ifdef ARRAY_TRACE
// Writes waveforms from now on. Returns 0, or -1 if the file cannot be written.
int chip_trace_open(void* handle, const char* path) {
    Chip& chip = *static_cast<Chip*>(handle);
    delete chip.trace;
    chip.trace = new ARRAY_TRACE;
    chip.context.timeunit(-9);
    chip.context.timeprecision(-9);
    chip.trace->set_time_unit("1ns");
    chip.trace->set_time_resolution("1ns");
    chip.top->trace(chip.trace, 99);
    chip.trace->open(path);
    chip.time = 0;
    return chip.trace->isOpen() ? 0 : -1;
}

void chip_trace_close(void* handle) {
    Chip& chip = *static_cast<Chip*>(handle);
    if (chip.trace) chip.trace->close();
    delete chip.trace;
    chip.trace = nullptr;
}
#endif

#ifdef ARRAY_WATCH
// Logs what passes from now on into `room` entries; with no log, nothing.
void chip_watch(void* handle, uint32_t* log, uint32_t room) {
    static_cast<Chip*>(handle)->log = {log, room};
}

// Returns how many entries found no room, 0 if the log is whole.
uint32_t chip_missed(void* handle) { return static_cast<Chip*>(handle)->log.missed; }

// Returns the entry that is written next.
uint32_t* chip_logged(void* handle) { return static_cast<Chip*>(handle)->log.next; }
#endif

int chip_collision(void* handle) { return static_cast<Chip*>(handle)->top->collision; }

}  // extern "C"
