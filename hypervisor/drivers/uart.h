// The machine's serial port: a 16550 (any register spacing) or a SiFive UART. Only bytes and
// interrupts; who may speak when is the console's business, and it alone calls these functions once
// it runs, under its lock.
#pragma once

#include "types.h"

enum uart_kind { UART_NONE, UART_16550, UART_SIFIVE };

// From the device tree. Addresses the hypervisor cannot reach were refused by the discovery.
struct uart_config {
    enum uart_kind kind;
    uintptr_t base;       // of the first register, `reg-offset` included
    uint8_t reg_shift;    // `reg-shift`
    uint8_t reg_io_width; // `reg-io-width`: 1, 2 or 4 bytes an access
    uint32_t clock_hz;    // `clock-frequency`, 0 if unknown: the loader's baud rate is kept then
    uint32_t baud;        // `current-speed` or from stdout-path; 0: the loader's is kept
    uint32_t irq;         // PLIC source, 0 if none
};

// Interrupts stay off until uart_interrupts_on(). Until this is called output goes nowhere.
void uart_init(const struct uart_config *config);

// How many bytes uart_tx() surely takes after uart_tx_ready() has said yes; 0 if there is no port.
unsigned uart_tx_depth(void);
bool uart_tx_ready(void);
void uart_tx(uint8_t byte);

// A received byte, or -1.
int uart_rx(void);

// Receive interrupts on, for good; the transmit interrupt as asked.
void uart_interrupts_on(void);
void uart_tx_interrupt(bool on);

// Takes back the request for attention. Before looking what the port wants.
void uart_interrupt_clear(void);
