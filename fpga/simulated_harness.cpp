// SPDX-License-Identifier: BSD-2-Clause
// A chip behind its serial line: bytes in, bytes out, and in between the bits of both on `rx` and `tx`, clock by
// clock. One call runs many clocks.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "Vboard.h"
#include "board_ports.h"
#include "verilated.h"

namespace {

constexpr int BITS = 10;  // of a byte: start bit, eight data bits from the lowest on, stop bit

#if BOARD_HAS_FLASH
// A serial NOR flash of JEDEC's command set, as far as a chip reads one: SPI mode 0, the highest bits first. It takes
// what is driven as its clock rises, and changes what it drives as that falls.
struct Flash {
    std::vector<uint8_t> data;
    bool awake = false;  // as an iCE40 leaves it behind
    bool selected = false, clocked = false;
    uint8_t command = 0;
    int lanes = 1;      // of what is being sent
    int bits = 0;       // of the byte that comes in, or goes out
    int taken = 0;      // bytes that came in
    int dummy = 0;      // clocks until the data
    bool sends = false;
    uint32_t address = 0;
    uint8_t in = 0, out = 0, driven = 0;

    uint8_t next() {
        const uint8_t byte = address < data.size() ? data[address] : 0xff;
        ++address;
        return byte;
    }

    void take_byte() {
        ++taken;
        if (taken == 1) {
            command = in;
            if (command == 0xbb) lanes = 2;
            if (command == 0xeb) lanes = 4;
        } else if (taken <= 4) {
            address = (address << 8 | in) & 0xffffff;
        }
        const bool whole = (command == 0x03 && taken == 4) || ((command == 0xbb || command == 0xeb) && taken == 5);
        if (!whole || !awake) return;
        dummy = command == 0xeb ? 4 : 0;
        sends = true;
        out = next();
    }

    // Returns what the flash drives once its pins are so.
    uint8_t step(bool select, bool clock, uint8_t io) {
        if (!select) {
            // A command is done when the flash is let go of.
            if (selected && command == 0xab && taken == 1) awake = true;
            selected = sends = false;
            clocked = clock;
            return driven;
        }
        if (!selected) {
            selected = true;
            clocked = clock;
            command = 0;
            lanes = 1;
            bits = taken = dummy = 0;
            address = 0;
            return driven;
        }
        if (clock && !clocked) {
            if (dummy) {
                --dummy;
            } else if (sends) {
                bits += lanes;
                out = uint8_t(out << lanes);
                if (bits == 8) {
                    bits = 0;
                    out = next();
                }
            } else {
                in = uint8_t(in << lanes | (io & ((1 << lanes) - 1)));
                bits += lanes;
                if (bits == 8) {
                    bits = 0;
                    take_byte();
                }
            }
        }
        if (!clock && clocked && sends && !dummy) {
            driven = lanes == 1 ? uint8_t(out >> 7 << 1) : uint8_t(out >> (8 - lanes));
        }
        clocked = clock;
        return driven;
    }
};
#endif

struct Board {
    VerilatedContext context;
    std::unique_ptr<Vboard> top;
    const double period;  // clocks per bit
    uint64_t clocks = 0;
#if BOARD_HAS_FLASH
    Flash flash;
    uint64_t learning = 0;  // clocks
#endif
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
#if BOARD_HAS_FLASH
        learning += top->learning;
        top->flash_io_i = flash.step(top->flash_select, top->flash_clock, top->flash_io_o & top->flash_io_oe);
#endif
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

// The flash of the board, if it has one that its chip reads: its bytes from an address on, 0xff elsewhere. Returns
// whether it has one.
int board_flash(void* handle, uint32_t address, const uint8_t* data, int64_t count) {
#if BOARD_HAS_FLASH
    std::vector<uint8_t>& held = static_cast<Board*>(handle)->flash.data;
    if (held.size() < address + size_t(count)) held.resize(address + size_t(count), 0xff);
    std::copy(data, data + count, held.begin() + address);
    return 1;
#else
    (void)handle, (void)address, (void)data, (void)count;
    return 0;
#endif
}

// Clocks in which the light was on that says that samples are learned.
uint64_t board_learning_clocks(void* handle) {
#if BOARD_HAS_FLASH
    return static_cast<Board*>(handle)->learning;
#else
    (void)handle;
    return 0;
#endif
}

// The button of the board is held, or let go of.
void board_button(void* handle, int held) {
#if BOARD_HAS_FLASH
    static_cast<Board*>(handle)->top->button = held;
#else
    (void)handle, (void)held;
#endif
}

// What the lights show: bits 0 to 7 the answer, 8 learning, 9 active, and 10 that a run from the flash failed.
uint32_t board_lights(void* handle) {
    const Vboard& top = *static_cast<Board*>(handle)->top;
    uint32_t lights = 0;
#if BOARD_HAS_FLASH
    lights = uint32_t(top.answer) | uint32_t(top.learning) << 8 | uint32_t(top.active) << 9 | uint32_t(top.failed) << 10;
#else
    (void)top;
#endif
    return lights;
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
