// sources: hypervisor/guest/vuart.c
// Any sequence of accesses, against a port that has room and input as it likes: no byte is invented, what
// was taken comes out in order, and the cached interrupt line agrees with the registers.
#include <stdlib.h>
#include <string.h>

#include "vuart.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

struct wire {
    size_t room;
    unsigned input; // bytes left to be received
    uint8_t next;   // the number the next byte sent should have
};

static size_t wire_write(void *owner, const uint8_t *bytes, size_t count)
{
    struct wire *w = owner;
    REQUIRE(count && count <= VUART_FIFO_SIZE);
    count = count < w->room ? count : w->room;
    for (size_t i = 0; i < count; i++)
        REQUIRE(bytes[i] == w->next++);
    w->room -= count;
    return count;
}

static int wire_read(void *owner)
{
    struct wire *w = owner;
    return w->input ? (int)(w->input-- & 0xff) : -1;
}

static bool wire_room(void *owner)
{
    return ((struct wire *)owner)->room;
}
static bool wire_has_input(void *owner)
{
    return ((struct wire *)owner)->input;
}

static const struct vuart_port port = {
    .write = wire_write, .read = wire_read, .room = wire_room, .has_input = wire_has_input};

// Sends the next number, if it would go out, so that the wire can check the order.
static void send(struct vuart *uart, const struct wire *wire)
{
    if (!(uart->lcr & 0x80) && !(uart->mcr & 0x10) && uart->tx.count < VUART_FIFO_SIZE)
        vuart_write(uart, 0, (uint8_t)(wire->next + uart->tx.count));
}

static void step(struct vuart *uart, struct wire *wire, uint8_t operation, uint8_t value)
{
    switch (operation >> 4 & 7) {
    case 0:
        wire->room += value & 31;
        break;
    case 1:
        wire->input += value & 31;
        break;
    case 2:
        vuart_poll(uart);
        break;
    case 3:
        vuart_write(uart, 1 + operation % 15, value);
        break;
    case 4:
        send(uart, wire);
        break;
    default:
        vuart_read(uart, operation & 15);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire wire = {0};
    struct vuart uart;
    vuart_init(&uart, &port, &wire);
    for (; size >= 2; data += 2, size -= 2) {
        step(&uart, &wire, data[0], data[1]);
        REQUIRE(uart.tx.count <= VUART_FIFO_SIZE && uart.tx.head < VUART_FIFO_SIZE);
        REQUIRE(uart.loopback.count <= VUART_FIFO_SIZE && uart.loopback.head < VUART_FIFO_SIZE);
        REQUIRE(!(uart.lsr & 0x60) == !!uart.tx.count);
        struct vuart copy = uart; // looking at IIR has an effect
        REQUIRE(vuart_irq(&uart) == !(vuart_read(&copy, 2) & 1));
    }
    wire.room = SIZE_MAX;
    vuart_poll(&uart);
    REQUIRE(uart.tx.count == 0);
    return 0;
}
