// The devices every capsule has, as software that knows QEMU's `virt` machine sees them.
#pragma once

#include "page.h"
#include "test.h"

#define EXTERNAL_BIT (1ul << INTERRUPT_EXTERNAL)

enum uart_register {
    UART_DATA = 0,
    UART_IER = 1,
    UART_IIR = 2,
    UART_FCR = 2,
    UART_LCR = 3,
    UART_MCR = 4,
    UART_LSR = 5,
    UART_MSR = 6,
    UART_SCR = 7,
};
#define LSR_DR 0x01
#define LSR_THRE 0x20
#define LSR_TEMT 0x40
#define MCR_LOOP 0x10
#define IER_RDI 0x01
#define IER_THRI 0x02

static inline volatile uint8_t *uart(unsigned offset)
{
    return (volatile uint8_t *)(unsigned long)(tree.uart.base + offset);
}
static inline volatile uint32_t *plic(unsigned offset)
{
    return (volatile uint32_t *)(unsigned long)(tree.plic.base + offset);
}
// S context of a hart is 2n+1.
static inline volatile uint32_t *plic_enable(struct hart *h)
{
    return plic(0x2000 + 0x80 * (2 * h->id + 1));
}
static inline volatile uint32_t *plic_threshold(struct hart *h)
{
    return plic(0x200000 + 0x1000 * (2 * h->id + 1));
}
static inline volatile uint32_t *plic_claim(struct hart *h)
{
    return plic_threshold(h) + 1;
}

// Nothing may be printed while the port is in a strange state: a body returns what is wrong, or
// NULL, the port is put right, and then it is said.
void with_uart(const char *(*body)(void));
// Makes the UART's interrupt high (transmitter empty) or low.
void uart_raise(void), uart_lower(void);

void uart_scratch(void), uart_divisor(void), uart_idle(void), uart_loopback(void), uart_modem(void);
void uart_identify(void), uart_transmit_interrupt(void), uart_receive_interrupt(void), uart_receive_timeout(void);
void uart_fifo_reset(void), uart_overrun(void);
void plic_priority(void), plic_enables(void), plic_thresholds(void), plic_nothing(void), plic_flow(void);
void plic_masks(void), plic_remote(void), plic_interrupt(void), plic_complete_foreign(void);
void mmio_registers(void), mmio_compressed(void), mmio_widths(void), mmio_float(void), mmio_atomics(void);
void mmio_misaligned(void), mmio_unmapped(void), mmio_fetch(void), mmio_paged(void), mmio_straddle(void);
void mmio_user(void), mmio_parallel(void), finisher_ignores(void);
