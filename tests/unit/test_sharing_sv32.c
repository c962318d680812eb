// sources: hypervisor/isolation/gstage/gstage_table.c hypervisor/isolation/pmp/pmp_plan.c hypervisor/memory/frames.c lib/buddy.c
// wrap: frames_allocate -DFAKE_XLEN=32
// width: 64 (on 32 bits, test_sharing is this)
#include "test_sharing.c"
