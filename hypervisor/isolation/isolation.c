// What the harts can do, and how each is set up for guests.
#include "isolation.h"

#include "backend.h"
#include "buddy.h"
#include "csr.h"
#include "fences.h"
#include "frames.h"

// Each row: the bits an extension needs in menvcfg and henvcfg.
static const struct {
    enum isa_extension extension;
    uint64_t bits;
} envcfg_rows[] = {
    // CBO.INVAL is given as flush: a guest may not throw away what others wrote to its lines.
    {ISA_ZICBOM, ENVCFG_CBIE_FLUSH | ENVCFG_CBCFE},
    {ISA_ZICBOZ, ENVCFG_CBZE},
    {ISA_SVADU, ENVCFG_ADUE},
    {ISA_SVPBMT, ENVCFG_PBMTE},
    {ISA_SSTC, ENVCFG_STCE},
};

// Exceptions a guest handles itself. Not illegal instructions without H: there, a trapped WFI is one.
#define DELEGATED                                                                                                      \
    (1UL << CAUSE_FETCH_MISALIGNED | 1UL << CAUSE_BREAKPOINT | 1UL << CAUSE_ECALL_U | 1UL << CAUSE_FETCH_PAGE |        \
     1UL << CAUSE_LOAD_PAGE | 1UL << CAUSE_STORE_PAGE)

static unsigned vmid_bits_probe(void)
{
#if XLEN == 64
    csr_write(CSR_HGATP, 8UL << 60 | 0x3fffUL << 44);
    unsigned long vmid = csr_read(CSR_HGATP) >> 44 & 0x3fff;
#else
    csr_write(CSR_HGATP, 1UL << 31 | 0x7fUL << 22);
    unsigned long vmid = csr_read(CSR_HGATP) >> 22 & 0x7f;
#endif
    csr_write(CSR_HGATP, 0);
    return (unsigned)__builtin_ctzl(vmid + 1); // they are implemented from the lowest up
}

// Keeps the bits that the hart takes: a board's H may be older than its device tree's promises.
static uint64_t envcfg_probe(uint64_t wanted)
{
    unsigned long ignored;

    if (!csr_probe(CSR_MENVCFG, &ignored)) // before version 1.12 of the privileged specification
        return 0;
    csr_write64(CSR_MENVCFG, wanted);
    uint64_t kept = csr_read64(CSR_MENVCFG);
    if (isolation_features.hypervisor) {
        csr_write64(CSR_HENVCFG, kept);
        kept &= csr_read64(CSR_HENVCFG);
    }
    return kept & wanted;
}

// What guests may switch through the SBI, if the hart can.
static void extras_probe(struct isolation_features *f)
{
    unsigned long kept;

    csr_write(CSR_MEDELEG, DELEGATED_MISALIGNED);
    f->misaligned = csr_read(CSR_MEDELEG) == DELEGATED_MISALIGNED;
    if (f->hypervisor) {
        csr_write(CSR_HEDELEG, DELEGATED_MISALIGNED);
        f->misaligned &= csr_read(CSR_HEDELEG) == DELEGATED_MISALIGNED;
    }
    if (!csr_probe(CSR_MCOUNTINHIBIT, &kept)) // before version 1.11 of the privileged specification
        return;
    csr_write(CSR_MCOUNTINHIBIT, COUNTINHIBIT_CY_IR);
    f->counters = (csr_read(CSR_MCOUNTINHIBIT) & COUNTINHIBIT_CY_IR) == COUNTINHIBIT_CY_IR;
    csr_write(CSR_MCOUNTINHIBIT, 0);
}

void isolation_probe(const struct isa *isa)
{
    struct isolation_features *f = &isolation_features;
    unsigned long value;
    uint64_t wanted = 0;

    *f = (struct isolation_features){0};
    f->hypervisor = isa_has(isa, ISA_H) && csr_probe(CSR_HGATP, &value);
    f->fp = isa_has(isa, ISA_F);
    f->fp_double = isa_has(isa, ISA_D);
    f->time_csr = csr_probe(CSR_TIME, &value);
    f->senvcfg = csr_probe(CSR_SENVCFG, &value);
    f->stateen = csr_probe(CSR_MSTATEEN0, &value);
    if (isa_has(isa, ISA_V)) {
        csr_set(CSR_MSTATUS, STATUS_VS);
        f->vector = csr_probe(CSR_VLENB, &value);
        f->vlenb = (unsigned)value;
    }
    for (size_t i = 0; i < array_length(envcfg_rows); i++)
        if (isa_has(isa, envcfg_rows[i].extension))
            wanted |= envcfg_rows[i].bits;
    f->envcfg = envcfg_probe(wanted);
    f->sstc = (f->envcfg & ENVCFG_STCE) && csr_probe(CSR_STIMECMP, &value) &&
              (!f->hypervisor || csr_probe(CSR_STIMECMP + CSR_VS_OFFSET, &value));
    if (f->hypervisor)
        f->vmid_bits = vmid_bits_probe();
    extras_probe(f);
    pmp_probe();
}

void isolation_guest_isa(struct isa *guest)
{
    for (size_t i = 0; i < array_length(envcfg_rows); i++)
        if ((isolation_features.envcfg & envcfg_rows[i].bits) != envcfg_rows[i].bits)
            isa_remove(guest, envcfg_rows[i].extension);
    if (!isolation_features.sstc)
        isa_remove(guest, ISA_SSTC);
    if (!isolation_features.vector)
        isa_drop(guest, ISA_VECTOR);
}

enum status isolation_init(struct range hypervisor, struct range tables)
{
    return gstage_init(hypervisor, tables);
}

static struct lock growing; // before the frames' own

// By one large page. Other harts load the plan when they see the request, so before their guest's next
// instruction. What is closed meanwhile only by the second stage is nobody's RAM.
static enum status zone_grow(void)
{
    struct range zone;

    if (frames_grow_hypervisor_range(GSTAGE_MEGA, &zone) != STATUS_OK)
        return STATUS_NO_MEMORY;
    if (!isolation_features.hypervisor)
        return STATUS_OK; // plans open what is a capsule's, and nothing else
    gstage_protect_up_to(range_end(zone));
    for (unsigned i = 0; i < harts_count; i++)
        if (harts[i] != this_hart())
            hart_request(harts[i], REQUEST_PROTECT);
    isolation_protect(this_hart());
    return STATUS_OK;
}

// Each piece is a block, so twice the bytes in one block are enough for pieces of any sizes, in any order. If there is
// no such block among four times as much, it does not grow on for it.
enum status isolation_reserve(uint64_t bytes)
{
    unsigned order = buddy_order((bytes + FRAME_SIZE - 1) / FRAME_SIZE) + 1;
    enum status status = STATUS_OK;

    lock_acquire(&growing);
    while (status == STATUS_OK && !frames_hypervisor_has(order) && frames_hypervisor_free_bytes() < 4 * bytes)
        status = zone_grow();
    lock_release(&growing);
    return frames_hypervisor_free_bytes() < bytes ? status : STATUS_OK; // it may do in the pieces that there are
}

uint64_t isolation_table_bytes(uint64_t memory)
{
    return isolation_features.hypervisor ? gstage_table_bytes(memory) : 0;
}

static void hypervisor_extension_init(void)
{
    unsigned long delegated = DELEGATED;

    // Without H a trapped WFI is an illegal instruction and must come here; with H it is a virtual
    // instruction. The `time` CSR, if missing, is emulated from illegal instructions.
    if (isolation_features.time_csr)
        delegated |= 1UL << CAUSE_ILLEGAL;
    csr_set(CSR_MEDELEG, delegated);
    csr_write(CSR_HEDELEG, delegated | DELEGATED_MISALIGNED); // what medeleg lets through: see world_delegate
    csr_write(CSR_HIDELEG, INTERRUPT_VS_ALL);
    csr_write(CSR_HCOUNTEREN, COUNTEREN_CY_TM_IR);
#if XLEN == 64
    csr_write(CSR_HSTATUS, HSTATUS64_VSXL_64);
#else
    csr_write(CSR_HSTATUS, 0);
#endif
    csr_write(CSR_HGEIE, 0);
    csr_write(CSR_HIE, 0);
    csr_write(CSR_HVIP, 0);
    csr_write64(CSR_HTIMEDELTA, world_time_delta());
    if (isolation_features.envcfg)
        csr_write64(CSR_HENVCFG, isolation_features.envcfg);
    if (isolation_features.stateen)
        csr_write64(CSR_HSTATEEN0, STATEEN0_ENVCFG);
    csr_write(CSR_HGATP, 0);
    hfence_gvma_all();
}

void isolation_hart_init(struct hart *h, struct range guard)
{
    unsigned long ignored;

    pmp_guard(guard);
    csr_write(CSR_MIDELEG, INTERRUPT_S_ALL); // VS-level bits are always delegated
    csr_write(CSR_MEDELEG, DELEGATED);
    csr_write(CSR_MCOUNTEREN, COUNTEREN_CY_TM_IR);
    if (isolation_features.counters)
        csr_write(CSR_MCOUNTINHIBIT, 0);
    if (isolation_features.envcfg)
        csr_write64(CSR_MENVCFG, isolation_features.envcfg);
    if (isolation_features.stateen) {
        csr_write64(CSR_MSTATEEN0, STATEEN0_ENVCFG);
        if (csr_probe(CSR_SSTATEEN0, &ignored))
            csr_write(CSR_SSTATEEN0, 0);
    }
    if (isolation_features.hypervisor)
        hypervisor_extension_init();
    csr_write(CSR_SIE, 0);
    csr_clear(CSR_MIP, INTERRUPT_S_ALL);
    csr_write(CSR_MIE, INTERRUPT_M_ALL);
    // Whatever the registers hold now is nobody's: a hart is no world, so the first load replaces it.
    h->isolation->fp_owner = h->isolation->vector_owner = (const struct world *)h;
}
