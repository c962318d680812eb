// Two-stage translation: the half that touches CSRs.
#include "gstage.h"
#include "backend.h"
#include "bits.h"
#include "csr.h"
#include "fences.h"
#include "pmp_plan.h"

#if XLEN == 64
#define HGATP(mode, vmid, root) ((mode) << 60 | (unsigned long)(vmid) << 44 | (unsigned long)((root) >> FRAME_SHIFT))
#else
#define HGATP(mode, vmid, root) ((mode) << 31 | (unsigned long)(vmid) << 22 | (unsigned long)((root) >> FRAME_SHIFT))
#endif

struct gstage_pool gstage_pool;
// The same for all: the hypervisor closed but for the tables, which hardware reads as S-mode.
static struct pmp_plan shared_plan;

// Of that plan, the entry whose address is where the hypervisor's memory ends; 0: there is none.
static unsigned plan_end_entry;

static enum status plan_make(struct range closed, struct range tables, unsigned grain)
{
    enum status status = pmp_plan_add(&shared_plan, closed, 0, grain);

    if (status == STATUS_OK && tables.size)
        status = pmp_plan_add(&shared_plan, tables, PMP_R, grain);
    // What the hypervisor grows by: nothing as yet.
    if (status == STATUS_OK)
        status = pmp_plan_add_growing(&shared_plan, range_end(tables), 0);
    plan_end_entry = shared_plan.count - 1;
    if (status == STATUS_OK)
        status = pmp_plan_add_all(&shared_plan, PMP_R | PMP_W | PMP_X);
    return status;
}

enum status gstage_init(struct range hypervisor, struct range tables)
{
    struct range closed = {hypervisor.start, tables.start - hypervisor.start};

    if (!isolation_features.hypervisor)
        return STATUS_OK;
    gstage_pool_init(&gstage_pool, tables);
    shared_plan = (struct pmp_plan){0};
    if (plan_make(closed, tables, isolation_features.pmp_grain_shift) == STATUS_OK &&
        shared_plan.count <= isolation_features.pmp_count)
        return STATUS_OK;
    // Too few entries, or too coarse ones: the second stage alone keeps guests out of the hypervisor.
    shared_plan = (struct pmp_plan){0};
    plan_end_entry = 0;
    return pmp_plan_add_all(&shared_plan, PMP_R | PMP_W | PMP_X);
}

// One word, so that no hart ever loads a plan that is half the old one.
void gstage_protect_up_to(uint64_t end)
{
    if (plan_end_entry)
        atomic_store((_Atomic unsigned long *)&shared_plan.address[plan_end_entry], (unsigned long)(end >> 2));
}

void isolation_protect(struct hart *h)
{
    if (h->isolation->plan == &shared_plan)
        pmp_load(&shared_plan);
}

uint64_t gstage_table_bytes(uint64_t memory)
{
    uint64_t per_table = 1ULL << (FRAME_SHIFT + (GSTAGE_MODE->levels - 1) * GSTAGE_MODE->index_bits);
    uint64_t tables = GSTAGE_MODE->levels > 2 ? memory / per_table + 2 : 0;
    return GSTAGE_ROOT_SIZE + tables * FRAME_SIZE;
}

struct hpa gstage_root(const struct space *s)
{
#if XLEN == 64
    return hpa((s->hgatp & 0xfffffffffffULL) << FRAME_SHIFT);
#else
    return hpa((uint64_t)(s->hgatp & 0x3fffffUL) << FRAME_SHIFT);
#endif
}

enum status gstage_attach_empty(struct space *s)
{
    struct hpa root;

    s->tables = (struct gstage_user){.owner = s->owner};
    enum status status = gstage_root_create(&gstage_pool, &s->tables, &root);
    if (status != STATUS_OK)
        return status;
    // VMID 0 is left to capsules under pmp and to those beyond the implemented number.
    unsigned bits = isolation_features.vmid_bits;
    s->vmid = s->owner < (1u << bits) ? s->owner : 0;
    s->hgatp = HGATP(GSTAGE_MODE->hgatp_mode, s->vmid, root.value);
    s->plan = &shared_plan;
    return STATUS_OK;
}

enum status gstage_attach(struct space *s)
{
    enum status status = gstage_attach_empty(s);

    if (status != STATUS_OK)
        return status;
    for (unsigned i = 0; i < s->extent_count && status == STATUS_OK; i++)
        status = gstage_map(&gstage_pool, &s->tables, GSTAGE_MODE, gstage_root(s), s->extents[i].guest,
                            s->extents[i].host, s->extents[i].size);
    if (status != STATUS_OK)
        gstage_detach(s);
    return status;
}

void gstage_detach(struct space *s)
{
    gstage_root_destroy(&gstage_pool, &s->tables, GSTAGE_MODE, gstage_root(s));
    s->hgatp = 0;
}

void gstage_activate(const struct space *s)
{
    // The guest's table must not be walked speculatively through the other's second stage.
    csr_write(CSR_SATP + CSR_VS_OFFSET, 0);
    csr_write(CSR_HGATP, s->hgatp);
    if (s->vmid == 0)
        hfence_gvma_all();
}
