// A guest's supervisor state: in VS-mode's CSRs where harts have the H extension, in S-mode's where
// they don't. The registers are the same ones, at another number, so one macro makes both halves.
#include "backend.h"
#include "csr.h"
#include "fences.h"
#include "float.h"

struct isolation_features isolation_features;

uint64_t world_delta;

#define WORLD_SAVE(w, offset)                                                                                          \
    do {                                                                                                               \
        (w)->status = csr_read(CSR_SSTATUS + (offset));                                                                \
        (w)->ie = csr_swap(CSR_SIE + (offset), 0);                                                                     \
        (w)->tvec = csr_read(CSR_STVEC + (offset));                                                                    \
        (w)->scratch = csr_read(CSR_SSCRATCH + (offset));                                                              \
        (w)->epc = csr_read(CSR_SEPC + (offset));                                                                      \
        (w)->cause = csr_read(CSR_SCAUSE + (offset));                                                                  \
        (w)->tval = csr_read(CSR_STVAL + (offset));                                                                    \
        (w)->satp = csr_read(CSR_SATP + (offset));                                                                     \
        if (isolation_features.sstc)                                                                                   \
            (w)->timecmp = csr_read64(CSR_STIMECMP + (offset));                                                        \
    } while (0)

#define WORLD_LOAD(w, offset)                                                                                          \
    do {                                                                                                               \
        csr_write(CSR_SSTATUS + (offset), (w)->status);                                                                \
        csr_write(CSR_SIE + (offset), (w)->ie);                                                                        \
        csr_write(CSR_STVEC + (offset), (w)->tvec);                                                                    \
        csr_write(CSR_SSCRATCH + (offset), (w)->scratch);                                                              \
        csr_write(CSR_SEPC + (offset), (w)->epc);                                                                      \
        csr_write(CSR_SCAUSE + (offset), (w)->cause);                                                                  \
        csr_write(CSR_STVAL + (offset), (w)->tval);                                                                    \
        csr_write(CSR_SATP + (offset), (w)->satp);                                                                     \
        if (isolation_features.sstc)                                                                                   \
            csr_write_timecmp(CSR_STIMECMP + (offset), (w)->timecmp);                                                  \
    } while (0)

static inline bool is_vs(void)
{
    return isolation_features.hypervisor;
}

void world_set_time_origin(uint64_t host_time)
{
    world_delta = is_vs() ? -host_time : 0;
}

#if XLEN == 64
#define STATUS_WIDTHS (STATUS64_UXL_64 | STATUS64_SXL_64)
#define STATUS_VIRTUAL STATUS64_MPV
#define VSSTATUS_WIDTHS STATUS64_UXL_64
#else
#define STATUS_WIDTHS 0
#define STATUS_VIRTUAL 0 // in mstatush, which world_enter writes
#define VSSTATUS_WIDTHS 0
#endif

void world_reset(struct world *w)
{
    w->mstatus = STATUS_MPP_S | STATUS_MPIE | STATUS_WIDTHS | (is_vs() ? STATUS_VIRTUAL : 0);
    w->status = is_vs() ? VSSTATUS_WIDTHS : 0;
    // SBI HSM: sstatus.SIE and satp are 0. FS and VS are off, as on QEMU's default firmware; under VS
    // what counts for the hypervisor is mstatus, and the guest's own switch is vsstatus.
    w->ie = w->tvec = w->scratch = w->epc = w->cause = w->tval = w->satp = 0;
    w->envcfg = 0;
    w->counteren = COUNTEREN_CY_TM_IR; // Linux leaves it as the firmware did, and its vDSO reads `time`
    w->pending = 0;
    w->timecmp = UINT64_MAX;
    w->fp_used = w->vector_used = false;
    w->fp_home = w->vector_home = NULL;
    w->fp.fcsr = 0;
    if (w->vector)
        w->vector->vcsr = w->vector->vstart = 0;
    atomic_store_explicit(&w->stale, 1, memory_order_relaxed);
}

// --- floating point and vectors ---------------------------------------------------------------
//
// Under VS, mstatus.FS and VS tell truly whether the registers were written since the guest was
// loaded. Without H there is only the guest's own field, which Linux turns off while user state is
// live in the registers: there they are always saved. And QEMU does not tell of writes to the CSRs
// alone, so these are looked at.

static void float_save(struct isolation_hart *iso, struct world *w)
{
    if (is_vs() && (w->mstatus & STATUS_FS) != STATUS_FS && csr_read(CSR_FCSR) == w->fp.fcsr)
        return;
    csr_set(CSR_MSTATUS, STATUS_FS);
    float_registers_save(&w->fp, isolation_features.fp_double);
    w->fp_used = true;
    w->fp_home = iso;
    iso->fp_owner = w;
}

static void float_load(struct isolation_hart *iso, struct world *w)
{
    const struct world *wanted = w->fp_used ? w : NULL;

    if (iso->fp_owner == wanted && (!wanted || w->fp_home == iso))
        return;
    csr_set(CSR_MSTATUS, STATUS_FS);
    if (!wanted)
        w->fp = (struct fp_state){0};
    float_registers_load(&w->fp, isolation_features.fp_double);
    iso->fp_owner = wanted;
    w->fp_home = iso;
}

static void vector_save(struct isolation_hart *iso, struct world *w)
{
    if (is_vs() && (w->mstatus & STATUS_VS) != STATUS_VS && csr_read(CSR_VCSR) == w->vector->vcsr &&
        csr_read(CSR_VSTART) == w->vector->vstart)
        return;
    csr_set(CSR_MSTATUS, STATUS_VS);
    vector_registers_save(w->vector, isolation_features.vlenb);
    w->vector_used = true;
    w->vector_home = iso;
    iso->vector_owner = w;
}

static void vector_load(struct isolation_hart *iso, struct world *w)
{
    const struct world *wanted = w->vector_used ? w : NULL;

    if (iso->vector_owner == wanted && (!wanted || w->vector_home == iso))
        return;
    csr_set(CSR_MSTATUS, STATUS_VS);
    if (!wanted)
        vector_registers_clear();
    else
        vector_registers_load(w->vector, isolation_features.vlenb);
    iso->vector_owner = wanted;
    w->vector_home = iso;
}

// mstatus for the guest: under VS with clean FP and vector state, so that the next save knows.
static unsigned long status_for(const struct world *w)
{
    unsigned long status = w->mstatus;

    if (is_vs()) {
        status &= ~(STATUS_FS | STATUS_VS);
        if (isolation_features.fp)
            status |= EXTENSION_CLEAN << STATUS_FS_SHIFT;
        if (isolation_features.vector)
            status |= EXTENSION_CLEAN << STATUS_VS_SHIFT;
    }
    return status;
}

// --- entering and leaving ----------------------------------------------------------------------

// What is cached for other translations, or code, must not be seen by this vcore. All of a guest's
// harts share nothing but what it fences: so a vcore that moved, or finds a sibling's leftovers under
// its VMID, starts clean. Under pmp all guests share the ASIDs, and any change of guest does.
static void caches_settle(struct hart *h, struct world *w, bool space_changed)
{
    struct isolation_hart *iso = h->isolation;
    struct space *s = w->space;
    bool moved = w->last != iso;
    bool stale = atomic_exchange_explicit(&w->stale, 0, memory_order_acq_rel);
    unsigned resident = atomic_load_explicit(&s->resident[h->index], memory_order_relaxed);
    bool other = resident != w->index + 1u;

    // In one step, and not at all if it is there already: who clears it meanwhile (space_forget) must not be
    // overwritten, as this vcore may have left again before they look where it runs.
    if (other)
        resident = atomic_exchange_explicit(&s->resident[h->index], w->index + 1u, memory_order_acq_rel);
    if (resident == 0 && s->kind == ISOLATION_GSTAGE)
        hfence_gvma_vmid(s->vmid); // the VMID may have been another's, or what it maps has changed
    w->last = iso;
    if (moved || stale || other || (space_changed && s->vmid == 0)) {
        // Off before the fence: the last vcore's table may be walked ahead of time as long as it is there.
        if (is_vs()) {
            csr_write(CSR_SATP + CSR_VS_OFFSET, 0);
            hfence_vvma_all();
        } else {
            csr_write(CSR_SATP, 0);
            sfence_all();
        }
    }
    if (moved || stale)
        fence_i();
}

void world_enter(struct hart *h, struct world *w)
{
    struct isolation_hart *iso = h->isolation;
    const struct space *s = w->space;
    bool changed = iso->serial != s->serial;

    if (changed) {
        // A plan of its own may lie where that of a space that is gone did.
        if (iso->plan != s->plan || s->plan == &s->own_plan)
            pmp_load(s->plan);
        iso->plan = s->plan;
        if (is_vs())
            gstage_activate(s);
        iso->serial = s->serial;
    }
    caches_settle(h, w, changed);
    if (isolation_features.fp)
        float_load(iso, w);
    if (isolation_features.vector)
        vector_load(iso, w);
    csr_write(CSR_MSTATUS, status_for(w));
#if XLEN == 32
    if (is_vs())
        csr_write(CSR_MSTATUSH, STATUS64_MPV >> 32);
#endif
    if (is_vs()) {
        WORLD_LOAD(w, CSR_VS_OFFSET);
        csr_write(CSR_HVIP, w->pending << 1);
    } else {
        WORLD_LOAD(w, 0);
        csr_clear(CSR_MIP, INTERRUPT_S_ALL);
        csr_set(CSR_MIP, w->pending);
    }
    if (isolation_features.senvcfg)
        csr_write(CSR_SENVCFG, w->envcfg);
    csr_write(CSR_SCOUNTEREN, w->counteren);
    if (unlikely(w->delegated != iso->delegated))
        world_delegate(iso, w);
    if (unlikely(w->counters.own))
        world_counters_exchange(w);
    // Another guest's reservation must not let this one's store-conditional succeed.
    reservation_drop();
}

void world_leave(struct hart *h, struct world *w)
{
    struct isolation_hart *iso = h->isolation;

    if (unlikely(w->counters.own))
        world_counters_exchange(w);
    w->mstatus = csr_read(CSR_MSTATUS) & ~STATUS_TW;
    if (is_vs()) {
        WORLD_SAVE(w, CSR_VS_OFFSET);
        w->pending = csr_swap(CSR_HVIP, 0) >> 1;
    } else {
        WORLD_SAVE(w, 0);
        w->pending = csr_read(CSR_MIP) & INTERRUPT_S_ALL;
        if (isolation_features.sstc)
            w->pending &= ~(1UL << INTERRUPT_S_TIMER); // stimecmp says so by itself
    }
    if (isolation_features.senvcfg)
        w->envcfg = csr_read(CSR_SENVCFG);
    w->counteren = csr_read(CSR_SCOUNTEREN);
    if (isolation_features.fp)
        float_save(iso, w);
    if (isolation_features.vector)
        vector_save(iso, w);
}

void world_quiesce(void)
{
    // world_leave has cleared the guest's enables already; nothing of S-level may wake an idle hart.
    if (is_vs())
        csr_write(CSR_SIE + CSR_VS_OFFSET, 0);
    else
        csr_write(CSR_SIE, 0);
}

// --- interrupts and time ------------------------------------------------------------------------

void world_set_timer(uint64_t guest_time)
{
    if (is_vs())
        csr_write_timecmp(CSR_STIMECMP + CSR_VS_OFFSET, guest_time);
    else
        csr_write_timecmp(CSR_STIMECMP, guest_time);
}

// --- exceptions -----------------------------------------------------------------------------------

// A trap into S-mode as hardware takes it (privileged specification, "Supervisor Trap Vector").
static unsigned long status_trapped(unsigned long status, bool from_supervisor)
{
    status &= ~(STATUS_SPP | STATUS_SPIE);
    if (from_supervisor)
        status |= STATUS_SPP;
    if (status & STATUS_SIE)
        status |= STATUS_SPIE;
    return status & ~STATUS_SIE;
}

#define TRAP_INTO(offset)                                                                                              \
    do {                                                                                                               \
        csr_write(CSR_SEPC + (offset), c->pc);                                                                         \
        csr_write(CSR_SCAUSE + (offset), cause);                                                                       \
        csr_write(CSR_STVAL + (offset), value);                                                                        \
        csr_write(CSR_SSTATUS + (offset), status_trapped(csr_read(CSR_SSTATUS + (offset)), from_supervisor));          \
        c->pc = csr_read(CSR_STVEC + (offset)) & ~3UL;                                                                 \
    } while (0)

void world_reflect(struct context *c, unsigned long cause, unsigned long value)
{
    bool from_supervisor = csr_read(CSR_MSTATUS) & STATUS_MPP;

    if (is_vs())
        TRAP_INTO(CSR_VS_OFFSET);
    else
        TRAP_INTO(0);
    csr_set(CSR_MSTATUS, STATUS_MPP_S);
}

unsigned long fault_access_cause(unsigned long cause)
{
    switch (cause) {
    case CAUSE_FETCH_GUEST_PAGE:
        return CAUSE_FETCH_ACCESS;
    case CAUSE_LOAD_GUEST_PAGE:
        return CAUSE_LOAD_ACCESS;
    case CAUSE_STORE_GUEST_PAGE:
        return CAUSE_STORE_ACCESS;
    default:
        return cause;
    }
}

static unsigned long page_cause(unsigned long cause)
{
    return cause == CAUSE_FETCH_ACCESS ? CAUSE_FETCH_PAGE : cause + (CAUSE_LOAD_PAGE - CAUSE_LOAD_ACCESS);
}

bool world_translate(const struct world *w, uint64_t address, uint64_t *out)
{
    return pmp_walk(w, w->satp, address, out) == WALK_OK;
}

static unsigned long satp_loaded(void)
{
    return is_vs() ? csr_read(CSR_SATP + CSR_VS_OFFSET) : csr_read(CSR_SATP);
}

bool world_translate_loaded(const struct world *w, uint64_t address, uint64_t *out)
{
    return pmp_walk(w, satp_loaded(), address, out) == WALK_OK;
}

static bool locate_by_walk(const struct world *w, struct fault *f, struct gpa *out)
{
    switch (pmp_walk(w, satp_loaded(), f->value, &out->value)) {
    case WALK_PAGE_FAULT: // the guest changed its table meanwhile
        f->cause = page_cause(f->cause);
        return false;
    case WALK_ACCESS_FAULT:
        return false;
    case WALK_OK:
        break;
    }
    return true;
}

bool isolation_locate(const struct world *w, struct fault *f, struct gpa *out)
{
    if (f->cause < CAUSE_FETCH_GUEST_PAGE)
        return locate_by_walk(w, f, out);
    f->cause = fault_access_cause(f->cause);
    uint64_t address = (uint64_t)csr_read(CSR_MTVAL2) << 2;
    bool is_implicit = f->insn == 0x3000 || f->insn == 0x3020 || f->insn == 0x2000 || f->insn == 0x2020;
    if (address == 0 && !is_implicit) // the hart doesn't say
        return locate_by_walk(w, f, out);
    // An implicit access to the guest's own page table (a pseudo-instruction in mtinst) is no MMIO.
    if (address)
        *out = gpa(address | (f->value & 3));
    return !is_implicit;
}

// --- fences ---------------------------------------------------------------------------------------

// Beyond this many pages one fence for all is cheaper.
#define FENCE_PAGES_MAX 64

static void fence_one(unsigned long address, const struct fence_request *r)
{
    if (is_vs()) {
        if (r->by_asid)
            hfence_vvma_address_asid(address, r->asid);
        else
            hfence_vvma_address(address);
    } else if (r->by_asid) {
        sfence_address_asid(address, r->asid);
    } else {
        sfence_address(address);
    }
}

static void fence_everything(const struct fence_request *r)
{
    if (is_vs()) {
        if (r->by_asid)
            hfence_vvma_asid(r->asid);
        else
            hfence_vvma_all();
    } else if (r->by_asid) {
        sfence_asid(r->asid);
    } else {
        sfence_all();
    }
}

void world_fence(const struct fence_request *r)
{
    if (r->instruction)
        fence_i();
    if (!r->translation)
        return;
    // SBI RFENCE: start and size both 0, or size -1, mean the whole address space.
    if ((r->start == 0 && r->size == 0) || r->size > FENCE_PAGES_MAX * FRAME_SIZE) {
        fence_everything(r);
        return;
    }
    unsigned long first = r->start & -(unsigned long)FRAME_SIZE;
    for (unsigned long address = first; address - first < r->size + (r->start - first); address += FRAME_SIZE)
        fence_one(address, r);
}
