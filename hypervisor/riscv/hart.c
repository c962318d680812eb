// Harts: time, mail, parking.
#include "hart.h"

struct hart *harts[HARTS_MAX];
unsigned harts_count;

uintptr_t hart_time_register;

void hart_time_init(bool has_time_csr, uintptr_t mtime)
{
    hart_time_register = has_time_csr ? 0 : mtime;
}

void hart_request(struct hart *h, unsigned long bits)
{
    atomic_fetch_or(&h->requests, bits);
    mmio_write32(h->msip, 1);
}

void harts_stop_others(void)
{
    for (unsigned i = 0; i < harts_count; i++)
        if (harts[i] && harts[i] != this_hart())
            hart_request(harts[i], REQUEST_STOP);
}

_Noreturn void hart_park(void)
{
    csr_write(CSR_MIE, 0);
    for (;;)
        hart_wait();
}
