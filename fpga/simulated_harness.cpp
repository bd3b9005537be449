// SPDX-License-Identifier: BSD-2-Clause
// A chip behind its serial line: bytes in, bytes out, and in between the bits of both on `rx` and `tx`, clock by
// clock. One call runs many clocks.

#include <cstdint>
#include <deque>
#include <memory>

#include "Vboard.h"
#include "verilated.h"

namespace {

constexpr int BITS = 10;  // of a byte: start bit, eight data bits from the lowest on, stop bit

struct Board {
    VerilatedContext context;
    std::unique_ptr<Vboard> top;
    const double period;  // clocks per bit
    uint64_t clocks = 0;
    uint64_t framing_errors = 0;

    std::deque<uint8_t> input;
    int to_send = 0;  // bits of the byte on rx that have not begun
    uint32_t sending = 0;
    double send_at = 0;  // when the next bit begins

    int to_read = 0;  // bits of the byte on tx that have not been read
    uint32_t reading = 0;
    double read_at = 0;  // the middle of the next bit

    explicit Board(double period) : top(new Vboard(&context)), period(period) {
        top->rx = 1;
        reset();
    }
    ~Board() { top->final(); }

    void reset() {
        top->rst = 1;
        for (int k = 0; k < 4; ++k) clock();
        top->rst = 0;
    }

    void clock() {
        top->clk = 0;
        top->eval();
        top->clk = 1;
        top->eval();
        ++clocks;
    }

    void drive() {
        if (to_send == 0 && !input.empty()) {
            sending = uint32_t(input.front()) << 1 | 1u << (BITS - 1);
            input.pop_front();
            to_send = BITS;
            // Without a pause the stop bit ends at a fraction of a clock, which the next byte begins with.
            if (send_at < double(clocks)) send_at = double(clocks);
        }
        if (to_send != 0 && double(clocks) >= send_at) {
            top->rx = sending & 1;
            sending >>= 1;
            send_at += period;
            --to_send;
        }
    }

    // Returns the byte that is complete, or -1.
    int sample() {
        if (to_read == 0) {
            if (top->tx) return -1;
            to_read = BITS;
            reading = 0;
            read_at = double(clocks) + period / 2;
        }
        if (double(clocks) < read_at) return -1;
        read_at += period;
        reading |= uint32_t(top->tx) << (BITS - to_read);
        if (--to_read != 0) return -1;
        if (!(reading >> (BITS - 1)) || (reading & 1)) ++framing_errors;
        return int(reading >> 1 & 0xff);
    }
};

}  // namespace

extern "C" {

void* board_new(double period) { return new Board(period); }
void board_free(void* handle) { delete static_cast<Board*>(handle); }
uint64_t board_clocks(void* handle) { return static_cast<Board*>(handle)->clocks; }
uint64_t board_framing_errors(void* handle) { return static_cast<Board*>(handle)->framing_errors; }

// Bytes that have not begun on the line to the chip.
int64_t board_pending(void* handle) { return int64_t(static_cast<Board*>(handle)->input.size()); }

void board_write(void* handle, const uint8_t* data, int64_t count) {
    Board& board = *static_cast<Board*>(handle);
    board.input.insert(board.input.end(), data, data + count);
}

// Resets the chip, as its button does: the byte that it sends breaks off, and the host goes on with its own.
void board_reset(void* handle) {
    Board& board = *static_cast<Board*>(handle);
    board.reset();
    board.to_read = 0;
}

// Takes the line away: of what the host has sent, that which has not arrived will not.
void board_unplug(void* handle) {
    Board& board = *static_cast<Board*>(handle);
    board.input.clear();
    board.to_send = 0;
    board.top->rx = 1;
}

// Runs up to so many clocks, but ends with the frame that the chip sends or when `capacity` bytes have come. Returns
// the number of bytes that have.
int64_t board_run(void* handle, uint64_t clocks, uint8_t* data, int64_t capacity) {
    Board& board = *static_cast<Board*>(handle);
    int64_t count = 0;
    for (const uint64_t end = board.clocks + clocks; board.clocks < end && count < capacity;) {
        board.drive();
        board.clock();
        const int byte = board.sample();
        if (byte < 0) continue;
        data[count++] = uint8_t(byte);
        if (byte == 0) break;
    }
    return count;
}

}  // extern "C"
