// The port: what was typed, and what is on its way to the terminal.
#include <stdio.h>

#include "ask.h"
#include "console.h"
#include "service.h"
#include "uart.h"

#define DEPTH 256u        // bytes that the console's code hands over at once
#define WAITING_MAX 4096u // the most that wait to be taken

static uint8_t typed[256], waiting[WAITING_MAX];
static size_t typed_count, typed_at, waiting_count;

unsigned uart_tx_depth(void)
{
    return DEPTH;
}

bool uart_tx_ready(void)
{
    return waiting_count + DEPTH <= WAITING_MAX;
}

void uart_tx(uint8_t byte)
{
    waiting[waiting_count++] = byte;
}

int uart_rx(void)
{
    return typed_at < typed_count ? typed[typed_at++] : -1;
}

// It is seen to all the same: main.c calls console_interrupt() in each round.
void uart_tx_interrupt(bool on)
{
    (void)on;
}

bool terminal_read(void)
{
    uint64_t count;

    if (typed_at < typed_count)
        return true;
    typed_at = typed_count = 0;
    long error = hv_transfer(DIOSIX_TYPED, 0, 0, typed, sizeof(typed), &count);
    if (error == SBI_ERR_INVALID_STATE) { // the hypervisor has taken it back: we are to begin anew
        puts("console: the terminal was lost");
        sv_exit(0);
    }
    if (error)
        return false;
    typed_count = (size_t)count;
    return typed_count;
}

bool terminal_write(void)
{
    uint64_t taken = 0;
    size_t done = 0;

    while (done < waiting_count && !hv_transfer(DIOSIX_SHOW, 0, 0, waiting + done, waiting_count - done, &taken) &&
           taken)
        done += (size_t)taken;
    for (size_t i = done; i < waiting_count; i++)
        waiting[i - done] = waiting[i];
    waiting_count -= done;
    return !waiting_count;
}
