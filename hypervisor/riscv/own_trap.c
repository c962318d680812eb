// Traps of the hypervisor itself: guarded accesses go on at their cure, all else is our own bug.
#include "own_trap.h"

#include <inttypes.h>

#include "log.h"

struct fixup {
    int32_t insn, cure; // relative to the member's own address: position-independent
};

extern const struct fixup fixups_start[], fixups_end[];

static uintptr_t fixup_find(uintptr_t pc)
{
    for (const struct fixup *f = fixups_start; f < fixups_end; f++)
        if ((uintptr_t)&f->insn + (uintptr_t)(intptr_t)f->insn == pc)
            return (uintptr_t)&f->cure + (uintptr_t)(intptr_t)f->cure;
    return 0;
}

// Frame pointers are kept (-fno-omit-frame-pointer in debug builds only), so the backtrace scans
// the stack for return addresses instead: a few false friends, but no cost in the code.
static void backtrace_print(const struct hart *h)
{
    extern const char image_text_start[], image_text_end[];
    uintptr_t start = (uintptr_t)image_text_start, end = (uintptr_t)image_text_end;
    uintptr_t sp = h->own.x[2] & ~(uintptr_t)(sizeof(uintptr_t) - 1);
    unsigned shown = 0;

    if (sp > h->stack_top || h->stack_top - sp > 16384)
        return;
    for (const uintptr_t *word = (const uintptr_t *)sp; (uintptr_t)word < h->stack_top && shown < 12; word++)
        if (*word > start && *word < end) {
            log_error("  possibly called from +0x%lx", (unsigned long)(*word - start));
            shown++;
        }
}

static void registers_print(const struct hart *h)
{
    for (unsigned i = 1; i < 32; i += 4)
        log_error("  x%-2u %016" PRIxPTR " %016" PRIxPTR " %016" PRIxPTR " %016" PRIxPTR, i, (uintptr_t)h->own.x[i],
                  (uintptr_t)(i + 1 < 32 ? h->own.x[i + 1] : 0), (uintptr_t)(i + 2 < 32 ? h->own.x[i + 2] : 0),
                  (uintptr_t)(i + 3 < 32 ? h->own.x[i + 3] : 0));
}

void own_trap(struct hart *h)
{
    extern const char image_text_start[];
    uintptr_t pc = csr_read(CSR_MEPC);
    uintptr_t cure = fixup_find(pc);

    h->own.pc = pc;
    h->own.cause = csr_read(CSR_MCAUSE);
    h->own.value = csr_read(CSR_MTVAL);
    if (cure) {
        csr_write(CSR_MEPC, cure);
        return;
    }
    if (h->own_depth++) // the report itself faults: nothing more can be said
        hart_park();
    h->own.x[4] = (unsigned long)(uintptr_t)h;
    log_error("hart %lu: trap in the hypervisor: cause %lu, value 0x%lx, at +0x%lx", h->id, h->own.cause, h->own.value,
              (unsigned long)(pc - (uintptr_t)image_text_start));
    registers_print(h);
    backtrace_print(h);
    panic("a fault in the hypervisor itself");
}
