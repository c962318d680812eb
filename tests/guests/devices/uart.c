#include "suite.h"

void with_uart(const char *(*body)(void))
{
    (void)!wait_for(*uart(UART_LSR) & LSR_TEMT, 2000);
    uint8_t lcr = *uart(UART_LCR), mcr = *uart(UART_MCR), ier = *uart(UART_IER);
    const char *wrong = body();
    *uart(UART_LCR) = lcr & 0x7f;
    *uart(UART_MCR) = mcr & ~MCR_LOOP;
    *uart(UART_FCR) = 0x07;
    *uart(UART_FCR) = 0x01;
    *uart(UART_IER) = ier;
    (void)*uart(UART_IIR);
    if (wrong)
        test_fail("%s", wrong);
}

void uart_raise(void)
{
    (void)!wait_for(*uart(UART_LSR) & LSR_TEMT, 2000);
    *uart(UART_IER) = 0;
    *uart(UART_IER) = IER_THRI;
}

void uart_lower(void)
{
    *uart(UART_IER) = 0;
    (void)*uart(UART_IIR);
}

static const char *scratch(void)
{
    for (unsigned i = 0; i < 256; i += 17) {
        *uart(UART_SCR) = (uint8_t)i;
        if (*uart(UART_SCR) != i)
            return "does not keep its value";
    }
    return NULL;
}

void uart_scratch(void)
{
    with_uart(scratch);
}

// With DLAB set, registers 0 and 1 are the divisor, and nothing is sent.
static const char *divisor(void)
{
    uint8_t ier = *uart(UART_IER), lcr = *uart(UART_LCR);
    *uart(UART_LCR) = lcr | 0x80;
    uint8_t low = *uart(0), high = *uart(1);
    *uart(0) = 0x34;
    *uart(1) = 0x12;
    bool kept = *uart(0) == 0x34 && *uart(1) == 0x12;
    *uart(0) = low;
    *uart(1) = high;
    *uart(UART_LCR) = lcr & 0x7f;
    if (!kept)
        return "divisor not kept";
    return *uart(UART_IER) == ier ? NULL : "divisor written into IER";
}

void uart_divisor(void)
{
    with_uart(divisor);
}

void uart_idle(void)
{
    check(wait_for((*uart(UART_LSR) & (LSR_THRE | LSR_TEMT)) == (LSR_THRE | LSR_TEMT), 2000), "LSR %x",
          *uart(UART_LSR));
    check(!(*uart(UART_LSR) & 0x9e), "errors in LSR %x", *uart(UART_LSR));
}

static void loop_begin(uint8_t fcr)
{
    *uart(UART_FCR) = 0x07;
    *uart(UART_FCR) = fcr;
    *uart(UART_MCR) = MCR_LOOP;
    *uart(UART_IER) = 0;
}

// Sends to ourselves; false if it never arrives.
static bool loop_send(uint8_t byte)
{
    if (!wait_for(*uart(UART_LSR) & LSR_THRE, 1000))
        return false;
    *uart(UART_DATA) = byte;
    return wait_for(*uart(UART_LSR) & LSR_DR, 1000);
}

static const char *loopback(void)
{
    loop_begin(0x01);
    for (unsigned i = 0; i < 256; i += 5) {
        if (!loop_send((uint8_t)i))
            return "byte not received";
        if (*uart(UART_DATA) != (uint8_t)i)
            return "other byte received";
        if (*uart(UART_LSR) & LSR_DR)
            return "more received than sent";
    }
    for (unsigned i = 0; i < 16; i++)
        if (!loop_send((uint8_t)(0x40 + i)))
            return "FIFO: byte not received";
    (void)!wait_for(*uart(UART_LSR) & LSR_TEMT, 1000);
    for (unsigned i = 0; i < 16; i++)
        if (*uart(UART_DATA) != 0x40 + i)
            return "FIFO: wrong byte or order";
    return *uart(UART_LSR) & LSR_DR ? "FIFO: too much in it" : NULL;
}

void uart_loopback(void)
{
    with_uart(loopback);
}

// In loopback, MCR's outputs are MSR's inputs: DTR-DSR, RTS-CTS, OUT1-RI, OUT2-DCD.
static const char *modem(void)
{
    static const struct {
        uint8_t mcr, msr;
    } pairs[] = {{0, 0}, {1, 0x20}, {2, 0x10}, {4, 0x40}, {8, 0x80}, {15, 0xf0}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        *uart(UART_MCR) = MCR_LOOP | pairs[i].mcr;
        if ((*uart(UART_MSR) & 0xf0) != pairs[i].msr)
            return "MSR does not follow MCR";
    }
    return NULL;
}

void uart_modem(void)
{
    with_uart(modem);
}

static const char *identify(void)
{
    *uart(UART_IER) = 0;
    *uart(UART_FCR) = 0x01;
    if ((*uart(UART_IIR) & 0xc0) != 0xc0)
        return "no sign of the FIFO";
    if (!(*uart(UART_IIR) & 1))
        return "an interrupt without any enabled";
    *uart(UART_FCR) = 0;
    return *uart(UART_IIR) & 0xc0 ? "FIFO can't be switched off" : NULL;
}

void uart_identify(void)
{
    with_uart(identify);
}

static const char *transmit_interrupt(void)
{
    uart_raise();
    if ((*uart(UART_IIR) & 0x0f) != 0x02)
        return "not raised by enabling it when empty";
    if (!(*uart(UART_IIR) & 1))
        return "not cleared by reading IIR";
    *uart(UART_MCR) = MCR_LOOP;
    *uart(UART_DATA) = 0;
    if (!wait_for((*uart(UART_IIR) & 0x0f) == 0x02, 1000))
        return "not raised after a byte was sent";
    return NULL;
}

void uart_transmit_interrupt(void)
{
    with_uart(transmit_interrupt);
}

static const char *receive_interrupt(void)
{
    loop_begin(0x01);
    *uart(UART_IER) = IER_RDI;
    if (!(*uart(UART_IIR) & 1))
        return "interrupt before anything arrived";
    if (!loop_send('x'))
        return "byte not received";
    // On a slow machine, the timeout comes at once.
    if ((*uart(UART_IIR) & 0x07) != 0x04)
        return "not raised";
    if ((*uart(UART_IIR) & 0x07) != 0x04)
        return "cleared by reading IIR";
    if (*uart(UART_DATA) != 'x')
        return "wrong byte";
    return *uart(UART_IIR) & 1 ? NULL : "not cleared by reading the byte";
}

void uart_receive_interrupt(void)
{
    with_uart(receive_interrupt);
}

// Fewer bytes than the trigger level: said after a while, with a code of its own.
static const char *receive_timeout(void)
{
    loop_begin(0xc1);
    *uart(UART_IER) = IER_RDI;
    if (!loop_send('x'))
        return "byte not received";
    if (!wait_for((*uart(UART_IIR) & 0x0f) == 0x0c, 1000))
        return "never indicated";
    (void)*uart(UART_DATA);
    return *uart(UART_IIR) & 1 ? NULL : "not cleared by reading the byte";
}

void uart_receive_timeout(void)
{
    with_uart(receive_timeout);
}

static const char *fifo_reset(void)
{
    loop_begin(0x01);
    if (!loop_send('x'))
        return "byte not received";
    *uart(UART_FCR) = 0x03;
    return *uart(UART_LSR) & LSR_DR ? "not emptied" : NULL;
}

void uart_fifo_reset(void)
{
    with_uart(fifo_reset);
}

static const char *overrun(void)
{
    loop_begin(0x01);
    for (unsigned i = 0; i < 18; i++)
        if (!loop_send((uint8_t)i))
            return "byte not received";
    (void)!wait_for(*uart(UART_LSR) & LSR_TEMT, 1000);
    for (unsigned i = 0; i < 15; i++)
        if (*uart(UART_DATA) != i)
            return "the first bytes were not kept";
    return NULL;
}

void uart_overrun(void)
{
    with_uart(overrun);
}
