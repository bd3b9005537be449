/* SPDX-License-Identifier: BSD-2-Clause */
/* A client of an Erbium chip, from docs/host-link.md and docs/constants.md, with the header that `erbium verilog` writes for
 * the network. It learns images that the hash makes, infers them, and prints what docs/constants.md has in its table of
 * whole runs. C99 and POSIX, nothing else.
 *
 *     client PORT [COUNT]
 */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "erbium.h"

#define MAGIC 0x4d425245u
#define PROTOCOL 2u
#define LARGEST (1 << 17) /* bytes of the longest frame */
#define ATTEMPTS 8
#define PATIENCE 2.0 /* seconds until a reply counts as lost */
#define SILENCE 0.1  /* seconds of a silent line */
#define BUSY 60.0    /* seconds until a sample is done */
#define MOST_IMAGES 1000000L

struct layer { int window, rows, neurons, width, bound, row_bytes; };
#define LAYER(k) { ERBIUM_WINDOW_WEIGHTS_##k, ERBIUM_LAYER##k##_ROWS, ERBIUM_LAYER##k##_NEURONS, \
                   ERBIUM_LAYER##k##_WEIGHT_WIDTH, ERBIUM_LAYER##k##_WEIGHT_BOUND, ERBIUM_WINDOW_WEIGHTS_##k##_ENTRY_BYTES }
static const struct layer LAYERS[] = {
    LAYER(1),
#if ERBIUM_N_LAYERS > 1
    LAYER(2),
#endif
#if ERBIUM_N_LAYERS > 2
    LAYER(3),
#endif
#if ERBIUM_N_LAYERS > 3
#error "client.c knows three layers; add a line for each further one"
#endif
};
/* The counters of cycles and row words come after those of the array. */
#define N_COUNTERS ERBIUM_COUNTER_CYCLES

struct result { unsigned answer, ticks, ticks_to_decision; };

static int port = -1;
static uint8_t last_tag, turn, reply[LARGEST];
static size_t reply_bytes;

static void give_up(const char *why, const char *what)
{
    fprintf(stderr, "client: %s%s\n", why, what);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* docs/constants.md */

static uint64_t hash64(int n, const uint64_t *words)
{
    uint64_t h = UINT64_C(0x9e3779b97f4a7c15);
    for (int i = 0; i < n; i++) {
        h = (h ^ words[i]) + UINT64_C(0x9e3779b97f4a7c15);
        h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
        h ^= h >> 31;
    }
    return h;
}

static uint32_t sample_seed(int learn, long n)
{
    const uint64_t words[] = { 2, ERBIUM_SEED, (uint64_t)learn, (uint64_t)n };
    return (uint32_t)(hash64(4, words) >> 32);
}

static int initial_weight(int number, long index)
{
    const struct layer *layer = &LAYERS[number];
    const uint64_t words[] = { 3, ERBIUM_SEED, (uint64_t)number, (uint64_t)index };
    int w = (int)((hash64(4, words) >> 32) % (uint64_t)(2 * layer->bound + 1)) - layer->bound;
    const int unit = 1 << abs(layer->width - 8), low = -(1 << (layer->width - 1)) + ERBIUM_FIRST_SPIKE;
    if (layer->width >= 8)
        w *= unit;
    else
        w = (w - (w < 0 ? unit - 1 : 0)) / unit; /* rounds down */
    return w < low ? low : w;
}

static void make_image(long n, uint8_t *pixels)
{
    for (int p = 0; p < ERBIUM_N_INPUTS; p++) {
        const uint64_t words[] = { 7, (uint64_t)n, (uint64_t)p };
        const uint64_t h = hash64(3, words);
        pixels[p] = h & 1 ? (uint8_t)(h >> 56) : 0;
    }
}

/* docs/host-link.md: frames */

static uint32_t crc32(uint32_t crc, const uint8_t *data, size_t n)
{
    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static size_t stuff(const uint8_t *data, size_t n, uint8_t *out)
{
    size_t length_at = 0, at = 1;
    for (size_t i = 0; i < n; i++) {
        if (data[i])
            out[at++] = data[i];
        if (!data[i] || (at - length_at == 255 && i + 1 < n)) {
            out[length_at] = (uint8_t)(at - length_at);
            length_at = at++;
        }
    }
    out[length_at] = (uint8_t)(at - length_at);
    return at;
}

static int unstuff(const uint8_t *data, size_t n, uint8_t *out)
{
    size_t at = 0, made = 0;
    while (at < n) {
        const size_t length = data[at];
        if (at + length > n)
            return -1;
        memcpy(out + made, data + at + 1, length - 1);
        made += length - 1;
        at += length;
        if (length < 255 && at < n)
            out[made++] = 0;
    }
    return (int)made;
}

static void put(const uint8_t *data, size_t n)
{
    const double until = now() + 10.0;
    while (n) {
        const ssize_t done = write(port, data, n);
        if (done < 0 && errno != EAGAIN && errno != EINTR)
            give_up("the port is gone: ", strerror(errno));
        if (done > 0) {
            data += done;
            n -= (size_t)done;
        } else if (now() > until) {
            give_up("the port takes no bytes", "");
        } else {
            usleep(1000);
        }
    }
}

/* The next byte, or -1 if none comes in so many seconds. */
static int get(double seconds)
{
    struct pollfd wait = { port, POLLIN, 0 };
    uint8_t byte;
    if (seconds <= 0 || poll(&wait, 1, (int)(seconds * 1000) + 1) <= 0)
        return -1;
    const ssize_t n = read(port, &byte, 1);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        give_up("the port is gone", "");
    return n == 1 ? byte : -1;
}

static void wait_for_silence(void)
{
    const double until = now() + PATIENCE;
    while (get(SILENCE) >= 0)
        if (now() > until)
            give_up("the line does not fall silent; name the port of the chip", "");
}

static uint8_t send_message(uint8_t type, const uint8_t *content, size_t n)
{
    static uint8_t message[LARGEST], frame[LARGEST + LARGEST / 254 + 2];
    last_tag = (uint8_t)(last_tag % 255 + 1);
    message[0] = type;
    message[1] = last_tag;
    memcpy(message + 2, content, n);
    const uint32_t crc = crc32(0, message, n + 2);
    for (int i = 0; i < 4; i++)
        message[n + 2 + (size_t)i] = (uint8_t)(crc >> 8 * i);
    const size_t length = stuff(message, n + 6, frame);
    frame[length] = 0;
    put(frame, length + 1);
    return last_tag;
}

/* Whether the reply to a message came, undamaged: in `reply`, without its type and tag. */
static int has_reply(uint8_t type, uint8_t tag)
{
    static uint8_t frame[LARGEST], data[LARGEST];
    const double until = now() + PATIENCE;
    size_t n = 0;
    while (now() < until) {
        const int byte = get(until - now());
        if (byte > 0 && n < LARGEST)
            frame[n++] = (uint8_t)byte;
        if (byte != 0 || n == 0)
            continue;
        const int length = unstuff(frame, n, data);
        n = 0;
        if (length < 6)
            return 0;
        uint32_t crc = 0;
        for (int i = 0; i < 4; i++)
            crc |= (uint32_t)data[length - 4 + i] << 8 * i;
        if (crc != crc32(0, data, (size_t)length - 4))
            return 0;
        if (data[0] == (type | ERBIUM_LINK_REPLY_BIT) && data[1] == tag) {
            reply_bytes = (size_t)length - 6;
            memcpy(reply, data + 2, reply_bytes);
            return 1;
        }
        if (data[0] == ERBIUM_LINK_ERROR_REPLY && data[1] == tag && data[2] != ERBIUM_ERROR_OUT_OF_TURN) {
            char code[8];
            snprintf(code, sizeof code, "%d", data[2]);
            give_up("the chip refuses a request with error ", code);
        }
        if (data[0] == ERBIUM_LINK_ERROR_REPLY && (data[1] == tag || data[1] == 0))
            return 0;
    }
    return 0;
}

/* docs/host-link.md: messages */

static void request(uint8_t type, const uint8_t *content, size_t n)
{
    for (int attempt = 0; attempt < ATTEMPTS; attempt++)
        if (has_reply(type, send_message(type, content, n)))
            return;
    give_up("no answer; check port, baud rate and bitstream", "");
}

static void read_entries(int window, int first, int count)
{
    const uint8_t content[] = { (uint8_t)window, (uint8_t)first, (uint8_t)(first >> 8), (uint8_t)count,
                                (uint8_t)(count >> 8) };
    request(ERBIUM_REQUEST_READ, content, sizeof content);
}

static void write_entries(int window, int first, const uint8_t *entries, size_t n)
{
    static uint8_t content[LARGEST];
    content[0] = (uint8_t)window;
    content[1] = (uint8_t)first;
    content[2] = (uint8_t)(first >> 8);
    memcpy(content + 3, entries, n);
    request(ERBIUM_REQUEST_WRITE, content, n + 3);
}

static uint32_t word(int number)
{
    const uint8_t *at = reply + 4 * number;
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint32_t register_word(int address)
{
    read_entries(ERBIUM_WINDOW_REGISTERS, address, 1);
    return word(0);
}

static void wait_until_idle(void)
{
    const double until = now() + BUSY;
    while (!(register_word(ERBIUM_REGISTER_STATUS) & ERBIUM_STATUS_IDLE))
        if (now() > until)
            give_up("the chip is still busy; reset it", "");
}

static void connect_chip(void)
{
    const uint8_t zero = 0, reset[4] = { ERBIUM_CONTROL_SOFT_RESET };
    put(&zero, 1);
    wait_for_silence();
    read_entries(ERBIUM_WINDOW_REGISTERS, ERBIUM_REGISTER_MAGIC, 4);
    const uint64_t digest = word(2) | (uint64_t)word(3) << 32;
    if (word(0) != MAGIC || word(1) != PROTOCOL)
        give_up("what answers is no Erbium chip of protocol 2; name its port", "");
    if (digest != ERBIUM_DIGEST) {
        char text[120];
        snprintf(text, sizeof text, "%016" PRIx64 " and the network %016" PRIx64 "; compile with the header of its network",
                 digest, ERBIUM_DIGEST);
        give_up("the chip has digest ", text);
    }
    wait_until_idle();
    write_entries(ERBIUM_WINDOW_REGISTERS, ERBIUM_REGISTER_CONTROL, reset, sizeof reset);
}

/* Whether the chip has taken the sample, though its reply was lost: then its result is in `reply`. */
static int has_lost_result(void)
{
    const double until = now() + BUSY;
    wait_for_silence();
    for (;;) {
        read_entries(ERBIUM_WINDOW_REGISTERS, ERBIUM_REGISTER_NEXT_TURN, 2);
        const uint8_t next_turn = (uint8_t)word(0), done = (uint8_t)word(1);
        if (next_turn == turn)
            return 0;
        if (next_turn != (uint8_t)(turn + 1))
            give_up("the chip expects another turn; it was reset, start again", "");
        if (done == next_turn)
            break;
        if (now() > until)
            give_up("the chip is still busy; reset it", "");
    }
    read_entries(ERBIUM_WINDOW_RESULTS, turn % ERBIUM_LINK_HISTORY, 1);
    reply[1] = reply[0]; /* as the reply to a sample has it: turn, answer, ticks */
    reply[0] = turn;
    return 1;
}

static struct result sample(const uint8_t *pixels, uint32_t seed, int learn, int label)
{
    static uint8_t content[9 + 3 * ERBIUM_N_INPUTS];
    uint8_t format = ERBIUM_PIXEL_FORMAT_EVENTS;
    size_t n = 7;
    for (int p = 0; p < ERBIUM_N_INPUTS; p++)
        if (pixels[p]) {
            content[n++] = (uint8_t)p;
            content[n++] = (uint8_t)(p >> 8);
            content[n++] = pixels[p];
        }
    /* Type and tag come before what is counted here. */
    if (n - 7 >= ERBIUM_N_INPUTS || n + 2 > ERBIUM_LINK_MAX_MESSAGE) {
        format = ERBIUM_PIXEL_FORMAT_BYTES;
        memcpy(content + 7, pixels, ERBIUM_N_INPUTS);
        n = 7 + ERBIUM_N_INPUTS;
    }
    content[0] = turn;
    content[1] = (uint8_t)(learn | format << 1);
    content[2] = (uint8_t)label;
    for (int i = 0; i < 4; i++)
        content[3 + i] = (uint8_t)(seed >> 8 * i);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        const uint8_t tag = send_message(ERBIUM_REQUEST_SAMPLE, content, n);
        if (has_reply(ERBIUM_REQUEST_SAMPLE, tag) || has_lost_result()) {
            turn++;
            return (struct result){ reply[1], reply[2] | (unsigned)reply[3] << 8, reply[4] | (unsigned)reply[5] << 8 };
        }
    }
    give_up("a sample gets no result; check the line", "");
    return (struct result){ 0, 0, 0 };
}

static void load_initial_weights(void)
{
    static uint8_t row[LARGEST];
    for (int number = 0; number < ERBIUM_N_LAYERS; number++) {
        const struct layer *layer = &LAYERS[number];
        for (int k = 0; k < layer->rows; k++) {
            for (int i = 0; i < layer->neurons; i++) {
                const int w = initial_weight(number, (long)k * layer->neurons + i);
                if (layer->width <= 8) {
                    row[i] = (uint8_t)w;
                } else {
                    row[2 * i] = (uint8_t)w;
                    row[2 * i + 1] = (uint8_t)(w >> 8);
                }
            }
            write_entries(layer->window, k, row, (size_t)layer->row_bytes);
        }
    }
}

static uint32_t weights_crc(void)
{
    uint32_t crc = 0;
    for (int number = 0; number < ERBIUM_N_LAYERS; number++) {
        const struct layer *layer = &LAYERS[number];
        for (int k = 0; k < layer->rows; k++) {
            read_entries(layer->window, k, 1);
            for (int i = 0; i < layer->neurons; i++) {
                const uint8_t low = reply[layer->width <= 8 ? i : 2 * i];
                const uint8_t both[2] = { low, layer->width > 8 ? reply[2 * i + 1] : low & 0x80 ? 0xff : 0 };
                crc = crc32(crc, both, 2);
            }
        }
    }
    return crc;
}

static void open_port(const char *name)
{
    struct termios line;
    port = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (port < 0) {
        fprintf(stderr, "client: %s cannot be opened: %s\n", name, strerror(errno));
        exit(1);
    }
    if (tcgetattr(port, &line))
        give_up(name, " is no serial port");
    cfmakeraw(&line);
    line.c_cflag |= CLOCAL | CREAD;
#ifdef B1000000
    cfsetspeed(&line, B1000000); /* what a board is built for unless it says otherwise */
#endif
    if (tcsetattr(port, TCSANOW, &line))
        give_up(name, " does not take 1,000,000 baud");
}

int main(int argc, char **argv)
{
    static uint8_t pixels[ERBIUM_N_INPUTS];
    char *end = "";
    const long count = argc > 2 ? strtol(argv[2], &end, 10) : 20;
    if (argc < 2 || argc > 3 || *end || count < 1 || count > MOST_IMAGES) {
        fprintf(stderr, "usage: client PORT [COUNT]; COUNT is from 1 to 1,000,000%s%s\n", argc > 2 ? ", not " : "",
                argc > 2 ? argv[2] : "");
        return 2;
    }
    open_port(argv[1]);
    connect_chip();
    load_initial_weights();
    for (long n = 0; n < count; n++) {
        make_image(n, pixels);
        sample(pixels, sample_seed(1, n), 1, (int)(n % ERBIUM_N_CLASSES));
    }
    unsigned *ticks = calloc((size_t)count, sizeof *ticks);
    if (!ticks)
        give_up("there is no memory for so many results", "");
    printf("answers");
    for (long n = 0; n < count; n++) {
        make_image(n, pixels);
        const struct result result = sample(pixels, sample_seed(0, n), 0, 0);
        printf(" %u", result.answer);
        ticks[n] = result.ticks;
    }
    printf("\nticks");
    for (long n = 0; n < count; n++)
        printf(" %u", ticks[n]);
    free(ticks);
    wait_until_idle();
    printf("\nweights 0x%08" PRIx32 "\ncounters", weights_crc());
    read_entries(ERBIUM_WINDOW_REGISTERS, ERBIUM_REGISTER_COUNT_SAMPLES, 2 * N_COUNTERS);
    for (int k = 0; k < N_COUNTERS; k++)
        printf(" %" PRIu64, word(2 * k) | (uint64_t)word(2 * k + 1) << 32);
    printf("\n");
    close(port);
    return 0;
}
