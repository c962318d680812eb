// Machine discovery: /cpus.

#include <string.h>

#include "bits.h"
#include "discovery.h"

#define MMU_TYPE_MAX 15u // "riscv,sv39": it goes into guests' trees, where room is reckoned

static bool value_same(struct host_tree_value a, struct host_tree_value b)
{
    return a.length == b.length && (a.data == b.data || (a.data && b.data && !memcmp(a.data, b.data, a.length)));
}

// The new form counts if both are there, as it does for Linux.
static enum status isa_read(const struct discovery *d, struct isa *isa)
{
    struct host_tree_value list = d->tree.values[HOST_TREE_ISA_EXTENSIONS];
    struct host_tree_value string = d->tree.values[HOST_TREE_ISA];
    const char *base = host_tree_string(d->tree.values[HOST_TREE_ISA_BASE]);
    if (list.data && base)
        return isa_parse_list(base, (const char *)list.data, list.length, isa);
    return string.data ? isa_parse_string((const char *)string.data, string.length, isa) : STATUS_INVALID;
}

static enum status isa_read_cached(struct discovery *d, struct isa *isa)
{
    static const uint8_t texts[] = {HOST_TREE_ISA, HOST_TREE_ISA_BASE, HOST_TREE_ISA_EXTENSIONS};
    bool same = d->isa.xlen != 0;
    for (size_t i = 0; i < array_length(texts); i++) {
        same = same && value_same(d->isa_texts[i], d->tree.values[texts[i]]);
        d->isa_texts[i] = d->tree.values[texts[i]];
    }
    if (!same)
        d->isa_status = isa_read(d, &d->isa);
    *isa = d->isa;
    return d->isa_status;
}

static bool hart_id_known(const struct machine *m, uint64_t id)
{
    for (size_t i = 0; i < m->hart_count; i++)
        if (m->harts[i].id == id)
            return true;
    return false;
}

// Null if the hart can be used, else why it can't.
static const char *hart_read(struct discovery *d, struct machine_hart *hart)
{
    struct machine *m = d->machine;
    const char *mmu = host_tree_string(d->tree.values[HOST_TREE_MMU_TYPE]);
    struct range id;
    if (m->hart_count == MACHINE_HARTS_MAX)
        return "left out: too many harts";
    if (!host_tree_reg_raw(&d->tree, 0, &id))
        return "left out: no id (reg)";
    if (hart_id_known(m, id.start))
        return "left out: its id is another's";
    if (!mmu || strncmp(mmu, "riscv,sv", 8) || strlen(mmu) > MMU_TYPE_MAX)
        return "left out: no S-mode with paging (mmu-type)";
    if (isa_read_cached(d, &hart->isa) != STATUS_OK)
        return "left out: riscv,isa is missing or not understood";
    if (m->hart_count && hart->isa.xlen != m->isa.xlen)
        return "left out: not as wide as the first hart";
    if (!isa_has(&hart->isa, ISA_M) || !isa_has(&hart->isa, ISA_A) || !isa_has(&hart->isa, ISA_C))
        return "left out: lacks extension M, A or C";
    hart->id = id.start;
    return NULL;
}

// A block size counts only if all harts agree on it.
static void block_size_merge(struct discovery *d, uint32_t *size, enum host_tree_property property)
{
    uint32_t own = host_tree_cell(&d->tree, property, 0);
    if (!is_power_of_two(own) || own > FRAME_SIZE)
        own = 0;
    if (!d->machine->hart_count)
        *size = own;
    else if (*size != own)
        *size = 0;
}

// "riscv,sv39" sorts before "riscv,sv48".
static void mmu_type_merge(struct machine *m, const char *mmu)
{
    if (!m->mmu_type || strcmp(mmu, m->mmu_type) < 0)
        m->mmu_type = mmu;
}

static void hart_merge(struct discovery *d, const struct machine_hart *hart)
{
    struct machine *m = d->machine;
    if (m->hart_count)
        isa_intersect(&m->isa, &hart->isa);
    else
        m->isa = hart->isa;
    mmu_type_merge(m, host_tree_string(d->tree.values[HOST_TREE_MMU_TYPE]));
    block_size_merge(d, &m->cbom_size, HOST_TREE_CBOM_SIZE);
    block_size_merge(d, &m->cbop_size, HOST_TREE_CBOP_SIZE);
    block_size_merge(d, &m->cboz_size, HOST_TREE_CBOZ_SIZE);
}

// In /cpus or in each hart's node.
static void timebase_visit(struct discovery *d)
{
    uint64_t hz;
    if (!d->machine->timebase_hz && host_tree_number(d->tree.values[HOST_TREE_TIMEBASE], &hz) && hz <= UINT32_MAX)
        d->machine->timebase_hz = (uint32_t)hz;
}

static void hart_visit(struct discovery *d)
{
    struct machine *m = d->machine;
    struct machine_hart *hart = &m->harts[m->hart_count];
    d->hart_open = false;
    if (!host_tree_level(&d->tree)->enabled)
        return;
    const char *problem = hart_read(d, hart);
    if (problem) {
        discovery_note_here(d, problem);
        return;
    }
    timebase_visit(d);
    hart_merge(d, hart);
    hart->plic_context = MACHINE_NO_CONTEXT;
    m->hart_count++;
    d->hart_open = true;
}

void harts_visit_cpus(struct discovery *d)
{
    timebase_visit(d);
}

static bool is_intc(const struct discovery *d)
{
    return host_tree_string_is(&d->tree, HOST_TREE_COMPATIBLE, "riscv,cpu-intc");
}

void harts_visit(struct discovery *d)
{
    if (d->tree.depth == 2 && host_tree_string_is(&d->tree, HOST_TREE_DEVICE_TYPE, "cpu"))
        hart_visit(d);
    else if (d->tree.depth == 2)
        d->hart_open = false; // cpu-map and the like
    else if (d->hart_open && is_intc(d))
        d->machine->harts[d->machine->hart_count - 1].phandle = host_tree_phandle(&d->tree);
}

// Keeps the harts that can be driven.
static void harts_filter(struct discovery *d)
{
    struct machine *m = d->machine;
    size_t kept = 0;
    for (size_t i = 0; i < m->hart_count; i++) {
        const struct machine_hart *hart = &m->harts[i];
        if (hart->mtimecmp && hart->msip)
            m->harts[kept++] = *hart;
        else
            discovery_note(d, "/cpus",
                           "a hart is left out: no CLINT, or no ACLINT MTIMER and MSWI, is connected to it");
    }
    m->hart_count = kept;
}

enum status harts_finish(struct discovery *d)
{
    struct machine *m = d->machine;
    if (!m->hart_count)
        return discovery_fail(d, "/cpus", "no hart can run guests: S-mode (mmu-type), M, A and C are needed");
    harts_filter(d);
    if (!m->hart_count || !m->clint.mtime)
        return discovery_fail(d, "/cpus",
                              "no timer and software interrupts: a CLINT, or ACLINT MTIMER and MSWI, is needed");
    if (!m->timebase_hz)
        return discovery_fail(d, "/cpus", "no timebase-frequency");
    if (!m->cbom_size)
        isa_remove(&m->isa, ISA_ZICBOM);
    if (!m->cbop_size)
        isa_remove(&m->isa, ISA_ZICBOP);
    if (!m->cboz_size)
        isa_remove(&m->isa, ISA_ZICBOZ);
    return STATUS_OK;
}
