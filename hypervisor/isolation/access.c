// Guest memory by guest-virtual address: the hart translates and checks as if the guest itself did
// it (mstatus.MPRV with MPP and MPV as the trap left them), and a fault goes on here.
//
// A fault overwrites MPP and MPV, so mstatus is put back whole.
#include "csr.h"
#include "isolation.h"

#define GUARDED(op, operand, constraint)                                                                               \
    __asm__ volatile("csrrs %[old], %[status], %[bits]\n"                                                              \
                     "li %[ok], 0\n"                                                                                   \
                     "1: " op "\n"                                                                                     \
                     "li %[ok], 1\n"                                                                                   \
                     "2: csrw %[status], %[old]\n" FIXUP("1b", "2b")                                                   \
                     : [old] "=&r"(old), [ok] "=&r"(ok), operand                                                       \
                     : [status] "i"(CSR_MSTATUS), [bits] "r"(bits), [address] "r"((unsigned long)a.value)constraint    \
                     : "memory")

static bool finish(unsigned long ok, struct fault *f)
{
    if (likely(ok))
        return true;
    const struct hart *h = this_hart();
    *f = (struct fault){.cause = h->own.cause, .value = h->own.value};
#if XLEN == 32
    if (isolation_features.hypervisor)
        csr_set(CSR_MSTATUSH, STATUS64_MPV >> 32);
#endif
    return false;
}

static bool load_once(struct gva a, unsigned bytes, unsigned long *value, unsigned long extra, struct fault *f)
{
    unsigned long bits = STATUS_MPRV | extra, old, ok, v = 0;

    switch (bytes) {
    case 1:
        GUARDED("lbu %[v], (%[address])", [v] "+r"(v), );
        break;
    case 2:
        GUARDED("lhu %[v], (%[address])", [v] "+r"(v), );
        break;
    case 4:
        GUARDED("lw %[v], (%[address])", [v] "+r"(v), );
        break;
#if XLEN == 64
    case 8:
        GUARDED("ld %[v], (%[address])", [v] "+r"(v), );
        break;
#endif
    default:
        return false;
    }
    *value = v;
    return finish(ok, f);
}

static bool store_once(struct gva a, unsigned bytes, unsigned long value, struct fault *f)
{
    unsigned long bits = STATUS_MPRV, old, ok;

    switch (bytes) {
    case 1:
        GUARDED("sb %[v], (%[address])", [v] "+r"(value), );
        break;
    case 2:
        GUARDED("sh %[v], (%[address])", [v] "+r"(value), );
        break;
    case 4:
        GUARDED("sw %[v], (%[address])", [v] "+r"(value), );
        break;
#if XLEN == 64
    case 8:
        GUARDED("sd %[v], (%[address])", [v] "+r"(value), );
        break;
#endif
    default:
        return false;
    }
    return finish(ok, f);
}

static bool is_natural(struct gva a, unsigned bytes)
{
    return !(a.value & (bytes - 1)) && bytes <= sizeof(unsigned long);
}

bool guest_load(struct gva a, unsigned bytes, uint64_t *value, struct fault *f)
{
    unsigned long piece = 0;

    if (is_natural(a, bytes)) {
        bool ok = load_once(a, bytes, &piece, 0, f);
        *value = bytes == 4 ? (uint32_t)piece : piece;
        return ok;
    }
    *value = 0;
    for (unsigned i = 0; i < bytes; i++) {
        if (!load_once(gva(a.value + i), 1, &piece, 0, f))
            return false;
        *value |= (uint64_t)piece << (8 * i);
    }
    return true;
}

bool guest_store(struct gva a, unsigned bytes, uint64_t value, struct fault *f)
{
    if (is_natural(a, bytes))
        return store_once(a, bytes, (unsigned long)value, f);
    for (unsigned i = 0; i < bytes; i++)
        if (!store_once(gva(a.value + i), 1, (uint8_t)(value >> (8 * i)), f))
            return false;
    return true;
}

bool guest_fetch(struct gva a, uint32_t *insn, struct fault *f)
{
    unsigned long low, high;

    if (!load_once(a, 2, &low, STATUS_MXR, f))
        return false;
    *insn = (uint32_t)low;
    if ((low & 3) != 3)
        return true;
    if (!load_once(gva(a.value + 2), 2, &high, STATUS_MXR, f))
        return false;
    *insn |= (uint32_t)high << 16;
    return true;
}
