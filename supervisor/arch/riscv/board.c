// RISC-V PLIC specification: priorities at 4 * n; a context's enable bits at 0x2000 + 0x80 * context, its threshold and
// claim at 0x200000 + 0x1000 * context. All interrupts go to the hart that booted. What was claimed stays masked until
// it is completed.
#include "board.h"

#include "arch.h"
#include "tables.h"

#define UART_DATA 0 // NS16550A: registers, and their bits
#define UART_IER 1
#define UART_LSR 5
#define UART_IER_RECEIVED 1
#define UART_LSR_READY 1

static volatile uint32_t *plic_enable, *plic_claim, *plic_priority;
static volatile uint8_t *uart;
static unsigned uart_shift, uart_interrupt;

void arch_interrupt_enable(unsigned number)
{
    if (!plic_priority)
        return;
    plic_priority[number] = 1;
    plic_enable[number / 32] |= 1u << number % 32;
}

void arch_interrupt_complete(unsigned number)
{
    if (plic_claim)
        *plic_claim = number;
}

static void uart_receive(void)
{
    char bytes[16];
    unsigned size;

    do {
        size = 0;
        while (size < sizeof(bytes) && uart[UART_LSR << uart_shift] & UART_LSR_READY)
            bytes[size++] = (char)uart[UART_DATA << uart_shift];
        if (size)
            kernel_input(bytes, size);
    } while (size == sizeof(bytes));
}

void board_interrupt(void)
{
    uint32_t number;

    while (plic_claim && (number = *plic_claim)) {
        if (!uart || number != uart_interrupt) {
            kernel_interrupt(number);
            continue;
        }
        uart_receive();
        *plic_claim = number;
    }
}

static bool plic_init(const struct tree *t)
{
    uint64_t claim = 0x200000 + 0x1000 * (uint64_t)t->plic_context;

    if (t->plic.size < claim + 8)
        return false;
    volatile char *registers = kernel_map_device(t->plic.start, 0x1000);
    volatile char *enable = kernel_map_device(t->plic.start + 0x2000 + 0x80 * t->plic_context, 0x80);
    volatile char *context = kernel_map_device(t->plic.start + claim, 8);
    if (!registers || !enable || !context)
        return false;
    plic_priority = (volatile uint32_t *)registers;
    plic_enable = (volatile uint32_t *)enable;
    for (unsigned i = 0; i < INTERRUPTS_MAX / 32; i++)
        plic_enable[i] = 0;
    *(volatile uint32_t *)context = 0; // threshold
    plic_claim = (volatile uint32_t *)(context + 4);
    return true;
}

bool board_init(const struct tree *t)
{
    if (!plic_init(t) || !t->uart.size || t->uart_interrupt >= INTERRUPTS_MAX)
        return false;
    uart = kernel_map_device(t->uart.start, t->uart.size);
    if (!uart)
        return false;
    uart_shift = t->uart_shift;
    uart_interrupt = t->uart_interrupt;
    arch_interrupt_enable(uart_interrupt);
    uart[UART_IER << uart_shift] = UART_IER_RECEIVED;
    return true;
}
