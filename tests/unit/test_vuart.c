// sources: hypervisor/guest/vuart.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "types.h"
#include "vuart.h"

enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR };
enum { THR = RBR, FCR = IIR, DLL = RBR, DLM = IER };

// The other end: takes 'room' more bytes, has 'input' to give.
static struct wire {
    char output[4096];
    size_t sent, room;
    const char *input;
} wire;

static struct vuart uart;

static size_t wire_write(void *owner, const uint8_t *bytes, size_t count)
{
    struct wire *w = owner;
    assert_ptr_equal(w, &wire);
    assert_true(count > 0 && count <= VUART_FIFO_SIZE);
    if (count > w->room)
        count = w->room;
    assert_true(w->sent + count < sizeof(w->output));
    memcpy(w->output + w->sent, bytes, count);
    w->sent += count;
    w->room -= count;
    return count;
}

static int wire_read(void *owner)
{
    struct wire *w = owner;
    return *w->input ? (uint8_t)*w->input++ : -1;
}

static bool wire_room(void *owner)
{
    return ((struct wire *)owner)->room;
}
static bool wire_has_input(void *owner)
{
    return *((struct wire *)owner)->input;
}

static const struct vuart_port port = {
    .write = wire_write, .read = wire_read, .room = wire_room, .has_input = wire_has_input};

static int setup(void **state)
{
    (void)state;
    memset(&wire, 0, sizeof(wire));
    memset(&uart, 0xa5, sizeof(uart));
    wire.room = SIZE_MAX;
    wire.input = "";
    vuart_init(&uart, &port, &wire);
    return 0;
}

static uint8_t rd(uint32_t offset)
{
    return vuart_read(&uart, offset);
}
static void wr(uint32_t offset, uint8_t value)
{
    vuart_write(&uart, offset, value);
}
static bool irq(void)
{
    return vuart_irq(&uart);
}

static void type(const char *input)
{
    wire.input = input;
    vuart_poll(&uart);
}

static void make_room(size_t room)
{
    wire.room = room;
    vuart_poll(&uart);
}

static void assert_sent(const char *expected)
{
    wire.output[wire.sent] = 0;
    assert_string_equal(wire.output, expected);
}

static void test_power_on(void **state)
{
    (void)state;
    assert_int_equal(rd(LSR), 0x60);
    assert_int_equal(rd(IIR), 0x01);
    assert_int_equal(rd(IER), 0);
    assert_int_equal(rd(MCR), 0);
    assert_int_equal(rd(MSR), 0xb0);
    assert_int_equal(rd(RBR), 0);
    assert_false(irq());
}

static void test_plain_registers(void **state)
{
    (void)state;
    for (unsigned v = 0; v < 256; v++) {
        wr(SCR, (uint8_t)v);
        assert_int_equal(rd(SCR), v);
        wr(LCR, (uint8_t)v);
        assert_int_equal(rd(LCR), v);
        wr(LCR, 3);
        wr(IER, (uint8_t)v);
        assert_int_equal(rd(IER), v & 0x0f);
        wr(IER, 0);
        wr(MCR, (uint8_t)v);
        assert_int_equal(rd(MCR), v & 0x1f);
        wr(MCR, 0);
    }
    wr(LSR, 0xff);
    wr(MSR, 0xff);
    assert_int_equal(rd(LSR), 0x60);
    assert_sent("");
}

static void test_beyond_the_registers(void **state)
{
    (void)state;
    struct vuart before;
    memcpy(&before, &uart, sizeof(before));
    static const uint32_t offsets[] = {8, 9, 0xff, 0x100, 0x80000005, UINT32_MAX};
    for (size_t i = 0; i < array_length(offsets); i++) {
        assert_int_equal(rd(offsets[i]), 0);
        wr(offsets[i], 0xff);
    }
    assert_memory_equal(&uart, &before, sizeof(uart));
    assert_sent("");
}

static void test_divisor_latch(void **state)
{
    (void)state;
    type("x");
    wr(IER, 0x05);
    wr(LCR, 0x83);
    wr(DLL, 0x12);
    wr(DLM, 0x34);
    assert_int_equal(rd(DLL), 0x12);
    assert_int_equal(rd(DLM), 0x34);
    assert_int_equal(rd(LSR), 0x61);
    wr(LCR, 0x03);
    assert_int_equal(rd(IER), 0x05);
    assert_int_equal(rd(RBR), 'x');
    wr(LCR, 0x83);
    assert_int_equal(rd(DLL), 0x12);
    assert_int_equal(rd(DLM), 0x34);
    assert_sent("");
}

static void test_sends_at_once(void **state)
{
    (void)state;
    for (const char *c = "hello\n"; *c; c++) {
        assert_int_equal(rd(LSR) & 0x60, 0x60);
        wr(THR, (uint8_t)*c);
    }
    assert_sent("hello\n");
    assert_false(irq());
    vuart_poll(&uart);
    assert_sent("hello\n");
}

static void test_no_room_holds_the_bytes(void **state)
{
    (void)state;
    wire.room = 2;
    for (const char *c = "abcdefgh"; *c; c++)
        wr(THR, (uint8_t)*c);
    assert_sent("ab");
    assert_int_equal(rd(LSR), 0);
    make_room(3);
    assert_sent("abcde");
    assert_int_equal(rd(LSR), 0);
    make_room(3);
    assert_sent("abcdefgh");
    assert_int_equal(rd(LSR), 0x60);
    wr(THR, 'i'); // finds no room
    assert_int_equal(rd(LSR), 0);
    wire.room = 5;
    wr(THR, 'j'); // takes the waiting one with it
    assert_sent("abcdefghij");
    assert_int_equal(rd(LSR), 0x60);
}

static void test_a_looking_driver_loses_nothing(void **state)
{
    (void)state;
    char expected[3001] = {0};
    srand(3);
    wire.room = 0;
    for (size_t i = 0; i < 3000;) {
        if (rd(LSR) & 0x20) {
            for (size_t burst = 0; burst < 16 && i < 3000; burst++, i++) {
                expected[i] = (char)('a' + rand() % 26);
                wr(THR, (uint8_t)expected[i]);
            }
        }
        make_room((size_t)(rand() % 20));
    }
    make_room(100);
    assert_sent(expected);
}

static void test_full_fifo_loses_the_newest(void **state)
{
    (void)state;
    wire.room = 0;
    for (char c = 'a'; c <= 'z'; c++)
        wr(THR, (uint8_t)c);
    make_room(100);
    assert_sent("abcdefghijklmnop");
    assert_int_equal(rd(LSR), 0x60);
}

static void test_transmitter_interrupt(void **state)
{
    (void)state;
    wr(IER, 0x02);
    assert_true(irq()); // enabled while empty: raised at once
    assert_int_equal(rd(IIR), 0x02);
    assert_false(irq()); // reading IIR took it back
    assert_int_equal(rd(IIR), 0x01);
    wr(THR, 'a');
    assert_true(irq()); // empty again
    wr(IER, 0);
    assert_false(irq());
    wr(IER, 0x02);
    assert_true(irq());
    assert_int_equal(rd(IIR), 0x02);
    wr(IER, 0x02); // not newly enabled
    assert_false(irq());
}

static void test_transmitter_interrupt_waits_for_room(void **state)
{
    (void)state;
    wr(IER, 0x02);
    wire.room = 1;
    wr(THR, 'a');
    assert_true(irq());
    wr(THR, 'b');
    assert_false(irq());
    assert_int_equal(rd(IIR), 0x01);
    wr(IER, 0);
    wr(IER, 0x02);
    assert_false(irq());
    make_room(1);
    assert_true(irq());
    assert_int_equal(rd(IIR), 0x02);
    assert_sent("ab");
}

static void test_receives(void **state)
{
    (void)state;
    type("ok");
    assert_int_equal(rd(LSR), 0x61);
    assert_false(irq());
    assert_int_equal(rd(RBR), 'o');
    assert_int_equal(rd(LSR), 0x61);
    assert_int_equal(rd(RBR), 'k');
    assert_int_equal(rd(LSR), 0x60);
    assert_int_equal(rd(RBR), 0);
    type("\xff");
    assert_int_equal(rd(RBR), 0xff);
}

static void test_receiver_interrupt(void **state)
{
    (void)state;
    wr(IER, 0x01);
    assert_false(irq());
    type("ab");
    assert_true(irq());
    assert_int_equal(rd(IIR), 0x04);
    assert_true(irq()); // until it is read
    assert_int_equal(rd(RBR), 'a');
    assert_true(irq());
    assert_int_equal(rd(RBR), 'b');
    assert_false(irq());
    assert_int_equal(rd(IIR), 0x01);
}

static void test_receiver_timeout_in_fifo_mode(void **state)
{
    (void)state;
    wr(FCR, 0x81);
    wr(IER, 0x01);
    type("a");
    assert_int_equal(rd(IIR), 0xcc);
    wr(FCR, 0x01);
    assert_int_equal(rd(IIR), 0xc4);
    assert_int_equal(rd(RBR), 'a');
    assert_int_equal(rd(IIR), 0xc1);
}

static void test_fifo_control(void **state)
{
    (void)state;
    assert_int_equal(rd(IIR), 0x01);
    wr(FCR, 0xc7);
    assert_int_equal(rd(IIR), 0xc1);
    wr(FCR, 0xc6); // without the enable bit, nothing counts
    assert_int_equal(rd(IIR), 0x01);
}

static void test_interrupt_priorities(void **state)
{
    (void)state;
    wr(MCR, 0x10); // modem lines fall, and what is sent comes back
    for (unsigned i = 0; i < 17; i++)
        wr(THR, (uint8_t)i);
    wr(IER, 0x0f);
    assert_int_equal(rd(IIR), 0x06);
    assert_int_equal(rd(IIR), 0x06);
    assert_int_equal(rd(LSR), 0x63);
    assert_int_equal(rd(LSR), 0x61);
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(rd(IIR), 0x04);
        assert_int_equal(rd(RBR), i);
    }
    assert_int_equal(rd(IIR), 0x02);
    assert_int_equal(rd(IIR), 0x00);
    assert_true(irq());
    assert_int_equal(rd(MSR) & 0x0f, 0x0b);
    assert_int_equal(rd(IIR), 0x01);
    assert_false(irq());
}

static void test_loopback(void **state)
{
    (void)state;
    type("port");
    wr(MCR, 0x10);
    assert_int_equal(rd(LSR), 0x60); // cut off from the port
    wr(THR, 'x');
    assert_int_equal(rd(LSR), 0x61);
    vuart_poll(&uart);
    assert_int_equal(rd(RBR), 'x');
    assert_int_equal(rd(LSR), 0x60);
    wr(THR, 'y');
    wr(MCR, 0);
    assert_int_equal(rd(RBR), 'y'); // still in the FIFO
    assert_int_equal(rd(RBR), 'p');
    assert_sent("");
}

static void test_loopback_with_output_waiting(void **state)
{
    (void)state;
    wire.room = 0;
    wr(THR, 'a');
    wr(MCR, 0x10);
    wr(THR, 'x');
    assert_int_equal(rd(LSR) & 0x60, 0);
    assert_int_equal(rd(RBR), 'x');
    make_room(10);
    assert_sent("a");
    assert_int_equal(rd(LSR), 0x60);
}

static void test_loopback_modem_lines(void **state)
{
    (void)state;
    static const uint8_t lines[][2] = {{0x10, 0x00}, {0x11, 0x20}, {0x12, 0x10}, {0x14, 0x40},
                                       {0x18, 0x80}, {0x1a, 0x90}, {0x1f, 0xf0}, {0x0f, 0xb0}};
    for (size_t i = 0; i < array_length(lines); i++) {
        wr(MCR, lines[i][0]);
        assert_int_equal(rd(MSR) & 0xf0, lines[i][1]);
        assert_int_equal(rd(MSR) & 0x0f, 0); // the first read took the changes
    }
    wr(MCR, 0x10);
    rd(MSR);
    wr(MCR, 0x14);
    assert_int_equal(rd(MSR), 0x40); // the ring begins: no change
    wr(MCR, 0x10);
    assert_int_equal(rd(MSR), 0x04); // it ends
}

static void test_reset_hides_what_was_typed_ahead(void **state)
{
    (void)state;
    type("root\n");
    wr(FCR, 0x01);
    wr(FCR, 0x07);
    assert_int_equal(rd(LSR), 0x60);
    assert_int_equal(rd(RBR), 0);
    wr(IER, 0x01);
    assert_true(irq());
    assert_int_equal(rd(RBR), 'r');
    wr(FCR, 0x07); // a driver that has interrupts on keeps seeing it
    assert_int_equal(rd(RBR), 'o');
}

static void test_reset_then_polling(void **state)
{
    (void)state;
    type("a");
    wr(FCR, 0x07);
    assert_int_equal(rd(LSR), 0x60);
    type("ab");
    assert_int_equal(rd(LSR), 0x61);
    assert_int_equal(rd(RBR), 'a');
}

static void test_reset_keeps_output(void **state)
{
    (void)state;
    wire.room = 0;
    wr(THR, 'a');
    wr(FCR, 0x07);
    assert_int_equal(rd(LSR), 0);
    make_room(10);
    assert_sent("a");
}

// What the 8250 driver of Linux does to a port it opens.
static void test_linux_startup(void **state)
{
    (void)state;
    type("typed ahead");
    wr(FCR, 0x01);
    wr(FCR, 0x07);
    wr(FCR, 0x00);
    rd(LSR), rd(RBR), rd(IIR), rd(MSR);
    assert_int_not_equal(rd(LSR), 0xff);
    wr(LCR, 0x03);
    wr(IER, 0x02); // does enabling the interrupt raise it, twice?
    assert_int_equal(rd(IIR) & 0x01, 0);
    wr(IER, 0x00);
    wr(IER, 0x02);
    assert_int_equal(rd(IIR) & 0x01, 0);
    wr(IER, 0x00);
    wr(MCR, 0x0b);
    rd(LSR), rd(RBR), rd(IIR), rd(MSR);
    wr(IER, 0x05);
    wr(LCR, 0x93);
    wr(DLL, 0x02);
    wr(DLM, 0x00);
    wr(LCR, 0x13);
    wr(FCR, 0x01);
    wr(FCR, 0x81);
    assert_true(irq());
    assert_int_equal(rd(IIR), 0xcc);
    char line[32] = {0};
    for (size_t i = 0; rd(LSR) & 0x01; i++)
        line[i] = (char)rd(RBR);
    assert_string_equal(line, "typed ahead");
    assert_false(irq());
}

// Everything in random order: the cached parts always agree with the registers.
static void test_random_keeps_its_word(void **state)
{
    (void)state;
    srand(11);
    for (unsigned step = 0; step < 200000; step++) {
        uint32_t offset = (uint32_t)rand() % 9;
        if (wire.sent > 4000)
            wire.sent = 0;
        switch (rand() % 8) {
        case 0:
            make_room((size_t)(rand() % 40));
            break;
        case 1:
            type(&"0123456789"[rand() % 11]);
            break;
        case 2:
        case 3:
        case 4:
            wr(offset, (uint8_t)rand());
            break;
        default:
            rd(offset);
        }
        assert_int_equal(!!(uart.lsr & 0x60), !uart.tx.count);
        assert_true(uart.tx.count <= 16 && uart.loopback.count <= 16);
        struct vuart copy = uart; // looking at IIR has an effect
        assert_int_equal(irq(), !(vuart_read(&copy, IIR) & 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_power_on, setup),
        cmocka_unit_test_setup(test_plain_registers, setup),
        cmocka_unit_test_setup(test_beyond_the_registers, setup),
        cmocka_unit_test_setup(test_divisor_latch, setup),
        cmocka_unit_test_setup(test_sends_at_once, setup),
        cmocka_unit_test_setup(test_no_room_holds_the_bytes, setup),
        cmocka_unit_test_setup(test_a_looking_driver_loses_nothing, setup),
        cmocka_unit_test_setup(test_full_fifo_loses_the_newest, setup),
        cmocka_unit_test_setup(test_transmitter_interrupt, setup),
        cmocka_unit_test_setup(test_transmitter_interrupt_waits_for_room, setup),
        cmocka_unit_test_setup(test_receives, setup),
        cmocka_unit_test_setup(test_receiver_interrupt, setup),
        cmocka_unit_test_setup(test_receiver_timeout_in_fifo_mode, setup),
        cmocka_unit_test_setup(test_fifo_control, setup),
        cmocka_unit_test_setup(test_interrupt_priorities, setup),
        cmocka_unit_test_setup(test_loopback, setup),
        cmocka_unit_test_setup(test_loopback_with_output_waiting, setup),
        cmocka_unit_test_setup(test_loopback_modem_lines, setup),
        cmocka_unit_test_setup(test_reset_hides_what_was_typed_ahead, setup),
        cmocka_unit_test_setup(test_reset_then_polling, setup),
        cmocka_unit_test_setup(test_reset_keeps_output, setup),
        cmocka_unit_test_setup(test_linux_startup, setup),
        cmocka_unit_test_setup(test_random_keeps_its_word, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
