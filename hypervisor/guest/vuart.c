#include "vuart.h"

// Registers and bits as in the data sheets of the PC16550D and its kin.
enum { RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };

#define IER_RECEIVED 0x01u
#define IER_EMPTY 0x02u
#define IER_LINE 0x04u
#define IER_MODEM 0x08u

// Causes, the most urgent first.
#define IIR_LINE 0x06u
#define IIR_RECEIVED 0x04u
#define IIR_TIMEOUT 0x0cu // bytes below the FIFO's trigger level, and the line is idle
#define IIR_EMPTY 0x02u
#define IIR_MODEM 0x00u
#define IIR_NONE 0x01u
#define IIR_FIFO 0xc0u

#define FCR_ENABLE 0x01u
#define FCR_RESET_RECEIVER 0x02u
#define FCR_RESET_TRANSMITTER 0x04u
#define FCR_TRIGGER 0xc0u

#define LCR_DIVISOR 0x80u
#define MCR_LOOPBACK 0x10u
#define LSR_READY 0x01u
#define LSR_OVERRUN 0x02u
#define LSR_BREAK 0x10u
#define LSR_EMPTY 0x60u     // holding register and shifter
#define MSR_CONNECTED 0xb0u // CTS, DSR, DCD
#define MSR_CHANGES 0x0fu
#define MSR_RING 0x40u

static bool fifo_push(struct vuart_fifo *fifo, uint8_t byte)
{
    if (fifo->count == VUART_FIFO_SIZE)
        return false;
    fifo->bytes[(fifo->head + fifo->count++) % VUART_FIFO_SIZE] = byte;
    return true;
}

static void fifo_drop(struct vuart_fifo *fifo, size_t count)
{
    fifo->head = (uint8_t)((fifo->head + count) % VUART_FIFO_SIZE);
    fifo->count = (uint8_t)(fifo->count - count);
}

static uint8_t interrupt_cause(const struct vuart *uart)
{
    if ((uart->ier & IER_LINE) && (uart->lsr & LSR_OVERRUN))
        return IIR_LINE;
    if ((uart->ier & IER_RECEIVED) && (uart->lsr & LSR_READY))
        return uart->fcr & FCR_TRIGGER ? IIR_TIMEOUT : IIR_RECEIVED;
    if ((uart->ier & IER_EMPTY) && uart->thre_pending)
        return IIR_EMPTY;
    if ((uart->ier & IER_MODEM) && (uart->msr & MSR_CHANGES))
        return IIR_MODEM;
    return IIR_NONE;
}

// Brings up to date what is kept for the fast paths. Every call that changes something ends with it.
static void update(struct vuart *uart)
{
    uart->detour = (uart->lcr & LCR_DIVISOR) || (uart->mcr & MCR_LOOPBACK) || uart->tx.count;
    uart->irq = interrupt_cause(uart) != IIR_NONE;
}

// In loopback the line is cut off: what the port has waits there.
static void receiver_look(struct vuart *uart)
{
    bool from_port = !uart->rx_hidden && !(uart->mcr & MCR_LOOPBACK);
    bool asked = uart->asked && from_port && !uart->loopback.count;
    bool ready = asked || uart->loopback.count || (from_port && uart->port->has_input(uart->owner));
    bool is_break = asked && uart->asked % 2 == 0;
    uart->lsr =
        (uint8_t)((uart->lsr & ~(LSR_READY | LSR_BREAK)) | (ready ? LSR_READY : 0) | (is_break ? LSR_BREAK : 0));
}

// A break reads as a zero byte.
static uint8_t asked_read(struct vuart *uart)
{
    static const uint8_t letters[] = "ous"; // from the end
    uint8_t left = uart->asked--;
    return left % 2 ? letters[left / 2] : 0;
}

void vuart_ask(struct vuart *uart)
{
    uart->asked = 2 * 3;
}

// Drivers reset the FIFO when they start, and read a byte to be sure. On hardware that costs what was
// typed ahead; here it is hidden until the driver wants receive interrupts or more comes.
static void receiver_reset(struct vuart *uart)
{
    uart->loopback.count = 0;
    uart->rx_hidden = !(uart->ier & IER_RECEIVED);
    receiver_look(uart);
}

static uint8_t receiver_read(struct vuart *uart)
{
    int byte = 0;
    if (!(uart->lsr & LSR_READY))
        return 0;
    if (uart->loopback.count) {
        byte = uart->loopback.bytes[uart->loopback.head];
        fifo_drop(&uart->loopback, 1);
    } else if (uart->asked) {
        byte = asked_read(uart);
    } else {
        byte = uart->port->read(uart->owner);
    }
    receiver_look(uart);
    return byte < 0 ? 0 : (uint8_t)byte;
}

// What is in the FIFO counts as on its way already, so resetting the FIFO doesn't touch it.
static void transmitter_empty(struct vuart *uart)
{
    if (uart->tx.count)
        return;
    uart->lsr |= LSR_EMPTY;
    uart->thre_pending = true;
}

static void transmitter_flush(struct vuart *uart)
{
    struct vuart_fifo *tx = &uart->tx;
    if (!tx->count)
        return;
    while (tx->count) {
        size_t straight = VUART_FIFO_SIZE - tx->head;
        size_t count = tx->count < straight ? tx->count : straight;
        size_t taken = uart->port->write(uart->owner, tx->bytes + tx->head, count);
        if (!taken)
            return;
        fifo_drop(tx, taken);
    }
    transmitter_empty(uart);
}

// A byte that finds the FIFO full is lost: its sender didn't look.
static void transmitter_hold(struct vuart *uart, uint8_t byte)
{
    (void)fifo_push(&uart->tx, byte);
    uart->lsr &= (uint8_t)~LSR_EMPTY;
    uart->thre_pending = false;
}

static void loopback_write(struct vuart *uart, uint8_t byte)
{
    uart->lsr |= fifo_push(&uart->loopback, byte) ? LSR_READY : LSR_OVERRUN;
    transmitter_empty(uart);
}

static void write_byte(struct vuart *uart, uint8_t byte)
{
    if (uart->lcr & LCR_DIVISOR)
        uart->dll = byte;
    else if (uart->mcr & MCR_LOOPBACK)
        loopback_write(uart, byte);
    else
        transmitter_hold(uart, byte);
}

// Enabling an interrupt whose reason is there already raises it: drivers start sending that way.
static void write_ier(struct vuart *uart, uint8_t value)
{
    uint8_t enabled = value & (uint8_t)~uart->ier;
    if (uart->lcr & LCR_DIVISOR) {
        uart->dlm = value;
        return;
    }
    uart->ier = value & (IER_RECEIVED | IER_EMPTY | IER_LINE | IER_MODEM);
    if (enabled & IER_EMPTY)
        uart->thre_pending = uart->lsr & LSR_EMPTY;
    if (enabled & IER_RECEIVED) {
        uart->rx_hidden = false;
        receiver_look(uart);
    }
}

static void write_fcr(struct vuart *uart, uint8_t value)
{
    uint8_t resets = value;
    if ((value ^ uart->fcr) & FCR_ENABLE)
        resets |= FCR_RESET_RECEIVER | FCR_RESET_TRANSMITTER;
    uart->fcr = value & FCR_ENABLE ? value & (FCR_ENABLE | FCR_TRIGGER) : 0;
    if (resets & FCR_RESET_RECEIVER)
        receiver_reset(uart);
    if (resets & FCR_RESET_TRANSMITTER)
        transmitter_empty(uart);
}

// The modem lines: always connected, or in loopback our own outputs DTR, RTS, OUT1, OUT2.
static uint8_t modem_lines(uint8_t mcr)
{
    if (!(mcr & MCR_LOOPBACK))
        return MSR_CONNECTED;
    return (uint8_t)((mcr & 0x0c) << 4 | (mcr & 0x02) << 3 | (mcr & 0x01) << 5);
}

static void write_mcr(struct vuart *uart, uint8_t value)
{
    uint8_t lines = modem_lines(value);
    uint8_t changes = (lines ^ uart->msr) & 0xf0;
    if (lines & MSR_RING) // only its end counts
        changes &= (uint8_t)~MSR_RING;
    uart->mcr = value & 0x1f;
    uart->msr = (uint8_t)(lines | (uart->msr & MSR_CHANGES) | changes >> 4);
    receiver_look(uart);
}

static uint8_t read_iir(struct vuart *uart)
{
    uint8_t cause = interrupt_cause(uart);
    if (cause == IIR_EMPTY)
        uart->thre_pending = false;
    return (uint8_t)(cause | (uart->fcr & FCR_ENABLE ? IIR_FIFO : 0));
}

static uint8_t read_and_clear(uint8_t *from, uint8_t bits)
{
    uint8_t value = *from;
    *from = value & (uint8_t)~bits;
    return value;
}

static uint8_t read_register(struct vuart *uart, uint32_t offset)
{
    bool divisor = uart->lcr & LCR_DIVISOR;
    switch (offset) {
    case RBR_THR:
        return divisor ? uart->dll : receiver_read(uart);
    case IER:
        return divisor ? uart->dlm : uart->ier;
    case IIR_FCR:
        return read_iir(uart);
    case LCR:
        return uart->lcr;
    case MCR:
        return uart->mcr;
    case LSR:
        return read_and_clear(&uart->lsr, LSR_OVERRUN);
    case MSR:
        return read_and_clear(&uart->msr, MSR_CHANGES);
    case SCR:
        return uart->scr;
    }
    return 0;
}

static void write_register(struct vuart *uart, uint32_t offset, uint8_t value)
{
    switch (offset) {
    case RBR_THR:
        write_byte(uart, value);
        break;
    case IER:
        write_ier(uart, value);
        break;
    case IIR_FCR:
        write_fcr(uart, value);
        break;
    case LCR:
        uart->lcr = value;
        break;
    case MCR:
        write_mcr(uart, value);
        break;
    case SCR:
        uart->scr = value;
        break;
    }
}

// The slow ways are functions of their own, so that the fast ones need no stack frame for them.
static __attribute__((noinline)) uint8_t read_slowly(struct vuart *uart, uint32_t offset)
{
    uint8_t value = read_register(uart, offset);
    update(uart);
    return value;
}

static __attribute__((noinline)) void write_slowly(struct vuart *uart, uint32_t offset, uint8_t value)
{
    write_register(uart, offset, value);
    transmitter_flush(uart);
    update(uart);
}

uint8_t vuart_read(struct vuart *uart, uint32_t offset)
{
    if (likely(offset == LSR && !(uart->lsr & LSR_OVERRUN)))
        return uart->lsr;
    return read_slowly(uart, offset);
}

void vuart_write(struct vuart *uart, uint32_t offset, uint8_t value)
{
    if (unlikely(offset != RBR_THR || uart->detour || !uart->port->write(uart->owner, &value, 1))) {
        write_slowly(uart, offset, value);
        return;
    }
    uart->thre_pending = true;
    if (uart->ier & IER_EMPTY)
        uart->irq = true;
}

void vuart_poll(struct vuart *uart)
{
    uart->rx_hidden = false;
    receiver_look(uart);
    transmitter_flush(uart);
    update(uart);
}

void vuart_init(struct vuart *uart, const struct vuart_port *port, void *owner)
{
    *uart =
        (struct vuart){.port = port, .owner = owner, .lsr = LSR_EMPTY, .msr = MSR_CONNECTED, .lcr = 0x03, .dll = 12};
    receiver_look(uart);
}
