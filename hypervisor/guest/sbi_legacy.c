// Legacy calls, which old kernels need: one result, in a0; hart masks lie in guest memory.
#include "csr.h"
#include "sbi.h"

enum legacy {
    LEGACY_SET_TIMER,
    LEGACY_PUTCHAR,
    LEGACY_GETCHAR,
    LEGACY_CLEAR_IPI,
    LEGACY_SEND_IPI,
    LEGACY_REMOTE_FENCE_I,
    LEGACY_REMOTE_SFENCE_VMA,
    LEGACY_REMOTE_SFENCE_VMA_ASID,
    LEGACY_SHUTDOWN,
};

static enum exit legacy_return(struct vcore *v, long value)
{
    v->context.x[10] = (unsigned long)value;
    return EXIT_RESUME;
}

// The mask at the guest-virtual address in a0; all harts if that is 0. If it can't be read, the guest
// gets the fault at its ecall, and the answer is false. Harts that don't exist are passed over.
static bool mask_read(struct vcore *v, uint64_t *vcores, enum exit *exit)
{
    uint64_t all = ~0ULL >> (64 - v->capsule->vcore_count), mask = all;
    unsigned long pc = csr_read(CSR_MEPC) - 4; // a fault of ours overwrites it
    struct fault f;

    if (ARGUMENT(v, 0) && !guest_load(gva(ARGUMENT(v, 0)), sizeof(unsigned long), &mask, &f)) {
        v->context.pc = pc;
        *exit = guest_fault(v, f.cause, f.value, NOWHERE);
        csr_write(CSR_MEPC, v->context.pc);
        return false;
    }
    *vcores = mask & all;
    return true;
}

static enum exit legacy_fence(struct vcore *v, unsigned long call)
{
    struct fence_request request = {
        .instruction = call == LEGACY_REMOTE_FENCE_I,
        .translation = call != LEGACY_REMOTE_FENCE_I,
        .by_asid = call == LEGACY_REMOTE_SFENCE_VMA_ASID,
        .start = ARGUMENT(v, 1),
        .size = ARGUMENT(v, 2),
        .asid = ARGUMENT(v, 3),
    };
    enum exit exit;
    uint64_t vcores;

    if (!mask_read(v, &vcores, &exit))
        return exit;
    capsule_fence(v, vcores, &request);
    return legacy_return(v, 0);
}

static enum exit legacy_putchar(struct vcore *v)
{
    uint8_t byte = (uint8_t)ARGUMENT(v, 0);

    if (!stream_write(&v->capsule->stream, &byte, 1))
        return sbi_again();
    capsule_output_made();
    return legacy_return(v, 0);
}

enum exit sbi_legacy(struct vcore *v, unsigned long extension)
{
    enum exit exit;
    static const uint8_t kinds[] = {
        [LEGACY_SET_TIMER] = KIND_TIMER,
        [LEGACY_PUTCHAR] = KIND_CALL,
        [LEGACY_GETCHAR] = KIND_CALL,
        [LEGACY_CLEAR_IPI] = KIND_CALL,
        [LEGACY_SEND_IPI] = KIND_IPI,
        [LEGACY_REMOTE_FENCE_I] = KIND_FENCE_I,
        [LEGACY_REMOTE_SFENCE_VMA] = KIND_SFENCE,
        [LEGACY_REMOTE_SFENCE_VMA_ASID] = KIND_SFENCE_ASID,
        [LEGACY_SHUTDOWN] = KIND_CALL,
    };
    uint64_t vcores;

    v->exits[kinds[extension]]++;
    switch ((enum legacy)extension) {
    case LEGACY_SET_TIMER:
        sbi_set_timer(v, sbi_wide(v, 0));
        return legacy_return(v, 0);
    case LEGACY_PUTCHAR:
        return legacy_putchar(v);
    case LEGACY_GETCHAR:
        return legacy_return(v, stream_read(&v->capsule->stream));
    case LEGACY_CLEAR_IPI:
        world_lower(1UL << INTERRUPT_S_SOFT);
        return legacy_return(v, 0);
    case LEGACY_SEND_IPI:
        if (!mask_read(v, &vcores, &exit))
            return exit;
        sbi_send_ipi(v, vcores);
        return legacy_return(v, 0);
    case LEGACY_REMOTE_FENCE_I:
    case LEGACY_REMOTE_SFENCE_VMA:
    case LEGACY_REMOTE_SFENCE_VMA_ASID:
        return legacy_fence(v, extension);
    case LEGACY_SHUTDOWN:
        return sbi_shutdown(v);
    }
    return legacy_return(v, SBI_ERR_NOT_SUPPORTED);
}
