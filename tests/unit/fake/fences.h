// Stands in for riscv/fences.h in host tests: each fence is reported, with the function that executes it.
#pragma once

#include "types.h"

enum fence_kind { FENCE_I, FENCE_SFENCE, FENCE_HFENCE_VVMA, FENCE_HFENCE_GVMA, FENCE_RESERVATION };

struct fence {
    enum fence_kind kind;
    bool by_address, by_id; // id: ASID, of HFENCE.GVMA the VMID
    unsigned long address, id;
    const char *function;
};

void fake_fence(struct fence fence);

#define FAKE_FENCE(...) fake_fence((struct fence){__VA_ARGS__, .function = __func__})
#define FAKE_ADDRESS(a) .by_address = true, .address = (a)
#define FAKE_ID(i) .by_id = true, .id = (i)

#define reservation_drop() FAKE_FENCE(FENCE_RESERVATION)
#define fence_i() FAKE_FENCE(FENCE_I)
#define sfence_all() FAKE_FENCE(FENCE_SFENCE)
#define sfence_address(va) FAKE_FENCE(FENCE_SFENCE, FAKE_ADDRESS(va))
#define sfence_asid(asid) FAKE_FENCE(FENCE_SFENCE, FAKE_ID(asid))
#define sfence_address_asid(va, asid) FAKE_FENCE(FENCE_SFENCE, FAKE_ADDRESS(va), FAKE_ID(asid))
#define hfence_vvma_all() FAKE_FENCE(FENCE_HFENCE_VVMA)
#define hfence_vvma_address(va) FAKE_FENCE(FENCE_HFENCE_VVMA, FAKE_ADDRESS(va))
#define hfence_vvma_asid(asid) FAKE_FENCE(FENCE_HFENCE_VVMA, FAKE_ID(asid))
#define hfence_vvma_address_asid(va, asid) FAKE_FENCE(FENCE_HFENCE_VVMA, FAKE_ADDRESS(va), FAKE_ID(asid))
#define hfence_gvma_all() FAKE_FENCE(FENCE_HFENCE_GVMA)
#define hfence_gvma_vmid(vmid) FAKE_FENCE(FENCE_HFENCE_GVMA, FAKE_ID(vmid))
#define hfence_gvma_address_vmid(gpa_shifted, vmid)                                                                    \
    FAKE_FENCE(FENCE_HFENCE_GVMA, FAKE_ADDRESS(gpa_shifted), FAKE_ID(vmid))
