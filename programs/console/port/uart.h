// The port that the console's code writes to: here it is what the hypervisor shows for us (terminal.c).
#pragma once

#include "types.h"

unsigned uart_tx_depth(void);
bool uart_tx_ready(void);
void uart_tx(uint8_t byte);
int uart_rx(void);
static inline void uart_interrupts_on(void) {}
static inline void uart_interrupt_clear(void) {}
void uart_tx_interrupt(bool on);
