/* SPDX-License-Identifier: BSD-2-Clause */
/* The processor of the system teaches the array digits, tests it, and tells over the UART what came of it. Everything that it knows
 * of the array stands in the header and the driver of `erbium verilog`; of the system, in the headers of LiteX. */
#include <generated/csr.h>
#include <generated/mem.h>

#include "digits.h"
#include "erbium_driver.h"

#define POLLS 1000000u
#define END_OF_TRANSMISSION 4

static volatile uint32_t *const chip = (volatile uint32_t *)ERBIUM_BASE;
static int32_t row[LARGEST_ROW];

/* The UART */

static void put(char c)
{
    while (uart_txfull_read())
        ;
    uart_rxtx_write((uint8_t)c);
}

static void say(const char *text)
{
    while (*text)
        put(*text++);
}

static void say_number(int32_t number)
{
    char digits[10];
    uint32_t left = number < 0 ? 0u - (uint32_t)number : (uint32_t)number, n = 0;
    if (number < 0)
        put('-');
    do
        digits[n++] = (char)('0' + left % 10);
    while (left /= 10);
    while (n)
        put(digits[--n]);
}

static void say_hex(uint64_t number)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        put("0123456789abcdef"[number >> shift & 15]);
}

/* End the simulation; on a board, it is the end of what is said. */
__attribute__((noreturn)) static void end(void)
{
    put('\n');
    put(END_OF_TRANSMISSION);
    for (;;)
        ;
}

static void expect(const char *what, int32_t expected, int32_t found)
{
    if (found == expected)
        return;
    say("\nerror ");
    say(what);
    say(" is ");
    say_number(found);
    say(" and not ");
    say_number(expected);
    end();
}

/* Called by LiteX's start-up code; interrupts are off, so only a trap of the processor gets here. */
void isr(void)
{
    say("\nerror trap");
    end();
}

/* What is taught and tested */

static void write_initial_weights(void)
{
    for (uint32_t layer = 0; layer < ERBIUM_N_LAYERS; layer++)
        for (uint32_t r = 0; r < erbium_layers[layer].rows; r++) {
            for (uint32_t k = 0; k < erbium_layers[layer].neurons; k++)
                row[k] = erbium_initial_weight(layer, r * erbium_layers[layer].neurons + k);
            expect("writing a row", 0, erbium_put_row(chip, layer, r, row));
        }
}

/* Digits first ... first + count - 1, two in the array at a time. */
static void present(const char *what, uint32_t first, uint32_t count, int learn)
{
    struct erbium_result result;
    const uint8_t turn = (uint8_t)erbium_get_next_turn(chip);
    say(what);
    for (uint32_t n = 0; n <= count; n++) {
        if (n < count)
            expect("sending a digit", 0,
                   erbium_send(chip, digits[first + n], erbium_sample_seed(learn, n), learn, learn ? labels[first + n] : 0, POLLS));
        if (n == 0)
            continue;
        expect("a result", 0, erbium_result(chip, (uint8_t)(turn + n - 1), &result, POLLS));
        put(' ');
        say_number((int32_t)result.answer);
        put(':');
        say_number((int32_t)result.ticks);
    }
    put('\n');
    expect("idle", 0, erbium_wait_until_idle(chip, POLLS));
}

/* What the bus refuses changes nothing: it says why, in `last_error`. */
static void try_what_is_refused(void)
{
    struct erbium_result result;
    const uint8_t turn = (uint8_t)erbium_get_next_turn(chip);
    erbium_set_control(chip, ERBIUM_CONTROL_CLEAR_ERRORS);
    erbium_read(chip, ERBIUM_SIZE - 4);
    expect("reading outside", ERBIUM_BUS_ERROR_OUT_OF_WINDOW, (int32_t)erbium_get_last_error(chip));
    erbium_set_n_ticks(chip, ERBIUM_N_TICKS + 1);
    expect("too many ticks", ERBIUM_BUS_ERROR_BAD_VALUE, (int32_t)erbium_get_last_error(chip));
    erbium_write(chip, ERBIUM_BUS_REGISTER_DIGEST, 0);
    expect("writing a constant", ERBIUM_BUS_ERROR_READ_ONLY, (int32_t)erbium_get_last_error(chip));
    expect("a label that is none", ERBIUM_BUS_ERROR_BAD_LABEL, erbium_send(chip, digits[0], 1, 1, ERBIUM_N_CLASSES, POLLS));
    /* While a digit is processed, weights are neither read nor written. */
    expect("sending a digit", 0, erbium_send(chip, digits[0], 1, 0, 0, POLLS));
    erbium_write(chip, erbium_layers[0].at, 1);
    expect("writing in the middle", ERBIUM_BUS_ERROR_BUSY, (int32_t)erbium_get_last_error(chip));
    erbium_set_control(chip, ERBIUM_CONTROL_CLEAR_ERRORS);
    erbium_read(chip, erbium_layers[0].at);
    expect("reading in the middle", ERBIUM_BUS_ERROR_BUSY, (int32_t)erbium_get_last_error(chip));
    expect("a result", 0, erbium_result(chip, turn, &result, POLLS));
    expect("idle", 0, erbium_wait_until_idle(chip, POLLS));
}

static void say_weights(void)
{
    for (uint32_t layer = 0; layer < ERBIUM_N_LAYERS; layer++)
        for (uint32_t r = 0; r < erbium_layers[layer].rows; r++) {
            expect("reading a row", 0, erbium_get_row(chip, layer, r, row));
            say("row ");
            say_number((int32_t)layer);
            for (uint32_t k = 0; k < erbium_layers[layer].neurons; k++) {
                put(' ');
                say_number(row[k]);
            }
            put('\n');
        }
}

int main(void)
{
    expect("the array", 0, erbium_begin(chip));
    say("digest ");
    say_hex(erbium_get_digest(chip));
    put('\n');
    write_initial_weights();
    try_what_is_refused();
    expect("the array", 0, erbium_begin(chip)); /* turns and counters from 0; the weights stay */
    present("learned", 0, LEARNED, 1);
    present("tested", LEARNED, TESTED, 0);
    say_weights();
    say("samples ");
    say_number((int32_t)erbium_get_count_samples(chip));
    end();
}
