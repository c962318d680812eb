// A virtual 16550A as a guest's 8250 driver expects it: 8 byte-wide registers, FIFOs of 16.
//
// Transmission takes no time: a byte goes to the port at once. When the port has no room, bytes wait
// in the transmit FIFO and LSR says so (THRE and TEMT clear), so a driver that looks loses nothing.
// Received bytes stay in the port until the guest reads them. Speed and format are remembered and have
// no effect; there are no parity or framing errors and no breaks.
//
// No lock here and no knowledge of capsules: the caller holds the capsule's device lock, and passes
// the interrupt line on after each call.
#pragma once

#include "types.h"

// The other end of the wire.
struct vuart_port {
    size_t (*write)(void *owner, const uint8_t *bytes, size_t count); // returns how many it took, from the first
    int (*read)(void *owner);                                         // the next byte, -1 if there is none
    bool (*room)(void *owner);
    bool (*has_input)(void *owner);
};

#define VUART_WINDOW 0x100u
#define VUART_FIFO_SIZE 16u

struct vuart_fifo {
    uint8_t bytes[VUART_FIFO_SIZE];
    uint8_t head, count;
};

struct vuart {
    const struct vuart_port *port;
    void *owner;
    uint8_t lsr;       // always as the guest would read it
    bool irq;          // the interrupt line, always up to date
    bool detour;       // a write to register 0 is more than a byte for the port
    bool thre_pending; // the transmitter became empty, and no one has been told
    bool rx_hidden;    // see receiver_reset()
    uint8_t asked;     // vuart_ask(): how much of it is still to be read, in bytes and breaks
    uint8_t ier, fcr, lcr, mcr, msr, scr, dll, dlm;
    struct vuart_fifo tx;       // waits for room in the port
    struct vuart_fifo loopback; // was sent to itself, is to be read
};

// Power-on state. The port table and the owner must outlive the UART.
void vuart_init(struct vuart *uart, const struct vuart_port *port, void *owner);

// Register accesses of one byte. Offsets beyond the 8 registers read 0 and ignore writes.
uint8_t vuart_read(struct vuart *uart, uint32_t offset);
void vuart_write(struct vuart *uart, uint32_t offset, uint8_t value);

// To be called when input arrived in the port, or room came.
void vuart_poll(struct vuart *uart);

// Asks the guest to shut down, as a person at a serial terminal would that has no login: breaks, each followed
// by a letter for Linux's SysRq: sync, remount read-only, off. Read before what else waits.
void vuart_ask(struct vuart *uart);

// The interrupt line.
static inline bool vuart_irq(const struct vuart *uart)
{
    return uart->irq;
}
