// 16550: the PC16550D data sheet's registers, any spacing and width. SiFive: FU540-C000 manual,
// chapter 13.
#include "uart.h"

#include "io.h"

#define REG_DATA 0u // RBR, THR; divisor's low half while LCR.DLAB
#define REG_IER 1u  // divisor's high half while LCR.DLAB
#define REG_FCR 2u  // IIR when read
#define REG_LCR 3u
#define REG_MCR 4u
#define REG_LSR 5u

#define IER_RX 0x01u
#define IER_TX 0x02u
#define FCR_ON 0x01u // FIFOs on, an interrupt from the first byte on; what is in them stays
#define LCR_8N1 0x03u
#define LCR_DLAB 0x80u
#define MCR_ON 0x0bu // DTR, RTS, OUT2: some boards gate the interrupt with it
#define LSR_RX 0x01u
#define LSR_TX 0x20u
#define FIFO_DEPTH 16u

#define SIFIVE_TXDATA 0x00u
#define SIFIVE_RXDATA 0x04u
#define SIFIVE_TXCTRL 0x08u
#define SIFIVE_RXCTRL 0x0cu
#define SIFIVE_IE 0x10u
#define SIFIVE_DIV 0x18u
#define SIFIVE_FLAG (1u << 31) // full, empty
#define SIFIVE_TX_ON 0x10001u  // with the watermark interrupt below one byte: when the FIFO is empty
#define SIFIVE_RX_ON 0x1u
#define SIFIVE_IE_TX 0x1u
#define SIFIVE_IE_RX 0x2u

static struct uart_config uart;
static bool rx_on;
static bool byte_wide; // a 16550 whose registers are bytes, and so whose data register is at `base`

static uint32_t reg_read(uint32_t reg)
{
    uintptr_t address = uart.base + ((uintptr_t)reg << uart.reg_shift);
    if (likely(uart.reg_io_width <= 1))
        return mmio_read8(address);
    return uart.reg_io_width == 2 ? mmio_read16(address) : mmio_read32(address);
}

static void reg_write(uint32_t reg, uint32_t value)
{
    uintptr_t address = uart.base + ((uintptr_t)reg << uart.reg_shift);
    if (likely(uart.reg_io_width <= 1))
        mmio_write8(address, (uint8_t)value);
    else if (uart.reg_io_width == 2)
        mmio_write16(address, (uint16_t)value);
    else
        mmio_write32(address, value);
}

// Without a known clock the loader's rate is right, or the wire is none, as in QEMU.
static void baud_set(void)
{
    uint32_t divisor = uart.clock_hz && uart.baud ? (uart.clock_hz + 8 * uart.baud) / (16 * uart.baud) : 0;
    if (!divisor || divisor > 0xffff)
        return;
    reg_write(REG_LCR, LCR_8N1 | LCR_DLAB);
    reg_write(REG_DATA, divisor & 0xff);
    reg_write(REG_IER, divisor >> 8);
}

static void ns16550_init(void)
{
    reg_write(REG_LCR, LCR_8N1);
    reg_write(REG_IER, 0);
    baud_set();
    reg_write(REG_LCR, LCR_8N1);
    reg_write(REG_FCR, FCR_ON);
    reg_write(REG_MCR, MCR_ON);
}

static void sifive_init(void)
{
    mmio_write32(uart.base + SIFIVE_IE, 0);
    if (uart.clock_hz && uart.baud)
        mmio_write32(uart.base + SIFIVE_DIV, uart.clock_hz / uart.baud - 1);
    mmio_write32(uart.base + SIFIVE_TXCTRL, SIFIVE_TX_ON);
    mmio_write32(uart.base + SIFIVE_RXCTRL, SIFIVE_RX_ON);
}

void uart_init(const struct uart_config *config)
{
    uart = *config;
    byte_wide = uart.kind == UART_16550 && uart.reg_io_width <= 1;
    if (uart.kind == UART_16550)
        ns16550_init();
    else if (uart.kind == UART_SIFIVE)
        sifive_init();
}

// The SiFive port only says that it is not full.
unsigned uart_tx_depth(void)
{
    return uart.kind == UART_16550 ? FIFO_DEPTH : uart.kind == UART_SIFIVE;
}

bool uart_tx_ready(void)
{
    if (likely(uart.kind == UART_16550))
        return reg_read(REG_LSR) & LSR_TX;
    return uart.kind == UART_SIFIVE && !(mmio_read32(uart.base + SIFIVE_TXDATA) & SIFIVE_FLAG);
}

static void tx_other(uint8_t byte)
{
    if (uart.kind == UART_16550)
        reg_write(REG_DATA, byte);
    else if (uart.kind == UART_SIFIVE)
        mmio_write32(uart.base + SIFIVE_TXDATA, byte);
}

void uart_tx(uint8_t byte)
{
    if (likely(byte_wide))
        mmio_write8(uart.base + REG_DATA, byte);
    else
        tx_other(byte);
}

static int sifive_rx(void)
{
    uint32_t data = mmio_read32(uart.base + SIFIVE_RXDATA);
    return data & SIFIVE_FLAG ? -1 : (int)(data & 0xff);
}

int uart_rx(void)
{
    if (uart.kind == UART_16550)
        return reg_read(REG_LSR) & LSR_RX ? (int)(reg_read(REG_DATA) & 0xff) : -1;
    return uart.kind == UART_SIFIVE ? sifive_rx() : -1;
}

void uart_interrupts_on(void)
{
    rx_on = true;
    uart_tx_interrupt(false);
}

void uart_tx_interrupt(bool on)
{
    if (uart.kind == UART_16550)
        reg_write(REG_IER, (on ? IER_TX : 0) | (rx_on ? IER_RX : 0));
    else if (uart.kind == UART_SIFIVE)
        mmio_write32(uart.base + SIFIVE_IE, (on ? SIFIVE_IE_TX : 0) | (rx_on ? SIFIVE_IE_RX : 0));
}

// Reading IIR takes back the "transmitter empty" request; the others end with their cause.
void uart_interrupt_clear(void)
{
    if (uart.kind == UART_16550)
        reg_read(REG_FCR);
}
