// Two-stage translation: the half that touches CSRs.
#include "backend.h"
#include "bits.h"
#include "csr.h"
#include "fences.h"
#include "gstage_table.h"
#include "pmp_plan.h"

#if XLEN == 64
#define MODE (&gstage_sv39x4)
#define HGATP(mode, vmid, root) ((mode) << 60 | (unsigned long)(vmid) << 44 | (unsigned long)((root) >> FRAME_SHIFT))
#else
#define MODE (&gstage_sv32x4)
#define HGATP(mode, vmid, root) ((mode) << 31 | (unsigned long)(vmid) << 22 | (unsigned long)((root) >> FRAME_SHIFT))
#endif

static struct gstage_pool pool;
// The same for all: the hypervisor closed but for the tables, which hardware reads as S-mode.
static struct pmp_plan shared_plan;

enum status gstage_init(struct range hypervisor, struct range tables)
{
    struct range closed = {hypervisor.start, tables.start - hypervisor.start};
    unsigned grain = isolation_features.pmp_grain_shift;

    if (tables.size == 0)
        return STATUS_OK;
    gstage_pool_init(&pool, tables);
    enum status status = pmp_plan_add(&shared_plan, closed, 0, grain);
    if (status == STATUS_OK)
        status = pmp_plan_add(&shared_plan, tables, PMP_R, grain);
    if (status == STATUS_OK)
        status = pmp_plan_add_all(&shared_plan, PMP_R | PMP_W | PMP_X);
    if (status == STATUS_OK && shared_plan.count <= isolation_features.pmp_count)
        return STATUS_OK;
    // Too few entries, or too coarse ones: the second stage alone keeps guests out of the hypervisor.
    shared_plan = (struct pmp_plan){0};
    return pmp_plan_add_all(&shared_plan, PMP_R | PMP_W | PMP_X);
}

uint64_t gstage_table_bytes(uint64_t memory)
{
    uint64_t per_table = 1ULL << (FRAME_SHIFT + (MODE->levels - 1) * MODE->index_bits);
    uint64_t tables = MODE->levels > 2 ? memory / per_table + 2 : 0;
    return GSTAGE_ROOT_SIZE + tables * FRAME_SIZE;
}

enum status gstage_attach(struct space *s)
{
    struct hpa root;
    enum status status = gstage_root_create(&pool, &root);

    if (status != STATUS_OK)
        return status;
    for (unsigned i = 0; i < s->extent_count && status == STATUS_OK; i++)
        status = gstage_map(&pool, MODE, root, s->extents[i].guest, s->extents[i].host, s->extents[i].size);
    if (status != STATUS_OK) {
        gstage_root_destroy(&pool, MODE, root);
        return status;
    }
    // VMID 0 is left to capsules under pmp and to those beyond the implemented number.
    unsigned bits = isolation_features.vmid_bits;
    s->vmid = s->owner < (1u << bits) ? s->owner : 0;
    s->hgatp = HGATP(MODE->hgatp_mode, s->vmid, root.value);
    s->plan = &shared_plan;
    return STATUS_OK;
}

void gstage_detach(struct space *s)
{
#if XLEN == 64
    uint64_t root = (s->hgatp & 0xfffffffffffULL) << FRAME_SHIFT;
#else
    uint64_t root = (uint64_t)(s->hgatp & 0x3fffffUL) << FRAME_SHIFT;
#endif
    gstage_root_destroy(&pool, MODE, hpa(root));
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
