// sources: hypervisor/guest/vplic.c
// Any sequence of accesses and line changes: nothing outside the model is touched, and what is kept for
// speed (the lines, the transposed enables, the priorities' bitmaps) agrees with the registers.
#include <stdlib.h>
#include <string.h>

#include "vplic.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

static void check_source(const struct vplic *plic, unsigned source)
{
    for (unsigned threshold = 0; threshold < VPLIC_PRIORITIES; threshold++)
        REQUIRE((plic->above[threshold] >> source & 1) == (plic->priority[source] > threshold));
    for (unsigned vcore = 0; vcore < plic->vcores; vcore++)
        REQUIRE((plic->targets[source] >> vcore & 1) == (plic->contexts[vcore].enable >> source & 1));
}

static bool line_of(const struct vplic *plic, unsigned vcore)
{
    const struct vplic_context *context = &plic->contexts[vcore];
    for (unsigned source = 1; source <= VPLIC_SOURCES; source++) {
        if ((plic->pending & context->enable) >> source & 1 && plic->priority[source] > context->threshold)
            return true;
    }
    return false;
}

static void check(const struct vplic *plic)
{
    for (unsigned source = 0; source <= VPLIC_SOURCES; source++)
        check_source(plic, source);
    for (unsigned vcore = 0; vcore < plic->vcores; vcore++)
        REQUIRE(vplic_output(plic, vcore) == line_of(plic, vcore));
    REQUIRE(!(plic->pending & plic->claimed));
    REQUIRE(!(plic->level & ~(plic->pending | plic->claimed)));
    REQUIRE(!((plic->pending | plic->claimed | plic->level) & 1));
}

// Mostly registers that exist, now and then anything.
static uint32_t offset_of(uint8_t kind, uint8_t place, uint32_t any)
{
    switch (kind & 7) {
    case 0:
        return any;
    case 1:
        return 4u * place;
    case 2:
        return 0x1000;
    case 3:
        return 0x2000 + 0x80u * place;
    case 4:
        return 0x200000 + 0x1000u * place;
    default:
        return 0x200004 + 0x1000u * place;
    }
}

static void step(struct vplic *plic, const uint8_t *data)
{
    uint32_t any, value = data[3];
    memcpy(&any, data + 4, sizeof(any));
    if (data[0] & 8)
        value = any;
    uint32_t offset = offset_of(data[0], data[1], any);
    if (data[2] & 1)
        vplic_set_level(plic, data[1], data[2] & 2);
    else if (data[2] & 2)
        vplic_write(plic, data[1], offset, value);
    else if ((offset & 0xfff) == 4 && offset >= 0x200000)
        REQUIRE(vplic_read(plic, data[1], offset) <= VPLIC_SOURCES);
    else
        vplic_read(plic, data[1], offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    unsigned vcores = 1 + data[0] % VPLIC_VCORES_MAX;
    struct vplic *plic = malloc(vplic_size(vcores));
    vplic_init(plic, vcores);
    for (data++, size--; size >= 8; data += 8, size -= 8) {
        uint64_t before = plic->output;
        step(plic, data);
        check(plic);
        REQUIRE(vplic_take_changes(plic) == (before ^ plic->output));
    }
    free(plic);
    return 0;
}
