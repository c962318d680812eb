#include "vplic.h"

#include <string.h>

// Register map: "Memory Map" in the specification. Strides of the enables and of the contexts are those of
// two contexts: M and S of a vcore.
#define PRIORITY_END 0x1000u
#define PENDING 0x1000u
#define ENABLE 0x2000u
#define ENABLE_STRIDE 0x100u
#define ENABLE_SUPERVISOR 0x80u
#define CONTEXT 0x200000u
#define CONTEXT_STRIDE 0x2000u
#define CONTEXT_THRESHOLD 0x1000u
#define CONTEXT_CLAIM 0x1004u

#define LOWEST_SET_MAGIC 0x077cb531u // a de Bruijn sequence: each 5 bits in a row are different

// The number of the lowest bit that is set; harts needn't have Zbb.
static unsigned lowest_set(uint32_t bits)
{
    static const uint8_t numbers[32] = {0,  1,  28, 2,  29, 14, 24, 3, 30, 22, 20, 15, 25, 17, 4,  8,
                                        31, 27, 13, 23, 21, 19, 16, 7, 26, 12, 18, 6,  11, 5,  10, 9};
    return numbers[(bits & -bits) * LOWEST_SET_MAGIC >> 27];
}

static bool is_source(uint32_t number)
{
    return number - 1 < VPLIC_SOURCES;
}

size_t vplic_size(unsigned vcores)
{
    return sizeof(struct vplic) + vcores * sizeof(struct vplic_context);
}

void vplic_init(struct vplic *plic, unsigned vcores)
{
    memset(plic, 0, vplic_size(vcores));
    plic->vcores = vcores;
}

// Brings a vcore's line up to date.
static void refresh(struct vplic *plic, unsigned vcore)
{
    const struct vplic_context *context = &plic->contexts[vcore];
    uint64_t line = (uint64_t)1 << vcore;
    if (plic->pending & context->enable & plic->above[context->threshold])
        plic->output |= line;
    else
        plic->output &= ~line;
}

// The same for all vcores that a source may interrupt: mostly one.
static void refresh_targets(struct vplic *plic, unsigned source)
{
    uint64_t targets = plic->targets[source];
    for (unsigned vcore = 0; targets; vcore++, targets >>= 1) {
        if (targets & 1)
            refresh(plic, vcore);
    }
}

static void set_pending(struct vplic *plic, unsigned source)
{
    plic->pending |= 1u << source;
    refresh_targets(plic, source);
}

// A gateway passes a request on, once, and then nothing until that is completed. If the line falls in the
// meantime, the request stays ("Interrupt Gateways").
void vplic_set_level(struct vplic *plic, unsigned source, bool level)
{
    if (!is_source(source))
        return;
    uint32_t bit = 1u << source;
    if (!level) {
        plic->level &= ~bit;
        return;
    }
    plic->level |= bit;
    if (!((plic->claimed | plic->pending) & bit))
        set_pending(plic, source);
}

// Those of the sources that have the highest priority among them, which isn't 0.
static uint32_t most_urgent(const struct vplic *plic, uint32_t sources)
{
    const uint32_t *above = &plic->above[VPLIC_PRIORITIES - 2];
    while (!(sources & *above))
        above--;
    return sources & *above;
}

// The threshold has no say in what is claimed ("Interrupt Claim Process"). Apart from vplic_read(), which
// needs no stack frame then.
static __attribute__((noinline)) uint32_t claim(struct vplic *plic, unsigned vcore)
{
    uint32_t sources = plic->pending & plic->contexts[vcore].enable & plic->above[0];
    if (!sources)
        return 0;
    if (sources & (sources - 1))
        sources = most_urgent(plic, sources);
    unsigned source = lowest_set(sources);
    plic->pending &= ~(1u << source);
    plic->claimed |= 1u << source;
    refresh_targets(plic, source);
    return source;
}

// Who completes needn't have claimed, but must have the source enabled ("Interrupt Completion").
static void complete(struct vplic *plic, unsigned vcore, uint32_t source)
{
    if (!is_source(source) || !(plic->contexts[vcore].enable >> source & 1))
        return;
    plic->claimed &= ~(1u << source);
    if (plic->level >> source & 1)
        set_pending(plic, source);
}

static void set_priority(struct vplic *plic, unsigned source, uint8_t priority)
{
    if (!is_source(source))
        return;
    plic->priority[source] = priority;
    for (unsigned threshold = 0; threshold < VPLIC_PRIORITIES; threshold++) {
        plic->above[threshold] &= ~(1u << source);
        plic->above[threshold] |= (uint32_t)(priority > threshold) << source;
    }
    refresh_targets(plic, source);
}

static void set_enable(struct vplic *plic, unsigned vcore, uint32_t enable)
{
    uint32_t *now = &plic->contexts[vcore].enable;
    enable &= ~1u;
    for (uint32_t changes = *now ^ enable; changes; changes &= changes - 1)
        plic->targets[lowest_set(changes)] ^= (uint64_t)1 << vcore;
    *now = enable;
    refresh(plic, vcore);
}

static void set_threshold(struct vplic *plic, unsigned vcore, uint32_t threshold)
{
    plic->contexts[vcore].threshold = threshold % VPLIC_PRIORITIES;
    refresh(plic, vcore);
}

// The vcore whose first enable word this is; plic->vcores or more if it is anything else.
static uint32_t enable_vcore(uint32_t offset)
{
    offset -= ENABLE + ENABLE_SUPERVISOR;
    return offset % ENABLE_STRIDE ? VPLIC_VCORES_MAX : offset / ENABLE_STRIDE;
}

static uint32_t read_below_contexts(const struct vplic *plic, uint32_t offset)
{
    if (offset < PRIORITY_END)
        return offset % 4 == 0 && is_source(offset / 4) ? plic->priority[offset / 4] : 0;
    if (offset == PENDING)
        return plic->pending;
    uint32_t vcore = enable_vcore(offset);
    return vcore < plic->vcores ? plic->contexts[vcore].enable : 0;
}

static void write_below_contexts(struct vplic *plic, uint32_t offset, uint32_t value)
{
    if (offset < PRIORITY_END) {
        if (offset % 4 == 0)
            set_priority(plic, offset / 4, value % VPLIC_PRIORITIES);
        return;
    }
    uint32_t vcore = enable_vcore(offset);
    if (vcore < plic->vcores)
        set_enable(plic, vcore, value);
}

uint32_t vplic_read(struct vplic *plic, unsigned vcore, uint32_t offset)
{
    (void)vcore;
    if (offset < CONTEXT)
        return read_below_contexts(plic, offset);
    uint32_t context = (offset - CONTEXT) / CONTEXT_STRIDE, place = offset % CONTEXT_STRIDE;
    if (context >= plic->vcores)
        return 0;
    if (place == CONTEXT_CLAIM)
        return claim(plic, context);
    return place == CONTEXT_THRESHOLD ? plic->contexts[context].threshold : 0;
}

void vplic_write(struct vplic *plic, unsigned vcore, uint32_t offset, uint32_t value)
{
    (void)vcore;
    if (offset < CONTEXT) {
        write_below_contexts(plic, offset, value);
        return;
    }
    uint32_t context = (offset - CONTEXT) / CONTEXT_STRIDE, place = offset % CONTEXT_STRIDE;
    if (context >= plic->vcores)
        return;
    if (place == CONTEXT_CLAIM)
        complete(plic, context, value);
    else if (place == CONTEXT_THRESHOLD)
        set_threshold(plic, context, value);
}
