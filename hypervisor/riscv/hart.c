// Harts: time, mail, parking.
#include "hart.h"

#include "io.h"

struct hart *harts[HARTS_MAX];
unsigned harts_count;

static uintptr_t time_register; // 0: harts have the `time` CSR

void hart_time_init(bool has_time_csr, uintptr_t mtime) { time_register = has_time_csr ? 0 : mtime; }

uint64_t hart_time(void)
{
    if (unlikely(time_register))
        return mmio_read64(time_register);
    return csr_read_time();
}

void hart_request(struct hart *h, unsigned long bits)
{
    atomic_fetch_or(&h->requests, bits);
    mmio_write32(h->msip, 1);
}

_Noreturn void hart_park(void)
{
    csr_write(CSR_MIE, 0);
    for (;;)
        hart_wait();
}
